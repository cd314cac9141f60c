//! Stays: their deal found again, made, or brought up to date. A deal waits for the guests it names, but not for ever.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::attach::{Reference, refusal};
use super::error::SyncError;
use super::lanes::Delivery;
use super::lost::DUPLICATE_MARK;
use super::owned::made_at;
use super::people::hash_of;
use super::plan::{Due, Plan};
use super::plan_people::planned;
use crate::bitrix::Priority;
use crate::domain::change_set::{alike, change_set};
use crate::domain::desired::{DealLinks, deal_birth, desired_deal, keep_what_stands};
use crate::domain::{CrmEntity, CrmValue, Fields, HotelId, Known, ProfileNumber, Stay, StayNumber, Subject};
use crate::store::crm_index::{self, IndexKind};
use crate::store::crm_records::{self, RecordRow};
use crate::store::erasures;
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox;
use crate::store::pins::{self, Pin, Pins};
use crate::store::profiles::{self, ProfileRow};
use crate::store::stays::{self, Role, StayRow};

/// How long a new stay's deal waits for a profile that was named but not read yet: live, imported.
const PROFILE_GRACE_MS: (i64, i64) = (15_000, 120_000);
pub(super) const LOOK_AGAIN_MS: i64 = 2_000;

/// What was loaded for a batch of stays.
struct Around {
    profiles: HashMap<(HotelId, ProfileNumber), ProfileRow>,
    /// Named profiles that are known at all, by subject.
    known: HashSet<String>,
    links: HashMap<String, LinkRow>,
    gone: HashSet<i64>,
    /// Named people who are erased: a deal names them no more.
    erased: HashSet<String>,
    outbox: HashMap<String, (i32, i32, i64)>,
    /// Fields of their deals that people took to themselves.
    pins: HashMap<String, Pins>,
}

/// Whether a deal can be written now.
enum Guests {
    Ready {
        links: DealLinks,
        named: Vec<(String, Option<i64>)>,
        name: String,
    },
    /// Something in flight or due before will make them ready.
    Wait,
    /// Not read from the PMS yet.
    Later(i64),
}

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
        let rows = stays::load(self.db(), self.portal, &self.key, &keys).await?;
        let subjects: Vec<String> = due.iter().map(|due| due.row.subject.clone()).collect();
        let linked = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let ids: Vec<i64> = linked.values().map(|link| link.crm_id).collect();
        let records = crm_records::load(self.db(), self.portal, &self.key, CrmEntity::Deal, &ids).await?;
        let mut around = self.around(rows.values()).await?;
        around.pins = pins::load(self.db(), self.portal, &self.key, &subjects).await?;
        let gone: HashSet<i64> = records.values().filter(|record| record.deleted).map(|record| record.crm_id).collect();
        let stands = |link: &LinkRow| !gone.contains(&link.crm_id);
        let standing: HashSet<&String> =
            linked.values().filter(|link| stands(link)).map(|link| &link.subject).collect();
        let marked = self.marked(&rows, &standing).await?;
        let referred = self.referred(rows.values(), &linked).await?;
        let mut lost = Vec::new();
        for due in due {
            let Subject::Stay(hotel, number) = &due.subject else { continue };
            let row = rows.get(&(*hotel, number.clone()));
            let carried = row.filter(|row| {
                let (Some(hotel), Some(active)) = (self.ground.hotels.get(hotel), self.ground.mappings.get(hotel))
                else {
                    return false;
                };
                let linked = linked.contains_key(&due.row.subject) && row.facts.status.get().is_some();
                linked || active.mapping.carries(&hotel.code, &row.facts)
            });
            let Some(row) = carried else {
                plan.dropped.push(due.pair());
                continue;
            };
            let mark =
                self.ground.hotels.get(hotel).map(|hotel| format!("{}:{number}", hotel.code)).unwrap_or_default();
            match linked.get(&due.row.subject) {
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
                            let reference = referred.get(&due.row.subject);
                            if let Some(Reference::To(deal)) = reference {
                                self.refer(plan, &due, *deal);
                                continue;
                            }
                            if let Some(Reference::Not(deal, why)) = reference {
                                plan.problems.push(refusal(&due.row.subject, *deal, why));
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

    /// Deals that bear the mark of a stay without a deal, else its hotel and reservation.
    async fn marked(
        &self,
        rows: &HashMap<(HotelId, StayNumber), StayRow>,
        standing: &HashSet<&String>,
    ) -> Result<HashMap<String, BTreeSet<i64>>, SyncError> {
        let mut found: HashMap<String, BTreeSet<i64>> = HashMap::new();
        for kind in [IndexKind::Mark, IndexKind::Profile] {
            let mut wanted: BTreeMap<String, String> = BTreeMap::new();
            for (hotel, number) in rows.keys() {
                let subject = Subject::Stay(*hotel, number.clone()).to_string();
                if let (false, false, Some(hotel)) =
                    (standing.contains(&subject), found.contains_key(&subject), self.ground.hotels.get(hotel))
                {
                    wanted.insert(hash_of(&self.key, kind, &format!("{}:{number}", hotel.code)), subject);
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

    async fn around(&self, rows: impl Iterator<Item = &StayRow>) -> Result<Around, SyncError> {
        let mut mains: Vec<(HotelId, ProfileNumber)> = Vec::new();
        let mut named: HashMap<HotelId, BTreeSet<ProfileNumber>> = HashMap::new();
        for row in rows {
            mains.extend(row.facts.main_guest.get().map(|guest| (row.hotel, guest.clone())));
            for (profile, _) in stays::roles(&row.facts) {
                named.entry(row.hotel).or_default().insert(profile);
            }
        }
        let (mut known, mut erased) = (HashSet::new(), HashSet::new());
        let mut subjects = Vec::new();
        for (hotel, numbers) in named {
            let found = erasures::among(self.db(), self.portal, hotel, &numbers.iter().collect()).await?;
            erased.extend(found.into_iter().map(|number| Subject::Profile(hotel, number).to_string()));
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            for number in profiles::hashes(self.db(), self.portal, hotel, &numbers).await?.into_keys() {
                known.insert(format!("profile:{hotel}:{number}"));
            }
            subjects.extend(numbers.iter().map(|number| format!("profile:{hotel}:{number}")));
        }
        let links = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let mut gone = HashSet::new();
        for entity in [CrmEntity::Contact, CrmEntity::Company] {
            let ids: Vec<i64> = links.values().filter(|link| link.entity == entity).map(|link| link.crm_id).collect();
            gone.extend(crm_records::deleted_among(self.db(), self.portal, entity, &ids).await?);
        }
        let open: Vec<String> =
            subjects.into_iter().filter(|subject| known.contains(subject) && !links.contains_key(subject)).collect();
        let outbox = outbox::states(self.db(), self.portal, &open).await?;
        let profiles = profiles::load(self.db(), self.portal, &self.key, &mains).await?;
        Ok(Around { profiles, known, links, gone, erased, outbox, pins: HashMap::new() })
    }

    fn guests(&self, due: &Due, row: &StayRow, around: &Around) -> Guests {
        let mut links = DealLinks::default();
        let mut named = Vec::new();
        let (mut company, mut agent) = (None, None);
        let (mut wait, mut later, mut nobody) = (false, None, false);
        for (profile, role) in stays::roles(&row.facts) {
            let subject = Subject::Profile(row.hotel, profile).to_string();
            if around.erased.contains(&subject) {
                nobody |= !role.is_person();
                links.erased |= role.is_person();
                continue;
            }
            let link = around.links.get(&subject);
            named.push((subject.clone(), link.map(|link| link.crm_id)));
            match link {
                Some(link) if around.gone.contains(&link.crm_id) => {}
                Some(link) => match (link.entity, role) {
                    (CrmEntity::Contact, _) if role.is_person() && !links.contacts.contains(&link.crm_id) => {
                        links.contacts.push(link.crm_id);
                    }
                    (CrmEntity::Company, Role::Company) => company = Some(link.crm_id),
                    (CrmEntity::Company, Role::TravelAgent | Role::Source) => agent = agent.or(Some(link.crm_id)),
                    _ => {}
                },
                None if around.known.contains(&subject) => match around.outbox.get(&subject) {
                    // On his way; one whose first try failed keeps nobody waiting.
                    Some((outbox::WAITING, 0, _)) => wait = true,
                    Some((outbox::SENT, ..)) if self.lanes().flight.subjects.contains(&subject) => wait = true,
                    _ => {}
                },
                None => {
                    let import = due.row.priority >= super::lane(Priority::Import);
                    let grace = if import { PROFILE_GRACE_MS.1 } else { PROFILE_GRACE_MS.0 };
                    let until = due.row.seen_at + grace;
                    if self.now() < until {
                        later = Some(until.min(self.now() + LOOK_AGAIN_MS));
                    }
                }
            }
        }
        links.company = match company.or(agent) {
            Some(id) => Known::Is(id),
            None if nobody || names_no_company(&row.facts) => Known::Empty,
            None => Known::Absent,
        };
        if wait {
            return Guests::Wait;
        }
        if let Some(until) = later {
            return Guests::Later(until);
        }
        let name = row
            .facts
            .main_guest
            .get()
            .and_then(|guest| around.profiles.get(&(row.hotel, guest.clone())))
            .map(|profile| profile.facts.display_name())
            .unwrap_or_default();
        Guests::Ready { links, named, name }
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
        let (links, named, name) = match self.guests(due, row, around) {
            Guests::Ready { links, named, name } => (links, named, name),
            Guests::Wait => {
                self.lanes().waiting.insert(due.row.id);
                return;
            }
            Guests::Later(until) => {
                plan.later.push((due.row.id, until));
                return;
            }
        };
        let (Some(hotel), Some(active)) = (self.ground.hotels.get(&row.hotel), self.ground.mappings.get(&row.hotel))
        else {
            return;
        };
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
        let pinned = around.pins.get(&due.row.subject);
        desired.retain(|field, _| !pinned.is_some_and(|pins| pins.contains_key(field)));
        let made_at = made_at(hotel, row.pms_time, row.received_at);
        let (mut judged, mut left) = self.left_to_write(&[row.hotel], record, &desired, made_at);
        let owed = || pinned.into_iter().flatten().filter(|(_, pin)| !pin.written);
        let back: Vec<String> = owed().map(|(field, _)| field.clone()).collect();
        // What people wrote over it meanwhile stands.
        let ours =
            |(field, pin): &(&String, &Pin)| record.fields.get(*field).is_some_and(|stands| alike(stands, &pin.undone));
        left.extend(owed().filter(ours).map(|(field, pin)| (field.clone(), pin.value.clone())));
        let set = change_set(&left, &record.fields);
        let stands = back.iter().filter(|field| !set.write.contains_key(*field));
        plan.pinned.extend(stands.map(|field| (due.row.subject.clone(), field.clone())));
        self.owe(record, &mut judged, &set);
        if set.is_empty() {
            plan.nothing(due, record, judged, &desired, set.after, self.now());
            return;
        }
        let undoes = back.iter().any(|field| set.write.contains_key(field));
        if (undoes || self.wants_a_look(&[row.hotel], CrmEntity::Deal, &set))
            && self.fresh(CrmEntity::Deal, record.crm_id).is_none()
        {
            plan.read(CrmEntity::Deal, record.crm_id, due);
            return;
        }
        plan.decided(due, record, judged);
        let mut write = planned(due, CrmEntity::Deal, record.crm_id, set.write, Vec::new(), set.after, String::new());
        (write.named, write.version, write.pins) = (named, active.version, back);
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
        let (links, named, name) = match self.guests(due, row, around) {
            Guests::Ready { links, named, name } => (links, named, name),
            Guests::Wait => {
                self.lanes().waiting.insert(due.row.id);
                return;
            }
            Guests::Later(until) => {
                plan.later.push((due.row.id, until));
                return;
            }
        };
        let (Some(hotel), Some(active)) = (self.ground.hotels.get(&row.hotel), self.ground.mappings.get(&row.hotel))
        else {
            return;
        };
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
        plan.writes.push(write);
    }
}

/// The hotel says so; what it does not say means nothing.
fn names_no_company(stay: &Stay) -> bool {
    let others = [&stay.travel_agent, &stay.source_profile];
    stay.company == Known::Empty && others.iter().all(|role| role.get().is_none())
}
