//! Replays: what came in is decided once more from the input that is kept.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::hotels;
use super::input::{Object, date, text};
use super::once::{Done, once};
use super::page::Page;
use super::refuse::not_found;
use super::time::at;
use crate::domain::{HotelCode, ProfileNumber, StayNumber, Subject};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::sync::imports::ImportState;
use crate::sync::replay::ReplayView;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Replay {
    pub id: String,
    pub hotel: String,
    #[schema(value_type = String, example = "running")]
    pub state: ImportState,
    /// The one record it is about, by its number; neither: all of the hotel.
    pub stay: Option<String>,
    pub profile: Option<String>,
    /// Days on which the input was received.
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub created_at: DateTime<Utc>,
    /// `null` while it is under way.
    pub ended_at: Option<DateTime<Utc>>,
    /// Changes of the hotel gone through, of how many.
    pub done: i64,
    pub total: i64,
    /// Records that differ from before.
    pub changed: i64,
    /// Changes that cannot be decided.
    pub failed: i64,
}

/// Of one stay, of one profile, or of the whole hotel. Dates are days on which input was received; left out: all that is
/// kept (30 days).
#[derive(ToSchema)]
#[schema(as = ReplayInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct ReplayBody {
    #[schema(example = "50117")]
    stay: Option<String>,
    profile: Option<String>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplayStarted {
    pub id: String,
}

impl Replay {
    fn of(view: ReplayView, code: &HotelCode) -> Self {
        let (stay, profile) = match view.subject.map(|subject| subject.parse()) {
            Some(Ok(Subject::Stay(_, number))) => (Some(number.to_string()), None),
            Some(Ok(Subject::Profile(_, number))) => (None, Some(number.to_string())),
            _ => (None, None),
        };
        let under_way = matches!(view.state, ImportState::Queued | ImportState::Running | ImportState::Paused);
        Self {
            id: view.id,
            hotel: code.to_string(),
            state: view.state,
            stay,
            profile,
            from: view.from,
            to: view.to,
            created_at: at(view.created_at),
            ended_at: (!under_way).then(|| at(view.updated_at)),
            done: view.done,
            total: view.total,
            changed: view.changed,
            failed: view.failed,
        }
    }
}

enum Of {
    All,
    Stay(StayNumber),
    Profile(ProfileNumber),
}

type Asked = (Of, (Option<NaiveDate>, Option<NaiveDate>));

fn read(body: &mut Object) -> Option<Asked> {
    let number = |value: &Value| text(64)(value);
    let stay = body
        .optional("stay", |value| number(value).and_then(|text| StayNumber::parse(&text).map_err(|_| "number".into())));
    let profile = body.optional("profile", |value| {
        number(value).and_then(|text| ProfileNumber::parse(&text).map_err(|_| "number".into()))
    });
    let (from, to) = (body.optional("from", date), body.optional("to", date));
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        body.reject("to", "date_order");
    }
    let of = match (stay, profile) {
        (Some(stay), None) => Of::Stay(stay),
        (None, Some(profile)) => Of::Profile(profile),
        (None, None) => Of::All,
        (Some(_), Some(_)) => {
            body.reject("profile", "replay_one");
            return None;
        }
    };
    Some((of, (from, to)))
}

/// Replays of a hotel, the latest first
#[utoipa::path(get, path = "/api/v1/hotels/{code}/replays", tag = "replays", operation_id = "listReplays",
    params(("code" = String, Path)), responses((status = 200, body = Page<Replay>)))]
pub async fn of_hotel(state: Data<HttpState>, who: Principal, code: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let views = state.engine.replays(who.portal, hotel.id).await?;
    Ok(HttpResponse::Ok().json(Page::whole(views.into_iter().map(|view| Replay::of(view, &hotel.code)).collect())))
}

/// Decides kept input once more
///
/// Nothing older is put over what is held; what changes nothing leaves no trace.
#[utoipa::path(post, path = "/api/v1/hotels/{code}/replays", tag = "replays", operation_id = "createReplay",
    params(("code" = String, Path)), request_body = ReplayBody,
    responses((status = 202, body = ReplayStarted), (status = 409, description = "`replay_running`")))]
pub async fn create(
    state: Data<HttpState>,
    who: Principal,
    code: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::RunImport)?;
    let hotel = hotels::find(&state, &who, &code).await?;
    let body = Body::optional(&request, payload).await?;
    let (of, days) = body.parse(read)?;
    let subject = match of {
        Of::All => None,
        Of::Stay(number) => Some(Subject::Stay(hotel.id, number)),
        Of::Profile(number) => Some(Subject::Profile(hotel.id, number)),
    };
    let (context, portal, user) = (state.clone(), who.portal, who.user_id);
    once(&state, &who, &request, &body.raw, async move {
        let id = context.engine.create_replay(portal, &hotel, subject.as_ref(), days, user).await?;
        let location = format!("/api/v1/hotels/{}/replays/{id}", hotel.code);
        Ok(Done::new(StatusCode::ACCEPTED, &ReplayStarted { id })?.at(location))
    })
    .await
}

/// How far a replay came
#[utoipa::path(get, path = "/api/v1/hotels/{code}/replays/{id}", tag = "replays", operation_id = "getReplay",
    params(("code" = String, Path), ("id" = String, Path)), responses((status = 200, body = Replay)))]
pub async fn get(
    state: Data<HttpState>,
    who: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::Read)?;
    let (code, id) = path.into_inner();
    let hotel = hotels::find(&state, &who, &code).await?;
    let view = state.engine.replay(who.portal, &id).await?;
    let view = view.filter(|view| view.hotel == hotel.id).ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().json(Replay::of(view, &hotel.code)))
}
