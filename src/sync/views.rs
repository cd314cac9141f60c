//! Read models for the API: what we hold of stays, what went wrong, how old the queues are.

use chrono::{NaiveDate, NaiveDateTime};
use serde::Serialize;

use super::engine::Engine;
use super::error::SyncError;
use crate::domain::{HotelCode, HotelId, PortalId, Profile, Stay, StayNumber, StayStatus};

/// A person of a stay.
#[derive(Debug, Clone, PartialEq)]
pub struct GuestView {
    pub profile: String,
    pub name: String,
    pub main: bool,
    /// `guest`, `companion`, `sharer`, `company`, `travel_agent`, `source`.
    pub role: String,
    pub facts: Option<Profile>,
    pub crm_id: Option<i64>,
}

/// One stay as we hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct StayView {
    pub hotel: HotelId,
    pub hotel_code: HotelCode,
    pub facts: Stay,
    pub guests: Vec<GuestView>,
    pub source: String,
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: i64,
    pub deal_id: Option<i64>,
    /// When the portal last confirmed this stay's deal.
    pub synced_at: Option<i64>,
    /// Something of it is still on its way.
    pub pending: bool,
}

/// Which stays to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StayFilter {
    pub hotel: Option<HotelId>,
    pub status: Option<StayStatus>,
    pub arrival_from: Option<NaiveDate>,
    pub arrival_to: Option<NaiveDate>,
}

/// One line of a list of stays.
#[derive(Debug, Clone, PartialEq)]
pub struct StayLine {
    pub hotel: HotelId,
    pub facts: Stay,
    pub deal_id: Option<i64>,
    pub synced_at: Option<i64>,
}

/// One page; `next` is given back as `after` for the page that follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// `rejected` (the portal said no), `failed` (tries used up), `refused` (we said no), `doubtful` (a person should look).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProblemView {
    pub id: i64,
    pub subject: String,
    pub hotel: Option<HotelId>,
    /// Stable code, such as `status.refused` or `crm.rejected`.
    pub cause: String,
    pub kind: String,
    /// Parameters of the texts; no guest's data.
    pub params: serde_json::Value,
    pub count: i32,
    /// `open`, `retried`, `dismissed`.
    pub state: String,
    pub note: String,
    pub first_at: i64,
    pub last_at: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProblemFilter {
    pub state: Option<String>,
    pub cause: Option<String>,
    pub hotel: Option<HotelId>,
}

/// How much waits, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueView {
    pub waiting: i64,
    pub oldest_seconds: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HotelQueue {
    pub hotel: HotelId,
    pub queue: QueueView,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StatusView {
    pub inbox: QueueView,
    pub outbox: QueueView,
    pub hotels: Vec<HotelQueue>,
    pub open_problems: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MergeHintView {
    pub id: i64,
    pub subject: String,
    pub entity: i32,
    pub crm_ids: Vec<i64>,
    pub reason: String,
    pub created_at: i64,
}

impl Engine {
    pub async fn stay(
        &self,
        _portal: PortalId,
        _hotel: &HotelCode,
        _number: &StayNumber,
    ) -> Result<Option<StayView>, SyncError> {
        todo!()
    }

    pub async fn stay_by_deal(&self, _portal: PortalId, _deal: i64) -> Result<Option<StayView>, SyncError> {
        todo!()
    }

    /// In order of arrival.
    pub async fn stays(
        &self,
        _portal: PortalId,
        _filter: &StayFilter,
        _after: Option<&str>,
        _limit: i64,
    ) -> Result<Page<StayLine>, SyncError> {
        todo!()
    }

    /// The latest first.
    pub async fn problems(
        &self,
        _portal: PortalId,
        _filter: &ProblemFilter,
        _after: Option<&str>,
        _limit: i64,
    ) -> Result<Page<ProblemView>, SyncError> {
        todo!()
    }

    /// Tries the problem's record again at once.
    pub async fn retry_problem(&self, _portal: PortalId, _id: i64) -> Result<(), SyncError> {
        todo!()
    }

    pub async fn dismiss_problem(&self, _portal: PortalId, _id: i64, _note: &str) -> Result<(), SyncError> {
        todo!()
    }

    pub async fn merge_hints(
        &self,
        _portal: PortalId,
        _after: Option<&str>,
        _limit: i64,
    ) -> Result<Page<MergeHintView>, SyncError> {
        todo!()
    }

    pub async fn queues(&self, _portal: PortalId) -> Result<StatusView, SyncError> {
        todo!()
    }

    /// Which deal carries the stay (attach, deal tab) and who its contacts are: for permission checks.
    pub async fn deal_of(
        &self,
        _portal: PortalId,
        _hotel: HotelId,
        _number: &StayNumber,
    ) -> Result<Option<i64>, SyncError> {
        todo!()
    }
}
