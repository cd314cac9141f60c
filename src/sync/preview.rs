//! What a mapping would write to the records of some stays: planned by the very code that delivers, on paper. A delivery on
//! paper holds no lease and is never started, so nothing that it planned can leave.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::decide::{RANK_CONTACT, RANK_DEAL};
use super::engine::Engine;
use super::error::SyncError;
use super::ground::Ground;
use super::lanes::Delivery;
use super::plan::{Due, Plan, Planned};
use crate::bitrix::{COMMANDS, PAGE, Priority};
use crate::domain::change_set::{ChangeSet, alike, field_of};
use crate::domain::{CrmEntity, CrmValue, Fields, HotelId, Mapping, PortalId, StayNumber, Subject, group};
use crate::store::crm_records::{self, RecordRow};
use crate::store::links::{self, LinkRow};
use crate::store::outbox::{self, Intent, OutboxRow};
use crate::store::stays;

/// What would become of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Created,
    Changed,
    Unchanged,
    /// The filters leave it out, or it is nobody whom the portal is given.
    LeftOut,
    /// A person deleted it.
    Gone,
    /// It must be read, or somebody else's write must end, before anything is known.
    NotYet,
    /// It cannot be written at all: its problem says why.
    Refused,
}

/// One field; `before` is not known where the portal was never asked for it, and does not answer now.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPreview {
    pub name: String,
    pub before: Option<CrmValue>,
    pub after: CrmValue,
    pub changes: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordPreview {
    pub subject: Subject,
    pub entity: CrmEntity,
    pub crm_id: Option<i64>,
    pub outcome: Outcome,
    pub fields: Vec<FieldPreview>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Deals first, then contacts and companies, each once.
    pub records: Vec<RecordPreview>,
    /// Commands, reads before writes among them, and the requests that carry them.
    pub commands: usize,
    pub requests: usize,
}

impl Engine {
    /// `None`: one of the stays is not known; which one.
    pub async fn preview_mapping(
        &self,
        portal: PortalId,
        hotel: HotelId,
        mapping: Mapping,
        stays: &[StayNumber],
    ) -> Result<Result<Preview, usize>, SyncError> {
        let ground = Ground::read(self, portal).await?.with(hotel, mapping);
        Delivery::on_paper(self, portal, ground).await?.preview(hotel, stays).await
    }
}

impl Delivery {
    async fn preview(&self, hotel: HotelId, numbers: &[StayNumber]) -> Result<Result<Preview, usize>, SyncError> {
        let keys: Vec<_> = numbers.iter().map(|number| (hotel, number.clone())).collect();
        let rows = stays::load(self.db(), self.portal, &self.key, &keys).await?;
        if let Some(unknown) = keys.iter().position(|key| !rows.contains_key(key)) {
            return Ok(Err(unknown));
        }
        let deals: BTreeSet<String> =
            numbers.iter().map(|number| Subject::Stay(hotel, number.clone()).to_string()).collect();
        let named = rows.values().flat_map(|row| stays::roles(&row.facts));
        let people: BTreeSet<String> = named.map(|(profile, _)| Subject::Profile(hotel, profile).to_string()).collect();
        let groups =
            rows.values().filter(|_| self.ground.groups.contains_key(&hotel)).map(|row| group::number(&row.facts));
        let groups: BTreeSet<String> =
            groups.flatten().map(|number| Subject::Group(hotel, number).to_string()).collect();
        let all: Vec<String> = deals.iter().chain(&people).chain(&groups).cloned().collect();
        let linked = links::of_subjects(self.db(), self.portal, &all).await?;
        let mut held: HashMap<(CrmEntity, i64), RecordRow> = HashMap::new();
        for entity in CrmEntity::ALL {
            let ids: Vec<i64> = linked.values().filter(|link| link.entity == entity).map(|link| link.crm_id).collect();
            for (id, row) in crm_records::load(self.db(), self.portal, &self.key, entity, &ids).await? {
                // The look that a delivery takes before it moves a stage or changes a phone is counted, not taken.
                self.read_now(entity, id, Vec::new());
                held.insert((entity, id), row);
            }
        }
        self.fill_in(&mut held).await;
        // Of several profiles behind one record the first speaks for it.
        let mut once: HashSet<(CrmEntity, i64)> = HashSet::new();
        let first = |subject: &&String| linked.get(*subject).is_none_or(|link| once.insert((link.entity, link.crm_id)));
        let people: Vec<String> = people.iter().filter(first).cloned().collect();
        let mut plan = Plan::default();
        self.plan_people(&mut plan, due(&people, RANK_CONTACT, 0)).await?;
        let deals: Vec<String> = groups.into_iter().chain(deals).collect();
        self.plan_deals(&mut plan, due(&deals, RANK_DEAL, people.len())).await?;
        let mut records = Vec::with_capacity(all.len());
        for (row, subject) in (0_i64..).zip(people.iter().chain(&deals)) {
            let link = linked.get(subject);
            let record = link.and_then(|link| held.get(&(link.entity, link.crm_id)));
            records.extend(self.record_preview(row, subject, &plan, link, record));
        }
        records.sort_by_key(|record| record.entity);
        let (commands, requests) = self.cost(&plan);
        Ok(Ok(Preview { records, commands, requests }))
    }

    /// What we never asked of these records is asked now, so that their fields can be shown as they stand. Where the portal
    /// does not answer, it stays unknown.
    async fn fill_in(&self, held: &mut HashMap<(CrmEntity, i64), RecordRow>) {
        let mut wanted: BTreeMap<CrmEntity, BTreeSet<i64>> = BTreeMap::new();
        for entity in CrmEntity::ALL {
            let names: Vec<String> = self.tracked(entity).into_keys().filter(|name| field_of(name) == name).collect();
            let lacks = |row: &&RecordRow| names.iter().any(|name| !row.fields.contains_key(name));
            let of = held.values().filter(|row| row.entity == entity && !row.deleted).filter(lacks);
            let ids: BTreeSet<i64> = of.map(|row| row.crm_id).collect();
            if !ids.is_empty() {
                wanted.insert(entity, ids);
            }
        }
        let found = match self.look_up(Priority::Person, &wanted).await {
            Ok(found) => found,
            Err(error) => {
                tracing::info!(portal = %self.portal, %error, "a preview could not ask the portal for what is not known");
                return;
            }
        };
        for record in found.into_iter().flat_map(|(_, seen, _)| seen) {
            if let Some(row) = held.get_mut(&(record.entity, record.id)) {
                row.fields.extend(record.fields);
            }
        }
    }

    fn record_preview(
        &self,
        row: i64,
        subject: &str,
        plan: &Plan,
        link: Option<&LinkRow>,
        record: Option<&RecordRow>,
    ) -> Option<RecordPreview> {
        let subject: Subject = subject.parse().ok()?;
        let write = plan.writes.iter().find(|write| write.row == row);
        let usual = if matches!(subject, Subject::Stay(..) | Subject::Group(..)) {
            CrmEntity::Deal
        } else {
            CrmEntity::Contact
        };
        let entity = write.map(|write| write.entity).or(link.map(|link| link.entity)).unwrap_or(usual);
        let outcome = match (write, record) {
            (Some(write), _) if write.target == 0 => Outcome::Created,
            (Some(_), _) => Outcome::Changed,
            (None, Some(record)) if record.deleted => Outcome::Gone,
            (None, _) if plan.problems.iter().any(|problem| problem.subject == subject.to_string()) => Outcome::Refused,
            (None, record) if plan.is_dropped(row) => {
                if record.is_some() {
                    Outcome::Unchanged
                } else {
                    Outcome::LeftOut
                }
            }
            (None, _) => Outcome::NotYet,
        };
        let before = record.map(|record| &record.fields);
        Some(RecordPreview {
            subject,
            entity,
            crm_id: link.map(|link| link.crm_id),
            outcome,
            fields: self.field_previews(entity, before, write),
        })
    }

    /// Every field of the mapping, and whatever else is written.
    fn field_previews(&self, entity: CrmEntity, before: Option<&Fields>, write: Option<&Planned>) -> Vec<FieldPreview> {
        let none = Fields::new();
        let after = write.map_or(&none, |write| &write.after);
        let mut names: BTreeSet<String> = after.keys().cloned().collect();
        if before.is_some() {
            names.extend(self.tracked(entity).into_keys());
        }
        names
            .into_iter()
            .filter(|name| field_of(name) == name)
            .map(|name| {
                let was = before.map_or(Some(&CrmValue::Empty), |before| before.get(&name));
                let will = after.get(&name).or(was).unwrap_or(&CrmValue::Empty);
                let was_known = was.unwrap_or(&CrmValue::Empty);
                let changes = !alike(was_known, will) && !was_known.same(will);
                FieldPreview { before: was.cloned(), after: will.clone(), changes, name }
            })
            .collect()
    }

    /// What the portal would be asked for: commands, and requests.
    fn cost(&self, plan: &Plan) -> (usize, usize) {
        let mut reads: BTreeMap<CrmEntity, BTreeSet<i64>> = plan.reads.clone();
        for write in plan.writes.iter().filter(|write| write.target != 0) {
            let set = ChangeSet { write: write.fields.clone(), comms: write.comms.clone(), after: Fields::new() };
            if self.wants_a_look(write.subject.hotel().as_slice(), write.entity, &set) {
                reads.entry(write.entity).or_default().insert(write.target);
            }
        }
        let mut commands: usize = reads.values().map(|ids| ids.len().div_ceil(PAGE)).sum();
        let mut requests = commands.div_ceil(COMMANDS);
        // Deals leave with whoever is there; behind people who are yet to be made they leave later.
        let (people, deals): (Vec<Planned>, Vec<Planned>) =
            plan.writes.iter().cloned().partition(|write| write.entity != CrmEntity::Deal);
        let all = [people.as_slice(), deals.as_slice()].concat();
        let born = people.iter().any(|write| write.target == 0);
        for mut rest in if born { vec![people.as_slice(), deals.as_slice()] } else { vec![all.as_slice()] } {
            while !rest.is_empty() {
                let (job, more) = rest.split_at(self.fill(rest).clamp(1, rest.len()));
                commands += self.commands(job).len();
                requests += 1;
                rest = more;
            }
        }
        (commands, requests)
    }
}

/// Rows as the outbox would have them: of nobody's import, waited for long enough.
fn due(subjects: &[String], rank: i32, from: usize) -> Vec<Due> {
    let row = |(n, subject): (i64, &String)| OutboxRow {
        id: n,
        subject: subject.clone(),
        intent: Intent::Sync,
        priority: super::lane(Priority::Person),
        rank,
        seq: 1,
        state: outbox::WAITING,
        attempts: 0,
        spoilt: 0,
        not_before: 0,
        seen_at: 0,
        fence: 0,
        hold_until: 0,
        entity: 0,
        target: 0,
        write_kind: String::new(),
        write: None,
    };
    let from = i64::try_from(from).unwrap_or_default();
    (from..)
        .zip(subjects)
        .filter_map(|(n, subject)| Some(Due { subject: subject.parse().ok()?, row: row((n, subject)) }))
        .collect()
}
