//! The refusals of the API that are not another room's.

use super::input::{At, Invalid};
use crate::domain::support::life::Refusal;
use crate::files::FileError;
use crate::http::lang::Lang;
use crate::http::problem::{FieldError, Kind, Problem, Sentence};
use crate::http::texts;
use crate::support::DeskError;
use crate::sync::SyncError;

/// Another tenant's thing, a removed one and one that never was: told alike.
pub fn not_found() -> Problem {
    Kind::NotFound.into()
}

/// A body that is no JSON of ours.
pub fn malformed(code: &'static str, ru: &'static str, en: &'static str) -> Problem {
    Problem::from(Kind::Malformed).with_code(code).with_detail(ru, en)
}

/// Something of ours that should not happen: logged here, once, and told as little as possible.
pub fn internal(error: &(impl std::fmt::Display + ?Sized)) -> Problem {
    tracing::error!(%error, "a request failed");
    Kind::Internal.into()
}

/// The present state of something forbids this.
pub fn conflict(code: &'static str) -> Problem {
    let advice = |lang| texts::conflict(lang, code);
    Problem::from(Kind::Conflict).with_code(code).with_detail(advice(Lang::Ru), advice(Lang::En))
}

/// One wrong member of the body.
pub fn invalid(pointer: impl Into<String>, code: &'static str) -> Problem {
    invalid_at(At::Pointer(pointer.into()), code)
}

/// One wrong member, with the numbers or names of its sentence.
pub fn invalid_with(pointer: impl Into<String>, code: &'static str, name: &'static str, value: String) -> Problem {
    vec![Invalid { at: At::Pointer(pointer.into()), code, params: vec![(name, value)] }].into()
}

/// One wrong thing, wherever it stands.
pub fn invalid_at(at: At, code: &'static str) -> Problem {
    vec![Invalid { at, code, params: vec![] }].into()
}

impl From<Vec<Invalid>> for Problem {
    fn from(invalid: Vec<Invalid>) -> Self {
        // A body that asks only for what comes later is not wrong, just early.
        let early = !invalid.is_empty() && invalid.iter().all(|one| one.code.ends_with("_not_yet"));
        let mut problem = Self::from(if early { Kind::Unsupported } else { Kind::Validation });
        problem.errors = invalid.into_iter().map(FieldError::from).collect();
        problem
    }
}

impl From<Invalid> for FieldError {
    fn from(invalid: Invalid) -> Self {
        let pointer = match invalid.at {
            At::Pointer(pointer) => pointer,
            At::Parameter(name) => format!("?{name}"),
            At::Header(name) => format!("#{name}"),
        };
        let text = |lang| texts::field(lang, invalid.code, &invalid.params);
        Self { pointer, code: invalid.code, message: Sentence::new(text(Lang::Ru), text(Lang::En)) }
    }
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Store(error) => error.into(),
            SyncError::Portal { error, .. } => error.into(),
            SyncError::NotReady(_) => Kind::PortalNotReady.into(),
            SyncError::Elsewhere(_) => Self::from(Kind::InProgress).retry_after(2),
            SyncError::NotFound => not_found(),
            SyncError::Conflict(code) => conflict(code),
            error @ (SyncError::Panicked | SyncError::Stopped(_)) => internal(&error),
        }
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Store(error) => error.into(),
            DeskError::Portal(error) => error.into(),
            DeskError::NotFound => not_found(),
            DeskError::Forbidden => Kind::Forbidden.into(),
            DeskError::Refused(refusal) => conflict(refused(refusal)),
            DeskError::Conflict(code) => conflict(code),
            DeskError::Invalid(pointer, code) => invalid(pointer, code),
            DeskError::File(error) => error.into(),
            DeskError::TooMany(seconds) => Self::from(Kind::TooMany).retry_after(seconds),
            DeskError::Closed => {
                let advice = |lang| texts::conflict(lang, "support_closed");
                Self::from(Kind::Unavailable)
                    .with_code("support_closed")
                    .with_detail(advice(Lang::Ru), advice(Lang::En))
                    .retry_after(3600)
            }
        }
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        match error {
            FileError::TooLarge(_) => Kind::TooLarge.into(),
            FileError::Picture => invalid(String::new(), "picture"),
            FileError::Missing => not_found(),
            FileError::Cut(_) => Kind::Malformed.into(),
            error @ FileError::Away(_) => {
                tracing::warn!(%error, "a file was not kept or read");
                Self::from(Kind::Unavailable).retry_after(30)
            }
            error @ (FileError::Settings(_) | FileError::Refused(_) | FileError::Damaged) => internal(&error),
        }
    }
}

/// The stable word of what a request's life refuses.
fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotForThisRole => "request_role",
        Refusal::Closed => "request_closed",
        Refusal::NotTakenYet => "request_not_taken",
        Refusal::AlreadyTaken => "request_taken",
        Refusal::NothingWasAsked => "request_nothing_asked",
        Refusal::AlreadyAsked => "request_asked",
        Refusal::NotAnsweredYet => "request_not_answered",
        Refusal::AlreadyAnswered => "request_answered",
        Refusal::NotConfirmedYet => "request_not_confirmed",
        Refusal::AlreadyConfirmed => "request_confirmed",
        Refusal::NotTheCustomersTurn => "request_not_customers_turn",
        Refusal::NoReason => "request_reason",
    }
}
