//! What the request log keeps of a request: methods, entities, ids, names of fields, counts, codes. Never a value of a
//! field, a token or a description, which may quote one (product §9, facts §11.2).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::call::Call;
use super::de;
use super::error::Error;

const IDS: usize = 60;
const NAMES: usize = 60;

#[derive(Default)]
struct Group {
    commands: u32,
    ok: u32,
    ids: BTreeSet<i64>,
    made: BTreeSet<i64>,
    rows: usize,
    fields: BTreeSet<String>,
    errors: BTreeMap<String, u32>,
}

/// One entry a method and entity, in order of first appearance.
pub(super) fn detail(calls: &[&Call], results: &[Result<&Value, Error>]) -> Value {
    let mut order: Vec<(String, i64)> = vec![];
    let mut groups: BTreeMap<(String, i64), Group> = BTreeMap::new();
    for (i, call) in calls.iter().enumerate() {
        let key = (call.method.clone(), call.params.get("entityTypeId").and_then(de::int).unwrap_or_default());
        if !groups.contains_key(&key) {
            order.push(key.clone());
        }
        let group = groups.entry(key).or_default();
        group.commands += 1;
        group.ids.extend(call.params.get("id").or_else(|| call.params.get("ID")).and_then(de::id));
        names(&call.params, &mut group.fields);
        match results.get(i) {
            Some(Ok(result)) => {
                group.ok += 1;
                let (rows, made) = shape(result);
                group.rows += rows;
                group.made.extend(made);
            }
            Some(Err(error)) => *group.errors.entry(error_code(error)).or_default() += 1,
            None => {}
        }
    }
    let described = order.into_iter().filter_map(|key| {
        let group = groups.remove(&key)?;
        let mut entry = json!({"method": key.0, "commands": group.commands, "ok": group.ok});
        let mut add = |name: &str, value: Value, there: bool| {
            if let (true, Some(map)) = (there, entry.as_object_mut()) {
                map.insert(name.to_owned(), value);
            }
        };
        add("entity", json!(key.1), key.1 != 0);
        add("ids", json!(group.ids.iter().take(IDS).collect::<Vec<_>>()), !group.ids.is_empty());
        add("answered_ids", json!(group.made.iter().take(IDS).collect::<Vec<_>>()), !group.made.is_empty());
        add("rows", json!(group.rows), group.rows > 0);
        add("fields", json!(group.fields.iter().take(NAMES).collect::<Vec<_>>()), !group.fields.is_empty());
        add("errors", json!(group.errors), !group.errors.is_empty());
        Some(entry)
    });
    Value::Array(described.collect())
}

/// A code of the portal, or a word of ours.
pub(super) fn error_code(error: &Error) -> String {
    use super::error::ErrorKind::{Address, Allowance, Internal, NotRun, Refused, Tls, Token, Transport, Unreadable};
    match &error.kind {
        // A box may answer with a sentence in place of a code: it could quote a value.
        Refused { code, .. } => name(code).unwrap_or("(a text)").to_owned(),
        Transport(_) => "no_answer".into(),
        Tls(fault) => (*fault).into(),
        Unreadable { .. } => "unreadable".into(),
        Allowance => "allowance".into(),
        NotRun => "not_run".into(),
        Token(_) => "token".into(),
        Address(_) => "address".into(),
        Internal(_) => "internal".into(),
    }
}

/// Names of parameters, two levels deep: `fields`, `filter` and rows of an import name fields of the portal.
fn names(params: &Value, into: &mut BTreeSet<String>) {
    for key in ["fields", "FIELDS", "filter", "FILTER"] {
        if let Some(Value::Object(map)) = params.get(key) {
            into.extend(map.keys().filter_map(|key| name(key)).map(str::to_owned));
        }
    }
    for row in params.get("data").map(de::elements).unwrap_or_default() {
        if let Value::Object(map) = row {
            into.extend(map.keys().filter_map(|key| name(key)).map(str::to_owned));
        }
    }
}

/// Something that looks like a name, not like content.
fn name(text: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'>' | b'<' | b'=' | b'!' | b'%' | b'@' | b'.');
    (!text.is_empty() && text.len() <= 80 && text.bytes().all(plain)).then_some(text)
}

/// How many rows an answer has, and the ids of what it names.
fn shape(result: &Value) -> (usize, Vec<i64>) {
    let items = result.get("items").or_else(|| result.get("tasks"));
    if let Some(items) = items {
        let items = de::elements(items);
        // Rows of an import carry the ids of what was made; rows of a list are only counted.
        let made = items.iter().filter_map(|row| row.get("item")?.get("id").and_then(de::id)).collect();
        return (items.len(), made);
    }
    if let Some(id) = result.get("item").and_then(|item| item.get("id")).and_then(de::id) {
        return (1, vec![id]);
    }
    match result {
        Value::Array(rows) => (rows.len(), vec![]),
        // `crm.deal.userfield.add` and its like answer the new id alone.
        scalar => (0, de::id(scalar).into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitrix::codes::At;

    #[test]
    fn s48_a_log_row_has_names_and_counts_and_no_content() {
        let add = Call::new(
            "crm.item.add",
            json!({"entityTypeId": 3, "auth": "TOKEN-1", "fields": {"name": "Anna Petrova", "fm": [{"value": "+79001234567"}], "Иван <b>": "x"}}),
        );
        let update =
            Call::new("crm.item.update", json!({"entityTypeId": 3, "id": 12, "fields": {"lastName": "Petrova"}}));
        let import = Call::new(
            "crm.item.batchImport",
            json!({"entityTypeId": 2, "data": [{"title": "Anna Petrova"}, {"stageId": "NEW"}]}),
        );
        let list = Call::new("crm.item.list", json!({"entityTypeId": 3, "filter": {"@phone": ["+79001234567"]}}));
        let (made, imported, listed) = (
            json!({"item": {"id": 77, "name": "Anna Petrova"}}),
            json!({"items": [{"item": {"id": 5}}, {"error": "Anna"}]}),
            json!({"items": [{"id": 1, "name": "Anna"}]}),
        );
        let results = [
            Ok(&made),
            Err(Error::refused(At::Portal, "Anna Petrova is no good", "Anna Petrova", 400)),
            Ok(&imported),
            Ok(&listed),
        ];
        let detail = detail(&[&add, &update, &import, &list], &results);
        let text = detail.to_string();
        for secret in ["Anna", "Petrova", "7900", "TOKEN", "Иван"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(
            detail,
            json!([
                {"method": "crm.item.add", "commands": 1, "ok": 1, "entity": 3, "answered_ids": [77], "rows": 1, "fields": ["fm", "name"]},
                {"method": "crm.item.update", "commands": 1, "ok": 0, "entity": 3, "ids": [12], "fields": ["lastName"], "errors": {"(a text)": 1}},
                {"method": "crm.item.batchImport", "commands": 1, "ok": 1, "entity": 2, "answered_ids": [5], "rows": 2, "fields": ["stageId", "title"]},
                {"method": "crm.item.list", "commands": 1, "ok": 1, "entity": 3, "rows": 1, "fields": ["@phone"]},
            ])
        );
    }
}
