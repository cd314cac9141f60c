//! Times as the API writes them: RFC 3339 with an offset.

use chrono::{DateTime, TimeZone, Utc};

/// A stored moment (milliseconds since the epoch).
pub fn at(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or_default()
}
