//! Times as the API writes them: RFC 3339 with an offset.

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeZone, Utc};

/// A stored moment (milliseconds since the epoch).
pub fn at(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or_default()
}

/// A hotel's wall clock in its own zone. An hour that a change of the clocks skipped or repeated is read as the earlier
/// of its meanings; a zone that is not known is UTC.
pub fn wall(time: NaiveDateTime, zone: &str) -> DateTime<FixedOffset> {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    match zone.from_local_datetime(&time).earliest() {
        Some(time) => time.fixed_offset(),
        None => zone.from_utc_datetime(&time).fixed_offset(),
    }
}
