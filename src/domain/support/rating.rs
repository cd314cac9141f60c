//! What a customer thinks of how a request was solved, once, after its end.

use serde::Serialize;

/// From 1 to 5, which is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rating(u8);

impl Rating {
    pub const BEST: u8 = 5;

    pub fn new(score: i64) -> Option<Self> {
        u8::try_from(score).ok().filter(|score| (1..=Self::BEST).contains(score)).map(Self)
    }

    pub fn score(self) -> u8 {
        self.0
    }

    /// As people read it in any language: `4/5 ★★★★☆`.
    pub fn shown(self) -> String {
        let stars = |sign: &str, count: u8| sign.repeat(usize::from(count));
        format!("{}/{} {}{}", self.0, Self::BEST, stars("★", self.0), stars("☆", Self::BEST - self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s47_a_rating_goes_from_one_to_five() {
        let scores: Vec<u8> = (-1..=6).filter_map(Rating::new).map(Rating::score).collect();
        assert_eq!(scores, [1, 2, 3, 4, 5]);
        assert!([i64::MIN, i64::MAX, 257].into_iter().all(|score| Rating::new(score).is_none()));
        assert_eq!(Rating::new(4).map(Rating::shown).as_deref(), Some("4/5 ★★★★☆"));
    }
}
