//! What a mapping would write to chosen stays: shown, never done.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{misfits, read};
use crate::domain::{CrmEntity, CrmValue, HotelCode, StayNumber, Subject};
use crate::http::HttpState;
use crate::http::api::body::Body;
use crate::http::api::hotels;
use crate::http::api::input::{Bad, list, text};
use crate::http::api::refuse::invalid;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::sync::preview::{FieldPreview, Outcome, RecordPreview};

/// As many as a person looks through.
const STAYS: usize = 20;

#[derive(ToSchema)]
#[schema(as = MappingPreviewInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct PreviewBody {
    hotel: String,
    #[schema(value_type = Object)]
    mapping: Value,
    /// `<hotel>:<number>`, 20 at most.
    #[schema(example = json!(["GRAND:50117"]))]
    stays: Vec<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingPreview {
    pub records: Vec<MappingPreviewRecord>,
    /// Commands to the portal, looks before writes among them.
    pub commands: usize,
    /// The requests that carry them.
    pub requests: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingPreviewRecord {
    /// `stay:<hotel>:<number>` or `profile:<hotel>:<number>`.
    pub subject: String,
    #[schema(value_type = String, example = "deal")]
    pub entity: CrmEntity,
    pub id: Option<i64>,
    /// `created`, `changed`, `unchanged`, `left_out`, `gone`, `not_yet`, `refused`.
    #[schema(value_type = String, example = "changed")]
    pub outcome: Outcome,
    pub fields: Vec<MappingPreviewField>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingPreviewField {
    pub field: String,
    /// `false`: what stands there was never read, and the portal does not answer now.
    pub known: bool,
    #[schema(value_type = Object)]
    pub before: Value,
    #[schema(value_type = Object)]
    pub after: Value,
    pub changes: bool,
    /// Money, and the reader lacks the grant `folio`.
    pub hidden: bool,
}

/// A value as people and programs read it.
pub fn shown(value: &CrmValue) -> Value {
    match value {
        CrmValue::Empty => Value::Null,
        CrmValue::Money(money) => json!({"amount": money.amount.to_string(), "currency": money.currency.as_str()}),
        other => other.wire(),
    }
}

pub fn is_money(value: &CrmValue) -> bool {
    matches!(value, CrmValue::Money(_) | CrmValue::Amount(_))
}

impl MappingPreviewField {
    fn of(field: &FieldPreview, folio: bool) -> Self {
        let hidden = !folio && (is_money(&field.after) || field.before.as_ref().is_some_and(is_money));
        let value = |value: &CrmValue| if hidden { Value::Null } else { shown(value) };
        Self {
            field: field.name.clone(),
            known: field.before.is_some(),
            before: field.before.as_ref().map_or(Value::Null, value),
            after: value(&field.after),
            changes: field.changes,
            hidden,
        }
    }
}

impl MappingPreviewRecord {
    fn of(record: &RecordPreview, hotel: &HotelCode, folio: bool) -> Self {
        let subject = match &record.subject {
            Subject::Stay(_, number) => format!("stay:{hotel}:{number}"),
            Subject::Profile(_, number) => format!("profile:{hotel}:{number}"),
            Subject::Group(_, number) => format!("group:{hotel}:{number}"),
            Subject::Crm(entity, id) => format!("crm:{}:{id}", entity.word()),
            Subject::Note(entity, id) => format!("note:{}:{id}", entity.word()),
        };
        Self {
            subject,
            entity: record.entity,
            id: record.crm_id,
            outcome: record.outcome,
            fields: record.fields.iter().map(|field| MappingPreviewField::of(field, folio)).collect(),
        }
    }
}

fn stay(value: &Value) -> Result<(HotelCode, StayNumber), Bad> {
    let parts = value.as_str().and_then(|text| text.split_once(':')).ok_or("stay")?;
    match (HotelCode::parse(parts.0), StayNumber::parse(parts.1)) {
        (Ok(hotel), Ok(number)) => Ok((hotel, number)),
        _ => Err("stay".into()),
    }
}

/// Before and after of every field of these stays' deals and people; nothing is written
///
/// The portal is asked only for what was never read of these records.
#[utoipa::path(post, path = "/api/v1/mapping/preview", tag = "mapping", operation_id = "previewMapping",
    request_body = PreviewBody, responses((status = 200, body = MappingPreview)))]
pub async fn preview(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ChangeMapping)?;
    let (code, mapping, stays) = Body::read_up_to(read::BODY, &request, payload).await?.parse(|body| {
        let code = body.required("hotel", text(16));
        let mapping = body.object("mapping", read::document);
        let stays = body.required("stays", list(STAYS, stay));
        Some((code?, mapping?, stays?))
    })?;
    let hotel = hotels::find(&state, &who, &code).await?;
    misfits(&state, &who, &mapping).await?;
    if let Some(at) = stays.iter().position(|(code, _)| *code != hotel.code) {
        return Err(invalid(format!("/stays/{at}"), "stay_elsewhere"));
    }
    let numbers: Vec<StayNumber> = stays.into_iter().map(|(_, number)| number).collect();
    let preview = state.engine.preview_mapping(who.portal, hotel.id, mapping, &numbers).await?;
    let preview = preview.map_err(|at| invalid(format!("/stays/{at}"), "stay_unknown"))?;
    let folio = who.may(Right::SeeFolio);
    let records = preview.records.iter().map(|record| MappingPreviewRecord::of(record, &hotel.code, folio)).collect();
    Ok(HttpResponse::Ok().json(MappingPreview { records, commands: preview.commands, requests: preview.requests }))
}
