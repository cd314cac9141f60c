//! What changed in the portal by other hands: the matching index is filled once by fast listing and kept fresh by
//! `updatedTime` (facts §3.4; product §2.2, §2.8).

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::answers::{ms, of_portal};
use super::engine::Engine;
use super::error::SyncError;
use super::jobs::{Ended, Finished};
use super::lanes::Delivery;
use super::owned::portal_time;
use super::reread::Seen;
use super::telling::Telling;
use crate::bitrix::crm::{item_find, items, items_of};
use crate::bitrix::{Answer, Call, Error, MomentForm, PAGE, Priority};
use crate::domain::crm::read_id;
use crate::domain::{CrmEntity, PortalId};
use crate::store::crm_index::{self, ScanRow};
use crate::store::{event_feed, found_changes, problems};

/// How often what changed is read.
const SCAN_EVERY_MS: i64 = 300_000;
/// A record is stamped before its transaction ends, which may take as long as a request: so much is read twice.
const OVERLAP_MS: i64 = 120_000;
/// A portal that does not tell its time may be behind ours by so much.
const UNTOLD_MS: i64 = 24 * 3_600_000;

/// What the index needs of a record.
const INDEXED: [(CrmEntity, &[&str]); 3] = [
    (CrmEntity::Deal, &["id", "originatorId", "originId", "UF_CRM_FB24_HOTEL", "UF_CRM_FB24_RESERVATION"]),
    (CrmEntity::Contact, &["*", "id", "UF_CRM_FB24_PROFILE"]),
    (CrmEntity::Company, &["*", "id", "UF_CRM_FB24_PROFILE"]),
];

/// What a scan reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Kinds whose index is not whole.
    Incomplete,
    /// Kinds whose next look is due.
    Due,
    All,
}

impl Engine {
    /// Reads what changed in the portal since the last scan; answers how many records differed from what we knew.
    pub async fn scan(&self, portal: PortalId) -> Result<usize, SyncError> {
        let turn = self.turn(format!("portal:{portal}"));
        let _turn = turn.lock().await;
        let lease = Arc::new(self.portal_lease(portal).await?);
        let result = match Delivery::begin(self, portal, lease.clone()).await {
            Ok(delivery) => delivery.scan(Priority::Reconciliation, Of::All).await,
            Err(error) => Err(error),
        };
        lease.ended(&result).await;
        self.wake();
        result
    }
}

impl Delivery {
    /// Nothing is made before the index is whole: else a record that stands there already would be made twice.
    pub(super) async fn index_first(&self) -> Result<(), SyncError> {
        if self.lanes().indexed {
            return Ok(());
        }
        self.owner_is_set().await?;
        self.scan(Priority::Live, Of::Incomplete).await?;
        self.lanes().indexed = true;
        Ok(())
    }

    /// Nobody answers for new records, yet: said once a portal, taken back when a rule is chosen.
    async fn owner_is_set(&self) -> Result<(), SyncError> {
        if self.ground.terms.owner_rule != crate::domain::OwnerRule::Unset {
            problems::clear(self.db(), self.portal, "portal", "owner.unset").await?;
        }
        Ok(())
    }

    pub(super) async fn scan_is_due(&self) -> Result<bool, SyncError> {
        Ok(crm_index::scan_is_due(self.db(), self.portal, self.now()).await?)
    }

    /// What changed is read beside deliveries: the portal's queue, then the scan. What keeps the portal from one of them
    /// keeps only that one waiting, unless it concerns the whole portal.
    pub(super) async fn scan_beside(&self) -> Finished {
        if self.queue_is_due().await? {
            match self.read_queue().await {
                Err(SyncError::Portal { error, .. }) if of_portal(&error) => return Ok(Ended::Refused(error)),
                Err(SyncError::Portal { error, .. }) => self.queue_refused(&error).await?,
                read => read?,
            }
        }
        match self.scan(Priority::Reconciliation, Of::Due).await {
            Ok(_) => {}
            Err(SyncError::Portal { error, .. }) if of_portal(&error) => return Ok(Ended::Refused(error)),
            Err(SyncError::Portal { error, .. }) => {
                tracing::warn!(portal = %self.portal, %error, "what changed in the portal cannot be read now");
                let until = self.now() + ms(&error).max(5_000);
                crm_index::scan_later(self.db(), self.portal, until).await?;
            }
            Err(error) => return Err(error),
        }
        found_changes::judge(self.db(), self.portal, self.now()).await?;
        Ok(Ended::Went(0))
    }

    async fn scan(&self, priority: Priority, of: Of) -> Result<usize, SyncError> {
        let mut due = Vec::new();
        for entity in CrmEntity::ALL {
            let scan = crm_index::scan(self.db(), self.portal, entity).await?;
            let wanted = match of {
                Of::Incomplete => !scan.complete,
                Of::Due => scan.complete && scan.next_at <= self.now(),
                Of::All => true,
            };
            if wanted {
                due.push((entity, scan));
            }
        }
        if due.is_empty() {
            return Ok(0);
        }
        let portal = |error| SyncError::Portal { portal: self.portal, error };
        let deltas = due.iter().any(|(_, scan)| scan.complete);
        let form = if deltas { self.moments(priority).await.map_err(portal)? } else { MomentForm::Utc };
        let mut calls = Vec::new();
        for (entity, scan) in &due {
            let (select, mut filter) = self.question(*entity, scan, form);
            filter.insert(">id".into(), json!(scan.after_id));
            let select: Vec<&str> = select.iter().map(String::as_str).collect();
            calls.push(item_find(super::wire(*entity), &select, Value::Object(filter)));
        }
        // The first page of every kind in one request: mostly that is all there is.
        let asked_at = self.now();
        let answers = self.many(priority, &calls).await.map_err(portal)?;
        let feed = event_feed::of_portal(self.db(), self.portal).await?;
        let mut changed = 0;
        for ((entity, mut scan), answer) in due.into_iter().zip(answers) {
            let answer = answer.map_err(portal)?;
            let begun_here = scan.started.is_empty();
            if begun_here {
                // By the portal's clock, which stamps its records; ours may be ahead of it.
                scan.started = match answer.timing.started_at {
                    Some(at) => stamp(at - OVERLAP_MS),
                    None if scan.complete => scan.watermark.clone(),
                    None => stamp(self.now() - UNTOLD_MS),
                };
            }
            let rows: Vec<Value> = items_of(&answer).into_iter().cloned().collect();
            let mut more = rows.len() >= PAGE;
            // Where the portal keeps a queue for us, that is what its events are compared with.
            let telling = feed.filter(|feed| !feed.queue && scan.complete);
            let telling = telling.map(|feed| Telling::new(feed, asked_at, answer.timing.started_at));
            changed += self.take_page(entity, &mut scan, &rows, asked_at, telling).await?;
            if more {
                let (select, filter) = self.question(entity, &scan, form);
                let select: Vec<&str> = select.iter().map(String::as_str).collect();
                let listing = items(super::wire(entity), &select, filter);
                let mut pager = self.client.list_all(priority, listing).after(scan.after_id);
                while more {
                    let asked_at = self.now();
                    match pager.next().await {
                        Ok(Some(rows)) => {
                            changed += self.take_page(entity, &mut scan, &rows, asked_at, telling).await?;
                        }
                        Ok(None) => more = false,
                        Err(error) => return Err(portal(error)),
                    }
                    if self.lease.lost() || self.engine.stopping() {
                        return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
                    }
                }
            }
            scan.complete = true;
            scan.watermark = std::mem::take(&mut scan.started);
            scan.after_id = 0;
            scan.next_at = self.now() + SCAN_EVERY_MS;
            // A pass taken up again asked for its first page at a time nobody kept.
            if begun_here {
                scan.looked_at = asked_at;
            }
            self.save_scan(entity, &scan).await?;
        }
        Ok(changed)
    }

    fn question(&self, entity: CrmEntity, scan: &ScanRow, form: MomentForm) -> (Vec<String>, Map<String, Value>) {
        let mut filter = Map::new();
        if scan.complete {
            let since = portal_time(&scan.watermark).map_or_else(|| scan.watermark.clone(), |ms| form.since(ms));
            filter.insert(">=updatedTime".into(), json!(since));
            return (self.select(entity), filter);
        }
        let indexed = INDEXED.iter().filter(|(of, _)| *of == entity).flat_map(|(_, names)| names.iter());
        (indexed.map(|name| (*name).to_owned()).collect(), filter)
    }

    /// How this portal reads a moment: told by a record whose time is known, which must be found from that moment on and
    /// not from a second later.
    pub(super) async fn moments(&self, priority: Priority) -> Result<MomentForm, Error> {
        let known = self.lanes().moments.or(self.ground.terms.moments);
        if let Some(form) = known {
            return Ok(form);
        }
        let firsts: Vec<Call> =
            CrmEntity::ALL.iter().map(|of| item_find(super::wire(*of), &["id", "updatedTime"], json!({}))).collect();
        let mut sample = None;
        for (entity, answer) in CrmEntity::ALL.into_iter().zip(self.many(priority, &firsts).await?) {
            let answer = answer?;
            let read = |item: &Value| {
                let at = DateTime::parse_from_rfc3339(item.get("updatedTime")?.as_str()?).ok()?;
                Some((entity, item.get("id").and_then(read_id)?, at))
            };
            sample = sample.or(items_of(&answer).into_iter().find_map(read));
        }
        // Nothing there: nothing to miss, and nothing to learn from.
        let Some((entity, id, at)) = sample else { return Ok(MomentForm::Utc) };
        let forms = MomentForm::candidates(at.offset().local_minus_utc());
        let since = |form: &MomentForm, ms| {
            item_find(super::wire(entity), &["id"], json!({"@id": [id], ">=updatedTime": form.write(ms)}))
        };
        let ms = at.timestamp_millis();
        let calls: Vec<Call> = forms.iter().flat_map(|form| [since(form, ms), since(form, ms + 1_000)]).collect();
        let found = |answer: &Result<Answer, Error>| answer.as_ref().ok().map(|answer| !items_of(answer).is_empty());
        let answers = self.many(priority, &calls).await?;
        let told: Vec<Option<bool>> = answers.iter().map(found).collect();
        let right = forms.iter().zip(told.chunks(2)).find(|(_, told)| matches!(told, [Some(true), Some(false)]));
        let Some((form, _)) = right else {
            tracing::warn!(portal = %self.portal, "no form of a moment is read rightly; it is tried again");
            return Ok(MomentForm::Utc);
        };
        self.lanes().moments = Some(*form);
        self.engine.0.deps.portals.learned_moments(self.portal, *form).await;
        Ok(*form)
    }

    async fn take_page(
        &self,
        entity: CrmEntity,
        scan: &mut ScanRow,
        rows: &[Value],
        asked_at: i64,
        telling: Option<Telling>,
    ) -> Result<usize, SyncError> {
        let tracked = self.tracked(entity);
        let seen: Vec<Seen> = rows.iter().filter_map(|item| self.see(entity, item, &tracked)).collect();
        if let Some(telling) = telling {
            self.note_changes(&seen, telling).await?;
        }
        scan.after_id = rows.iter().filter_map(|row| row.get("id").and_then(read_id)).max().unwrap_or(scan.after_id);
        let mut changed = 0;
        if scan.complete {
            changed = self.apply(entity, seen, &[], asked_at).await?;
        } else {
            self.index_only(entity, &seen).await?;
        }
        self.save_scan(entity, scan).await?;
        Ok(changed)
    }

    async fn save_scan(&self, entity: CrmEntity, scan: &ScanRow) -> Result<(), SyncError> {
        let tx = self.db().begin().await?;
        if !self.lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
        }
        crm_index::save_scan(&tx, self.portal, entity, scan).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A moment as the watermark keeps it.
fn stamp(ms: i64) -> String {
    MomentForm::Utc.write(ms)
}
