//! Tasks, as little as the app's later features need (facts §8).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::clock;
use super::error::{RestError, RestResult};
use super::php::{self, Params};
use super::rest::call::{Answer, Call};
use super::rest::v3::Keys;
use super::state::State;

/// All tasks.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Upper-case fields by id.
    pub items: BTreeMap<i64, Map<String, Value>>,
    /// Comments and chat messages: task, author, text.
    pub comments: Vec<(i64, i64, String)>,
    /// Idempotency keys of REST 3.0.
    pub keys: Keys,
}

fn camel(upper: &str) -> String {
    let mut name = String::new();
    for (at, part) in upper.to_ascii_lowercase().split('_').enumerate() {
        let mut letters = part.chars();
        match letters.next() {
            Some(first) if at > 0 => {
                name.push(first.to_ascii_uppercase());
                name.push_str(letters.as_str());
            }
            _ => name.push_str(part),
        }
    }
    name
}

fn upper(camel: &str) -> String {
    let mut name = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn create(state: &mut State, user: i64, mut fields: Map<String, Value>) -> i64 {
    let id = state.tasks.items.keys().next_back().copied().unwrap_or(0) + 1;
    let now = clock::iso(state.clock.now());
    let defaults = [
        ("CREATED_BY", json!(user.to_string())),
        ("RESPONSIBLE_ID", json!(user.to_string())),
        ("STATUS", json!("2")),
        ("PRIORITY", json!("1")),
        ("GROUP_ID", json!("0")),
        ("CREATED_DATE", json!(now)),
        ("CHANGED_DATE", json!(now)),
        ("CHAT_ID", json!(1000 + id)),
    ];
    for (name, value) in defaults {
        fields.entry(name).or_insert(value);
    }
    state.tasks.items.insert(id, fields);
    id
}

fn shown(id: i64, fields: &Map<String, Value>) -> Value {
    let mut task: Map<String, Value> = Map::new();
    task.insert("id".into(), json!(id.to_string()));
    for (name, value) in fields {
        let value = if value.is_number() { json!(php::text(value)) } else { value.clone() };
        task.insert(camel(name), value);
    }
    Value::Object(task)
}

fn find<'a>(state: &'a State, params: &Params) -> RestResult<(i64, &'a Map<String, Value>)> {
    let id = params.int("taskId").or_else(|| params.int("id")).unwrap_or(0);
    state.tasks.items.get(&id).map(|fields| (id, fields)).ok_or_else(|| RestError::bad("0", "wrong task id"))
}

/// `tasks.task.add`.
pub fn add(call: &mut Call<'_>) -> RestResult<Answer> {
    let fields = call.params.map("fields").0;
    if fields.get("TITLE").and_then(php::text).is_none_or(|title| title.is_empty()) {
        return Err(RestError::bad("100", "Не указано название задачи"));
    }
    let id = create(call.state, call.user, fields);
    let (id, fields) = (id, call.state.tasks.items.get(&id).cloned().unwrap_or_default());
    Ok(Answer::rows(json!({"task": shown(id, &fields)}), 1))
}

/// `tasks.task.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    let (id, fields) = find(call.state, call.params)?;
    Ok(Answer::rows(json!({"task": shown(id, fields)}), 1))
}

/// `tasks.task.list`: equality and `%` filters.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    let filter = call.params.map("filter").0;
    let fits = |id: i64, fields: &Map<String, Value>| {
        filter.iter().all(|(name, wanted)| {
            let bare = name.trim_start_matches(['%', '=', '>', '<', '!']).to_ascii_uppercase();
            let value =
                if bare == "ID" { id.to_string() } else { fields.get(&bare).and_then(php::text).unwrap_or_default() };
            let wanted = php::text(wanted).unwrap_or_default();
            if name.starts_with('%') { value.to_lowercase().contains(&wanted.to_lowercase()) } else { value == wanted }
        })
    };
    let tasks: Vec<Value> = call
        .state
        .tasks
        .items
        .iter()
        .filter(|(id, fields)| fits(**id, fields))
        .take(50)
        .map(|(id, fields)| shown(*id, fields))
        .collect();
    let rows = tasks.len();
    Ok(Answer::rows(json!({ "tasks": tasks }), rows).total(rows))
}

/// `tasks.task.update`.
pub fn update(call: &mut Call<'_>) -> RestResult<Answer> {
    let (id, _) = find(call.state, call.params)?;
    let given = call.params.map("fields").0;
    let fields = call.state.tasks.items.entry(id).or_default();
    fields.extend(given);
    let fields = fields.clone();
    Ok(Answer::rows(json!({"task": shown(id, &fields)}), 1))
}

/// `tasks.task.delete`.
pub fn delete(call: &mut Call<'_>) -> RestResult<Answer> {
    let (id, _) = find(call.state, call.params)?;
    call.state.tasks.items.remove(&id);
    Ok(Answer::rows(json!({"task": true}), 1))
}

/// `task.commentitem.add`.
pub fn comment(call: &mut Call<'_>) -> RestResult<Answer> {
    let task = call.params.int("TASKID").or_else(|| call.params.int("0")).unwrap_or(0);
    let text = call.params.map("FIELDS").text("POST_MESSAGE").unwrap_or_default();
    if !call.state.tasks.items.contains_key(&task) {
        return Err(RestError::bad("1048582", "Action on the task is not allowed"));
    }
    call.state.tasks.comments.push((task, call.user, text));
    Ok(Answer::new(call.state.tasks.comments.len()))
}

fn invalid(field: &str) -> RestError {
    let mut error = RestError::bad("VALIDATION_DTOVALIDATIONEXCEPTION", "Validation failed");
    error
        .extra
        .insert("validation".into(), json!([{"field": field, "message": format!("Field `{field}` is required")}]));
    error
}

fn missing() -> RestError {
    RestError::bad("ENTITYNOTFOUNDEXCEPTION", "Entity not found")
}

fn v3_id(state: &State, params: &Params) -> RestResult<i64> {
    let id = params.int("id").ok_or_else(|| invalid("id"))?;
    if state.tasks.items.contains_key(&id) { Ok(id) } else { Err(missing()) }
}

fn v3_item(state: &State, id: i64) -> Value {
    let mut item = Map::new();
    item.insert("id".into(), json!(id));
    for (name, value) in state.tasks.items.get(&id).into_iter().flatten() {
        item.insert(camel(name), value.clone());
    }
    json!({ "item": item })
}

/// REST 3.0 `tasks.task.add`.
pub fn add_v3(state: &mut State, user: i64, params: &Params) -> RestResult<Value> {
    let given = params.map("fields").0;
    for required in ["title", "creatorId", "responsibleId"] {
        if given.get(required).is_none_or(php::empty) {
            return Err(invalid(required));
        }
    }
    let id = create(state, user, given.into_iter().map(|(name, value)| (upper(&name), value)).collect());
    Ok(v3_item(state, id))
}

/// REST 3.0 `tasks.task.get`.
pub fn get_v3(state: &State, params: &Params) -> RestResult<Value> {
    Ok(v3_item(state, v3_id(state, params)?))
}

/// REST 3.0 `tasks.task.update`.
pub fn update_v3(state: &mut State, params: &Params) -> RestResult<Value> {
    let id = v3_id(state, params)?;
    let given = params.map("fields").0;
    state.tasks.items.entry(id).or_default().extend(given.into_iter().map(|(name, value)| (upper(&name), value)));
    Ok(v3_item(state, id))
}

/// REST 3.0 `tasks.task.delete`.
pub fn delete_v3(state: &mut State, params: &Params) -> RestResult<Value> {
    let id = v3_id(state, params)?;
    state.tasks.items.remove(&id);
    Ok(json!({"result": true}))
}

/// REST 3.0 `tasks.task.chat.message.send`.
pub fn send_v3(state: &mut State, user: i64, params: &Params) -> RestResult<Value> {
    let fields = params.map("fields");
    let task = fields.int("taskId").ok_or_else(|| invalid("taskId"))?;
    let text = fields.text("text").filter(|text| !text.is_empty()).ok_or_else(|| invalid("text"))?;
    if !state.tasks.items.contains_key(&task) {
        return Err(missing());
    }
    state.tasks.comments.push((task, user, text));
    Ok(json!({"result": true}))
}
