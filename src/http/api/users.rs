//! Employees of the portal, for the owner rule, the roles and the desk's queues, as the asking person's own token shows them.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Page, Query};
use crate::http::HttpState;
use crate::http::auth::{Principal, PrincipalKind, Right, require};
use crate::http::problem::{Kind, Problem};
use crate::portal::Employee;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    pub id: i64,
    pub name: String,
    pub position: Option<String>,
}

impl From<&Employee> for UserView {
    fn from(employee: &Employee) -> Self {
        Self { id: employee.id, name: employee.name.clone(), position: employee.position.clone() }
    }
}

/// Employees whose name holds the query
#[utoipa::path(get, path = "/api/v1/users", tag = "settings", operation_id = "findUsers",
    params(("query" = Option<String>, Query), ("limit" = Option<i64>, Query)),
    responses((status = 200, body = Page<UserView>)))]
pub async fn find(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if !who.may(Right::SeeSettings) {
        require(&who, Right::ManageDesk)?;
    }
    let query = Query::read(&request, &["query", "limit"])?;
    let limit = usize::try_from(query.limit()?).unwrap_or_default();
    let PrincipalKind::User { access, session, .. } = &who.kind else { return Err(Kind::Forbidden.into()) };
    let wanted = query.get("query").unwrap_or_default().trim().to_lowercase();
    let employees = state.directory.employees(who.portal, *session, access).await?;
    let named = employees.iter().filter(|employee| employee.name.to_lowercase().contains(&wanted));
    let mut users: Vec<UserView> = named.map(UserView::from).collect();
    users.sort_by_cached_key(|user| (user.name.to_lowercase(), user.id));
    users.truncate(limit);
    Ok(HttpResponse::Ok().json(Page::whole(users)))
}
