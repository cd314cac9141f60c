//! Outbox → portal: a few requests in flight, live changes before imports, each write recorded as sent before it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::answers::{Outcome, ms, of_portal};
use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::lease::HeldLease;
use super::plan::{Plan, Planned};
use super::reread::READ_MOST;
use super::strangers::REINSTALLED;
use crate::bitrix::crm::IMPORT_ROWS;
use crate::bitrix::multifield::Way;
use crate::bitrix::{COMMANDS, Class, Error, Priority};
use crate::domain::PortalId;
use crate::store::outbox::{OutboxRow, Sending};
use crate::store::{inbox, outbox, sources};

/// Requests of one portal under way at once; imports leave one for what people do now.
const IN_FLIGHT: usize = 4;
/// Unanswered requests may commit until the cap; this much is added for clocks and networks.
const CAP_MARGIN_MS: i64 = 5_000;
/// How often live changes are looked for while requests are under way.
const LOOK_MS: u64 = 250;
/// A request that could not leave so soon after it was marked does not leave: its hold would end too early.
const LEAVES_WITHIN_MS: i64 = 4_000;
/// How long an import that does not fill a request waits for more of it to come in.
const LINGER_MS: i64 = 3_000;

/// Priorities, rows looked at together, requests these priorities may have in flight.
const LANES: [((i32, i32), usize, usize); 3] =
    [((0, 1), 200, IN_FLIGHT), ((2, 2), COMMANDS * IMPORT_ROWS, IN_FLIGHT - 1), ((3, 3), 200, IN_FLIGHT - 2)];

/// How a job ended.
enum Ended {
    Went(usize),
    /// The portal as a whole did not take it.
    Refused(Error),
}

impl Engine {
    /// Sends what waits in the outbox of a portal until nothing is due; answers how many records were confirmed.
    pub async fn deliver(&self, portal: PortalId) -> Result<usize, SyncError> {
        Ok(self.deliver_due(portal).await?.0)
    }

    /// The same; answers as well whether anything could be done at all.
    pub(super) async fn deliver_due(&self, portal: PortalId) -> Result<(usize, bool), SyncError> {
        let turn = self.turn(format!("portal:{portal}"));
        let _turn = turn.lock().await;
        let lease = Arc::new(self.portal_lease(portal).await?);
        let result = self.deliver_under(portal, lease.clone()).await;
        lease.ended(&result).await;
        if let Err(SyncError::Portal { error, .. }) = &result
            && of_portal(error)
        {
            self.0.deps.portals.failed(portal, error).await;
        }
        result
    }

    async fn deliver_under(&self, portal: PortalId, lease: Arc<HeldLease>) -> Result<(usize, bool), SyncError> {
        let delivery = Arc::new(Delivery::begin(self, portal, lease).await?);
        let result = delivery.work().await;
        if !matches!(result, Err(SyncError::Stopped(_))) {
            delivery.remember_way().await;
        }
        result
    }

    pub(super) async fn portal_lease(&self, portal: PortalId) -> Result<HeldLease, SyncError> {
        let deps = &self.0.deps;
        let name = format!("portal:{portal}");
        HeldLease::take(&deps.db, &deps.clock, &name, &self.0.node, deps.lease).await?.ok_or(SyncError::Elsewhere(name))
    }
}

impl Delivery {
    async fn remember_way(&self) {
        let way = self.way();
        if way != Way::Unknown && way != self.ground.terms.multifield {
            self.engine.0.deps.portals.learned(self.portal, way).await;
        }
    }

    /// Whatever ends the work early, requests under way are waited for: cut off, their outcome would be unknown.
    async fn work(self: &Arc<Self>) -> Result<(usize, bool), SyncError> {
        let mut jobs: JoinSet<Result<Ended, SyncError>> = JoinSet::new();
        let (mut confirmed, mut anything, mut all) = (0, false, true);
        let mut failed: Option<SyncError> = None;
        loop {
            let mut stop = failed.is_some() || self.lease.lost() || self.engine.stopping();
            if !stop {
                match self.outdated().await {
                    Ok(outdated) => stop = outdated,
                    Err(error) => failed = Some(error),
                }
                stop |= failed.is_some();
            }
            let mut moved = false;
            if !stop {
                match self.advance(&mut jobs, all).await {
                    Ok(went) => moved = went,
                    Err(error @ SyncError::Stopped(_)) => return Err(error),
                    Err(error) => failed = Some(error),
                }
                anything |= moved;
            }
            let look = self.engine.0.deps.clock.sleep(Duration::from_millis(LOOK_MS));
            let ended = tokio::select! {
                biased;
                ended = jobs.join_next() => ended,
                () = look, if !stop && failed.is_none() && !jobs.is_empty() => {
                    // Beside a scan alone everything may start.
                    all = self.busy(&jobs) == 0;
                    continue;
                }
            };
            match ended {
                Some(Ok(Ok(Ended::Went(count)))) => confirmed += count,
                Some(Ok(Ok(Ended::Refused(error)))) => {
                    failed = failed.or(Some(SyncError::Portal { portal: self.portal, error }));
                }
                Some(Ok(Err(error @ SyncError::Stopped(_)))) => return Err(error),
                Some(Ok(Err(error))) => failed = failed.or(Some(error)),
                // A job that panicked leaves its rows as sent: they are settled like any unknown outcome.
                Some(Err(_)) => failed = failed.or(Some(SyncError::Conflict("a delivery job ended abnormally"))),
                None if stop || !moved => break,
                None => {}
            }
            all = true;
            self.lanes().waiting.clear();
        }
        failed.map_or(Ok((confirmed, anything)), Err)
    }

    /// Settles and starts what can be; while requests are under way only what is live.
    async fn advance(
        self: &Arc<Self>,
        jobs: &mut JoinSet<Result<Ended, SyncError>>,
        all: bool,
    ) -> Result<bool, SyncError> {
        let scanning = self.scan_is_due().await?;
        if scanning {
            self.spawn_scan(jobs);
        }
        let settled = all && self.settle().await?;
        let lanes = if all { LANES.as_slice() } else { LANES.get(..1).unwrap_or_default() };
        Ok(self.start(jobs, lanes).await? || settled || scanning)
    }

    fn spawn_scan(self: &Arc<Self>, jobs: &mut JoinSet<Result<Ended, SyncError>>) {
        self.lanes().scanning = true;
        let delivery = self.clone();
        jobs.spawn(async move {
            let result = delivery.scan_beside().await;
            delivery.lanes().scanning = false;
            match result {
                Ok(_) => Ok(Ended::Went(0)),
                Err(SyncError::Portal { error, .. }) => Ok(Ended::Refused(error)),
                Err(error) => Err(error),
            }
        });
    }

    /// Jobs under way beside a scan, which brings nothing to send and takes nobody's place.
    fn busy(&self, jobs: &JoinSet<Result<Ended, SyncError>>) -> usize {
        jobs.len().saturating_sub(usize::from(self.lanes().scanning))
    }

    /// Starts as many jobs as there is work and room for; answers whether anything moved.
    async fn start(
        self: &Arc<Self>,
        jobs: &mut JoinSet<Result<Ended, SyncError>>,
        lanes: &[((i32, i32), usize, usize)],
    ) -> Result<bool, SyncError> {
        let mut moved = false;
        for (priorities, want, room) in lanes.iter().copied() {
            if priorities.0 == super::lane(Priority::Import) && self.engine.import_paused(self.portal).await? {
                continue;
            }
            while self.busy(jobs) < room {
                let rows = self.take(priorities, want).await?;
                if rows.is_empty() {
                    break;
                }
                self.index_first().await?;
                let plan = self.plan(rows).await?;
                let settled = plan.dropped.len() + plan.rejected.len() + plan.later.len() + plan.links.len();
                let before = jobs.len();
                self.spawn(plan, jobs, priorities.0, room).await?;
                moved |= settled > 0 || jobs.len() > before;
                if settled == 0 && jobs.len() == before {
                    break;
                }
            }
        }
        Ok(moved)
    }

    async fn take(&self, priorities: (i32, i32), want: usize) -> Result<Vec<OutboxRow>, SyncError> {
        let taken = {
            let lanes = self.lanes();
            lanes.rows.len() + lanes.waiting.len()
        };
        // Some of what is due waits for guests in flight: look a little further.
        let limit = i64::try_from(want + want / 10 + taken).unwrap_or(5_000);
        let rows = outbox::due(self.db(), self.portal, priorities, self.now(), limit).await?;
        let rows = self.known(rows).await?;
        let lanes = self.lanes();
        Ok(rows.into_iter().filter(|row| !lanes.rows.contains(&row.id) && !lanes.waiting.contains(&row.id)).collect())
    }

    async fn spawn(
        self: &Arc<Self>,
        plan: Plan,
        jobs: &mut JoinSet<Result<Ended, SyncError>>,
        lane: i32,
        room: usize,
    ) -> Result<(), SyncError> {
        let priority = super::priority(lane);
        if !plan.reads.is_empty() || !plan.rereads.is_empty() {
            self.spawn_read(&plan, jobs, priority);
        }
        let mut writes = plan.writes;
        while !writes.is_empty() && self.busy(jobs) < room {
            let taken = self.fill(&writes);
            let partial = !self.is_full(&writes, taken);
            if lane == super::lane(Priority::Import) && partial && self.more_to_come(jobs, &writes).await? {
                break;
            }
            let rest = writes.split_off(taken);
            let job = std::mem::replace(&mut writes, rest);
            self.reserve(&job);
            let delivery = self.clone();
            jobs.spawn(async move {
                let result = delivery.send(priority, &job).await;
                delivery.free(&job);
                result
            });
        }
        // What found no room is planned anew.
        let mut lanes = self.lanes();
        for write in writes {
            lanes.people.remove(write.row);
        }
        Ok(())
    }

    /// An import's request is worth waiting for until it is full, while more of it is under way.
    async fn more_to_come(
        &self,
        jobs: &JoinSet<Result<Ended, SyncError>>,
        writes: &[Planned],
    ) -> Result<bool, SyncError> {
        if self.busy(jobs) > 0 {
            return Ok(true);
        }
        let oldest = writes.iter().map(|write| write.seen_at).min().unwrap_or_default();
        Ok(self.now() - oldest < LINGER_MS
            && inbox::waiting_of(self.db(), self.portal, super::lane(Priority::Import)).await? > 0)
    }

    fn spawn_read(self: &Arc<Self>, plan: &Plan, jobs: &mut JoinSet<Result<Ended, SyncError>>, priority: Priority) {
        let mut wanted = plan.reads.clone();
        let mut rows: Vec<i64> = plan.read_for.iter().map(|(row, _)| *row).collect();
        let mut hints = Vec::new();
        let mut count: usize = wanted.values().map(std::collections::BTreeSet::len).sum();
        for (row, seq, entity, id) in &plan.rereads {
            if count >= READ_MOST {
                break;
            }
            count += usize::from(wanted.entry(*entity).or_default().insert(*id));
            rows.push(*row);
            hints.push((*row, *seq));
        }
        self.lanes().rows.extend(rows.iter().copied());
        let delivery = self.clone();
        jobs.spawn(async move {
            let result = delivery.look(priority, &wanted, &rows, &hints).await;
            let mut lanes = delivery.lanes();
            for row in &rows {
                lanes.rows.remove(row);
            }
            drop(lanes);
            result
        });
    }

    async fn look(
        &self,
        priority: Priority,
        wanted: &std::collections::BTreeMap<crate::domain::CrmEntity, std::collections::BTreeSet<i64>>,
        rows: &[i64],
        hints: &[(i64, i64)],
    ) -> Result<Ended, SyncError> {
        self.engine.step("deliver.read")?;
        if let Err(error) = self.read(priority, wanted).await {
            outbox::postpone(self.db(), self.portal, rows, self.now() + ms(&error).max(1_000)).await?;
            // Records that may not be read are no reason to leave all others waiting.
            if error.class == Class::Permanent {
                tracing::warn!(portal = %self.portal, %error, "records cannot be read; they are tried again later");
                return Ok(Ended::Went(0));
            }
            return Ok(Ended::Refused(error));
        }
        let tx = self.db().begin().await?;
        outbox::drop_unsent(&tx, self.portal, hints).await?;
        tx.commit().await?;
        Ok(Ended::Went(0))
    }

    fn reserve(&self, job: &[Planned]) {
        let mut lanes = self.lanes();
        for write in job {
            lanes.rows.insert(write.row);
            lanes.subjects.insert(write.subject.to_string());
            if write.target != 0 {
                lanes.records.insert((write.entity, write.target));
            }
        }
    }

    fn free(&self, job: &[Planned]) {
        let mut lanes = self.lanes();
        for write in job {
            lanes.rows.remove(&write.row);
            lanes.subjects.remove(&write.subject.to_string());
            lanes.records.remove(&(write.entity, write.target));
            if !lanes.unheard.contains(&write.row) {
                lanes.people.remove(write.row);
            }
        }
    }

    /// One request: permit, "sent" on disk, the request itself, its answer on disk.
    async fn send(&self, priority: Priority, job: &[Planned]) -> Result<Ended, SyncError> {
        let permit = match self.client.permit(priority).await {
            Ok(permit) => permit,
            Err(error) => return Ok(Ended::Refused(error)),
        };
        self.engine.step("deliver.permit")?;
        let (writes, marked_at) = self.mark_sent(job).await?;
        self.engine.step("deliver.marked")?;
        if writes.is_empty() {
            return Ok(Ended::Went(0));
        }
        let commands = self.commands(&writes);
        let calls: Vec<_> = commands.iter().map(|command| command.call.clone()).collect();
        let leaves_at = self.now();
        let answers = self.client.batch_with(permit.leaving_by(marked_at + LEAVES_WITHIN_MS), &calls).await;
        self.engine.step("deliver.answered")?;
        let answers = match answers {
            // What the portal says to a command that travels as a request of its own, it says of that command.
            Err(error) if calls.len() == 1 && error.class == Class::Permanent => Ok(vec![Err(error)]),
            answers => answers,
        };
        let (outcomes, refused) = match answers {
            Ok(answers) => {
                let refused =
                    answers.iter().filter_map(|one| one.as_ref().err()).find(|error| of_portal(error)).cloned();
                (self.outcomes(&writes, &commands, answers), refused)
            }
            Err(error) => {
                if error.outcome_unknown {
                    let kinds: Vec<_> = commands.iter().map(|command| command.kind).collect();
                    let waited = Duration::from_millis(u64::try_from(self.now() - leaves_at).unwrap_or_default());
                    self.engine.0.speeds.unanswered(self.portal, &kinds, writes.len(), waited.as_secs_f64());
                }
                let outcome =
                    if error.outcome_unknown { Outcome::Unknown } else { Outcome::Again { after_ms: ms(&error) } };
                (writes.iter().map(|_| outcome.clone()).collect(), Some(error))
            }
        };
        let confirmed = self.record(&writes, outcomes).await?;
        self.engine.step("deliver.recorded")?;
        Ok(refused.map_or(Ended::Went(confirmed), Ended::Refused))
    }

    /// Answers the writes that may now be sent (those that nobody changed and whose hotel nobody stopped since they were
    /// planned), and since when.
    async fn mark_sent(&self, job: &[Planned]) -> Result<(Vec<Planned>, i64), SyncError> {
        let mut rows = Vec::with_capacity(job.len());
        for write in job {
            rows.push(Sending {
                id: write.row,
                seq: write.seq,
                entity: write.entity.type_id(),
                target: write.target,
                kind: match write.target {
                    0 => "create",
                    _ if write.deletes => "delete",
                    _ => "update",
                },
                write: self.seal_write(write)?,
            });
        }
        let cap = i64::try_from(self.ground.terms.request_cap.as_millis()).unwrap_or(60_000);
        let tx = self.db().begin().await?;
        // Not before: a busy database may let the transaction wait, and the hold counts from here.
        let now = self.now();
        if !self.lease.may_start(&tx).await? {
            return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
        }
        let stopped = sources::stopped_hotels(&tx, self.portal, REINSTALLED).await?;
        let held = |write: &Planned| write.subject.hotel().is_some_and(|hotel| stopped.contains(&hotel));
        let rows = job.iter().zip(rows).filter(|(write, _)| !held(write)).map(|(_, row)| row).collect();
        let marked =
            outbox::mark_sent(&tx, self.portal, self.lease.fence(), now, now + cap + CAP_MARGIN_MS, rows).await?;
        tx.commit().await?;
        let marked: std::collections::HashSet<i64> = marked.into_iter().collect();
        Ok((job.iter().filter(|write| marked.contains(&write.row)).cloned().collect(), now))
    }
}
