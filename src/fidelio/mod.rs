//! Ways into Fidelio. Each folder turns its wire into canonical changes; no wire type leaves its folder.

pub mod demo;
pub mod suite8;

use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Change, ProfileNumber, StayNumber};

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Read {
    /// Everything changed since the position in `state`.
    Changes,
    /// Stays that arrive within `from..=to`, whatever their state, and the profiles they name. The source slices the
    /// range and hands over slice by slice.
    Arrivals {
        from: NaiveDate,
        to: NaiveDate,
    },
    /// Of the stays that arrive within `from..=to` those that are not over: they leave on `on` or later. Where the PMS
    /// cannot tell at once, none: they come with their arrivals.
    InHouse {
        from: NaiveDate,
        to: NaiveDate,
        on: NaiveDate,
    },
    Stays {
        numbers: Vec<StayNumber>,
    },
    Profiles {
        numbers: Vec<ProfileNumber>,
    },
}

/// Why a source could not be read, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Transport trouble: back off and try again.
    #[error("the hotel's interface does not answer: {0}")]
    Unreachable(String),
    /// Wrong user or password. Polling stops: more tries lock the account.
    #[error("the hotel's interface refuses the user name or password")]
    Credentials,
    /// The hotel's licence or the user's rights do not cover this area; the area is off, the rest goes on.
    #[error("not licensed or not allowed: {area}")]
    NotLicensed { area: String },
    /// An answer that is no message of the interface.
    #[error("an answer that cannot be read: {0}")]
    Unreadable(String),
    /// The interface refuses the request itself.
    #[error("refused with {status}: {message}")]
    Refused { status: String, message: String },
    /// The address is not allowed by the deployment.
    #[error("address refused: {0}")]
    Address(String),
    /// The taker of the records could not keep them; nothing was lost, the position was not moved.
    #[error("{0}")]
    Sink(String),
}

/// Takes records as they arrive, in chunks; `Ok` means they are on disk. `state` is the source's position after this
/// chunk: the taker stores both in one transaction.
#[async_trait]
pub trait Sink: Send {
    async fn take(&mut self, changes: Vec<Change>, state: Option<serde_json::Value>) -> Result<(), SourceError>;

    /// Whether what is taken is kept. What was only looked at must come again as news.
    fn keeps(&self) -> bool {
        true
    }
}

/// What a whole read saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadReport {
    pub records: usize,
    /// Areas switched off because the hotel's licence does not cover them.
    pub not_licensed: Vec<String>,
    pub unreadable: Vec<Unread>,
    /// So many more that could not be understood: the list has its bounds.
    pub unnamed: usize,
    /// Facts of a record left out: number, and which and why, without guests' data. The rest of the record was taken.
    pub remarks: Vec<(String, String)>,
    /// Numbers asked for that the PMS does not know.
    pub missing: Vec<String>,
    /// Findings about the PMS as a whole, by code: `pms_time_back` (restored, or its clock set back), `pms_clock_ahead`,
    /// `no_delta` (changes cannot be asked for; arrivals near today are read again instead).
    pub notes: Vec<String>,
    /// How far the PMS's clock is ahead of ours, where that could be measured.
    pub clock_ahead_ms: Option<i64>,
    /// When the source wants to be asked again, if sooner than at the usual pace: a record settles, or more is waiting.
    pub next_in: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    Stay,
    Profile,
}

/// A record that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub kind: RecordKind,
    /// Empty where not even that could be read.
    pub number: String,
    /// Field and reason, without guests' data.
    pub why: String,
}

/// One layer of the connection check (product §6): DNS, TCP, TLS, HTTP, login, one read, clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `dns`, `tcp`, `tls`, `http`, `login`, `read`, `clock`, `licence`.
    pub name: String,
    pub ok: bool,
    /// A stable code of the finding; the caller turns it into a sentence in the reader's language.
    pub code: String,
    /// Numbers and names for that sentence. Never bytes of the answer.
    pub params: serde_json::Map<String, serde_json::Value>,
    pub ms: u64,
}

/// A way into one hotel's PMS.
#[async_trait]
pub trait Source: Send + Sync {
    /// Reads, handing over chunks as they come. `state` is what the last stored chunk carried (`null` at first).
    async fn read(
        &self,
        what: &Read,
        state: &serde_json::Value,
        sink: &mut dyn Sink,
    ) -> Result<ReadReport, SourceError>;

    /// The layered check; a failing layer is an answer, and ends the list.
    async fn check(&self) -> Vec<Layer>;
}
