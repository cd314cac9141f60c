//! CRM part of the control API, `/_sandbox/portal/…`.
//!
//! | call | does |
//! |---|---|
//! | `GET categories` | pipelines with their stages |
//! | `GET records/{entity}?limit=&offset=&query=&category=` | latest changed first |
//! | `POST records/{entity}` `{user, fields}` | a person adds |
//! | `GET records/{entity}/{id}` | one, with its people, company and timeline |
//! | `POST records/{entity}/{id}` `{user, fields}` | a person edits |
//! | `DELETE records/{entity}/{id}` | a person deletes |

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use super::clock;
use super::control::{Portal, ok, params, query, refuse};
use super::crm::Entity;
use super::crm::cell::Cell;
use super::crm::read::{self, Names, Select};
use super::crm::save::{self, Actor, Dialect};
use super::crm::table::{Row, Table};
use super::error::RestError;

const OWN: Dialect = Dialect { names: Names::Original, import: false };

/// Routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/categories", web::get().to(categories))
        .route("/records/{entity}", web::get().to(list))
        .route("/records/{entity}", web::post().to(add))
        .route("/records/{entity}/{id}", web::get().to(detail))
        .route("/records/{entity}/{id}", web::post().to(edit))
        .route("/records/{entity}/{id}", web::delete().to(delete));
}

async fn categories(portal: Portal) -> HttpResponse {
    let state = portal.shared.lock();
    let stages = &state.crm.stages;
    let list: Vec<Value> = stages
        .categories
        .values()
        .map(|category| {
            let shown: Vec<Value> = stages
                .stages(category.id)
                .into_iter()
                .map(|s| json!({"id": s.status_id, "name": s.name, "color": s.color, "semantics": s.semantics}))
                .collect();
            json!({"id": category.id, "name": category.name, "stages": shown})
        })
        .collect();
    ok(json!(list))
}

fn caption(table: &Table, id: i64, row: &Row) -> String {
    let part = |name: &str| save::get(table, row, name).map(Cell::plain).unwrap_or_default();
    let text = if table.entity == Entity::Contact {
        format!("{} {}", part("name"), part("lastName")).trim().to_owned()
    } else {
        part("title")
    };
    if text.is_empty() { format!("{} #{id}", table.entity.word()) } else { text }
}

fn fields(table: &Table, id: i64, row: &Row) -> Map<String, Value> {
    read::show(table, id, row, Names::Original, &Select::All { multi: true })
}

fn unknown() -> HttpResponse {
    refuse(&RestError::new(404, "NOT_FOUND", "no such record"))
}

async fn list(portal: Portal, entity: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let Some(entity) = Entity::by_name(&entity) else { return unknown() };
    let query = query(&request);
    let number = |name: &str, default: i64| usize::try_from(query.int(name).unwrap_or(default).max(0)).unwrap_or(0);
    let needle = query.text("query").unwrap_or_default().to_lowercase();
    let category = query.int("category");
    let state = portal.shared.lock();
    let table = state.crm.tables.of(entity);
    let number_of = |row: &Row, name: &str| save::get(table, row, name).and_then(Cell::as_int).unwrap_or(0);
    let mut found: Vec<(i64, i64)> = table
        .rows()
        .iter()
        .filter(|(_, row)| category.is_none_or(|category| number_of(row, "categoryId") == category))
        .filter(|(id, row)| {
            needle.is_empty()
                || id.to_string() == needle
                || caption(table, **id, row).to_lowercase().contains(&needle)
                || row.multi.iter().any(|multi| multi.value.to_lowercase().contains(&needle))
        })
        .map(|(id, row)| (number_of(row, "updatedTime"), *id))
        .collect();
    found.sort_unstable_by(|left, right| right.cmp(left));
    let total = found.len();
    let items: Vec<Value> = found
        .into_iter()
        .skip(number("offset", 0))
        .take(number("limit", 50).min(500))
        .filter_map(|(_, id)| {
            let row = table.row(id)?;
            let text = caption(table, id, row);
            Some(json!({"id": id, "title": text, "name": text, "fields": fields(table, id, row)}))
        })
        .collect();
    ok(json!({"total": total, "items": items}))
}

async fn detail(portal: Portal, path: web::Path<(String, i64)>) -> HttpResponse {
    let (name, id) = path.into_inner();
    let Some(entity) = Entity::by_name(&name) else { return unknown() };
    let state = portal.shared.lock();
    let table = state.crm.tables.of(entity);
    let Some(row) = table.row(id) else { return unknown() };
    let named = |entity: Entity, id: i64| {
        let table = state.crm.tables.of(entity);
        table.row(id).map(|row| json!({"id": id, "name": caption(table, id, row)}))
    };
    let ids = |name: &str| -> Vec<i64> {
        save::get(table, row, name)
            .map(|cell| cell.each().iter().filter_map(Cell::as_int).collect())
            .unwrap_or_default()
    };
    let contacts: Vec<Value> = ids("contactIds").into_iter().filter_map(|id| named(Entity::Contact, id)).collect();
    let company = ids("companyId").first().and_then(|id| named(Entity::Company, *id));
    let timeline: Vec<Value> = state
        .crm
        .comments
        .iter()
        .rev()
        .filter(|comment| comment.entity == entity && comment.entity_id == id)
        .map(|comment| json!({"at": clock::iso(comment.at), "text": comment.text, "user": comment.user}))
        .collect();
    ok(json!({
        "id": id, "title": caption(table, id, row), "fields": fields(table, id, row), "contacts": contacts,
        "company": company, "timeline": timeline,
    }))
}

async fn add(portal: Portal, entity: web::Path<String>, body: web::Bytes) -> HttpResponse {
    let Some(entity) = Entity::by_name(&entity) else { return unknown() };
    let params = params(&body);
    let mut state = portal.shared.lock();
    let actor = Actor::person(params.int("user").unwrap_or(state.current_user));
    let result = save::add(&mut state, &actor, entity, &params.map("fields").0, OWN);
    portal.shared.bell.notify_waiters();
    match result {
        Ok(id) => ok(json!({ "id": id })),
        Err(error) => refuse(&error),
    }
}

async fn edit(portal: Portal, path: web::Path<(String, i64)>, body: web::Bytes) -> HttpResponse {
    let (name, id) = path.into_inner();
    let Some(entity) = Entity::by_name(&name) else { return unknown() };
    let params = params(&body);
    let mut state = portal.shared.lock();
    let user = params.int("user").unwrap_or(state.current_user);
    let result = save::check(&state, user, entity, id)
        .and_then(|()| save::update(&mut state, &Actor::person(user), entity, id, &params.map("fields").0, OWN));
    portal.shared.bell.notify_waiters();
    match result {
        Ok(changed) => ok(json!({"id": id, "changed": changed})),
        Err(error) => refuse(&error),
    }
}

async fn delete(portal: Portal, path: web::Path<(String, i64)>) -> HttpResponse {
    let (name, id) = path.into_inner();
    let Some(entity) = Entity::by_name(&name) else { return unknown() };
    let mut state = portal.shared.lock();
    let user = state.current_user;
    let result =
        save::check(&state, user, entity, id).and_then(|()| save::delete(&mut state, &Actor::person(user), entity, id));
    portal.shared.bell.notify_waiters();
    match result {
        Ok(()) => ok(json!({ "id": id })),
        Err(error) => refuse(&error),
    }
}
