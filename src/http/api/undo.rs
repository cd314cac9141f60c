//! Our last write of one field of a stay's deal taken back by a person, and the field released to the hotel again.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::attach::{his, stay};
use super::body::Body;
use super::once::{Done, once};
use super::refuse::not_found;
use crate::http::HttpState;
use crate::http::auth::Principal;
use crate::http::problem::Problem;
use crate::sync::pins::PinWish;

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
    // Names of fields are the portal's own words.
    if field.len() > 64 || !field.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') {
        return Err(not_found());
    }
    if let Some(deal) = state.engine.deal_of(who.portal, hotel.id, &number).await? {
        his(&state, &who, deal).await?;
    }
    let (context, portal) = (state.clone(), who.portal);
    let wish = PinWish { field, pinned, by: who.user_id, of: 0 };
    once(&state, &who, &request, &raw, async move {
        context.engine.pin(portal, hotel.id, &number, &wish).await?;
        let stay = format!("{}:{number}", hotel.code);
        Done::new(StatusCode::ACCEPTED, &FieldPin { stay, field: wish.field, pinned })
    })
    .await
}
