//! The deal tab: the stay behind a deal.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::refuse::not_found;
use super::stays::{self, StayDetails};
use crate::bitrix::crm::Entity;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, may_read, require};
use crate::http::problem::{Kind, Problem};

/// The stay of a deal, to whom the portal lets read the deal
#[utoipa::path(get, path = "/api/v1/deals/{id}/stay", tag = "stays", operation_id = "getStayOfDeal",
    params(("id" = i64, Path)), responses((status = 200, body = StayDetails)))]
pub async fn stay(state: Data<HttpState>, who: Principal, id: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Known)?;
    let deal = id.parse::<i64>().ok().filter(|id| *id > 0).ok_or_else(not_found)?;
    if !may_read(&state, &who, Entity::Deal, deal).await? {
        return Err(Kind::Forbidden.into());
    }
    let view = state.engine.stay_by_deal(who.portal, deal).await?.filter(|view| who.sees_hotel(&view.hotel_code));
    let view = view.ok_or_else(|| not_found().with_code("no_stay"))?;
    stays::show(&state, &who, &view).await
}
