//! What is said of a task: comments of the old card, the chat of the new one (facts §8).

use serde_json::{Map, Value, json};

use super::events::tell_said;
use super::{Right, fields, has_chat, right};
use crate::portal::clock;
use crate::portal::crm::save::Actor;
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};
use crate::portal::state::State;

/// One comment or message.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Said {
    /// Id.
    pub id: i64,
    /// Task.
    pub task: i64,
    /// Author; 0 is the chat itself.
    pub author: i64,
    /// Unix seconds.
    pub at: i64,
    /// Text.
    pub text: String,
}

fn put(state: &mut State, task: i64, author: i64, text: &str) -> i64 {
    let at = state.clock.now();
    let id = state.tasks.talk.last().map_or(500, |last| last.id) + 1;
    state.tasks.talk.push(Said { id, task, author, at, text: text.to_owned() });
    if let Some(fields) = state.tasks.items.get_mut(&task) {
        fields.insert("ACTIVITY_DATE".into(), json!(clock::iso(at)));
    }
    id
}

/// The chat notes a change by itself; nobody is told of it.
pub fn note(state: &mut State, task: i64, text: &str) {
    if has_chat(state) {
        put(state, task, 0, text);
    }
}

/// Somebody says something.
pub fn say(state: &mut State, actor: &Actor, author: i64, task: i64, text: &str) -> i64 {
    let id = put(state, task, author, text);
    let chat = has_chat(state);
    tell_said(state, id, task, chat, actor);
    id
}

fn wrong(what: &str) -> RestError {
    RestError::core(format!("TASKS_ERROR_EXCEPTION_#256; {what}; 256/TE/WRONG_ARGUMENTS<br>"))
}

/// A parameter by its place: these methods count, they do not look at names.
fn at<'a>(call: &'a Call<'_>, place: usize) -> Option<&'a Value> {
    call.params.0.values().nth(place)
}

fn task_at(call: &Call<'_>, method: &str) -> RestResult<i64> {
    at(call, 0).and_then(php::int).ok_or_else(|| {
        wrong(&format!("Param #0 (taskId) for method ctaskcommentitem::{method}() expected to be of type \"integer\", but given something else."))
    })
}

fn map_at(call: &Call<'_>, place: usize) -> Map<String, Value> {
    match at(call, place) {
        Some(Value::Object(map)) => map.clone(),
        _ => Map::new(),
    }
}

/// `task.commentitem.add`: task, fields.
pub fn add(call: &mut Call<'_>) -> RestResult<Answer> {
    let (task, given) = (task_at(call, "add")?, map_at(call, 1));
    for name in given.keys() {
        if !["POST_MESSAGE", "AUTHOR_ID", "POST_DATE", "UF_FORUM_MESSAGE_DOC"].contains(&name.as_str()) {
            return Err(wrong(&format!(
                "Param #1 (arFields) for method ctaskcommentitem::add() must not contain key \"{name}\"."
            )));
        }
    }
    let text = given.get("POST_MESSAGE").and_then(php::text).filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| RestError::core("Не указан текст комментария<br>"))?;
    if right(call.state, call.user, task) < Right::Read {
        return Err(RestError::core("Недостаточно прав для добавления комментария<br>"));
    }
    let author = given.get("AUTHOR_ID").and_then(php::int).unwrap_or(call.user);
    let actor = call.actor();
    Ok(Answer::rows(json!(say(call.state, &actor, author, task, &text)), 1))
}

/// `task.commentitem.getlist`: task, order, filter. The new card has nothing for it.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    let (task, order, filter) = (task_at(call, "getlist")?, map_at(call, 1), map_at(call, 2));
    if let Some(name) = order.keys().find(|name| !["ID", "AUTHOR_ID", "POST_DATE"].contains(&name.as_str())) {
        return Err(wrong(&format!(
            "Param #1 (arOrder) for method ctaskcommentitem::getlist() must not contain key \"{name}\"."
        )));
    }
    if right(call.state, call.user, task) < Right::Read {
        return Err(RestError::core("TASKS_ERROR_EXCEPTION_#8; Action failed; 8/TE/ACTION_FAILED_TO_BE_PROCESSED<br>"));
    }
    if has_chat(call.state) {
        return Ok(Answer::rows(json!([]), 0));
    }
    let after = filter.get(">ID").and_then(php::int).unwrap_or(0);
    let before = filter.get("<ID").and_then(php::int).unwrap_or(i64::MAX);
    let fits = |said: &&Said| said.task == task && said.id > after && said.id < before;
    let mut said: Vec<&Said> = call.state.tasks.talk.iter().filter(fits).collect();
    if !order.values().any(|way| php::text(way).is_some_and(|way| way.eq_ignore_ascii_case("asc"))) {
        said.reverse();
    }
    let shown = |said: &Said| {
        let name = call.state.users.get(&said.author).map(|user| format!("{} {}", user.name, user.last_name));
        json!({
            "ID": said.id.to_string(), "AUTHOR_ID": said.author.to_string(), "AUTHOR_NAME": name.unwrap_or_default(),
            "AUTHOR_EMAIL": "", "POST_DATE": clock::iso(said.at), "POST_MESSAGE": said.text,
            "POST_MESSAGE_HTML": null, "ATTACHED_OBJECTS": [],
        })
    };
    let rows: Vec<Value> = said.into_iter().map(shown).collect();
    let count = rows.len();
    Ok(Answer::rows(Value::Array(rows), count))
}

/// `im.dialog.messages.get` of a task's chat: the newest, those before `LAST_ID`, or those after `FIRST_ID`; newest first.
pub fn messages(call: &mut Call<'_>) -> RestResult<Answer> {
    let dialog = call.params.text("DIALOG_ID").unwrap_or_default();
    if dialog.is_empty() {
        return Err(RestError::bad("DIALOG_ID_EMPTY", "Dialog ID can't be empty"));
    }
    let chat = dialog.strip_prefix("chat").and_then(|id| id.parse::<i64>().ok()).unwrap_or(0);
    let task = fields::task_of(chat);
    if !has_chat(call.state) || right(call.state, call.user, task) < Right::Read {
        return Err(RestError::bad("ACCESS_ERROR", "You do not have access to the specified dialog"));
    }
    let limit = usize::try_from(call.params.int("LIMIT").unwrap_or(20).clamp(1, 50)).unwrap_or(20);
    let (first, last) = (call.params.int("FIRST_ID"), call.params.int("LAST_ID"));
    let said = call.state.tasks.talk.iter().filter(|said| said.task == task);
    let mut chosen: Vec<&Said> = match (first, last) {
        (Some(first), _) => said.filter(|said| said.id > first).take(limit).collect(),
        (None, last) => {
            said.rev().filter(|said| last.is_none_or(|last| last == 0 || said.id < last)).take(limit).collect()
        }
    };
    if first.is_some() {
        chosen.reverse();
    }
    let authors: std::collections::BTreeSet<i64> = chosen.iter().map(|said| said.author).collect();
    let users = authors.iter().filter_map(|id| call.state.users.get(id));
    let users: Vec<Value> =
        users.map(|user| json!({"id": user.id, "name": format!("{} {}", user.name, user.last_name)})).collect();
    let shown = |said: &&Said| {
        json!({
            "id": said.id, "chat_id": chat, "author_id": said.author, "date": clock::iso(said.at), "text": said.text,
            "params": null,
        })
    };
    let rows: Vec<Value> = chosen.iter().map(shown).collect();
    let count = rows.len();
    Ok(Answer::rows(json!({"messages": rows, "users": users, "files": [], "chat_id": chat}), count))
}
