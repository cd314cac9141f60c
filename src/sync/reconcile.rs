//! Reconciliation: the hotel, the store and the portal compared by counts and content, nightly and when asked for
//! (product §2.10). What differs is noted with its cause and goes the ordinary way: an inbox row for what the hotel says, an
//! outbox row for what the portal should hold. Nothing is written around them.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use super::imports::{AHEAD_DAYS, BACK_DAYS, Cursor, ImportState};
use crate::domain::{CrmEntity, HotelId, PortalId, Stay};
use crate::store::jobs::{self, JobKind, JobRow, RECONCILIATIONS};
use crate::store::reconciled_days::{self, ByDay, Counts};
use crate::store::reconciled_lots::Scope;
use crate::store::reconciliations::{self, DriftRow, Nightly};
use crate::store::{StoreError, hotels};

/// The hotel's stay is not in the store.
pub(super) const MISSING_IN_STORE: &str = "missing_in_store";
/// The hotel says otherwise.
pub(super) const DIFFERS_IN_STORE: &str = "differs_in_store";
/// The hotel does not know the reservation.
pub(super) const UNKNOWN_IN_PMS: &str = "unknown_in_pms";
/// Nothing stands for it in the portal.
pub(super) const MISSING_IN_CRM: &str = "missing_in_crm";
/// The record does not hold what it should.
pub(super) const DIFFERS_IN_CRM: &str = "differs_in_crm";
/// Somebody deleted the record.
pub(super) const DELETED_IN_CRM: &str = "deleted_in_crm";
/// The portal refused what was sent, or never answered it: it waits among the problems.
pub(super) const REJECTED: &str = "rejected";
/// Several records bear its mark.
pub(super) const TWICE: &str = "duplicate_mark";

/// What only a person can decide; all else is mended by the ordinary exchange.
pub fn asks_person(cause: &str) -> bool {
    matches!(cause, UNKNOWN_IN_PMS | DELETED_IN_CRM | REJECTED | TWICE)
}

/// Where a reconciliation stands once the hotel's windows are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// The portal's records, by id, kind after kind.
    Records(CrmEntity, i64),
    /// What the store would have the portal hold, by number: guests, then groups, then stays.
    Guests(String),
    Groups(String),
    Stays(String),
    Over,
}

impl Default for Phase {
    fn default() -> Self {
        Self::Records(CrmEntity::Deal, 0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Course {
    pub phase: Phase,
    /// Of all days together.
    pub counts: Counts,
    /// What of the store and the portal is compared; `None`: all.
    pub scope: Option<Scope>,
    /// Nobody asked for it.
    pub night: bool,
    pub duty: Duty,
}

/// Which bookings the store has to know. What was there before the hotel was connected and no import was asked for is no
/// business of a reconciliation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Duty {
    /// Arrivals that imports have read whole.
    pub imported: Vec<(NaiveDate, NaiveDate)>,
    /// What was booked since, polls had to bring.
    pub connected: Option<NaiveDate>,
}

impl Course {
    /// Takes a step's counts into the sum; the days go to the store with it.
    pub fn count(&mut self, days: &ByDay) {
        let more = reconciled_days::sum(days);
        self.counts.pms += more.pms;
        self.counts.store += more.store;
        self.counts.crm += more.crm;
    }
}

impl Duty {
    pub fn covers(&self, arrival: Option<NaiveDate>) -> bool {
        arrival.is_some_and(|day| self.imported.iter().any(|(from, to)| (*from..=*to).contains(&day)))
    }

    pub fn knows(&self, stay: &Stay) -> bool {
        let booked_since = stay.booked_on.get().zip(self.connected).is_some_and(|(day, since)| *day >= since);
        booked_since || self.covers(stay.arrival.get().copied())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReconciliationView {
    pub id: String,
    pub hotel: HotelId,
    pub state: ImportState,
    /// It began by itself at night.
    pub night: bool,
    /// Arrivals that were compared with the hotel.
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// What was compared with the portal; `None`: all.
    pub scope: Option<Scope>,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    pub updated_at: i64,
    pub counts: Counts,
    /// How much was found, by cause.
    pub causes: Vec<(String, i64)>,
    /// Why it failed: a stable code, empty otherwise.
    pub failure: String,
}

/// The quiet hours of a hotel's night.
const QUIET: (u32, u32) = (2, 6);
/// Hotels begin spread over so many minutes, so that a thousand of them do not begin at once.
const SPREAD_MINUTES: i64 = 120;
/// No second one in the same night …
const APART_MS: i64 = 20 * 3_600_000;
/// … but where one failed, or a person's came before it, another after so long.
const AGAIN_MS: i64 = 2 * 3_600_000;

/// Whether a hotel's nightly reconciliation is to begin at this moment of its own clock.
fn is_due(hotel: HotelId, local: NaiveTime, since_night_ms: Option<i64>, since_try_ms: Option<i64>) -> bool {
    let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
    // Neighbouring numbers lie far apart.
    let own = TimeDelta::minutes((hotel.0 % SPREAD_MINUTES * 37) % SPREAD_MINUTES);
    let begin = hour(QUIET.0).overflowing_add_signed(own).0;
    (begin..hour(QUIET.1)).contains(&local)
        && since_night_ms.is_none_or(|past| past >= APART_MS)
        && since_try_ms.is_none_or(|past| past >= AGAIN_MS)
}

impl Engine {
    /// `by`: the person who asked; `None` at night. `Conflict` while another one of the hotel runs.
    pub async fn create_reconciliation(
        &self,
        portal: PortalId,
        hotel: HotelId,
        by: Option<i64>,
    ) -> Result<String, SyncError> {
        let deps = &self.0.deps;
        let row = hotels::by_id(&deps.db, portal, hotel).await?.filter(|hotel| hotel.removed_at.is_none());
        let row = row.ok_or(SyncError::NotFound)?;
        let now = deps.clock.now();
        let zone: chrono_tz::Tz = row.timezone.parse().unwrap_or(chrono_tz::UTC);
        let today = now.with_timezone(&zone).date_naive();
        let usual = (
            today.checked_sub_days(Days::new(BACK_DAYS)).unwrap_or(today),
            today.checked_add_days(Days::new(AHEAD_DAYS)).unwrap_or(today),
        );
        let imported = reconciliations::imported(&deps.db, portal, hotel).await?;
        // By night what is still of use; a person has all compared that was ever imported.
        let (from, to) = match by {
            Some(_) => imported.iter().fold(usual, |all, range| (all.0.min(range.0), all.1.max(range.1))),
            None => usual,
        };
        let scope = match by {
            Some(_) => None,
            None => {
                let last = reconciliations::last_night(&deps.db, portal, hotel).await?;
                let last: Option<Cursor> = last.and_then(|progress| serde_json::from_value(progress).ok());
                Some(Scope::next(usual.0, last.and_then(|last| last.course.scope)))
            }
        };
        let connected = DateTime::from_timestamp_millis(row.created_at);
        let connected = connected.map(|moment| moment.with_timezone(&zone).date_naive());
        let course = Course { night: by.is_none(), scope, duty: Duty { imported, connected }, ..Course::default() };
        let job = JobRow {
            id: uuid::Uuid::new_v4().to_string(),
            hotel,
            state: ImportState::Queued.word().to_owned(),
            kind: JobKind::Reconciliation,
            from,
            to,
            progress: json!(Cursor { today: Some(today), course, ..Cursor::default() }),
            estimate: None,
            created_at: now.timestamp_millis(),
            updated_at: now.timestamp_millis(),
        };
        let tx = deps.db.begin().await?;
        if !jobs::create(&tx, portal, &job, by.unwrap_or_default()).await? {
            return Err(SyncError::Conflict("reconciliation_running"));
        }
        tx.commit().await?;
        self.wake();
        Ok(job.id)
    }

    pub async fn reconciliation(&self, portal: PortalId, id: &str) -> Result<Option<ReconciliationView>, SyncError> {
        let job = jobs::get(&self.0.deps.db, portal, id).await?;
        match job.filter(|job| job.kind == JobKind::Reconciliation) {
            Some(job) => Ok(Some(self.reconciliation_view(portal, job).await?)),
            None => Ok(None),
        }
    }

    /// The latest first.
    pub async fn reconciliations(
        &self,
        portal: PortalId,
        hotel: HotelId,
    ) -> Result<Vec<ReconciliationView>, SyncError> {
        let mut views = Vec::new();
        for job in jobs::list(&self.0.deps.db, portal, Some(hotel), RECONCILIATIONS, 20).await? {
            views.push(self.reconciliation_view(portal, job).await?);
        }
        Ok(views)
    }

    /// What it found, by day of arrival.
    pub async fn drift(&self, portal: PortalId, id: &str, limit: i64) -> Result<Vec<DriftRow>, SyncError> {
        Ok(reconciliations::found(&self.0.deps.db, portal, id, limit).await?)
    }

    /// What it counted, by day of arrival: the days on which the three do not agree.
    pub async fn uneven_days(&self, portal: PortalId, id: &str, limit: i64) -> Result<ByDay, SyncError> {
        Ok(reconciled_days::of_job(&self.0.deps.db, portal, id, true, limit).await?)
    }

    async fn reconciliation_view(&self, portal: PortalId, job: JobRow) -> Result<ReconciliationView, SyncError> {
        let cursor = Cursor::shown(&job);
        Ok(ReconciliationView {
            causes: reconciliations::counts(&self.0.deps.db, portal, &job.id).await?,
            id: job.id,
            hotel: job.hotel,
            state: ImportState::read(&job.state),
            night: cursor.course.night,
            from: job.from,
            to: job.to,
            created_at: job.created_at,
            updated_at: job.updated_at,
            scope: cursor.course.scope,
            counts: cursor.course.counts,
            failure: cursor.failure,
        })
    }

    /// Begins what is to begin by itself at this hour.
    pub(super) async fn begin_nightly(&self) -> Result<(), StoreError> {
        let deps = &self.0.deps;
        let now = deps.clock.now();
        for Nightly { portal, hotel, timezone, night_at, tried_at } in reconciliations::nightly(&deps.db).await? {
            let zone: chrono_tz::Tz = timezone.parse().unwrap_or(chrono_tz::UTC);
            let past = |at: Option<i64>| at.map(|at| now.timestamp_millis().saturating_sub(at));
            if !is_due(hotel, now.with_timezone(&zone).time(), past(night_at), past(tried_at)) {
                continue;
            }
            match self.create_reconciliation(portal, hotel, None).await {
                Ok(_) => {}
                Err(SyncError::Store(error)) => return Err(error),
                Err(error) => tracing::warn!(%portal, %hotel, %error, "a nightly reconciliation cannot begin"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_hotel_is_reconciled_once_a_night_in_its_own_quiet_hours() {
        let at = |text: &str| text.parse::<NaiveTime>().unwrap();
        let begins = |hotel: i64| {
            let minutes = 0..24 * 60;
            let time = |minute: u32| NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0).unwrap();
            minutes.map(time).find(|time| is_due(HotelId(hotel), *time, None, None)).unwrap()
        };
        let firsts: std::collections::BTreeSet<_> = (1..=60).map(begins).collect();
        assert!(firsts.len() > 50, "spread: {firsts:?}");
        assert!(firsts.iter().all(|first| (at("02:00:00")..at("04:00:00")).contains(first)), "{firsts:?}");
        assert!(!is_due(HotelId(1), at("06:00:00"), None, None) && !is_due(HotelId(1), at("14:00:00"), None, None));
        let due = |night: Option<i64>, tried: Option<i64>| {
            let ms = |hours: Option<i64>| hours.map(|hours| hours * 3_600_000);
            is_due(HotelId(1), at("05:00:00"), ms(night), ms(tried))
        };
        assert!(!due(Some(3), Some(3)), "once a night");
        assert!(due(Some(24), Some(24)));
        assert!(due(Some(24), Some(3)) && !due(Some(24), Some(1)), "a failed one is tried again, but not at once");
    }
}
