//! Employees of the portal, for the owner rule and the roles, as the asking person's own token shows them.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::page::{Page, Query};
use crate::bitrix::{Call, PortalClient, Priority};
use crate::http::HttpState;
use crate::http::auth::{Principal, PrincipalKind, Right, require};
use crate::http::problem::{Kind, Problem};

/// `user.get` answers pages of 50; the rest of a portal of this many comes in one batch.
const PAGE: i64 = 50;
const PAGES: i64 = 40;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    pub id: i64,
    pub name: String,
    pub position: Option<String>,
}

/// Employees whose name holds the query
#[utoipa::path(get, path = "/api/v1/users", tag = "settings", operation_id = "findUsers",
    params(("query" = Option<String>, Query), ("limit" = Option<i64>, Query)),
    responses((status = 200, body = Page<UserView>)))]
pub async fn find(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeSettings)?;
    let query = Query::read(&request, &["query", "limit"])?;
    let limit = usize::try_from(query.limit()?).unwrap_or_default();
    let PrincipalKind::User { access, .. } = &who.kind else { return Err(Kind::Forbidden.into()) };
    let client = state.directory.client_as(who.portal, access.clone()).await?;
    let wanted = query.get("query").unwrap_or_default().trim().to_lowercase();
    let mut users: Vec<UserView> =
        employees(&client).await?.into_iter().filter(|user| user.name.to_lowercase().contains(&wanted)).collect();
    users.sort_by_cached_key(|user| (user.name.to_lowercase(), user.id));
    users.truncate(limit);
    Ok(HttpResponse::Ok().json(Page::whole(users)))
}

async fn employees(client: &PortalClient) -> Result<Vec<UserView>, Problem> {
    let call = |start: i64| {
        let filter = json!({"ACTIVE": true, "USER_TYPE": "employee"});
        Call::new("user.get", json!({"FILTER": filter, "sort": "ID", "order": "ASC", "start": start}))
    };
    let first = client.call(Priority::Person, &call(0)).await?;
    let mut users = read(&first.result);
    let total = first.total.unwrap_or_default().min(PAGE * PAGES);
    let rest: Vec<Call> = (1..).map(|page| page * PAGE).take_while(|start| *start < total).map(call).collect();
    if !rest.is_empty() {
        for answer in client.batch(Priority::Person, &rest).await? {
            users.extend(read(&answer?.result));
        }
    }
    Ok(users)
}

/// Texts and numbers come as the portal's PHP felt like.
fn read(result: &Value) -> Vec<UserView> {
    let text = |user: &Value, name: &str| user.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let users = result.as_array().map(Vec::as_slice).unwrap_or_default();
    users
        .iter()
        .filter_map(|user| {
            let id = user.get("ID")?;
            let id = id.as_i64().or_else(|| id.as_str()?.parse().ok())?;
            let kind = text(user, "USER_TYPE");
            let name = [text(user, "LAST_NAME"), text(user, "NAME")].join(" ").trim().to_owned();
            let name = if name.is_empty() { format!("#{id}") } else { name };
            let position = Some(text(user, "WORK_POSITION")).filter(|position| !position.is_empty());
            (kind.is_empty() || kind == "employee").then_some(UserView { id, name, position })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_users_are_read_as_the_portal_writes_them() {
        let users = read(&json!([
            {"ID": "7", "NAME": "Анна", "LAST_NAME": "Иванова", "WORK_POSITION": "Портье", "USER_TYPE": "employee"},
            {"ID": 8, "NAME": "", "LAST_NAME": null},
            {"ID": "9", "NAME": "Guest", "USER_TYPE": "extranet"},
            {"NAME": "nobody"}
        ]));
        assert_eq!(
            users,
            [
                UserView { id: 7, name: "Иванова Анна".into(), position: Some("Портье".into()) },
                UserView { id: 8, name: "#8".into(), position: None },
            ]
        );
        assert!(read(&Value::Null).is_empty());
    }
}
