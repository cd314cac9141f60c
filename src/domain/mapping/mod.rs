//! The mapping as data: which facts go to which fields of which record, whose each field is, which stays are carried.

pub mod check;
mod group;
pub mod shape;
mod template;
mod transform;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::crm::{CrmEntity, CrmValue, Kind};
use super::desired::DealPlace;
use super::fact::{self, Fact};
use super::ids::HotelCode;
use super::status::StayStatus;
use super::stay::Stay;
pub use group::GroupMapping;
use shape::Yield;
pub use template::{Template, TemplateError};
pub use transform::{Condition, Misfit, Transform};

/// Whose value a field holds (product §2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    #[default]
    Pms,
    /// Set when the record is created, then left to people.
    Crm,
    /// Whoever changed it last: the hotel or a person.
    Newest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRule {
    pub entity: CrmEntity,
    /// The portal's name of the field.
    pub field: String,
    pub from: Fact,
    #[serde(default)]
    pub owner: Owner,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Transform>,
}

impl FieldRule {
    /// What the field should hold; `None` where nobody has told the fact.
    pub fn value(&self, fact: &dyn Fn(Fact) -> Option<CrmValue>) -> Option<CrmValue> {
        Some(transform::transform(&self.transforms, fact(self.from)?, fact))
    }

    /// What is known of its values before there is one; else the step that cannot follow what comes before it.
    pub fn gives(&self) -> Result<Yield, (usize, Misfit)> {
        let mut steps = self.transforms.iter().enumerate();
        steps.try_fold(Yield::of_fact(self.from), |given, (n, step)| step.gives(given).map_err(|misfit| (n, misfit)))
    }

    /// How the field is read back.
    pub fn kind(&self) -> Kind {
        match self.gives() {
            Ok(_) if self.field == "opportunity" => Kind::Amount,
            Ok(given) => given.shape.kind(),
            Err(_) => Kind::Text,
        }
    }
}

/// Which stays become deals; an empty list means every one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    pub statuses: Vec<StayStatus>,
    /// All of these must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The document's own format.
    pub format: u32,
    pub deal_title: Template,
    pub fields: Vec<FieldRule>,
    /// The pipeline in which deals of this hotel begin; none: the portal's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<i64>,
    /// Stages other than the portal's settings say, by full `STATUS_ID`; of another pipeline all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<StayStatus, String>,
    #[serde(default)]
    pub filters: Filters,
    /// A deal that a person closed is moved on nevertheless (contract: not by default).
    #[serde(default)]
    pub reopen_closed: bool,
    /// Groups and parties have deals of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupMapping>,
}

impl Mapping {
    /// Whether what it puts into the field may name a guest or tell of him.
    pub fn tells_of_guests(&self, entity: CrmEntity, field: &str) -> bool {
        let guests = |rule: &FieldRule| {
            rule.transforms.iter().flat_map(Transform::facts).chain([rule.from]).any(Fact::tells_of_guests)
        };
        field == "title" || self.rules(entity).any(|rule| rule.field == field && guests(rule))
    }

    pub const FORMAT: u32 = 1;

    /// The contract's fields, each from the fact of its name.
    pub fn standard() -> Self {
        use CrmEntity::{Company, Contact, Deal};
        let rule = |entity, field: &str, from, owner| FieldRule {
            entity,
            field: field.to_owned(),
            from,
            owner,
            transforms: Vec::new(),
        };
        let mut fields: Vec<FieldRule> = [
            ("UF_CRM_FB24_HOTEL", Fact::Hotel),
            ("UF_CRM_FB24_RESERVATION", Fact::Number),
            ("UF_CRM_FB24_STATUS", Fact::Status),
            ("UF_CRM_FB24_ARRIVAL", Fact::Arrival),
            ("UF_CRM_FB24_DEPARTURE", Fact::Departure),
            ("UF_CRM_FB24_NIGHTS", Fact::Nights),
            ("UF_CRM_FB24_ROOM", Fact::Room),
            ("UF_CRM_FB24_ROOM_TYPE", Fact::RoomType),
            ("UF_CRM_FB24_RATE", Fact::Rate),
            ("UF_CRM_FB24_ADULTS", Fact::Adults),
            ("UF_CRM_FB24_CHILDREN", Fact::Children),
            ("UF_CRM_FB24_GUARANTEE", Fact::Guarantee),
            ("UF_CRM_FB24_SOURCE", Fact::Source),
            ("UF_CRM_FB24_MARKET", Fact::Market),
            ("UF_CRM_FB24_CHANNEL", Fact::Channel),
            ("UF_CRM_FB24_GROUP", Fact::Group),
            ("UF_CRM_FB24_BOOKED_ON", Fact::BookedOn),
            ("UF_CRM_FB24_BALANCE", Fact::Balance),
            ("opportunity", Fact::Total),
            ("begindate", Fact::Arrival),
            ("closedate", Fact::Departure),
        ]
        .into_iter()
        .map(|(field, from)| rule(Deal, field, from, Owner::Pms))
        .collect();
        fields.push(rule(Deal, "comments", Fact::Comments, Owner::Crm));
        fields.extend(
            [
                ("name", Fact::FirstName),
                ("lastName", Fact::LastName),
                ("secondName", Fact::MiddleName),
                ("birthdate", Fact::BirthDate),
                ("UF_CRM_FB24_VIP", Fact::Vip),
                ("UF_CRM_FB24_LANGUAGE", Fact::Language),
                ("UF_CRM_FB24_NATIONALITY", Fact::Nationality),
                ("UF_CRM_FB24_STAYS", Fact::Stays),
                ("UF_CRM_FB24_NIGHTS", Fact::StayNights),
                ("UF_CRM_FB24_REVENUE", Fact::Revenue),
                ("UF_CRM_FB24_LAST_STAY", Fact::LastStay),
            ]
            .into_iter()
            .map(|(field, from)| rule(Contact, field, from, Owner::Pms)),
        );
        // Guests tell a manager their new number as often as the reception.
        fields.extend(
            [("PHONE", Fact::Phones), ("EMAIL", Fact::Emails)]
                .map(|(field, from)| rule(Contact, field, from, Owner::Newest)),
        );
        fields.extend(
            [("title", Fact::LastName), ("PHONE", Fact::Phones), ("EMAIL", Fact::Emails)]
                .into_iter()
                .map(|(field, from)| rule(Company, field, from, Owner::Pms)),
        );
        Self {
            format: Self::FORMAT,
            deal_title: Template::standard(),
            fields,
            pipeline: None,
            stages: BTreeMap::new(),
            filters: Filters::default(),
            reopen_closed: false,
            group: None,
        }
    }

    pub fn rules(&self, entity: CrmEntity) -> impl Iterator<Item = &FieldRule> {
        self.fields.iter().filter(move |rule| rule.entity == entity)
    }

    /// The same, and those of groups.
    pub fn all_rules(&self, entity: CrmEntity) -> impl Iterator<Item = &FieldRule> {
        let groups = self.group.iter().flat_map(|group| &group.fields);
        self.fields.iter().chain(groups).filter(move |rule| rule.entity == entity)
    }

    /// The field of a stay's deal that names its group's.
    pub fn group_link(&self) -> Option<&String> {
        self.group.as_ref()?.link.as_ref()
    }

    /// The portal's own field of a deal that holds the CRS number as the hotel has it: a manager who sold first types it there.
    pub fn crs_field(&self) -> Option<&str> {
        let as_it_is = |rule: &&FieldRule| rule.from == Fact::CrsNumber && rule.transforms.is_empty();
        let mut fields = self.rules(CrmEntity::Deal).filter(as_it_is).map(|rule| rule.field.as_str());
        fields.find(|field| field.starts_with("UF_CRM_"))
    }

    /// Whether the stay is carried to the portal at all.
    pub fn carries(&self, hotel: &HotelCode, stay: &Stay) -> bool {
        let Some(status) = stay.status.get() else { return false };
        let fact = |fact| fact::of_stay(fact, hotel, stay, "");
        (self.filters.statuses.is_empty() || self.filters.statuses.contains(status))
            && self.filters.conditions.iter().all(|condition| condition.holds(&fact))
    }

    /// Where deals of this hotel begin, on a portal whose own place is `portal`.
    pub fn birthplace(&self, portal: &DealPlace) -> DealPlace {
        let category_id = self.pipeline.unwrap_or(portal.category_id);
        let mut stages = if category_id == portal.category_id { portal.stages.clone() } else { BTreeMap::new() };
        stages.extend(self.stages.iter().map(|(status, stage)| (*status, stage.clone())));
        DealPlace { category_id, stages }
    }

    /// By which stages a deal lives that stands in `category`: one moved to a strange pipeline by none of ours.
    pub fn place_in(&self, category: Option<i64>, portal: &DealPlace) -> DealPlace {
        let birthplace = self.birthplace(portal);
        match category {
            Some(id) if id == birthplace.category_id => birthplace,
            Some(id) if id == portal.category_id => portal.clone(),
            Some(id) => DealPlace { category_id: id, stages: BTreeMap::new() },
            None => birthplace,
        }
    }
}

#[cfg(test)]
mod tests;
