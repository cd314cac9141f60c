//! One error for every call. What is displayed holds neither the token nor words of a card.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    #[error("Kaiten's address is refused: {0}")]
    Address(String),
    /// Not reached, or no answer in time.
    #[error("no answer from Kaiten: {0}")]
    Transport(String),
    #[error("Kaiten's allowance is used up")]
    Allowance,
    #[error("Kaiten refuses the token (HTTP {0})")]
    Token(u16),
    #[error("Kaiten refused (HTTP {0})")]
    Refused(u16),
    #[error("Kaiten failed (HTTP {0})")]
    Failed(u16),
    #[error("an answer of Kaiten that cannot be read (HTTP {0})")]
    Unreadable(u16),
    /// Its search answers with cards that were not asked for: nothing can be looked up.
    #[error("Kaiten does not search by external id")]
    NoLookup,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    pub kind: ErrorKind,
    /// When it may be tried again.
    pub after: Duration,
    /// The request may have been, or may yet be, carried out: a write is looked up before it is repeated.
    pub outcome_unknown: bool,
}

const SOON: Duration = Duration::from_secs(10);
const RARELY: Duration = Duration::from_secs(300);

impl Error {
    pub(super) fn new(kind: ErrorKind, after: Duration, outcome_unknown: bool) -> Self {
        Self { kind, after, outcome_unknown }
    }

    pub fn unsent(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transport(detail.into()), SOON, false)
    }

    pub(super) fn lost(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transport(detail.into()), SOON, true)
    }

    pub(super) fn address(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Address(detail.into()), RARELY, false)
    }

    pub(super) fn allowance(after: Duration) -> Self {
        Self::new(ErrorKind::Allowance, after, false)
    }

    pub(super) fn unreadable(status: u16) -> Self {
        Self::new(ErrorKind::Unreadable(status), SOON, true)
    }

    /// By the status of an answer. What failed inside may have been carried out all the same.
    pub(super) fn status(status: u16) -> Self {
        match status {
            401 | 402 => Self::new(ErrorKind::Token(status), RARELY, false),
            300..400 => Self::unreadable(status),
            408 => Self::new(ErrorKind::Failed(status), SOON, true),
            400..500 => Self::new(ErrorKind::Refused(status), SOON, false),
            _ => Self::new(ErrorKind::Failed(status), SOON, true),
        }
    }

    /// The same request will be refused again.
    pub fn is_permanent(&self) -> bool {
        matches!(self.kind, ErrorKind::Refused(_) | ErrorKind::NoLookup)
    }

    /// Whether this request was answered, or got no answer: it may be its own trouble. What never left, or met a limit, is not.
    pub fn is_own(&self) -> bool {
        self.outcome_unknown || self.is_permanent()
    }

    /// A stable word for what people are told.
    pub fn code(&self) -> String {
        match &self.kind {
            ErrorKind::Address(_) => "kaiten_address".to_owned(),
            ErrorKind::Transport(_) => "kaiten_no_answer".to_owned(),
            ErrorKind::Allowance => "kaiten_allowance".to_owned(),
            ErrorKind::NoLookup => "kaiten_no_lookup".to_owned(),
            ErrorKind::Token(status)
            | ErrorKind::Refused(status)
            | ErrorKind::Failed(status)
            | ErrorKind::Unreadable(status) => format!("kaiten_{status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e19_what_may_have_happened_is_never_taken_for_a_refusal() {
        for status in [408, 500, 502, 503, 504, 302] {
            let error = Error::status(status);
            assert!(error.outcome_unknown && !error.is_permanent(), "{status}");
        }
        for status in [400, 403, 404, 409, 422] {
            let error = Error::status(status);
            assert!(!error.outcome_unknown && error.is_permanent() && error.is_own(), "{status}");
        }
        let token = Error::status(401);
        assert!(!token.is_permanent() && !token.is_own(), "it waits for another token");
    }
}
