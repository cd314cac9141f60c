//! `/bitrix/events`: every event of every portal. Answered fast: a slow handler gets its events late (facts §6.3).

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::{HttpState, peer};
use crate::bitrix::{Class, PortalEvent};
use crate::portal::{PortalError, PortalStatus, is_about_the_app};
use crate::sync::CrmEvent;

const MOST: usize = 256 * 1024;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/bitrix/events")
            .app_data(web::PayloadConfig::new(MOST))
            .route(web::post().to(take))
            .route(web::get().to(alive))
            .route(web::head().to(alive)),
    );
}

/// The vendor cabinet asks whether the address answers (facts §1.2).
async fn alive() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn plain(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status).finish()
}

async fn take(state: web::Data<HttpState>, req: HttpRequest, body: Bytes) -> HttpResponse {
    let event = match PortalEvent::parse(&body) {
        Ok(event) => event,
        Err(error) => {
            tracing::debug!(%error, "an event cannot be read");
            return plain(StatusCode::BAD_REQUEST);
        }
    };
    let done = if is_about_the_app(&event.event) {
        state.directory.app_event(&event, peer::of(&req, &state.config.http.trusted_proxies)).await
    } else {
        hint(&state, &event).await
    };
    match done {
        Ok(()) => plain(StatusCode::OK),
        Err(error) => refusal(&event, &error),
    }
}

/// A change of a record: on disk before it is acknowledged, its tokens dropped.
async fn hint(state: &HttpState, event: &PortalEvent) -> Result<(), PortalError> {
    let admitted = state.directory.admit(event).await?;
    let working = matches!(
        admitted.status,
        PortalStatus::Ensuring | PortalStatus::Active | PortalStatus::NeedsAuth | PortalStatus::Suspended
    );
    if !working {
        return Ok(());
    }
    if event.is_of_queue() {
        return Ok(state.engine.queue_waits(admitted.portal).await?);
    }
    if let Some(task) = event.task() {
        return state.desk.task_may_have_changed(admitted.portal, task).await.map_err(PortalError::Store);
    }
    let Some(crm) = event.crm() else { return Ok(()) };
    let hint = CrmEvent {
        event: event.event.clone(),
        entity: crm.entity_type_id,
        crm_id: crm.id,
        ts: event.ts.unwrap_or_default(),
    };
    Ok(state.events.accept(admitted.portal, hint).await?)
}

fn refusal(event: &PortalEvent, error: &PortalError) -> HttpResponse {
    let status = match error {
        PortalError::Unverified(_) | PortalError::NotAdmin | PortalError::Unknown => StatusCode::FORBIDDEN,
        PortalError::Bitrix(error) if !matches!(error.class, Class::Retry { .. }) => StatusCode::FORBIDDEN,
        PortalError::NotCallable(_) => StatusCode::OK,
        PortalError::TooMany => StatusCode::TOO_MANY_REQUESTS,
        PortalError::Store(_) | PortalError::Unreachable(_) | PortalError::Untrusted(_) | PortalError::Bitrix(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        PortalError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::error!(event = event.event, %error, "an event could not be taken");
    } else {
        tracing::info!(event = event.event, %error, "an event was not let in");
    }
    plain(status)
}
