//! Identifiers. Each is its own type: a reservation number is never passed where a profile number is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A value that is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}")]
pub struct IdError {
    pub kind: &'static str,
    pub rule: &'static str,
}

/// Our key of one portal (tenant). The portal's own permanent key is its `member_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortalId(pub i64);

/// Our key of one hotel of one portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HotelId(pub i64);

impl fmt::Display for PortalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for HotelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $max:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let ok: fn(u8) -> bool = $ok;
                if text.is_empty() || text.len() > $max || !text.bytes().all(ok) {
                    return Err(IdError { kind: $kind, rule: $rule });
                }
                Ok(Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id!(
    /// A hotel's code inside a portal: immutable, part of every mark we leave in Bitrix24 (contract, "Marks").
    HotelCode, "hotel code", "1 to 16 of A-Z, 0-9 and -", 16,
    |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-'
);
text_id!(
    /// A reservation number as the PMS prints it (Suite 8: `GuestNum`).
    StayNumber, "reservation number", "1 to 32 letters, digits, dots, - or _", 32,
    |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')
);
text_id!(
    /// A profile number as the PMS prints it (Suite 8: `ProfileID`).
    ProfileNumber, "profile number", "1 to 32 letters, digits, dots, - or _", 32,
    |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')
);

text_id!(
    /// A group's number behind a `G`, a party's behind a `P`: as it stands in marks.
    GroupNumber, "group number", "G or P and 1 to 31 letters, digits, dots, - or _", 32,
    |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_hotel_code_keeps_to_the_contract() {
        for good in ["GRAND", "A-1", "0", "ABCDEFGHIJKLMNOP"] {
            assert!(HotelCode::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "grand", "A B", "ОТЕЛЬ", "ABCDEFGHIJKLMNOPQ", "A:B"] {
            assert!(HotelCode::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn s1_numbers_cannot_carry_a_separator_of_our_marks() {
        assert!(StayNumber::parse("50117").is_ok());
        assert!(StayNumber::parse("GRAND:1").is_err());
        assert!(ProfileNumber::parse("7\u{0}").is_err());
    }
}
