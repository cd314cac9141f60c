//! JSON control API under `/_sandbox/portal/…` for the pages, for browser tests and for people with `curl`.
//!
//! | call | does |
//! |---|---|
//! | `GET state` | who and what is there |
//! | `GET categories`, `records/…` | CRM, see [`super::control_crm`] |
//! | `GET tasks`, `tasks/…` | tasks, see [`super::control_tasks`] |
//! | `POST user` `{id}` | whom the pages show |
//! | `POST app/{install,finish,uninstall,update,payment}` | life of the installation |
//! | `GET requests?limit=`, `GET events`, `GET limits`, `GET notices`, `GET app/options` | what was seen |
//! | `GET/POST/DELETE faults` | `{method, when: before\|after_commit\|commit_later, seconds?, answer: drop\|html\|error\|slow\|…, status?, code?, times?, skip?, bearing?}` |
//! | `POST options` | `{edition?, multifields?, import_right?, import_dates_refused?, token_seconds?, currencies?, lang?, scope?, string_ids?, task_card?, latency_ms?}` |
//! | `POST clock` | `{advance_seconds}` |
//! | `POST delivering` | `{paused?, duplicates?, shuffled?, tokenless?, lost?, records_lost?}` |
//! | `POST tokens` | `{action: expire\|revoke}` |
//! | `POST limits` | `{action: exhaust}` |

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::crm::Entity;
use super::error::RestError;
use super::faults::{Fault, FaultAnswer, FaultWhen};
use super::lifecycle;
use super::options::{Edition, MultifieldMode, TaskCard};
use super::php::{self, Params};
use super::rest::late;
use super::server::Server;

pub(super) type Portal = web::Data<Server>;

/// Routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/_sandbox/portal")
            .configure(super::control_crm::configure)
            .configure(super::control_tasks::configure)
            .configure(super::frame::control)
            .route("/state", web::get().to(state))
            .route("/user", web::post().to(user))
            .route("/app/options", web::get().to(app_options))
            .route("/app/{step}", web::post().to(app))
            .route("/requests", web::get().to(requests))
            .route("/events", web::get().to(events))
            .route("/notices", web::get().to(notices))
            .route("/limits", web::get().to(limits))
            .route("/limits", web::post().to(set_limits))
            .route("/faults", web::get().to(faults))
            .route("/faults", web::post().to(add_fault))
            .route("/faults", web::delete().to(clear_faults))
            .route("/options", web::post().to(options))
            .route("/clock", web::post().to(clock))
            .route("/delivering", web::post().to(delivering))
            .route("/tokens", web::post().to(tokens)),
    );
}

pub(super) fn ok(body: Value) -> HttpResponse {
    HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(body)
}

pub(super) fn refuse(error: &RestError) -> HttpResponse {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status).json(json!({"error": error.code, "message": error.description}))
}

pub(super) fn params(body: &web::Bytes) -> Params {
    Params::new(serde_json::from_slice(body).unwrap_or_default())
}

pub(super) fn query(request: &actix_web::HttpRequest) -> Params {
    Params::new(php::parse_form(request.query_string()))
}

async fn state(portal: Portal) -> HttpResponse {
    let state = portal.shared.lock();
    let count = |entity| state.crm.tables.of(entity).rows().len();
    ok(json!({
        "domain": state.addresses.domain, "oauth": state.addresses.oauth_domain, "member_id": state.member_id,
        "lang": state.options.lang, "user": state.current_user,
        "app": {
            "url": state.options.app_url, "title": "Fidelio Suite 8", "installed": state.app.installed,
            "finished": state.app.finished, "version": state.app.version, "payment_expired": state.app.payment_expired,
            "scope": state.app.scope,
        },
        "users": state.users.values().map(|user| json!({
            "id": user.id, "name": format!("{} {}", user.name, user.last_name), "admin": user.admin,
            "extranet": user.extranet, "active": user.active,
        })).collect::<Vec<_>>(),
        "placements": state.placements.bound, "bindings": state.events.bindings,
        "counts": {"deal": count(Entity::Deal), "contact": count(Entity::Contact), "company": count(Entity::Company)},
        "changed": state.crm.changes, "requests": state.log.count(), "events_sent": state.events.sent_count,
        "events_waiting": state.events.waiting.len() + state.events.flying, "now": super::clock::iso(state.clock.now()),
    }))
}

async fn user(portal: Portal, body: web::Bytes) -> HttpResponse {
    let mut state = portal.shared.lock();
    match params(&body).int("id").filter(|id| state.users.contains_key(id)) {
        Some(id) => {
            state.current_user = id;
            ok(json!({ "id": id }))
        }
        None => refuse(&RestError::new(404, "NOT_FOUND", "no such user")),
    }
}

async fn app_options(portal: Portal) -> HttpResponse {
    ok(Value::Object(portal.shared.lock().app.options.clone()))
}

async fn app(portal: Portal, step: web::Path<String>, body: web::Bytes) -> HttpResponse {
    let params = params(&body);
    let mut state = portal.shared.lock();
    let user = params.int("user").unwrap_or(state.current_user);
    match step.as_str() {
        "install" => lifecycle::begin(&mut state, true),
        "install_script" => {
            let base = state.options.app_url.clone().unwrap_or_default();
            let handler = params.text("handler").unwrap_or_else(|| format!("{base}/bitrix/events"));
            lifecycle::install_script(&mut state, user, &handler);
        }
        "finish" => {
            if let Err(error) = lifecycle::finish(&mut state, user) {
                return refuse(&error);
            }
        }
        "uninstall" => lifecycle::uninstall(&mut state, params.flag("clean")),
        "update" => lifecycle::update(&mut state, user, !params.flag("script_only")),
        "payment" => lifecycle::payment(&mut state, params.flag("paid"), params.int("days").unwrap_or(0)),
        _ => return refuse(&RestError::new(404, "NOT_FOUND", "no such step")),
    }
    portal.shared.bell.notify_waiters();
    ok(json!({"installed": state.app.installed, "finished": state.app.finished, "version": state.app.version}))
}

async fn requests(portal: Portal, request: actix_web::HttpRequest) -> HttpResponse {
    let limit = usize::try_from(query(&request).int("limit").unwrap_or(100).max(0)).unwrap_or(100);
    let state = portal.shared.lock();
    ok(json!({"total": state.log.count(), "items": state.log.newest(limit)}))
}

async fn events(portal: Portal) -> HttpResponse {
    let state = portal.shared.lock();
    let sent: Vec<_> = state.events.sent.iter().rev().take(200).collect();
    ok(json!({"total": state.events.sent_count, "items": sent}))
}

async fn notices(portal: Portal) -> HttpResponse {
    ok(json!({"items": portal.shared.lock().notices}))
}

async fn limits(portal: Portal) -> HttpResponse {
    ok(json!(portal.shared.lock().limits.counts))
}

async fn set_limits(portal: Portal, request: actix_web::HttpRequest) -> HttpResponse {
    let mut state = portal.shared.lock();
    let now = state.clock.now_ms();
    if let Some(peer) = request.peer_addr() {
        state.limits.fill(peer.ip(), 250.0, now);
    }
    ok(json!(state.limits.counts))
}

async fn faults(portal: Portal) -> HttpResponse {
    let state = portal.shared.lock();
    let pending: Vec<Value> = state
        .faults
        .pending()
        .iter()
        .map(|fault| json!({"method": fault.method, "times": fault.times, "skip": fault.skip, "when": format!("{:?}", fault.when), "answer": format!("{:?}", fault.answer)}))
        .collect();
    ok(json!({"items": pending, "struck": state.faults.struck}))
}

async fn add_fault(portal: Portal, body: web::Bytes) -> HttpResponse {
    let params = params(&body);
    let seconds = Duration::from_secs(u64::try_from(params.int("seconds").unwrap_or(30)).unwrap_or(30));
    let status = params.int("status").and_then(|status| u16::try_from(status).ok());
    let count = |name: &str, default: u32| params.int(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    let when = match params.text("when").as_deref() {
        Some("after_commit") => FaultWhen::AfterCommit,
        Some("commit_later") => FaultWhen::CommitLater(seconds),
        _ => FaultWhen::Before,
    };
    let answer = match params.text("answer").as_deref() {
        Some("html") => FaultAnswer::Html(status.unwrap_or(500)),
        Some("error") => FaultAnswer::Error {
            status: status.unwrap_or(400),
            code: params.text("code").unwrap_or_else(|| "ERROR_CORE".into()),
            description: params.text("description").unwrap_or_else(|| "Injected".into()),
        },
        Some("slow") => FaultAnswer::Slow(seconds),
        Some("hang") => FaultAnswer::Hang(seconds),
        Some("empty") => FaultAnswer::Empty,
        Some("truncated") => FaultAnswer::Truncated,
        Some("redirect") => FaultAnswer::Redirect(params.text("location").unwrap_or_default()),
        _ => FaultAnswer::Drop,
    };
    let method = params.text("method").unwrap_or_else(|| "*".into()).to_ascii_lowercase();
    portal.shared.lock().faults.push(Fault {
        method,
        skip: count("skip", 0),
        times: count("times", 1),
        when,
        answer,
        bearing: params.text("bearing"),
    });
    ok(json!({"planned": true}))
}

async fn clear_faults(portal: Portal) -> HttpResponse {
    portal.shared.lock().faults.clear();
    ok(json!({"planned": false}))
}

async fn options(portal: Portal, body: web::Bytes) -> HttpResponse {
    let params = params(&body);
    let mut state = portal.shared.lock();
    if let Some(edition) = params.text("edition") {
        state.options.edition = match edition.as_str() {
            "enterprise" => Edition::Enterprise,
            "box" => Edition::Box,
            "free" => Edition::Free,
            _ => Edition::Cloud,
        };
    }
    if let Some(mode) = params.text("multifields") {
        state.options.multifields = if mode == "add_only" { MultifieldMode::AddOnly } else { MultifieldMode::Keyed };
    }
    if params.get("import_right").is_some() {
        state.options.import_right = params.flag("import_right");
    }
    if params.get("import_dates_refused").is_some() {
        state.options.import_dates_refused = params.flag("import_dates_refused");
    }
    if let Some(card) = params.text("task_card") {
        state.options.task_card = Some(if card == "comments" { TaskCard::Comments } else { TaskCard::Chat });
    }
    if params.get("string_ids").is_some() {
        state.options.string_ids = params.flag("string_ids");
    }
    if let Some(seconds) = params.int("token_seconds") {
        state.options.token_seconds = seconds;
    }
    if let Some(lang) = params.text("lang") {
        state.users.values_mut().for_each(|user| user.lang.clone_from(&lang));
        state.options.lang = lang;
    }
    if let Some(scope) = params.text("scope") {
        state.app.scope = scope;
    }
    if let Some(url) = params.text("app_url") {
        state.options.app_url = Some(url);
    }
    if let Some(list) = params.get("currencies") {
        state.options.currencies = php::elements(list).into_iter().filter_map(php::text).collect();
    }
    if let Some(ms) = params.int("latency_ms") {
        state.options.cost.latency_per_request = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    }
    ok(json!({"edition": format!("{:?}", state.options.edition), "scope": state.app.scope}))
}

async fn clock(portal: Portal, body: web::Bytes) -> HttpResponse {
    let seconds = params(&body).int("advance_seconds").unwrap_or(0);
    portal.shared.lock().clock.advance(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    late::settle(&portal.shared, false);
    portal.shared.bell.notify_waiters();
    ok(json!({"now": super::clock::iso(portal.shared.lock().clock.now())}))
}

async fn delivering(portal: Portal, body: web::Bytes) -> HttpResponse {
    let params = params(&body);
    let mut state = portal.shared.lock();
    let delivering = &mut state.events.delivering;
    for (name, flag) in [
        ("paused", &mut delivering.paused),
        ("shuffled", &mut delivering.shuffled),
        ("tokenless", &mut delivering.tokenless),
        ("lost", &mut delivering.lost),
        ("records_lost", &mut delivering.records_lost),
    ] {
        if params.get(name).is_some() {
            *flag = params.flag(name);
        }
    }
    if let Some(copies) = params.int("duplicates") {
        delivering.duplicates = u32::try_from(copies).unwrap_or(0);
    }
    portal.shared.bell.notify_waiters();
    ok(json!({"paused": state.events.delivering.paused}))
}

async fn tokens(portal: Portal, body: web::Bytes) -> HttpResponse {
    let mut state = portal.shared.lock();
    let now = state.clock.now();
    match params(&body).text("action").as_deref() {
        Some("revoke") => state.tokens.revoke_all(),
        _ => state.tokens.expire_all(now),
    }
    ok(json!({"refresh_tokens": state.tokens.refresh_count()}))
}
