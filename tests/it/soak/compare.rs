//! The CRM against the hotel's truth, field by field: the whole hotel is read afresh and what the mapping makes of it is
//! laid beside what the portal holds.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::Days;
use fb24_sandbox::hotel::model::Status;
use fb24_sandbox::portal::{Entity as Kind, Record};
use fidelio_bitrix24::domain::change_set::bare;
use fidelio_bitrix24::domain::crm::{Comm, kind_of};
use fidelio_bitrix24::domain::desired::{DealLinks, DealPlace, desired_deal, desired_person};
use fidelio_bitrix24::domain::{
    Change, CrmEntity, CrmValue, Entity, GuestTotals, HotelCode, Known, Mapping, Profile, Stay, StayStatus,
};
use fidelio_bitrix24::fidelio::{Read, Sink, SourceError};
use fidelio_bitrix24::store::{hotels, sources, stays};

use super::CODE;
use super::life::Life;
use crate::support::api::start_time;
use crate::support::town::{House, Town};
use crate::support::world::stage;

#[derive(Default)]
struct Truth {
    stays: BTreeMap<String, Stay>,
    profiles: BTreeMap<String, Profile>,
}

#[async_trait]
impl Sink for Truth {
    async fn take(&mut self, changes: Vec<Change>, _: Option<serde_json::Value>) -> Result<(), SourceError> {
        for change in changes {
            match change.entity {
                Entity::Stay(stay) => drop(self.stays.insert(stay.number.to_string(), *stay)),
                Entity::Profile(profile) => drop(self.profiles.insert(profile.number.to_string(), *profile)),
            }
        }
        Ok(())
    }
}

impl Truth {
    async fn read(town: &Town, house: &House) -> Self {
        let (db, portal) = (&town.db, town.portal(house).await.id);
        let key = town.node.directory.key(portal).await.expect("a key");
        let hotel = hotels::list(db, portal).await.expect("hotels").remove(0);
        let row = sources::of_hotel(db, portal, &key, hotel.id).await.expect("sources").remove(0);
        let source = (town.sources())(&row).expect("a way in");
        let today = start_time().date_naive();
        let what = Read::Arrivals { from: today - Days::new(120), to: today + Days::new(500) };
        let mut truth = Self::default();
        source.read(&what, &serde_json::Value::Null, &mut truth).await.expect("the hotel is read");
        truth
    }

    fn totals(&self, guest: &str) -> GuestTotals {
        let mut sum = GuestTotals::default();
        for stay in self.stays.values() {
            let theirs = stay.main_guest.get().is_some_and(|number| number.as_str() == guest);
            if theirs {
                sum.count(stay);
            }
        }
        sum
    }
}

fn bares(comms: &BTreeSet<Comm>) -> BTreeSet<String> {
    comms.iter().map(bare).collect()
}

/// One field of a record beside what it should hold; `None`: they agree.
fn differs(record: &Record, name: &str, want: &CrmValue, extra: &BTreeSet<String>) -> Option<String> {
    let agree = match want {
        CrmValue::Comms(want) => {
            let held = record.multi(name).into_iter();
            let held: BTreeSet<String> = held.map(|value| bare(&Comm { value_type: String::new(), value })).collect();
            let theirs = extra.iter().map(|value| bare(&Comm { value_type: String::new(), value: value.clone() }));
            held == bares(want).into_iter().chain(theirs).collect()
        }
        CrmValue::Ids(want) => {
            let CrmValue::Ids(held) = CrmValue::read(kind_of(name), record.fields.get(name)?) else { return None };
            held.first() == want.first() && held.iter().collect::<BTreeSet<_>>() == want.iter().collect()
        }
        want => CrmValue::read(kind_of(name), record.fields.get(name).unwrap_or(&serde_json::Value::Null)).same(want),
    };
    let held = match want {
        CrmValue::Comms(_) => format!("{:?}", record.multi(name)),
        _ => format!("{:?}", record.fields.get(name)),
    };
    (!agree).then(|| format!("{name} is {held} instead of {want:?}"))
}

fn by_profile(records: &[Record]) -> BTreeMap<String, Vec<&Record>> {
    let mut found: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if let Some(CrmValue::Texts(marks)) =
            record.fields.get("UF_CRM_FB24_PROFILE").map(|value| CrmValue::read(kind_of("UF_CRM_FB24_PROFILE"), value))
        {
            for mark in marks {
                found.entry(mark).or_default().push(record);
            }
        }
    }
    found
}

/// The contract's stage of a canonical status.
fn stage_of(status: StayStatus) -> &'static str {
    let same = Status::ALL.into_iter().find(|one| one.word() == status.word());
    stage(same.expect("the same words"))
}

pub async fn differences(town: &Town, house: &House, life: &Life) -> Vec<String> {
    let truth = Truth::read(town, house).await;
    let (code, mapping) = (HotelCode::parse(CODE).expect("a code"), Mapping::standard());
    let mut wrong = Vec::new();
    let (deals, contacts, companies) =
        (house.portal.records(Kind::Deal), house.portal.records(Kind::Contact), house.portal.records(Kind::Company));
    let (people, firms) = (by_profile(&contacts), by_profile(&companies));
    house.hotel.with(|state| {
        let of_hotel = state.reservations.values().filter(|stay| !stay.financial_account);
        let numbers: BTreeSet<String> = of_hotel.map(|stay| stay.number.to_string()).collect();
        if numbers != truth.stays.keys().cloned().collect() {
            wrong.push("the hotel was not read whole".to_owned());
        }
    });

    let mut marks: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for deal in &deals {
        marks.entry(deal.text("originId")).or_default().push(deal);
    }
    let none = BTreeSet::new();
    let mut named = BTreeSet::new();
    for stay in truth.stays.values() {
        let mark = format!("{CODE}:{}", stay.number);
        let (mut links, mut firm, mut agent) = (DealLinks::default(), None, None);
        for (profile, role) in stays::roles(stay) {
            let company =
                truth.profiles.get(profile.as_str()).and_then(|p| p.kind.get()).is_some_and(|k| k.is_company());
            let profile_mark = format!("{CODE}:{profile}");
            let records = if company { firms.get(&profile_mark) } else { people.get(&profile_mark) };
            named.insert((profile.to_string(), company));
            let Some([record]) = records.map(Vec::as_slice) else { continue };
            match role {
                stays::Role::Company if company => firm = Some(record.id),
                stays::Role::TravelAgent | stays::Role::Source if company => agent = agent.or(Some(record.id)),
                _ if !company && !links.contacts.contains(&record.id) => links.contacts.push(record.id),
                _ => {}
            }
        }
        links.company = firm.or(agent).map_or(Known::Absent, Known::Is);
        let found = marks.remove(&mark).unwrap_or_default();
        if life.deleted.contains(&mark) {
            wrong.extend((!found.is_empty()).then(|| format!("{mark}: deleted by a person and made again")));
            continue;
        }
        let [deal] = found.as_slice() else {
            wrong.push(format!("{mark}: {} deals", found.len()));
            continue;
        };
        let guest = stay.main_guest.get().and_then(|guest| truth.profiles.get(guest.as_str()));
        let guest = guest.map(Profile::display_name).unwrap_or_default();
        let want = desired_deal(&mapping, &code, stay, &guest, &links, &DealPlace::default());
        for (name, value) in &want {
            wrong.extend(differs(deal, name, value, &none).map(|text| format!("{mark}: {text}")));
        }
        let held = deal.text("stageId");
        let right = match (life.closed.get(&deal.id), stay.status.get()) {
            (Some(closed), _) => held == *closed,
            (None, Some(status)) => held.rsplit_once(':').is_some_and(|(_, id)| id == stage_of(*status)),
            (None, None) => false,
        };
        if !right {
            wrong.push(format!("{mark}: stage {held} for {:?}, closed {:?}", stay.status, life.closed.get(&deal.id)));
        }
        if let Some(text) = life.comments.get(&("deal", deal.id)).filter(|text| deal.text("comments") != **text) {
            wrong.push(format!("{mark}: a person's comment {text} became {}", deal.text("comments")));
        }
    }
    wrong.extend(marks.keys().map(|mark| format!("a deal of nobody: {mark}")));

    for (number, company) in named {
        let mark = format!("{CODE}:{number}");
        let records = if company { firms.get(&mark) } else { people.get(&mark) };
        let (Some([record]), Some(profile)) = (records.map(Vec::as_slice), truth.profiles.get(&number)) else {
            wrong.push(format!("{mark}: {} records of a person", records.map_or(0, Vec::len)));
            continue;
        };
        let entity = if company { CrmEntity::Company } else { CrmEntity::Contact };
        let mut want =
            desired_person(&mapping, entity, profile, &truth.totals(&number), &BTreeSet::from([mark.clone()]));
        if !company && life.by_hand.contains(&record.id) {
            want.retain(|name, _| !["name", "lastName", "secondName", "birthdate"].contains(&name.as_str()));
        }
        let extra = life.phones.get(&record.id).filter(|_| !company).unwrap_or(&none);
        for (name, value) in &want {
            let extra = if name == "PHONE" { extra } else { &none };
            wrong.extend(differs(record, name, value, extra).map(|text| format!("{mark}: {text}")));
        }
        let kept =
            life.comments.get(&("contact", record.id)).filter(|text| !company && record.text("comments") != **text);
        wrong.extend(kept.map(|text| format!("{mark}: a person's comment {text} was lost")));
    }
    // Whoever was entered by hand and came was recognised: no phone belongs to two.
    let mut phones: BTreeMap<String, usize> = BTreeMap::new();
    for value in contacts.iter().flat_map(|contact| contact.multi("PHONE")) {
        *phones.entry(bare(&Comm { value_type: String::new(), value })).or_default() += 1;
    }
    wrong.extend(phones.iter().filter(|(_, count)| **count > 1).map(|(phone, n)| format!("{n} contacts with {phone}")));
    wrong
}
