//! Which status a task may take from which (facts §8).

use serde_json::{Value, json};

use super::{Fields, Right};

/// A button of the task card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Work begins.
    Start,
    /// Work rests.
    Pause,
    /// Put off.
    Defer,
    /// Done.
    Complete,
    /// Taken up again.
    Renew,
    /// The creator takes the work.
    Approve,
    /// The creator sends it back.
    Disapprove,
}

/// Waiting.
pub const WAITING: i64 = 2;
/// In progress.
pub const IN_PROGRESS: i64 = 3;
/// Done, the creator is to look at it.
pub const CONTROL: i64 = 4;
/// Done.
pub const COMPLETED: i64 = 5;
/// Put off.
pub const DEFERRED: i64 = 6;

impl Step {
    /// By the last word of its method.
    pub fn parse(method: &str) -> Option<Self> {
        Some(match method.rsplit('.').next()? {
            "start" => Self::Start,
            "pause" => Self::Pause,
            "defer" => Self::Defer,
            "complete" => Self::Complete,
            "renew" => Self::Renew,
            "approve" => Self::Approve,
            "disapprove" => Self::Disapprove,
            _ => return None,
        })
    }

    /// The status it leads to from this one, if the button is there for this person.
    pub fn to(self, from: i64, control: bool, right: Right) -> Option<i64> {
        let needed = if matches!(self, Self::Approve | Self::Disapprove) { Right::Own } else { Right::Do };
        if right < needed {
            return None;
        }
        match (self, from) {
            (Self::Start, WAITING | DEFERRED) => Some(IN_PROGRESS),
            (Self::Pause, IN_PROGRESS) => Some(WAITING),
            (Self::Defer, WAITING | IN_PROGRESS) => Some(DEFERRED),
            (Self::Complete, WAITING | IN_PROGRESS | DEFERRED) => {
                Some(if control && right < Right::Own { CONTROL } else { COMPLETED })
            }
            (Self::Renew, CONTROL | COMPLETED | DEFERRED) => Some(WAITING),
            (Self::Approve, CONTROL) => Some(COMPLETED),
            (Self::Disapprove, CONTROL) => Some(WAITING),
            _ => None,
        }
    }

    /// What the chat notes of it.
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Start => "Задача начата",
            Self::Pause => "Задача приостановлена",
            Self::Defer => "Задача отложена",
            Self::Complete => "Задача завершена",
            Self::Renew => "Задача возобновлена",
            Self::Approve => "Задача принята",
            Self::Disapprove => "Задача возвращена на доработку",
        }
    }
}

/// Writes a status with what goes with it.
pub fn set(fields: &mut Fields, to: i64, user: i64, now: &str) {
    let closed = matches!(to, CONTROL | COMPLETED);
    for (name, value) in [
        ("STATUS", json!(to.to_string())),
        ("STATUS_CHANGED_BY", json!(user.to_string())),
        ("STATUS_CHANGED_DATE", json!(now)),
        ("CLOSED_BY", json!(if closed { user.to_string() } else { "0".into() })),
        ("CLOSED_DATE", if closed { json!(now) } else { Value::Null }),
    ] {
        fields.insert(name.into(), value);
    }
}
