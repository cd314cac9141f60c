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

/// The customer's turn, and nothing of him since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub since: DateTime<Utc>,
    /// When he was reminded.
    pub reminders: Vec<DateTime<Utc>>,
}

impl Silence {
    pub fn since(moment: DateTime<Utc>) -> Self {
        Self { since: moment, reminders: Vec::new() }
    }

    /// What comes next, and when. Who was told late, because our mail stood still or the policy is newer than his silence, has
    /// his time from then on.
    pub fn next(&self, policy: Option<&AutoClose>) -> Option<(DateTime<Utc>, Due)> {
        let policy = policy.filter(|policy| policy.check().is_ok())?;
        match policy.remind_after_days.get(self.reminders.len()) {
            Some(days) => Some((self.reaches(policy, *days)?, Due::Remind)),
            None => Some((self.closes_at(policy)?, Due::Close)),
        }
    }

    /// When it is closed, if nothing comes in between.
    pub fn closes_at(&self, policy: &AutoClose) -> Option<DateTime<Utc>> {
        self.reaches(policy, policy.close_after_days)
    }

    /// The day of the policy, but not sooner after the last reminder than the policy leaves between the two.
    fn reaches(&self, policy: &AutoClose, day: u16) -> Option<DateTime<Utc>> {
        let after = |from: DateTime<Utc>, days: u16| from.checked_add_signed(TimeDelta::days(i64::from(days)));
        let sent = self.reminders.len().checked_sub(1);
        let planned = sent.and_then(|nth| policy.remind_after_days.get(nth)).copied().unwrap_or_default();
        let apart = self.reminders.last().map(|sent| after(*sent, day.saturating_sub(planned)));
        let by_plan = after(self.since, day)?;
        apart.map_or(Some(by_plan), |apart| Some(by_plan.max(apart?)))
    }

    /// His last reminder counts from then, if that is later.
    #[must_use]
    pub fn reminded_anew(mut self, then: DateTime<Utc>) -> Self {
        if let Some(last) = self.reminders.last_mut() {
            *last = then.max(*last);
        }
        self
    }

    pub fn due(&self, policy: Option<&AutoClose>, now: DateTime<Utc>) -> Due {
        self.next(policy).filter(|(at, _)| *at <= now).map_or(Due::Nothing, |(_, due)| due)
    }
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
        let silent =
            |reminders: &[i64]| Silence { since: day(0), reminders: reminders.iter().map(|at| day(*at)).collect() };
        assert_eq!(silent(&[5, 7]).due(None, day(3000)), Due::Nothing, "off");
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
            assert_eq!(silent(&reminders).due(Some(&on), day(now)), wanted, "{reminders:?} on day {now}");
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
            let silent = Silence { since: day(0), reminders: vec![day(1), day(2)] };
            assert_eq!(silent.due(Some(&wrong), day(3000)), Due::Nothing);
        }
    }
}
