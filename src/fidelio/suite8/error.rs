//! What can go wrong on the wire, and what each means to whoever reads a hotel.

use crate::fidelio::SourceError;
use crate::net::Refused;

use super::packing::PackError;
use super::xml::XmlError;

/// Status words of an answer (facts §2.6). The list of the documents is not closed, so unknown words are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// Guest not found: on a query by number it means "absent".
    NotFound,
    /// Wrong user name or password.
    Credentials,
    /// No right, or the licence does not cover it.
    Denied,
    Other(String),
}

impl Status {
    pub fn read(word: &str) -> Self {
        match word.trim().to_ascii_uppercase().as_str() {
            "OK" => Self::Ok,
            "NG" => Self::NotFound,
            "IC" => Self::Credentials,
            "AD" => Self::Denied,
            other => Self::Other(other.chars().filter(char::is_ascii_alphanumeric).take(8).collect()),
        }
    }

    pub fn word(&self) -> &str {
        match self {
            Self::Ok => "OK",
            Self::NotFound => "NG",
            Self::Credentials => "IC",
            Self::Denied => "AD",
            Self::Other(word) => word,
        }
    }
}

/// Why one exchange failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("{0}")]
    Address(Refused),
    #[error("the host name has no address")]
    Dns,
    #[error("no connection")]
    Connect,
    #[error("the TLS handshake failed: {0}")]
    Tls(&'static str),
    #[error("no answer in time")]
    Timeout,
    #[error("the connection broke")]
    Broken,
    #[error("HTTP status {0}")]
    Http(u16),
    #[error("{0}")]
    Xml(#[from] XmlError),
    #[error("{0}")]
    Pack(#[from] PackError),
    #[error("the answer belongs to another request")]
    Foreign,
    #[error("a request that cannot be written: {0}")]
    Request(&'static str),
    /// The interface answered and said no. The message is masked: it may repeat guests' data.
    #[error("status {}", status.word())]
    Status { status: Status, message: String },
}

impl WireError {
    /// A smaller request may pass where this one did not.
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::Timeout | Self::Xml(XmlError::TooBig("bytes")) | Self::Pack(PackError::TooBig))
    }

    /// The interface refuses this request, not this user and not the transport: another spelling may pass.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Status { status, .. } => !matches!(status, Status::Credentials | Status::NotFound),
            _ => false,
        }
    }

    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Status { status: Status::Denied, .. })
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: Status::NotFound, .. })
    }

    /// The error of a source, for the area that was read.
    pub fn at(self, area: &str) -> SourceError {
        match self {
            Self::Status { status: Status::Credentials, .. } => SourceError::Credentials,
            Self::Status { status: Status::Denied, .. } => SourceError::NotLicensed { area: area.to_owned() },
            Self::Status { status, message } => SourceError::Refused { status: status.word().to_owned(), message },
            Self::Address(refused) => SourceError::Address(refused.to_string()),
            error @ (Self::Xml(_) | Self::Pack(_) | Self::Foreign | Self::Request(_)) => {
                SourceError::Unreadable(error.to_string())
            }
            error @ (Self::Dns | Self::Connect | Self::Tls(_) | Self::Timeout | Self::Broken | Self::Http(_)) => {
                SourceError::Unreachable(error.to_string())
            }
        }
    }
}

/// Why a read stops in the middle: the hotel, or whoever takes the records.
#[derive(Debug)]
pub enum Stop {
    Wire(WireError),
    Source(SourceError),
}

impl Stop {
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::Wire(error) if error.is_too_much())
    }

    pub fn at(self, area: &str) -> SourceError {
        match self {
            Self::Wire(error) => error.at(area),
            Self::Source(error) => error,
        }
    }
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// A message of the interface without what may be a guest's: quoted texts, numbers of four digits and more, addresses.
pub fn masked(message: &str) -> String {
    let mut out = String::new();
    let mut quoted = None;
    for word in message.split_whitespace().take(40) {
        if quoted.is_some() {
            if quoted.is_some_and(|quote| word.contains(quote)) {
                quoted = None;
            }
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        let quote = word.chars().find(|c| matches!(c, '"' | '\'' | '«' | '`'));
        if let Some(quote) = quote {
            let closing = if quote == '«' { '»' } else { quote };
            let (before, after) = word.split_once(quote).unwrap_or((word, ""));
            out.push_str(before);
            out.push('…');
            quoted = (!after.contains(closing)).then_some(closing);
        } else if word.contains('@') || word.chars().filter(char::is_ascii_digit).count() >= 4 {
            out.push('…');
        } else {
            out.push_str(word);
        }
        if out.chars().count() > 160 {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_every_status_has_one_reaction() {
        let of =
            |word: &str| WireError::Status { status: Status::read(word), message: String::new() }.at("Reservation");
        assert_eq!(of("IC"), SourceError::Credentials);
        assert_eq!(of("ad"), SourceError::NotLicensed { area: "Reservation".into() });
        for word in ["CO", "IA", "NG", "GA", "NP", "UR", "IR", "GF", "ZZ"] {
            assert_eq!(of(word), SourceError::Refused { status: word.into(), message: String::new() }, "{word}");
        }
        assert!(matches!(WireError::Http(500).at("x"), SourceError::Unreachable(_)));
        assert!(matches!(WireError::Xml(XmlError::Truncated).at("x"), SourceError::Unreadable(_)));
    }

    #[test]
    fn s1_a_message_is_masked_before_it_is_kept() {
        assert_eq!(
            masked("Guest \"Vera Probnaya\" not found GuestNum=99999999 mail vera@example.com"),
            "Guest … not found … mail …"
        );
        assert_eq!(masked("Unsupported request type <Notes>"), "Unsupported request type <Notes>");
        assert!(masked(&"слово ".repeat(500)).chars().count() < 200);
    }
}
