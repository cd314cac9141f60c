//! The mapping as data: which facts of a hotel go to which fields of which record. Saved, switched on and applied to what
//! is there already are three steps, so that nothing changes by a save.

pub mod apply;
pub mod fields;
pub mod preview;
mod read;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::hotels;
use super::input::{At, integer, text};
use super::once::{Done, once};
use super::page::{Page, Query};
use super::refuse::{conflict, invalid_at, not_found};
use super::stays::narrowed;
use super::time::at;
use crate::domain::{CrmSchema, HotelId, Mapping};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::store::crm_schemas;
use crate::store::hotels::HotelRow;
use crate::store::mappings::{self, VersionRow};

/// Versions shown of a hotel; older ones stay and are reached by their number.
const VERSIONS_SHOWN: i64 = 100;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingVersion {
    /// `null`: what holds for every hotel that has no mapping of its own.
    pub hotel: Option<String>,
    /// 0: the standard mapping of this release.
    pub version: i64,
    /// The number of the newest version: a save says which one it knew.
    pub latest: i64,
    /// The hotel's records are written by this version.
    pub active: bool,
    #[schema(value_type = Object)]
    pub mapping: Mapping,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingVersionLine {
    pub version: i64,
    pub active: bool,
    /// The portal user; `null`: an integrator's key, or this release.
    pub made_by: Option<i64>,
    /// `null`: it came with the release.
    pub created_at: Option<DateTime<Utc>>,
}

#[derive(ToSchema)]
#[schema(as = MappingInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct MappingBody {
    /// `latest` of the answer that was edited.
    latest: i64,
    #[schema(value_type = Object)]
    mapping: serde_json::Value,
}

#[derive(ToSchema)]
#[schema(as = MappingOfHotel)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct HotelNamed {
    hotel: String,
}

/// The hotel that a change is for.
async fn hotel_of(state: &HttpState, who: &Principal, query: &Query) -> Result<HotelRow, Problem> {
    let code = query.get("hotel").ok_or_else(|| invalid_at(At::Parameter("hotel".into()), "required"))?;
    hotels::find(state, who, code).await
}

/// What the portal has for a mapping to name, and the pipeline of stays.
async fn portal_of(state: &HttpState, who: &Principal) -> Result<(CrmSchema, i64), Problem> {
    let schema = crm_schemas::load(&state.db, who.portal).await?.map(|(schema, _)| schema);
    let pipeline = state.directory.settings(who.portal).await?.pipeline.map(|pipeline| pipeline.category_id);
    schema.zip(pipeline).ok_or_else(|| conflict("schema_unread"))
}

/// The mapping in force, or with `version` another one
#[utoipa::path(get, path = "/api/v1/mapping", tag = "mapping", operation_id = "getMapping",
    params(("hotel" = Option<String>, Query), ("version" = Option<i64>, Query, minimum = 0)),
    responses((status = 200, body = MappingVersion)))]
pub async fn get(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let query = Query::read(&request, &["hotel", "version"])?;
    let wanted = query.parsed("version", "integer", |text| text.parse::<i64>().ok())?;
    let id = narrowed(&state, &who, &query).await?;
    let hotel = query.get("hotel").filter(|_| id.is_some()).map(str::to_owned);
    let id = id.unwrap_or(HotelId(0));
    let latest = mappings::latest(&state.db, who.portal, id).await?;
    let active = mappings::active(&state.db, who.portal, id).await?;
    let (version, mapping) = match wanted {
        Some(version) if version != active.version => {
            let found = mappings::version(&state.db, who.portal, id, version).await?;
            (version, found.ok_or_else(not_found)?)
        }
        _ => (active.version, active.mapping),
    };
    Ok(HttpResponse::Ok().json(MappingVersion { hotel, version, latest, active: version == active.version, mapping }))
}

/// Saves a new version, which is not in force yet
///
/// It is checked against the portal's own fields and stages.
#[utoipa::path(put, path = "/api/v1/mapping", tag = "mapping", operation_id = "putMapping",
    params(("hotel" = String, Query)), request_body = MappingBody,
    responses((status = 200, body = MappingVersion),
        (status = 409, description = "`mapping_changed`: another version was saved meanwhile; `schema_unread`")))]
pub async fn put(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ChangeMapping)?;
    let query = Query::read(&request, &["hotel"])?;
    let hotel = hotel_of(&state, &who, &query).await?;
    let (latest, mapping) = Body::read_up_to(read::BODY, &request, payload).await?.parse(|body| {
        let latest = body.required("latest", integer(0, i64::MAX));
        let mapping = body.object("mapping", read::document);
        // What `GET` shows may come back.
        for shown in ["hotel", "version", "active"] {
            let _ = body.optional(shown, |_| Ok::<_, &'static str>(()));
        }
        Some((latest?, mapping?))
    })?;
    misfits(&state, &who, &mapping).await?;
    let (now, by) = (state.clock.now_ms(), who.user_id);
    if !mappings::add(&state.db, who.portal, hotel.id, latest, &mapping, by, now).await? {
        return Err(conflict("mapping_changed"));
    }
    let latest = latest.saturating_add(1);
    let hotel = Some(hotel.code.to_string());
    Ok(HttpResponse::Ok().json(MappingVersion { hotel, version: latest, latest, active: false, mapping }))
}

/// Refuses what does not fit the portal.
async fn misfits(state: &HttpState, who: &Principal, mapping: &Mapping) -> Result<(), Problem> {
    let (schema, category) = portal_of(state, who).await?;
    let wrong = read::misfits(mapping, &schema, category, "/mapping");
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Versions of a hotel's mapping, the newest first; the standard one is the last
#[utoipa::path(get, path = "/api/v1/mapping/versions", tag = "mapping", operation_id = "listMappingVersions",
    params(("hotel" = String, Query)), responses((status = 200, body = Page<MappingVersionLine>)))]
pub async fn versions(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let hotel = hotel_of(&state, &who, &Query::read(&request, &["hotel"])?).await?;
    let rows = mappings::versions(&state.db, who.portal, hotel.id, VERSIONS_SHOWN).await?;
    let standard = MappingVersionLine {
        version: 0,
        active: mappings::active(&state.db, who.portal, hotel.id).await?.version == 0,
        made_by: None,
        created_at: None,
    };
    let line = |row: &VersionRow| MappingVersionLine {
        version: row.version,
        active: row.active,
        made_by: Some(row.made_by).filter(|user| *user > 0),
        created_at: Some(at(row.created_at)),
    };
    Ok(HttpResponse::Ok().json(Page::whole(rows.iter().map(line).chain([standard]).collect())))
}

/// Writes by this version from now on, a newer or an older one
///
/// Records that are there follow as their stays and guests change, or at once with `applyMapping`.
#[utoipa::path(post, path = "/api/v1/mapping/versions/{version}/activate", tag = "mapping",
    operation_id = "activateMapping", params(("version" = i64, Path)), request_body = HotelNamed,
    responses((status = 200, body = MappingVersion)))]
pub async fn activate(
    state: Data<HttpState>,
    who: Principal,
    version: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ChangeMapping)?;
    let version: i64 = version.parse().map_err(|_| not_found())?;
    let body = Body::read(&request, payload).await?;
    let code = body.parse(|body| body.required("hotel", text(16)))?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let mapping = mappings::version(&state.db, who.portal, hotel.id, version).await?.ok_or_else(not_found)?;
    // The portal's fields may have changed since it was saved.
    misfits(&state, &who, &mapping).await?;
    let (context, portal) = (state.clone(), who.portal);
    once(&state, &who, &request, &body.raw, async move {
        let tx = context.db.begin().await?;
        mappings::activate(&tx, portal, hotel.id, version).await?;
        tx.commit().await?;
        context.engine.wake();
        let latest = mappings::latest(&context.db, portal, hotel.id).await?;
        let hotel = Some(hotel.code.to_string());
        Done::new(StatusCode::OK, &MappingVersion { hotel, version, latest, active: true, mapping })
    })
    .await
}
