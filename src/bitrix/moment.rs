//! How a moment is written into a portal's filter. Official texts name several forms and not what a portal does with an
//! offset (facts §3.4): it is tried on a record whose time is known, and kept.

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};

/// `offset`: of the portal's own times, in seconds east of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum MomentForm {
    /// The portal reads offsets.
    Utc,
    /// It takes an offset, and goes by its own.
    Own { offset: i32 },
    /// It takes none.
    Bare { offset: i32 },
}

/// The portal may have changed its clocks since its offset was learned.
const CLOCKS_CHANGE_MS: i64 = 3_600_000;

impl MomentForm {
    /// In the order of preference.
    pub fn candidates(offset: i32) -> [Self; 3] {
        [Self::Utc, Self::Own { offset }, Self::Bare { offset }]
    }

    pub fn write(self, ms: i64) -> String {
        let (offset, pattern) = match self {
            Self::Utc => (0, "%Y-%m-%dT%H:%M:%S%:z"),
            Self::Own { offset } => (offset, "%Y-%m-%dT%H:%M:%S%:z"),
            Self::Bare { offset } => (offset, "%Y-%m-%dT%H:%M:%S"),
        };
        let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
        match FixedOffset::east_opt(offset) {
            Some(zone) => time.with_timezone(&zone).format(pattern).to_string(),
            None => time.format(pattern).to_string(),
        }
    }

    /// A moment no later than this one, however the portal reads it.
    pub fn since(self, ms: i64) -> String {
        self.write(if self == Self::Utc { ms } else { ms - CLOCKS_CHANGE_MS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_a_moment_is_written_as_the_portal_reads_it() {
        let ms = 1_763_730_000_000;
        let written = MomentForm::candidates(10_800).map(|form| form.write(ms));
        assert_eq!(written, ["2025-11-21T13:00:00+00:00", "2025-11-21T16:00:00+03:00", "2025-11-21T16:00:00"]);
        assert_eq!(MomentForm::Utc.since(ms), "2025-11-21T13:00:00+00:00");
        assert_eq!(MomentForm::Bare { offset: 10_800 }.since(ms), "2025-11-21T15:00:00");
    }
}
