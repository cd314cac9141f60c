//! Support requests: reported, listed, read (contract, "support desk"). Who may see one is the desk's to say (`support::act`).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::DateTime;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Body;
use super::input::{Bad, Object, boolean, text};
use super::once::{Done, named, once};
use super::page::{Page, Query};
use super::refuse::not_found;
use super::request_views::{RegisteredRequest, RequestPage, RequestView};
use crate::domain::support::hint::second_problem;
use crate::domain::support::{Kind as RequestKind, Priority, RequestNumber, Scope, State};
use crate::http::HttpState;
use crate::http::auth::{Principal, PrincipalKind, Right, require};
use crate::http::problem::{Kind, Problem};
use crate::mail;
use crate::store::desk::requests::RequestRow;
use crate::store::desk::search::{Filter, Whose};
use crate::support::content::{Content, call_back_subject, email_hash, login_hash, phone_hash};
use crate::support::{Actor, Submission};

const LONG: usize = 20_000;
/// What a list is asked by.
const KNOWN: [&str; 14] = [
    "number", "task", "state", "kind", "priority", "release", "customer", "phone", "email", "login", "from", "to",
    "after", "limit",
];

/// Members left out of the portal's own reports are filled in: the portal's link, who reports.
#[derive(ToSchema)]
#[schema(as = RequestInput)]
#[expect(dead_code, reason = "describes a body in the OpenAPI document")]
pub struct RequestBody {
    /// `app` where left out; `phone`: the operator's quick form, of the desk only.
    channel: Option<String>,
    /// `incident` where left out.
    kind: Option<String>,
    /// `user` where left out.
    scope: Option<String>,
    #[schema(max_length = 200)]
    subject: Option<String>,
    #[schema(max_length = 20000)]
    description: Option<String>,
    /// Page, versions, last errors, ids of operations; secrets, phones and e-mails are masked.
    #[schema(max_length = 20000)]
    conditions: Option<String>,
    login: Option<String>,
    portal: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    app_version: Option<String>,
    /// There is no screenshot or recording.
    no_picture: Option<bool>,
}

/// Text of several lines, trimmed; nothing is nothing.
pub fn prose(max: usize) -> impl Fn(&Value) -> Result<String, Bad> {
    move |value| {
        let text = value.as_str().ok_or("text")?.trim();
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err("control_characters".into());
        }
        if text.chars().count() > max {
            return Err(Bad::with("too_long", [("max", max.to_string())]));
        }
        Ok(text.to_owned())
    }
}

/// A number that somebody can be called at.
pub fn phone(value: &Value) -> Result<String, Bad> {
    let text = text(40)(value)?;
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let plain = text.chars().all(|c| c.is_ascii_digit() || " +()-.;,/доб#xextр".contains(c));
    if plain && (5..=20).contains(&digits) { Ok(text) } else { Err("phone".into()) }
}

pub(super) fn kind(value: &Value) -> Result<RequestKind, Bad> {
    value.as_str().and_then(RequestKind::parse).ok_or_else(|| "request_kind".into())
}

pub(super) fn scope(value: &Value) -> Result<Scope, Bad> {
    value.as_str().and_then(Scope::parse).ok_or_else(|| "request_scope".into())
}

struct Input {
    phone_channel: bool,
    kind: Option<RequestKind>,
    scope: Option<Scope>,
    portal_told: bool,
    app_version: String,
    content: Content,
}

fn read(body: &mut Object) -> Option<Input> {
    let channel = body.optional("channel", |value| match value.as_str() {
        Some("app") => Ok(false),
        Some("phone") => Ok(true),
        _ => Err("request_channel"),
    });
    let phone_channel = channel.unwrap_or(false);
    let (kind, scope) = (body.optional("kind", kind), body.optional("scope", scope));
    let portal_told = body.given("portal");
    let subject = body.optional("subject", prose(200)).unwrap_or_default();
    let description = body.optional("description", prose(LONG)).unwrap_or_default();
    if !phone_channel && subject.is_empty() && !body.failed("subject") {
        body.reject("subject", "required");
    }
    if !phone_channel && description.is_empty() && !body.failed("description") {
        body.reject("description", "required");
    }
    let called = |value: &Value| if value.as_str() == Some("") { Ok(String::new()) } else { phone(value) };
    let written = |value: &Value| {
        let text = value.as_str().map(str::trim).filter(|text| text.len() <= 254).ok_or("email")?;
        if text.is_empty() {
            return Ok(String::new());
        }
        mail::address(text).map(|address| address.to_string()).ok_or(Bad::from("email"))
    };
    let mut line = |member: &str, max| body.optional(member, prose(max)).unwrap_or_default().replace(['\n', '\r'], " ");
    let (login, portal, name) = (line("login", 200), line("portal", 500), line("name", 200));
    let app_version = line("app_version", 40);
    let conditions = body.optional("conditions", prose(LONG)).unwrap_or_default();
    let content = Content {
        subject,
        description,
        conditions,
        login,
        portal,
        name,
        phone: body.optional("phone", called).unwrap_or_default(),
        email: body.optional("email", written).unwrap_or_default(),
        no_picture: body.optional("no_picture", boolean).unwrap_or(false),
        letter: String::new(),
    };
    if phone_channel && content.phone.is_empty() && !body.failed("phone") {
        body.reject("phone", "required");
    }
    Some(Input { phone_channel, kind, scope, portal_told, app_version, content })
}

/// Requests are people's: a key reports and reads none.
pub(super) fn person(who: &Principal) -> Result<i64, Problem> {
    require(who, Right::Known)?;
    match who.kind {
        PrincipalKind::User { .. } => Ok(who.user_id),
        PrincipalKind::Key { .. } => Err(Kind::Forbidden.into()),
    }
}

/// The request of this number, and what the caller is to it; who is nothing to it learns nothing of it.
pub(super) async fn find(state: &HttpState, who: &Principal, number: &str) -> Result<(RequestRow, Actor), Problem> {
    let user = person(who)?;
    let number: RequestNumber = number.parse().map_err(|_| not_found())?;
    let row = state.desk.find(who.portal, number).await?;
    let actor = state.desk.actor(&row, who.portal, user, who.admin, &who.roles).await?;
    if actor.roles.is_empty() { Err(not_found()) } else { Ok((row, actor)) }
}

/// Reports a problem, or registers a call
#[utoipa::path(post, path = "/api/v1/requests", tag = "support", operation_id = "createRequest",
    request_body = RequestBody, responses((status = 201, body = RegisteredRequest)))]
pub async fn create(
    state: Data<HttpState>,
    who: Principal,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let user = person(&who)?;
    let body = Body::read_up_to(256 * 1024, &request, payload).await?;
    let input = body.parse(read)?;
    let by_phone = input.phone_channel;
    if by_phone && !(state.desk.is_desk(who.portal).await? && who.may(Right::WorkRequests)) {
        return Err(Kind::Forbidden.into());
    }
    let (context, caller, name) = (state.clone(), who.clone(), named(&who, &request, &body.raw)?);
    let act = async move {
        let state = context;
        let desk = if by_phone { caller.portal } else { state.desk.desk_of(caller.portal).await? };
        let mut content = input.content;
        if by_phone && content.subject.is_empty() {
            content.subject = call_back_subject(caller.lang).to_owned();
        }
        if !by_phone && !input.portal_told {
            content.portal = format!("https://{}/", state.directory.get(caller.portal).await?.domain);
        }
        let hint = second_problem(&content.description).is_some();
        let missing = content.missing().iter().map(|item| item.word().to_owned()).collect();
        let by =
            if by_phone { crate::domain::support::Role::Operator } else { crate::domain::support::Role::Submitter };
        let submission = Submission {
            customer: (!by_phone).then_some(caller.portal),
            submitter: (!by_phone).then_some(user),
            kind: input.kind.unwrap_or(if by_phone { RequestKind::Service } else { RequestKind::Incident }),
            scope: input.scope.unwrap_or(Scope::User),
            channel: if by_phone { "phone" } else { "app" },
            app_version: if by_phone { String::new() } else { input.app_version },
            lang: caller.lang,
            content,
            once: name,
            parent: None,
            by: Actor { roles: [by].into(), user: Some(user), via: None },
            link: by_phone,
            consent: None,
            gate: None,
        };
        let made = state.desk.register(desk, submission).await?;
        let view = RegisteredRequest::of(&state, &made, missing, hint);
        let mut done = Done::new(StatusCode::CREATED, &view)?.at(format!("/api/v1/requests/{}", made.row.number));
        done.once_only = &["link"];
        Ok(done)
    };
    once(&state, &who, &request, &body.raw, act).await
}

/// Requests: all that the desk works, else all of the portal or one's own; the newest first
#[utoipa::path(get, path = "/api/v1/requests", tag = "support", operation_id = "listRequests",
    params(("number" = Option<String>, Query),
        ("task" = Option<i64>, Query, description = "a task of the caller's portal: the request that it stands for"), ("state" = Option<String>, Query), ("kind" = Option<String>, Query),
        ("priority" = Option<String>, Query), ("release" = Option<String>, Query, description = "that fixes it"), ("customer" = Option<String>, Query, description = "`member_id`; of a desk's list"),
        ("phone" = Option<String>, Query), ("email" = Option<String>, Query), ("login" = Option<String>, Query),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("after" = Option<String>, Query), ("limit" = Option<i64>, Query, minimum = 1, maximum = 200)),
    responses((status = 200, body = Page<RequestView>)))]
pub async fn list(state: Data<HttpState>, who: Principal, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let user = person(&who)?;
    let query = Query::read(&request, &KNOWN)?;
    let limit = query.limit()?;
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis());
    let mut filter = Filter {
        state: query.parsed("state", "request_state", State::parse)?,
        kind: query.parsed("kind", "request_kind", RequestKind::parse)?,
        priority: query.parsed("priority", "request_priority", Priority::parse)?,
        release: query.parsed("release", "release", |text| text.trim().parse().ok())?,
        from: query.parsed("from", "time", time)?,
        to: query.parsed("to", "time", time)?,
        after: query.parsed("after", "after", |text| {
            let (at, id) = text.split_once('.')?;
            Some((at.parse().ok()?, id.parse().ok()?))
        })?,
        ..Filter::default()
    };
    let number = query.parsed("number", "request_number", |text| text.trim().parse::<RequestNumber>().ok())?;
    if let Some(number) = number {
        return alone(&state, &who, Some(number)).await;
    }
    if let Some(task) = query.parsed("task", "id", |text| text.parse::<i64>().ok())? {
        return alone(&state, &who, state.desk.of_task(who.portal, task).await?).await;
    }
    let works = state.desk.is_desk(who.portal).await? && who.may(Right::WorkRequests);
    let desk = if works { who.portal } else { state.desk.desk_of(who.portal).await? };
    let whose = if works {
        Whose::Desk(who.portal)
    } else if state.desk.represents(desk, who.portal, user, who.admin).await? {
        Whose::Customer(who.portal)
    } else {
        Whose::Submitter(who.portal, user)
    };
    let key = state.desk.search_key(desk).await?;
    filter.phone = query.get("phone").map(|text| phone_hash(&key, text));
    filter.email = query.get("email").map(|text| email_hash(&key, text));
    filter.login = query.get("login").map(|text| login_hash(&key, text));
    if let Some(member) = query.get("customer").filter(|_| works) {
        match state.directory.by_member(member).await? {
            Some(portal) => filter.customer = Some(portal.id),
            None => return Ok(HttpResponse::Ok().json(Page::<RequestView>::whole(vec![]))),
        }
    }
    let rows = state.desk.list(whose, &filter, limit + 1).await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    let last = rows.get(most.saturating_sub(1)).filter(|_| more);
    let next = last.map(|last| format!("{}.{}", last.row.created_at, last.row.id));
    Ok(HttpResponse::Ok().json(Page { items: rows.iter().take(most).map(RequestView::listed).collect(), next }))
}

/// A list of the one request that is meant, if the caller may see it.
async fn alone(state: &HttpState, who: &Principal, number: Option<RequestNumber>) -> Result<HttpResponse, Problem> {
    let mut items = Vec::new();
    if let Some(number) = number {
        match find(state, who, &number.to_string()).await {
            Ok((row, actor)) => {
                let whole = state.desk.whole(&actor, &row).await?;
                items.push(RequestView::of(&whole.row, whole.content.as_ref(), &whole.clocks));
            }
            Err(problem) if problem.kind == Kind::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(HttpResponse::Ok().json(Page::whole(items)))
}

/// One request, as much of it as the caller may see
#[utoipa::path(get, path = "/api/v1/requests/{number}", tag = "support", operation_id = "getRequest",
    params(("number" = String, Path)), responses((status = 200, body = RequestPage)))]
pub async fn get(state: Data<HttpState>, who: Principal, number: Path<String>) -> Result<HttpResponse, Problem> {
    let (row, actor) = find(&state, &who, &number).await?;
    Ok(HttpResponse::Ok().json(RequestPage::of(&actor, state.desk.whole(&actor, &row).await?)))
}

/// The whole history with its proof: salts, commitments and hashes
#[utoipa::path(get, path = "/api/v1/requests/{number}/history", tag = "support", operation_id = "exportRequest",
    params(("number" = String, Path)), responses((status = 200, body = Object)))]
pub async fn history(state: Data<HttpState>, who: Principal, number: Path<String>) -> Result<HttpResponse, Problem> {
    let (row, actor) = find(&state, &who, &number).await?;
    Ok(HttpResponse::Ok().json(state.desk.export(&actor, &row).await?))
}
