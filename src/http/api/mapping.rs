//! The mapping as data: which facts of a hotel go to which fields of which record. Its editor comes with a later release.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::Query;
use super::stays::narrowed;
use crate::domain::{HotelId, Mapping};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::store::mappings;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingVersion {
    /// `null`: what holds for every hotel that has no mapping of its own.
    pub hotel: Option<String>,
    /// 0: the standard mapping of this release.
    pub version: i64,
    #[schema(value_type = Object)]
    pub mapping: Mapping,
}

/// The mapping in force
#[utoipa::path(get, path = "/api/v1/mapping", tag = "mapping", operation_id = "getMapping",
    params(("hotel" = Option<String>, Query)), responses((status = 200, body = MappingVersion)))]
pub async fn get(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let query = Query::read(&request, &["hotel"])?;
    let hotel = narrowed(&state, &who, &query).await?;
    let (version, mapping) = mappings::active(&state.db, who.portal, hotel.unwrap_or(HotelId(0))).await?;
    let hotel = query.get("hotel").filter(|_| hotel.is_some()).map(str::to_owned);
    Ok(HttpResponse::Ok().json(MappingVersion { hotel, version, mapping }))
}
