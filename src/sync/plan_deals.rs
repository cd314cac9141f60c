//! Stays and groups: their deal found again, made, or brought up to date. A deal waits for the guests it names, but not for ever.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::error::SyncError;
use super::lanes::Delivery;
use super::lost::DUPLICATE_MARK;
use super::owned::made_at;
use super::people::hash_of;
use super::pins::Theirs;
use super::plan::{Due, Plan};
use super::plan_guests::{Around, Guests};
use super::plan_people::planned;
use super::refer::Reference;
use super::words::Words;
use crate::domain::change_set::change_set;
use crate::domain::desired::{deal_birth, desired_deal, keep_what_stands};
use crate::domain::{CrmEntity, CrmValue, Fields, HotelId, StayNumber, Subject};
use crate::store::crm_index::{self, IndexKind};
use crate::store::crm_records::{self, RecordRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::pins;
use crate::store::stays::{self, StayRow};

pub(super) const LOOK_AGAIN_MS: i64 = 2_000;

impl Delivery {
    pub(super) async fn plan_deals(&self, plan: &mut Plan, due: Vec<Due>) -> Result<(), SyncError> {
        if due.is_empty() {
            return Ok(());
        }
        let keys: Vec<(HotelId, StayNumber)> = due
            .iter()
            .filter_map(|due| match &due.subject {
                Subject::Stay(hotel, number) => Some((*hotel, number.clone())),
                _ => None,
            })
            .collect();
        let stays = stays::load(self.db(), self.portal, &self.key, &keys).await?;
        let subjects: Vec<String> = due.iter().map(|due| due.row.subject.clone()).collect();
        let linked = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let ids: Vec<i64> = linked.values().map(|link| link.crm_id).collect();
        let records = crm_records::load(self.db(), self.portal, &self.key, CrmEntity::Deal, &ids).await?;
        let mut around = self.around(stays.values()).await?;
        around.pins = pins::load(self.db(), self.portal, &self.key, &subjects).await?;
        let referred = self.referred(&due, &stays, &linked).await?;
        let of_stay =
            |((hotel, number), row): ((HotelId, StayNumber), StayRow)| (Subject::Stay(hotel, number).to_string(), row);
        let mut rows: HashMap<String, StayRow> = stays.into_iter().map(of_stay).collect();
        rows.extend(self.groups(&due).await?);
        let gone: HashSet<i64> = records.values().filter(|record| record.deleted).map(|record| record.crm_id).collect();
        let stands = |link: &LinkRow| !gone.contains(&link.crm_id);
        let standing: HashSet<&String> =
            linked.values().filter(|link| stands(link)).map(|link| &link.subject).collect();
        let marked = self.marked(&rows, &standing).await?;
        let mut lost = Vec::new();
        for due in due {
            let link = linked.get(&due.row.subject);
            let Some(row) = rows.get(&due.row.subject).filter(|row| self.carries(&due.subject, row, link)) else {
                self.plan_nobody(plan, &due, link);
                continue;
            };
            let hotel = self.ground.hotels.get(&row.hotel);
            let mark = hotel.map(|hotel| format!("{}:{}", hotel.code, row.facts.number)).unwrap_or_default();
            match link {
                Some(link) if link.origin == Origin::Detached => {
                    self.plan_detached(plan, &due, link, records.get(&link.crm_id), &mark);
                }
                Some(link) => match records.get(&link.crm_id) {
                    None => plan.read(CrmEntity::Deal, link.crm_id, &due),
                    Some(record) if record.is_doubted() => plan.read(CrmEntity::Deal, link.crm_id, &due),
                    Some(record) if record.deleted => lost.push((due, link.clone(), record.synced_at)),
                    Some(record) if self.is_refused(plan, &due, link, record, &mark) => {}
                    Some(record) => self.plan_known_deal(plan, &due, link, row, record, &around),
                },
                None => {
                    match marked.get(&due.row.subject).map(|ids| ids.iter().copied().collect::<Vec<_>>()).as_deref() {
                        None | Some([]) => {
                            match referred.get(&due.row.subject) {
                                Some(Reference::To(deal)) => {
                                    self.refer(plan, &due, *deal);
                                    continue;
                                }
                                Some(Reference::Sought(sign)) => {
                                    plan.sought.push((due.row.id, sign.clone()));
                                    continue;
                                }
                                Some(Reference::Not(problem)) => plan.problems.push(problem.clone()),
                                None => {}
                            }
                            self.plan_new_deal(plan, &due, row, &around);
                        }
                        Some([one]) => {
                            plan.links.push(LinkRow {
                                subject: due.row.subject.clone(),
                                entity: CrmEntity::Deal,
                                crm_id: *one,
                                origin: Origin::Recovered,
                                marked: true,
                            });
                            plan.read(CrmEntity::Deal, *one, &due);
                        }
                        Some(several) => plan.reject(&due, DUPLICATE_MARK, json!({"ids": several})),
                    }
                }
            }
        }
        self.plan_lost_deals(plan, lost, &marked).await
    }

    /// Whether there is, or should be, a deal for it.
    pub(super) fn carries(&self, subject: &Subject, row: &StayRow, link: Option<&LinkRow>) -> bool {
        let Some((hotel, active)) = self.mapping_of(subject) else { return false };
        match subject {
            // Only those of its stays were added up.
            Subject::Group(..) => true,
            _ if link.is_some() => row.facts.status.get().is_some(),
            _ => active.mapping.carries(&hotel.code, &row.facts),
        }
    }

    /// Deals that bear the mark of a stay or group without a deal, else its hotel and reservation.
    async fn marked(
        &self,
        rows: &HashMap<String, StayRow>,
        standing: &HashSet<&String>,
    ) -> Result<HashMap<String, BTreeSet<i64>>, SyncError> {
        let mut found: HashMap<String, BTreeSet<i64>> = HashMap::new();
        for kind in [IndexKind::Mark, IndexKind::Profile] {
            let mut wanted: BTreeMap<String, String> = BTreeMap::new();
            for (subject, row) in rows {
                if let (false, false, Some(hotel)) =
                    (standing.contains(subject), found.contains_key(subject), self.ground.hotels.get(&row.hotel))
                {
                    let mark = format!("{}:{}", hotel.code, row.facts.number);
                    wanted.insert(hash_of(&self.key, kind, &mark), subject.clone());
                }
            }
            let hashes: Vec<String> = wanted.keys().cloned().collect();
            for row in crm_index::find(self.db(), self.portal, CrmEntity::Deal, kind, &hashes).await? {
                if let Some(subject) = wanted.get(&row.hash) {
                    found.entry(subject.clone()).or_default().insert(row.crm_id);
                }
            }
        }
        Ok(found)
    }

    fn plan_known_deal(
        &self,
        plan: &mut Plan,
        due: &Due,
        link: &LinkRow,
        row: &StayRow,
        record: &RecordRow,
        around: &Around,
    ) {
        let Some(Guests { links, named, name }) = self.guests(plan, due, row, around, true) else { return };
        let Some((hotel, active)) = self.mapping_of(&due.subject) else { return };
        let mapping = &active.mapping;
        if self.lanes().flight.records.contains(&(CrmEntity::Deal, record.crm_id)) {
            self.lanes().waiting.insert(due.row.id);
            return;
        }
        let stands_in = match record.fields.get("categoryId") {
            Some(CrmValue::Int(id)) => Some(*id),
            _ => None,
        };
        let place = mapping.place_in(stands_in, &self.ground.terms.place());
        let mut desired = desired_deal(mapping, &hotel.code, &row.facts, &name, &links, &place);
        if self.is_stranger(plan, due, link, record, &desired) {
            return;
        }
        if link.origin.attached() {
            keep_what_stands(&mut desired, &record.fields);
        }
        // A deal that a person closed stays closed.
        if record.closed_by_person && !mapping.reopen_closed {
            desired.remove("stageId");
        }
        let free = |name: &str| record.fields.get(name).is_none_or(CrmValue::is_empty);
        if free("originatorId") && free("originId") {
            let birth = deal_birth(mapping, &hotel.code, &row.facts, &name, &place, 0);
            desired.extend(birth.into_iter().filter(|(name, _)| name.starts_with("origin")));
        }
        let theirs = Theirs { holder: due.row.subject.clone(), pins: around.pins.get(&due.row.subject) };
        desired.retain(|field, _| !theirs.holds(field));
        let made_at = made_at(hotel, row.pms_time, row.received_at);
        let (mut judged, mut left) = self.left_to_write(&[row.hotel], record, &desired, made_at);
        theirs.give_back(&record.fields, &mut left);
        let set = change_set(&left, &record.fields);
        let (back, stands) = theirs.of_write(&set.write);
        plan.pinned.extend(stands);
        self.owe(record, &mut judged, &set);
        if set.is_empty() {
            plan.nothing(due, record, judged, &desired, set.after, self.now());
            return;
        }
        if (!back.is_empty() || self.wants_a_look(&[row.hotel], CrmEntity::Deal, &set))
            && self.fresh(CrmEntity::Deal, record.crm_id).is_none()
        {
            plan.read(CrmEntity::Deal, record.crm_id, due);
            return;
        }
        plan.decided(due, record, judged);
        let mut write = planned(due, CrmEntity::Deal, record.crm_id, set.write, Vec::new(), set.after, String::new());
        (write.named, write.version, write.pins) = (named, active.version, back);
        write.words = Some(Words::of_stay(mapping, &hotel.code, row, &name, &write.fields));
        // What told of a guest is not kept once it is gone: his erasure looks where he is named now.
        let stood = |field: &String| Some((field.clone(), record.fields.get(field)?.clone()));
        write.before = write
            .fields
            .keys()
            .filter(|field| !mapping.tells_of_guests(CrmEntity::Deal, field))
            .filter_map(stood)
            .collect();
        plan.writes.push(write);
    }

    fn plan_new_deal(&self, plan: &mut Plan, due: &Due, row: &StayRow, around: &Around) {
        let Some(Guests { links, named, name }) = self.guests(plan, due, row, around, false) else { return };
        let Some((hotel, active)) = self.mapping_of(&due.subject) else { return };
        let mapping = &active.mapping;
        let Some(owner) = self.ground.terms.owner_rule.owner(&hotel.code, &due.row.subject) else {
            self.ownerless(plan, due);
            return;
        };
        let place = mapping.birthplace(&self.ground.terms.place());
        let mut fields = desired_deal(mapping, &hotel.code, &row.facts, &name, &links, &place);
        fields.extend(deal_birth(mapping, &hotel.code, &row.facts, &name, &place, owner));
        let set = change_set(&fields, &Fields::new());
        let mark = format!("{}:{}", hotel.code, row.facts.number);
        let mut write = planned(due, CrmEntity::Deal, 0, set.write, Vec::new(), set.after, mark);
        (write.named, write.version) = (named, active.version);
        write.words = Some(Words::of_stay(mapping, &hotel.code, row, &name, &write.fields));
        plan.writes.push(write);
    }
}
