//! One error for every call, classified once, so that every caller can act on it.

use std::time::Duration;

/// What the caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Try again, not before this long.
    Retry { after: Duration },
    /// The same call will be refused again.
    Permanent,
    /// The stored pair is dead: an admin must open the app again.
    Reauthorise,
    /// The portal's payment or plan has run out: keep the data, wait for it.
    Suspend,
    /// The app is uninstalled, or the portal is deleted.
    Gone,
}

/// What happened. Codes are Bitrix24's own, lower-cased; texts never hold tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The portal answered with an error code.
    #[error("{code}: {description}")]
    Refused { code: String, description: String, status: u16 },
    /// The portal's address could not be reached, or it did not answer in time.
    #[error("no answer from the portal: {0}")]
    Transport(String),
    /// An answer that is no JSON of the expected shape.
    #[error("an answer that cannot be read (HTTP {status}): {detail}")]
    Unreadable { status: u16, detail: String },
    /// Our own guard: the allowance of the portal or the method is used up.
    #[error("the portal's allowance is used up")]
    Allowance,
    #[error("no usable token: {0}")]
    Token(String),
    /// The address is not allowed (private ranges, redirects to strangers).
    #[error("address refused: {0}")]
    Address(String),
    /// Our own store failed while preparing or recording the call.
    #[error("{0}")]
    Internal(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    pub kind: ErrorKind,
    pub class: Class,
    /// The request may have been, or may yet be, carried out: a write must be settled by look-up before it is repeated.
    pub outcome_unknown: bool,
}

impl Error {
    /// The portal's code, lower-cased; empty where there is none.
    pub fn code(&self) -> &str {
        match &self.kind {
            ErrorKind::Refused { code, .. } => code,
            _ => "",
        }
    }
}
