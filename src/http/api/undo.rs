//! Our last write of one field of a record taken back by a person, and the field released to the hotel again.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::attach::{his, stay};
use super::body::Body;
use super::once::{Done, once};
use super::provenance::{COMPANY, CONTACT, record_id};
use super::refuse::not_found;
use crate::bitrix::crm::Entity;
use crate::domain::CrmEntity;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, reads_himself, require};
use crate::http::problem::{Kind, Problem};
use crate::sync::pins::PinWish;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecordPin {
    #[schema(example = "UF_CRM_FB24_VIP")]
    pub field: String,
    /// The field is people's until it is released.
    pub pinned: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldPin {
    /// `<hotel>:<number>`
    #[schema(example = "GRAND:50117")]
    pub stay: String,
    #[schema(example = "UF_CRM_FB24_ROOM")]
    pub field: String,
    /// The field is people's until it is released.
    pub pinned: bool,
}

/// Takes our last write of a field of the deal back
///
/// What stood there before is written again, and the field of this deal is people's until it is released.
#[utoipa::path(post, path = "/api/v1/stays/{stay}/fields/{field}/undo", tag = "stays", operation_id = "undoField",
    params(("stay" = String, Path, description = "`<hotel>:<number>`", example = "GRAND:50117"),
        ("field" = String, Path, example = "UF_CRM_FB24_ROOM")),
    responses((status = 202, body = FieldPin), (status = 409, description = "`undo_nothing`, `undo_together`, `stay_without_deal`")))]
pub async fn undo(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    pin(state, who, path.into_inner(), true, request, payload).await
}

/// Gives a field of the deal back to the hotel
#[utoipa::path(post, path = "/api/v1/stays/{stay}/fields/{field}/release", tag = "stays", operation_id = "releaseField",
    params(("stay" = String, Path, description = "`<hotel>:<number>`", example = "GRAND:50117"),
        ("field" = String, Path, example = "UF_CRM_FB24_ROOM")),
    responses((status = 202, body = FieldPin)))]
pub async fn release(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    pin(state, who, path.into_inner(), false, request, payload).await
}

async fn pin(
    state: Data<HttpState>,
    who: Principal,
    (name, field): (String, String),
    pinned: bool,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotel, number) = stay(&state, &who, &name).await?;
    let raw = Body::none(&request, payload).await?;
    if !is_field(&field) {
        return Err(not_found());
    }
    if let Some(deal) = state.engine.deal_of(who.portal, hotel.id, &number).await? {
        his(&state, &who, deal).await?;
    }
    let (context, portal) = (state.clone(), who.portal);
    let wish = PinWish::new(field, pinned, who.user_id);
    once(&state, &who, &request, &raw, async move {
        context.engine.pin(portal, hotel.id, &number, &wish).await?;
        let stay = format!("{}:{number}", hotel.code);
        Done::new(StatusCode::ACCEPTED, &FieldPin { stay, field: wish.field, pinned })
    })
    .await
}

/// Names of fields are the portal's own words.
fn is_field(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

/// Takes our last write of a field of the contact back
///
/// What stood there before is written again, and the field of this contact is people's until it is released.
#[utoipa::path(post, path = "/api/v1/contacts/{id}/fields/{field}/undo", tag = "stays", operation_id = "undoFieldOfContact",
    params(("id" = i64, Path), ("field" = String, Path, example = "UF_CRM_FB24_VIP")),
    responses((status = 202, body = RecordPin), (status = 409, description = "`undo_nothing`")))]
pub async fn of_contact(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    pin_of(state, who, (CONTACT, true), path.into_inner(), request, payload).await
}

/// Gives a field of the contact back to the hotel
#[utoipa::path(post, path = "/api/v1/contacts/{id}/fields/{field}/release", tag = "stays", operation_id = "releaseFieldOfContact",
    params(("id" = i64, Path), ("field" = String, Path, example = "UF_CRM_FB24_VIP")),
    responses((status = 202, body = RecordPin)))]
pub async fn release_contact(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    pin_of(state, who, (CONTACT, false), path.into_inner(), request, payload).await
}

/// Takes our last write of a field of the company back
///
/// What stood there before is written again, and the field of this company is people's until it is released.
#[utoipa::path(post, path = "/api/v1/companies/{id}/fields/{field}/undo", tag = "stays", operation_id = "undoFieldOfCompany",
    params(("id" = i64, Path), ("field" = String, Path, example = "title")),
    responses((status = 202, body = RecordPin), (status = 409, description = "`undo_nothing`")))]
pub async fn of_company(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    pin_of(state, who, (COMPANY, true), path.into_inner(), request, payload).await
}

/// Gives a field of the company back to the hotel
#[utoipa::path(post, path = "/api/v1/companies/{id}/fields/{field}/release", tag = "stays", operation_id = "releaseFieldOfCompany",
    params(("id" = i64, Path), ("field" = String, Path, example = "title")),
    responses((status = 202, body = RecordPin)))]
pub async fn release_company(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    pin_of(state, who, (COMPANY, false), path.into_inner(), request, payload).await
}

async fn pin_of(
    state: Data<HttpState>,
    who: Principal,
    ((entity, wire), pinned): ((CrmEntity, Entity), bool),
    (id, field): (String, String),
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::Attach)?;
    let id = record_id(&id)?;
    let raw = Body::none(&request, payload).await?;
    if !is_field(&field) {
        return Err(not_found());
    }
    if !reads_himself(&state, &who, wire, &[id]).await?.contains(&id) {
        return Err(Kind::Forbidden.into());
    }
    let context = state.clone();
    let (portal, hotels) = (who.portal, who.hotels.clone());
    let wish = PinWish::new(field, pinned, who.user_id);
    once(&state, &who, &request, &raw, async move {
        let done = context.engine.pin_of_record(portal, (entity, id), hotels.as_deref(), &wish).await?;
        done.ok_or_else(|| not_found().with_code("no_guest"))?;
        Done::new(StatusCode::ACCEPTED, &RecordPin { field: wish.field, pinned })
    })
    .await
}
