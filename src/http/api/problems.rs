//! The error inbox: what could not be carried over, why, and what to do.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::input::text;
use super::once::{Done, once};
use super::page::{Page, Query};
use super::refuse::not_found;
use super::stays::{codes, narrowed};
use super::time::at;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::{Kind, Problem};
use crate::http::texts;
use crate::sync::views::{ProblemFilter, ProblemView};

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ErrorInboxItem)]
pub struct Item {
    pub id: i64,
    /// `stay:<hotel>:<number>`, `profile:<hotel>:<number>` …
    pub subject: String,
    pub hotel: Option<String>,
    /// Stable code.
    pub cause: String,
    /// `rejected` (the portal said no), `failed` (tries used up), `refused` (we said no), `doubtful` (look at it).
    pub kind: String,
    pub title: String,
    pub hint: String,
    /// Numbers and names of the finding, without guests' data.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
    pub count: i32,
    /// `open`, `retried`, `dismissed`.
    pub state: String,
    pub note: Option<String>,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemState {
    pub id: i64,
    pub state: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct DismissBody {
    /// Why nothing is to be done.
    #[schema(max_length = 500)]
    note: Option<String>,
}

pub(super) const STATES: [&str; 3] = ["open", "retried", "dismissed"];

/// Problems, the latest first; open ones unless `state` says otherwise
#[utoipa::path(get, path = "/api/v1/problems", tag = "problems", operation_id = "listProblems",
    params(("state" = Option<String>, Query), ("kind" = Option<String>, Query), ("cause" = Option<String>, Query),
        ("hotel" = Option<String>, Query),
        ("after" = Option<String>, Query), ("limit" = Option<i64>, Query, minimum = 1, maximum = 200)),
    responses((status = 200, body = Page<Item>)))]
pub async fn list(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeProblems)?;
    let query = Query::read(&request, &["state", "kind", "cause", "hotel", "after", "limit"])?;
    let word = |text: &str| STATES.contains(&text).then(|| text.to_owned());
    let filter = ProblemFilter {
        state: Some(query.parsed("state", "problem_state", word)?.unwrap_or_else(|| "open".into())),
        kind: query.get("kind").map(str::to_owned),
        cause: query.get("cause").map(str::to_owned),
        hotel: narrowed(&state, &who, &query).await?,
    };
    let page = state.engine.problems(who.portal, &filter, query.get("after"), query.limit()?).await?;
    let codes = codes(&state, who.portal).await?;
    let item = |view: ProblemView| {
        let advice = texts::cause(who.lang, &view.cause);
        let code = view.hotel.and_then(|hotel| codes.get(&hotel));
        Item {
            id: view.id,
            subject: named(&view.subject, code.map(|code| code.as_str())),
            hotel: code.map(ToString::to_string),
            cause: view.cause,
            kind: view.kind,
            title: advice.title.to_owned(),
            hint: advice.hint.to_owned(),
            detail: view.params,
            count: view.count,
            state: view.state,
            note: Some(view.note).filter(|note| !note.is_empty()),
            first_at: at(view.first_at),
            last_at: at(view.last_at),
        }
    };
    Ok(HttpResponse::Ok().json(Page { items: page.items.into_iter().map(item).collect(), next: page.next }))
}

/// A subject with the hotel's code instead of our key of it.
fn named(subject: &str, code: Option<&str>) -> String {
    let mut parts = subject.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next(), code) {
        (Some(kind @ ("stay" | "profile" | "group")), Some(_), Some(number), Some(code)) => {
            format!("{kind}:{code}:{number}")
        }
        _ => subject.to_owned(),
    }
}

/// A key of some hotels acts on no problem: problems are not told apart by hotel here.
pub(super) fn whole(who: &Principal) -> Result<(), Problem> {
    if who.hotels.is_some() { Err(Kind::Forbidden.into()) } else { Ok(()) }
}

/// Tries the record again at once
#[utoipa::path(post, path = "/api/v1/problems/{id}/retry", tag = "problems", operation_id = "retryProblem",
    params(("id" = i64, Path)), responses((status = 200, body = ItemState)))]
pub async fn retry(
    state: Data<HttpState>,
    who: Principal,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::HandleProblems)?;
    whole(&who)?;
    let id = id.parse::<i64>().map_err(|_| not_found())?;
    let raw = Body::none(&request, payload).await?;
    let (context, portal) = (state.clone(), who.portal);
    once(&state, &who, &request, &raw, async move {
        context.engine.retry_problem(portal, id).await?;
        context.engine.wake();
        Done::new(StatusCode::OK, &ItemState { id, state: "retried".into() })
    })
    .await
}

/// Puts a problem away, saying why
#[utoipa::path(post, path = "/api/v1/problems/{id}/dismiss", tag = "problems", operation_id = "dismissProblem",
    params(("id" = i64, Path)), request_body = DismissBody, responses((status = 200, body = ItemState)))]
pub async fn dismiss(
    state: Data<HttpState>,
    who: Principal,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require(&who, Right::HandleProblems)?;
    whole(&who)?;
    let id = id.parse::<i64>().map_err(|_| not_found())?;
    let body = Body::optional(&request, payload).await?;
    let note = body.parse(|body| Some(body.optional("note", text(500)).unwrap_or_default()))?;
    let (context, portal) = (state.clone(), who.portal);
    once(&state, &who, &request, &body.raw, async move {
        context.engine.dismiss_problem(portal, id, &note).await?;
        Done::new(StatusCode::OK, &ItemState { id, state: "dismissed".into() })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn s49_a_subject_is_shown_by_the_hotels_code() {
        assert_eq!(named("stay:17:50117", Some("GRAND")), "stay:GRAND:50117");
        assert_eq!(named("profile:17:8", Some("GRAND")), "profile:GRAND:8");
        assert_eq!(named("group:17:G8", Some("GRAND")), "group:GRAND:G8");
        assert_eq!(named("stay:17:50117", None), "stay:17:50117");
        assert_eq!(named("crm:2:8", Some("GRAND")), "crm:2:8");
    }
}
