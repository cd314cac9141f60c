//! What the desk holds of one person, found by his phone, e-mail or login: for himself, or its end with an act (152-ФЗ).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{At, Invalid};
use super::once::{Done, once};
use super::refuse::conflict;
use super::request_views::RemoteView;
use super::requests::prose;
use crate::domain::support::Role;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::store::desk::requests::Hashes;
use crate::support::Actor;
use crate::support::content::Content;

#[derive(ToSchema)]
#[schema(as = DeskPersonInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct PersonBody {
    /// At least one of the three; a request that any of them finds is the person's.
    phone: Option<String>,
    email: Option<String>,
    login: Option<String>,
}

/// What was destroyed. It names nobody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeskErasure)]
pub struct ErasureAct {
    pub requests: Vec<ErasedRequest>,
    /// There may be more: ask again.
    pub more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedRequest {
    pub number: String,
    /// It was open: the erasure withdrew it.
    pub withdrawn: bool,
    /// Entries of its history whose words went; their places in the chain stay.
    pub entries: u64,
    pub files: u64,
    /// Links that were ended.
    pub links: u64,
    /// Proofs of consent, which are kept to their own term.
    pub consents_kept: i64,
    /// Tasks and cards that hold what was written there: nobody can erase them from here.
    pub not_reached: Vec<RemoteView>,
}

async fn asked(
    state: &HttpState,
    who: &Principal,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(Bytes, Hashes, Actor), Problem> {
    require(who, Right::ManageDesk)?;
    if !state.desk.is_desk(who.portal).await? {
        return Err(conflict("desk_elsewhere"));
    }
    let body = Body::read(request, payload).await?;
    let raw = body.raw.clone();
    let content = body.parse(|body| {
        let mut word = |name| body.optional(name, prose(200)).unwrap_or_default();
        Some(Content { phone: word("phone"), email: word("email"), login: word("login"), ..Content::default() })
    })?;
    let hashes = content.hashes(&state.desk.search_key(who.portal).await?);
    if hashes == Hashes::default() {
        let at = At::Pointer(String::new());
        return Err(vec![Invalid { at, code: "person_unnamed", params: vec![] }].into());
    }
    let actor = Actor { roles: [Role::Manager].into(), user: Some(who.user_id), via: None };
    Ok((raw, hashes, actor))
}

/// All that this desk holds of a person
#[utoipa::path(post, path = "/api/v1/support/persons/export", tag = "support", operation_id = "exportDeskPerson",
    request_body = PersonBody, responses((status = 200, body = Object)))]
pub async fn export(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (_, hashes, actor) = asked(&state, &who, &request, payload).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"person.json\""))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(state.desk.export_person(&actor, who.portal, &hashes).await?))
}

/// Erases what this desk holds of a person; what is open of him is withdrawn
#[utoipa::path(post, path = "/api/v1/support/persons/erase", tag = "support", operation_id = "eraseDeskPerson",
    request_body = PersonBody, responses((status = 200, body = ErasureAct)))]
pub async fn erase(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (raw, hashes, actor) = asked(&state, &who, &request, payload).await?;
    let (desk, portal) = (state.desk.clone(), who.portal);
    once(&state, &who, &request, &raw, async move {
        let (gone, more) = desk.erase_person(&actor, portal, &hashes).await?;
        let requests = gone
            .into_iter()
            .map(|one| ErasedRequest {
                number: one.number,
                withdrawn: one.withdrawn,
                entries: one.entries,
                files: one.files,
                links: one.links,
                consents_kept: one.consents_kept,
                not_reached: one.remotes.iter().map(RemoteView::from).collect(),
            })
            .collect();
        Done::new(StatusCode::OK, &ErasureAct { requests, more })
    })
    .await
}
