//! Phones and e-mails of a contact or a company: several values in one field.
//!
//! Official texts disagree whether `crm.item.update` can change and delete a value or only adds (facts §7.3, "Disputed").
//! So a change is written, read back, and if it did not take, written by `crm.contact.update`/`crm.company.update` with
//! the value's id. Which way works is the same for a whole portal: the caller remembers [`Way`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::crm::{Entity, item_update};
use super::de;

/// How this portal changes values of multi-valued fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Not tried yet: write by `crm.item.update`, read back, decide.
    #[default]
    Unknown,
    /// `crm.item.update` changes and deletes.
    Item,
    /// Only the old methods do.
    Old,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Phone,
    Email,
}

impl Kind {
    pub fn code(self) -> &'static str {
        match self {
            Self::Phone => "PHONE",
            Self::Email => "EMAIL",
        }
    }
}

/// A value as the portal holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: i64,
    /// `PHONE`, `EMAIL`, or a kind that is none of our business.
    pub kind: String,
    pub value_type: String,
    pub value: String,
}

/// One step from what is stored to what is wanted. Values that are not mentioned stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Add { kind: Kind, value_type: String, value: String },
    Change { id: i64, kind: Kind, value_type: String, value: String },
    Delete { id: i64, kind: Kind },
}

/// `fm` for `crm.item.add`.
pub fn for_add(values: &[(Kind, &str, &str)]) -> Value {
    let one = |(kind, value_type, value): &(Kind, &str, &str)| json!({"typeId": kind.code(), "valueType": value_type, "value": value});
    Value::Array(values.iter().map(one).collect())
}

/// `PHONE` and `EMAIL` for `crm.item.batchImport`, which knows the old form only (facts §7.8).
pub fn for_import(values: &[(Kind, &str, &str)]) -> Map<String, Value> {
    let mut fields: Map<String, Value> = Map::new();
    for (kind, value_type, value) in values {
        let list = fields.entry(kind.code()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(json!({"VALUE": value, "VALUE_TYPE": value_type}));
        }
    }
    fields
}

/// The values in a record read with `select: ["*"]` or `crm.item.get`.
pub fn stored(item: &Map<String, Value>) -> Vec<Stored> {
    let rows = item.get("fm").map(de::elements).unwrap_or_default();
    rows.into_iter()
        .filter_map(|row| {
            let text = |key: &str| row.get(key).and_then(de::text).unwrap_or_default();
            Some(Stored {
                id: row.get("id").and_then(de::id)?,
                kind: text("typeId"),
                value_type: text("valueType"),
                value: text("value"),
            })
        })
        .collect()
}

/// The command that makes these edits. While the way is unknown it goes by `crm.item.update`; the caller reads back and
/// asks [`took`].
pub fn update(way: Way, entity: Entity, id: i64, edits: &[Edit]) -> Option<Call> {
    if edits.is_empty() || entity == Entity::Deal {
        return None;
    }
    Some(match way {
        Way::Old => old_update(entity, id, edits),
        Way::Unknown | Way::Item => {
            let mut fields = Map::new();
            fields.insert("fm".into(), keyed(edits));
            item_update(entity, id, fields)
        }
    })
}

/// `fm` of `crm.item.update`: an object, not a list, which would only append (facts §7.3).
pub fn keyed(edits: &[Edit]) -> Value {
    let mut fm = Map::new();
    for (n, edit) in edits.iter().enumerate() {
        // Without `typeId` an element is silently ignored.
        let (key, kind, value_type, value) = match edit {
            Edit::Add { kind, value_type, value } => (format!("n{n}"), kind, value_type.as_str(), value.as_str()),
            Edit::Change { id, kind, value_type, value } => (id.to_string(), kind, value_type.as_str(), value.as_str()),
            Edit::Delete { id, kind } => (id.to_string(), kind, "", ""),
        };
        let mut element = json!({"typeId": kind.code(), "value": value});
        if let (false, Some(map)) = (value_type.is_empty(), element.as_object_mut()) {
            map.insert("valueType".into(), json!(value_type));
        }
        fm.insert(key, element);
    }
    Value::Object(fm)
}

fn old_update(entity: Entity, id: i64, edits: &[Edit]) -> Call {
    let mut fields: Map<String, Value> = Map::new();
    for edit in edits {
        let (kind, element) = match edit {
            Edit::Add { kind, value_type, value } => (kind, json!({"VALUE": value, "VALUE_TYPE": value_type})),
            Edit::Change { id, kind, value_type, value } => {
                (kind, json!({"ID": id, "VALUE": value, "VALUE_TYPE": value_type}))
            }
            Edit::Delete { id, kind } => (kind, json!({"ID": id, "DELETE": "Y", "VALUE": ""})),
        };
        let list = fields.entry(kind.code()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(element);
        }
    }
    // These records are marked by us already; no robot should greet the guest for a corrected digit.
    Call::new(
        format!("crm.{}.update", entity.word()),
        json!({"id": id, "fields": fields, "params": {"REGISTER_SONET_EVENT": "N"}}),
    )
}

/// Whether the edits stand in what was read back.
pub fn took(edits: &[Edit], after: &[Stored]) -> bool {
    let has =
        |kind: Kind, value: &str| after.iter().any(|one| one.kind == kind.code() && same(kind, &one.value, value));
    edits.iter().all(|edit| match edit {
        Edit::Add { kind, value, .. } => has(*kind, value),
        Edit::Change { id, kind, value, .. } => {
            has(*kind, value) && after.iter().all(|one| one.id != *id || same(*kind, &one.value, value))
        }
        Edit::Delete { id, .. } => after.iter().all(|one| one.id != *id),
    })
}

/// What is left to do after a try that took only partly, as where the portal appended instead of changing: a value that
/// was added beside the old one must not be added twice.
pub fn rest(edits: &[Edit], after: &[Stored]) -> Vec<Edit> {
    let doubled = |id: i64, kind: Kind, value: &str| {
        after.iter().any(|one| one.id != id && one.kind == kind.code() && same(kind, &one.value, value))
    };
    edits
        .iter()
        .filter(|edit| !took(std::slice::from_ref(*edit), after))
        .map(|edit| match edit {
            // The new value stands already, the old one too: only the old one has to go.
            Edit::Change { id, kind, value, .. } if doubled(*id, *kind, value) => Edit::Delete { id: *id, kind: *kind },
            other => other.clone(),
        })
        .collect()
}

/// Portals reformat phones.
fn same(kind: Kind, a: &str, b: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    match kind {
        Kind::Phone => digits(a) == digits(b),
        Kind::Email => a.trim().eq_ignore_ascii_case(b.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: i64, value: &str) -> Edit {
        Edit::Change { id, kind: Kind::Phone, value_type: "WORK".into(), value: value.into() }
    }

    fn phone(id: i64, value: &str) -> Stored {
        Stored { id, kind: "PHONE".into(), value_type: "WORK".into(), value: value.into() }
    }

    #[test]
    fn s48_edits_are_keyed_objects_with_their_kind() {
        let edits = [
            change(15, "+7 900"),
            Edit::Delete { id: 16, kind: Kind::Email },
            Edit::Add { kind: Kind::Email, value_type: "HOME".into(), value: "a@b.c".into() },
        ];
        let call = update(Way::Unknown, Entity::Contact, 3, &edits).expect("call");
        assert_eq!(
            call.params["fields"]["fm"],
            json!({"15": {"typeId": "PHONE", "value": "+7 900", "valueType": "WORK"}, "16": {"typeId": "EMAIL", "value": ""},
                "n2": {"typeId": "EMAIL", "value": "a@b.c", "valueType": "HOME"}})
        );
        let old = update(Way::Old, Entity::Company, 3, &edits).expect("call");
        assert_eq!(old.method, "crm.company.update");
        assert_eq!(old.params["fields"]["PHONE"], json!([{"ID": 15, "VALUE": "+7 900", "VALUE_TYPE": "WORK"}]));
        assert_eq!(old.params["fields"]["EMAIL"][0]["DELETE"], "Y");
        assert_eq!(update(Way::Item, Entity::Contact, 3, &[]), None);
    }

    #[test]
    fn s48_a_change_that_only_added_is_noticed_and_finished_without_doubling() {
        let edits = [change(15, "+7 (900) 2")];
        assert!(took(&edits, &[phone(15, "79002")]));
        let appended = [phone(15, "+7 900 1"), phone(20, "+79002")];
        assert!(!took(&edits, &appended));
        assert_eq!(rest(&edits, &appended), [Edit::Delete { id: 15, kind: Kind::Phone }]);
        let ignored = [phone(15, "+7 900 1")];
        assert_eq!(rest(&edits, &ignored), edits);
        assert!(rest(&edits, &[phone(15, "79002")]).is_empty());
    }

    #[test]
    fn s48_values_are_written_for_add_and_import_in_their_forms() {
        let values = [(Kind::Phone, "MOBILE", "+7900"), (Kind::Email, "WORK", "a@b.c")];
        assert_eq!(for_add(&values)[1]["typeId"], "EMAIL");
        assert_eq!(for_import(&values)["PHONE"], json!([{"VALUE": "+7900", "VALUE_TYPE": "MOBILE"}]));
        let item =
            json!({"fm": [{"id": "7", "typeId": "PHONE", "valueType": "WORK", "value": "1"}, {"typeId": "PHONE"}]});
        assert_eq!(stored(item.as_object().expect("item")), [phone(7, "1")]);
        assert!(stored(json!({"fm": []}).as_object().expect("item")).is_empty());
    }
}
