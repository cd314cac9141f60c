//! REST 3.0 as far as tasks need it (facts §3.5).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::auth;
use super::call::Caller;
use super::incoming::Incoming;
use crate::portal::crm::save::Actor;
use crate::portal::error::RestError;
use crate::portal::php::Params;
use crate::portal::state::State;
use crate::portal::tasks::{self, v3};

/// Status, body, extra headers.
pub type Reply = (u16, Value, Vec<(&'static str, String)>);

/// A remembered success.
#[derive(Clone, Debug)]
pub struct Remembered {
    body: String,
    answer: Value,
    until: i64,
}

/// Answers kept by idempotency key.
pub type Keys = HashMap<String, Remembered>;

const DAY: i64 = 86_400;

/// An error in the v3 envelope.
pub fn refuse(status: u16, code: &str, message: &str) -> Reply {
    (status, json!({"error": {"code": format!("BITRIX_REST_V3_EXCEPTION_{code}"), "message": message}}), Vec::new())
}

/// Runs a v3 request.
pub fn run(state: &mut State, caller: &Caller, incoming: &Incoming) -> Reply {
    if !tasks::has_chat(state) {
        return refuse(404, "METHODNOTFOUNDEXCEPTION", "Method not found");
    }
    if let Err(error) = auth::may_call(state, caller, &incoming.method, true) {
        return refuse(error.status, "INSUFFICIENTSCOPEEXCEPTION", &error.description);
    }
    if incoming.broken_json || incoming.verb != "POST" {
        return refuse(400, "INVALIDJSONEXCEPTION", "Invalid JSON");
    }
    if incoming.method == "batch" {
        return batch(state, caller, incoming);
    }
    let Some(key) = &incoming.idempotency_key else { return one(state, caller, &incoming.method, &incoming.params) };
    if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return refuse(400, "INVALIDIDEMPOTENCYKEYEXCEPTION", "Invalid idempotency key");
    }
    let now = state.clock.now();
    state.tasks.keys.retain(|_, kept| kept.until > now);
    let name = name(caller, incoming, key);
    let body = Value::Object(incoming.params.0.clone()).to_string();
    if let Some(kept) = state.tasks.keys.get(&name) {
        if kept.body != body {
            return refuse(422, "IDEMPOTENCYKEYREUSEDEXCEPTION", "Idempotency key was used with another request");
        }
        return (200, kept.answer.clone(), vec![("Idempotent-Replayed", "true".into())]);
    }
    let reply = one(state, caller, &incoming.method, &incoming.params);
    if reply.0 == 200 {
        state.tasks.keys.insert(name, Remembered { body, answer: reply.1.clone(), until: now + DAY });
    }
    reply
}

/// Whether the key's answer is kept already.
pub fn is_kept(state: &State, caller: &Caller, incoming: &Incoming) -> bool {
    let now = state.clock.now();
    let key = incoming.idempotency_key.as_deref().unwrap_or_default();
    state.tasks.keys.get(&name(caller, incoming, key)).is_some_and(|kept| kept.until > now)
}

/// The work of a request that began before its twin was answered: both run (facts §3.5).
pub fn run_beside(state: &mut State, caller: &Caller, incoming: &Incoming) {
    let alone = Incoming { idempotency_key: None, ..incoming.clone() };
    let reply = run(state, caller, &alone);
    if let (200, Some(key)) = (reply.0, &incoming.idempotency_key) {
        let until = state.clock.now() + DAY;
        let body = Value::Object(incoming.params.0.clone()).to_string();
        let kept = Remembered { body, answer: reply.1, until };
        state.tasks.keys.entry(name(caller, incoming, key)).or_insert(kept);
    }
}

fn name(caller: &Caller, incoming: &Incoming, key: &str) -> String {
    format!("{}:{}:{key}", caller.user, incoming.method)
}

/// A root array of `{method, query}`; the first error ends it.
fn batch(state: &mut State, caller: &Caller, incoming: &Incoming) -> Reply {
    let Some(list) = incoming
        .body
        .as_array()
        .cloned()
        .or_else(|| Some(crate::portal::php::elements(incoming.params.get("cmd")?).into_iter().cloned().collect()))
    else {
        return refuse(400, "VALIDATION_REQUESTVALIDATIONEXCEPTION", "A list of commands is expected");
    };
    let mut results = Vec::new();
    for command in list {
        let method = command.get("method").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let params = Params::new(command.get("query").or_else(|| command.get("params")).cloned().unwrap_or_default());
        let (status, body, headers) = one(state, caller, &method, &params);
        if status != 200 {
            return (status, body, headers);
        }
        results.push(body.get("result").cloned().unwrap_or_default());
    }
    (200, json!({ "result": results }), Vec::new())
}

fn one(state: &mut State, caller: &Caller, method: &str, params: &Params) -> Reply {
    let actor = Actor { app: caller.app, hops: caller.hops, ..Actor::person(caller.user) };
    let outcome = match method {
        "tasks.task.add" => v3::add(state, &actor, params),
        "tasks.task.get" => v3::get(state, caller.user, params),
        "tasks.task.update" => v3::update(state, &actor, params),
        "tasks.task.delete" => v3::delete(state, &actor, params),
        "tasks.task.file.attach" => v3::attach(state, &actor, params),
        "tasks.task.chat.message.send" => v3::send(state, &actor, params),
        "rest.scope.list" => {
            let scopes: Vec<Value> = state.app.scope.split(',').map(Value::from).collect();
            Ok(json!({ "items": scopes }))
        }
        _ => return refuse(404, "METHODNOTFOUNDEXCEPTION", "Method not found"),
    };
    match outcome {
        Ok(result) => (200, json!({ "result": result }), Vec::new()),
        Err(RestError { status, code, description, extra }) => {
            let (_, mut body, headers) = refuse(status, &code, &description);
            if let (Some(validation), Some(Value::Object(error))) = (extra.get("validation"), body.get_mut("error")) {
                error.insert("validation".into(), validation.clone());
            }
            (status, body, headers)
        }
    }
}
