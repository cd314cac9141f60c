//! What a rule may name: the hotel's facts, the portal's fields and stages.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::portal_of;
use crate::domain::crm_schema::{CrmField, CrmPipeline};
use crate::domain::fact::Fact;
use crate::domain::mapping::GroupMapping;
use crate::domain::mapping::check::may_map;
use crate::domain::{CrmEntity, CrmSchema};
use crate::http::HttpState;
use crate::http::api::body::Body;
use crate::http::api::once::{Done, once};
use crate::http::api::time::at;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::store::crm_schemas;

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingFields {
    /// When the portal was asked last.
    pub read_at: Option<DateTime<Utc>>,
    pub facts: Vec<MappingFact>,
    /// By `deal`, `contact`, `company`: fields that a rule may name.
    pub fields: BTreeMap<String, Vec<MappingField>>,
    /// Fields of a stay's deal that may name its group's.
    pub group_links: Vec<MappingItem>,
    /// The `group` of a document as it is usual: what its members are where they are left out.
    #[schema(value_type = Object)]
    pub group_usual: Value,
    pub pipelines: Vec<MappingPipeline>,
    /// The pipeline of stays, where a mapping names none.
    pub pipeline: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingFact {
    pub name: String,
    /// Of stays (`deal`) or of guests and companies.
    pub of_stay: bool,
    /// Of groups as well.
    pub of_group: bool,
    /// `text`, `integer`, `date`, `money`, `phones`, `emails`.
    pub shape: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingField {
    pub name: String,
    pub title: String,
    /// What it takes: as a fact's shape, or `number`, or `choice` by the ids of its items.
    pub takes: String,
    pub max_length: Option<usize>,
    pub items: Vec<MappingItem>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingItem {
    pub id: String,
    pub title: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MappingPipeline {
    pub id: i64,
    pub title: String,
    pub stages: Vec<MappingItem>,
}

impl MappingField {
    fn of(entity: CrmEntity, name: &str, field: &CrmField) -> Option<Self> {
        let takes = field.takes(name).filter(|_| may_map(entity, name, field))?;
        let title = if field.title.is_empty() { name } else { &field.title };
        Some(Self {
            name: name.to_owned(),
            title: title.to_owned(),
            takes: takes.word().to_owned(),
            max_length: field.max_length,
            items: field.items.iter().map(|(id, title)| MappingItem { id: id.clone(), title: title.clone() }).collect(),
        })
    }
}

impl MappingFields {
    fn of(schema: &CrmSchema, pipeline: i64, read_at: Option<i64>) -> Self {
        let of_entity = |(entity, fields): (&CrmEntity, &BTreeMap<String, CrmField>)| {
            let fields = fields.iter().filter_map(|(name, field)| MappingField::of(*entity, name, field)).collect();
            (entity.word().to_owned(), fields)
        };
        let pipeline_of = |one: &CrmPipeline| MappingPipeline {
            id: one.id,
            title: one.name.clone(),
            stages: one
                .stages
                .iter()
                .map(|stage| MappingItem { id: stage.id.clone(), title: stage.name.clone() })
                .collect(),
        };
        let fact = |fact: Fact| MappingFact {
            name: fact.name().to_owned(),
            of_stay: fact.is_of(CrmEntity::Deal),
            of_group: fact.is_of_group(),
            shape: fact.shape().word().to_owned(),
        };
        let deals = schema.fields.get(&CrmEntity::Deal).into_iter().flatten();
        let links = deals.filter(|(name, _)| schema.may_name_a_deal(name)).map(|(name, field)| MappingItem {
            id: name.clone(),
            title: if field.title.is_empty() { name.clone() } else { field.title.clone() },
        });
        Self {
            read_at: read_at.map(at),
            facts: Fact::ALL.iter().copied().map(fact).collect(),
            fields: schema.fields.iter().map(of_entity).collect(),
            group_links: links.collect(),
            group_usual: serde_json::to_value(GroupMapping::standard()).unwrap_or_default(),
            pipelines: schema.pipelines.iter().map(pipeline_of).collect(),
            pipeline,
        }
    }
}

/// What a rule may name on this portal
#[utoipa::path(get, path = "/api/v1/mapping/fields", tag = "mapping", operation_id = "listMappingFields",
    responses((status = 200, body = MappingFields), (status = 409, description = "`schema_unread`")))]
pub async fn list(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeSettings)?;
    let (schema, pipeline) = portal_of(&state, &who).await?;
    let read_at = crm_schemas::load(&state.db, who.portal).await?.map(|(_, at)| at);
    Ok(HttpResponse::Ok().json(MappingFields::of(&schema, pipeline, read_at)))
}

/// Asks the portal for its fields again, in the background; `read_at` tells when it has answered
#[utoipa::path(post, path = "/api/v1/mapping/fields/refresh", tag = "mapping", operation_id = "refreshMappingFields",
    responses((status = 202)))]
pub async fn look(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ChangeMapping)?;
    let raw = Body::none(&request, payload).await?;
    let (context, portal) = (state.clone(), who.portal);
    once(&state, &who, &request, &raw, async move {
        context.directory.retry_installation(portal).await?;
        Done::new(StatusCode::ACCEPTED, &serde_json::json!({}))
    })
    .await
}
