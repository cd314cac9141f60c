//! Whether a portal tells of what people change (facts §6.3: it repeats no event, and a handler it takes for slow is served
//! later and later): changes found otherwise, and how many of them no event told of in time.

/// So long after a change its event may come. Later it is of no use: the change was found by then.
pub const IN_TIME_MS: i64 = 300_000;
/// Changes older than this say nothing of today …
pub const WINDOW_MS: i64 = 24 * 3_600_000;
/// … and so many of the newest say enough, so that a portal that has mended itself is seen to soon.
pub const LATEST: i64 = 100;

/// Fewer say nothing about the portal.
const ENOUGH: i64 = 10;
/// One in so many.
const TOO_MANY: i64 = 5;

/// Changes found, and those among them that no event told of in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventLoss {
    pub changes: i64,
    pub missed: i64,
}

impl EventLoss {
    /// Whether people are to be told.
    pub fn is_grave(self) -> bool {
        self.changes >= ENOUGH && self.missed.saturating_mul(TOO_MANY) >= self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_a_fifth_of_enough_changes_untold_is_grave() {
        for (changes, missed, grave) in
            [(0, 0, false), (9, 9, false), (10, 1, false), (10, 2, true), (100, 19, false), (100, 20, true)]
        {
            assert_eq!(EventLoss { changes, missed }.is_grave(), grave, "{missed} of {changes}");
        }
    }
}
