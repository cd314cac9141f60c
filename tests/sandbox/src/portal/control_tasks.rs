//! Tasks in the control API, `/_sandbox/portal/…`.
//!
//! | call | does |
//! |---|---|
//! | `GET tasks` | all, the newest first |
//! | `GET tasks/{id}` | one, with what was said |
//! | `POST tasks/{id}` `{user, fields}` | a person edits |
//! | `POST tasks/{id}/{start,pause,defer,complete,renew,approve,disapprove}` `{user}` | a person presses a button |
//! | `POST tasks/{id}/say` `{user, text}` | a person writes |
//! | `DELETE tasks/{id}?user=` | a person deletes |

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::control::{Portal, ok, params, query, refuse};
use super::crm::save::Actor;
use super::error::{RestError, RestResult};
use super::php::Params;
use super::state::State;
use super::tasks::{self, Step, talk};

/// Routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/tasks", web::get().to(list))
        .route("/tasks/{id}", web::get().to(detail))
        .route("/tasks/{id}", web::post().to(edit))
        .route("/tasks/{id}", web::delete().to(delete))
        .route("/tasks/{id}/{step}", web::post().to(step));
}

fn shown(state: &State, id: i64) -> Option<Value> {
    let fields = state.tasks.items.get(&id)?;
    let said: Vec<_> = state.tasks.talk.iter().filter(|said| said.task == id).collect();
    Some(json!({"id": id, "fields": fields, "said": said}))
}

fn missing() -> HttpResponse {
    refuse(&RestError::new(404, "NOT_FOUND", "no such task"))
}

async fn list(portal: Portal) -> HttpResponse {
    let state = portal.shared.lock();
    let all: Vec<_> = state.tasks.items.iter().rev().map(|(id, fields)| json!({"id": id, "fields": fields})).collect();
    ok(json!({ "items": all }))
}

async fn detail(portal: Portal, id: web::Path<i64>) -> HttpResponse {
    shown(&portal.shared.lock(), *id).map_or_else(missing, ok)
}

fn act(
    portal: &Portal,
    id: i64,
    given: &Params,
    work: impl FnOnce(&mut State, &Actor) -> RestResult<()>,
) -> HttpResponse {
    let mut state = portal.shared.lock();
    let user = given.int("user").unwrap_or(state.current_user);
    let done = work(&mut state, &Actor::person(user));
    portal.shared.bell.notify_waiters();
    match done {
        Ok(()) => ok(shown(&state, id).unwrap_or(Value::Null)),
        Err(error) => refuse(&error),
    }
}

async fn edit(portal: Portal, id: web::Path<i64>, body: web::Bytes) -> HttpResponse {
    let given = params(&body);
    let fields = given.map("fields").0;
    act(&portal, *id, &given, |state, actor| tasks::edit(state, actor, *id, fields))
}

async fn delete(portal: Portal, id: web::Path<i64>, request: HttpRequest) -> HttpResponse {
    act(&portal, *id, &query(&request), |state, actor| tasks::delete(state, actor, *id))
}

async fn step(portal: Portal, path: web::Path<(i64, String)>, body: web::Bytes) -> HttpResponse {
    let (id, step) = path.into_inner();
    let given = params(&body);
    if step == "say" {
        let text = given.text("text").unwrap_or_default();
        return act(&portal, id, &given, |state, actor| {
            talk::say(state, actor, actor.user, id, &text);
            Ok(())
        });
    }
    match Step::parse(&step) {
        Some(step) => act(&portal, id, &given, |state, actor| tasks::step(state, actor, id, step)),
        None => missing(),
    }
}
