//! Outbox → portal: a few requests in flight, live changes before imports, each write recorded as sent before it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::answers::{ms, of_portal};
use super::engine::Engine;
use super::error::SyncError;
use super::jobs::{Ended, Finished, Jobs};
use super::lanes::Delivery;
use super::lease::HeldLease;
use super::pack::Packed;
use super::plan::{Plan, Planned};
use super::refer::Sign;
use super::reread::READ_MOST;
use crate::bitrix::crm::IMPORT_ROWS;
use crate::bitrix::multifield::Way;
use crate::bitrix::{COMMANDS, Class, Priority};
use crate::domain::{CrmEntity, PortalId};
use crate::store::jobs::{self, JobKind};
use crate::store::outbox::OutboxRow;
use crate::store::{inbox, outbox};

/// Requests of one portal under way at once; imports leave one for what people do now.
const IN_FLIGHT: usize = 4;
/// How often live changes are looked for while requests are under way.
const LOOK_MS: u64 = 250;
/// How long an import that does not fill a request waits for more of it to come in.
const LINGER_MS: i64 = 3_000;

/// How often the next rows of an import are looked at when all before them wait for a method's limit: others may go.
const LOOK_AHEAD: usize = 3;

/// Priorities, rows looked at together, requests these priorities may have in flight.
const LANES: [((i32, i32), usize, usize); 3] =
    [((0, 1), 200, IN_FLIGHT), ((2, 2), COMMANDS * IMPORT_ROWS, IN_FLIGHT - 1), ((3, 3), 200, IN_FLIGHT - 2)];

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
        let way = self.lanes().phones.way;
        if way != Way::Unknown && way != self.ground.terms.multifield {
            self.engine.0.deps.portals.learned(self.portal, way).await;
        }
    }

    /// Whatever ends the work early, requests under way are waited for: cut off, their outcome would be unknown.
    async fn work(self: &Arc<Self>) -> Result<(usize, bool), SyncError> {
        let mut jobs = Jobs::default();
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
                ended = jobs.next() => ended,
                () = look, if !stop && failed.is_none() && !jobs.is_empty() => {
                    // Beside a scan alone everything may start.
                    all = jobs.busy() == 0;
                    continue;
                }
            };
            match ended {
                Some(Ok(Ended::Went(count))) => confirmed += count,
                Some(Ok(Ended::Refused(error))) => {
                    failed = failed.or(Some(SyncError::Portal { portal: self.portal, error }));
                }
                Some(Err(error @ SyncError::Stopped(_))) => return Err(error),
                Some(Err(error)) => failed = failed.or(Some(error)),
                None if stop || !moved => break,
                None => {}
            }
            all = true;
            self.lanes().waiting.clear();
        }
        failed.map_or(Ok((confirmed, anything)), Err)
    }

    /// Settles and starts what can be; while requests are under way only what is live.
    async fn advance(self: &Arc<Self>, jobs: &mut Jobs, all: bool) -> Result<bool, SyncError> {
        let scan = !jobs.scanning() && (self.scan_is_due().await? || self.queue_is_due().await?);
        if scan {
            let delivery = self.clone();
            jobs.spawn_scan(async move { delivery.scan_beside().await });
        }
        let settled = all && self.settle().await?;
        let lanes = if all { LANES.as_slice() } else { LANES.get(..1).unwrap_or_default() };
        Ok(self.start(jobs, lanes).await? || settled || scan)
    }

    /// Starts as many jobs as there is work and room for; answers whether anything moved.
    async fn start(self: &Arc<Self>, jobs: &mut Jobs, lanes: &[((i32, i32), usize, usize)]) -> Result<bool, SyncError> {
        let mut moved = false;
        for (priorities, want, room) in lanes.iter().copied() {
            let importing = priorities.0 == super::lane(Priority::Import);
            if importing && self.engine.0.lulls.is_on(self.portal, self.now()) {
                continue;
            }
            let (mut ahead, mut looks, mut opens) = (0, 0, i64::MAX);
            while jobs.busy() < room {
                let waited = self.lanes().waiting.len();
                let rows = self.take(priorities, want).await?;
                if rows.is_empty() {
                    break;
                }
                self.index_first().await?;
                let order: HashMap<i64, usize> = rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
                let mut plan = self.plan(rows).await?;
                plan.writes.sort_by_key(|write| order.get(&write.row).copied());
                let ended = plan.dropped.len()
                    + plan.rejected.len()
                    + plan.failed.len()
                    + plan.links.len()
                    + plan.unlinked.len();
                let settled = ended + plan.later.len();
                let next = plan.later.iter().map(|(_, until)| *until).min().unwrap_or(i64::MAX);
                let stuck = ended == 0 && plan.writes.is_empty() && self.lanes().waiting.len() == waited;
                let opens_at = plan.opens_at.filter(|_| stuck);
                let before = jobs.busy();
                let held_until = self.spawn(plan, jobs, priorities.0, room).await?;
                let nothing_before = held_until.or(opens_at.filter(|_| jobs.busy() == before));
                moved |= settled > 0 || jobs.busy() > before || nothing_before.is_some();
                if let Some(until) = nothing_before {
                    (ahead, opens) = (ahead + 1, opens.min(until).min(next));
                    if ahead >= LOOK_AHEAD {
                        if importing {
                            self.engine.0.lulls.begin(self.portal, opens);
                        }
                        break;
                    }
                } else if jobs.busy() > before {
                    (ahead, opens) = (0, i64::MAX);
                } else if settled == 0 && jobs.busy() == before {
                    // What waits for guests in flight leaves room for what comes after it.
                    looks += 1;
                    if looks >= LOOK_AHEAD || self.lanes().waiting.len() == waited {
                        break;
                    }
                }
            }
        }
        Ok(moved)
    }

    async fn take(&self, priorities: (i32, i32), want: usize) -> Result<Vec<OutboxRow>, SyncError> {
        let taken = {
            let lanes = self.lanes();
            lanes.flight.rows.len() + lanes.waiting.len()
        };
        // Some of what is due waits for guests in flight: look a little further.
        let most = want + want / 10;
        let limit = i64::try_from(most + taken).unwrap_or(5_000);
        // A paused import sends nothing more either.
        let paused = match priorities.0 == super::lane(Priority::Import) {
            true => jobs::paused(self.db(), self.portal, JobKind::Import).await?,
            false => Vec::new(),
        };
        let rows = outbox::due(self.db(), self.portal, priorities, &paused, self.now(), limit).await?;
        let rows = self.known(rows).await?;
        let lanes = self.lanes();
        Ok(rows
            .into_iter()
            .filter(|row| !lanes.flight.rows.contains(&row.id) && !lanes.waiting.contains(&row.id))
            .take(most)
            .collect())
    }

    /// Answers until when nothing of the plan's writes has room, if that is so of all of them.
    async fn spawn(
        self: &Arc<Self>,
        plan: Plan,
        jobs: &mut Jobs,
        lane: i32,
        room: usize,
    ) -> Result<Option<i64>, SyncError> {
        let priority = super::priority(lane);
        if !plan.reads.is_empty() || !plan.rereads.is_empty() {
            self.spawn_read(&plan, jobs, priority);
        }
        if !plan.sought.is_empty() {
            self.spawn_search(plan.sought, jobs, priority);
        }
        let mut writes = plan.writes;
        let mut held: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        let before = jobs.busy();
        while !writes.is_empty() && jobs.busy() < room {
            let packed = self.pack(&writes, lane);
            if lane == super::lane(Priority::Import) && !packed.full && self.more_to_come(jobs, &writes).await? {
                break;
            }
            let (job, rest) = self.part(writes, &packed, &mut held);
            writes = rest;
            if job.is_empty() {
                break;
            }
            let share = self.client.reserve(job.iter().map(|write| (self.kind(write).method(), 1)));
            self.lanes().flight.begin(&job);
            let delivery = self.clone();
            jobs.spawn(async move {
                let result = delivery.send(priority, &job, share).await;
                let mut lanes = delivery.lanes();
                lanes.flight.end(&job);
                job.iter().for_each(|write| lanes.births.sent(write.row));
                result
            });
        }
        {
            // What found no room is planned anew.
            let mut lanes = self.lanes();
            let left = writes.iter().map(|write| write.row).chain(held.values().flatten().copied());
            left.for_each(|row| lanes.births.remove(row));
        }
        for (until, rows) in &held {
            outbox::postpone(self.db(), self.portal, rows, *until).await?;
        }
        let idle = writes.is_empty() && jobs.busy() == before;
        Ok(held.first_key_value().map(|(until, _)| *until).filter(|_| idle))
    }

    /// Takes what was packed out of the writes, and what must wait for its method's limit.
    fn part(
        &self,
        writes: Vec<Planned>,
        packed: &Packed,
        held: &mut BTreeMap<i64, Vec<i64>>,
    ) -> (Vec<Planned>, Vec<Planned>) {
        let now = self.now();
        let (mut job, mut rest) = (Vec::with_capacity(packed.taken.len()), Vec::new());
        let (mut taken, mut waits) = (packed.taken.iter().peekable(), packed.held.iter().peekable());
        for (at, write) in writes.into_iter().enumerate() {
            if taken.next_if(|next| **next == at).is_some() {
                job.push(write);
            } else if let Some((_, until)) = waits.next_if(|next| next.0 == at).filter(|(_, until)| *until > now) {
                held.entry(*until).or_default().push(write.row);
            } else {
                rest.push(write);
            }
        }
        (job, rest)
    }

    /// An import's request is worth waiting for until it is full, while more of it is under way.
    async fn more_to_come(&self, jobs: &Jobs, writes: &[Planned]) -> Result<bool, SyncError> {
        if jobs.busy() > 0 {
            return Ok(true);
        }
        let oldest = writes.iter().map(|write| write.seen_at).min().unwrap_or_default();
        Ok(self.now() - oldest < LINGER_MS
            && inbox::waiting_of(self.db(), self.portal, super::lane(Priority::Import)).await? > 0)
    }

    fn spawn_read(self: &Arc<Self>, plan: &Plan, jobs: &mut Jobs, priority: Priority) {
        let mut wanted = plan.reads.clone();
        let mut rows: Vec<i64> = plan.read_for.iter().map(|(row, _)| *row).collect();
        let mut hints = Vec::new();
        let mut count: usize = wanted.values().map(BTreeSet::len).sum();
        for (row, seq, entity, id) in &plan.rereads {
            if count >= READ_MOST {
                break;
            }
            count += usize::from(wanted.entry(*entity).or_default().insert(*id));
            rows.push(*row);
            hints.push((*row, *seq));
        }
        self.lanes().flight.rows.extend(rows.iter().copied());
        let delivery = self.clone();
        jobs.spawn(async move {
            let result = delivery.look(priority, &wanted, &rows, &hints).await;
            let mut lanes = delivery.lanes();
            for row in &rows {
                lanes.flight.rows.remove(row);
            }
            result
        });
    }

    fn spawn_search(self: &Arc<Self>, sought: Vec<(i64, Sign)>, jobs: &mut Jobs, priority: Priority) {
        self.lanes().flight.rows.extend(sought.iter().map(|(row, _)| *row));
        let delivery = self.clone();
        jobs.spawn(async move {
            let result = delivery.search(priority, &sought).await;
            let mut lanes = delivery.lanes();
            for (row, _) in &sought {
                lanes.flight.rows.remove(row);
            }
            result
        });
    }

    async fn look(
        &self,
        priority: Priority,
        wanted: &BTreeMap<CrmEntity, BTreeSet<i64>>,
        rows: &[i64],
        hints: &[(i64, i64)],
    ) -> Finished {
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
}
