//! Hotels: created, changed, removed. A code is taken for ever (product §1).

pub mod check;
mod input;
mod save;
pub mod view;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use self::input::HotelInput;
use self::view::{HotelBody, HotelView};
use super::body::Body;
use super::once::{Done, once};
use super::page::Page;
use super::refuse::{invalid, not_found};
use crate::domain::HotelCode;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::{Kind, Problem};
use crate::store::hotels::{self, HotelRow};
use crate::store::sources;

/// The hotel of a path, if this principal may know of it: another's, a removed and an unknown one are all 404.
pub async fn find(state: &HttpState, who: &Principal, code: &str) -> Result<HotelRow, Problem> {
    let code = HotelCode::parse(code).map_err(|_| not_found())?;
    if !who.sees_hotel(&code) {
        return Err(not_found());
    }
    hotels::by_code(&state.db, who.portal, &code).await?.ok_or_else(not_found)
}

/// The portal's hotels
#[utoipa::path(get, path = "/api/v1/hotels", tag = "hotels", operation_id = "listHotels",
    responses((status = 200, body = Page<HotelView>)))]
pub async fn list(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let key = state.directory.key(who.portal).await?;
    let hotels = hotels::list(&state.db, who.portal).await?;
    let sources = sources::of_portal(&state.db, who.portal, &key).await?;
    let items = hotels.iter().filter(|hotel| who.sees_hotel(&hotel.code)).map(|hotel| HotelView::of(hotel, &sources));
    Ok(HttpResponse::Ok().json(Page::whole(items.collect())))
}

/// Adds a hotel and starts to read it
///
/// A removed hotel may take its code again; no other may. Where a real hotel holds the code asked for the demo hotel, that
/// takes the next free one (`DEMO-2`, …).
#[utoipa::path(post, path = "/api/v1/hotels", tag = "hotels", operation_id = "createHotel", request_body = HotelBody,
    responses((status = 201, body = HotelView), (status = 409, description = "`hotel-code-taken`")))]
pub async fn create(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageHotels)?;
    if who.hotels.is_some() {
        return Err(Kind::Forbidden.into()); // a key of some hotels cannot add another
    }
    let body = Body::read(&request, payload).await?;
    let (code, mut hotel) = body.parse(|body| {
        let hotel = HotelInput::read(body);
        if hotel.as_ref().is_some_and(|hotel| hotel.code.is_none()) && !body.failed("code") {
            body.reject("code", "required");
        }
        let hotel = hotel?;
        Some((hotel.code.clone()?, hotel))
    })?;
    save::check_addresses(&state, &who, &hotel)?;
    save::check_currency(&state, &who, &mut hotel).await?;
    let portal = who.portal;
    let context = state.clone();
    once(&state, &who, &request, &body.raw, async move {
        let code = save::create(&context, portal, code, &hotel).await?;
        let row = hotels::by_code(&context.db, portal, &code).await?.ok_or_else(not_found)?;
        Ok(Done::new(StatusCode::CREATED, &show(&context, &row).await?)?.at(format!("/api/v1/hotels/{code}")))
    })
    .await
}

async fn show(state: &HttpState, hotel: &HotelRow) -> Result<HotelView, Problem> {
    let key = state.directory.key(hotel.portal).await?;
    let sources = sources::of_hotel(&state.db, hotel.portal, &key, hotel.id).await?;
    Ok(HotelView::of(hotel, &sources))
}

/// One hotel
#[utoipa::path(get, path = "/api/v1/hotels/{code}", tag = "hotels", operation_id = "getHotel",
    params(("code" = String, Path)), responses((status = 200, body = HotelView)))]
pub async fn get(state: Data<HttpState>, who: Principal, code: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let hotel = find(&state, &who, &code).await?;
    Ok(HttpResponse::Ok().json(show(&state, &hotel).await?))
}

/// Changes a hotel; its sources become those of the body
#[utoipa::path(put, path = "/api/v1/hotels/{code}", tag = "hotels", operation_id = "putHotel",
    params(("code" = String, Path)), request_body = HotelBody, responses((status = 200, body = HotelView)))]
pub async fn put(
    state: Data<HttpState>,
    who: Principal,
    code: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageHotels)?;
    let hotel = find(&state, &who, &code).await?;
    let body = Body::read(&request, payload).await?;
    let mut input = body.parse(HotelInput::read)?;
    if input.code.as_ref().is_some_and(|code| *code != hotel.code) {
        return Err(invalid("/code", "immutable"));
    }
    save::check_addresses(&state, &who, &input)?;
    save::check_currency(&state, &who, &mut input).await?;
    save::change(&state, &hotel, &input).await?;
    let hotel = find(&state, &who, &code).await?;
    Ok(HttpResponse::Ok().json(show(&state, &hotel).await?))
}

/// Stops a hotel's sources; CRM records and links stay, and so does the code's tombstone
///
/// The demo hotel goes with its records: those that we made and nobody edited or shares are deleted soon after, the rest
/// is listed among the problems (`demo.kept`).
#[utoipa::path(delete, path = "/api/v1/hotels/{code}", tag = "hotels", operation_id = "deleteHotel",
    params(("code" = String, Path)), responses((status = 204)))]
pub async fn delete(state: Data<HttpState>, who: Principal, code: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageHotels)?;
    let hotel = find(&state, &who, &code).await?;
    save::remove(&state, &hotel).await?;
    Ok(HttpResponse::NoContent().finish())
}
