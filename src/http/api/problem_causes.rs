//! The error inbox by cause: how much there is of each, and all of one tried again or put away.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{Object, text};
use super::once::{Done, once};
use super::page::{Page, Query};
use super::problems::{STATES, whole};
use super::stays::narrowed;
use super::time::at;
use crate::http::HttpState;
use crate::http::auth::{Principal, Right, require};
use crate::http::problem::Problem;
use crate::http::texts;
use crate::store::remedies::Action;
use crate::sync::retry::CauseView;

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProblemCause)]
pub struct Cause {
    /// Stable code.
    pub cause: String,
    /// `rejected` (the portal said no), `failed` (tries used up), `refused` (we said no), `doubtful` (look at it).
    pub kind: String,
    pub title: String,
    pub hint: String,
    /// Records it is told of.
    pub records: i64,
    /// How often it was told of them.
    pub times: i64,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    /// `retry` or `dismiss`: what is being done to all of them now.
    pub action: Option<String>,
    /// Whether all of them may be tried again at once; what people must look into is tried record by record.
    pub may_retry_all: bool,
}

/// Which problems of the cause: those of one kind.
#[derive(ToSchema)]
#[schema(as = CauseRetryInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct RetryBody {
    #[schema(example = "failed")]
    kind: String,
}

#[derive(ToSchema)]
#[schema(as = CauseDismissInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct DismissBody {
    #[schema(example = "rejected")]
    kind: String,
    /// Why nothing is to be done.
    #[schema(max_length = 500)]
    note: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CauseAction {
    pub cause: String,
    pub kind: String,
    /// `retry` or `dismiss`
    pub action: String,
    /// Problems it is about.
    pub records: i64,
}

const KINDS: [&str; 4] = ["rejected", "failed", "refused", "doubtful"];

fn kind(value: &Value) -> Result<String, &'static str> {
    let word = value.as_str().ok_or("problem_kind")?;
    if KINDS.contains(&word) { Ok(word.to_owned()) } else { Err("problem_kind") }
}

/// Problems by cause with their numbers; open ones unless `state` says otherwise
#[utoipa::path(get, path = "/api/v1/problems/causes", tag = "problems", operation_id = "listProblemCauses",
    params(("state" = Option<String>, Query), ("hotel" = Option<String>, Query)),
    responses((status = 200, body = Page<Cause>)))]
pub async fn list(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    require(&who, Right::SeeProblems)?;
    let query = Query::read(&request, &["state", "hotel"])?;
    let word = |text: &str| STATES.contains(&text).then(|| text.to_owned());
    let of = query.parsed("state", "problem_state", word)?.unwrap_or_else(|| "open".into());
    let hotel = narrowed(&state, &who, &query).await?;
    let causes = state.engine.problem_causes(who.portal, &of, hotel).await?;
    let item = |view: CauseView| {
        let may_retry_all = view.may_retry_all();
        let CauseView { of, action } = view;
        let advice = texts::cause(who.lang, &of.cause);
        Cause {
            cause: of.cause,
            kind: of.kind,
            title: advice.title.to_owned(),
            hint: advice.hint.to_owned(),
            records: of.records,
            times: of.times,
            first_at: at(of.first_at),
            last_at: at(of.last_at),
            action: action.map(|action| action.word().to_owned()),
            may_retry_all,
        }
    };
    Ok(HttpResponse::Ok().json(Page::whole(causes.into_iter().map(item).collect())))
}

/// Tries all open problems of a cause again
///
/// They are seen to in steps, in the lanes they were in: what is new does not wait for them.
#[utoipa::path(post, path = "/api/v1/problems/causes/{cause}/retry", tag = "problems",
    operation_id = "retryProblemCause", params(("cause" = String, Path, example = "crm.failed")),
    request_body = RetryBody,
    responses((status = 202, body = CauseAction), (status = 409, description = "`cause_one_by_one`")))]
pub async fn retry(
    state: Data<HttpState>,
    who: Principal,
    cause: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let read = |body: &mut Object| Some((body.required("kind", kind)?, String::new()));
    act(state, who, cause.into_inner(), Action::Retry, read, (request, payload)).await
}

/// Puts all open problems of a cause away, saying why
#[utoipa::path(post, path = "/api/v1/problems/causes/{cause}/dismiss", tag = "problems",
    operation_id = "dismissProblemCause", params(("cause" = String, Path, example = "crm.rejected")),
    request_body = DismissBody, responses((status = 202, body = CauseAction)))]
pub async fn dismiss(
    state: Data<HttpState>,
    who: Principal,
    cause: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let read = |body: &mut Object| {
        let note = body.optional("note", text(500)).unwrap_or_default();
        Some((body.required("kind", kind)?, note))
    };
    act(state, who, cause.into_inner(), Action::Dismiss, read, (request, payload)).await
}

async fn act(
    state: Data<HttpState>,
    who: Principal,
    cause: String,
    action: Action,
    read: impl FnOnce(&mut Object) -> Option<(String, String)>,
    (request, payload): (HttpRequest, Payload),
) -> Result<HttpResponse, Problem> {
    require(&who, Right::HandleProblems)?;
    whole(&who)?;
    let body = Body::read(&request, payload).await?;
    let (kind, note) = body.parse(read)?;
    let (context, portal, user) = (state.clone(), who.portal, who.user_id);
    once(&state, &who, &request, &body.raw, async move {
        let records =
            context.engine.remedy(portal, None, (kind.as_str(), cause.as_str()), (action, note.as_str()), user).await?;
        Done::new(StatusCode::ACCEPTED, &CauseAction { cause, kind, action: action.word().to_owned(), records })
    })
    .await
}
