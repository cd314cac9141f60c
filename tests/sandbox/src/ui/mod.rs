//! Pages of the sandbox: a start page, the portal's look, the hotel's desk. Plain files, no build step.
//!
//! The portal's listener calls [`portal_pages`], the hotel's [`hotel_pages`]. The pages speak to
//! `/_sandbox/portal/…` and `/_sandbox/hotel/…`; where the other half lives they learn from `/_sandbox/links`.
//!
//! What the portal's pages ask of its control interface (all same origin, JSON):
//!
//! | call | answer |
//! |---|---|
//! | `GET /_sandbox/portal/state` | `{domain, member_id, lang, app: {url, title, installed, finished, version, scope}, users: [{id, name, admin}], placements: [{id, placement, handler, title}], counts: {deal, contact, company}, changed}`; `changed` grows with every write |
//! | `GET /_sandbox/portal/categories` | `[{id, name, stages: [{id, name, color, semantics}]}]` |
//! | `GET /_sandbox/portal/records/{deal,contact,company}?limit=&offset=&query=&category=` | `{total, items: [{id, title or name, fields: {…crm.item names…}}]}`, the latest changed first |
//! | `GET /_sandbox/portal/records/{entity}/{id}` | `{id, fields, contacts: [{id, name}], company: {id, name}, timeline: [{at, text}]}` |
//! | `POST /_sandbox/portal/records/{entity}/{id}` `{user, fields}` | a person's edit; `DELETE` deletes as a person |
//! | `POST /_sandbox/portal/app/install` | takes the app from the Market: from now on the installer frame may be opened |
//! | `POST /_sandbox/portal/app/uninstall` `{clean}` | removes it, sends the event |
//! | `GET /_sandbox/portal/frame?user=&placement=&options=<JSON>` | `{url, name, fields: {…}}`: where the form goes, the frame's name, its hidden fields |
//! | `GET /_sandbox/portal/frame.js` | module: `openFrame(container, {user, placement, options, onCommand(name, params)})` builds the iframe, posts the form, speaks the parent's side of the protocol; returns `{close()}`; `setInstallFinish`, `openPath`, `openApplication`, `closeApplication`, `setTitle` come to `onCommand` |

use std::sync::OnceLock;

use actix_web::{HttpResponse, web};
use serde::Serialize;

/// What the pages must know about their neighbours. Only the binary sets it.
#[derive(Debug, Clone, Serialize)]
pub struct Links {
    /// Base address of the application under test.
    pub app: String,
    /// Start page of the portal.
    pub portal: String,
    /// The hotel's desk.
    pub hotel: String,
    /// What is typed into the hotel's settings: address of the interface, user, password, vendor.
    pub interface: Interface,
    /// Where the application says how it is (readiness), asked by the sandbox, not by the page.
    #[serde(skip)]
    pub ready: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Interface {
    pub hotel_code: String,
    pub hotel_name: String,
    pub url: String,
    pub username: String,
    pub password: String,
    pub vendor: String,
    pub timezone: String,
    pub currency: String,
}

static LINKS: OnceLock<Links> = OnceLock::new();

/// Tells the pages of this process who their neighbours are; the first call counts.
pub fn set_links(links: Links) {
    // A second call would come from a second sandbox in one process, which has no pages.
    let _ = LINKS.set(links);
}

macro_rules! assets {
    ($($name:literal => $kind:literal),* $(,)?) => {
        fn asset(name: &str) -> Option<(&'static str, &'static str)> {
            match name {
                $($name => Some(($kind, include_str!(concat!("assets/", $name)))),)*
                _ => None,
            }
        }
    };
}

assets! {
    "base.css" => "text/css; charset=utf-8",
    "start.css" => "text/css; charset=utf-8",
    "portal.css" => "text/css; charset=utf-8",
    "desk.css" => "text/css; charset=utf-8",
    "common.js" => "text/javascript; charset=utf-8",
    "start.js" => "text/javascript; charset=utf-8",
    "portal.js" => "text/javascript; charset=utf-8",
    "tasks.js" => "text/javascript; charset=utf-8",
    "desk.js" => "text/javascript; charset=utf-8",
    "start.html" => "text/html; charset=utf-8",
    "portal.html" => "text/html; charset=utf-8",
    "desk.html" => "text/html; charset=utf-8",
    "icon.svg" => "image/svg+xml",
}

fn file(name: &str) -> HttpResponse {
    match asset(name) {
        Some((kind, body)) => HttpResponse::Ok()
            .content_type(kind)
            .insert_header(("Cache-Control", "no-cache"))
            .insert_header(("X-Content-Type-Options", "nosniff"))
            .body(body),
        None => HttpResponse::NotFound().finish(),
    }
}

async fn links() -> HttpResponse {
    HttpResponse::Ok().json(LINKS.get())
}

/// Whether the application says it is ready; `null` where none was started.
async fn app() -> HttpResponse {
    let Some(links) = LINKS.get() else { return HttpResponse::Ok().json(serde_json::Value::Null) };
    let client = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(2)).build();
    let ready = match client {
        Ok(client) => client.get(&links.ready).send().await.is_ok_and(|answer| answer.status().is_success()),
        Err(_) => false,
    };
    HttpResponse::Ok().json(serde_json::json!({"ready": ready}))
}

fn assets_and_links(cfg: &mut web::ServiceConfig) {
    let by_name = |name: web::Path<String>| async move { file(&name) };
    cfg.route("/_sandbox/ui/{name}", web::get().to(by_name))
        .route("/_sandbox/links", web::get().to(links))
        .route("/_sandbox/app", web::get().to(app))
        .route("/favicon.ico", web::get().to(|| async { file("icon.svg") }));
}

/// Start page at `/`; the portal's own look at `/crm/…`, `/marketplace/…`, `/company/…`, `/workgroups/…`.
pub fn portal_pages(cfg: &mut web::ServiceConfig) {
    assets_and_links(cfg);
    cfg.route("/", web::get().to(|| async { file("start.html") }));
    for path in ["/crm/{tail:.*}", "/marketplace/{tail:.*}", "/company/{tail:.*}", "/workgroups/{tail:.*}"] {
        cfg.route(path, web::get().to(|| async { file("portal.html") }));
    }
}

/// The hotel's desk at `/`.
pub fn hotel_pages(cfg: &mut web::ServiceConfig) {
    assets_and_links(cfg);
    cfg.route("/", web::get().to(|| async { file("desk.html") }));
}
