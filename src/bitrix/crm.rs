//! Commands on CRM records: `crm.item.*` with the portal's own field names (facts §7). Multi-valued phones and e-mails
//! have rules of their own: see [`super::multifield`].

use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use super::codes::At;
use super::de;
use super::error::Error;
use super::list::Listing;

/// CRM entities by their `entityTypeId` (facts §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    Deal,
    Contact,
    Company,
}

impl Entity {
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

    /// The word in old method names: `crm.<word>.update`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deal => "deal",
            Self::Contact => "contact",
            Self::Company => "company",
        }
    }
}

/// Rows in one `crm.item.batchImport` (facts §7.8).
pub const IMPORT_ROWS: usize = 20;

fn item(method: &str, entity: Entity, rest: Value) -> Call {
    let mut params = Map::new();
    params.insert("entityTypeId".into(), json!(entity.type_id()));
    if let Value::Object(rest) = rest {
        params.extend(rest);
    }
    // Without it the portal renames our fields in its own way (facts §7.1).
    params.insert("useOriginalUfNames".into(), json!("Y"));
    Call::new(format!("crm.item.{method}"), Value::Object(params))
}

pub fn item_add(entity: Entity, fields: Map<String, Value>) -> Call {
    item("add", entity, json!({ "fields": fields }))
}

pub fn item_update(entity: Entity, id: i64, fields: Map<String, Value>) -> Call {
    item("update", entity, json!({ "id": id, "fields": fields }))
}

pub fn item_get(entity: Entity, id: i64) -> Call {
    item("get", entity, json!({ "id": id }))
}

pub fn item_delete(entity: Entity, id: i64) -> Call {
    item("delete", entity, json!({ "id": id }))
}

/// A comment in the timeline of a record (facts §7.5): `result` is its id.
pub fn comment_add(entity: Entity, id: i64, text: &str) -> Call {
    let fields = json!({"ENTITY_TYPE": entity.word(), "ENTITY_ID": id, "COMMENT": text});
    Call::new("crm.timeline.comment.add", json!({ "fields": fields }))
}

/// The latest comments of a record.
pub fn comments_of(entity: Entity, id: i64) -> Call {
    let filter = json!({"ENTITY_TYPE": entity.word(), "ENTITY_ID": id});
    let params = json!({"select": ["ID", "COMMENT"], "filter": filter, "order": {"ID": "DESC"}});
    Call::new("crm.timeline.comment.list", params)
}

/// The entity's fields, for the pre-flight: `result.fields`.
pub fn item_fields(entity: Entity) -> Call {
    item("fields", entity, json!({}))
}

/// One page of records: for look-ups that find few. `start: -1` spares the portal the counting.
pub fn item_find(entity: Entity, select: &[&str], filter: Value) -> Call {
    item("list", entity, json!({ "select": select, "filter": filter, "order": { "id": "ASC" }, "start": -1 }))
}

/// All records under a filter, for [`super::PortalClient::list_all`]. Phones and e-mails (`fm`) come only with
/// `select` `["*"]` (facts §7.2).
pub fn items(entity: Entity, select: &[&str], filter: Map<String, Value>) -> Listing {
    let call = item("list", entity, json!({ "select": select, "filter": filter }));
    let params = match call.params {
        Value::Object(params) => params,
        _ => Map::new(),
    };
    Listing { method: call.method, params, container: Some("items".into()), id: "id".into(), filter_id: "id".into() }
}

/// Up to [`IMPORT_ROWS`] new records without robots. `createdTime` must not be among the fields: the portal refuses
/// dates older than its newest records (facts §7.8).
pub fn batch_import(entity: Entity, rows: &[Map<String, Value>]) -> Call {
    Call { rows: rows.len(), ..item("batchImport", entity, json!({ "data": rows })) }
}

/// The ids that an import made, row by row, or why a row was refused.
pub fn imported(answer: &Answer, rows: usize) -> Vec<Result<i64, Error>> {
    let items = answer.result.get("items").unwrap_or(&answer.result);
    (0..rows)
        .map(|i| {
            let row = de::entry(items, &i.to_string());
            let row = row.ok_or_else(|| Error::unreadable(200, "the import does not mention this row"))?;
            if let Some(id) = row.get("item").and_then(|item| item.get("id")).and_then(de::id) {
                return Ok(id);
            }
            let text = |key: &str| row.get(key).and_then(de::text).unwrap_or_default();
            match row.get("error").filter(|error| !error.is_null()) {
                Some(error) => {
                    let code = de::text(error).unwrap_or_default();
                    Err(Error::refused(At::Portal, &code, &text("error_description"), 200))
                }
                None => Err(Error::unreadable(200, "a row of the import has neither an id nor an error")),
            }
        })
        .collect()
}

/// The record in the answer of `crm.item.add`, `update` or `get`.
pub fn item_of(answer: &Answer) -> Option<&Map<String, Value>> {
    answer.result.get("item")?.as_object()
}

/// The id of a record just made.
pub fn made_id(answer: &Answer) -> Option<i64> {
    de::id(item_of(answer)?.get("id")?)
}

/// The rows of `crm.item.list`.
pub fn items_of(answer: &Answer) -> Vec<&Value> {
    answer.result.get("items").map(de::elements).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn s48_every_command_asks_for_the_original_field_names() {
        for call in [
            item_add(Entity::Deal, fields(json!({"title": "x"}))),
            item_update(Entity::Contact, 5, Map::new()),
            item_get(Entity::Company, 7),
            item_find(Entity::Deal, &["id"], json!({"originatorId": "fidelio-bitrix24"})),
            batch_import(Entity::Contact, &[Map::new()]),
        ] {
            assert_eq!(call.params["useOriginalUfNames"], "Y", "{}", call.method);
            assert!(call.method.starts_with("crm.item."));
        }
        assert_eq!(item_update(Entity::Contact, 5, Map::new()).params["id"], 5);
        assert_eq!(Entity::from_type_id(4), Some(Entity::Company));
        assert_eq!(Entity::from_type_id(1), None);
    }

    #[test]
    fn s48_an_import_is_read_row_by_row() {
        let answer = Answer {
            result: json!({"items": [{"item": {"id": "5"}}, {"error": "CRM_FIELD_ERROR_REQUIRED", "error_description": "no"}, {}]}),
            ..Answer::default()
        };
        let rows = imported(&answer, 4);
        assert_eq!(rows[0], Ok(5));
        assert!(rows[1].as_ref().is_err_and(|e| e.code() == "crm_field_error_required" && !e.outcome_unknown));
        assert!(rows[2].as_ref().is_err_and(|e| e.outcome_unknown));
        assert!(rows[3].as_ref().is_err_and(|e| e.outcome_unknown));
    }

    #[test]
    fn s48_ids_are_read_as_text_or_number() {
        let answer = Answer { result: json!({"item": {"id": "12", "title": "x"}}), ..Answer::default() };
        assert_eq!(made_id(&answer), Some(12));
        assert_eq!(made_id(&Answer::default()), None);
    }
}
