//! How far the app's set-up on the portal came.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::once::{Done, once};
use super::time::at;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::lang::Lang;
use crate::http::problem::Problem;
use crate::http::texts;
use crate::portal::{Installation, InstallationState, StepState};

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Installation)]
pub struct InstallationView {
    #[schema(value_type = String, example = "ready")]
    pub state: InstallationState,
    pub steps: Vec<StepView>,
    pub lacks: Vec<LackView>,
    /// The portal's own word: the installer was finished.
    pub installed: bool,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = InstallationStep)]
pub struct StepView {
    pub code: String,
    #[schema(value_type = String, example = "done")]
    pub state: StepState,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = InstallationLack)]
pub struct LackView {
    pub code: String,
    /// What to do about it, in the caller's language.
    pub hint: String,
    /// What exactly: a scope, a method, a field.
    pub detail: String,
    /// Nothing is set up while this lacks.
    pub blocks: bool,
}

impl InstallationView {
    fn of(installation: &Installation, lang: Lang) -> Self {
        Self {
            state: installation.state,
            steps: installation
                .steps
                .iter()
                .map(|step| StepView { code: step.code.clone(), state: step.state, detail: step.detail.clone() })
                .collect(),
            lacks: installation
                .lacks
                .iter()
                .map(|lack| LackView {
                    code: lack.code.clone(),
                    hint: texts::lack(lang, &lack.code).map_or_else(|| lack.hint.clone(), str::to_owned),
                    detail: lack.hint.clone(),
                    blocks: lack.blocks,
                })
                .collect(),
            installed: installation.installed,
            updated_at: at(installation.updated_at),
        }
    }
}

async fn view(state: &HttpState, who: &Principal) -> Result<InstallationView, Problem> {
    Ok(InstallationView::of(&state.directory.get(who.portal).await?.installation, who.lang))
}

/// The set-up, step by step, and what the portal lacks
#[utoipa::path(get, path = "/api/v1/installation", tag = "installation", operation_id = "getInstallation",
    responses((status = 200, body = InstallationView)))]
pub async fn get(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::Install)?;
    Ok(HttpResponse::Ok().json(view(&state, &who).await?))
}

/// Looks again at what lacked, and makes what is missing
#[utoipa::path(post, path = "/api/v1/installation/retry", tag = "installation", operation_id = "retryInstallation",
    responses((status = 202, body = InstallationView)))]
pub async fn retry(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::Install)?;
    let raw = Body::none(&request, payload).await?;
    let (context, caller) = (state.clone(), who.clone());
    once(&state, &who, &request, &raw, async move {
        context.directory.retry_installation(caller.portal).await?;
        Done::new(StatusCode::ACCEPTED, &view(&context, &caller).await?)
    })
    .await
}

/// Decides that this server, not the other one that works for the portal, does
#[utoipa::path(post, path = "/api/v1/installation/take-over", tag = "installation", operation_id = "takeOver",
    responses((status = 202, body = InstallationView)))]
pub async fn take_over(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::TakeOver)?;
    let raw = Body::none(&request, payload).await?;
    let (context, caller) = (state.clone(), who.clone());
    once(&state, &who, &request, &raw, async move {
        context.directory.take_over(caller.portal).await?;
        Done::new(StatusCode::ACCEPTED, &view(&context, &caller).await?)
    })
    .await
}
