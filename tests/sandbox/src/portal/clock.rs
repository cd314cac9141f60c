//! The portal's own clock. Token expiry, limits, record times and late commits follow it; a test may stop it and move it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, FixedOffset, TimeZone, Utc};

/// Real time with an offset, or a stopped time.
#[derive(Clone, Copy, Debug)]
pub enum PortalClock {
    /// Wall time plus an offset in milliseconds.
    Real {
        /// Added to wall time.
        offset_ms: i64,
    },
    /// Stands still until moved.
    Fixed {
        /// Unix milliseconds.
        at_ms: i64,
    },
}

impl Default for PortalClock {
    fn default() -> Self {
        Self::Real { offset_ms: 0 }
    }
}

impl PortalClock {
    /// A clock that stands at `at`.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::Fixed { at_ms: at.timestamp_millis() }
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::Fixed { at_ms } => *at_ms,
            Self::Real { offset_ms } => wall_ms() + offset_ms,
        }
    }

    /// Unix seconds.
    pub fn now(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        match self {
            Self::Fixed { at_ms } => *at_ms = at_ms.saturating_add(by),
            Self::Real { offset_ms } => *offset_ms = offset_ms.saturating_add(by),
        }
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(0))
}

/// The server's zone: +03:00, as portals of the region have it.
pub fn zone() -> FixedOffset {
    FixedOffset::east_opt(3 * 3600).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// ISO 8601 with the server's offset, as every date-time leaves the portal.
pub fn iso(unix: i64) -> String {
    zone()
        .timestamp_opt(unix, 0)
        .single()
        .map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// Today in the server's zone.
pub fn day(unix: i64) -> chrono::NaiveDate {
    zone().timestamp_opt(unix, 0).single().map_or(chrono::NaiveDate::MIN, |time| time.date_naive())
}
