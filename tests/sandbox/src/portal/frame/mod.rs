//! The parent of the app's frame: its data, its script, and two bare pages around it (facts §10).
//!
//! `/portal/app?user=2` opens the installer or the main page, `/portal/crm/deal/details/<id>/?user=2` the tab of a deal card
//! (likewise for contacts and companies). `window.portal.commands` lists what the frame said. The script is a module at
//! `/_sandbox/portal/frame.js`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use super::control::{Portal, ok, params, query, refuse};
use super::error::RestError;
use super::lifecycle;
use super::state::State;

/// Pages.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/portal/app", web::get().to(page))
        .route("/portal/app/", web::get().to(page))
        .route("/portal/crm/{tail:.*}", web::get().to(page));
}

/// Part of the control API.
pub fn control(config: &mut web::ServiceConfig) {
    config
        .route("/frame", web::get().to(frame))
        .route("/frame.js", web::get().to(script))
        .route("/frame/command", web::post().to(command));
}

async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(include_str!("page.html"))
}

async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header(("Cache-Control", "no-cache"))
        .body(include_str!("frame.js"))
}

/// Where a frame of this placement goes.
fn target(state: &State, placement: &str) -> Option<String> {
    if placement != "DEFAULT" {
        let bound = |p: &&super::placements::Placement| p.placement == placement;
        return state.placements.bound.iter().find(bound).map(|p| p.handler.clone());
    }
    let base = state.options.app_url.as_ref()?.trim_end_matches('/');
    Some(format!("{base}/bitrix/{}", if state.app.finished { "app" } else { "install" }))
}

/// Why the portal shows a notice instead of the frame.
fn refusal(state: &State, user: i64, placement: &str) -> Option<RestError> {
    let user = state.users.get(&user)?;
    if !state.app.installed {
        return Some(RestError::new(409, "not_installed", "Приложение не установлено."));
    }
    if !state.app.finished && (!user.admin || placement != "DEFAULT") {
        return Some(RestError::new(
            409,
            "not_finished",
            "Приложение установлено не до конца. Обратитесь к администратору.",
        ));
    }
    if state.app.payment_expired {
        return Some(RestError::new(402, "payment_required", "Срок действия подписки истёк."));
    }
    if user.app_hidden && !user.admin && placement != "USERFIELD_TYPE" {
        return Some(RestError::new(403, "access_denied", "У вас нет доступа к этому приложению."));
    }
    None
}

/// `?user=&placement=&options=<JSON>&auth=none`.
async fn frame(portal: Portal, request: HttpRequest) -> HttpResponse {
    let query = query(&request);
    let mut state = portal.shared.lock();
    let user = query.int("user").unwrap_or(state.current_user);
    let placement = query.text("placement").filter(|p| !p.is_empty()).unwrap_or_else(|| "DEFAULT".into());
    let options: Value =
        query.text("options").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| json!([]));
    if let Some(error) = refusal(&state, user, &placement) {
        return refuse(&error);
    }
    let Some(url) = target(&state, &placement) else {
        return refuse(&RestError::new(404, "not_bound", "Приложение не добавило сюда своего окна."));
    };
    let mut form = lifecycle::frame_form(&mut state, user, &placement, &options);
    if query.text("auth").as_deref() == Some("none") {
        form = lifecycle::without_auth(form);
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    let sid = form.field("APP_SID").unwrap_or_default().to_owned();
    let fields: Map<String, Value> = form.body.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let protocol = if state.addresses.tls { "1" } else { "0" };
    let lang = form.field("LANG").unwrap_or("ru").to_owned();
    let origin = url::Url::parse(&url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let admin = state.users.get(&user).is_some_and(|user| user.admin);
    // Placement options reach the frame as an object even when there are none.
    let options = if options.is_object() { options } else { json!({}) };
    ok(json!({
        "url": format!("{url}{joint}{}", form.query_string()), "name": format!("{}|{protocol}|{sid}", state.addresses.domain),
        "fields": fields, "sid": sid, "origin": origin, "user": user, "placement": placement,
        "init": {
            "LANG": lang, "DOMAIN": state.addresses.domain, "PROTOCOL": protocol, "PATH": "/rest",
            "AUTH_ID": form.field("AUTH_ID"), "AUTH_EXPIRES": form.field("AUTH_EXPIRES"),
            "REFRESH_ID": form.field("REFRESH_ID"), "MEMBER_ID": state.member_id,
            "FIRST_RUN": !state.app.run_by.contains(&user), "IS_ADMIN": admin, "INSTALL": !state.app.finished,
            "USER_OPTIONS": state.app.user_options.get(&user).cloned().unwrap_or_default(),
            "APP_OPTIONS": state.app.options, "PLACEMENT": placement, "PLACEMENT_OPTIONS": options,
        },
    }))
}

/// Commands of the frame that change the portal.
async fn command(portal: Portal, body: web::Bytes) -> HttpResponse {
    let params = params(&body);
    let given = params.map("params");
    let mut state = portal.shared.lock();
    let user = params.int("user").unwrap_or(state.current_user);
    let (now, seconds) = (state.clock.now(), state.options.token_seconds);
    let answer = match params.text("command").unwrap_or_default().as_str() {
        "refreshAuth" => {
            let pair = state.tokens.issue(user, now, seconds);
            json!({"AUTH_ID": pair.access, "AUTH_EXPIRES": seconds, "REFRESH_ID": pair.refresh})
        }
        "setInstall" => {
            state.app.run_by.insert(user);
            json!({})
        }
        "setInstallFinish" => match lifecycle::finish(&mut state, user) {
            Ok(()) => json!({"finished": true}),
            Err(error) => return refuse(&error),
        },
        "setUserOption" => {
            let (name, value) =
                (given.text("name").unwrap_or_default(), given.get("value").cloned().unwrap_or_default());
            state.app.user_options.entry(user).or_default().insert(name, value);
            json!({})
        }
        "setAppOption" => {
            if !state.users.get(&user).is_some_and(|user| user.admin) {
                return refuse(&RestError::forbidden("Access denied!"));
            }
            let (name, value) =
                (given.text("name").unwrap_or_default(), given.get("value").cloned().unwrap_or_default());
            state.app.options.insert(name, value);
            json!({})
        }
        "users" => json!(
            state
                .users
                .values()
                .filter(|user| user.active)
                .map(|user| json!({"id": user.id.to_string(), "name": format!("{} {}", user.name, user.last_name)}))
                .collect::<Vec<_>>()
        ),
        _ => return refuse(&RestError::new(404, "NOT_FOUND", "unknown command")),
    };
    portal.shared.bell.notify_waiters();
    ok(answer)
}
