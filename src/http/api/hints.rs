//! People who may be one and the same: to be merged by hand.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Page, Query};
use super::time::at;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::{Kind, Problem};
use crate::sync::views::MergeHintView;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MergeHint {
    pub id: i64,
    pub subject: String,
    /// Bitrix24's entity type: 3 contact, 4 company.
    pub entity: i32,
    pub crm_ids: Vec<i64>,
    /// Stable code.
    pub reason: String,
    pub created_at: DateTime<Utc>,
}

/// People to merge
#[utoipa::path(get, path = "/api/v1/merge-hints", tag = "problems", operation_id = "listMergeHints",
    params(("after" = Option<String>, Query), ("limit" = Option<i64>, Query, minimum = 1, maximum = 200)),
    responses((status = 200, body = Page<MergeHint>)))]
pub async fn list(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeProblems)?;
    if who.hotels.is_some() {
        return Err(Kind::Forbidden.into()); // people are the portal's, not a hotel's
    }
    let query = Query::read(&request, &["after", "limit"])?;
    let page = state.engine.merge_hints(who.portal, query.get("after"), query.limit()?).await?;
    let item = |view: MergeHintView| MergeHint {
        id: view.id,
        subject: view.subject,
        entity: view.entity,
        crm_ids: view.crm_ids,
        reason: view.reason,
        created_at: at(view.created_at),
    };
    Ok(HttpResponse::Ok().json(Page { items: page.items.into_iter().map(item).collect(), next: page.next }))
}
