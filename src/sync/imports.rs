//! First imports of a hotel: ordered, counted, resumable (product §2.9).

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::error::SyncError;
use crate::domain::{HotelId, PortalId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    Queued,
    Running,
    Paused,
    Completed,
    Cancelled,
    Failed,
}

/// What it will cost, or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Estimate {
    pub stays: i64,
    pub guests: i64,
    pub companies: i64,
    pub requests: i64,
    pub seconds: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    pub done: i64,
    pub total: i64,
    pub rejected: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Progress {
    pub stays: Count,
    pub guests: Count,
    pub companies: Count,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportView {
    pub id: String,
    pub hotel: HotelId,
    pub state: ImportState,
    pub dry_run: bool,
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    pub estimate: Option<Estimate>,
    pub progress: Progress,
    pub rate_per_second: f64,
    pub eta_seconds: Option<i64>,
    /// Why it failed: a stable code, empty otherwise.
    pub failure: String,
}

impl Engine {
    /// `from` defaults to 30 days back, `to` to all that is booked. `Conflict` while another import of the hotel runs.
    pub async fn create_import(
        &self,
        _portal: PortalId,
        _hotel: HotelId,
        _from: Option<NaiveDate>,
        _to: Option<NaiveDate>,
        _dry_run: bool,
        _by: i64,
    ) -> Result<String, SyncError> {
        todo!()
    }

    pub async fn import(&self, _portal: PortalId, _id: &str) -> Result<Option<ImportView>, SyncError> {
        todo!()
    }

    /// The latest first.
    pub async fn imports(&self, _portal: PortalId, _hotel: Option<HotelId>) -> Result<Vec<ImportView>, SyncError> {
        todo!()
    }

    /// `Conflict` where the state does not allow it.
    pub async fn pause_import(&self, _portal: PortalId, _id: &str) -> Result<(), SyncError> {
        todo!()
    }

    pub async fn resume_import(&self, _portal: PortalId, _id: &str) -> Result<(), SyncError> {
        todo!()
    }

    pub async fn cancel_import(&self, _portal: PortalId, _id: &str) -> Result<(), SyncError> {
        todo!()
    }
}
