//! A release of the product, by which requests are fixed (S-6).

use std::fmt;
use std::str::FromStr;

/// `major.minor.patch`, in that order; what a build adds behind says nothing of its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release([u32; 3]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, thiserror::Error)]
#[error("not a release")]
pub struct NoRelease;

impl FromStr for Release {
    type Err = NoRelease;

    fn from_str(text: &str) -> Result<Self, NoRelease> {
        let plain = text.split_once(['+', '-']).map_or(text, |(plain, _)| plain);
        let part = |part: &str| match part.as_bytes() {
            [b'0'] | [b'1'..=b'9', ..] if part.bytes().all(|byte| byte.is_ascii_digit()) => part.parse().ok(),
            _ => None,
        };
        let parts: Option<Vec<u32>> = plain.split('.').map(part).collect();
        parts.and_then(|parts| parts.try_into().ok()).map(Self).ok_or(NoRelease)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_releases_are_read_and_ordered_by_their_numbers() {
        let read = |text: &str| text.parse::<Release>();
        assert!(read("0.10.0") > read("0.9.12") && read("1.0.0") > read("0.99.99"));
        assert_eq!(read("0.3.0+desk"), read("0.3.0"));
        assert_eq!(read("12.0.1").map(|release| release.to_string()), Ok("12.0.1".to_owned()));
        for text in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.-3", " 1.2.3", "v1.2.3", "1.2.99999999999"] {
            assert_eq!(read(text), Err(NoRelease), "{text}");
        }
    }
}
