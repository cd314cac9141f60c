//! One error for every call, classified once, so that every caller can act on it.

use std::time::Duration;

use super::codes::{At, classify};

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

/// What happened. Codes are Bitrix24's own, lower-cased. What is displayed holds neither tokens nor guests' data: a
/// portal's own description may quote a field's value, so it is kept apart and only shown where the record may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The portal answered with an error code.
    #[error("the portal refused: {code} (HTTP {status})")]
    Refused { code: String, description: String, status: u16 },
    /// The portal's address could not be reached, or it did not answer in time.
    #[error("no answer from the portal: {0}")]
    Transport(String),
    /// The portal was reached, but no secure connection stands: its certificate is not trusted, or it speaks no TLS. A
    /// stable word says which (`certificate_issuer`, `certificate_name`, `certificate_expired` …).
    #[error("no secure connection to the portal: {0}")]
    Tls(&'static str),
    /// An answer that is no JSON of the expected shape.
    #[error("an answer that cannot be read (HTTP {status}): {detail}")]
    Unreadable { status: u16, detail: String },
    /// Our own guard: the allowance of the portal or the method is used up.
    #[error("the portal's allowance is used up")]
    Allowance,
    /// This command was not sent, or not reached: another one of its request stood in the way.
    #[error("the command was not carried out: another one of its request stood in the way")]
    NotRun,
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

    /// The portal's own words, for those who may see the record.
    pub fn description(&self) -> &str {
        match &self.kind {
            ErrorKind::Refused { description, .. } => description,
            _ => "",
        }
    }

    /// A refusal, classified by the table of [`super::codes`].
    pub fn refused(at: At, code: &str, description: &str, status: u16) -> Self {
        let code = code.trim().to_lowercase();
        let description = plain(description);
        let (class, outcome_unknown) = classify(at, &code, &description, status);
        Self { kind: ErrorKind::Refused { code, description, status }, class, outcome_unknown }
    }

    /// Nothing left this process.
    pub fn unsent(detail: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Transport(detail.into()),
            class: Class::Retry { after: NO_ANSWER },
            outcome_unknown: false,
        }
    }

    /// The request may have arrived; no answer came.
    pub fn unanswered(detail: impl Into<String>) -> Self {
        Self { outcome_unknown: true, ..Self::unsent(detail) }
    }

    /// The handshake failed: nothing was sent. Somebody has to see to a certificate, so it is tried again rarely.
    pub fn tls(fault: &'static str) -> Self {
        let class = Class::Retry { after: Duration::from_secs(60) };
        Self { kind: ErrorKind::Tls(fault), class, outcome_unknown: false }
    }

    pub fn unreadable(status: u16, detail: impl Into<String>) -> Self {
        let kind = ErrorKind::Unreadable { status, detail: detail.into() };
        Self { kind, class: Class::Retry { after: NO_ANSWER }, outcome_unknown: true }
    }

    /// An address that may not be called. Settings or names change, so it is tried again, rarely.
    pub fn address(detail: impl Into<String>) -> Self {
        let class = Class::Retry { after: Duration::from_secs(900) };
        Self { kind: ErrorKind::Address(detail.into()), class, outcome_unknown: false }
    }

    /// Not sent, because it would be refused until then.
    pub fn allowance(after: Duration) -> Self {
        Self { kind: ErrorKind::Allowance, class: Class::Retry { after }, outcome_unknown: false }
    }

    pub fn not_run() -> Self {
        Self { kind: ErrorKind::NotRun, class: Class::Retry { after: Duration::ZERO }, outcome_unknown: false }
    }

    /// A fault of ours in preparing a call; repeating it changes nothing.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Internal(detail.into()), class: Class::Permanent, outcome_unknown: false }
    }

    /// Our own store could not answer; nothing was sent.
    pub fn store(detail: impl Into<String>) -> Self {
        let class = Class::Retry { after: Duration::from_secs(5) };
        Self { kind: ErrorKind::Internal(detail.into()), class, outcome_unknown: false }
    }

    /// No usable token: an admin must open the application.
    pub fn token(detail: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Token(detail.into()), class: Class::Reauthorise, outcome_unknown: false }
    }

    /// A refusal that a command inside a batch would have got, too.
    pub fn is_of_command(&self) -> bool {
        self.class == Class::Permanent || self.code() == "operation_time_limit"
    }

    /// The earliest moment for another try, where there is one.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.class {
            Class::Retry { after } => Some(after),
            _ => None,
        }
    }
}

/// The first wait after a portal that did not answer; the portal's breaker makes it grow.
const NO_ANSWER: Duration = Duration::from_secs(5);

const DESCRIPTION: usize = 400;

/// One line without markup, of bounded length (facts §3.2: descriptions may contain HTML).
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut markup = false;
    for c in text.chars() {
        match c {
            '<' => markup = true,
            '>' if markup => {
                markup = false;
                out.push(' ');
            }
            _ if markup => {}
            c if c.is_whitespace() || c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(DESCRIPTION).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_a_description_is_one_plain_line_and_never_displayed_with_the_error() {
        let error = Error::refused(At::Portal, "ERROR_CORE", "Поле «Имя»<br>Иванов\n  слишком   длинное", 400);
        assert_eq!(error.description(), "Поле «Имя» Иванов слишком длинное");
        assert_eq!(error.to_string(), "the portal refused: error_core (HTTP 400)");
        assert_eq!((error.code(), error.class, error.outcome_unknown), ("error_core", Class::Permanent, false));
        assert_eq!(Error::refused(At::Portal, "x", &"я".repeat(900), 400).description().chars().count(), 400);
    }
}
