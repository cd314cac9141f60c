//! Closing for want of an answer (decision 2): off unless the support portal turned it on, and never before every reminder
//! was sent.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// In calendar days of the customer's silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoClose {
    pub remind_after_days: Vec<u16>,
    pub close_after_days: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    NoReminder,
    /// Each reminder comes later than the one before, and the first not at once.
    RemindersNotInOrder,
    ClosedBeforeReminded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Nothing,
    Remind,
    Close,
}

impl AutoClose {
    pub fn check(&self) -> Result<(), Flaw> {
        let days = &self.remind_after_days;
        let last = days.last().ok_or(Flaw::NoReminder)?;
        if days.first() == Some(&0) || !days.is_sorted_by(|a, b| a < b) {
            return Err(Flaw::RemindersNotInOrder);
        }
        if self.close_after_days <= *last { Err(Flaw::ClosedBeforeReminded) } else { Ok(()) }
    }
}

/// What is due of a request whose customer is silent since then. `reminders`: when each was sent in this silence. Who was
/// reminded late, because our mail stood still, has his time from the reminder on.
pub fn due(policy: Option<&AutoClose>, since: DateTime<Utc>, reminders: &[DateTime<Utc>], now: DateTime<Utc>) -> Due {
    let Some(policy) = policy.filter(|policy| policy.check().is_ok()) else { return Due::Nothing };
    let days = |days: u16| TimeDelta::days(i64::from(days));
    if let Some(next) = policy.remind_after_days.get(reminders.len()) {
        return if now - since >= days(*next) { Due::Remind } else { Due::Nothing };
    }
    let (Some(last), Some(sent)) = (policy.remind_after_days.last(), reminders.last()) else { return Due::Nothing };
    let grace = days(policy.close_after_days.saturating_sub(*last));
    let over = now - since >= days(policy.close_after_days) && now - *sent >= grace;
    if over { Due::Close } else { Due::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(n)
    }

    fn policy(remind: &[u16], close: u16) -> AutoClose {
        AutoClose { remind_after_days: remind.into(), close_after_days: close }
    }

    #[test]
    fn s45_silence_closes_nothing_unless_it_was_turned_on_and_everybody_reminded() {
        assert_eq!(due(None, day(0), &[day(5), day(7)], day(3000)), Due::Nothing, "off");
        let on = policy(&[5, 8], 10);
        for (reminders, now, wanted) in [
            (vec![], 4, Due::Nothing),
            (vec![], 5, Due::Remind),
            (vec![], 3000, Due::Remind),
            (vec![5], 7, Due::Nothing),
            (vec![5], 3000, Due::Remind),
            (vec![5, 8], 9, Due::Nothing),
            (vec![5, 8], 10, Due::Close),
            (vec![5, 12], 13, Due::Nothing),
            (vec![5, 12], 14, Due::Close),
        ] {
            let sent: Vec<_> = reminders.iter().map(|at| day(*at)).collect();
            assert_eq!(due(Some(&on), day(0), &sent, day(now)), wanted, "{reminders:?} on day {now}");
        }
    }

    #[test]
    fn s45_a_policy_that_closes_without_a_reminder_is_none() {
        for (wrong, flaw) in [
            (policy(&[], 10), Flaw::NoReminder),
            (policy(&[0, 5], 10), Flaw::RemindersNotInOrder),
            (policy(&[5, 5], 10), Flaw::RemindersNotInOrder),
            (policy(&[5, 10], 10), Flaw::ClosedBeforeReminded),
        ] {
            assert_eq!(wrong.check(), Err(flaw));
            assert_eq!(due(Some(&wrong), day(0), &[day(1), day(2)], day(3000)), Due::Nothing);
        }
    }
}
