//! The operator's listener: `/health/live`, `/health/ready`, `/metrics`. Never reachable from outside (`ops.listen`).

use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use tokio_util::sync::CancellationToken;

use crate::store::{Db, Schema};
use crate::telemetry::{self, Pulse};

/// Who asks for readiness asks again soon: a database that takes longer does not answer.
const DATABASE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct OpsState {
    db: Db,
    workers: Vec<Pulse>,
    stopping: CancellationToken,
}

impl OpsState {
    /// `stopping` is cancelled when the process has begun to end.
    pub fn new(db: Db, workers: Vec<Pulse>, stopping: CancellationToken) -> Self {
        Self { db, workers, stopping }
    }

    /// What keeps this node from its work; `None`: nothing.
    async fn lacks(&self) -> Option<String> {
        if self.stopping.is_cancelled() {
            return Some("stopping".to_owned());
        }
        match tokio::time::timeout(DATABASE_WITHIN, self.db.schema()).await {
            Ok(Ok(Schema::Current)) => {}
            Ok(Ok(Schema::Behind)) => return Some("schema: older than this release, run migrate".to_owned()),
            Ok(Ok(Schema::Newer)) => return Some("schema: newer than this release".to_owned()),
            Ok(Err(_)) | Err(_) => return Some("database: does not answer".to_owned()),
        }
        self.workers.iter().find(|worker| worker.is_still()).map(|worker| format!("{}: stands still", worker.name()))
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

/// Requests and events can be taken and are worked on: the database answers with this release's schema, the workers live.
async fn ready(state: web::Data<OpsState>) -> HttpResponse {
    match state.lacks().await {
        None => HttpResponse::Ok().body("ok"),
        Some(what) => HttpResponse::ServiceUnavailable().body(what),
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
