//! A stay and its deal, joined and parted by people (product §2.14).

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{Object, boolean, integer};
use super::once::{Done, once};
use super::refuse::{invalid, not_found};
use crate::domain::{HotelCode, StayNumber};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, reads_deal_himself, require};
use crate::http::problem::{Kind, Problem};
use crate::store::hotels::{self, HotelRow};
use crate::sync::attach::Binding;

/// One of both: a deal that is there, or a new one for a stay that was taken off its deal.
#[derive(ToSchema)]
#[schema(as = AttachInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct AttachBody {
    /// The caller's own token must be able to read it.
    #[schema(minimum = 1)]
    deal_id: Option<i64>,
    new: Option<bool>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Attached {
    /// `<hotel>:<number>`
    #[schema(example = "GRAND:50117")]
    pub stay: String,
    /// `null`: none, or one that is yet to be made.
    pub deal_id: Option<i64>,
}

fn read(body: &mut Object) -> Option<(Option<i64>, bool)> {
    let deal = body.optional("deal_id", integer(1, i64::from(i32::MAX)));
    let new = body.optional("new", boolean).unwrap_or_default();
    Some((deal, new))
}

/// The stay that the path names, for somebody who may join and part.
pub(super) async fn stay(state: &HttpState, who: &Principal, name: &str) -> Result<(HotelRow, StayNumber), Problem> {
    require(who, Right::Attach)?;
    let (code, number) = name.split_once(':').ok_or_else(not_found)?;
    let code = HotelCode::parse(code).ok().filter(|code| who.sees_hotel(code)).ok_or_else(not_found)?;
    let number = StayNumber::parse(number).map_err(|_| not_found())?;
    let hotel = hotels::by_code(&state.db, who.portal, &code).await?.ok_or_else(not_found)?;
    state.engine.stay(who.portal, &code, &number).await?.ok_or_else(not_found)?;
    Ok((hotel, number))
}

pub(super) async fn his(state: &HttpState, who: &Principal, deal: i64) -> Result<(), Problem> {
    if reads_deal_himself(state, who, deal).await? { Ok(()) } else { Err(Kind::Forbidden.into()) }
}

/// Attaches a deal to a stay, or lets a stay without a deal have a new one
#[utoipa::path(post, path = "/api/v1/stays/{stay}/attach", tag = "stays", operation_id = "attachStay",
    params(("stay" = String, Path, description = "`<hotel>:<number>`", example = "GRAND:50117")),
    request_body = AttachBody, responses((status = 202, body = Attached)))]
pub async fn attach(
    state: Data<HttpState>,
    who: Principal,
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotel, number) = stay(&state, &who, &name).await?;
    let body = Body::read(&request, payload).await?;
    let binding = match body.parse(read)? {
        (Some(deal), false) => Binding::Attach { deal },
        (None, true) => Binding::New,
        _ => return Err(invalid("/deal_id", "attach_one")),
    };
    if let Binding::Attach { deal } = binding {
        his(&state, &who, deal).await?;
    }
    bind(state, who, request, body.raw, (hotel, number), binding).await
}

/// Takes a stay off its deal: the deal keeps its content, and the stay gets no other one by itself
#[utoipa::path(post, path = "/api/v1/stays/{stay}/detach", tag = "stays", operation_id = "detachStay",
    params(("stay" = String, Path, description = "`<hotel>:<number>`", example = "GRAND:50117")),
    responses((status = 202, body = Attached)))]
pub async fn detach(
    state: Data<HttpState>,
    who: Principal,
    name: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotel, number) = stay(&state, &who, &name).await?;
    let raw = Body::none(&request, payload).await?;
    if let Some(deal) = state.engine.deal_of(who.portal, hotel.id, &number).await? {
        his(&state, &who, deal).await?;
    }
    bind(state, who, request, raw, (hotel, number), Binding::Detach).await
}

async fn bind(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    raw: Bytes,
    (hotel, number): (HotelRow, StayNumber),
    binding: Binding,
) -> Result<HttpResponse, Problem> {
    let (context, portal) = (state.clone(), who.portal);
    once(&state, &who, &request, &raw, async move {
        context.engine.bind(portal, &hotel, &number, binding).await?;
        let deal_id = if let Binding::Attach { deal } = binding { Some(deal) } else { None };
        Done::new(StatusCode::ACCEPTED, &Attached { stay: format!("{}:{number}", hotel.code), deal_id })
    })
    .await
}
