//! What a record of the portal should hold: pure, from facts, mapping and links.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::change_set::COMPANY;
use super::crm::{CrmEntity, CrmValue, Fields, ORIGINATOR};
use super::erasure::is_erased;
use super::fact::{self, Fact, spoken, tidy};
use super::ids::HotelCode;
use super::known::Known;
use super::mapping::{Mapping, Owner};
use super::profile::Profile;
use super::status::StayStatus;
use super::stay::Stay;
use super::totals::GuestTotals;

/// Who answers for a new record (product §2.15): chosen at set-up, never the installing admin by silence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OwnerRule {
    #[default]
    Unset,
    Person {
        user_id: i64,
    },
    RoundRobin {
        user_ids: Vec<i64>,
    },
    /// User by hotel code.
    PerHotel {
        hotels: BTreeMap<String, i64>,
    },
}

impl OwnerRule {
    /// The same subject gets the same owner however often it is asked. `None`: the rule names nobody.
    pub fn owner(&self, hotel: &HotelCode, subject: &str) -> Option<i64> {
        match self {
            Self::Unset => None,
            Self::Person { user_id } => Some(*user_id),
            Self::RoundRobin { user_ids } => {
                // FNV-1a: spread evenly, the same on every node and in every release.
                let hash = subject.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
                let count = u64::try_from(user_ids.len()).ok().filter(|count| *count > 0)?;
                user_ids.get(usize::try_from((hash >> 16) % count).ok()?).copied()
            }
            Self::PerHotel { hotels } => hotels.get(hotel.as_str()).copied(),
        }
    }
}

/// Where a stay's deal belongs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DealPlace {
    pub category_id: i64,
    /// Full `STATUS_ID` by status.
    pub stages: BTreeMap<StayStatus, String>,
}

/// Records a deal names. A company that is absent is not known yet, and the deal's own stays as it is; an empty one: the
/// hotel says that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DealLinks {
    /// The main guest first.
    pub contacts: Vec<i64>,
    /// One of those whom the stay names is erased: that no contact is left is meant.
    pub erased: bool,
    pub company: Known<i64>,
    /// The deal of its group, where the mapping wants it named; an empty one: the stay is in no group.
    pub group: Known<i64>,
}

fn put(fields: &mut Fields, name: &str, value: CrmValue) {
    fields.insert(name.to_owned(), value);
}

fn mark(fields: &mut Fields, origin_id: String) {
    put(fields, "originatorId", CrmValue::Text(ORIGINATOR.to_owned()));
    put(fields, "originId", CrmValue::Text(origin_id));
}

/// Fields of a deal that follow the hotel. `crm`-owned ones are left to [`deal_birth`].
pub fn desired_deal(
    mapping: &Mapping,
    hotel: &HotelCode,
    stay: &Stay,
    guest: &str,
    links: &DealLinks,
    place: &DealPlace,
) -> Fields {
    let mut fields = Fields::new();
    let fact = |fact| fact::of_stay(fact, hotel, stay, guest);
    let title = mapping.deal_title.fill(|name| spoken(fact(name)));
    let title = if title.is_empty() { format!("{hotel}:{}", stay.number) } else { title };
    put(&mut fields, "title", CrmValue::Text(tidy(&title, 255)));
    for rule in mapping.rules(CrmEntity::Deal).filter(|rule| rule.owner != Owner::Crm) {
        let Some(value) = rule.value(&fact) else { continue };
        put_value(&mut fields, &rule.field, value);
    }
    if let Some(stage) = stay.status.get().and_then(|status| place.stages.get(status)) {
        put(&mut fields, "stageId", CrmValue::Text(stage.clone()));
    }
    if links.erased || !links.contacts.is_empty() {
        put(&mut fields, "contactIds", CrmValue::Ids(links.contacts.clone()));
    }
    match links.company {
        Known::Absent => {}
        Known::Empty => put(&mut fields, COMPANY, CrmValue::Empty),
        Known::Is(company) => put(&mut fields, COMPANY, CrmValue::Int(company)),
    }
    match (mapping.group_link(), &links.group) {
        (Some(field), Known::Is(group)) => put(&mut fields, field, CrmValue::Text(group.to_string())),
        (Some(field), Known::Empty) => put(&mut fields, field, CrmValue::Empty),
        _ => {}
    }
    fields
}

/// An amount of money goes to `opportunity` as number and currency, forced by hand (facts §7.2); elsewhere as it is.
fn put_value(fields: &mut Fields, name: &str, value: CrmValue) {
    match (name, value) {
        ("opportunity", CrmValue::Money(money)) => {
            put(fields, "opportunity", CrmValue::Amount(money.amount));
            put(fields, "currencyId", CrmValue::Text(money.currency.to_string()));
            put(fields, "isManualOpportunity", CrmValue::Flag(true));
        }
        ("opportunity", _) => {}
        (name, value) => put(fields, name, value),
    }
}

/// What only a new deal is given: its mark, pipeline, owner, and what belongs to people from then on.
pub fn deal_birth(
    mapping: &Mapping,
    hotel: &HotelCode,
    stay: &Stay,
    guest: &str,
    place: &DealPlace,
    owner: i64,
) -> Fields {
    let mut fields = Fields::new();
    let fact = |fact| fact::of_stay(fact, hotel, stay, guest);
    mark(&mut fields, format!("{hotel}:{}", stay.number));
    put(&mut fields, "categoryId", CrmValue::Int(place.category_id));
    put(&mut fields, "assignedById", CrmValue::Int(owner));
    for rule in mapping.rules(CrmEntity::Deal).filter(|rule| rule.owner == Owner::Crm) {
        if let Some(value) = rule.value(&fact).filter(|value| !value.is_empty()) {
            put_value(&mut fields, &rule.field, value);
        }
    }
    fields
}

/// What is told of an erased person; of a list people's own entries stay.
fn nothing(fact: Fact) -> CrmValue {
    match fact {
        Fact::Phones | Fact::Emails => CrmValue::Comms(BTreeSet::new()),
        _ => CrmValue::Empty,
    }
}

/// Fields of a guest's contact or a company; of an erased one nothing but whose it was (product §9). `marks` are the
/// `<hotel>:<profile>` of every profile it stands for.
pub fn desired_person(
    mapping: &Mapping,
    entity: CrmEntity,
    profile: &Profile,
    totals: &GuestTotals,
    marks: &BTreeSet<String>,
) -> Fields {
    let (mut fields, erased) = (Fields::new(), is_erased(profile));
    let fact = |fact| fact::of_profile(fact, profile, totals);
    for rule in mapping.rules(entity).filter(|rule| rule.owner != Owner::Crm) {
        let value = if erased { Some(nothing(rule.from)) } else { rule.value(&fact) };
        let Some(value) = value else { continue };
        put(&mut fields, &rule.field, value);
    }
    // The portal refuses a nameless contact or company.
    let name_fields: &[&str] = if entity == CrmEntity::Company { &["title"] } else { &["lastName", "name"] };
    if name_fields.iter().all(|name| fields.get(*name).is_none_or(CrmValue::is_empty)) {
        let stand_in = marks.first().cloned().unwrap_or_else(|| profile.number.to_string());
        put(&mut fields, name_fields.first().copied().unwrap_or("title"), CrmValue::Text(stand_in));
    }
    put(&mut fields, "UF_CRM_FB24_PROFILE", CrmValue::Texts(marks.clone()));
    fields
}

/// What only a new contact or company is given: its mark, owner, and what belongs to people from then on.
pub fn person_birth(
    mapping: &Mapping,
    entity: CrmEntity,
    hotel: &HotelCode,
    profile: &Profile,
    totals: &GuestTotals,
    owner: i64,
) -> Fields {
    let mut fields = Fields::new();
    let fact = |fact| fact::of_profile(fact, profile, totals);
    for rule in mapping.rules(entity).filter(|rule| rule.owner == Owner::Crm) {
        if let Some(value) = rule.value(&fact).filter(|value| !value.is_empty()) {
            put(&mut fields, &rule.field, value);
        }
    }
    mark(&mut fields, format!("{hotel}:{}", profile.number));
    put(&mut fields, "assignedById", CrmValue::Int(owner));
    put(&mut fields, "opened", CrmValue::Flag(true));
    fields
}

/// A record that stood there before us keeps what people wrote: of its name and birth date only gaps are filled.
pub fn keep_what_stands(desired: &mut Fields, held: &Fields) {
    for name in ["name", "lastName", "secondName", "birthdate", "title"] {
        if held.get(name).is_some_and(|value| !value.is_empty()) {
            desired.remove(name);
        }
    }
}

#[cfg(test)]
#[path = "desired_tests.rs"]
mod tests;
