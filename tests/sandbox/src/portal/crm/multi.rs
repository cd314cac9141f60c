//! Multifields: the two dialects and the two readings of `crm.item.update` (facts §7.3).

use serde_json::{Map, Value, json};

use super::table::{Multi, Table};
use crate::portal::options::MultifieldMode;
use crate::portal::php;

const TYPES: [&str; 5] = ["PHONE", "EMAIL", "WEB", "IM", "LINK"];

/// One wish about one value.
#[derive(Debug)]
enum Wish {
    Add { type_id: String, value_type: String, value: String },
    Change { id: i64, type_id: String, value_type: Option<String>, value: String },
}

fn part(map: &Map<String, Value>, camel: &str, upper: &str) -> Option<String> {
    map.get(camel).or_else(|| map.get(upper)).and_then(php::text)
}

/// `fm` of `crm.item.add` and `crm.item.update`. Returns whether anything changed.
pub fn write_item(table: &mut Table, list: &mut Vec<Multi>, given: &Value, new: bool, mode: MultifieldMode) -> bool {
    let mut wishes = Vec::new();
    let keyed = match given {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        // An array has no ids as keys: on update it appends.
        Value::Array(items) => items.iter().map(|value| ("n0".to_owned(), value)).collect(),
        _ => Vec::new(),
    };
    // A form body makes a list look like a map with the keys 0, 1, 2 …; on add every key is new.
    for (key, value) in keyed {
        let Value::Object(item) = value else { continue };
        let Some(type_id) = part(item, "typeId", "TYPE_ID") else { continue };
        if !TYPES.contains(&type_id.as_str()) {
            continue;
        }
        let value_type = part(item, "valueType", "VALUE_TYPE");
        let value = part(item, "value", "VALUE").unwrap_or_default();
        match key.parse::<i64>() {
            Ok(_) if !new && mode == MultifieldMode::AddOnly => {}
            Ok(id) if !new && list.iter().any(|multi| multi.id == id) => {
                wishes.push(Wish::Change { id, type_id, value_type, value });
            }
            _ => wishes.push(Wish::Add { type_id, value_type: value_type.unwrap_or_else(|| "WORK".into()), value }),
        }
    }
    apply(table, list, wishes)
}

/// `PHONE`, `EMAIL` … of `crm.contact.update`, and of imports.
pub fn write_old(table: &mut Table, list: &mut Vec<Multi>, fields: &Map<String, Value>) -> bool {
    let mut wishes = Vec::new();
    for type_id in TYPES {
        let Some(given) = fields.get(type_id) else { continue };
        for item in php::elements(given) {
            let Value::Object(item) = item else { continue };
            let value_type = part(item, "VALUE_TYPE", "valueType");
            let delete = part(item, "DELETE", "delete").is_some_and(|flag| flag == "Y");
            let value = if delete { String::new() } else { part(item, "VALUE", "value").unwrap_or_default() };
            let id = item.get("ID").and_then(php::int);
            match id {
                Some(id) if list.iter().any(|multi| multi.id == id) => {
                    wishes.push(Wish::Change { id, type_id: type_id.into(), value_type, value });
                }
                _ => wishes.push(Wish::Add {
                    type_id: type_id.into(),
                    value_type: value_type.unwrap_or_else(|| "WORK".into()),
                    value,
                }),
            }
        }
    }
    apply(table, list, wishes)
}

fn apply(table: &mut Table, list: &mut Vec<Multi>, wishes: Vec<Wish>) -> bool {
    let before = list.clone();
    for wish in wishes {
        match wish {
            Wish::Add { value, .. } if value.is_empty() => {}
            Wish::Add { type_id, value_type, value } => {
                let id = table.take_multi_id();
                list.push(Multi { id, type_id: type_id.into(), value_type: value_type.into(), value: value.into() });
            }
            Wish::Change { id, value, .. } if value.is_empty() => list.retain(|multi| multi.id != id),
            Wish::Change { id, type_id, value_type, value } => {
                if let Some(multi) = list.iter_mut().find(|multi| multi.id == id) {
                    multi.type_id = type_id.into();
                    multi.value = value.into();
                    if let Some(value_type) = value_type {
                        multi.value_type = value_type.into();
                    }
                }
            }
        }
    }
    *list != before
}

/// `fm` as `crm.item.get` shows it.
pub fn show(list: &[Multi]) -> Value {
    list.iter()
        .map(|multi| json!({"id": multi.id, "valueType": multi.value_type, "value": multi.value, "typeId": multi.type_id}))
        .collect()
}

/// `PHONE: [...]` as the old methods show it.
pub fn show_old(list: &[Multi], into: &mut Map<String, Value>) {
    for type_id in TYPES {
        let values: Vec<Value> = list
            .iter()
            .filter(|multi| &*multi.type_id == type_id)
            .map(|multi| {
                json!({"ID": multi.id.to_string(), "VALUE_TYPE": multi.value_type, "VALUE": multi.value, "TYPE_ID": type_id})
            })
            .collect();
        if !values.is_empty() {
            into.insert(type_id.to_owned(), Value::Array(values));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::crm::entity::Entity;

    fn phones(list: &[Multi]) -> Vec<String> {
        list.iter().map(|multi| multi.value.to_string()).collect()
    }

    fn started() -> (Table, Vec<Multi>) {
        let mut table = Table::new(Entity::Contact);
        let mut list = Vec::new();
        let given = json!([{"typeId": "PHONE", "valueType": "WORK", "value": "+7 1"}, {"value": "no type"}]);
        assert!(write_item(&mut table, &mut list, &given, true, MultifieldMode::Keyed));
        (table, list)
    }

    #[test]
    fn keyed_update_changes_adds_and_deletes() {
        let (mut table, mut list) = started();
        assert_eq!(phones(&list), ["+7 1"], "an element without typeId is ignored");
        let given = json!({"1": {"typeId": "PHONE", "value": "+7 2"}, "n0": {"typeId": "PHONE", "value": "+7 3"}});
        assert!(write_item(&mut table, &mut list, &given, false, MultifieldMode::Keyed));
        assert_eq!(phones(&list), ["+7 2", "+7 3"]);
        assert!(write_item(
            &mut table,
            &mut list,
            &json!({"1": {"typeId": "PHONE", "value": ""}}),
            false,
            MultifieldMode::Keyed
        ));
        assert_eq!(phones(&list), ["+7 3"]);
        assert!(write_item(
            &mut table,
            &mut list,
            &json!([{"typeId": "PHONE", "value": "+7 4"}]),
            false,
            MultifieldMode::Keyed
        ));
        assert_eq!(phones(&list), ["+7 3", "+7 4"], "an array appends");
        assert!(write_item(
            &mut table,
            &mut list,
            &json!({"99": {"typeId": "PHONE", "value": "+7 5"}}),
            false,
            MultifieldMode::Keyed
        ));
        assert_eq!(phones(&list), ["+7 3", "+7 4", "+7 5"], "an unknown id makes a new value");
        assert!(!write_item(&mut table, &mut list, &json!("x"), false, MultifieldMode::Keyed), "a string is ignored");
    }

    #[test]
    fn add_only_update_needs_the_old_method() {
        let (mut table, mut list) = started();
        let given = json!({"1": {"typeId": "PHONE", "value": "+7 2"}});
        assert!(!write_item(&mut table, &mut list, &given, false, MultifieldMode::AddOnly));
        let Value::Object(old) = json!({"PHONE": [{"ID": "1", "VALUE": "+7 2"}]}) else { unreachable!() };
        assert!(write_old(&mut table, &mut list, &old));
        assert_eq!(phones(&list), ["+7 2"]);
        let Value::Object(old) = json!({"PHONE": [{"ID": 1, "VALUE": ""}]}) else { unreachable!() };
        assert!(write_old(&mut table, &mut list, &old));
        assert!(list.is_empty());
    }
}
