//! Tasks by REST 3.0.

use serde_json::{Value, json};

use super::talk;
use super::{Right, fields, right};
use crate::portal::crm::save::Actor;
use crate::portal::error::{RestError, RestResult};
use crate::portal::php::{self, Params};
use crate::portal::state::State;

fn invalid(field: &str) -> RestError {
    let mut error = RestError::bad("VALIDATION_DTOVALIDATIONEXCEPTION", "Error during object validation");
    let message = format!("The required field \"{field}\" is not filled");
    error.extra.insert("validation".into(), json!([{"field": field, "message": message}]));
    error
}

fn denied() -> RestError {
    RestError::new(403, "ACCESSDENIEDEXCEPTION", "Access denied")
}

fn given(params: &Params) -> RestResult<super::Fields> {
    fields::from_v3(&params.map("fields").0).map_err(|(name, unknown)| {
        if unknown {
            RestError::bad("UNKNOWNDTOPROPERTYEXCEPTION", format!("Unknown property `{name}`"))
        } else {
            invalid(&name)
        }
    })
}

fn id(state: &State, user: i64, params: &Params, needed: Right) -> RestResult<i64> {
    let id = params.int("id").ok_or_else(|| invalid("id"))?;
    if !state.tasks.items.contains_key(&id) {
        return Err(RestError::bad("ENTITYNOTFOUNDEXCEPTION", "Entity not found"));
    }
    if right(state, user, id) < needed { Err(denied()) } else { Ok(id) }
}

/// `tasks.task.add`.
pub fn add(state: &mut State, actor: &Actor, params: &Params) -> RestResult<Value> {
    let wanted = params.map("fields");
    for required in ["title", "creatorId", "responsibleId"] {
        if wanted.get(required).is_none_or(php::empty) {
            return Err(invalid(required));
        }
    }
    let fields = given(params)?;
    let id = super::add(state, actor, fields).map_err(|_| invalid("responsibleId"))?;
    Ok(json!({"item": fields::to_v3(state, id, &[])}))
}

/// `tasks.task.get`.
pub fn get(state: &State, user: i64, params: &Params) -> RestResult<Value> {
    let id = id(state, user, params, Right::Read)?;
    let select = params.get("select").map(php::elements).unwrap_or_default();
    let select: Vec<String> = select.into_iter().filter_map(php::text).collect();
    Ok(json!({"item": fields::to_v3(state, id, &select)}))
}

/// `tasks.task.update`.
pub fn update(state: &mut State, actor: &Actor, params: &Params) -> RestResult<Value> {
    let (id, fields) = (id(state, actor.user, params, Right::Do)?, given(params)?);
    super::edit(state, actor, id, fields).map_err(|_| denied())?;
    Ok(json!({"result": true}))
}

/// `tasks.task.delete`.
pub fn delete(state: &mut State, actor: &Actor, params: &Params) -> RestResult<Value> {
    let id = id(state, actor.user, params, Right::Own)?;
    super::delete(state, actor, id).map_err(|_| denied())?;
    Ok(json!({"result": true}))
}

/// `tasks.task.chat.message.send`: it answers no id.
pub fn send(state: &mut State, actor: &Actor, params: &Params) -> RestResult<Value> {
    let fields = params.map("fields");
    let task = fields.int("taskId").ok_or_else(|| invalid("taskId"))?;
    let text = fields.text("text").filter(|text| !text.is_empty()).ok_or_else(|| invalid("text"))?;
    if right(state, actor.user, task) < Right::Read {
        return Err(denied());
    }
    talk::say(state, actor, actor.user, task, &text);
    Ok(json!({"result": true}))
}

/// `tasks.task.file.attach`.
pub fn attach(state: &mut State, actor: &Actor, params: &Params) -> RestResult<Value> {
    let task = params.int("taskId").ok_or_else(|| invalid("taskId"))?;
    let files = params.get("fileIds").map(php::elements).unwrap_or_default();
    let files: Vec<i64> = files.into_iter().filter_map(php::int).collect();
    if files.is_empty() {
        return Err(invalid("fileIds"));
    }
    for file in files {
        super::disk::attach_to(state, actor, task, file).map_err(|_| denied())?;
    }
    Ok(json!({"result": true}))
}
