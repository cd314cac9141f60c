//! The mapping in force for the records that are there: its cost first, then the job.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HotelNamed, hotel_of};
use crate::domain::HotelId;
use crate::http::HttpState;
use crate::http::api::body::Body;
use crate::http::api::hotels;
use crate::http::api::input::text;
use crate::http::api::once::{Done, once};
use crate::http::api::page::Query;
use crate::http::api::time::at;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::store::mapping_jobs::Phase;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingApplication {
    /// Stays that would be looked at, and guests and companies with a record.
    pub stays: i64,
    pub people: i64,
    /// Requests to the portal if every one of them differs; what does not differ costs none.
    pub requests_at_most: i64,
    /// `null`: never asked for.
    pub job: Option<MappingJob>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingJob {
    /// Of the mapping that was in force when it began.
    pub version: i64,
    /// `running`, `completed`.
    #[schema(example = "running")]
    pub state: String,
    pub total: i64,
    /// Looked at so far.
    pub done: i64,
    /// The hotel's records on their way to the portal.
    pub waiting: i64,
    pub started_at: DateTime<Utc>,
}

async fn show(state: &HttpState, who: &Principal, hotel: HotelId) -> Result<MappingApplication, Problem> {
    let view = state.engine.remap(who.portal, hotel).await?;
    let over = |phase| phase == Phase::Done && view.waiting == 0;
    Ok(MappingApplication {
        stays: view.stays,
        people: view.people,
        requests_at_most: view.requests,
        job: view.job.map(|job| MappingJob {
            version: job.version,
            state: if over(job.phase) { "completed" } else { "running" }.to_owned(),
            total: job.total.max(job.raised),
            done: job.raised,
            waiting: view.waiting,
            started_at: at(job.started_at),
        }),
    })
}

/// What applying the mapping in force to all records would cost, and how far it came
#[utoipa::path(get, path = "/api/v1/mapping/application", tag = "mapping", operation_id = "getMappingApplication",
    params(("hotel" = String, Query)), responses((status = 200, body = MappingApplication)))]
pub async fn get(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeSettings)?;
    let hotel = hotel_of(&state, &who, &Query::read(&request, &["hotel"])?).await?;
    Ok(HttpResponse::Ok().json(show(&state, &who, hotel.id).await?))
}

/// Applies the mapping in force to the records that are there, behind everything live
#[utoipa::path(post, path = "/api/v1/mapping/application", tag = "mapping", operation_id = "applyMapping",
    request_body = HotelNamed, responses((status = 202, body = MappingApplication)))]
pub async fn begin(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ChangeMapping)?;
    let body = Body::read(&request, payload).await?;
    let code = body.parse(|body| body.required("hotel", text(16)))?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let (context, caller) = (state.clone(), who.clone());
    once(&state, &who, &request, &body.raw, async move {
        context.engine.apply_mapping(caller.portal, hotel.id, caller.user_id).await?;
        Done::new(StatusCode::ACCEPTED, &show(&context, &caller, hotel.id).await?)
    })
    .await
}
