//! Where the values of a contact or company came from, by field.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::refuse::not_found;
use super::stays::FieldProvenance;
use super::time::at;
use crate::bitrix::crm::Entity;
use crate::domain::CrmEntity;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, may_read, require};
use crate::http::problem::{Kind, Problem};
use crate::sync::provenance::PersonOrigin;

pub(super) const CONTACT: (CrmEntity, Entity) = (CrmEntity::Contact, Entity::Contact);
pub(super) const COMPANY: (CrmEntity, Entity) = (CrmEntity::Company, Entity::Company);

pub(super) fn record_id(text: &str) -> Result<i64, Problem> {
    text.parse::<i64>().ok().filter(|id| *id > 0).ok_or_else(not_found)
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecordProvenance {
    /// When we last looked at the record.
    pub looked_at: Option<DateTime<Utc>>,
    pub fields: Vec<RecordField>,
    /// Fields that people took to themselves (`…/fields/{field}/release` gives them back), where what we wrote is no longer
    /// remembered.
    pub kept: Vec<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecordField {
    /// The profile that said it last, as `<hotel>:<profile>`.
    #[schema(example = "GRAND:7")]
    pub of: String,
    #[serde(flatten)]
    pub origin: FieldProvenance,
}

impl RecordField {
    fn of(person: &PersonOrigin, folio: bool) -> Self {
        let of = format!("{}:{}", person.hotel, person.profile);
        Self { of, origin: FieldProvenance::of(&person.origin, &person.timezone, folio) }
    }
}

/// Where a contact's values came from, to whom the portal lets read the contact
#[utoipa::path(get, path = "/api/v1/contacts/{id}/provenance", tag = "stays", operation_id = "getProvenanceOfContact",
    params(("id" = i64, Path)), responses((status = 200, body = RecordProvenance)))]
pub async fn contact(state: Data<HttpState>, who: Principal, id: Path<String>) -> Result<HttpResponse, Problem> {
    record(&state, &who, CONTACT, &id).await
}

/// Where a company's values came from, to whom the portal lets read the company
#[utoipa::path(get, path = "/api/v1/companies/{id}/provenance", tag = "stays", operation_id = "getProvenanceOfCompany",
    params(("id" = i64, Path)), responses((status = 200, body = RecordProvenance)))]
pub async fn company(state: Data<HttpState>, who: Principal, id: Path<String>) -> Result<HttpResponse, Problem> {
    record(&state, &who, COMPANY, &id).await
}

async fn record(
    state: &HttpState,
    who: &Principal,
    (entity, wire): (CrmEntity, Entity),
    id: &str,
) -> Result<HttpResponse, Problem> {
    require(who, Right::Known)?;
    let id = record_id(id)?;
    if !may_read(state, who, wire, id).await? {
        return Err(Kind::Forbidden.into());
    }
    let found = state.engine.record_origins(who.portal, entity, id, who.hotels.as_deref()).await?;
    let found = found.ok_or_else(|| not_found().with_code("no_guest"))?;
    let folio = who.may(Right::SeeFolio);
    let fields = found.fields.iter().map(|person| RecordField::of(person, folio)).collect();
    Ok(HttpResponse::Ok().json(RecordProvenance { looked_at: found.looked_at.map(at), fields, kept: found.kept }))
}
