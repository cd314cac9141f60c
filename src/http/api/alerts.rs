//! Who is told when something goes wrong, and what is wrong now (product §6).

use std::collections::BTreeSet;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{At, Bad, Invalid, Object, boolean, integer, list};
use super::time::at;
use crate::domain::HotelId;
use crate::domain::alert::{AlertSettings, QuietHours};
use crate::http::HttpState;
use crate::http::auth::{Principal, PrincipalKind, Right, require};
use crate::http::problem::Problem;
use crate::mail;
use crate::store::{alerts, hotels};

const MOST_EMAILS: usize = 20;
const MOST_USERS: usize = 50;
/// As a clock shows it.
const TIME: &str = "%H:%M";

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Alerts {
    /// Told by mail.
    pub emails: Vec<String>,
    /// Told by a notice in the portal; empty: whoever installed the app.
    pub user_ids: Vec<i64>,
    /// Nobody is told anything then, by the hotel's own clock. What is over by their end is not told at all.
    pub quiet_hours: Option<QuietHoursView>,
    /// Whether this server sends mail. Where it does not, a lost access can reach nobody.
    pub mail: bool,
    /// What is wrong now.
    pub open: Vec<OpenAlert>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = QuietHours)]
pub struct QuietHoursView {
    #[schema(example = "22:00")]
    pub from: String,
    #[schema(example = "08:00")]
    pub to: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenAlert {
    /// `link_down`, `clock_off`, `queue_stuck`, `drift`, `token_lost`, `payment_ending`, `events_lost`, `import_failed`,
    /// `unreconciled`.
    pub kind: String,
    /// `null`: the portal as a whole.
    pub hotel: Option<String>,
    pub since: DateTime<Utc>,
    /// `null`: nobody yet, because it may pass by itself or the hours are quiet.
    pub told_at: Option<DateTime<Utc>>,
}

/// Members left out stay as they are.
#[derive(ToSchema)]
#[schema(as = AlertsInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct AlertsBody {
    #[schema(max_items = 20)]
    emails: Option<Vec<String>>,
    #[schema(max_items = 50)]
    user_ids: Option<Vec<i64>>,
    /// `null`: at any hour.
    quiet_hours: Option<QuietHoursView>,
}

#[derive(Debug, Default)]
struct Input {
    emails: Option<Vec<String>>,
    user_ids: Option<Vec<i64>>,
    quiet_hours: Option<Option<QuietHours>>,
}

fn email(value: &Value) -> Result<String, Bad> {
    let text = value.as_str().map(str::trim).filter(|text| text.len() <= 254).ok_or("email")?;
    mail::address(text).map(|address| address.to_string()).ok_or_else(|| "email".into())
}

fn time(value: &Value) -> Result<NaiveTime, Bad> {
    let text = value.as_str().filter(|text| text.len() == 5).ok_or("time_of_day")?;
    NaiveTime::parse_from_str(text, TIME).map_err(|_| "time_of_day".into())
}

fn quiet(hours: &mut Object) -> Option<QuietHours> {
    let (from, to) = (hours.required("from", time), hours.required("to", time));
    Some(QuietHours { from: from?, to: to? })
}

fn read(body: &mut Object) -> Option<Input> {
    let emails = body.optional("emails", list(MOST_EMAILS, email));
    let user_ids = body.optional(
        "user_ids",
        list(MOST_USERS, |value| integer(1, i64::from(i32::MAX))(value).map_err(|_| Bad::from("user"))),
    );
    let told = body.given("quiet_hours");
    let quiet_hours = body.optional_object("quiet_hours", quiet);
    // What `GET` shows may come back.
    let _ = body.optional("mail", boolean);
    let _ = body.optional("open", |_| Ok::<_, Bad>(()));
    Some(Input { emails, user_ids, quiet_hours: told.then_some(quiet_hours) })
}

async fn view(state: &HttpState, who: &Principal) -> Result<HttpResponse, Problem> {
    let key = state.directory.key(who.portal).await?;
    let settings = alerts::settings(&state.db, who.portal, &key).await?;
    let known = hotels::list(&state.db, who.portal).await?;
    let open = alerts::of_portal(&state.db, who.portal).await?.into_iter().filter_map(|(about, alert)| {
        let hotel = match about.hotel {
            HotelId(0) => None,
            id => Some(known.iter().find(|hotel| hotel.id == id).filter(|hotel| who.sees_hotel(&hotel.code))?),
        };
        Some(OpenAlert {
            kind: about.kind.word().to_owned(),
            hotel: hotel.map(|hotel| hotel.code.to_string()),
            since: at(alert.since),
            told_at: alert.told_at.map(at),
        })
    });
    let hours = |hours: QuietHours| QuietHoursView {
        from: hours.from.format(TIME).to_string(),
        to: hours.to.format(TIME).to_string(),
    };
    Ok(HttpResponse::Ok().json(Alerts {
        emails: settings.emails,
        user_ids: settings.user_ids,
        quiet_hours: settings.quiet_hours.map(hours),
        mail: !state.config.mail.smtp_url.trim().is_empty(),
        open: open.collect(),
    }))
}

/// Who is told of troubles, and what is wrong now
#[utoipa::path(get, path = "/api/v1/alerts", tag = "settings", operation_id = "getAlerts",
    responses((status = 200, body = Alerts)))]
pub async fn get(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeSettings)?;
    view(&state, &who).await
}

/// Chooses who is told
#[utoipa::path(put, path = "/api/v1/alerts", tag = "settings", operation_id = "putAlerts", request_body = AlertsBody,
    responses((status = 200, body = Alerts)))]
pub async fn put(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ChangeSettings)?;
    let input = Body::read(&request, payload).await?.parse(read)?;
    let key = state.directory.key(who.portal).await?;
    let mut settings: AlertSettings = alerts::settings(&state.db, who.portal, &key).await?;
    if let Some(users) = input.user_ids {
        check_users(&state, &who, &users, &settings.user_ids).await?;
        settings.user_ids = users;
    }
    if let Some(emails) = input.emails {
        settings.emails = emails;
    }
    if let Some(hours) = input.quiet_hours {
        settings.quiet_hours = hours;
    }
    alerts::set_settings(&state.db, who.portal, &key, &settings).await?;
    view(&state, &who).await
}

/// Whoever is new in the list works at the portal now: a notice to anybody else reaches nobody.
async fn check_users(state: &HttpState, who: &Principal, users: &[i64], before: &[i64]) -> Result<(), Problem> {
    let new: BTreeSet<i64> = users.iter().copied().filter(|id| !before.contains(id)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let access = match &who.kind {
        PrincipalKind::User { access, .. } => Some(access),
        PrincipalKind::Key { .. } => None,
    };
    let employed = state.directory.employed(who.portal, access, &new).await?;
    let strangers = users.iter().enumerate().filter(|(_, id)| new.contains(id) && !employed.contains(id));
    let wrong: Vec<Invalid> = strangers
        .map(|(n, _)| Invalid { at: At::Pointer(format!("/user_ids/{n}")), code: "user_unknown", params: vec![] })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s48_who_is_told_is_read_and_what_cannot_be_is_named() {
        let body =
            json!({"emails": ["a@example.com"], "user_ids": [7], "quiet_hours": {"from": "22:00", "to": "08:00"}});
        let input = Object::read(body, read).expect("valid");
        assert_eq!((input.emails, input.user_ids), (Some(vec!["a@example.com".to_owned()]), Some(vec![7])));
        assert!(input.quiet_hours.flatten().is_some());
        let cleared = Object::read(json!({"quiet_hours": null}), read).expect("valid");
        assert!(matches!(cleared.quiet_hours, Some(None)) && cleared.emails.is_none());
        for (body, pointer, code) in [
            (json!({"emails": ["a@example.com\r\nBcc: b@example.com"]}), "/emails", "email"),
            (json!({"emails": ["nobody"]}), "/emails", "email"),
            (json!({"user_ids": ["7"]}), "/user_ids", "user"),
            (json!({"quiet_hours": {"from": "25:00", "to": "08:00"}}), "/quiet_hours/from", "time_of_day"),
            (json!({"quiet_hours": {"from": "22:00"}}), "/quiet_hours/to", "required"),
            (json!({"phones": []}), "/phones", "unknown"),
        ] {
            let wrong: Vec<_> =
                Object::read(body, read).expect_err("wrong").into_iter().map(super::super::input::pair).collect();
            assert_eq!(wrong, [(pointer.to_owned(), code)]);
        }
    }
}
