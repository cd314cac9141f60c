//! Who may what, besides the portal's admins.

use std::collections::BTreeSet;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{Bad, Object, integer, list};
use super::page::Page;
use crate::http::HttpState;
use crate::http::auth::{Grant, Principal, Right, Role, require};
use crate::http::problem::Problem;
use crate::portal::Assignment;

const MOST: usize = 500;

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RoleAssignment)]
pub struct AssignmentView {
    pub user_id: i64,
    /// `installer`, `front_desk`, `viewer`, `support_manager`, `support_operator`.
    pub role: String,
    /// `folio`, `write_back`, `persons`.
    pub grants: Vec<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Roles {
    pub items: Vec<AssignmentView>,
}

impl AssignmentView {
    fn of(assignment: &Assignment) -> Self {
        Self {
            user_id: assignment.user_id,
            role: assignment.role.word().to_owned(),
            grants: assignment.grants.iter().map(|grant| grant.word().to_owned()).collect(),
        }
    }
}

fn read(body: &mut Object) -> Option<Vec<Assignment>> {
    let mut seen = BTreeSet::new();
    body.objects("items", MOST, |item| {
        let user_id = item.required("user_id", integer(1, i64::from(i32::MAX)));
        let role = item.required("role", |value| value.as_str().and_then(Role::parse).ok_or("role"));
        let grants = item.optional("grants", |value| {
            list(8, |value: &Value| value.as_str().and_then(Grant::parse).ok_or(Bad::from("grant")))(value)
        });
        let (user_id, role) = (user_id?, role?);
        if !seen.insert((user_id, role)) {
            item.reject("role", "role_twice");
        }
        Some(Assignment { user_id, role, grants: grants.unwrap_or_default().into_iter().collect() })
    })
}

/// The roles given on this portal
#[utoipa::path(get, path = "/api/v1/roles", tag = "roles", operation_id = "getRoles",
    responses((status = 200, body = Page<AssignmentView>)))]
pub async fn get(state: Data<HttpState>, who: Principal) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageRoles)?;
    let roles = state.directory.roles(who.portal).await?;
    Ok(HttpResponse::Ok().json(Page::whole(roles.iter().map(AssignmentView::of).collect())))
}

/// Replaces all roles; every session of the portal ends
#[utoipa::path(put, path = "/api/v1/roles", tag = "roles", operation_id = "putRoles", request_body = Roles,
    responses((status = 200, body = Page<AssignmentView>)))]
pub async fn put(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::ManageRoles)?;
    let items = Body::read(&request, payload).await?.parse(read)?;
    state.directory.set_roles(who.portal, &items).await?;
    let roles = state.directory.roles(who.portal).await?;
    Ok(HttpResponse::Ok().json(Page::whole(roles.iter().map(AssignmentView::of).collect())))
}
