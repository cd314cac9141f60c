//! First imports of a hotel: ordered, counted, resumable (product §2.9).

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use super::reconcile::Course;
use crate::bitrix::crm::IMPORT_ROWS;
use crate::bitrix::{COMMANDS, Priority};
use crate::domain::{HotelId, PortalId};
use crate::fidelio::Read;
use crate::store::imports::{self, Tally};
use crate::store::jobs::{self, IMPORTS, JobKind, JobRow};
use crate::store::{StoreError, hotels, source_reading};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    pub done: i64,
    pub total: i64,
    pub rejected: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

impl ImportState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        [Self::Queued, Self::Running, Self::Paused, Self::Completed, Self::Cancelled]
            .into_iter()
            .find(|state| state.word() == word)
            .unwrap_or(Self::Failed)
    }
}

/// Arrivals so far back are imported unless another range is asked for (product §2.9).
pub(super) const BACK_DAYS: u64 = 30;
/// So long before the range somebody may have come who is in house yet.
const LONG_STAY_DAYS: u64 = 365;
/// "All that is booked": nobody books a room further ahead.
pub(super) const AHEAD_DAYS: u64 = 730;

/// Where a job stands: kept with it, so that any node may go on at any point.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// The hotel's day when the job was made: the order of windows must not shift under it.
    pub today: Option<NaiveDate>,
    /// Windows read so far.
    pub window: usize,
    pub failures: u32,
    pub not_before: i64,
    pub failure: String,
    /// For how long it was paused, or had given up.
    pub idle_ms: i64,
    /// What stood there before it began: it is none of its work.
    pub stood: Progress,
    /// What it had done when it was completed: bookings of the range that come later are not its own.
    pub ended: Option<Progress>,
    /// Of a reconciliation: how it goes on when its windows are read.
    pub course: Course,
}

/// Why a job failed whose cursor cannot be read.
const BROKEN: &str = "broken";

impl Cursor {
    /// A cursor that cannot be read is none: from its beginning everything would be read and counted a second time.
    pub fn of(job: &JobRow) -> Result<Self, StoreError> {
        serde_json::from_value(job.progress.clone()).map_err(|_| StoreError::Corrupt("job.progress"))
    }

    /// For whoever looks: he is told that it cannot be read.
    pub fn shown(job: &JobRow) -> Self {
        Self::of(job).unwrap_or_else(|_| Self { failure: BROKEN.to_owned(), ..Self::default() })
    }
}

/// How much of a hotel an import has read.
#[derive(Debug, Clone, Copy)]
struct Unread {
    read: usize,
    windows: usize,
}

impl Unread {
    /// What is still to come, if so much came of what was read; `None`: nothing was read yet.
    fn of(self, came: i64) -> Option<i64> {
        let left = i64::try_from(self.windows.saturating_sub(self.read)).ok()?;
        match i64::try_from(self.read).ok()? {
            _ if left == 0 => Some(0),
            0 => None,
            read => Some(came.max(0).saturating_mul(left).div_euclid(read)),
        }
    }
}

/// The range in the order in which people need it: today's and tomorrow's arrivals, who is in house however long ago he
/// came, the future, then history.
fn windows(from: NaiveDate, to: NaiveDate, today: NaiveDate) -> Vec<Read> {
    let day = |offset: i64| {
        let days = Days::new(offset.unsigned_abs());
        let moved = if offset < 0 { today.checked_sub_days(days) } else { today.checked_add_days(days) };
        moved.unwrap_or(today)
    };
    let mut future = vec![(today, day(1))];
    let mut start = day(2);
    while start <= to {
        // Near days are full, far ones nearly empty.
        let length = if start < day(60) { 7 } else { 30 };
        let end = start.checked_add_days(Days::new(length - 1)).unwrap_or(to);
        future.push((start, end));
        let Some(next) = end.succ_opt() else { break };
        start = next;
    }
    let mut history = Vec::new();
    let mut end = day(-1);
    while end >= from {
        let start = end.checked_sub_days(Days::new(29)).unwrap_or(from);
        history.push((start, end));
        let Some(next) = start.pred_opt() else { break };
        end = next;
    }
    let arrivals = future.into_iter().chain(history).map(|(a, b)| (a.max(from), b.min(to))).filter(|(a, b)| a <= b);
    let mut reads: Vec<Read> = arrivals.map(|(from, to)| Read::Arrivals { from, to }).collect();
    let came = (from, to.min(day(-1)));
    if came.0 <= came.1 {
        let near = matches!(reads.first(), Some(Read::Arrivals { from, .. }) if (today..=day(1)).contains(from));
        reads.insert(usize::from(near), Read::InHouse { from: came.0, to: came.1, on: today });
    }
    reads
}

/// What a job reads of the hotel, in its order. Who only counts or compares needs nobody sooner than others.
pub(super) fn reads(job: &JobRow, cursor: &Cursor) -> Vec<Read> {
    let mut reads = windows(job.from, job.to, cursor.today.unwrap_or(job.from));
    if job.kind != JobKind::Import {
        reads.retain(|read| matches!(read, Read::Arrivals { .. }));
    }
    // Who came before the range and is in house is of use as long as he stays: one question for all of them.
    if let (JobKind::Reconciliation, Some(on), Some(to)) = (job.kind, cursor.today, job.from.pred_opt()) {
        let from = to.checked_sub_days(Days::new(LONG_STAY_DAYS)).unwrap_or(to);
        reads.push(Read::InHouse { from, to: to.min(on), on });
    }
    reads
}

/// Requests it takes at least: twenty rows a command where importing is allowed, else one.
pub(super) fn requests(counts: [i64; 3], can_import: bool) -> i64 {
    let rows = if can_import { i64::try_from(IMPORT_ROWS).unwrap_or(20) } else { 1 };
    let commands: i64 =
        counts.into_iter().map(|count| count.max(0).div_euclid(rows) + i64::from(count % rows > 0)).sum();
    let most = i64::try_from(COMMANDS).unwrap_or(50);
    commands.div_euclid(most) + i64::from(commands % most > 0) + 1
}

impl Engine {
    /// `from` defaults to 30 days back, `to` to all that is booked. `Conflict` while another import of the hotel runs.
    pub async fn create_import(
        &self,
        portal: PortalId,
        hotel: HotelId,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        dry_run: bool,
        by: i64,
    ) -> Result<String, SyncError> {
        let deps = &self.0.deps;
        let row = hotels::by_id(&deps.db, portal, hotel).await?.filter(|hotel| hotel.removed_at.is_none());
        let row = row.ok_or(SyncError::NotFound)?;
        let now = deps.clock.now();
        let zone: chrono_tz::Tz = row.timezone.parse().unwrap_or(chrono_tz::UTC);
        let today = now.with_timezone(&zone).date_naive();
        let job = JobRow {
            id: uuid::Uuid::new_v4().to_string(),
            hotel,
            state: ImportState::Queued.word().to_owned(),
            kind: if dry_run { JobKind::Estimate } else { JobKind::Import },
            from: from.or(today.checked_sub_days(Days::new(BACK_DAYS))).unwrap_or(today),
            to: to.or(today.checked_add_days(Days::new(AHEAD_DAYS))).unwrap_or(today),
            progress: json!({}),
            estimate: None,
            created_at: now.timestamp_millis(),
            updated_at: now.timestamp_millis(),
        };
        if job.from > job.to {
            return Err(SyncError::Conflict("import_range"));
        }
        let stood = if dry_run { Progress::default() } else { self.progress(portal, &job).await? };
        let job = JobRow { progress: json!(Cursor { today: Some(today), stood, ..Cursor::default() }), ..job };
        let tx = deps.db.begin().await?;
        if !jobs::create(&tx, portal, &job, by).await? {
            return Err(SyncError::Conflict("import_running"));
        }
        tx.commit().await?;
        source_reading::hurry(&deps.db, portal, hotel).await?;
        self.wake();
        Ok(job.id)
    }

    pub async fn import(&self, portal: PortalId, id: &str) -> Result<Option<ImportView>, SyncError> {
        match jobs::get(&self.0.deps.db, portal, id).await?.filter(|job| IMPORTS.contains(&job.kind)) {
            Some(job) => Ok(Some(self.import_view(portal, job).await?)),
            None => Ok(None),
        }
    }

    /// The latest first.
    pub async fn imports(&self, portal: PortalId, hotel: Option<HotelId>) -> Result<Vec<ImportView>, SyncError> {
        let mut views = Vec::new();
        for job in jobs::list(&self.0.deps.db, portal, hotel, IMPORTS, 20).await? {
            views.push(self.import_view(portal, job).await?);
        }
        Ok(views)
    }

    /// Nothing more is read or sent until it goes on. `Conflict` where the state does not allow it.
    pub async fn pause_import(&self, portal: PortalId, id: &str) -> Result<(), SyncError> {
        self.move_import(portal, id, &["queued", "running"], ImportState::Paused).await
    }

    /// One that failed goes on where it was, too; an estimate that failed has forgotten what it counted.
    pub async fn resume_import(&self, portal: PortalId, id: &str) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let job = jobs::get(&deps.db, portal, id).await?.filter(|job| IMPORTS.contains(&job.kind));
        let job = job.ok_or(SyncError::NotFound)?;
        let now = deps.clock.now_ms();
        let cursor = Cursor::of(&job)?;
        let idle_ms = cursor.idle_ms + (now - job.updated_at).max(0);
        if ImportState::read(&job.state) == ImportState::Failed && job.kind == JobKind::Import {
            let cursor = Cursor { failures: 0, not_before: 0, failure: String::new(), idle_ms, ..cursor };
            if !jobs::revive(&deps.db, portal, &job, &json!(cursor), now).await? {
                return Err(SyncError::Conflict("import_running"));
            }
        } else if !jobs::go_on(&deps.db, portal, &job, &json!(Cursor { idle_ms, ..cursor }), now).await? {
            return Err(SyncError::Conflict("import_state"));
        }
        self.wake();
        Ok(())
    }

    /// Nothing more is read. What was read before is kept and still sent: a stay that we know and the portal does not
    /// would be neither here nor there. Its progress goes on to be shown.
    pub async fn cancel_import(&self, portal: PortalId, id: &str) -> Result<(), SyncError> {
        self.move_import(portal, id, &["queued", "running", "paused"], ImportState::Cancelled).await
    }

    async fn move_import(&self, portal: PortalId, id: &str, from: &[&str], to: ImportState) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        if jobs::get(&deps.db, portal, id).await?.is_none_or(|job| !IMPORTS.contains(&job.kind)) {
            return Err(SyncError::NotFound);
        }
        if !jobs::step(&deps.db, portal, id, from, to.word(), deps.clock.now_ms()).await? {
            return Err(SyncError::Conflict("import_state"));
        }
        if to == ImportState::Cancelled {
            imports::forget_met(&deps.db, portal, id).await?;
        }
        self.wake();
        Ok(())
    }

    /// What of the job's range stands in the portal, or is to: what a mapping leaves out is neither done nor to be done.
    async fn progress(&self, portal: PortalId, job: &JobRow) -> Result<Progress, SyncError> {
        let (db, range) = (&self.0.deps.db, (job.from, job.to));
        let lane = super::lane(Self::import_priority());
        let count = |tally: Tally| Count { done: tally.done, total: tally.total, rejected: tally.rejected };
        Ok(Progress {
            stays: count(imports::tally_stays(db, portal, job.hotel, range, lane).await?),
            guests: count(imports::tally_profiles(db, portal, job.hotel, range, "guest", lane).await?),
            companies: count(imports::tally_profiles(db, portal, job.hotel, range, "company", lane).await?),
        })
    }

    /// What it brought beyond what stood there, so far as it was read: new ones.
    pub(super) async fn brought(&self, portal: PortalId, job: &JobRow, stood: Progress) -> Result<[i64; 3], SyncError> {
        let all = self.progress(portal, job).await?;
        let new = |now: Count, before: Count| (now.total - before.done).max(0);
        Ok([new(all.stays, stood.stays), new(all.guests, stood.guests), new(all.companies, stood.companies)])
    }

    /// All of the job's own is done or refused; what is still on its way came since.
    pub(super) async fn ended(&self, portal: PortalId, job: &JobRow) -> Result<Progress, SyncError> {
        let mut progress = self.progress(portal, job).await?;
        for count in [&mut progress.stays, &mut progress.guests, &mut progress.companies] {
            count.total = count.done + count.rejected;
        }
        Ok(progress)
    }

    async fn import_view(&self, portal: PortalId, job: JobRow) -> Result<ImportView, SyncError> {
        let deps = &self.0.deps;
        let cursor = Cursor::shown(&job);
        let progress = match cursor.ended {
            Some(ended) => ended,
            None if job.kind == JobKind::Estimate => Progress::default(),
            None => self.progress(portal, &job).await?,
        };
        let state = ImportState::read(&job.state);
        let until = if state == ImportState::Running { deps.clock.now_ms() } else { job.updated_at };
        let counts = [progress.stays, progress.guests, progress.companies];
        let before = [cursor.stood.stays, cursor.stood.guests, cursor.stood.companies];
        let sum = |counts: [Count; 3], of: fn(&Count) -> i64| counts.iter().map(of).sum::<i64>();
        let done = (sum(counts, |count| count.done) - sum(before, |count| count.done)).max(0);
        let brought = sum(counts, |count| count.total) - sum(before, |count| count.total);
        let left: i64 = counts.iter().map(|count| (count.total - count.done - count.rejected).max(0)).sum();
        let float = |number: i64| f64::from(i32::try_from(number).unwrap_or(i32::MAX));
        let worked_ms = (until - job.created_at - cursor.idle_ms).max(1_000);
        let rate = float(done) / (float(worked_ms) / 1_000.0);
        let unread = Unread { read: cursor.window, windows: reads(&job, &cursor).len() };
        let eta = match state == ImportState::Running && job.kind == JobKind::Import {
            true => self.eta(portal, left, brought, worked_ms, unread).await,
            false => None,
        };
        Ok(ImportView {
            id: job.id,
            hotel: job.hotel,
            state,
            dry_run: job.kind == JobKind::Estimate,
            from: job.from,
            to: job.to,
            created_at: job.created_at,
            estimate: job.estimate.and_then(|estimate| serde_json::from_value(estimate).ok()),
            progress,
            rate_per_second: rate,
            eta_seconds: eta,
            failure: cursor.failure,
        })
    }

    /// Seconds until all of it is there. While windows are unread, what they will bring and how long they will take is told by
    /// those that were read; before the first one nothing is.
    async fn eta(&self, portal: PortalId, left: i64, brought: i64, worked_ms: i64, unread: Unread) -> Option<i64> {
        let sending = self.forecast(portal, left + unread.of(brought)?).await?;
        Some(sending.max(unread.of(worked_ms)?.div_euclid(1_000)))
    }

    /// What it costs: requests by the least, time by what the portal showed of its rows and by both of its limits.
    pub(super) async fn estimate(
        &self,
        portal: PortalId,
        stays: i64,
        guests: i64,
        companies: i64,
        can_import: bool,
    ) -> Estimate {
        let requests = requests([stays, guests, companies], can_import);
        let seconds = self.forecast(portal, stays + guests + companies).await;
        Estimate { stays, guests, companies, requests, seconds: seconds.unwrap_or(requests / 2) + 1 }
    }

    pub(super) const fn import_priority() -> Priority {
        Priority::Import
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn s1_todays_arrivals_come_first_and_history_last() {
        let today = date("2026-11-21");
        let windows = windows(date("2026-10-22"), date("2027-01-31"), today);
        assert_eq!(windows[0], Read::Arrivals { from: today, to: date("2026-11-22") });
        let past = (date("2026-10-22"), date("2026-11-20"));
        assert_eq!(
            windows[1],
            Read::InHouse { from: past.0, to: past.1, on: today },
            "whoever came a month ago is here"
        );
        assert_eq!(windows[2], Read::Arrivals { from: date("2026-11-23"), to: date("2026-11-29") });
        assert_eq!(windows.last(), Some(&Read::Arrivals { from: past.0, to: past.1 }));
    }

    proptest! {
        /// Every day of the range is read once, whatever "today" is.
        #[test]
        fn s1_windows_cover_the_range_once(from in 0_u64..800, length in 0_u64..800, today in 0_u64..1_600) {
            let base = date("2026-01-01");
            let day = |n| base.checked_add_days(Days::new(n)).unwrap();
            let windows = windows(day(from), day(from + length), day(today));
            let mut seen = std::collections::BTreeMap::new();
            for read in windows {
                let Read::Arrivals { from: a, to: b } = read else { continue };
                let mut at = a;
                while at <= b {
                    *seen.entry(at).or_insert(0) += 1;
                    at = at.succ_opt().unwrap();
                }
            }
            prop_assert_eq!(u64::try_from(seen.len()).ok(), Some(length + 1));
            prop_assert!(seen.values().all(|count| *count == 1));
        }
    }

    #[test]
    fn s1_what_is_unread_is_told_by_what_was_read_and_nothing_is_left_at_the_end() {
        let of = |read, windows, came| Unread { read, windows }.of(came);
        assert_eq!((of(0, 8, 0), of(2, 8, 100), of(7, 8, 700), of(8, 8, 900)), (None, Some(300), Some(100), Some(0)));
        assert_eq!((of(2, 8, -5), of(0, 0, 7)), (Some(0), Some(0)));
    }

    #[test]
    fn s1_the_least_number_of_requests() {
        assert_eq!(requests([5_000, 4_000, 0], true), 10);
        assert_eq!(requests([50_000, 40_000, 0], true), 91);
        assert_eq!(requests([100, 0, 0], false), 3);
        assert_eq!(requests([0, 0, 0], true), 1);
    }
}
