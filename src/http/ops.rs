//! The operator's listener: `/health/live`, `/health/ready`, `/metrics`. Never reachable from outside (`ops.listen`).

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use crate::store::{Db, Schema};
use crate::telemetry;

#[derive(Clone, Debug)]
pub struct OpsState {
    db: Db,
}

impl OpsState {
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

pub fn configure(cfg: &mut ServiceConfig, state: OpsState) {
    cfg.app_data(web::Data::new(state))
        .route("/health/live", web::get().to(live))
        .route("/health/ready", web::get().to(ready))
        .route("/metrics", web::get().to(metrics));
}

/// The process answers.
async fn live() -> impl Responder {
    "ok"
}

/// Requests and events can be taken: the database answers with this release's schema.
async fn ready(state: web::Data<OpsState>) -> HttpResponse {
    match state.db.schema().await {
        Ok(Schema::Current) if state.db.ping().await.is_ok() => HttpResponse::Ok().body("ok"),
        Ok(_) => HttpResponse::ServiceUnavailable().body("schema"),
        Err(_) => HttpResponse::ServiceUnavailable().body("database"),
    }
}

async fn metrics() -> HttpResponse {
    match telemetry::metrics::recorder() {
        Some(recorder) => {
            recorder.run_upkeep();
            HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(recorder.render())
        }
        None => HttpResponse::ServiceUnavailable().finish(),
    }
}
