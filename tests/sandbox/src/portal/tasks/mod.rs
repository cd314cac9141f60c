//! Tasks: REST v2 and v3 over one store, the conversation in both its forms, the status rules, files (facts §8).

pub mod disk;
mod events;
mod fields;
mod list;
pub mod rpc;
pub mod status;
pub mod talk;
pub mod v3;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::clock;
use super::crm::save::Actor;
use super::error::{RestError, RestResult};
use super::options::TaskCard;
use super::php;
use super::rest::v3::Keys;
use super::state::State;
use events::tell;
pub use status::Step;
pub use talk::Said;

/// Fields by their upper-case names.
pub type Fields = Map<String, Value>;

/// All tasks.
#[derive(Debug, Default)]
pub struct Tasks {
    /// By id.
    pub items: BTreeMap<i64, Fields>,
    /// Comments and chat messages of all tasks, oldest first.
    pub talk: Vec<Said>,
    /// Files of the app's own storage.
    pub files: BTreeMap<i64, disk::File>,
    /// Idempotency keys of REST 3.0.
    pub keys: Keys,
    last: i64,
}

/// What a person may do with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Nothing: the task does not exist for him.
    None,
    /// Auditors read and comment.
    Read,
    /// Those who do it.
    Do,
    /// Its creator, and admins.
    Own,
}

pub(super) fn id_of(fields: &Fields, name: &str) -> i64 {
    fields.get(name).and_then(php::int).unwrap_or(0)
}

fn has(fields: &Fields, name: &str, user: i64) -> bool {
    fields.get(name).is_some_and(|list| php::elements(list).into_iter().any(|one| php::int(one) == Some(user)))
}

/// What a person may do with a task.
pub fn right(state: &State, user: i64, id: i64) -> Right {
    let Some(fields) = state.tasks.items.get(&id) else { return Right::None };
    if id_of(fields, "CREATED_BY") == user || state.users.get(&user).is_some_and(|user| user.admin) {
        Right::Own
    } else if id_of(fields, "RESPONSIBLE_ID") == user || has(fields, "ACCOMPLICES", user) {
        Right::Do
    } else if has(fields, "AUDITORS", user) {
        Right::Read
    } else {
        Right::None
    }
}

/// Refused the way old methods do it, whether the task is missing or hidden.
pub fn not_allowed() -> RestError {
    RestError::bad("1048582", "Действие над задачей не разрешено<br>")
}

fn person(state: &State, id: i64) -> bool {
    state.users.get(&id).is_some_and(|user| user.active)
}

/// A new task.
pub fn add(state: &mut State, actor: &Actor, mut fields: Fields) -> RestResult<i64> {
    if fields.get("TITLE").and_then(php::text).is_none_or(|title| title.trim().is_empty()) {
        return Err(RestError::bad("100", "Не указано название задачи<br>"));
    }
    if !person(state, id_of(&fields, "RESPONSIBLE_ID")) {
        return Err(RestError::bad("100", "Не указан исполнитель задачи<br>"));
    }
    let now = clock::iso(state.clock.now());
    let own = json!(actor.user.to_string());
    for (name, value) in [
        ("CREATED_BY", own.clone()),
        ("STATUS", json!("2")),
        ("PRIORITY", json!("1")),
        ("GROUP_ID", json!("0")),
        ("STAGE_ID", json!("0")),
        ("TASK_CONTROL", json!("N")),
        ("CLOSED_BY", json!("0")),
        ("CLOSED_DATE", Value::Null),
        ("DEADLINE", Value::Null),
        ("XML_ID", Value::Null),
        ("DESCRIPTION", json!("")),
    ] {
        fields.entry(name).or_insert(value);
    }
    for name in ["CREATED_DATE", "CHANGED_DATE", "ACTIVITY_DATE", "STATUS_CHANGED_DATE"] {
        fields.insert(name.into(), json!(now));
    }
    for name in ["CHANGED_BY", "STATUS_CHANGED_BY"] {
        fields.insert(name.into(), own.clone());
    }
    fields::tidy(&mut fields);
    state.tasks.last += 1;
    let id = state.tasks.last;
    state.tasks.items.insert(id, fields);
    tell(state, "ADD", id, actor);
    Ok(id)
}

/// Changes fields; whether they differ or not, the change is told.
pub fn edit(state: &mut State, actor: &Actor, id: i64, mut given: Fields) -> RestResult<()> {
    if right(state, actor.user, id) < Right::Do {
        return Err(not_allowed());
    }
    if given.contains_key("RESPONSIBLE_ID") && !person(state, id_of(&given, "RESPONSIBLE_ID")) {
        return Err(RestError::bad("100", "Не указан исполнитель задачи<br>"));
    }
    for fixed in ["ID", "CREATED_DATE", "CHANGED_DATE", "ACTIVITY_DATE"] {
        given.remove(fixed);
    }
    fields::tidy(&mut given);
    let moved = given.get("STATUS").and_then(php::int);
    let now = clock::iso(state.clock.now());
    let fields = state.tasks.items.entry(id).or_default();
    let before = id_of(fields, "STATUS");
    fields.extend(given);
    if let Some(to) = moved.filter(|to| *to != before) {
        status::set(fields, to, actor.user, &now);
    }
    touch(fields, actor.user, &now);
    tell(state, "UPDATE", id, actor);
    Ok(())
}

/// Moves a task's status, where the rules let it.
pub fn step(state: &mut State, actor: &Actor, id: i64, step: Step) -> RestResult<()> {
    let right = right(state, actor.user, id);
    let now = clock::iso(state.clock.now());
    let fields = state.tasks.items.get_mut(&id).ok_or_else(not_allowed)?;
    let control = fields.get("TASK_CONTROL").is_some_and(php::truthy);
    let to = step.to(id_of(fields, "STATUS"), control, right).ok_or_else(not_allowed)?;
    status::set(fields, to, actor.user, &now);
    touch(fields, actor.user, &now);
    talk::note(state, id, step.says());
    tell(state, "UPDATE", id, actor);
    Ok(())
}

/// Somebody else is to do it.
pub fn delegate(state: &mut State, actor: &Actor, id: i64, to: i64) -> RestResult<()> {
    if right(state, actor.user, id) < Right::Do || !person(state, to) {
        return Err(not_allowed());
    }
    edit(state, actor, id, [("RESPONSIBLE_ID".to_owned(), json!(to.to_string()))].into_iter().collect())
}

/// Deletes a task and its conversation.
pub fn delete(state: &mut State, actor: &Actor, id: i64) -> RestResult<()> {
    if right(state, actor.user, id) < Right::Own {
        return Err(not_allowed());
    }
    state.tasks.items.remove(&id);
    state.tasks.talk.retain(|said| said.task != id);
    tell(state, "DELETE", id, actor);
    Ok(())
}

fn touch(fields: &mut Fields, user: i64, now: &str) {
    for name in ["CHANGED_DATE", "ACTIVITY_DATE"] {
        fields.insert(name.into(), json!(now));
    }
    fields.insert("CHANGED_BY".into(), json!(user.to_string()));
}

/// Whether tasks have a chat: since version 25.700 of the module.
pub fn has_chat(state: &State) -> bool {
    state.options.task_card() == TaskCard::Chat
}
