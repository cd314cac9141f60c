//! The portal's request log (facts §11.2), masked.

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
use crate::store::request_log::{self, LogFilter, LogRow};

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LogItem {
    pub id: i64,
    pub at: DateTime<Utc>,
    /// The REST method; a batch carries its own in `detail`.
    pub method: String,
    /// HTTP status; 0 where there was no answer.
    pub status: u16,
    /// `ok`, `refused`, `limited`, `no_answer` …
    pub outcome: String,
    pub ms: i64,
    /// Masked: no tokens, no guests' data.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

impl LogItem {
    fn of(row: LogRow) -> Self {
        Self {
            id: row.id,
            at: at(row.entry.at),
            method: row.entry.method,
            status: row.entry.status,
            outcome: row.entry.outcome,
            ms: row.entry.ms,
            detail: row.entry.detail,
        }
    }
}

/// Requests to the portal, the latest first
#[utoipa::path(get, path = "/api/v1/log", tag = "log", operation_id = "listLog",
    params(("method" = Option<String>, Query), ("outcome" = Option<String>, Query), ("after" = Option<String>, Query), ("limit" = Option<i64>, Query, minimum = 1, maximum = 200)),
    responses((status = 200, body = Page<LogItem>)))]
pub async fn list(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeLog)?;
    if who.hotels.is_some() {
        return Err(Kind::Forbidden.into()); // requests are the portal's, not a hotel's
    }
    let query = Query::read(&request, &["method", "outcome", "after", "limit"])?;
    let before = query.parsed("after", "cursor", |text| text.parse::<i64>().ok())?;
    let limit = u32::try_from(query.limit()?).unwrap_or(50);
    let only =
        LogFilter { method: query.get("method").map(str::to_owned), outcome: query.get("outcome").map(str::to_owned) };
    let rows = request_log::filtered(&state.db, &state.keyring, who.portal, &only, before, limit).await?;
    let full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next = rows.last().filter(|_| full).map(|row| row.id.to_string());
    Ok(HttpResponse::Ok().json(Page { items: rows.into_iter().map(LogItem::of).collect(), next }))
}
