//! The mark that each message of ours in a task ends with (S-42): its request, and its place among what left it. By it
//! a message is found that was sent and not answered, and known as ours when it comes back.

use std::fmt;
use std::str::FromStr;

use super::number::RequestNumber;
use crate::domain::ids::IdError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    pub number: RequestNumber,
    /// 1, 2, 3 …
    pub place: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.place)
    }
}

impl FromStr for Mark {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { kind: "message mark", rule: "a request number, / and a place" };
        let (number, place) = text.split_once('/').ok_or_else(|| error.clone())?;
        let plain = place.bytes().all(|byte| byte.is_ascii_digit()) && !place.starts_with('0');
        let place = place.parse().ok().filter(|_| plain).ok_or(error)?;
        Ok(Self { number: number.parse()?, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s42_a_mark_survives_being_written_and_nothing_else_is_one() {
        let number = RequestNumber::new(2026, 123).expect("a number");
        let mark = Mark { number, place: 7 };
        assert_eq!(mark.to_string(), "FB-2026-000123/7");
        assert_eq!(mark.to_string().parse().ok(), Some(mark));
        for bad in
            ["", "FB-2026-000123", "FB-2026-000123/", "FB-2026-000123/0", "FB-2026-000123/+7", "FB-2026-123/7", "/7"]
        {
            assert!(bad.parse::<Mark>().is_err(), "{bad:?}");
        }
    }
}
