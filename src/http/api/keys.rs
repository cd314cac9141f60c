//! Integrators' keys: made by an admin, shown once, kept as a hash, never worth more than their maker.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{Bad, Object, list, text};
use super::once::{Done, once};
use super::page::Page;
use super::refuse::{conflict, internal, invalid, not_found};
use super::time::at;
use crate::crypto::ApiKey;
use crate::domain::HotelCode;
use crate::http::HttpState;
use crate::http::auth::{Grant, Principal, Right, Role, in_force, require};
use crate::http::problem::Problem;
use crate::portal::Maker;
use crate::store::api_keys::{self, ApiKeyRow};
use crate::store::hotels;

/// A key lives one year at most (contract).
const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

/// More keys than this in one portal are a leak, not an integration.
const MOST: usize = 50;

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyView {
    pub id: String,
    pub label: String,
    /// `viewer`, `front_desk`, `installer`, `folio`, `write_back`, `persons`.
    pub grants: Vec<String>,
    /// What of `grants` counts now: what the maker could do himself. Empty: the key is refused.
    pub in_force: Vec<String>,
    /// `null`: every hotel of the portal.
    pub hotels: Option<Vec<String>>,
    /// The portal user who made it.
    pub made_by: i64,
    /// `admin`, `member` or `gone`: what he is now, as was last seen.
    pub maker: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub expired: bool,
}

/// The only answer that shows the key. Repeated for an `Idempotency-Key`, it shows `null`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MadeKey {
    #[schema(example = "fb24_0123456789abcdef_…")]
    pub key: Option<String>,
    #[serde(flatten)]
    pub view: KeyView,
}

#[derive(ToSchema)]
#[schema(as = ApiKeyInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct KeyBody {
    #[schema(max_length = 80)]
    label: String,
    #[schema(min_items = 1)]
    grants: Vec<String>,
    /// Left out or `null`: every hotel.
    hotels: Option<Vec<String>>,
    /// Left out: one year from now.
    expires_at: Option<DateTime<Utc>>,
}

struct KeyInput {
    label: String,
    grants: BTreeSet<String>,
    hotels: Option<Vec<HotelCode>>,
    expires_at: Option<i64>,
}

impl KeyView {
    fn of(row: &ApiKeyRow, in_force: Vec<String>, now: i64) -> Self {
        Self {
            id: row.id.clone(),
            label: row.label.clone(),
            grants: row.grants.clone(),
            in_force,
            hotels: row.hotels.as_ref().map(|codes| codes.iter().map(ToString::to_string).collect()),
            made_by: row.made_by,
            maker: row.maker.clone(),
            created_at: at(row.created_at),
            expires_at: at(row.expires_at),
            expired: row.expires_at <= now,
        }
    }
}

/// What a key may be given: a role that looks after a hotel, or one of the grants. Roles of the support desk are of
/// people only.
fn grant(value: &Value) -> Result<String, Bad> {
    let word = value.as_str().ok_or("text")?;
    let role = Role::parse(word).is_some_and(|role| matches!(role, Role::Installer | Role::FrontDesk | Role::Viewer));
    if role || Grant::parse(word).is_some() { Ok(word.to_owned()) } else { Err("grant".into()) }
}

fn read(body: &mut Object) -> Option<KeyInput> {
    let label = body.required("label", text(80));
    let grants = body.required("grants", |value| {
        let grants = list(8, grant)(value)?;
        if grants.is_empty() { Err(Bad::from("required")) } else { Ok(grants) }
    });
    let hotels = body.optional("hotels", |value| {
        let code =
            |value: &Value| HotelCode::parse(value.as_str().unwrap_or_default()).map_err(|_| Bad::from("hotel_code"));
        let hotels = list(200, code)(value)?;
        if hotels.is_empty() { Err(Bad::from("required")) } else { Ok(hotels) }
    });
    let expires_at = body.optional("expires_at", |value| {
        let text = value.as_str().filter(|text| text.len() <= 40).ok_or("time")?;
        DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis()).map_err(|_| "time")
    });
    Some(KeyInput { label: label?, grants: grants?.into_iter().collect(), hotels, expires_at })
}

/// Keys of the portal, without their secrets
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", operation_id = "listKeys",
    responses((status = 200, body = Page<KeyView>)))]
pub async fn list_all(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageKeys)?;
    let now = state.clock.now_ms();
    let rows = api_keys::list(&state.db, who.portal).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(KeyView::of(row, in_force(&state, row).await?, now));
    }
    Ok(HttpResponse::Ok().json(Page::whole(items)))
}

/// Makes a key; this answer is the only one that shows it
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", operation_id = "createKey", request_body = KeyBody,
    responses((status = 201, body = MadeKey)))]
pub async fn create(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageKeys)?;
    let body = Body::read(&request, payload).await?;
    let input = body.parse(read)?;
    check(&state, &who, &input).await?;
    let now = state.clock.now_ms();
    let key = ApiKey::generate();
    let row = ApiKeyRow {
        id: key.id.clone(),
        portal: who.portal,
        hash: key.hash(),
        label: input.label,
        grants: input.grants.into_iter().collect(),
        hotels: input.hotels,
        made_by: who.user_id,
        maker: Maker::Admin.word().to_owned(),
        created_at: now,
        expires_at: input.expires_at.unwrap_or(now + YEAR_MS),
    };
    let context = state.clone();
    once(&state, &who, &request, &body.raw, async move {
        if api_keys::list(&context.db, row.portal).await?.len() >= MOST {
            return Err(conflict("too_many_keys"));
        }
        api_keys::create(&context.db, &row).await?;
        let made = MadeKey { key: Some(key.reveal()), view: KeyView::of(&row, row.grants.clone(), now) };
        let done = Done::new(StatusCode::CREATED, &made).map_err(|error| internal(&error))?;
        Ok(Done { once_only: &["key"], ..done.at(format!("/api/v1/keys/{}", row.id)) })
    })
    .await
}

async fn check(state: &HttpState, who: &Principal, input: &KeyInput) -> Result<(), Problem> {
    let now = state.clock.now_ms();
    if let Some(expires_at) = input.expires_at {
        if expires_at <= now {
            return Err(invalid("/expires_at", "past"));
        }
        if expires_at > now + YEAR_MS {
            return Err(invalid("/expires_at", "one_year"));
        }
    }
    let beyond = input.grants.iter().any(|word| match Grant::parse(word) {
        Some(Grant::Folio) => !who.may(Right::SeeFolio),
        Some(Grant::WriteBack) => !who.may(Right::WriteBack),
        Some(Grant::Persons) => !who.may(Right::Persons),
        None => !who.admin && !Role::parse(word).is_some_and(|role| who.roles.contains(&role)),
    });
    if beyond {
        return Err(invalid("/grants", "grant_beyond"));
    }
    for (index, code) in input.hotels.iter().flatten().enumerate() {
        if !who.sees_hotel(code) || hotels::by_code(&state.db, who.portal, code).await?.is_none() {
            return Err(invalid(format!("/hotels/{index}"), "hotel_unknown"));
        }
    }
    Ok(())
}

/// Voids a key at once
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys", operation_id = "deleteKey",
    params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(state: Data<HttpState>, who: Principal, id: Path<String>) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageKeys)?;
    if api_keys::delete(&state.db, who.portal, &id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(not_found())
    }
}
