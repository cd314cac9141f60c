//! The CRM against the hotel's truth, record by record and field by field (`wants`). Nothing of the product is asked, so
//! that a slip anywhere in it is seen.

use std::collections::{BTreeMap, BTreeSet};

use fb24_sandbox::hotel::model::{Profile, ProfileKind};
use fb24_sandbox::hotel::{Hotel, HotelState};
use fb24_sandbox::portal::{Entity, Portal, Record};

use super::wants::{
    ORIGINATOR, Want, Wants, agrees, bares, deal_wants, firms, marks, person_wants, sleepers, stage, told,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Several records where one belongs.
    Doubled,
    /// None where one belongs.
    Missing,
    /// One that belongs to nobody.
    Orphan,
    /// A field that is not what it should be.
    Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub cause: Cause,
    pub text: String,
}

/// What people did in the portal that stands against the hotel's word.
#[derive(Default, Clone)]
pub struct Hands {
    /// Closed by a person: deal → stage.
    pub closed: BTreeMap<i64, String>,
    /// Deals deleted by a person: marks.
    pub deleted: BTreeSet<String>,
    /// `comments` that a person wrote.
    pub comments: BTreeMap<(Entity, i64), String>,
    /// Phones that a person added to a contact.
    pub phones: BTreeMap<i64, BTreeSet<String>>,
    /// Contacts that people entered: name, owner and birth date are theirs.
    pub by_hand: BTreeSet<i64>,
}

/// What a person wrote himself.
const BY_HAND: [&str; 6] = ["name", "lastName", "secondName", "birthdate", "assignedById", "opened"];

struct Compared<'a> {
    code: &'a str,
    hands: &'a Hands,
    found: Vec<Difference>,
}

impl Compared<'_> {
    fn say(&mut self, cause: Cause, text: String) {
        self.found.push(Difference { cause, text });
    }

    /// The one record of a mark.
    fn one<'r>(&mut self, what: &str, mark: &str, records: Option<Vec<&'r Record>>) -> Option<&'r Record> {
        let records = records.unwrap_or_default();
        match records.as_slice() {
            [one] => return Some(one),
            [] => self.say(Cause::Missing, format!("no {what} of {mark}")),
            several => {
                let ids: Vec<i64> = several.iter().map(|record| record.id).collect();
                self.say(Cause::Doubled, format!("{what}s {ids:?} are all of {mark}"));
            }
        }
        None
    }

    fn fields(&mut self, mark: &str, record: &Record, wants: &Wants) {
        for (name, want) in wants {
            if !agrees(record, name, want) {
                let held = told(record, name);
                self.say(Cause::Wrong, format!("{mark} ({}): {name} is {held} instead of {want:?}", record.id));
            }
        }
    }

    fn comments(&mut self, entity: Entity, mark: &str, record: &Record) {
        if let Some(text) =
            self.hands.comments.get(&(entity, record.id)).filter(|text| record.text("comments") != **text)
        {
            let held = record.text("comments");
            self.say(Cause::Wrong, format!("{mark} ({}): a person's comment {text:?} became {held:?}", record.id));
        }
    }

    /// Contacts or companies of the profiles that stays name; answers which record is whose.
    fn people(
        &mut self,
        entity: Entity,
        records: &[Record],
        state: &HotelState,
        named: &BTreeSet<i64>,
    ) -> BTreeMap<i64, i64> {
        let what = if entity == Entity::Contact { "contact" } else { "company" };
        let mut of: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
        for record in records {
            // Whatever bears our mark in either way is of that profile.
            let ours = (record.text("originatorId") == ORIGINATOR).then(|| record.text("originId"));
            let borne: BTreeSet<String> = marks(record).into_iter().chain(ours).collect();
            if borne.is_empty() && !self.hands.by_hand.contains(&record.id) {
                self.say(Cause::Orphan, format!("{what} {} bears no mark", record.id));
            }
            for mark in borne {
                of.entry(mark).or_default().push(record);
            }
        }
        // Whoever was named once keeps the record, and it goes on following the hotel.
        let person = |id: &i64| {
            let of_kind = |p: &Profile| (p.kind == ProfileKind::Individual) == (entity == Entity::Contact);
            state.profiles.get(id).is_some_and(|p| of_kind(p) && !p.privacy_removed)
        };
        let number = |mark: &String| mark.strip_prefix(self.code)?.strip_prefix(':')?.parse::<i64>().ok();
        let once: BTreeSet<i64> = of.keys().filter_map(number).filter(person).collect();
        let mut whose = BTreeMap::new();
        for profile in once.union(named).filter_map(|id| state.profiles.get(id)) {
            let mark = format!("{}:{}", self.code, profile.id);
            let Some(record) = self.one(what, &mark, of.remove(&mark)) else { continue };
            whose.insert(profile.id, record.id);
            let mut wants = person_wants(state, profile, self.code);
            if entity == Entity::Contact {
                if self.hands.by_hand.contains(&record.id) {
                    wants.retain(|(name, _)| !BY_HAND.contains(name));
                }
                let theirs = bares(self.hands.phones.get(&record.id).into_iter().flatten());
                for (name, want) in &mut wants {
                    if let (&mut "PHONE", Want::Comms(phones)) = (name, want) {
                        phones.extend(theirs.clone());
                    }
                }
            }
            self.fields(&mark, record, &wants);
            self.comments(entity, &mark, record);
        }
        for mark in of.into_keys() {
            self.say(Cause::Orphan, format!("a {what} of {mark}, whom the hotel does not know"));
        }
        // Whoever was entered by hand and came was recognised.
        let phones = |record: &Record| bares(&record.multi("PHONE"));
        for entered in
            records.iter().filter(|record| entity == Entity::Contact && self.hands.by_hand.contains(&record.id))
        {
            let same = |other: &&Record| other.id != entered.id && !phones(other).is_disjoint(&phones(entered));
            for other in records.iter().filter(same) {
                self.say(Cause::Doubled, format!("contacts {} and {} are one person", entered.id, other.id));
            }
        }
        whose
    }

    fn deals(
        &mut self,
        deals: &[Record],
        state: &HotelState,
        contacts: &BTreeMap<i64, i64>,
        companies: &BTreeMap<i64, i64>,
    ) {
        let mut of: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
        for deal in deals {
            let by_fields = format!("{}:{}", deal.text("UF_CRM_FB24_HOTEL"), deal.text("UF_CRM_FB24_RESERVATION"));
            for mark in BTreeSet::from([deal.text("originId"), by_fields]) {
                of.entry(mark).or_default().push(deal);
            }
        }
        let pipelines: BTreeSet<i64> = deals.iter().map(|deal| deal.int("categoryId")).collect();
        if pipelines.len() > 1 {
            self.say(Cause::Wrong, format!("deals stand in pipelines {pipelines:?}"));
        }
        for stay in state.reservations.values().filter(|stay| !stay.financial_account) {
            let mark = format!("{}:{}", self.code, stay.number);
            let found = of.remove(&mark);
            if self.hands.deleted.contains(&mark) {
                if found.is_some() {
                    self.say(Cause::Orphan, format!("{mark}: deleted by a person and made again"));
                }
                continue;
            }
            let Some(record) = self.one("deal", &mark, found) else { continue };
            let mut wants = deal_wants(state, stay, self.code);
            if self.hands.comments.contains_key(&(Entity::Deal, record.id)) {
                wants.retain(|(name, _)| *name != "comments");
            }
            let right = match self.hands.closed.get(&record.id) {
                Some(closed) => closed.clone(),
                None => format!("C{}:{}", record.int("categoryId"), stage(stay.status)),
            };
            wants.push(("stageId", Want::Text(right)));
            let guests: Option<Vec<i64>> = sleepers(state, stay).iter().map(|id| contacts.get(id).copied()).collect();
            // Whoever is missing or doubled was told above.
            wants.extend(guests.map(|guests| ("contactIds", Want::Ids(guests))));
            match firms(state, stay).first() {
                None => wants.push(("companyId", Want::Int(0))),
                Some(firm) => wants.extend(companies.get(firm).map(|id| ("companyId", Want::Int(*id)))),
            }
            self.fields(&mark, record, &wants);
            self.comments(Entity::Deal, &mark, record);
        }
        for (mark, deals) in of {
            let ids: Vec<i64> = deals.iter().map(|deal| deal.id).collect();
            self.say(Cause::Orphan, format!("deals {ids:?} of {mark:?}, which the hotel does not have"));
        }
    }
}

/// What differs between the hotel's truth and the portal, but for what people did; empty when all is well.
pub fn compare(portal: &Portal, hotel: &Hotel, code: &str, hands: &Hands) -> Vec<Difference> {
    let [deals, contacts, companies] = Entity::ALL.map(|entity| portal.records(entity));
    hotel.with(|state| {
        let stays = || state.reservations.values().filter(|stay| !stay.financial_account);
        let guests: BTreeSet<i64> = stays().flat_map(|stay| sleepers(state, stay)).collect();
        let named: BTreeSet<i64> = stays().flat_map(|stay| firms(state, stay)).collect();
        let mut compared = Compared { code, hands, found: Vec::new() };
        let guests = compared.people(Entity::Contact, &contacts, state, &guests);
        let named = compared.people(Entity::Company, &companies, state, &named);
        compared.deals(&deals, state, &guests, &named);
        compared.found
    })
}
