//! Records of the portal as values: what a field holds, how it is written and how it is read back.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::money::{Currency, Money};

/// The kinds of record we write, by Bitrix24's `entityTypeId` (facts §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrmEntity {
    Deal,
    Contact,
    Company,
}

impl CrmEntity {
    pub const ALL: [Self; 3] = [Self::Deal, Self::Contact, Self::Company];

    pub fn type_id(self) -> i32 {
        match self {
            Self::Deal => 2,
            Self::Contact => 3,
            Self::Company => 4,
        }
    }

    pub fn from_type_id(id: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.type_id() == id)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Deal => "deal",
            Self::Contact => "contact",
            Self::Company => "company",
        }
    }
}

/// The mark every record of ours carries (contract, "Marks left in Bitrix24").
pub const ORIGINATOR: &str = "fidelio-bitrix24";

/// A phone or an e-mail of a contact or a company.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Comm {
    /// `WORK`, `MOBILE`, `HOME`, `FAX`, `OTHER` …
    pub value_type: String,
    pub value: String,
}

/// One field's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", content = "v", rename_all = "snake_case")]
pub enum CrmValue {
    Empty,
    Text(String),
    Int(i64),
    Flag(bool),
    Amount(Decimal),
    Date(NaiveDate),
    Time(DateTime<Utc>),
    Money(Money),
    /// Linked records in their order, the primary one first.
    Ids(Vec<i64>),
    Texts(BTreeSet<String>),
    Comms(BTreeSet<Comm>),
}

/// How a field is typed in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    Int,
    Flag,
    Amount,
    Date,
    Time,
    Money,
    Ids,
    Texts,
    Comms,
}

/// A record's fields by the portal's names (`title`, `UF_CRM_FB24_ROOM`, `PHONE` …).
pub type Fields = BTreeMap<String, CrmValue>;

/// The type of a field that is not the portal's own choice, by its name (contract, "Marks left in Bitrix24": types of the
/// user fields).
pub fn kind_of(field: &str) -> Kind {
    match field {
        "opportunity" => Kind::Amount,
        "isManualOpportunity" | "opened" => Kind::Flag,
        "begindate" | "closedate" | "birthdate" => Kind::Date,
        "contactIds" => Kind::Ids,
        "companyId" | "assignedById" | "categoryId" | "id" => Kind::Int,
        "PHONE" | "EMAIL" => Kind::Comms,
        "UF_CRM_FB24_ARRIVAL" | "UF_CRM_FB24_DEPARTURE" | "UF_CRM_FB24_BOOKED_ON" | "UF_CRM_FB24_LAST_STAY" => {
            Kind::Date
        }
        "UF_CRM_FB24_SYNCED_AT" => Kind::Time,
        "UF_CRM_FB24_NIGHTS" | "UF_CRM_FB24_ADULTS" | "UF_CRM_FB24_CHILDREN" | "UF_CRM_FB24_STAYS" => Kind::Int,
        "UF_CRM_FB24_BALANCE" | "UF_CRM_FB24_REVENUE" => Kind::Money,
        "UF_CRM_FB24_PROFILE" => Kind::Texts,
        _ => Kind::Text,
    }
}

impl CrmValue {
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.is_empty(),
            Self::Ids(ids) => ids.is_empty(),
            Self::Texts(texts) => texts.is_empty(),
            Self::Comms(comms) => comms.is_empty(),
            _ => false,
        }
    }

    /// Empty values of any type are the same value: the portal does not tell them apart.
    pub fn same(&self, other: &Self) -> bool {
        self == other || (self.is_empty() && other.is_empty())
    }

    /// As `crm.item.*` takes it (facts §7.2, "Formats"). `Comms` are written by the caller: their form differs by method.
    pub fn wire(&self) -> Value {
        match self {
            Self::Empty => Value::String(String::new()),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Int(number) => Value::from(*number),
            Self::Flag(flag) => Value::from(if *flag { "Y" } else { "N" }),
            Self::Amount(amount) => Value::from(amount.to_string()),
            Self::Date(date) => Value::from(date.to_string()),
            Self::Time(time) => Value::from(time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()),
            Self::Money(money) => Value::from(format!("{}|{}", money.amount, money.currency)),
            Self::Ids(ids) => Value::from(ids.clone()),
            Self::Texts(texts) => Value::from(texts.iter().cloned().collect::<Vec<_>>()),
            Self::Comms(comms) => Value::from(comms.iter().map(|comm| comm.value.clone()).collect::<Vec<_>>()),
        }
    }

    /// What an answer of the portal says a field holds. Tolerant: ids come as text, flags as `Y` or `1`, dates with a
    /// time and the server's offset that must not shift them (facts §3.2, §7.2).
    pub fn read(kind: Kind, value: &Value) -> Self {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => String::from(if *flag { "1" } else { "" }),
            Value::Null => String::new(),
            Value::Array(_) | Value::Object(_) => return Self::read_many(kind, value),
        };
        if text.is_empty() {
            return Self::Empty;
        }
        match kind {
            Kind::Text => Some(Self::Text(text)),
            Kind::Int => text.parse().ok().map(Self::Int),
            Kind::Flag => Some(Self::Flag(matches!(text.as_str(), "Y" | "y" | "1" | "true"))),
            Kind::Amount => read_amount(&text).map(Self::Amount),
            Kind::Date => text.get(..10).and_then(|day| day.parse().ok()).map(Self::Date),
            Kind::Time => DateTime::parse_from_rfc3339(&text).ok().map(|time| Self::Time(time.with_timezone(&Utc))),
            Kind::Money => text.split_once('|').and_then(|(amount, currency)| {
                Some(Self::Money(Money {
                    amount: read_amount(amount)?,
                    currency: Currency::parse(currency.trim()).ok()?,
                }))
            }),
            Kind::Ids => text.parse().ok().filter(|id| *id > 0).map(|id| Self::Ids(vec![id])),
            Kind::Texts => Some(Self::Texts(BTreeSet::from([text]))),
            Kind::Comms => None,
        }
        .unwrap_or(Self::Empty)
    }

    fn read_many(kind: Kind, value: &Value) -> Self {
        let items: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(items) => items.values().collect(),
            _ => Vec::new(),
        };
        match kind {
            Kind::Ids => Self::Ids(items.into_iter().filter_map(read_id).collect()),
            Kind::Texts => Self::Texts(
                items
                    .into_iter()
                    .filter_map(|item| match Self::read(Kind::Text, item) {
                        Self::Text(text) => Some(text),
                        _ => None,
                    })
                    .collect(),
            ),
            _ => Self::Empty,
        }
    }
}

/// Amounts are compared as numbers: `5`, `5.0` and `5.00` are one.
fn read_amount(text: &str) -> Option<Decimal> {
    text.trim().parse::<Decimal>().or_else(|_| Decimal::from_scientific(text.trim())).ok().map(|d| d.normalize())
}

/// An id as a number or as text; zero is "none".
pub fn read_id(value: &Value) -> Option<i64> {
    let id = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (id > 0).then_some(id)
}

/// Fields of `desired` that the record does not hold yet.
pub fn difference(desired: &Fields, confirmed: &Fields) -> Fields {
    desired
        .iter()
        .filter(|(name, value)| !confirmed.get(*name).unwrap_or(&CrmValue::Empty).same(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Phones or e-mails of a record's `fm` list, with the ids by which they are changed (facts §7.3).
pub fn read_comms(item: &Value, type_id: &str) -> Vec<(i64, Comm)> {
    let entries = match item.get("fm") {
        Some(Value::Array(items)) => items.iter().collect::<Vec<_>>(),
        Some(Value::Object(items)) => items.values().collect(),
        _ => Vec::new(),
    };
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    entries
        .into_iter()
        .filter(|entry| text(entry, "typeId") == type_id)
        .filter_map(|entry| {
            let id = entry.get("id").and_then(read_id).unwrap_or_default();
            let comm = Comm { value_type: text(entry, "valueType"), value: text(entry, "value") };
            (!comm.value.is_empty()).then_some((id, comm))
        })
        .collect()
}

/// The fields `names` of a record as `crm.item.list` or `crm.item.add` answers it.
pub fn read_item<'a>(item: &Value, names: impl IntoIterator<Item = (&'a str, Kind)>) -> Fields {
    names
        .into_iter()
        .map(|(name, kind)| {
            let value = if kind == Kind::Comms {
                CrmValue::Comms(read_comms(item, name).into_iter().map(|(_, comm)| comm).collect())
            } else {
                item.get(name).map_or(CrmValue::Empty, |value| CrmValue::read(kind, value))
            };
            (name.to_owned(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn s1_what_is_written_is_read_back_equal() {
        let rub = Currency::parse("RUB").unwrap();
        for (field, value, answer) in [
            ("opportunity", CrmValue::Amount("1234.5".parse().unwrap()), json!(1234.50)),
            ("closedate", CrmValue::Date("2026-11-21".parse().unwrap()), json!("2026-11-21T03:00:00+03:00")),
            (
                "UF_CRM_FB24_BALANCE",
                CrmValue::Money(Money { amount: "10".parse().unwrap(), currency: rub }),
                json!("10.00|RUB"),
            ),
            ("contactIds", CrmValue::Ids(vec![5, 3]), json!(["5", 3])),
            ("companyId", CrmValue::Int(7), json!("7")),
            ("isManualOpportunity", CrmValue::Flag(true), json!("Y")),
            ("UF_CRM_FB24_PROFILE", CrmValue::Texts(["A:1".to_owned()].into()), json!(["A:1"])),
            ("UF_CRM_FB24_ROOM", CrmValue::Empty, json!(null)),
            ("UF_CRM_FB24_PROFILE", CrmValue::Empty, json!(false)),
        ] {
            let kind = kind_of(field);
            assert!(CrmValue::read(kind, &answer).same(&value), "{field} {answer}");
            assert!(CrmValue::read(kind, &value.wire()).same(&value), "{field} wire");
        }
    }

    #[test]
    fn s1_only_what_differs_is_written() {
        let held: Fields = [("a".to_owned(), CrmValue::Int(1)), ("b".to_owned(), CrmValue::Text("x".into()))].into();
        let mut desired = held.clone();
        desired.insert("c".into(), CrmValue::Empty);
        assert!(difference(&desired, &held).is_empty());
        desired.insert("b".into(), CrmValue::Empty);
        assert_eq!(difference(&desired, &held), [("b".to_owned(), CrmValue::Empty)].into());
    }
}
