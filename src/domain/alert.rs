//! What people are told about without having asked (product §6): when an alert is raised, held back, and called off.

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;

/// A trouble that ended must stay away this long before it counts as over: a link that comes and goes is one alert.
pub const CALM_MS: i64 = 5 * MINUTE_MS;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The hotel's interface does not answer, or refuses us.
    LinkDown,
    /// The clock of the hotel's PMS cannot be right.
    ClockOff,
    /// Changes wait for an hour and more.
    QueueStuck,
    /// What we hold differs from the hotel or the portal.
    Drift,
    /// The portal took our access back.
    TokenLost,
    /// The app's payment or the portal's plan ends within days.
    PaymentEnding,
    /// The portal does not tell, or not in time, of much that changes in it.
    EventsLost,
    /// An import gave up: what it was to bring is not all there.
    ImportFailed,
    /// No reconciliation came to its end for long, or the last one did not.
    Unreconciled,
}

impl AlertKind {
    pub const ALL: [Self; 9] = [
        Self::LinkDown,
        Self::ClockOff,
        Self::QueueStuck,
        Self::Drift,
        Self::TokenLost,
        Self::PaymentEnding,
        Self::EventsLost,
        Self::ImportFailed,
        Self::Unreconciled,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::LinkDown => "link_down",
            Self::ClockOff => "clock_off",
            Self::QueueStuck => "queue_stuck",
            Self::Drift => "drift",
            Self::TokenLost => "token_lost",
            Self::PaymentEnding => "payment_ending",
            Self::EventsLost => "events_lost",
            Self::ImportFailed => "import_failed",
            Self::Unreconciled => "unreconciled",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// How long it must last before anybody is told: a link breaks and comes back by itself.
    pub fn grace_ms(self) -> i64 {
        match self {
            Self::LinkDown => 10 * MINUTE_MS,
            // A night's reconciliation that failed is tried again two hours later.
            Self::Unreconciled => 180 * MINUTE_MS,
            Self::ClockOff
            | Self::QueueStuck
            | Self::Drift
            | Self::TokenLost
            | Self::PaymentEnding
            | Self::EventsLost
            | Self::ImportFailed => 0,
        }
    }
}

/// A trouble as it is held between two looks. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    pub since: i64,
    /// When it was last there.
    pub seen_at: i64,
    /// When people were told.
    pub told_at: Option<i64>,
}

/// What one look makes of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// There is nothing to hold.
    Nothing,
    Hold(Alert),
    /// People are told of it now.
    Raise(Alert),
    /// It is over, and people are told so.
    AllClear,
    /// It was over before anybody was told.
    Forget,
}

/// The alert after a look at whether its trouble is there. In quiet hours nobody is told anything; what is over by their
/// end was not worth a word.
pub fn look(kind: AlertKind, held: Option<Alert>, there: bool, quiet: bool, now: i64) -> Look {
    let alert = match (held, there) {
        (None, false) => return Look::Nothing,
        (None, true) => Alert { since: now, seen_at: now, told_at: None },
        (Some(held), true) => Alert { seen_at: now, ..held },
        (Some(held), false) if now - held.seen_at < CALM_MS => held,
        (Some(held), false) => {
            return match held.told_at {
                None => Look::Forget,
                Some(_) if quiet => Look::Hold(held),
                Some(_) => Look::AllClear,
            };
        }
    };
    if there && alert.told_at.is_none() && !quiet && now - alert.since >= kind.grace_ms() {
        return Look::Raise(Alert { told_at: Some(now), ..alert });
    }
    Look::Hold(alert)
}

/// Hours in which nobody is woken, by the hotel's own clock; they may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    pub from: NaiveTime,
    pub to: NaiveTime,
}

impl QuietHours {
    pub fn contain(&self, time: NaiveTime) -> bool {
        if self.from <= self.to { (self.from..self.to).contains(&time) } else { time >= self.from || time < self.to }
    }
}

/// Who is told, and when not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertSettings {
    /// By mail.
    pub emails: Vec<String>,
    /// By a notice in the portal; empty: whoever installed the app.
    pub user_ids: Vec<i64>,
    pub quiet_hours: Option<QuietHours>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> NaiveTime {
        NaiveTime::parse_from_str(text, "%H:%M").expect("a time")
    }

    #[test]
    fn s48_quiet_hours_may_go_over_midnight() {
        let night = QuietHours { from: time("22:00"), to: time("08:00") };
        for (at, quiet) in [("21:59", false), ("22:00", true), ("00:00", true), ("07:59", true), ("08:00", false)] {
            assert_eq!(night.contain(time(at)), quiet, "{at}");
        }
        let noon = QuietHours { from: time("12:00"), to: time("13:00") };
        assert!(noon.contain(time("12:30")) && !noon.contain(time("13:00")) && !noon.contain(time("23:00")));
        let none = QuietHours { from: time("09:00"), to: time("09:00") };
        assert!(!none.contain(time("09:00")));
    }

    proptest! {
        #[test]
        fn s48_alerts_are_raised_once_called_off_once_and_never_in_quiet_hours(
            kind in prop::sample::select(AlertKind::ALL.to_vec()),
            looks in prop::collection::vec((any::<bool>(), any::<bool>(), 1_i64..20), 1..200),
        ) {
            let (mut held, mut now, mut raised) = (None, 0_i64, false);
            let mut there_since = None;
            for (there, quiet, minutes) in looks {
                now += minutes * MINUTE_MS;
                let before: Option<Alert> = held;
                let seen = look(kind, held, there, quiet, now);
                held = match seen {
                    Look::Hold(alert) | Look::Raise(alert) => Some(alert),
                    Look::Nothing | Look::AllClear | Look::Forget => None,
                };
                match seen {
                    Look::Raise(alert) => {
                        prop_assert!(there && !quiet && !raised);
                        prop_assert!(now - alert.since >= kind.grace_ms());
                        raised = true;
                    }
                    Look::AllClear => {
                        prop_assert!(!there && !quiet && raised);
                        prop_assert!(before.is_some_and(|alert| now - alert.seen_at >= CALM_MS));
                        raised = false;
                    }
                    Look::Forget | Look::Nothing => prop_assert!(!there && !raised),
                    Look::Hold(_) => {}
                }
                // What lasts longer than its grace is told at the first look that is not quiet.
                there_since = if there { there_since.or(Some(now)) } else { None };
                if there_since.is_some_and(|since| now - since >= kind.grace_ms()) && !quiet {
                    prop_assert!(raised, "{held:?}");
                }
            }
        }
    }
}
