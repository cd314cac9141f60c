//! The loops: who has work gets a task, one of each kind per portal or source, until told to stop.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::error::SyncError;
use crate::domain::PortalId;
use crate::store::{StoreError, gates, idempotency, inbox, request_log, sources, work};

/// How often the loops look when nothing wakes them.
const TICK: Duration = Duration::from_millis(500);
/// The pause after a delivery for which all that is due still waits for something.
const IDLE_MS: i64 = 300;
/// The pause after a decision: a stream of events is decided in portions, not one by one.
const DECIDE_PAUSE_MS: i64 = 200;
/// Portals and sources worked on at once.
const AT_ONCE: usize = 64;
/// Raw input is kept for replay (product §9).
const KEEP_INPUT_MS: i64 = 30 * 24 * 3_600_000;
const PURGE_STEP: i64 = 500;
const PURGE_EVERY_MS: i64 = 10_000;
const ACTIVE_EVERY_MS: i64 = 3_000;
const COUNT_EVERY_MS: i64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Decide,
    Deliver,
    Import,
    Poll,
}

type Job = (Kind, i64);

#[derive(Default)]
struct Board {
    running: HashSet<Job>,
    /// Jobs that failed or found another node at work: not before this moment.
    pause: HashMap<Job, i64>,
    active: HashSet<PortalId>,
    active_at: i64,
    purged_at: i64,
    counted_at: i64,
}

impl Board {
    /// How long nothing need be looked at: a tick, or until the next pause ends.
    fn rest(&self, now: i64) -> Duration {
        let next = self.pause.values().map(|until| until - now).filter(|left| *left > 0).min();
        next.and_then(|left| u64::try_from(left).ok()).map_or(TICK, |left| Duration::from_millis(left).min(TICK))
    }
}

impl Engine {
    /// Works until told to stop; what is in flight is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut board = Board::default();
        let mut tasks: JoinSet<(Job, Result<bool, SyncError>)> = JoinSet::new();
        let slots = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        while !stop.is_cancelled() {
            if let Err(error) = self.look(&mut board, &mut tasks, &slots).await {
                tracing::error!(%error, "the work to do cannot be read");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.wake.notified() => {}
                () = self.0.deps.clock.sleep(board.rest(self.0.deps.clock.now_ms())) => {}
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => self.ended(&mut board, ended),
            }
            while let Some(ended) = tasks.try_join_next() {
                self.ended(&mut board, ended);
            }
        }
        self.stop();
        while let Some(ended) = tasks.join_next().await {
            self.ended(&mut board, ended);
        }
    }

    async fn look(
        &self,
        board: &mut Board,
        tasks: &mut JoinSet<(Job, Result<bool, SyncError>)>,
        slots: &Arc<tokio::sync::Semaphore>,
    ) -> Result<(), StoreError> {
        let deps = &self.0.deps;
        let (db, now) = (&deps.db, deps.clock.now_ms());
        if now - board.active_at > ACTIVE_EVERY_MS {
            board.active = deps.portals.active().await?.into_iter().collect();
            board.active_at = now;
            self.gauges().await?;
        }
        if now - board.counted_at > COUNT_EVERY_MS {
            board.counted_at = now;
            self.table_gauges().await?;
        }
        if now - board.purged_at > PURGE_EVERY_MS {
            board.purged_at = now;
            inbox::purge(db, now - KEEP_INPUT_MS, PURGE_STEP).await?;
            request_log::purge(db, now, PURGE_STEP).await?;
            idempotency::purge(db, now, PURGE_STEP).await?;
            gates::purge(db, now).await?;
        }
        let mut jobs: Vec<(Job, PortalId)> = Vec::new();
        let of = |kind, portals: Vec<PortalId>| portals.into_iter().map(move |portal| ((kind, portal.0), portal));
        jobs.extend(of(Kind::Decide, work::to_decide(db, now).await?));
        jobs.extend(of(Kind::Deliver, work::to_deliver(db, now).await?));
        // What changed in the portal is read beside what is sent.
        jobs.extend(of(Kind::Deliver, work::to_scan(db, now).await?));
        jobs.extend(of(Kind::Import, work::to_import(db).await?));
        let limit = i64::try_from(AT_ONCE).unwrap_or(64);
        jobs.extend(sources::due(db, now, limit).await?.into_iter().map(|due| ((Kind::Poll, due.id), due.portal)));
        for (job, portal) in jobs {
            let paused = board.pause.get(&job).is_some_and(|until| *until > now);
            if paused || !board.active.contains(&portal) || board.running.contains(&job) {
                continue;
            }
            let Ok(slot) = slots.clone().try_acquire_owned() else { break };
            board.running.insert(job);
            let engine = self.clone();
            tasks.spawn(async move {
                let _slot = slot;
                let result = match job.0 {
                    Kind::Decide => engine.decide(portal).await.map(|_| true),
                    Kind::Deliver => engine.deliver_due(portal).await.map(|(_, moved)| moved),
                    Kind::Import => engine.import_step(portal).await.map(|_| true),
                    Kind::Poll => engine.poll_source(portal, job.1).await.map(|_| true),
                };
                (job, result)
            });
        }
        Ok(())
    }

    fn ended(&self, board: &mut Board, ended: Result<(Job, Result<bool, SyncError>), tokio::task::JoinError>) {
        let now = self.0.deps.clock.now_ms();
        let Ok((job, result)) = ended else {
            // Which job it was is lost with it; a fresh board lets everything run again.
            tracing::error!("a task of the engine ended abnormally");
            board.running.clear();
            return;
        };
        board.running.remove(&job);
        board.pause.retain(|_, until| *until > now);
        let pause = match &result {
            Ok(_) if matches!(job.0, Kind::Import) => 300,
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
