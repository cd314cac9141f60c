//! First imports of a hotel (product §2.9).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::hotels;
use super::input::{Object, boolean, date};
use super::once::{Done, once};
use super::page::Page;
use super::refuse::not_found;
use super::time::at;
use crate::domain::HotelCode;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::lang::Lang;
use crate::http::problem::Problem;
use crate::http::texts;
use crate::store::hotels as rows;
use crate::sync::imports::{Count, Estimate, ImportState, ImportView};

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Import {
    pub id: String,
    pub hotel: String,
    #[schema(value_type = String, example = "running")]
    pub state: ImportState,
    pub dry_run: bool,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub created_at: DateTime<Utc>,
    /// `null` until counted.
    pub estimate: Option<ImportEstimate>,
    pub progress: ImportProgress,
    pub rate_per_second: f64,
    pub eta_seconds: Option<i64>,
    /// Why it failed: a stable code.
    pub failure: Option<String>,
    /// The same as a sentence in the caller's language.
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ImportEstimate {
    pub stays: i64,
    pub guests: i64,
    pub companies: i64,
    /// Requests to the portal.
    pub requests: i64,
    pub seconds: i64,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ImportProgress {
    pub stays: ImportCount,
    pub guests: ImportCount,
    pub companies: ImportCount,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ImportCount {
    pub done: i64,
    pub total: i64,
    pub rejected: i64,
}

/// Dates are arrivals. Left out: from 30 days back, to all that is booked.
#[derive(ToSchema)]
#[schema(as = ImportInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct ImportBody {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    /// Counts and estimates only.
    dry_run: Option<bool>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImportStarted {
    pub id: String,
    /// Always `null` here: `GET` has it as soon as counted.
    pub estimate: Option<ImportEstimate>,
}

impl Import {
    fn of(view: ImportView, hotel: &HotelCode, lang: Lang) -> Self {
        let count = |count: Count| ImportCount { done: count.done, total: count.total, rejected: count.rejected };
        let estimate = |e: Estimate| ImportEstimate {
            stays: e.stays,
            guests: e.guests,
            companies: e.companies,
            requests: e.requests,
            seconds: e.seconds,
        };
        Self {
            id: view.id,
            hotel: hotel.to_string(),
            state: view.state,
            dry_run: view.dry_run,
            from: view.from,
            to: view.to,
            created_at: at(view.created_at),
            estimate: view.estimate.map(estimate),
            progress: ImportProgress {
                stays: count(view.progress.stays),
                guests: count(view.progress.guests),
                companies: count(view.progress.companies),
            },
            rate_per_second: view.rate_per_second,
            eta_seconds: view.eta_seconds,
            detail: Some(view.failure.as_str()).filter(|code| !code.is_empty()).map(|code| texts::health(lang, code)),
            failure: Some(view.failure).filter(|failure| !failure.is_empty()),
        }
    }
}

fn read(body: &mut Object) -> Option<(Option<NaiveDate>, Option<NaiveDate>, bool)> {
    let (from, to) = (body.optional("from", date), body.optional("to", date));
    let dry_run = body.optional("dry_run", boolean).unwrap_or_default();
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        body.reject("to", "date_order");
    }
    Some((from, to, dry_run))
}

/// Imports of a hotel, the latest first
#[utoipa::path(get, path = "/api/v1/hotels/{code}/imports", tag = "imports", operation_id = "listImports",
    params(("code" = String, Path)), responses((status = 200, body = Page<Import>)))]
pub async fn of_hotel(state: Data<HttpState>, who: Principal, code: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let views = state.engine.imports(who.portal, Some(hotel.id)).await?;
    Ok(HttpResponse::Ok()
        .json(Page::whole(views.into_iter().map(|view| Import::of(view, &hotel.code, who.lang)).collect())))
}

/// Starts an import, or with `dry_run` its estimate
#[utoipa::path(post, path = "/api/v1/hotels/{code}/imports", tag = "imports", operation_id = "createImport",
    params(("code" = String, Path)), request_body = ImportBody, responses((status = 202, body = ImportStarted)))]
pub async fn create(
    state: Data<HttpState>,
    who: Principal,
    code: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::RunImport)?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let body = Body::read(&request, payload).await?;
    let (from, to, dry_run) = body.parse(read)?;
    let (context, portal, user) = (state.clone(), who.portal, who.user_id);
    once(&state, &who, &request, &body.raw, async move {
        let id = context.engine.create_import(portal, hotel.id, from, to, dry_run, user).await?;
        context.engine.wake();
        let location = format!("/api/v1/imports/{id}");
        Ok(Done::new(StatusCode::ACCEPTED, &ImportStarted { id, estimate: None })?.at(location))
    })
    .await
}

/// One import of a hotel within reach; any other is not found.
async fn find(state: &HttpState, who: &Principal, id: &str) -> Result<Import, Problem> {
    let view = state.engine.import(who.portal, id).await?.ok_or_else(not_found)?;
    let hotel = rows::by_id(&state.db, who.portal, view.hotel).await?.ok_or_else(not_found)?;
    if who.sees_hotel(&hotel.code) { Ok(Import::of(view, &hotel.code, who.lang)) } else { Err(not_found()) }
}

/// How far an import came
#[utoipa::path(get, path = "/api/v1/imports/{id}", tag = "imports", operation_id = "getImport",
    params(("id" = String, Path)), responses((status = 200, body = Import)))]
pub async fn get(state: Data<HttpState>, who: Principal, id: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    Ok(HttpResponse::Ok().json(find(&state, &who, &id).await?))
}

#[derive(Clone, Copy)]
enum Order {
    Pause,
    Resume,
    Cancel,
}

async fn order(
    state: Data<HttpState>,
    who: Principal,
    id: String,
    request: HttpRequest,
    payload: Payload,
    order: Order,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::RunImport)?;
    find(&state, &who, &id).await?;
    let raw = Body::none(&request, payload).await?;
    let (context, caller) = (state.clone(), who.clone());
    once(&state, &who, &request, &raw, async move {
        match order {
            Order::Pause => context.engine.pause_import(caller.portal, &id).await?,
            Order::Resume => context.engine.resume_import(caller.portal, &id).await?,
            Order::Cancel => context.engine.cancel_import(caller.portal, &id).await?,
        }
        context.engine.wake();
        Done::new(StatusCode::OK, &find(&context, &caller, &id).await?)
    })
    .await
}

/// Pauses an import
#[utoipa::path(post, path = "/api/v1/imports/{id}/pause", tag = "imports", operation_id = "pauseImport",
    params(("id" = String, Path)), responses((status = 200, body = Import)))]
pub async fn pause(
    state: Data<HttpState>,
    who: Principal,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    order(state, who, id.into_inner(), request, payload, Order::Pause).await
}

/// Goes on with a paused import
#[utoipa::path(post, path = "/api/v1/imports/{id}/resume", tag = "imports", operation_id = "resumeImport",
    params(("id" = String, Path)), responses((status = 200, body = Import)))]
pub async fn resume(
    state: Data<HttpState>,
    who: Principal,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    order(state, who, id.into_inner(), request, payload, Order::Resume).await
}

/// Reads no more; what was read before still arrives
#[utoipa::path(post, path = "/api/v1/imports/{id}/cancel", tag = "imports", operation_id = "cancelImport",
    params(("id" = String, Path)), responses((status = 200, body = Import)))]
pub async fn cancel(
    state: Data<HttpState>,
    who: Principal,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    order(state, who, id.into_inner(), request, payload, Order::Cancel).await
}
