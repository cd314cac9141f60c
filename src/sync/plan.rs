//! From due outbox rows to what must be read and what can be written. What turns out to need nothing is dropped, what
//! cannot be sent is put aside; both at once, before anything is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::answers::{FAILED, REJECTED};
use super::error::SyncError;
use super::lanes::Delivery;
use super::lost::{found_again, recreated};
use super::notes;
use super::plan_groups;
use super::refer::Sign;
use super::strangers::STOPPED_MS;
use super::words::{Carried, Words};
use crate::bitrix::multifield::Stored;
use crate::domain::change_set::CommStep;
use crate::domain::identity::Sample;
use crate::domain::matching::Doubt;
use crate::domain::{CrmEntity, Fields, HotelId, Subject};
use crate::store::crm_records::{self, RecordRow};
use crate::store::links::{self, LinkRow};
use crate::store::merge_hints::{self, NewHint};
use crate::store::outbox::{self, OutboxRow};
use crate::store::pins::{self, Held};
use crate::store::problems::{self, NewProblem};
use crate::store::provenance::{Answer, Call, Told};
use crate::store::splits::{self, SplitRow};

/// One write of one subject.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub row: i64,
    pub seq: i64,
    pub subject: Subject,
    pub priority: i32,
    pub attempts: i32,
    pub spoilt: i32,
    pub seen_at: i64,
    pub entity: CrmEntity,
    /// 0: a new record.
    pub target: i64,
    /// The record goes.
    pub deletes: bool,
    /// A note for its timeline, and nothing else.
    pub note: Option<String>,
    pub fields: Fields,
    pub comms: Vec<(String, Vec<CommStep>)>,
    /// The phones and e-mails as they were read for these steps, with their ids: by the time a permit comes they would
    /// count as old, and a step without an id removes nothing.
    pub stored: Vec<Stored>,
    /// What stood where this is written, as far as that was known.
    pub before: Fields,
    /// What the record holds once this is confirmed.
    pub after: Fields,
    /// `originId` of a new record.
    pub mark: String,
    /// The profiles that a deal names, and the records it was given for them.
    pub named: Vec<(String, Option<i64>)>,
    /// Of the mapping that said what to write.
    pub version: i64,
    /// Holders and fields that get back what stood there before our write.
    pub pins: Vec<Held>,
    /// Of the hotel, where it is what is written.
    pub words: Option<Words>,
    pub carried: Carried,
}

impl Planned {
    /// The fields that are written.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.fields.keys().chain(self.comms.iter().map(|(name, _)| name))
    }

    /// The hotel's word behind a field.
    pub fn told(&self, field: &str) -> Option<Told> {
        self.words.as_ref().filter(|_| !self.pins.iter().any(|(_, pin)| pin == field))?.told(field)
    }

    pub fn call(&self, field: &str) -> Option<Call> {
        self.carried.call(self.comms.iter().any(|(name, _)| name == field), Answer::Confirmed)
    }
}

/// What came of looking at due rows.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Records to read before anything is written, and the rows that wait for it.
    pub reads: BTreeMap<CrmEntity, BTreeSet<i64>>,
    pub read_for: Vec<(i64, String)>,
    /// Rows of stays whose deal is looked up before one is made for them.
    pub sought: Vec<(i64, Sign)>,
    /// Rows that ask for nothing but a read.
    pub rereads: Vec<(i64, i64, CrmEntity, i64)>,
    pub writes: Vec<Planned>,
    pub(super) dropped: Vec<(i64, i64)>,
    pub(super) rejected: Vec<(i64, i64)>,
    pub(super) failed: Vec<(i64, i64)>,
    pub(super) later: Vec<(i64, i64)>,
    /// The first moment at which something may be sent that others of `later` wait for.
    pub(super) opens_at: Option<i64>,
    pub(super) problems: Vec<NewProblem>,
    pub(super) links: Vec<LinkRow>,
    /// Subjects that have no record any more.
    pub(super) unlinked: Vec<String>,
    /// Contacts and companies that others stand for now: the former one, the one that does.
    pub(super) followed: Vec<(CrmEntity, (i64, i64))>,
    /// Of `unlinked`, those whose record is made anew.
    pub(super) recreated: Vec<String>,
    /// Records that hold what is desired already, with what of it is ours.
    pub(super) known: Vec<Judged>,
    /// Whose records they are: nothing stands in their way any more.
    pub(super) settled: Vec<String>,
    /// Records that nobody quarrels about any more.
    pub(super) peace: Vec<(CrmEntity, i64)>,
    /// Records found by our mark and never written since, by hotel: whether they are who the hotel says they are.
    pub(super) marks: HashMap<HotelId, Sample>,
    /// Those that are not: nobody stands behind them.
    pub(super) strange: Vec<(CrmEntity, i64)>,
    /// Fields that hold again what stood there before our write: holder and name.
    pub(super) pinned: Vec<Held>,
    /// Records whose timelines have something to be told.
    pub(super) to_tell: Vec<(CrmEntity, i64)>,
    pub(super) hints: Vec<NewHint>,
    /// Nothing is to be taken off these records: they are not there any more, or nothing was ever written to them.
    pub(super) cleaned: Vec<SplitRow>,
    /// Records that somebody was taken off, and that hold nothing to be taken away.
    pub(super) parted: Vec<(CrmEntity, i64)>,
}

/// What was learned of a record while its row was looked at.
#[derive(Debug)]
pub(super) struct Judged {
    due: (i64, i64),
    subject: String,
    was: RecordRow,
    row: RecordRow,
}

/// A due row with its subject read.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub row: OutboxRow,
    pub subject: Subject,
}

impl Due {
    pub fn pair(&self) -> (i64, i64) {
        (self.row.id, self.row.seq)
    }
}

impl Plan {
    pub fn read(&mut self, entity: CrmEntity, id: i64, due: &Due) {
        self.reads.entry(entity).or_default().insert(id);
        self.read_for.push((due.row.id, due.row.subject.clone()));
    }

    /// Nothing to write. What of the record's shared lists is ours may still be news, or that a quarrel is over.
    pub fn nothing(
        &mut self,
        due: &Due,
        record: &RecordRow,
        mut row: RecordRow,
        desired: &Fields,
        after: Fields,
        now: i64,
    ) {
        self.dropped.push(due.pair());
        self.settled.push(due.row.subject.clone());
        // A record that was found again and holds all that is desired is as good as written.
        if row.synced_at == 0 {
            row.synced_at = now;
        }
        row.putbacks.settle(desired, &record.fields);
        if record.putbacks.quarrels() && !row.putbacks.quarrels() {
            self.peace.push((record.entity, record.crm_id));
        }
        if !row.putbacks.owed().is_empty() {
            self.to_tell.push((row.entity, row.crm_id));
        }
        row.edits.settle(after.keys());
        row.fields.extend(after);
        self.decided(due, record, row);
    }

    /// What was decided about people's edits is kept whatever becomes of the write; whatever was planned holds only while
    /// the record is what it was planned on.
    pub fn decided(&mut self, due: &Due, record: &RecordRow, row: RecordRow) {
        self.known.push(Judged { due: due.pair(), subject: due.row.subject.clone(), was: record.clone(), row });
    }

    /// Takes back what was thought of records that a look has changed since they were loaded: what the look saw is not
    /// written over, and their rows are planned anew.
    fn take_back(&mut self, stored: &HashMap<(CrmEntity, i64), RecordRow>, now: i64) {
        let (known, stale): (Vec<_>, Vec<_>) = std::mem::take(&mut self.known)
            .into_iter()
            .partition(|judged| stored.get(&(judged.was.entity, judged.was.crm_id)) == Some(&judged.was));
        self.known = known;
        for Judged { due, subject, was, .. } in stale {
            self.dropped.retain(|pair| *pair != due);
            self.settled.retain(|settled| *settled != subject);
            self.peace.retain(|record| *record != (was.entity, was.crm_id));
            self.writes.retain(|write| write.row != due.0);
            self.to_tell.retain(|record| *record != (was.entity, was.crm_id));
            self.later.push((due.0, now));
        }
    }

    /// What it needs first may not be sent before then.
    pub fn behind(&mut self, due: &Due, until: i64) {
        self.later.push((due.row.id, until));
        self.opens_at = Some(self.opens_at.map_or(until, |other| other.min(until)));
    }

    /// Whether nothing is to be done for this subject.
    pub fn is_dropped(&self, row: i64) -> bool {
        self.dropped.iter().any(|(id, _)| *id == row)
    }

    /// A record is made for somebody although these look like him.
    pub fn hint(&mut self, subject: &str, entity: CrmEntity, doubts: Option<(Vec<i64>, Doubt)>) {
        let hint = |(crm_ids, why): (Vec<i64>, Doubt)| NewHint {
            subject: subject.to_owned(),
            entity,
            crm_ids,
            reason: why.word(),
        };
        self.hints.extend(doubts.map(hint));
    }

    pub fn reject(&mut self, due: &Due, cause: &str, params: serde_json::Value) {
        self.rejected.push(due.pair());
        self.problems.push(NewProblem {
            hotel: due.subject.hotel(),
            subject: due.row.subject.clone(),
            cause: cause.to_owned(),
            kind: "rejected",
            params,
        });
    }
}

impl Delivery {
    /// Looks at due rows; what needs no portal is settled here.
    pub async fn plan(&self, rows: Vec<OutboxRow>) -> Result<Plan, SyncError> {
        let mut plan = Plan::default();
        let (mut deals, mut profiles, mut leaving, mut notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let stopped = self.stopped_hotels().await?;
        for row in rows {
            let Ok(subject) = row.subject.parse::<Subject>() else {
                plan.dropped.push((row.id, row.seq));
                continue;
            };
            match &subject {
                Subject::Stay(hotel, _) | Subject::Profile(hotel, _) | Subject::Group(hotel, _)
                    if stopped.contains(hotel) =>
                {
                    plan.later.push((row.id, self.now() + STOPPED_MS));
                }
                Subject::Stay(hotel, _) | Subject::Profile(hotel, _) | Subject::Group(hotel, _)
                    if self.ground.leaving.contains_key(hotel) =>
                {
                    leaving.push(Due { row, subject });
                }
                Subject::Crm(entity, id) => plan.rereads.push((row.id, row.seq, *entity, *id)),
                Subject::Note(entity, id) => notes.push((Due { row, subject: subject.clone() }, *entity, *id)),
                Subject::Stay(..) | Subject::Group(..) => deals.push(Due { row, subject }),
                Subject::Profile(..) => profiles.push(Due { row, subject }),
            }
        }
        self.look_at_open().await?;
        self.plan_people(&mut plan, profiles).await?;
        self.plan_deals(&mut plan, deals).await?;
        self.plan_removals(&mut plan, leaving).await?;
        self.plan_notes(&mut plan, notes).await?;
        self.give_up(&mut plan);
        self.settle_plan(&mut plan).await?;
        Ok(plan)
    }

    async fn settle_plan(&self, plan: &mut Plan) -> Result<(), SyncError> {
        let nothing = plan.dropped.is_empty()
            && plan.rejected.is_empty()
            && plan.problems.is_empty()
            && plan.links.is_empty()
            && plan.unlinked.is_empty()
            && plan.hints.is_empty()
            && plan.to_tell.is_empty()
            && plan.pinned.is_empty()
            && plan.known.is_empty();
        if !nothing {
            let (_recording, tx) = self.recording().await?;
            let mut stored = HashMap::new();
            for entity in CrmEntity::ALL {
                let of_entity = plan.known.iter().filter(|judged| judged.was.entity == entity);
                let ids: Vec<i64> = of_entity.map(|judged| judged.was.crm_id).collect();
                let rows = crm_records::load(&tx, self.portal, &self.key, entity, &ids).await?;
                stored.extend(rows.into_iter().map(|(id, row)| ((entity, id), row)));
            }
            plan.take_back(&stored, self.now());
            self.stop_strangers(&tx, plan).await?;
            if !self.lease.holds(&tx).await? {
                return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
            }
            outbox::drop_unsent(&tx, self.portal, &plan.dropped).await?;
            outbox::park(&tx, self.portal, &plan.rejected, outbox::REJECTED).await?;
            outbox::park(&tx, self.portal, &plan.failed, outbox::FAILED).await?;
            problems::raise(&tx, self.portal, &self.key, &plan.problems, self.now()).await?;
            for (entity, step) in &plan.followed {
                pins::follow(&tx, self.portal, &self.key, *entity, *step).await?;
            }
            links::end(&tx, self.portal, &plan.unlinked).await?;
            recreated(&tx, self.portal, &plan.recreated, self.now()).await?;
            pins::end(&tx, self.portal, &plan.recreated).await?;
            pins::written(&tx, self.portal, &plan.pinned).await?;
            links::add(&tx, self.portal, &plan.links, self.now()).await?;
            found_again(&tx, self.portal, &plan.links).await?;
            self.tell_deals(&tx, &plan.links, self.now()).await?;
            let judged = plan.known.iter().filter(|judged| judged.row != judged.was);
            let known: Vec<RecordRow> = judged.map(|judged| judged.row.clone()).collect();
            crm_records::save(&tx, self.portal, &self.key, &known).await?;
            for cause in [REJECTED, FAILED, plan_groups::EMPTY] {
                problems::over_all(&tx, self.portal, &plan.settled, cause).await?;
            }
            self.make_peace(&tx, &plan.peace).await?;
            let notes = plan.to_tell.iter().map(|(entity, id)| notes::intent(*entity, *id, self.now())).collect();
            outbox::add(&tx, self.portal, notes).await?;
            merge_hints::raise(&tx, self.portal, std::mem::take(&mut plan.hints), self.now()).await?;
            let joined = plan.links.iter().map(|link| (link.subject.clone(), link.crm_id)).collect();
            merge_hints::joined(&tx, self.portal, &joined).await?;
            splits::joined(&tx, self.portal, &plan.links).await?;
            let rows = plan.known.iter().map(|judged| &judged.row);
            let parted = rows.filter(|row| plan.parted.contains(&(row.entity, row.crm_id)));
            splits::cleaned(&tx, self.portal, &plan.cleaned).await?;
            self.parted(&tx, parted.map(|row| (row.entity, row.crm_id, &row.fields))).await?;
            tx.commit().await?;
        }
        let mut by_time: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (row, until) in &plan.later {
            by_time.entry(*until).or_default().push(*row);
        }
        for (until, rows) in by_time {
            outbox::postpone(self.db(), self.portal, &rows, until).await?;
        }
        Ok(())
    }

    /// New records cannot be made because nobody was chosen to answer for them.
    pub(super) fn ownerless(&self, plan: &mut Plan, due: &Due) {
        plan.later.push((due.row.id, self.now() + 30_000));
        plan.problems.push(NewProblem {
            hotel: None,
            subject: "portal".to_owned(),
            cause: "owner.unset".to_owned(),
            kind: "refused",
            params: serde_json::json!({}),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CrmValue;

    fn due(id: i64, crm_id: i64) -> Due {
        let subject = Subject::Crm(CrmEntity::Contact, crm_id);
        let row = OutboxRow { id, seq: 1, ..OutboxRow::imagined(subject.to_string(), 0) };
        Due { row, subject }
    }

    #[test]
    fn s1_what_a_look_saw_while_a_record_was_planned_is_not_written_over() {
        let text = |value: &str| Fields::from([("NAME".to_owned(), CrmValue::Text(value.to_owned()))]);
        let loaded = |id| RecordRow::new(CrmEntity::Contact, id, text("Anna"), 0);
        let mut plan = Plan::default();
        for id in [5, 6] {
            plan.nothing(&due(id, id), &loaded(id), loaded(id), &Fields::new(), Fields::new(), 1_000);
        }
        let mut edited = loaded(5);
        edited.fields = text("by hand");
        let stored = HashMap::from([((CrmEntity::Contact, 5), edited), ((CrmEntity::Contact, 6), loaded(6))]);
        plan.take_back(&stored, 2_000);
        let known: Vec<i64> = plan.known.iter().map(|judged| judged.row.crm_id).collect();
        assert_eq!((known, plan.dropped, plan.later), (vec![6], vec![(6, 1)], vec![(5, 2_000)]));
        assert_eq!(plan.settled, [Subject::Crm(CrmEntity::Contact, 6).to_string()]);
    }
}
