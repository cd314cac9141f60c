//! People who may be one and the same: to be merged by hand, or told apart for good.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{integer, list as list_of};
use super::once::{Done, once};
use super::page::{Page, Query};
use super::refuse::not_found;
use super::time::at;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::{Kind, Problem};
use crate::sync::hints::{Alike, MergeHintView};

/// A record was made for a guest or company although others look like it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MergeHint {
    pub id: i64,
    /// `contact` or `company`.
    #[schema(value_type = String, example = "contact")]
    pub entity: &'static str,
    pub hotel: String,
    pub profile: String,
    /// As the hotel writes it.
    pub name: String,
    /// The record of this very profile; `null` while it is on its way.
    pub crm_id: Option<i64>,
    /// Records that look like it.
    pub alike: Vec<AlikeRecord>,
    /// `other_name`: the phone or e-mail is the same, the name is not; `several`: more than one record fits alike.
    #[schema(example = "other_name")]
    pub reason: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlikeRecord {
    pub crm_id: i64,
    /// The hotel's name of whom it stands for; `null`: for nobody of a hotel's.
    pub name: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MergeHintState {
    pub id: i64,
    #[schema(example = "dismissed")]
    pub state: String,
}

impl MergeHint {
    pub fn of(view: MergeHintView) -> Self {
        let alike = |one: Alike| AlikeRecord { crm_id: one.crm_id, name: one.name };
        Self {
            id: view.id,
            entity: view.entity.word(),
            hotel: view.hotel.to_string(),
            profile: view.profile.to_string(),
            name: view.name,
            crm_id: view.crm_id,
            alike: view.alike.into_iter().map(alike).collect(),
            reason: view.reason,
            created_at: at(view.created_at),
        }
    }
}

/// How many records one hint names at most.
const ALIKE: usize = 1_000;

#[derive(ToSchema)]
#[schema(as = DismissMergeHintInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct DismissBody {
    /// `crm_id` of all records of `alike` as they were shown; where the hint names others by now, nothing is said of them.
    alike: Vec<i64>,
}

/// People are the portal's, not a hotel's.
pub(super) fn whole(who: &Principal) -> Result<(), Problem> {
    if who.hotels.is_some() { Err(Kind::Forbidden.into()) } else { Ok(()) }
}

/// People to merge
#[utoipa::path(get, path = "/api/v1/merge-hints", tag = "problems", operation_id = "listMergeHints",
    params(("after" = Option<String>, Query), ("limit" = Option<i64>, Query, minimum = 1, maximum = 200)),
    responses((status = 200, body = Page<MergeHint>)))]
pub async fn list(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeProblems)?;
    whole(&who)?;
    let query = Query::read(&request, &["after", "limit"])?;
    let page = state.engine.merge_hints(who.portal, query.get("after"), query.limit()?).await?;
    let items = page.items.into_iter().map(MergeHint::of).collect();
    Ok(HttpResponse::Ok().json(Page { items, next: page.next }))
}

/// These are different people: it is never hinted again, and the one is never taken for the other
#[utoipa::path(post, path = "/api/v1/merge-hints/{id}/dismiss", tag = "problems", operation_id = "dismissMergeHint",
    params(("id" = i64, Path)), request_body = DismissBody, responses((status = 200, body = MergeHintState)))]
pub async fn dismiss(
    state: Data<HttpState>,
    who: Principal,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::HandleProblems)?;
    whole(&who)?;
    let id = id.parse::<i64>().map_err(|_| not_found())?;
    let body = Body::read(&request, payload).await?;
    let seen = body.parse(|body| body.required("alike", list_of(ALIKE, integer(1, i64::from(i32::MAX)))))?;
    let seen: BTreeSet<i64> = seen.into_iter().collect();
    let (context, portal) = (state.clone(), who.portal);
    once(&state, &who, &request, &body.raw, async move {
        context.engine.dismiss_hint(portal, id, &seen).await?;
        Done::new(StatusCode::OK, &MergeHintState { id, state: "dismissed".into() })
    })
    .await
}
