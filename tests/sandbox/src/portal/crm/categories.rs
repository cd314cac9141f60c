//! `crm.category.*` for deals (facts §7.5).

use serde_json::{Value, json};

use super::entity::Entity;
use super::save;
use super::stages::Category;
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};

fn deals_only(call: &Call<'_>) -> RestResult<()> {
    match call.params.int("entityTypeId").and_then(Entity::by_id) {
        Some(Entity::Deal) => Ok(()),
        Some(_) => Err(RestError::bad("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")),
        None => Err(RestError::bad("NOT_FOUND", "Смарт-процесс не найден")),
    }
}

fn shown(category: &Category) -> Value {
    json!({
        "id": category.id, "name": category.name, "sort": category.sort, "entityTypeId": 2,
        "isDefault": if category.id == 0 { "Y" } else { "N" },
        "originId": category.origin_id, "originatorId": category.originator_id,
    })
}

fn id(call: &Call<'_>) -> RestResult<i64> {
    let id = call.params.int("id").ok_or_else(|| RestError::bad("100", "Could not find value for parameter {id}"))?;
    if call.state.crm.stages.categories.contains_key(&id) { Ok(id) } else { Err(RestError::not_found()) }
}

/// `crm.category.list`.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    deals_only(call)?;
    let list: Vec<Value> = call.state.crm.stages.categories.values().map(shown).collect();
    let total = list.len();
    Ok(Answer::new(json!({ "categories": list })).total(total))
}

/// `crm.category.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    deals_only(call)?;
    let id = id(call)?;
    Ok(Answer::new(json!({"category": call.state.crm.stages.categories.get(&id).map(shown)})))
}

/// `crm.category.add`.
pub fn add(call: &mut Call<'_>) -> RestResult<Answer> {
    deals_only(call)?;
    call.need_crm_admin()?;
    let fields = call.params.map("fields");
    let name = fields.text("name").unwrap_or_default();
    if name.trim().is_empty() || name.chars().count() > 255 {
        return Err(RestError::bad("0", "Поле \"NAME\" обязательно для заполнения"));
    }
    if call.state.crm.stages.categories.len() >= call.state.options.max_categories {
        return Err(RestError::bad("RESTRICTED", "Достигнуто максимальное количество воронок для вашего тарифа"));
    }
    let sort = fields.int("sort").unwrap_or(500).max(0);
    let origin = (fields.text("originatorId").unwrap_or_default(), fields.text("originId").unwrap_or_default());
    let now = call.state.clock.now();
    let id = call.state.crm.stages.add_category(&name, sort, (&origin.0, &origin.1), now);
    Ok(Answer::rows(json!({"category": call.state.crm.stages.categories.get(&id).map(shown)}), 1))
}

/// `crm.category.update`.
pub fn update(call: &mut Call<'_>) -> RestResult<Answer> {
    deals_only(call)?;
    call.need_crm_admin()?;
    let id = id(call)?;
    let fields = call.params.map("fields");
    let Some(category) = call.state.crm.stages.categories.get_mut(&id) else { return Err(RestError::not_found()) };
    if let Some(name) = fields.text("name").filter(|name| !name.trim().is_empty()) {
        category.name = name;
    }
    if let Some(sort) = fields.int("sort") {
        category.sort = sort.max(0);
    }
    if let Some(origin) = fields.text("originId") {
        category.origin_id = origin;
    }
    if let Some(originator) = fields.text("originatorId") {
        category.originator_id = originator;
    }
    Ok(Answer::rows(json!({"category": shown(category)}), 1))
}

/// `crm.category.delete`: not the default one, not one with deals.
pub fn delete(call: &mut Call<'_>) -> RestResult<Answer> {
    deals_only(call)?;
    call.need_crm_admin()?;
    let id = id(call)?;
    if id == 0 {
        return Err(RestError::bad("0", "Нельзя удалить воронку по умолчанию"));
    }
    let table = call.state.crm.tables.of(Entity::Deal);
    let used = table
        .rows()
        .values()
        .any(|row| save::get(table, row, "categoryId").and_then(super::cell::Cell::as_int) == Some(id));
    if used {
        return Err(RestError::bad("0", "Нельзя удалить воронку, в которой есть сделки"));
    }
    call.state.crm.stages.remove_category(id);
    Ok(Answer::rows(Value::Null, 1))
}

/// `crm.category.fields`.
pub fn describe(call: &mut Call<'_>) -> RestResult<Answer> {
    deals_only(call)?;
    let field = |kind: &str, read_only: bool| {
        json!({"type": kind, "isRequired": false, "isReadOnly": read_only, "isImmutable": false,
               "isMultiple": false, "isDynamic": false})
    };
    let fields = [
        ("id", field("integer", true)),
        ("name", field("string", false)),
        ("sort", field("integer", false)),
        ("entityTypeId", field("integer", true)),
        ("isDefault", field("boolean", true)),
        ("originId", field("string", false)),
        ("originatorId", field("string", false)),
    ];
    let map = fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    Ok(Answer::new(json!({"fields": php::listed(map)})))
}
