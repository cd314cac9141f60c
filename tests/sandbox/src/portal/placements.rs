//! Widgets (facts §9.1).

use serde_json::{Map, Value, json};

use super::error::{RestError, RestResult};
use super::events::rpc::check_handler;
use super::php;
use super::rest::call::{Answer, Call};

/// A bound widget.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Placement {
    /// Id.
    pub id: i64,
    /// Code.
    pub placement: String,
    /// Address.
    pub handler: String,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Texts by language.
    pub langs: Value,
    /// Options kept by the few placements that keep any.
    pub options: Value,
    /// Only for this user; 0 is everybody.
    pub user: i64,
}

/// All widgets.
#[derive(Debug, Default)]
pub struct Placements {
    /// In binding order.
    pub bound: Vec<Placement>,
    next: i64,
}

const CODES: [&str; 16] = [
    "CRM_DEAL_DETAIL_TAB",
    "CRM_DEAL_DETAIL_TOOLBAR",
    "CRM_DEAL_DETAIL_ACTIVITY",
    "CRM_DEAL_LIST_MENU",
    "CRM_DEAL_LIST_TOOLBAR",
    "CRM_CONTACT_DETAIL_TAB",
    "CRM_CONTACT_DETAIL_TOOLBAR",
    "CRM_CONTACT_LIST_MENU",
    "CRM_COMPANY_DETAIL_TAB",
    "LEFT_MENU",
    "TASK_VIEW_TAB",
    "TASK_VIEW_SIDEBAR",
    "TASK_LIST_CONTEXT_MENU",
    "SONET_GROUP_DETAIL_TAB",
    "REST_APP_URI",
    "PAGE_BACKGROUND_WORKER",
];

fn right(call: &Call<'_>) -> RestResult<()> {
    call.need_app()?;
    if call.admin() { Ok(()) } else { Err(RestError::forbidden("Access denied!")) }
}

fn code(call: &Call<'_>) -> RestResult<String> {
    let code = call.params.text("PLACEMENT").unwrap_or_default().to_ascii_uppercase();
    if code.is_empty() {
        return Err(RestError::argument("PLACEMENT", "Argument 'PLACEMENT' is null or empty"));
    }
    if !CODES.contains(&code.as_str()) {
        return Err(RestError::bad("ERROR_PLACEMENT_NOT_FOUND", "Placement not found"));
    }
    Ok(code)
}

/// `placement.bind`.
pub fn bind(call: &mut Call<'_>) -> RestResult<Answer> {
    right(call)?;
    let placement = code(call)?;
    let handler = call.params.text("HANDLER").unwrap_or_default();
    if handler.is_empty() {
        return Err(RestError::argument("HANDLER", "Argument 'HANDLER' is null or empty"));
    }
    check_handler(&handler)?;
    let user = call.params.int("USER_ID").unwrap_or(0);
    let placements = &mut call.state.placements;
    if placements.bound.iter().any(|p| p.placement == placement && p.handler == handler && p.user == user) {
        return Err(RestError::core("Unable to set placement handler: Handler already binded"));
    }
    let single = matches!(placement.as_str(), "REST_APP_URI" | "PAGE_BACKGROUND_WORKER");
    if single && placements.bound.iter().any(|p| p.placement == placement) {
        return Err(RestError::new(200, "ERROR_PLACEMENT_MAX_COUNT", "Placement max count"));
    }
    placements.next += 1;
    placements.bound.push(Placement {
        id: placements.next,
        placement,
        handler,
        title: call.params.text("TITLE").unwrap_or_default(),
        description: call.params.text("DESCRIPTION").unwrap_or_default(),
        langs: call.params.get("LANG_ALL").cloned().unwrap_or_else(|| json!({})),
        options: call.params.get("OPTIONS").cloned().unwrap_or_else(|| json!([])),
        user,
    });
    Ok(Answer::new(true))
}

/// `placement.unbind`: the count is doubled.
pub fn unbind(call: &mut Call<'_>) -> RestResult<Answer> {
    right(call)?;
    let placement = code(call)?;
    let handler = call.params.text("HANDLER").filter(|handler| !handler.is_empty());
    let before = call.state.placements.bound.len();
    call.state
        .placements
        .bound
        .retain(|p| p.placement != placement || handler.as_ref().is_some_and(|handler| p.handler != *handler));
    Ok(Answer::new(json!({"count": 2 * (before - call.state.placements.bound.len())})))
}

/// `placement.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    right(call)?;
    let list: Vec<Value> = call
        .state
        .placements
        .bound
        .iter()
        .map(|p| {
            let langs = match &p.langs {
                Value::Object(map) if !map.is_empty() => p.langs.clone(),
                _ => php::listed(Map::new()),
            };
            json!({"placement": p.placement, "userId": p.user, "handler": p.handler, "options": [],
                   "title": p.title, "description": p.description, "langAll": langs})
        })
        .collect();
    Ok(Answer::new(list))
}

/// `placement.list`.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    Ok(Answer::new(CODES.map(Value::from).to_vec()))
}
