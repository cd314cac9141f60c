//! What every source turns its wire into: one record's facts, and where they were seen.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::profile::Profile;
use super::stay::Stay;

/// Where and when facts were seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The source's kind as the contract names it (`suite8_xml`, `fias`, `demo`).
    pub source: String,
    /// The PMS's own stamp of the record, on the hotel's wall clock.
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "facts", rename_all = "snake_case")]
pub enum Entity {
    Stay(Box<Stay>),
    Profile(Box<Profile>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub entity: Entity,
    pub observed: Observed,
}
