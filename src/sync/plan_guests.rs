//! Whom a deal names: guests, companies and the group of its stay, whose records go before it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::error::SyncError;
use super::lanes::Delivery;
use super::plan::{Due, Plan};
use super::plan_deals::LOOK_AGAIN_MS;
use crate::bitrix::Priority;
use crate::domain::desired::DealLinks;
use crate::domain::{CrmEntity, HotelId, Known, ProfileNumber, Stay, Subject, group};
use crate::store::links::{self, LinkRow};
use crate::store::pins::Pins;
use crate::store::profiles::{self, ProfileRow};
use crate::store::stays::{self, Role, StayRow};
use crate::store::{crm_records, erasures, outbox};

/// How long a new stay's deal waits for a profile that was named but not read yet: live, imported.
const PROFILE_GRACE_MS: (i64, i64) = (15_000, 120_000);

/// What was loaded for a batch of stays.
pub(super) struct Around {
    profiles: HashMap<(HotelId, ProfileNumber), ProfileRow>,
    /// Named profiles that are known at all, by subject.
    known: HashSet<String>,
    links: HashMap<String, LinkRow>,
    gone: HashSet<(CrmEntity, i64)>,
    /// Named people who are erased: a deal names them no more.
    erased: HashSet<String>,
    outbox: HashMap<String, (i32, i32, i64)>,
    /// Of these, who was being sent before it was looked up.
    in_flight: HashSet<String>,
    /// Fields of their deals that people took to themselves.
    pub pins: HashMap<String, Pins>,
}

/// What a deal says of its people, once all of them can be named.
#[derive(Default)]
pub(super) struct Guests {
    pub(super) links: DealLinks,
    pub(super) named: Vec<(String, Option<i64>)>,
    pub(super) name: String,
}

/// How a record that a deal is to name comes to be.
enum Coming {
    Not,
    Soon,
    After(i64),
}

impl Delivery {
    pub(super) async fn around(&self, rows: impl Iterator<Item = &StayRow>) -> Result<Around, SyncError> {
        let mut mains: Vec<(HotelId, ProfileNumber)> = Vec::new();
        let mut named: HashMap<HotelId, BTreeSet<ProfileNumber>> = HashMap::new();
        let mut groups: BTreeSet<String> = BTreeSet::new();
        for row in rows {
            mains.extend(row.facts.main_guest.get().map(|guest| (row.hotel, guest.clone())));
            for (profile, _) in stays::parts(&row.facts) {
                named.entry(row.hotel).or_default().insert(profile.clone());
            }
            groups.extend(self.group_to_name(row).map(|group| group.to_string()));
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
        known.extend(groups.iter().cloned());
        subjects.extend(groups);
        let mut links = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let open: Vec<String> =
            subjects.into_iter().filter(|subject| known.contains(subject) && !links.contains_key(subject)).collect();
        let in_flight = {
            let lanes = self.lanes();
            open.iter().filter(|subject| lanes.flight.subjects.contains(*subject)).cloned().collect()
        };
        let outbox = outbox::states(self.db(), self.portal, &open).await?;
        // Who was sent a moment ago has his record by now: a deal made without him would be written twice.
        let sent = |subject: &String| outbox.get(subject).is_none_or(|(state, ..)| *state == outbox::SENT);
        let sent: Vec<String> = open.into_iter().filter(sent).collect();
        links.extend(links::of_subjects(self.db(), self.portal, &sent).await?);
        let mut gone = HashSet::new();
        for entity in CrmEntity::ALL {
            let ids: Vec<i64> = links.values().filter(|link| link.entity == entity).map(|link| link.crm_id).collect();
            let ids = crm_records::deleted_among(self.db(), self.portal, entity, &ids).await?;
            gone.extend(ids.into_iter().map(|id| (entity, id)));
        }
        let profiles = profiles::load(self.db(), self.portal, &self.key, &mains).await?;
        Ok(Around { profiles, known, links, gone, erased, outbox, in_flight, pins: HashMap::new() })
    }

    /// `None`: the deal waits for them, and is planned anew when what it waits for may be there. `stands`: the deal is
    /// there, and does not wait for a guest who may not be written before long; he is added then.
    pub(super) fn guests(
        &self,
        plan: &mut Plan,
        due: &Due,
        row: &StayRow,
        around: &Around,
        stands: bool,
    ) -> Option<Guests> {
        if matches!(due.subject, Subject::Group(..)) {
            return Some(Guests::default());
        }
        let mut links = DealLinks::default();
        let mut named = Vec::new();
        let (mut company, mut agent) = (None, None);
        let (mut wait, mut behind, mut later, mut nobody) = (false, None, None, false);
        // Whether everybody of that kind is there; else the deal's own stand as they are.
        let (mut people, mut firms) = (true, true);
        let mut awaits = |coming| match coming {
            // Nobody comes on paper: the deal is shown as it is before they are added.
            _ if self.on_paper => {}
            Coming::Not => {}
            Coming::Soon => wait = true,
            Coming::After(moment) => behind = behind.max(Some(moment)),
        };
        for (profile, role) in stays::parts(&row.facts) {
            let subject = Subject::Profile(row.hotel, profile.clone()).to_string();
            if around.erased.contains(&subject) {
                nobody |= !role.is_person();
                links.erased |= role.is_person();
                continue;
            }
            let link = around.links.get(&subject);
            if !named.iter().any(|(held, _)| *held == subject) {
                named.push((subject.clone(), link.map(|link| link.crm_id)));
            }
            match link {
                Some(link) if around.gone.contains(&(link.entity, link.crm_id)) => {}
                Some(link) => match (link.entity, role) {
                    (CrmEntity::Contact, _) if role.is_person() && !links.contacts.contains(&link.crm_id) => {
                        links.contacts.push(link.crm_id);
                    }
                    (CrmEntity::Company, Role::Company) => company = Some(link.crm_id),
                    (CrmEntity::Company, Role::TravelAgent | Role::Source) => agent = agent.or(Some(link.crm_id)),
                    _ => {}
                },
                None if around.known.contains(&subject) => match self.coming(around, &subject) {
                    Coming::After(_) if stands && role.is_person() => people = false,
                    Coming::After(_) if stands => firms = false,
                    coming => awaits(coming),
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
        if !people {
            (links.contacts, links.erased) = (Vec::new(), false);
        }
        links.company = match company.or(agent) {
            _ if !firms => Known::Absent,
            Some(id) => Known::Is(id),
            None if nobody || names_no_company(&row.facts) => Known::Empty,
            None => Known::Absent,
        };
        if let Some(group) = self.group_to_name(row) {
            let subject = group.to_string();
            let link = around.links.get(&subject);
            named.push((subject.clone(), link.map(|link| link.crm_id)));
            match link {
                Some(link) if around.gone.contains(&(link.entity, link.crm_id)) => {}
                Some(link) => links.group = Known::Is(link.crm_id),
                None => match self.coming(around, &subject) {
                    Coming::After(_) if stands => {}
                    coming => awaits(coming),
                },
            }
        } else if group::is_alone(&row.facts) {
            links.group = Known::Empty;
        }
        if let Some(until) = behind {
            // What makes them ready may not be sent before then.
            plan.behind(due, until);
            return None;
        }
        if wait {
            // Something in flight or due before will make them ready.
            self.lanes().waiting.insert(due.row.id);
            return None;
        }
        if let Some(until) = later {
            // Not read from the PMS yet.
            plan.later.push((due.row.id, until));
            return None;
        }
        let name = row
            .facts
            .main_guest
            .get()
            .and_then(|guest| around.profiles.get(&(row.hotel, guest.clone())))
            .map(|profile| profile.facts.display_name())
            .unwrap_or_default();
        Some(Guests { links, named, name })
    }

    /// One whose first try failed keeps nobody waiting.
    fn coming(&self, around: &Around, subject: &str) -> Coming {
        match around.outbox.get(subject) {
            Some((outbox::WAITING, 0, moment)) if *moment > self.now() => Coming::After(*moment),
            Some((outbox::WAITING, 0, _)) => Coming::Soon,
            Some((outbox::SENT, ..)) if around.in_flight.contains(subject) => Coming::Soon,
            _ => Coming::Not,
        }
    }

    /// The group whose deal the stay's is to name.
    fn group_to_name(&self, row: &StayRow) -> Option<Subject> {
        self.ground.mappings.get(&row.hotel)?.mapping.group_link()?;
        Some(Subject::Group(row.hotel, group::number(&row.facts)?))
    }
}

/// The hotel says so; what it does not say means nothing.
fn names_no_company(stay: &Stay) -> bool {
    let others = [&stay.travel_agent, &stay.source_profile];
    stay.company == Known::Empty && others.iter().all(|role| role.get().is_none())
}
