//! Outbox → portal: a few requests in flight, live changes before imports, each write recorded as sent before it is.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::answers::{Outcome, ms, of_portal};
use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::lease::HeldLease;
use super::plan::{Plan, Planned};
use super::reread::READ_MOST;
use crate::bitrix::crm::IMPORT_ROWS;
use crate::bitrix::multifield::Way;
use crate::bitrix::{COMMANDS, Error, Priority};
use crate::domain::PortalId;
use crate::store::outbox::{OutboxRow, Sending};
use crate::store::{inbox, outbox, problems};

/// Requests of one portal under way at once; imports leave one for what people do now.
const IN_FLIGHT: usize = 4;
/// Unanswered requests may commit until the cap; this much is added for clocks and networks.
const CAP_MARGIN_MS: i64 = 5_000;
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
        let turn = self.turn(format!("portal:{portal}"));
        let _turn = turn.lock().await;
        let lease = self.portal_lease(portal).await?;
        let delivery = Arc::new(Delivery::begin(self, portal, lease).await?);
        let result = delivery.work().await;
        if !matches!(result, Err(SyncError::Stopped(_))) {
            delivery.remember_way().await;
            delivery.lease.release().await;
        }
        if let Err(SyncError::Portal { error, .. }) = &result
            && of_portal(error)
        {
            self.0.deps.portals.failed(portal, error).await;
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
        if way != Way::Unknown && way != self.terms.multifield {
            self.engine.0.deps.portals.learned(self.portal, way).await;
        }
    }

    async fn work(self: &Arc<Self>) -> Result<usize, SyncError> {
        let mut jobs: JoinSet<Result<Ended, SyncError>> = JoinSet::new();
        let mut confirmed = 0;
        let mut refused: Option<Error> = None;
        loop {
            let stop = refused.is_some() || self.lease.lost() || self.engine.stopping();
            let mut moved = false;
            if !stop {
                moved = self.settle().await?;
                moved |= self.start(&mut jobs).await?;
            }
            match jobs.join_next().await {
                Some(Ok(Ok(Ended::Went(count)))) => confirmed += count,
                Some(Ok(Ok(Ended::Refused(error)))) => refused = refused.or(Some(error)),
                Some(Ok(Err(error))) => return Err(error),
                // A job that panicked leaves its rows as sent: they are settled like any unknown outcome.
                Some(Err(_)) => return Err(SyncError::Conflict("a delivery job ended abnormally")),
                None if stop || !moved => break,
                None => {}
            }
            self.lanes().waiting.clear();
        }
        match refused {
            Some(error) => Err(SyncError::Portal { portal: self.portal, error }),
            None => Ok(confirmed),
        }
    }

    /// Starts as many jobs as there is work and room for; answers whether anything moved.
    async fn start(self: &Arc<Self>, jobs: &mut JoinSet<Result<Ended, SyncError>>) -> Result<bool, SyncError> {
        let mut moved = false;
        for (priorities, want, room) in LANES {
            if priorities.0 == super::lane(Priority::Import) && self.engine.import_paused(self.portal).await? {
                continue;
            }
            while jobs.len() < room {
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
        while !writes.is_empty() && jobs.len() < room {
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
            lanes.people.remove(&write.row);
        }
        Ok(())
    }

    /// An import's request is worth waiting for until it is full, while more of it is under way.
    async fn more_to_come(
        &self,
        jobs: &JoinSet<Result<Ended, SyncError>>,
        writes: &[Planned],
    ) -> Result<bool, SyncError> {
        if !jobs.is_empty() {
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
            lanes.people.remove(&write.row);
        }
    }

    /// One request: permit, "sent" on disk, the request itself, its answer on disk.
    async fn send(&self, priority: Priority, job: &[Planned]) -> Result<Ended, SyncError> {
        let permit = match self.client.permit(priority).await {
            Ok(permit) => permit,
            Err(error) => return Ok(Ended::Refused(error)),
        };
        self.engine.step("deliver.permit")?;
        let writes = self.mark_sent(job).await?;
        self.engine.step("deliver.marked")?;
        if writes.is_empty() {
            return Ok(Ended::Went(0));
        }
        let commands = self.commands(&writes);
        let calls: Vec<_> = commands.iter().map(|command| command.call.clone()).collect();
        let answers = self.client.batch_with(permit, &calls).await;
        self.engine.step("deliver.answered")?;
        let (outcomes, refused) = match answers {
            Ok(answers) => {
                let refused =
                    answers.iter().filter_map(|one| one.as_ref().err()).find(|error| of_portal(error)).cloned();
                (self.outcomes(&writes, &commands, answers), refused)
            }
            Err(error) => {
                let outcome =
                    if error.outcome_unknown { Outcome::Unknown } else { Outcome::Again { after_ms: ms(&error) } };
                (writes.iter().map(|_| outcome.clone()).collect(), Some(error))
            }
        };
        let confirmed = self.record(&writes, outcomes).await?;
        self.engine.step("deliver.recorded")?;
        Ok(refused.map_or(Ended::Went(confirmed), Ended::Refused))
    }

    /// Answers the writes that may now be sent: those nobody changed since they were planned.
    async fn mark_sent(&self, job: &[Planned]) -> Result<Vec<Planned>, SyncError> {
        let mut rows = Vec::with_capacity(job.len());
        for write in job {
            rows.push(Sending {
                id: write.row,
                seq: write.seq,
                entity: write.entity.type_id(),
                target: write.target,
                kind: if write.target == 0 { "create" } else { "update" },
                write: self.seal_write(write)?,
            });
        }
        let now = self.now();
        let cap = i64::try_from(self.terms.request_cap.as_millis()).unwrap_or(60_000);
        let tx = self.db().begin().await?;
        if !self.lease.may_start(&tx).await? {
            return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
        }
        let marked =
            outbox::mark_sent(&tx, self.portal, self.lease.fence(), now, now + cap + CAP_MARGIN_MS, rows).await?;
        tx.commit().await?;
        let marked: std::collections::HashSet<i64> = marked.into_iter().collect();
        Ok(job.iter().filter(|write| marked.contains(&write.row)).cloned().collect())
    }

    /// Nobody answers for new records, yet: said once a portal, taken back when a rule is chosen.
    pub(super) async fn owner_is_set(&self) -> Result<(), SyncError> {
        if self.terms.owner_rule != crate::domain::OwnerRule::Unset {
            problems::clear(self.db(), self.portal, "portal", "owner.unset").await?;
        }
        Ok(())
    }
}
