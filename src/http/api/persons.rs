//! One person: all that is held of him, or his erasure with its act (152-ФЗ; product §9).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::Body;
use super::hints::whole;
use super::once::{Done, once};
use super::refuse::not_found;
use super::time::at;
use crate::domain::{HotelCode, ProfileNumber};
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::lang::Lang;
use crate::http::problem::Problem;
use crate::http::texts;
use crate::store::erasures::{ErasureRow, Stage};
use crate::store::hotels::{self, HotelRow};

/// An erasure and its act. The act names nobody: numbers, counts and names of fields.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Erasure {
    /// `<hotel>:<profile>`
    pub person: String,
    /// `asked`, `telling` (nothing is held any more, the portal has not confirmed all yet), `done`.
    pub stage: String,
    /// The portal's user who asked; `null`: an integrator, or the PMS.
    pub asked_by: Option<i64>,
    /// The PMS erased him.
    pub by_pms: bool,
    pub asked_at: DateTime<Utc>,
    pub done_at: Option<DateTime<Utc>>,
    pub act: Act,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Act {
    /// What was destroyed here: `profile`, and counts of `stays` whose words went, raw `inputs`, and what was `told`.
    #[schema(value_type = Object)]
    pub destroyed: Value,
    /// Fields of the portal's records that are empty now: `{entity, id, fields}`.
    #[schema(value_type = Vec<Object>)]
    pub emptied: Value,
    /// While the portal has not confirmed all: how many `records` are on their way, how many of them it `refused`.
    #[schema(value_type = Option<Object>)]
    pub on_its_way: Value,
    pub not_reached: Vec<NotReached>,
    /// What is kept because it tells of nobody.
    pub kept: Vec<Sentence>,
}

/// What a person must see to himself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotReached {
    /// Stable code.
    pub code: String,
    /// The same as a sentence in the caller's language.
    pub text: String,
    /// Where it is: `entity`, `id` or `ids`, `fields`.
    #[schema(value_type = Object)]
    pub at: Value,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ActSentence)]
pub struct Sentence {
    /// Stable code.
    pub code: String,
    /// The same as a sentence in the caller's language.
    pub text: String,
}

impl Erasure {
    fn of(hotel: &HotelRow, row: ErasureRow, lang: Lang) -> Self {
        let part = |name: &str| row.act.get(name).cloned().unwrap_or_default();
        let list = |name: &str| part(name).as_array().cloned().unwrap_or_default();
        let sentence = |code: &Value| {
            let code = code.as_str().unwrap_or_default().to_owned();
            Sentence { text: texts::act(lang, &code).to_owned(), code }
        };
        let not_reached = |mut at: Value| {
            let code = at.as_object_mut().and_then(|at| at.shift_remove("code")).unwrap_or_default();
            let Sentence { code, text } = sentence(&code);
            NotReached { code, text, at }
        };
        Self {
            person: format!("{}:{}", hotel.code, row.profile),
            stage: row.stage.word().to_owned(),
            asked_by: Some(row.asked_by).filter(|user| *user != 0),
            by_pms: row.by_pms,
            asked_at: at(row.asked_at),
            done_at: row.done_at.map(at),
            act: Act {
                destroyed: part("destroyed"),
                emptied: Value::Array(list("emptied")),
                on_its_way: part("on_its_way"),
                not_reached: list("not_reached").into_iter().map(not_reached).collect(),
                kept: list("kept").iter().map(sentence).collect(),
            },
        }
    }
}

/// A profile that was taken off a record because it is another person's.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Split {
    /// `<hotel>:<profile>`
    #[schema(example = "GRAND:7001")]
    pub person: String,
    /// Of the record that it stands for no more: `contact` or `company`.
    #[schema(value_type = String, example = "contact")]
    pub entity: &'static str,
    pub crm_id: i64,
}

/// Removed hotels too: what is held of their guests is held all the same.
async fn find(state: &HttpState, who: &Principal, person: &str) -> Result<(HotelRow, ProfileNumber), Problem> {
    let (code, number) = person.split_once(':').ok_or_else(not_found)?;
    let code = HotelCode::parse(code).map_err(|_| not_found())?;
    let number = ProfileNumber::parse(number).map_err(|_| not_found())?;
    if !who.sees_hotel(&code) {
        return Err(not_found());
    }
    let codes = hotels::codes(&state.db, who.portal).await?;
    let id = codes.into_iter().find(|(_, known)| *known == code).map(|(id, _)| id).ok_or_else(not_found)?;
    let hotel = hotels::by_id(&state.db, who.portal, id).await?.ok_or_else(not_found)?;
    Ok((hotel, number))
}

/// All that is held of a person, and all that was written about him
#[utoipa::path(post, path = "/api/v1/persons/{person}/export", tag = "persons", operation_id = "exportPerson",
    params(("person" = String, Path, description = "`<hotel>:<profile>`", example = "GRAND:7001")),
    responses((status = 200, body = Object)))]
pub async fn export(
    state: Data<HttpState>,
    who: Principal,
    person: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::Persons)?;
    let (hotel, number) = find(&state, &who, &person).await?;
    Body::none(&request, payload).await?;
    let mut archive = state.engine.export_person(who.portal, &hotel, &number).await?.ok_or_else(not_found)?;
    if let Some(archive) = archive.as_object_mut() {
        archive.insert("request_log".to_owned(), json!(texts::act(who.lang, "request_log")));
        archive.insert("made_at".to_owned(), json!(at(state.clock.now_ms())));
    }
    tracing::info!(portal = %who.portal, user = who.user_id, hotel = %hotel.id, "a person's data was handed out");
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}-{number}.json\"", hotel.code)))
        .json(archive))
}

/// Erases a person
///
/// Nothing of him is held any more within moments; the act is whole once the portal has confirmed what it was told: `200`
/// then, `202` before. Asked again it answers how far it is.
#[utoipa::path(post, path = "/api/v1/persons/{person}/erase", tag = "persons", operation_id = "erasePerson",
    params(("person" = String, Path, description = "`<hotel>:<profile>`", example = "GRAND:7001")),
    responses((status = 200, body = Erasure), (status = 202, body = Erasure)))]
pub async fn erase(
    state: Data<HttpState>,
    who: Principal,
    person: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::Persons)?;
    let (hotel, number) = find(&state, &who, &person).await?;
    let raw = Body::none(&request, payload).await?;
    let (context, caller) = (state.clone(), who.clone());
    once(&state, &who, &request, &raw, async move {
        let row = context.engine.erase_person(caller.portal, hotel.id, &number, caller.user_id).await?;
        let row = row.ok_or_else(not_found)?;
        let status = if row.stage == Stage::Done { StatusCode::OK } else { StatusCode::ACCEPTED };
        let location = format!("/api/v1/persons/{}:{number}/erase", hotel.code);
        Ok(Done::new(status, &Erasure::of(&hotel, row, caller.lang))?.at(location))
    })
    .await
}

/// How far an erasure is, and its act
#[utoipa::path(get, path = "/api/v1/persons/{person}/erase", tag = "persons", operation_id = "getErasure",
    params(("person" = String, Path, description = "`<hotel>:<profile>`", example = "GRAND:7001")),
    responses((status = 200, body = Erasure)))]
pub async fn erasure(state: Data<HttpState>, who: Principal, person: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::Persons)?;
    let (hotel, number) = find(&state, &who, &person).await?;
    let row = state.engine.erasure(who.portal, hotel.id, &number).await?.ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().json(Erasure::of(&hotel, row, who.lang)))
}

/// This profile is another person: it gets a record of its own, and is never joined to those that it was with by itself
#[utoipa::path(post, path = "/api/v1/persons/{person}/split", tag = "persons", operation_id = "splitPerson",
    params(("person" = String, Path, description = "`<hotel>:<profile>`", example = "GRAND:7001")),
    responses((status = 202, body = Split)))]
pub async fn split(
    state: Data<HttpState>,
    who: Principal,
    person: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::HandleProblems)?;
    whole(&who)?;
    let (hotel, number) = find(&state, &who, &person).await?;
    let raw = Body::none(&request, payload).await?;
    let (context, caller) = (state.clone(), who.clone());
    once(&state, &who, &request, &raw, async move {
        let (entity, crm_id) = context.engine.split(caller.portal, &hotel, &number, caller.user_id).await?;
        let person = format!("{}:{number}", hotel.code);
        Done::new(StatusCode::ACCEPTED, &Split { person, entity: entity.word(), crm_id })
    })
    .await
}
