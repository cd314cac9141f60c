//! `crm.item.import` and `crm.item.batchImport` (facts §7.8).

use serde_json::{Map, Value, json};

use super::cell::{self, Cell};
use super::entity::Entity;
use super::item;
use super::read::Names;
use super::save::{self, Dialect};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};
use crate::portal::state::State;

/// Records one call may carry.
pub const BATCH: usize = 20;

/// `crm.item.import`.
pub fn one(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = item::entity(call.params)?;
    right(call)?;
    let fields = item::fields(call.params)?;
    let id = import(call, entity, &fields)?;
    Ok(Answer::rows(json!({"item": {"id": id}}), 1))
}

/// `crm.item.batchImport`: every record stands or falls alone.
pub fn batch(call: &mut Call<'_>) -> RestResult<Answer> {
    let entity = item::entity(call.params)?;
    right(call)?;
    let params = call.params;
    let Some(data) = params.get("data") else {
        return Err(RestError::bad("100", "Could not find value for parameter {data}"));
    };
    let data = php::elements(data);
    if data.len() > BATCH {
        let text = format!("Максимальное количество элементов для импорта: {BATCH}");
        return Err(RestError::bad("MAX_IMPORT_BATCH_SIZE_EXCEEDED", text));
    }
    let rows = data.len();
    let mut items = Vec::with_capacity(rows);
    for fields in data {
        let outcome = match fields {
            Value::Object(fields) => import(call, entity, fields),
            _ => Err(RestError::bad(
                "100",
                "Invalid value to match with parameter {fields}. Should be value of type array.",
            )),
        };
        items.push(match outcome {
            Ok(id) => json!({"item": {"id": id}}),
            Err(error) => Value::Object(error.body()),
        });
    }
    Ok(Answer::rows(json!({ "items": items }), rows))
}

fn right(call: &Call<'_>) -> RestResult<()> {
    let may = call.state.users.get(&call.user).is_some_and(|user| user.may_import);
    if may && call.state.options.import_right { Ok(()) } else { Err(RestError::denied()) }
}

fn import(call: &mut Call<'_>, entity: Entity, fields: &Map<String, Value>) -> RestResult<i64> {
    let mut fields = fields.clone();
    let admin = call.state.users.get(&call.user).is_some_and(|user| user.admin);
    if admin {
        dates(call.state, entity, &fields)?;
    } else {
        for name in ["createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy"] {
            fields.remove(name);
        }
    }
    let names = Names::of(call.params);
    let actor = call.actor();
    save::add(call.state, &actor, entity, &fields, Dialect { names, import: true })
}

/// A given creation time must not be earlier than that of any record there is.
fn dates(state: &State, entity: Entity, fields: &Map<String, Value>) -> RestResult<()> {
    let Some(given) = fields.get("createdTime").and_then(php::text).filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let refused = |text: &str| Err(RestError::bad("CRM_FIELD_ERROR_VALUE_NOT_VALID", text));
    if state.options.import_dates_refused {
        return refused("Поле \"CREATED_TIME\" заполнено некорректно");
    }
    let Some(moment) = cell::moment(&given) else {
        return refused("Поле \"CREATED_TIME\" заполнено некорректно");
    };
    let table = state.crm.tables.of(entity);
    let newest = table
        .rows()
        .values()
        .next_back()
        .and_then(|row| save::get(table, row, "createdTime"))
        .and_then(Cell::as_int)
        .unwrap_or(i64::MIN);
    if moment < newest {
        return refused("Дата создания не может быть меньше даты создания уже существующих элементов");
    }
    Ok(())
}
