//! Replay: what came in of a record, of some days, or of a hotel is decided once more from the input that is kept (product
//! §9: 30 days). It goes through the same deciding as when it came, in lots of one transaction, and puts nothing older over
//! what is held: `domain::decision`. What changes nothing leaves no trace.

use chrono::{Days, NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::chunk::Chunk;
use super::decide;
use super::engine::Engine;
use super::error::SyncError;
use super::imports::ImportState;
use super::lease::HeldLease;
use crate::clock::wall;
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId, Subject};
use crate::store::StoreError;
use crate::store::hotels::{self, HotelRow};
use crate::store::inbox::{self, KeptOf};
use crate::store::jobs::{self, JobKind, JobRow, REPLAYS};

/// Rows in one transaction.
const LOT: i64 = 500;
/// So long input is kept.
const KEPT_DAYS: u64 = 30;

/// What is replayed, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Course {
    /// One record's; else all of the hotel's.
    subject: Option<String>,
    /// Received within, in milliseconds.
    since: i64,
    before: i64,
    /// Rows of the inbox: gone through, and the last one.
    after: i64,
    upto: i64,
    total: i64,
    done: i64,
    /// Records that differ from before.
    changed: i64,
    /// Rows that cannot be decided.
    failed: i64,
}

impl Course {
    fn of(&self, hotel: HotelId) -> KeptOf<'_> {
        KeptOf { hotel, subject: self.subject.as_deref(), since: self.since, before: self.before }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReplayView {
    pub id: String,
    pub hotel: HotelId,
    pub state: ImportState,
    /// The one record it is about.
    pub subject: Option<String>,
    /// Days on which it was received.
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    pub updated_at: i64,
    pub done: i64,
    pub total: i64,
    pub changed: i64,
    pub failed: i64,
}

fn view(job: JobRow) -> ReplayView {
    let course: Course = serde_json::from_value(job.progress).unwrap_or_default();
    ReplayView {
        id: job.id,
        hotel: job.hotel,
        state: ImportState::read(&job.state),
        subject: course.subject,
        from: job.from,
        to: job.to,
        created_at: job.created_at,
        updated_at: job.updated_at,
        done: course.done,
        total: course.total,
        changed: course.changed,
        failed: course.failed,
    }
}

impl Engine {
    /// `from` and `to` are days of the hotel's calendar on which the input was received; all that is kept where they are
    /// not given. `Conflict` while another replay of the hotel runs.
    pub async fn create_replay(
        &self,
        portal: PortalId,
        hotel: &HotelRow,
        subject: Option<&Subject>,
        (from, to): (Option<NaiveDate>, Option<NaiveDate>),
        by: i64,
    ) -> Result<String, SyncError> {
        let deps = &self.0.deps;
        let now = deps.clock.now();
        let zone: chrono_tz::Tz = hotel.timezone.parse().unwrap_or(chrono_tz::UTC);
        let today = now.with_timezone(&zone).date_naive();
        let to = to.unwrap_or(today);
        let from = from.or(to.checked_sub_days(Days::new(KEPT_DAYS))).unwrap_or(to);
        let midnight = |day: NaiveDate| wall(day.and_time(NaiveTime::MIN), &hotel.timezone).timestamp_millis();
        let mut course = Course {
            subject: subject.map(ToString::to_string),
            since: midnight(from),
            before: midnight(to.succ_opt().unwrap_or(to)),
            ..Course::default()
        };
        (course.total, course.upto) = inbox::count_kept(&deps.db, portal, &course.of(hotel.id)).await?;
        let job = JobRow {
            id: uuid::Uuid::new_v4().to_string(),
            hotel: hotel.id,
            state: ImportState::Queued.word().to_owned(),
            kind: JobKind::Replay,
            from,
            to,
            progress: json!(course),
            estimate: None,
            created_at: now.timestamp_millis(),
            updated_at: now.timestamp_millis(),
        };
        let tx = deps.db.begin().await?;
        if !jobs::create(&tx, portal, &job, by).await? {
            return Err(SyncError::Conflict("replay_running"));
        }
        tx.commit().await?;
        self.wake();
        Ok(job.id)
    }

    pub async fn replay(&self, portal: PortalId, id: &str) -> Result<Option<ReplayView>, SyncError> {
        let job = jobs::get(&self.0.deps.db, portal, id).await?;
        Ok(job.filter(|job| job.kind == JobKind::Replay).map(view))
    }

    /// The latest first.
    pub async fn replays(&self, portal: PortalId, hotel: HotelId) -> Result<Vec<ReplayView>, SyncError> {
        let jobs = jobs::list(&self.0.deps.db, portal, Some(hotel), REPLAYS, 20).await?;
        Ok(jobs.into_iter().map(view).collect())
    }

    /// The next lot of the portal's oldest replay; `false`: there is none.
    pub async fn replay_step(&self, portal: PortalId) -> Result<bool, SyncError> {
        let deps = &self.0.deps;
        let Some(job) = jobs::unfinished(&deps.db, portal, REPLAYS).await?.into_iter().next() else { return Ok(false) };
        let now = deps.clock.now_ms();
        let hotel = hotels::by_id(&deps.db, portal, job.hotel).await?;
        if hotel.is_none_or(|hotel| hotel.removed_at.is_some()) {
            jobs::step(&deps.db, portal, &job.id, &["queued", "running"], "cancelled", now).await?;
            return Ok(true);
        }
        if job.state == "queued" && !jobs::step(&deps.db, portal, &job.id, &["queued"], "running", now).await? {
            return Ok(true);
        }
        let key = deps.portals.key(portal).await?;
        // Whoever decides what comes in now decides this too: nothing changes between a look at what is held and its end.
        let name = format!("decide:{portal}");
        let turn = self.turn(name.clone());
        let _turn = turn.lock().await;
        let Some(lease) = HeldLease::take(&deps.db, &deps.clock, &name, &self.0.node, deps.lease).await? else {
            return Err(SyncError::Elsewhere(name));
        };
        let result = self.replay_lots(portal, &key, &lease, &job).await;
        lease.ended(&result).await;
        self.wake();
        result.map(|()| true)
    }

    /// The next lot. Where it cannot be decided, the row in its way is looked for by halves: it becomes its own problem and
    /// keeps no other one from being decided.
    async fn replay_lots(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
        job: &JobRow,
    ) -> Result<(), SyncError> {
        let Ok(mut course) = serde_json::from_value::<Course>(job.progress.clone()) else {
            // From its beginning everything would be decided a second time, under another job's word.
            tracing::error!(%portal, job = %job.id, "where a replay stands cannot be read: it ends");
            let now = self.0.deps.clock.now_ms();
            jobs::step(&self.0.deps.db, portal, &job.id, &["running"], "failed", now).await?;
            return Ok(());
        };
        let end = course.done + LOT;
        let mut most = LOT;
        while course.done < end {
            match self.replay_lot(portal, key, lease, job, &course, most).await {
                Ok(Some(further)) => course = further,
                Ok(None) => break,
                Err(SyncError::Store(error)) if !error.is_transient() => {
                    if most == 1 {
                        return self.leave_out(portal, key, lease, job, course, &error).await;
                    }
                }
                Err(error) => return Err(error),
            }
            most = (most / 2).max(1);
        }
        Ok(())
    }

    async fn leave_out(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
        job: &JobRow,
        mut course: Course,
        error: &StoreError,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let now = deps.clock.now_ms();
        let lot = inbox::kept(&deps.db, portal, &course.of(job.hotel), (course.after, course.upto), 1).await?;
        let Some((row, _)) = lot.into_iter().next() else { return Ok(()) };
        tracing::warn!(%portal, row = row.id, %error, "a row of kept input cannot be decided");
        (course.after, course.done, course.failed) = (row.id, course.done + 1, course.failed + 1);
        let tx = deps.db.begin().await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("decide:{portal}")));
        }
        decide::keep_apart(&tx, portal, key, row, error, now).await?;
        if jobs::advance(&tx, portal, &job.id, &json!(course), None, now).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    /// At most so many rows after where it stands; answers where it stands then, and nothing when it is over.
    async fn replay_lot(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
        job: &JobRow,
        course: &Course,
        most: i64,
    ) -> Result<Option<Course>, SyncError> {
        let deps = &self.0.deps;
        let now = deps.clock.now_ms();
        let mut course = course.clone();
        let lot = inbox::kept(&deps.db, portal, &course.of(job.hotel), (course.after, course.upto), most).await?;
        let Some((last, _)) = lot.last() else {
            jobs::step(&deps.db, portal, &job.id, &["running"], "completed", now).await?;
            return Ok(None);
        };
        course.after = last.id;
        course.done += i64::try_from(lot.len()).unwrap_or_default();
        let tx = deps.db.begin().await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("decide:{portal}")));
        }
        // Nobody waits for a replay: all of it comes with history.
        let days = decide::Days::new();
        let mut work = Chunk::again(portal, key, now, &days);
        work.read_again(lot);
        work.decide(&tx).await?;
        work.write(&tx).await?;
        course.changed += work.changed();
        course.failed += work.unread();
        if !jobs::advance(&tx, portal, &job.id, &json!(course), None, now).await? {
            return Ok(None);
        }
        self.step("replay.written")?;
        tx.commit().await?;
        self.step("replay.committed")?;
        Ok(Some(course))
    }
}
