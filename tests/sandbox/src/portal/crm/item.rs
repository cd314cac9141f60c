//! `crm.item.{add,get,list,update,delete,fields}`.

use serde_json::{Map, Value, json};

use super::entity::Entity;
use super::read::{self, Names, Select};
use super::save::{self, Dialect};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php::{self, Params};
use crate::portal::rest::call::{Answer, Call};
use crate::portal::state::State;

/// Entity of a call.
pub fn entity(params: &Params) -> RestResult<Entity> {
    let id = params
        .int("entityTypeId")
        .ok_or_else(|| RestError::argument("entityTypeId", "Argument 'entityTypeId' is null or empty"))?;
    Entity::by_id(id).ok_or_else(|| RestError::bad("NOT_FOUND", "Смарт-процесс не найден"))
}

/// The `fields` map of a call; a list or scalar is refused as the portal does.
pub fn fields(params: &Params) -> RestResult<Map<String, Value>> {
    match params.get("fields") {
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(Value::Array(list)) if list.is_empty() => Ok(Map::new()),
        Some(Value::Array(_)) => Ok(Map::new()),
        _ => Err(RestError::bad(
            "100",
            "Invalid value {} to match with parameter {fields}. Should be value of type array.",
        )),
    }
}

fn id(params: &Params) -> RestResult<i64> {
    params.int("id").ok_or_else(|| RestError::bad("100", "Could not find value for parameter {id}"))
}

/// One record in an `item` envelope.
pub fn shown(state: &State, entity: Entity, id: i64, names: Names) -> RestResult<Value> {
    let table = state.crm.tables.of(entity);
    let row = table.row(id).ok_or_else(RestError::not_found)?;
    let mut item = read::show(table, id, row, names, &Select::All { multi: true });
    ids_as_text(state, &mut item);
    Ok(json!({ "item": item }))
}

fn ids_as_text(state: &State, item: &mut Map<String, Value>) {
    if !state.options.string_ids {
        return;
    }
    for (name, value) in item.iter_mut() {
        if (name == "id" || name.ends_with("Id") || name.ends_with("By")) && value.is_i64() {
            *value = json!(php::text(value));
        }
    }
}

/// `crm.item.add`.
pub fn add(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = entity(call.params)?;
    let names = Names::of(call.params);
    let fields = fields(call.params)?;
    let actor = call.actor();
    let id = save::add(call.state, &actor, entity, &fields, Dialect { names, import: false })?;
    Ok(Answer::rows(shown(call.state, entity, id, names)?, 1))
}

/// `crm.item.update`.
pub fn update(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = entity(call.params)?;
    let names = Names::of(call.params);
    let id = id(call.params)?;
    save::check(call.state, call.user, entity, id)?;
    let fields = fields(call.params)?;
    let actor = call.actor();
    save::update(call.state, &actor, entity, id, &fields, Dialect { names, import: false })?;
    Ok(Answer::rows(shown(call.state, entity, id, names)?, 1))
}

/// `crm.item.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = entity(call.params)?;
    let id = id(call.params)?;
    save::check(call.state, call.user, entity, id)?;
    Ok(Answer::rows(shown(call.state, entity, id, Names::of(call.params))?, 1))
}

/// `crm.item.delete`.
pub fn delete(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = entity(call.params)?;
    let id = id(call.params)?;
    save::check(call.state, call.user, entity, id)?;
    let actor = call.actor();
    save::delete(call.state, &actor, entity, id)?;
    Ok(Answer::rows(json!([]), 1))
}

/// `crm.item.list`.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = entity(call.params)?;
    let names = Names::of(call.params);
    let table = call.state.crm.tables.of(entity);
    let user = call.state.users.get(&call.user).ok_or_else(RestError::denied)?;
    let page = read::list(table, user, call.params)?;
    let select = Select::parse(table, names, call.params.get("select"));
    let items: Vec<Value> = page
        .ids
        .iter()
        .filter_map(|id| {
            let mut item = read::show(table, *id, table.row(*id)?, names, &select);
            ids_as_text(call.state, &mut item);
            Some(Value::Object(item))
        })
        .collect();
    let rows = items.len();
    let mut answer = Answer::rows(json!({ "items": items }), rows);
    answer.total = page.total;
    answer.next = page.next;
    Ok(answer)
}

/// `crm.item.fields`.
pub fn describe(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = entity(call.params)?;
    let original = call.params.flag("useOriginalUfNames");
    Ok(Answer::new(call.state.crm.tables.of(entity).schema.describe(original)))
}
