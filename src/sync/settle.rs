//! Writes whose outcome was never heard: once they cannot commit any more, the portal is asked what became of them.
//! A create is looked up by its mark, an update is read back (product §2.1).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::answers::{Written, goes_again_at, ms};
use super::error::SyncError;
use super::lanes::Delivery;
use super::lost::{DUPLICATE_MARK, found_again};
use super::notes::NOTE;
use crate::bitrix::crm::{item_find, items_of};
use crate::bitrix::{COMMANDS, Call, Class, Error, Priority};
use crate::domain::CrmEntity;
use crate::domain::crm::{ORIGINATOR, read_id};
use crate::store::crm_index;
use crate::store::crm_records::{self, RecordRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::{self, Blame, OutboxRow, Setback};
use crate::store::problems::{self, NewProblem};
use crate::store::splits;
use crate::store::{StoreError, Tx, provenance};

/// Marks in one look-up command: twice as many records would still fit its page of 50.
const MARKS: usize = 25;

/// Writes settled in one go.
pub(super) const SETTLE_MOST: i64 = 1_000;

struct Open {
    row: OutboxRow,
    entity: CrmEntity,
    written: Written,
}

impl Delivery {
    /// Settles what is due; answers whether there was anything.
    pub(super) async fn settle(&self) -> Result<bool, SyncError> {
        let now = self.now();
        let rows = outbox::to_settle(self.db(), self.portal, now, SETTLE_MOST).await?;
        let rows: Vec<OutboxRow> = {
            let lanes = self.lanes();
            rows.into_iter().filter(|row| !lanes.flight.rows.contains(&row.id)).collect()
        };
        if rows.is_empty() {
            return Ok(false);
        }
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let tx = self.db().begin().await?;
        if !self.lease.may_start(&tx).await? {
            return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
        }
        let taken: BTreeSet<i64> =
            outbox::adopt(&tx, self.portal, self.lease.fence(), &ids, now).await?.into_iter().collect();
        tx.commit().await?;
        self.engine.step("settle.taken")?;
        let (mut creates, mut updates, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows.into_iter().filter(|row| taken.contains(&row.id)) {
            let (Some(entity), Some(sealed)) = (CrmEntity::from_type_id(row.entity), row.write.as_ref()) else {
                continue;
            };
            let written = self.open_write(sealed)?;
            if row.write_kind == NOTE {
                notes.push((row, written));
            } else if row.target == 0 {
                creates.push(Open { row, entity, written })
            } else {
                updates.push(Open { row, entity, written })
            }
        }
        let result = match self.settle_updates(&updates).await {
            Ok(()) => self.settle_creates(&creates).await,
            error => error,
        };
        let result = match result {
            Ok(()) => self.settle_notes(&notes).await?.map_err(Failed::Portal),
            error => error,
        };
        self.engine.step("settle.done")?;
        match result {
            Ok(()) => Ok(true),
            Err(Failed::Portal(error)) => {
                // They stay held; asking again costs a request, so not at once.
                let again = self.now() + ms(&error).max(5_000);
                let open: Vec<i64> = taken.into_iter().collect();
                outbox::hold_longer(self.db(), self.portal, self.lease.fence(), &open, again).await?;
                // A look-up that is refused holds its own records, not the portal.
                if error.class == Class::Permanent {
                    tracing::warn!(portal = %self.portal, %error, "unknown outcomes cannot be looked up yet");
                    return Ok(true);
                }
                Err(SyncError::Portal { portal: self.portal, error })
            }
            Err(Failed::Here(error)) => Err(error),
        }
    }

    async fn settle_updates(&self, updates: &[Open]) -> Result<(), Failed> {
        if updates.is_empty() {
            return Ok(());
        }
        let mut wanted: BTreeMap<CrmEntity, BTreeSet<i64>> = BTreeMap::new();
        for open in updates {
            wanted.entry(open.entity).or_default().insert(open.row.target);
        }
        self.read(Priority::Live, &wanted).await?;
        let now = self.now();
        let (_recording, tx) = self.recording().await?;
        let mut traces = Vec::new();
        for (entity, ids) in wanted {
            let ids: Vec<i64> = ids.into_iter().collect();
            let stands = crm_records::load(&tx, self.portal, &self.key, entity, &ids).await?;
            for open in updates.iter().filter(|open| open.entity == entity) {
                let fields = stands.get(&open.row.target).map(|record| &record.fields);
                let trace =
                    fields.map(|fields| open.written.came_true(fields, (open.row.target, now))).unwrap_or_default();
                traces.extend((!trace.is_empty()).then(|| (open.row.subject.clone(), trace)));
            }
        }
        provenance::note(&tx, self.portal, &self.key, traces, now).await?;
        self.go_again(&tx, updates.iter().map(|open| &open.row)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What was sent and not carried out waits once more: the oftener it happened, the longer.
    pub(super) async fn go_again(&self, tx: &Tx, rows: impl Iterator<Item = &OutboxRow>) -> Result<(), StoreError> {
        let mut by_time: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for row in rows {
            by_time.entry(goes_again_at(row.attempts, self.now())).or_default().push(row.id);
        }
        for (at, rows) in by_time {
            outbox::wait_again(tx, self.portal, self.lease.fence(), &rows, at).await?;
        }
        Ok(())
    }

    async fn settle_creates(&self, creates: &[Open]) -> Result<(), Failed> {
        if creates.is_empty() {
            return Ok(());
        }
        let mut calls: Vec<Call> = Vec::new();
        for entity in CrmEntity::ALL {
            let marks: Vec<&str> =
                creates.iter().filter(|open| open.entity == entity).map(|open| open.written.mark.as_str()).collect();
            for chunk in marks.chunks(MARKS) {
                let filter = json!({"originatorId": ORIGINATOR, "@originId": chunk});
                calls.push(item_find(super::wire(entity), &["id", "originId"], filter));
            }
        }
        let mut found: HashMap<(i32, String), BTreeSet<i64>> = HashMap::new();
        for chunk in calls.chunks(COMMANDS) {
            for (call, answer) in chunk.iter().zip(self.many(Priority::Live, chunk).await?) {
                let entity = call.params.get("entityTypeId").and_then(read_id).unwrap_or_default();
                let entity = i32::try_from(entity).unwrap_or_default();
                for item in items_of(&answer?) {
                    let mark = item.get("originId").and_then(Value::as_str).unwrap_or_default().to_owned();
                    if let Some(id) = item.get("id").and_then(read_id) {
                        found.entry((entity, mark)).or_default().insert(id);
                    }
                }
            }
        }
        self.record_settled(creates, &found).await?;
        Ok(())
    }

    async fn record_settled(
        &self,
        creates: &[Open],
        found: &HashMap<(i32, String), BTreeSet<i64>>,
    ) -> Result<(), SyncError> {
        let now = self.now();
        let subjects: Vec<String> = creates.iter().map(|open| open.row.subject.clone()).collect();
        let apart = splits::of_subjects(self.db(), self.portal, &subjects).await?;
        let (mut made, mut records, mut index, mut traces) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut known, mut again) = (Vec::new(), Vec::new());
        let (mut backs, mut problems) = (Vec::new(), Vec::new());
        for open in creates {
            let ids = found.get(&(open.entity.type_id(), open.written.mark.clone()));
            // A record that he was taken off may bear his mark yet.
            let another = |id: &i64| apart.get(&open.row.subject).is_some_and(|of| of.of(open.entity, *id).is_some());
            match ids.map(|ids| ids.iter().copied().filter(|id| !another(id)).collect::<Vec<_>>()).as_deref() {
                // Adopted, not made a second time.
                Some([id]) => {
                    made.push(LinkRow {
                        subject: open.row.subject.clone(),
                        entity: open.entity,
                        crm_id: *id,
                        origin: Origin::Created,
                        marked: true,
                    });
                    index.extend(self.index_rows(open.entity, *id, &open.written.after));
                    records.push(RecordRow::new(open.entity, *id, open.written.after.clone(), now));
                    traces.push((open.row.subject.clone(), open.written.trace(*id, now)));
                    // What was told since it was sent is not in what was sent: it is compared once more.
                    known.push(open.row.id);
                }
                None | Some([]) => again.push(&open.row),
                Some(several) => {
                    let (id, seq) = (open.row.id, open.row.seq);
                    backs.push(Setback { id, seq, state: outbox::REJECTED, not_before: 0, blame: Blame::Own });
                    problems.push(NewProblem {
                        hotel: None,
                        subject: open.row.subject.clone(),
                        cause: DUPLICATE_MARK.to_owned(),
                        kind: "rejected",
                        params: json!({"ids": several}),
                    });
                }
            }
        }
        let fence = self.lease.fence();
        let (_recording, tx) = self.recording().await?;
        links::add(&tx, self.portal, &made, now).await?;
        found_again(&tx, self.portal, &made).await?;
        crm_records::save(&tx, self.portal, &self.key, &records).await?;
        provenance::note(&tx, self.portal, &self.key, traces, now).await?;
        crm_index::add(&tx, self.portal, &index).await?;
        outbox::wait_again(&tx, self.portal, fence, &known, 0).await?;
        self.go_again(&tx, again.into_iter()).await?;
        outbox::set_back(&tx, self.portal, fence, &backs).await?;
        problems::raise(&tx, self.portal, &self.key, &problems, now).await?;
        let settled: Vec<String> = made.iter().map(|link| link.subject.clone()).collect();
        problems::settle(&tx, self.portal, &settled).await?;
        self.tell_deals(&tx, &made, now).await?;
        tx.commit().await?;
        let mut lanes = self.lanes();
        for open in creates {
            lanes.births.settled(open.row.id);
        }
        Ok(())
    }
}

/// Who could not do it.
enum Failed {
    Portal(Error),
    Here(SyncError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Portal(error)
    }
}

impl From<SyncError> for Failed {
    fn from(error: SyncError) -> Self {
        Self::Here(error)
    }
}

impl From<crate::store::StoreError> for Failed {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Here(error.into())
    }
}
