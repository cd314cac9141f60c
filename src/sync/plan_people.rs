//! Guests and companies: found again, adopted, or made (product §2.8).

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::error::SyncError;
use super::found::{Found, NewPerson, Verdict};
use super::lanes::Delivery;
use super::left_over::is_stale_mark;
use super::lost::DUPLICATE_MARK;
use super::owned::{hotels_of, made_at};
use super::people::{comm_keys, name_tokens};
use super::pins::{Theirs, holder};
use super::plan::{Due, Plan, Planned};
use super::plan_deals::LOOK_AGAIN_MS;
use super::split::Leaving;
use super::words::{Carried, Words};
use crate::domain::change_set::{change_set, only_held};
use crate::domain::crm::CrmEntity;
use crate::domain::desired::{desired_person, keep_what_stands, person_birth};
use crate::domain::erasure::is_erased;
use crate::domain::matching::Doubt;
use crate::domain::{CrmValue, Fields, GuestTotals, HotelId, ProfileKind, ProfileNumber, Subject};
use crate::store::crm_records::{self, RecordRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::merges::MergeRow;
use crate::store::pins;
use crate::store::profiles::{self, ProfileRow};
use crate::store::stay_sums;
use crate::store::stays::Role;

pub(super) type ProfileKey = (HotelId, ProfileNumber);

pub(super) fn key_of(subject: &Subject) -> Option<ProfileKey> {
    match subject {
        Subject::Profile(hotel, number) => Some((*hotel, number.clone())),
        _ => None,
    }
}

impl Delivery {
    pub(super) async fn plan_people(&self, plan: &mut Plan, due: Vec<Due>) -> Result<(), SyncError> {
        if due.is_empty() {
            return Ok(());
        }
        let due = self.plan_left_over(plan, due).await?;
        let keys: Vec<ProfileKey> = due.iter().filter_map(|due| key_of(&due.subject)).collect();
        let merged = self.merged(keys.iter()).await?;
        let rows = profiles::load(self.db(), self.portal, &self.key, &keys).await?;
        let subjects: Vec<String> = due.iter().map(|due| due.row.subject.clone()).collect();
        let linked = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let (mut known, mut new) = (Vec::new(), Vec::new());
        for due in due {
            let row = key_of(&due.subject).and_then(|key| rows.get(&key));
            let carried = row.filter(|row| {
                self.ground.hotels.contains_key(&row.hotel) && row.facts.kind.get() != Some(&ProfileKind::Other)
            });
            match (carried, linked.get(&due.row.subject)) {
                (None, _) => plan.dropped.push(due.pair()),
                (Some(row), None) if is_erased(&row.facts) => plan.dropped.push(due.pair()),
                (Some(_), Some(link)) => known.push((due, link.clone())),
                (Some(row), None) => match key_of(&due.subject).and_then(|key| merged.get(&key)) {
                    Some(merge) => self.plan_merged(plan, &due, None, merge).await?,
                    None => new.push((due, row.clone())),
                },
            }
        }
        self.plan_known_people(plan, known, rows).await?;
        self.plan_new_people(plan, new).await
    }

    async fn plan_known_people(
        &self,
        plan: &mut Plan,
        due: Vec<(Due, LinkRow)>,
        mut rows: HashMap<ProfileKey, ProfileRow>,
    ) -> Result<(), SyncError> {
        let mut lost = Vec::new();
        for entity in [CrmEntity::Contact, CrmEntity::Company] {
            let ids: Vec<i64> =
                due.iter().filter(|(_, link)| link.entity == entity).map(|(_, link)| link.crm_id).collect();
            if ids.is_empty() {
                continue;
            }
            let records = crm_records::load(self.db(), self.portal, &self.key, entity, &ids).await?;
            let mut behind: HashMap<i64, Vec<LinkRow>> = HashMap::new();
            for link in links::of_records(self.db(), self.portal, entity, &ids).await? {
                behind.entry(link.crm_id).or_default().push(link);
            }
            let others: Vec<ProfileKey> = behind
                .values()
                .flatten()
                .filter_map(|link| link.subject.parse().ok().as_ref().and_then(key_of))
                .filter(|key| !rows.contains_key(key))
                .collect();
            rows.extend(profiles::load(self.db(), self.portal, &self.key, &others).await?);
            let guests: Vec<ProfileKey> = behind
                .values()
                .flatten()
                .filter_map(|link| link.subject.parse().ok().as_ref().and_then(key_of))
                .collect();
            let totals = self.totals(&guests).await?;
            let merged = self.merged(guests.iter()).await?;
            let holders: Vec<String> = ids.iter().map(|id| holder(entity, *id, "")).collect();
            let pinned = pins::load(self.db(), self.portal, &self.key, &holders).await?;
            let mut leaving = self.leaving(entity, &ids, &behind).await?;
            let mut taken: HashSet<i64> = HashSet::new();
            for (due, link) in due.iter().filter(|(_, link)| link.entity == entity) {
                let Some(record) = records.get(&link.crm_id).filter(|record| !record.is_doubted()) else {
                    plan.read(entity, link.crm_id, due);
                    continue;
                };
                if record.deleted {
                    let key = key_of(&due.subject);
                    if let Some(merge) = key.as_ref().and_then(|key| merged.get(key)) {
                        self.plan_merged(plan, due, Some(link), merge).await?;
                        continue;
                    }
                    let row = key.and_then(|key| rows.get(&key)).cloned();
                    lost.extend(row.map(|row| (due.clone(), link.clone(), record.synced_at, row)));
                    continue;
                }
                let (flying, held) = {
                    let (lanes, record) = (self.lanes(), (entity, link.crm_id));
                    (lanes.flight.records.contains(&record), lanes.open.contains(&record))
                };
                if held && !flying {
                    plan.later.push((due.row.id, self.now() + LOOK_AGAIN_MS));
                    continue;
                }
                if !taken.insert(link.crm_id) || flying {
                    self.lanes().waiting.insert(due.row.id);
                    continue;
                }
                let shared = behind.get(&link.crm_id).map(Vec::as_slice).unwrap_or_default();
                let leaving = leaving.remove(&link.crm_id).unwrap_or_default();
                let holder = holder(entity, link.crm_id, &link.subject);
                let theirs = Theirs { pins: pinned.get(&holder), holder };
                self.plan_person(plan, due, link, record, (shared, &leaving, &merged, &theirs), &rows, &totals);
            }
        }
        self.plan_lost_people(plan, lost).await
    }

    #[expect(clippy::too_many_arguments, reason = "all of it was loaded for many people at once")]
    fn plan_person(
        &self,
        plan: &mut Plan,
        due: &Due,
        link: &LinkRow,
        record: &RecordRow,
        (shared, leaving, merged, theirs): (&[LinkRow], &Leaving, &HashMap<ProfileKey, MergeRow>, &Theirs<'_>),
        rows: &HashMap<ProfileKey, ProfileRow>,
        totals: &HashMap<ProfileKey, GuestTotals>,
    ) {
        let entity = link.entity;
        // Several profiles may share the record: the first one that may speaks for it, all of them are named.
        let mut marks = BTreeSet::new();
        let mut sum = GuestTotals::default();
        let mut speaks: Option<(&ProfileRow, &LinkRow)> = None;
        for link in shared {
            let Some(key) = link.subject.parse().ok().as_ref().and_then(key_of) else { continue };
            let (Some(hotel), Some(row)) = (self.ground.hotels.get(&key.0), rows.get(&key)) else { continue };
            marks.insert(format!("{}:{}", hotel.code, key.1));
            if !is_erased(&row.facts) {
                totals.get(&key).into_iter().for_each(|of_profile| sum.add(of_profile));
            }
            // Whoever is no more speaks only where nobody else does.
            let rank = |row: &ProfileRow| match merged.contains_key(&(row.hotel, row.facts.number.clone())) {
                _ if is_erased(&row.facts) => 2,
                gone => i32::from(gone),
            };
            if speaks.is_none_or(|(held, _)| rank(row) < rank(held)) {
                speaks = Some((row, link));
            }
        }
        let Some((profile, first)) = speaks else {
            plan.dropped.push(due.pair());
            return;
        };
        let (Some(active), Some(hotel)) =
            (self.ground.mappings.get(&profile.hotel), self.ground.hotels.get(&profile.hotel))
        else {
            plan.dropped.push(due.pair());
            return;
        };
        let mapping = &active.mapping;
        let mut desired = desired_person(mapping, entity, &profile.facts, &sum, &marks);
        let erased = is_erased(&profile.facts);
        if !erased && self.is_stranger(plan, due, link, record, &desired) {
            return;
        }
        if first.origin == Origin::Adopted {
            keep_what_stands(&mut desired, &record.fields);
        }
        // What an erased one's record holds of him goes, whoever took it to himself, and so does what leaves with somebody.
        desired.retain(|field, _| erased || !theirs.holds(field));
        leaving.take_away(self, entity, &mut desired, &record.fields);
        let free = |name: &str| record.fields.get(name).is_none_or(CrmValue::is_empty);
        let code = |key: &ProfileKey| self.ground.hotels.get(&key.0).map(|hotel| hotel.code.to_string());
        let marked = leaving.marked(&record.fields) || is_stale_mark(&record.fields, code, merged.keys());
        if erased && marked {
            desired.extend(["originatorId", "originId"].map(|name| (name.to_owned(), CrmValue::Empty)));
        }
        if !erased && (marked || free("originatorId") && free("originId")) {
            let birth = person_birth(mapping, entity, &hotel.code, &profile.facts, &sum, 0);
            desired.extend(birth.into_iter().filter(|(name, _)| name.starts_with("origin")));
        }
        let made_at = made_at(hotel, profile.pms_time, profile.received_at);
        let hotels = hotels_of(shared.iter().map(|link| &link.subject));
        let (mut judged, mut left) = match erased {
            // Whoever changed a field, or goes on changing it, does not keep it from being emptied.
            true => (record.clone(), desired.clone()),
            false => self.left_to_write(&hotels, record, &desired, made_at),
        };
        if !erased {
            theirs.give_back(&record.fields, &mut left);
        }
        let set = if leaving.is_empty() {
            change_set(&left, &record.fields)
        } else {
            // Whoever changed them does not keep the phones of somebody else here; what they took away stays away.
            for (name, value) in &desired {
                if let (CrmValue::Comms(wanted), false) = (value, left.contains_key(name)) {
                    left.insert(name.clone(), only_held(wanted, record.fields.get(name)));
                }
            }
            change_set(&left, &leaving.known(&record.fields))
        };
        let (back, stands) = theirs.of_write(&set.write);
        if !erased {
            self.owe(record, &mut judged, &set);
            plan.pinned.extend(stands);
        }
        if set.is_empty() {
            self.lanes().phones.learn(&due.row.subject, true);
            plan.parted.extend((!leaving.is_empty()).then_some((entity, link.crm_id)));
            plan.nothing(due, record, judged, &desired, set.after, self.now());
            return;
        }
        let stored = self.fresh(entity, link.crm_id);
        if stored.is_none() && (!back.is_empty() || self.wants_a_look(&hotels, entity, &set)) {
            plan.read(entity, link.crm_id, due);
            return;
        }
        let stored = stored.unwrap_or_default();
        plan.decided(due, record, judged);
        self.lanes().phones.learn(&due.row.subject, set.comms.is_empty());
        let mut write = planned(due, entity, link.crm_id, set.write, set.comms, set.after, String::new());
        (write.stored, write.version) = (stored, active.version);
        if !erased {
            write.words = Some(Words::of_profile(mapping, entity, profile, &write.after));
            write.pins = back;
            // What stands there while somebody leaves the record may be his.
            let stood = |field: &String| Some((field.clone(), record.fields.get(field)?.clone()));
            write.before = write.fields.keys().filter(|_| leaving.is_empty()).filter_map(stood).collect();
        }
        plan.writes.push(write);
    }

    async fn plan_new_people(&self, plan: &mut Plan, due: Vec<(Due, ProfileRow)>) -> Result<(), SyncError> {
        let people = self.people_of(due).await?;
        let index = Found::load(self, &people).await?;
        let mut adopted: HashSet<(CrmEntity, i64)> = HashSet::new();
        for person in people {
            let link = |crm_id, origin| LinkRow {
                subject: person.due.row.subject.clone(),
                entity: person.entity,
                crm_id,
                origin,
                marked: false,
            };
            match index.of(self, &person, false) {
                Verdict::Is(id, origin) => {
                    plan.links.push(link(id, origin));
                    adopted.insert((person.entity, id));
                    plan.read(person.entity, id, &person.due);
                }
                Verdict::Twice(ids) => plan.reject(&person.due, DUPLICATE_MARK, json!({"ids": ids})),
                Verdict::New(doubts) => self.plan_birth(plan, person, doubts),
            }
        }
        Ok(())
    }

    /// As they are looked for among the portal's records.
    pub(super) async fn people_of(&self, due: Vec<(Due, ProfileRow)>) -> Result<Vec<NewPerson>, SyncError> {
        let keys: Vec<ProfileKey> = due.iter().map(|(_, row)| (row.hotel, row.facts.number.clone())).collect();
        let totals = self.totals(&keys).await?;
        let mut people = Vec::with_capacity(due.len());
        for (due, row) in due {
            let (Some(hotel), Some(active)) =
                (self.ground.hotels.get(&row.hotel), self.ground.mappings.get(&row.hotel))
            else {
                continue;
            };
            let company = row.facts.kind.get().is_some_and(|kind| kind.is_company());
            let entity = if company { CrmEntity::Company } else { CrmEntity::Contact };
            let mark = format!("{}:{}", hotel.code, row.facts.number);
            let sum = totals.get(&(row.hotel, row.facts.number.clone())).cloned().unwrap_or_default();
            let fields = desired_person(&active.mapping, entity, &row.facts, &sum, &BTreeSet::from([mark.clone()]));
            // Guests of a demo hotel are matched with nobody (product §4).
            let comms = if hotel.settings.demo { Vec::new() } else { comm_keys(&self.key, &fields) };
            let name = name_tokens(&self.key, entity, &fields);
            people.push(NewPerson { due, row, sum, entity, mark, fields, comms, name });
        }
        Ok(people)
    }

    fn plan_birth(&self, plan: &mut Plan, person: NewPerson, doubts: Option<(Vec<i64>, Doubt)>) {
        let NewPerson { due, row, sum, entity, mark, fields, comms, name } = person;
        let (Some(hotel), Some(active)) = (self.ground.hotels.get(&row.hotel), self.ground.mappings.get(&row.hotel))
        else {
            return;
        };
        let Some(owner) = self.ground.terms.owner_rule.owner(&hotel.code, &due.row.subject) else {
            self.ownerless(plan, &due);
            return;
        };
        let hashes: Vec<String> = comms.iter().map(|(_, hash)| hash.clone()).collect();
        {
            let mut lanes = self.lanes();
            // The same person under two profiles: the second waits until the first can be found.
            let twin = lanes.births.twin(due.row.id, &hashes, &name);
            if let Some(twin) = twin {
                if lanes.births.is_unheard(twin) {
                    plan.later.push((due.row.id, self.now() + LOOK_AGAIN_MS));
                } else {
                    lanes.waiting.insert(due.row.id);
                }
                return;
            }
            lanes.births.insert(due.row.id, hashes, name);
        }
        plan.hint(&due.row.subject, entity, doubts);
        let mut all = fields;
        all.extend(person_birth(&active.mapping, entity, &hotel.code, &row.facts, &sum, owner));
        let set = change_set(&all, &Fields::new());
        let write = planned(&due, entity, 0, set.write, set.comms, set.after, mark);
        let words = Some(Words::of_profile(&active.mapping, entity, &row, &write.after));
        plan.writes.push(Planned { version: active.version, words, ..write });
    }

    /// What finished stays of these guests add up to.
    async fn totals(&self, guests: &[ProfileKey]) -> Result<HashMap<ProfileKey, GuestTotals>, SyncError> {
        let mut totals: HashMap<ProfileKey, GuestTotals> = HashMap::new();
        for sum in stay_sums::finished_of_guests(self.db(), self.portal, &self.key, guests).await? {
            if sum.role == Role::Guest {
                totals.entry((sum.hotel, sum.profile)).or_default().count(&sum.figures);
            }
        }
        Ok(totals)
    }
}

pub(super) fn planned(
    due: &Due,
    entity: CrmEntity,
    target: i64,
    fields: Fields,
    comms: Vec<(String, Vec<crate::domain::change_set::CommStep>)>,
    after: Fields,
    mark: String,
) -> Planned {
    Planned {
        row: due.row.id,
        seq: due.row.seq,
        subject: due.subject.clone(),
        priority: due.row.priority,
        attempts: due.row.attempts,
        spoilt: due.row.spoilt,
        seen_at: due.row.seen_at,
        entity,
        target,
        deletes: false,
        note: None,
        fields,
        comms,
        stored: Vec::new(),
        before: Fields::new(),
        after,
        mark,
        named: Vec::new(),
        version: 0,
        pins: Vec::new(),
        words: None,
        carried: Carried::default(),
    }
}
