//! The loops: who has work gets a task, one of each kind per portal or source, until told to stop.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::error::SyncError;
use crate::domain::PortalId;
use crate::store::jobs::{self, IMPORTS, RECONCILIATIONS, REPLAYS};
use crate::store::{
    StoreError, event_feed, gates, idempotency, inbox, reconciliations, request_log, source_reading, work,
};

/// How often the loops look when nothing wakes them.
const TICK: Duration = Duration::from_millis(500);
/// The pause after a delivery for which all that is due still waits for something.
const IDLE_MS: i64 = 300;
/// The pause after a decision: a stream of events is decided in portions, not one by one.
const DECIDE_PAUSE_MS: i64 = 200;
/// Portals or sources worked on at once, for each kind of work: portals that hang must not keep hotels from being read.
const AT_ONCE: usize = 256;
/// Sources listed at a look, those of portals that are not worked for among them.
const DUE_MOST: i64 = 10_000;
/// Raw input is kept for replay (product §9).
const KEEP_INPUT_MS: i64 = 30 * 24 * 3_600_000;
/// So long a reconciliation's report is kept.
const KEEP_REPORTS_MS: i64 = 30 * 24 * 3_600_000;
const PURGE_STEP: i64 = 500;
const PURGE_EVERY_MS: i64 = 10_000;
const ACTIVE_EVERY_MS: i64 = 3_000;
/// By less than this a clock that is kept right may go back.
const SET_BACK_MS: i64 = 2_000;
const COUNT_EVERY_MS: i64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Decide,
    Deliver,
    Import,
    Remap,
    Remedy,
    Replay,
    Reconcile,
    Poll,
}

type Job = (Kind, i64);
type Ended = Result<(Id, Result<bool, SyncError>), JoinError>;

/// What a task that ended abnormally worked on is left alone for so long.
const AFTER_PANIC_MS: i64 = 30_000;

#[derive(Default)]
struct Board {
    running: HashMap<Job, Id>,
    /// Jobs that failed or found another node at work: not before this moment.
    pause: HashMap<Job, i64>,
    active: HashSet<PortalId>,
    /// The last look.
    looked_at: i64,
    active_at: i64,
    purged_at: i64,
    counted_at: i64,
}

impl Board {
    /// What was noted by a clock that has been set back since is forgotten.
    fn forget_times(&mut self) {
        let (running, active) = (std::mem::take(&mut self.running), std::mem::take(&mut self.active));
        *self = Self { running, active, ..Self::default() };
    }

    /// How long nothing need be looked at: a tick, or until the next pause ends.
    fn rest(&self, now: i64) -> Duration {
        let next = self.pause.values().map(|until| until - now).filter(|left| *left > 0).min();
        next.and_then(|left| u64::try_from(left).ok()).map_or(TICK, |left| Duration::from_millis(left).min(TICK))
    }
}

/// The loops of one engine: who has work, who is at it, who pauses.
pub struct Loops {
    engine: Engine,
    board: Board,
    tasks: JoinSet<Result<bool, SyncError>>,
    /// The last look failed: said once, not twice a second.
    blind: bool,
}

impl Engine {
    /// Works until told to stop; what is in flight is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut loops = Loops::new(self);
        while !stop.is_cancelled() {
            let looked = loops.look().await;
            loops.tell(looked);
            self.0.pulse.beat();
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.wake.notified() => {}
                () = self.0.deps.clock.sleep(loops.board.rest(self.0.deps.clock.now_ms())) => {}
                Some(ended) = loops.tasks.join_next_with_id(), if !loops.tasks.is_empty() => loops.ended(ended),
            }
            while let Some(ended) = loops.tasks.try_join_next_with_id() {
                loops.ended(ended);
            }
        }
        self.stop();
        loops.finish().await;
    }
}

impl Loops {
    pub fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), board: Board::default(), tasks: JoinSet::new(), blind: false }
    }

    fn tell(&mut self, looked: Result<(), StoreError>) {
        match looked {
            Ok(()) if self.blind => tracing::info!("the work to do can be read again"),
            Err(error) if !self.blind => tracing::error!(%error, "the work to do cannot be read"),
            _ => return,
        }
        self.blind = !self.blind;
    }

    /// Does what is due now, once, and waits for it; answers how many jobs that were. For who moves time by hand.
    pub async fn round(&mut self) -> Result<usize, StoreError> {
        self.look().await?;
        Ok(self.finish().await)
    }

    async fn finish(&mut self) -> usize {
        let mut count = 0;
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
            count += 1;
        }
        count
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let engine = self.engine.clone();
        let board = &mut self.board;
        let deps = &engine.0.deps;
        let (db, now) = (&deps.db, deps.clock.now_ms());
        if now < board.looked_at - SET_BACK_MS {
            tracing::warn!(by_ms = board.looked_at - now, "the clock was set back");
            work::bring_forward(db, now).await?;
            board.forget_times();
        }
        board.looked_at = now;
        if now - board.active_at > ACTIVE_EVERY_MS {
            board.active = deps.portals.active().await?.into_iter().collect();
            board.active_at = now;
            engine.gauges().await?;
        }
        if now - board.counted_at > COUNT_EVERY_MS {
            board.counted_at = now;
            engine.table_gauges().await?;
            engine.begin_nightly().await?;
        }
        if now - board.purged_at > PURGE_EVERY_MS {
            board.purged_at = now;
            inbox::purge(db, now - KEEP_INPUT_MS, PURGE_STEP).await?;
            request_log::purge(db, now, PURGE_STEP).await?;
            idempotency::purge(db, now, PURGE_STEP).await?;
            gates::purge(db, now).await?;
            reconciliations::purge(db, now - KEEP_REPORTS_MS, PURGE_STEP).await?;
        }
        let mut due: Vec<(Job, PortalId)> = Vec::new();
        let of = |kind, portals: Vec<PortalId>| portals.into_iter().map(move |portal| ((kind, portal.0), portal));
        due.extend(of(Kind::Decide, work::to_decide(db, now).await?));
        due.extend(of(Kind::Deliver, work::to_deliver(db, now).await?));
        // What changed in the portal is read beside what is sent.
        due.extend(of(Kind::Deliver, work::to_scan(db, now).await?));
        due.extend(of(Kind::Deliver, event_feed::due(db, now).await?));
        due.extend(of(Kind::Import, jobs::portals(db, IMPORTS).await?));
        due.extend(of(Kind::Reconcile, jobs::portals(db, RECONCILIATIONS).await?));
        due.extend(of(Kind::Replay, jobs::portals(db, REPLAYS).await?));
        due.extend(of(Kind::Remap, work::to_remap(db).await?));
        due.extend(of(Kind::Remedy, work::to_remedy(db).await?));
        due.extend(
            source_reading::due(db, now, DUE_MOST).await?.into_iter().map(|due| ((Kind::Poll, due.id), due.portal)),
        );
        let mut at_work: HashMap<Kind, usize> = HashMap::new();
        for (kind, _) in board.running.keys() {
            *at_work.entry(*kind).or_default() += 1;
        }
        for (job, portal) in due {
            let paused = board.pause.get(&job).is_some_and(|until| *until > now);
            if paused || !board.active.contains(&portal) || board.running.contains_key(&job) {
                continue;
            }
            let count = at_work.entry(job.0).or_default();
            if *count >= AT_ONCE {
                continue;
            }
            *count += 1;
            let engine = engine.clone();
            let task = self.tasks.spawn(async move {
                match job.0 {
                    Kind::Decide => engine.decide(portal).await.map(|_| true),
                    Kind::Deliver => engine.deliver_due(portal).await.map(|(_, moved)| moved),
                    Kind::Import => engine.import_step(portal).await.map(|_| true),
                    Kind::Replay => engine.replay_step(portal).await,
                    Kind::Remap => engine.remap_step(portal).await,
                    Kind::Remedy => engine.remedy_step(portal).await,
                    Kind::Reconcile => engine.reconcile_step(portal).await.map(|_| true),
                    Kind::Poll => engine.poll_source(portal, job.1).await.map(|_| true),
                }
            });
            board.running.insert(job, task.id());
        }
        Ok(())
    }

    fn ended(&mut self, ended: Ended) {
        let (now, board) = (self.engine.0.deps.clock.now_ms(), &mut self.board);
        let (id, result) = match ended {
            Ok((id, result)) => (id, Some(result)),
            Err(error) => (error.id(), None),
        };
        let Some(job) = board.running.iter().find(|(_, task)| **task == id).map(|(job, _)| *job) else { return };
        board.running.remove(&job);
        board.pause.retain(|_, until| *until > now);
        let Some(result) = result else {
            // The panic itself was logged where it happened. Its leases run out, its open writes are settled.
            tracing::warn!(kind = ?job.0, id = job.1, "a task ended abnormally; it is tried again");
            board.pause.insert(job, now + AFTER_PANIC_MS);
            return;
        };
        let pause = match &result {
            Ok(_) if matches!(job.0, Kind::Import | Kind::Reconcile) => 300,
            Ok(_) if matches!(job.0, Kind::Decide) => DECIDE_PAUSE_MS,
            Ok(true) => 0,
            Ok(false) => IDLE_MS,
            Err(SyncError::Elsewhere(_)) => 1_000,
            Err(SyncError::Portal { error, .. }) => {
                tracing::warn!(portal = job.1, %error, "the portal does not take requests now");
                super::answers::ms(error).clamp(1_000, 300_000)
            }
            Err(error) => {
                tracing::warn!(kind = ?job.0, id = job.1, %error, "work put off");
                5_000
            }
        };
        if pause > 0 {
            board.pause.insert(job, now + pause);
        }
    }
}
