//! What people do with a request: every refusal says why.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::DateTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{Bad, Object, boolean, integer, list, text};
use super::once::{Done, named, once};
use super::request_views::{RegisteredRequest, RequestPage};
use super::requests::{find, kind, person, prose, scope};
use crate::domain::support::life::{Action, Reason};
use crate::domain::support::{Kind as RequestKind, Rating, Release, Role, Scope};
use crate::http::HttpState;
use crate::http::auth::Principal;
use crate::http::problem::{Kind, Problem};
use crate::support::Actor;
use crate::support::act::Deed;

const LONG: usize = 20_000;

#[derive(ToSchema)]
#[schema(as = RequestCommentInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct CommentBody {
    #[schema(max_length = 20000)]
    text: String,
    /// Of the desk: `say` where left out, `ask` (the customer is waited for), `answer` (delivered, waits to be confirmed).
    intent: Option<String>,
    /// Of the desk among itself: never shown to the customer.
    internal: Option<bool>,
}

#[derive(ToSchema)]
#[schema(as = RequestOptionsInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct OptionsBody {
    /// Of the desk: 2 to 10 resolutions to choose from.
    options: Option<Vec<String>>,
    text: Option<String>,
    /// Of the customer: the offer, and the place of the chosen one, from 0.
    offer: Option<i32>,
    option: Option<i32>,
}

#[derive(ToSchema)]
#[schema(as = RequestReasonInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct ReasonBody {
    #[schema(max_length = 20000)]
    reason: String,
}

#[derive(ToSchema)]
#[schema(as = RequestRatingInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct RatingBody {
    /// 5 is best.
    #[schema(minimum = 1, maximum = 5)]
    score: u8,
    #[schema(max_length = 20000)]
    text: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = RequestReleaseInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct ReleaseBody {
    #[schema(example = "0.3.0")]
    release: String,
}

#[derive(ToSchema)]
#[schema(as = RequestSplitInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct SplitBody {
    /// Places in `sentences` of the request.
    sentences: Vec<usize>,
    #[schema(max_length = 200)]
    subject: String,
    kind: Option<String>,
    scope: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = RequestAssignInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct AssignBody {
    user_id: i64,
}

#[derive(ToSchema)]
#[schema(as = RequestDeadlineInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct DeadlineBody {
    /// What people agreed on.
    deadline: DateTime<chrono::Utc>,
}

#[derive(ToSchema)]
#[schema(as = RequestLinkInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct LinkBody {
    /// `submitter` or `representative`.
    role: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestLink {
    /// Told this once.
    pub link: String,
}

fn said(body: &mut Object) -> Option<String> {
    body.required("text", filled)
}

fn filled(value: &serde_json::Value) -> Result<String, Bad> {
    let text = prose(LONG)(value)?;
    if text.is_empty() { Err("required".into()) } else { Ok(text) }
}

/// What somebody says; the desk may ask, answer or note besides.
pub fn comment(body: &mut Object) -> Option<Deed> {
    let text = said(body);
    let internal = body.optional("internal", boolean).unwrap_or(false);
    let action = body.optional("intent", |value| match value.as_str() {
        Some("say") => Ok(Action::Say),
        Some("ask") => Ok(Action::Ask),
        Some("answer") => Ok(Action::Answer),
        _ => Err("request_intent"),
    });
    match (text?, internal) {
        (text, true) => Some(Deed::Note(text)),
        (text, false) => Some(Deed::Step { action: action.unwrap_or(Action::Say), text: Some(text) }),
    }
}

/// Options are offered, or one is chosen.
pub fn options(body: &mut Object) -> Option<Deed> {
    if body.has("offer") || body.has("option") {
        let offer = body.required("offer", integer(1, i64::from(i32::MAX)));
        let option = body.required("option", integer(0, 9));
        let small = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        return Some(Deed::Choose { offer: small(offer?), option: small(option?) });
    }
    let words = body.optional("text", prose(LONG)).filter(|text| !text.is_empty());
    let options = body.required("options", |value| {
        let options = list(10, text(500))(value)?;
        if options.len() < 2 { Err(Bad::from("two_options")) } else { Ok(options) }
    });
    Some(Deed::Offer { options: options?, text: words })
}

fn reason(body: &mut Object) -> Option<Reason> {
    body.required("reason", |value| Reason::parse(&prose(LONG)(value)?).map_err(|_| Bad::from("request_reason")))
}

pub fn dispute(body: &mut Object) -> Option<Deed> {
    Some(Deed::Step { action: Action::Dispute(reason(body)?), text: None })
}

pub fn withdraw(body: &mut Object) -> Option<Deed> {
    Some(Deed::Step { action: Action::Withdraw(reason(body)?), text: None })
}

/// What the customer thinks of it, from 1 to 5, with words where there are any.
pub fn rate(body: &mut Object) -> Option<Deed> {
    let rating = body.required("score", |value| {
        Rating::new(integer(1, i64::from(Rating::BEST))(value)?).ok_or(Bad::from("integer"))
    });
    let text = body.optional("text", prose(LONG)).filter(|text| !text.is_empty());
    Some(Deed::Rate { rating: rating?, text })
}

fn fix(body: &mut Object) -> Option<Deed> {
    let release = |value: &serde_json::Value| {
        let text = value.as_str().filter(|text| text.len() <= 40).ok_or("release")?;
        text.trim().parse::<Release>().map_err(|_| Bad::from("release"))
    };
    Some(Deed::Fix(body.required("release", release)?))
}

fn step(action: Action) -> impl Fn(&mut Object) -> Option<Deed> {
    move |_| Some(Deed::Step { action: action.clone(), text: None })
}

/// Whoever is of the desk and not the submitter speaks for the desk; in his own request everybody is the customer.
fn speaker(actor: Actor, deed: &Deed) -> Actor {
    let says = matches!(deed, Deed::Step { action: Action::Say, .. });
    let own = actor.roles.contains(&Role::Submitter);
    if !says || !actor.is_desk() || own {
        return actor;
    }
    actor.at_the_desk()
}

async fn act(
    state: Data<HttpState>,
    who: Principal,
    number: Path<String>,
    request: HttpRequest,
    payload: Payload,
    parse: impl Fn(&mut Object) -> Option<Deed>,
) -> Result<HttpResponse, Problem> {
    let (row, actor) = find(&state, &who, &number).await?;
    let body = Body::optional(&request, payload).await?;
    let deed = body.parse(|body| parse(body))?;
    let (context, name) = (state.clone(), named(&who, &request, &body.raw)?);
    let act = async move {
        let seen = actor.clone();
        let row = context.desk.act_once(&speaker(actor, &deed), &row, &deed, name.as_deref()).await?;
        Done::new(StatusCode::OK, &RequestPage::of(&seen, context.desk.whole(&seen, &row).await?))
    };
    once(&state, &who, &request, &body.raw, act).await
}

macro_rules! acts {
    ($($(#[$meta:meta])* $name:ident($parse:expr);)*) => {
        $($(#[$meta])*
        pub async fn $name(
            state: Data<HttpState>,
            who: Principal,
            number: Path<String>,
            request: HttpRequest,
            payload: Payload,
        ) -> Result<HttpResponse, Problem> {
            act(state, who, number, request, payload, $parse).await
        })*
    };
}

acts! {
    /// Says something, asks the customer, delivers the answer, or notes something for the desk alone
    #[utoipa::path(post, path = "/api/v1/requests/{number}/comments", tag = "support", operation_id = "commentRequest",
        params(("number" = String, Path)), request_body = CommentBody, responses((status = 200, body = RequestPage)))]
    comments(comment);

    /// Offers resolutions to choose from, or chooses one
    #[utoipa::path(post, path = "/api/v1/requests/{number}/options", tag = "support", operation_id = "offerRequestOptions",
        params(("number" = String, Path)), request_body = OptionsBody, responses((status = 200, body = RequestPage)))]
    offer_or_choose(options);

    /// Work begins
    #[utoipa::path(post, path = "/api/v1/requests/{number}/take", tag = "support", operation_id = "takeRequest",
        params(("number" = String, Path)), responses((status = 200, body = RequestPage)))]
    take(step(Action::Take));

    /// The desk goes on without waiting for the customer
    #[utoipa::path(post, path = "/api/v1/requests/{number}/resume", tag = "support", operation_id = "resumeRequest",
        params(("number" = String, Path)), responses((status = 200, body = RequestPage)))]
    resume(step(Action::Resume));

    /// Somebody of the desk becomes responsible
    #[utoipa::path(post, path = "/api/v1/requests/{number}/assign", tag = "support", operation_id = "assignRequest",
        params(("number" = String, Path)), request_body = AssignBody, responses((status = 200, body = RequestPage)))]
    assign(|body| Some(Deed::Assign(body.required("user_id", integer(1, i64::from(i32::MAX)))?)));

    /// People agreed on the solution's day
    #[utoipa::path(post, path = "/api/v1/requests/{number}/deadline", tag = "support", operation_id = "agreeOnRequestDeadline",
        params(("number" = String, Path)), request_body = DeadlineBody, responses((status = 200, body = RequestPage)))]
    deadline(|body| {
        let on = body.required("deadline", |value| {
            let text = value.as_str().filter(|text| text.len() <= 40).ok_or("time")?;
            DateTime::parse_from_rfc3339(text).map_err(|_| "time")
        });
        Some(Deed::Agree(on?.to_utc()))
    });

    /// The submitter confirms; who represents the customer too closes by the same click
    #[utoipa::path(post, path = "/api/v1/requests/{number}/confirm", tag = "support", operation_id = "confirmRequest",
        params(("number" = String, Path)), responses((status = 200, body = RequestPage)))]
    confirm(step(Action::Confirm));

    /// The answer is disputed, with a reason: work goes on
    #[utoipa::path(post, path = "/api/v1/requests/{number}/dispute", tag = "support", operation_id = "disputeRequest",
        params(("number" = String, Path)), request_body = ReasonBody, responses((status = 200, body = RequestPage)))]
    disputed(dispute);

    /// The customer needs no answer any more, with a reason
    #[utoipa::path(post, path = "/api/v1/requests/{number}/withdraw", tag = "support", operation_id = "withdrawRequest",
        params(("number" = String, Path)), request_body = ReasonBody, responses((status = 200, body = RequestPage)))]
    withdrawn(withdraw);

    /// The customer's representative closes what was confirmed
    #[utoipa::path(post, path = "/api/v1/requests/{number}/close", tag = "support", operation_id = "closeRequest",
        params(("number" = String, Path)), responses((status = 200, body = RequestPage)))]
    close(step(Action::Close));

    /// Names the release that fixes it: who reported it is told once his portal runs it
    #[utoipa::path(post, path = "/api/v1/requests/{number}/fix", tag = "support", operation_id = "fixRequestIn",
        params(("number" = String, Path)), request_body = ReleaseBody, responses((status = 200, body = RequestPage)))]
    fixed(fix);

    /// The customer rates how a closed request was solved, once
    #[utoipa::path(post, path = "/api/v1/requests/{number}/rate", tag = "support", operation_id = "rateRequest",
        params(("number" = String, Path)), request_body = RatingBody,
        responses((status = 200, body = RequestPage), (status = 409, description = "`not_closed`, `rated`")))]
    rated(rate);
}

struct Part {
    sentences: BTreeSet<usize>,
    subject: String,
    kind: Option<RequestKind>,
    scope: Option<Scope>,
}

fn part(body: &mut Object) -> Option<Part> {
    let place = |value: &serde_json::Value| {
        let place = integer(0, 10_000)(value)?;
        usize::try_from(place).map_err(|_| Bad::from("integer"))
    };
    let sentences = body.required("sentences", list(1_000, place));
    let subject = body.required("subject", text(200));
    let (kind, scope) = (body.optional("kind", kind), body.optional("scope", scope));
    Some(Part { sentences: sentences?.into_iter().collect(), subject: subject?, kind, scope })
}

/// A part of the request becomes a request of its own (one request, one problem)
#[utoipa::path(post, path = "/api/v1/requests/{number}/split", tag = "support", operation_id = "splitRequest",
    params(("number" = String, Path)), request_body = SplitBody, responses((status = 201, body = RegisteredRequest)))]
pub async fn split(
    state: Data<HttpState>,
    who: Principal,
    number: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (row, actor) = find(&state, &who, &number).await?;
    if !actor.is_desk() {
        return Err(Kind::Forbidden.into());
    }
    let body = Body::read(&request, payload).await?;
    let part = body.parse(part)?;
    let (context, name) = (state.clone(), named(&who, &request, &body.raw)?);
    let act = async move {
        let both = (part.kind, part.scope);
        let made = context.desk.split(&actor, &row, &part.sentences, &part.subject, both, name).await?;
        let view = RegisteredRequest::of(&context, &made, vec![], false);
        let mut done = Done::new(StatusCode::CREATED, &view)?.at(format!("/api/v1/requests/{}", made.row.number));
        done.once_only = &["link"];
        Ok(done)
    };
    Box::pin(once(&state, &who, &request, &body.raw, act)).await
}

/// Makes a link to the request's page for somebody without an account: 90 days, one role
#[utoipa::path(post, path = "/api/v1/requests/{number}/links", tag = "support", operation_id = "linkRequest",
    params(("number" = String, Path)), request_body = LinkBody, responses((status = 201, body = RequestLink)))]
pub async fn link(
    state: Data<HttpState>,
    who: Principal,
    number: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (row, actor) = find(&state, &who, &number).await?;
    let body = Body::read(&request, payload).await?;
    let role = body.parse(|body| {
        body.required("role", |value| match value.as_str() {
            Some("submitter") => Ok(Role::Submitter),
            Some("representative") => Ok(Role::Representative),
            _ => Err("request_role"),
        })
    })?;
    let context = state.clone();
    let act = async move {
        let link = context.desk.make_link(&actor, &row, role).await?;
        let mut done = Done::new(StatusCode::CREATED, &RequestLink { link })?;
        done.once_only = &["link"];
        Ok(done)
    };
    once(&state, &who, &request, &body.raw, act).await
}

/// Every link to the request's page ends
#[utoipa::path(delete, path = "/api/v1/requests/{number}/links", tag = "support", operation_id = "revokeRequestLinks",
    params(("number" = String, Path)), responses((status = 204)))]
pub async fn revoke(state: Data<HttpState>, who: Principal, number: Path<String>) -> Result<HttpResponse, Problem> {
    person(&who)?;
    let (row, actor) = find(&state, &who, &number).await?;
    state.desk.revoke_links(&actor, &row).await?;
    Ok(HttpResponse::NoContent().finish())
}
