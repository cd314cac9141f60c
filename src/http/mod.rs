//! Routes: frames, events, sessions, the API, problems, assets. No rules live here.

pub mod api;
pub mod assets;
pub mod auth;
mod authority;
pub mod boot;
pub mod events;
pub mod frames;
mod kind;
pub mod lang;
pub mod ops;
mod peer;
pub mod problem;
pub mod session;
mod support_pages;
pub mod texts;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};

use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::net::Guard;
use crate::portal::Directory;
use crate::store::Db;
use crate::support::Desk;
use crate::sync::{Engine, EventIntake, SourceFactory};

pub use auth::{Principal, PrincipalKind, Right, require};
pub use lang::Lang;
pub use problem::{Kind, Problem};

/// What handlers work with.
#[derive(Clone)]
pub struct HttpState {
    pub config: Arc<Config>,
    pub directory: Directory,
    pub db: Db,
    pub keyring: Arc<Keyring>,
    pub clock: Clock,
    pub events: EventIntake,
    pub engine: Engine,
    pub desk: Desk,
    /// Makes a way into a hotel, for the connection check.
    pub sources: SourceFactory,
    /// What `pms.allow_private` lets through.
    pub pms_guard: Arc<Guard>,
}

/// Every route of the application listener.
pub fn configure(cfg: &mut ServiceConfig, state: HttpState) {
    cfg.app_data(web::Data::new(state))
        .configure(frames::routes)
        .configure(events::routes)
        .route("/bitrix/robots/{code}", web::post().to(no_robot))
        .route("/app/{path:.*}", web::get().to(assets::serve))
        .route("/app/{path:.*}", web::head().to(assets::serve))
        .service(api::public_routes())
        .service(api::routes());
}

/// Robots come with a later release; the address says so instead of looking broken.
async fn no_robot() -> Result<HttpResponse, Problem> {
    Err(Kind::NotFound.into())
}
