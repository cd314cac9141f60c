//! The number of a request (S-37, E-19): what a person reads out on the phone and a task's title begins with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::ids::IdError;

const PREFIX: &str = "FB-";

/// Written `FB-YYYY-NNNNNN`: the year of the registration and the running number within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestNumber {
    year: u16,
    serial: u32,
}

impl RequestNumber {
    pub const MOST: u32 = 999_999;

    pub fn new(year: u16, serial: u32) -> Result<Self, IdError> {
        if (1000..=9999).contains(&year) && (1..=Self::MOST).contains(&serial) {
            Ok(Self { year, serial })
        } else {
            Err(IdError { kind: "request number", rule: "FB-, a year of four digits, - and six digits" })
        }
    }

    pub fn year(self) -> u16 {
        self.year
    }

    pub fn serial(self) -> u32 {
        self.serial
    }

    /// A task's title, as it is written when the task is made.
    pub fn title(self, subject: &str) -> String {
        format!("[{self}] {}", subject.trim())
    }

    /// The number that a task's title begins with. One that stands further behind is quoted, and another request's.
    pub fn in_title(title: &str) -> Option<Self> {
        let (number, _) = title.trim_start().strip_prefix('[')?.split_once(']')?;
        number.parse().ok()
    }
}

impl fmt::Display for RequestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:04}-{:06}", self.year, self.serial)
    }
}

impl FromStr for RequestNumber {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        let (year, serial) = parts.filter(|(year, serial)| digits(year, 4) && digits(serial, 6)).unwrap_or_default();
        Self::new(year.parse().unwrap_or_default(), serial.parse().unwrap_or_default())
    }
}

impl TryFrom<String> for RequestNumber {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RequestNumber> for String {
    fn from(number: RequestNumber) -> Self {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<RequestNumber> {
        text.parse().ok()
    }

    #[test]
    fn s37_a_number_survives_being_written_and_nothing_else_is_one() {
        for text in ["FB-2026-000001", "FB-2026-000123", "FB-2026-999999"] {
            assert_eq!(number(text).map(|number| number.to_string()).as_deref(), Some(text));
        }
        for bad in [
            "",
            "FB-2026-000000",
            "FB-2026-1",
            "FB-2026-0000001",
            "fb-2026-000001",
            "FB-26-000001",
            "FB-0000-000001",
            "FB-2026-+00001",
            "FB-2026-٠٠٠٠٠١",
            " FB-2026-000001",
            "FB-2026-000001 ",
        ] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
        assert!(RequestNumber::new(2026, RequestNumber::MOST + 1).is_err(), "a million requests a year are refused");
    }

    #[test]
    fn s37_e19_a_task_is_known_by_the_number_its_title_begins_with() {
        let own = RequestNumber::new(2026, 123).expect("a number");
        assert_eq!(own.title(" Нет броней "), "[FB-2026-000123] Нет броней");
        for title in ["[FB-2026-000123] Нет броней", "  [FB-2026-000123]", "[FB-2026-000123][FB-2026-000124] x"]
        {
            assert_eq!(RequestNumber::in_title(title), Some(own), "{title}");
        }
        for title in ["Re: [FB-2026-000123] x", "FB-2026-000123 x", "[FB-2026-123] x", "[ FB-2026-000123 ] x", "[", ""]
        {
            assert_eq!(RequestNumber::in_title(title), None, "{title}");
        }
    }
}
