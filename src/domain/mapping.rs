//! The mapping as data: which facts go to which fields of which record, whose each field is, which stays are carried.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::crm::{CrmEntity, CrmValue};
use super::fact::Fact;
use super::status::StayStatus;

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

/// A small pure change of a value on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Transform {
    Upper,
    Lower,
    Prefix {
        text: String,
    },
    Suffix {
        text: String,
    },
    Truncate {
        max: usize,
    },
    /// Replaces a code by the table's text; a code without one stays, unless `otherwise` is given.
    Lookup {
        table: BTreeMap<String, String>,
        otherwise: Option<String>,
    },
}

impl Transform {
    fn apply(&self, text: String) -> String {
        match self {
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Prefix { text: prefix } => format!("{prefix}{text}"),
            Self::Suffix { text: suffix } => format!("{text}{suffix}"),
            Self::Truncate { max } => text.chars().take(*max).collect(),
            Self::Lookup { table, otherwise } => {
                table.get(&text).cloned().or_else(|| otherwise.clone()).unwrap_or(text)
            }
        }
    }
}

/// Texts pass through `steps`; other values and empty texts are left as they are.
pub fn transform(steps: &[Transform], value: CrmValue) -> CrmValue {
    match value {
        CrmValue::Text(text) if !text.is_empty() => {
            CrmValue::Text(steps.iter().fold(text, |text, step| step.apply(text)))
        }
        other => other,
    }
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

/// Which stays become deals; an empty list means every one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filters {
    pub statuses: Vec<StayStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The document's own format.
    pub format: u32,
    pub deal_title: Template,
    pub fields: Vec<FieldRule>,
    /// Stages other than the portal's settings say, by full `STATUS_ID`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<StayStatus, String>,
    #[serde(default)]
    pub filters: Filters,
    /// A deal that a person closed is moved on nevertheless (contract: not by default).
    #[serde(default)]
    pub reopen_closed: bool,
}

/// A text with `{fact}` placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(Fact),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the placeholder {0:?} is not known")]
    Unknown(String),
    #[error("a {{ is not closed")]
    Open,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Open)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Fact(Fact::by_name(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { text: text.to_owned(), parts })
    }

    /// Fills in; what is not known leaves no gap at the ends.
    pub fn fill(&self, value: impl Fn(Fact) -> String) -> String {
        let filled: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Fact(fact) => value(*fact),
            })
            .collect();
        filled.trim_matches(|c: char| c.is_whitespace() || matches!(c, '·' | ',' | '–' | ':')).to_owned()
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;
    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

impl Mapping {
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
            deal_title: standard_title(),
            fields,
            stages: BTreeMap::new(),
            filters: Filters::default(),
            reopen_closed: false,
        }
    }

    pub fn rules(&self, entity: CrmEntity) -> impl Iterator<Item = &FieldRule> {
        self.fields.iter().filter(move |rule| rule.entity == entity)
    }

    /// Whether the stay is carried to the portal at all.
    pub fn carries(&self, status: StayStatus) -> bool {
        self.filters.statuses.is_empty() || self.filters.statuses.contains(&status)
    }
}

fn standard_title() -> Template {
    let parts = vec![
        Part::Fact(Fact::Guest),
        Part::Text(" · ".to_owned()),
        Part::Fact(Fact::Arrival),
        Part::Text(" – ".to_owned()),
        Part::Fact(Fact::Departure),
        Part::Text(" · №".to_owned()),
        Part::Fact(Fact::Number),
    ];
    Template { text: "{guest} · {arrival} – {departure} · №{number}".to_owned(), parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_the_standard_mapping_is_a_document_that_reads_back() {
        let mapping = Mapping::standard();
        let text = serde_json::to_string(&mapping).unwrap();
        let read = serde_json::from_str::<Mapping>(&text).unwrap();
        assert_eq!(read.fields, mapping.fields);
        let values = |fact| if fact == Fact::Guest { "Anna".to_owned() } else { "x".to_owned() };
        assert_eq!(read.deal_title.fill(values), mapping.deal_title.fill(values));
        assert!(Template::parse("{nobody}").is_err());
        assert!(Template::parse("{guest").is_err());
    }

    #[test]
    fn s1_transforms_touch_texts_only() {
        let steps = [
            Transform::Lookup {
                table: [("DBL".to_owned(), "Двухместный".to_owned())].into(), otherwise: None
            },
            Transform::Upper,
            Transform::Truncate { max: 4 },
        ];
        assert_eq!(transform(&steps, CrmValue::Text("DBL".into())), CrmValue::Text("ДВУХ".into()));
        assert_eq!(transform(&steps, CrmValue::Int(5)), CrmValue::Int(5));
        assert_eq!(transform(&steps, CrmValue::Empty), CrmValue::Empty);
    }
}
