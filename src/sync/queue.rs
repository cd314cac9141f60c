//! Portal → us: what the portal keeps for us of what changed (facts §6.4; product §2.2). A row is cleared only when its
//! hint is on disk: whoever dies in between leaves it reserved, and the next reading finds it among the reserved ones.

use std::collections::{BTreeMap, HashMap};

use super::engine::Engine;
use super::error::SyncError;
use super::events::{CrmEvent, PAYLOAD};
use super::lanes::Delivery;
use super::telling::Telling;
use crate::bitrix::queue::{self, Queued};
use crate::bitrix::{Call, Error, Priority};
use crate::domain::{HotelId, PortalId};
use crate::store::inbox::{InboxKind, NewRow};
use crate::store::{StoreError, event_feed, found_changes, inbox};

/// How often the queue is read where the portal does not say that something waits: it may be unable to.
const EVERY_MS: i64 = 120_000;
/// The portal says so within the second: what it tells by events has so long to come by itself.
const PAUSE_MS: i64 = 10_000;
/// However often it says so, readings are so far apart.
const APART_MS: i64 = 20_000;
/// Requests of one reading; what is left waits for the next.
const REQUESTS: usize = 20;
/// What keeps us from the queue alone is looked at again after so long.
const REFUSED_MS: i64 = 600_000;

impl Engine {
    /// The portal says that something waits in its queue.
    pub async fn queue_waits(&self, portal: PortalId) -> Result<(), StoreError> {
        let deps = &self.0.deps;
        event_feed::soon(&deps.db, portal, deps.clock.now_ms() + PAUSE_MS, APART_MS).await
    }
}

impl Delivery {
    pub(super) async fn queue_is_due(&self) -> Result<bool, SyncError> {
        Ok(event_feed::is_due(self.db(), self.portal, self.now()).await?)
    }

    /// Reads the queue until it is empty.
    pub(super) async fn read_queue(&self) -> Result<(), SyncError> {
        let now = self.now();
        event_feed::read(self.db(), self.portal, now, now + EVERY_MS).await?;
        match self.empty_queue().await {
            Err(SyncError::Portal { error, .. }) if error.code() == "wrong_license" => {
                tracing::info!(portal = %self.portal, "the portal's plan has no queue any more; its changes are found by looking");
                Ok(event_feed::no_queue(self.db(), self.portal).await?)
            }
            done => done,
        }
    }

    /// The queue alone cannot be read; everything else goes on.
    pub(super) async fn queue_refused(&self, error: &Error) -> Result<(), SyncError> {
        tracing::warn!(portal = %self.portal, %error, "the portal's queue cannot be read now");
        let wait = error.retry_after().and_then(|after| i64::try_from(after.as_millis()).ok()).unwrap_or(REFUSED_MS);
        Ok(event_feed::later(self.db(), self.portal, self.now() + wait.max(5_000), APART_MS).await?)
    }

    async fn empty_queue(&self) -> Result<(), SyncError> {
        let portal = |error| SyncError::Portal { portal: self.portal, error };
        let Some(feed) = event_feed::of_portal(self.db(), self.portal).await? else { return Ok(()) };
        let mut taken: Vec<Call> = Vec::new();
        for _ in 0..REQUESTS {
            let mut calls = std::mem::take(&mut taken);
            // Asked for before more is reserved, it shows only what somebody left behind.
            calls.extend([queue::reserved(), queue::reserve()]);
            let asked_at = self.now();
            let (mut rows, mut started_at) = (Vec::new(), None);
            for answer in self.many(Priority::Reconciliation, &calls).await.map_err(portal)? {
                let answer = answer.map_err(portal)?;
                started_at = started_at.or(answer.timing.started_at);
                rows.extend(queue::rows(&answer));
            }
            if rows.is_empty() {
                return Ok(());
            }
            self.take_rows(&rows, Telling::new(feed, asked_at, started_at)).await?;
            self.engine.step("queue.taken")?;
            let mut by_process: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
            for row in &rows {
                by_process.entry(&row.process).or_default().push(row.id);
            }
            taken = by_process.into_iter().map(|(process, ids)| queue::clear(process, &ids)).collect();
            if self.lease.lost() || self.engine.stopping() {
                return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
            }
        }
        self.many(Priority::Reconciliation, &taken).await.map_err(portal)?;
        Ok(())
    }

    /// Hints that no event has given yet go to the inbox.
    async fn take_rows(&self, rows: &[Queued], telling: Telling) -> Result<(), SyncError> {
        // A record that was made and changed has a row for each.
        let mut newest: HashMap<String, (CrmEvent, i64)> = HashMap::new();
        for row in rows {
            let Some(hint) = row.hint else { continue };
            let (entity, crm_id) = (hint.entity_type_id, hint.id);
            let event = CrmEvent { event: row.event.clone(), entity, crm_id, ts: row.at / 1_000 };
            let at = telling.ours(row.at);
            if newest.get(&event.subject()).is_none_or(|(_, held)| *held < at) {
                newest.insert(event.subject(), (event, at));
            }
        }
        let changes: Vec<(String, i64)> = newest.iter().map(|(subject, (_, at))| (subject.clone(), *at)).collect();
        let tx = self.db().begin().await?;
        if !self.lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
        }
        let told = found_changes::told(&tx, self.portal, &changes).await?;
        let mut hints = Vec::new();
        for ((subject, _), _) in changes.iter().zip(told).filter(|(_, told)| !told) {
            let Some((event, _)) = newest.get(subject) else { continue };
            let plain = serde_json::to_vec(event).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
            hints.push(NewRow {
                hotel: HotelId(0),
                kind: InboxKind::Found,
                subject: subject.clone(),
                priority: super::lane(Priority::Live),
                payload: self.key.seal(PAYLOAD, &plain).map_err(StoreError::from)?,
                hash: String::new(),
            });
        }
        inbox::add(&tx, self.portal, hints, self.now()).await?;
        telling.note(&tx, self.portal, changes).await?;
        tx.commit().await?;
        self.engine.wake();
        Ok(())
    }
}
