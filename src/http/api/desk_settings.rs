//! Settings of the support desk: edited only in the support portal, by its admin or a support manager (product §5).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{At, Invalid, integer};
use super::refuse::conflict;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::support::settings::DeskSettings;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskSettings)]
pub struct SettingsView {
    /// 0: the standard ones, nobody changed any.
    pub version: i64,
    /// Calendar, promises, matrix, queues, customers, templates, consent documents, retention.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// `member_id` of the support portal; empty: every portal is its own. The deployment's, not edited here.
    pub support_portal: String,
    /// `bitrix24`, `kaiten`. The deployment's.
    pub tracker: Vec<String>,
    pub mirror: bool,
    /// The country's calendar, as this release knows it: the desk's own `days` come before it.
    pub public_holidays: PublicHolidays,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicHolidays {
    /// Of any other year nothing is known: its weekdays count.
    pub years: Vec<i32>,
    pub days: Vec<PublicDay>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicDay {
    #[schema(value_type = String, format = Date)]
    pub day: NaiveDate,
    /// Worked by the hours of this weekday (`Mon`); `null`: a day off.
    pub like: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = DeskSettingsInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct SettingsBody {
    /// The version that was changed.
    version: i64,
    #[schema(value_type = Object)]
    settings: Value,
}

const MOST: usize = 1024 * 1024;

async fn view(state: &HttpState, who: &Principal) -> Result<HttpResponse, Problem> {
    let (settings, version) = state.desk.settings(who.portal).await?;
    let settings = serde_json::to_value(settings).map_err(|error| super::refuse::internal(&error))?;
    let support = &state.config.support;
    let holidays = state.desk.holidays();
    let days = holidays.days().map(|own| PublicDay { day: own.day, like: own.like.map(|like| like.to_string()) });
    Ok(HttpResponse::Ok().json(SettingsView {
        version,
        settings,
        support_portal: support.portal.clone(),
        tracker: support.tracker.clone(),
        mirror: support.mirror,
        public_holidays: PublicHolidays { years: holidays.years().collect(), days: days.collect() },
    }))
}

async fn here(state: &HttpState, who: &Principal) -> Result<(), Problem> {
    if state.desk.is_desk(who.portal).await? { Ok(()) } else { Err(conflict("desk_elsewhere")) }
}

/// How the desk works
#[utoipa::path(get, path = "/api/v1/support/settings", tag = "support", operation_id = "getDeskSettings",
    responses((status = 200, body = SettingsView)))]
pub async fn get(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::WorkRequests)?;
    here(&state, &who).await?;
    view(&state, &who).await
}

/// Changes how the desk works: the whole document, after the version that was seen
#[utoipa::path(put, path = "/api/v1/support/settings", tag = "support", operation_id = "putDeskSettings",
    request_body = SettingsBody, responses((status = 200, body = SettingsView)))]
pub async fn put(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageDesk)?;
    here(&state, &who).await?;
    let body = Body::read_up_to(MOST, &request, payload).await?;
    let (version, settings) = body.parse(|body| {
        let version = body.required("version", integer(0, i64::MAX));
        let settings = body.required("settings", |value| Ok::<_, &'static str>(value.clone()));
        // What `GET` shows may come back.
        for shown in ["support_portal", "tracker", "mirror", "public_holidays"] {
            let _ = body.optional(shown, |_| Ok::<_, &'static str>(()));
        }
        Some((version?, settings?))
    })?;
    let settings: DeskSettings = serde_json::from_value(settings).map_err(|error| {
        Problem::field(
            "/settings",
            "desk_settings",
            format!("Не удалось прочитать: {error}"),
            format!("Cannot be read: {error}"),
        )
    })?;
    if let Err(wrong) = state.desk.save_settings(who.portal, version, settings, who.user_id).await? {
        let wrong = wrong.into_iter().take(50);
        let at = |pointer: String| At::Pointer(format!("/settings{pointer}"));
        let wrong: Vec<Invalid> =
            wrong.map(|(pointer, code)| Invalid { at: at(pointer), code, params: vec![] }).collect();
        return Err(wrong.into());
    }
    view(&state, &who).await
}
