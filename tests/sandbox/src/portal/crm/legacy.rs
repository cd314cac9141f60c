//! Methods outside `crm.item.*` that stay current or that multifields need.

use serde_json::{Map, Value, json};

use super::cell::{self, Cell};
use super::entity::Entity;
use super::multi;
use super::read::Names;
use super::save::{self, Dialect};
use super::table;
use super::{Comment, stages};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};

const OLD: Dialect = Dialect { names: Names::Upper, import: false };

/// Entity named by the method, as in `crm.contact.update`.
pub fn entity(call: &Call<'_>) -> RestResult<Entity> {
    call.method.split('.').nth(1).and_then(Entity::by_name).ok_or_else(RestError::not_found)
}

fn id(call: &Call<'_>) -> RestResult<i64> {
    call.params.int("id").filter(|id| *id > 0).ok_or_else(|| RestError::bad("", "ID is not defined or invalid."))
}

/// `crm.contact.get`, `crm.company.get`: upper-case names, everything a string.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    let (entity, id) = (entity(call)?, id(call)?);
    save::check(call.state, call.user, entity, id).map_err(|_| RestError::bad("", "Not found"))?;
    let table = call.state.crm.tables.of(entity);
    let mut shown = Map::new();
    shown.insert("ID".into(), json!(id.to_string()));
    if let Some(row) = table.row(id) {
        for (key, field) in table.schema.live() {
            let value = cell::show(field, row.cell(key));
            let value = if value.is_number() { json!(php::text(&value)) } else { value };
            shown.insert(field.upper.clone(), value);
        }
        multi::show_old(&row.multi, &mut shown);
    }
    Ok(Answer::rows(Value::Object(shown), 1))
}

/// `crm.contact.update`, `crm.company.update`.
pub fn update(call: &mut Call<'_>) -> RestResult<Answer> {
    let (entity, id) = (entity(call)?, id(call)?);
    save::check(call.state, call.user, entity, id).map_err(|_| RestError::bad("", "Access denied."))?;
    let fields = call.params.map("fields").0;
    let actor = call.actor();
    save::update(call.state, &actor, entity, id, &fields, OLD)?;
    Ok(Answer::rows(json!(true), 1))
}

/// `crm.deal.contact.items.get`.
pub fn deal_contacts(call: &mut Call<'_>) -> RestResult<Answer> {
    let id = id(call)?;
    save::check(call.state, call.user, Entity::Deal, id)?;
    let table = call.state.crm.tables.of(Entity::Deal);
    let ids: Vec<i64> = table
        .row(id)
        .and_then(|row| save::get(table, row, "contactIds"))
        .map(|cell| cell.each().iter().filter_map(Cell::as_int).collect())
        .unwrap_or_default();
    let items: Vec<Value> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| {
            json!({"CONTACT_ID": id, "SORT": (at + 1) * 10, "ROLE_ID": 0, "IS_PRIMARY": if at == 0 { "Y" } else { "N" }})
        })
        .collect();
    Ok(Answer::rows(json!(items), 1))
}

/// `crm.deal.contact.items.set`: replaces the set; the first primary one leads, the rest follow by SORT.
pub fn set_deal_contacts(call: &mut Call<'_>) -> RestResult<Answer> {
    let id = id(call)?;
    save::check(call.state, call.user, Entity::Deal, id)?;
    let given = call.params.get("items").ok_or_else(|| RestError::bad("", "The parameter 'items' must be array."))?;
    let mut items: Vec<(bool, i64, i64)> = Vec::new();
    for (at, item) in php::elements(given).into_iter().enumerate() {
        let item = php::Params::new(item.clone());
        let contact = item.int("CONTACT_ID").unwrap_or(0);
        if call.state.crm.tables.of(Entity::Contact).row(contact).is_none() {
            return Err(RestError::bad("", format!("The contact {contact} is not found.")));
        }
        let sort = item.int("SORT").unwrap_or_else(|| i64::try_from((at + 1) * 10).unwrap_or(10));
        items.push((!item.flag("IS_PRIMARY"), sort, contact));
    }
    items.sort();
    contacts(call, id, items.into_iter().map(|(_, _, contact)| contact).collect())
}

/// `crm.deal.contact.items.delete`.
pub fn clear_deal_contacts(call: &mut Call<'_>) -> RestResult<Answer> {
    let id = id(call)?;
    save::check(call.state, call.user, Entity::Deal, id)?;
    contacts(call, id, Vec::new())
}

fn contacts(call: &mut Call<'_>, id: i64, ids: Vec<i64>) -> RestResult<Answer> {
    let mut fields = Map::new();
    fields.insert("CONTACT_IDS".into(), json!(ids));
    let actor = call.actor();
    save::update(call.state, &actor, Entity::Deal, id, &fields, OLD)?;
    Ok(Answer::rows(json!(true), 1))
}

/// `crm.duplicate.findbycomm`.
pub fn duplicates(call: &mut Call<'_>) -> RestResult<Answer> {
    let kind = call.params.text("type").unwrap_or_default().to_ascii_uppercase();
    if !matches!(kind.as_str(), "PHONE" | "EMAIL") {
        return Err(RestError::bad("", "Communication type is not defined"));
    }
    let values: Vec<String> = call
        .params
        .get("values")
        .map(|list| php::elements(list).into_iter().filter_map(php::text).collect())
        .unwrap_or_default();
    if values.is_empty() {
        return Err(RestError::bad("", "Communication values is not defined"));
    }
    if values.len() > 20 {
        return Err(RestError::bad("", "The maximum number of values is 20"));
    }
    let only = call.params.text("entity_type");
    let mut found = Map::new();
    for entity in [Entity::Contact, Entity::Company] {
        if only.as_ref().is_some_and(|only| !only.eq_ignore_ascii_case(entity.upper())) {
            continue;
        }
        let table = call.state.crm.tables.of(entity);
        let mut ids: Vec<i64> = Vec::new();
        for value in &values {
            let wanted = table::normalised(&kind, value);
            for id in table.by_comm(&kind, value) {
                let really = table.row(id).is_some_and(|row| {
                    row.multi.iter().any(|m| *m.type_id == *kind && table::normalised(&kind, &m.value) == wanted)
                });
                if really && !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        let full = ids.len() >= 20;
        if !ids.is_empty() {
            found.insert(entity.upper().into(), json!(ids));
        }
        if full {
            break;
        }
    }
    Ok(Answer::rows(php::listed(found), values.len()))
}

/// `crm.timeline.comment.add`; the key must be `fields` in lower case.
pub fn comment(call: &mut Call<'_>) -> RestResult<Answer> {
    let Some(fields) = call.params.0.get("fields").cloned().map(php::Params::new) else {
        return Err(RestError::bad("100", "Could not find value for parameter {fields}"));
    };
    let entity = fields
        .text("ENTITY_TYPE")
        .as_deref()
        .and_then(Entity::by_name)
        .ok_or_else(|| RestError::bad("", "ENTITY_TYPE is not defined or invalid."))?;
    let entity_id = fields.int("ENTITY_ID").unwrap_or(0);
    if entity_id <= 0 {
        return Err(RestError::bad("", "ENTITY_ID is not defined or invalid."));
    }
    save::check(call.state, call.user, entity, entity_id).map_err(|_| RestError::bad("", "Access denied."))?;
    let text = fields.text("COMMENT").unwrap_or_default();
    let id = i64::try_from(call.state.crm.comments.len()).unwrap_or(0) + 1;
    let user = call.user;
    let at = call.state.clock.now();
    call.state.crm.comments.push(Comment { id, entity, entity_id, text, user, at });
    call.state.crm.changes += 1;
    Ok(Answer::rows(json!(id), 1))
}

/// `crm.timeline.comment.list`: of one record, the latest first.
pub fn comments(call: &mut Call<'_>) -> RestResult<Answer> {
    let filter = call.params.0.get("filter").cloned().map(php::Params::new).unwrap_or_default();
    let entity = filter
        .text("ENTITY_TYPE")
        .as_deref()
        .and_then(Entity::by_name)
        .ok_or_else(|| RestError::bad("", "ENTITY_TYPE is not defined or invalid."))?;
    let entity_id = filter.int("ENTITY_ID").unwrap_or(0);
    save::check(call.state, call.user, entity, entity_id).map_err(|_| RestError::bad("", "Access denied."))?;
    let of = call.state.crm.comments.iter().rev();
    let list: Vec<Value> = of
        .filter(|comment| comment.entity == entity && comment.entity_id == entity_id)
        .take(50)
        .map(|comment| json!({"ID": comment.id.to_string(), "COMMENT": comment.text}))
        .collect();
    Ok(Answer::new(list))
}

/// `crm.currency.list`.
pub fn currencies(call: &mut Call<'_>) -> RestResult<Answer> {
    let list: Vec<Value> = call
        .state
        .options
        .currencies
        .iter()
        .enumerate()
        .map(|(at, code)| {
            json!({"CURRENCY": code, "AMOUNT_CNT": "1", "AMOUNT": if at == 0 { "1.0000" } else { "90.0000" },
                   "SORT": ((at + 1) * 100).to_string(), "BASE": if at == 0 { "Y" } else { "N" }, "FULL_NAME": code, "LID": "ru"})
        })
        .collect();
    let total = list.len();
    Ok(Answer::new(list).total(total))
}

/// `crm.currency.base.get`.
pub fn base_currency(call: &mut Call<'_>) -> RestResult<Answer> {
    Ok(Answer::new(json!(call.state.options.currencies.first())))
}

/// Whether any deal stands in a stage.
pub fn stage_in_use(call: &Call<'_>, category: i64, stage: &str) -> bool {
    let table = call.state.crm.tables.of(Entity::Deal);
    let prefix = stages::prefix(category);
    stage.starts_with(&prefix)
        && table.rows().values().any(|row| save::get(table, row, "stageId").is_some_and(|cell| cell.plain() == stage))
}
