//! `/support`: what strangers and holders of a link use. Nothing here knows a session; a link's secret comes as Bearer.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    AUTHORIZATION, CACHE_CONTROL, HeaderValue, ORIGIN, USER_AGENT, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::body::Body;
use super::input::{At, Bad, Object, boolean, text};
use super::letters;
use super::once::digest;
use super::path;
use super::refuse::{internal, invalid_at, not_found};
use super::request_acts::{comment, dispute, options, rate, withdraw};
use super::request_files;
use super::request_views::RequestPage;
use super::requests::{phone, prose};
use crate::domain::PortalId;
use crate::domain::support::life::Action;
use crate::http::lang;
use crate::http::problem::{self, Kind, Problem, localise};
use crate::http::{HttpState, peer, support_pages};
use crate::store::idempotency::{self, Begun, Scope};
use crate::support::Opened;
use crate::support::act::Deed;
use crate::support::forms::CallBack;

const FORM: &str = "call-back";

macro_rules! page {
    ($path:literal, $handler:path) => {
        path($path, vec![(Method::GET, web::get().to($handler)), (Method::HEAD, web::head().to($handler))])
    };
}

/// What another site may ask for, whatever comes of it.
macro_rules! embedded {
    ($path:literal, $method:expr, $route:expr) => {
        path($path, vec![($method, $route), (Method::OPTIONS, web::method(Method::OPTIONS).to(preflight))])
            .wrap(from_fn(sites))
    };
}

pub fn routes() -> impl HttpServiceFactory + 'static {
    let (get, post) = (Method::GET, Method::POST);
    web::scope("/support")
        .wrap(from_fn(localise))
        .service(embedded!("/captcha", get.clone(), web::get().to(captcha)))
        .service(embedded!("/form", get.clone(), web::get().to(form)))
        .service(embedded!("/callbacks", post.clone(), web::post().to(call_back)))
        .service(path("/mail", vec![(Method::POST, web::post().to(letters::take))]))
        .service(path("/link", vec![(get, web::get().to(read))]))
        .service(page!("/file", request_files::read))
        .service(path("/link/files", vec![(post.clone(), web::post().to(hand_in))]))
        .service(path("/link/files/{file}/url", vec![(post.clone(), web::post().to(address))]))
        .service(path("/link/{deed}", vec![(post, web::post().to(act))]))
        .service(page!("/request", support_pages::request))
        .service(page!("/callback", support_pages::call_back))
        .service(page!("/consent", support_pages::consent))
        .service(page!("/callback.js", support_pages::script))
}

/// Headers for a site that may embed the form, on refusals too: a browser shows it nothing without them. None for any other.
async fn sites(
    state: Data<HttpState>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let origin = request.headers().get(ORIGIN).cloned();
    let mut answer = problem::localised(next.call(request).await?);
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let named = |origin: &HeaderValue| {
        let of = |site: &String| origin.to_str().is_ok_and(|origin| origin == site.trim_end_matches('/'));
        state.config.support.allowed_sites.iter().any(of)
    };
    if let Some(origin) = origin.filter(named) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    Ok(answer)
}

async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, Idempotency-Key, Accept-Language"))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

/// `GET /support/captcha`: a puzzle in the form of ALTCHA, for this form, for ten minutes.
async fn captcha(state: Data<HttpState>) -> Result<HttpResponse, Problem> {
    state.desk.public_desk().await?;
    Ok(HttpResponse::Ok().json(state.desk.captcha(FORM)?))
}

/// `GET /support/form`: contacts, and the consent that is asked for.
async fn form(state: Data<HttpState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut shown = state.desk.form(lang::of_request(&request)).await?;
    if let Some(members) = shown.as_object_mut() {
        members.insert("captcha".to_owned(), json!(state.config.support.captcha));
    }
    Ok(HttpResponse::Ok().json(shown))
}

struct Sent {
    name: String,
    phone: String,
    question: String,
    document_version: String,
    captcha: Option<String>,
    abuse: bool,
}

fn sent(body: &mut Object) -> Option<Sent> {
    let name = body.optional("name", prose(200)).unwrap_or_default().replace(['\n', '\r'], " ");
    let phone = body.required("phone", phone);
    let question = body.optional("question", prose(5_000)).unwrap_or_default();
    let document_version = body.object("consent", |consent| consent.required("document_version", text(40)));
    let captcha = body.optional("captcha", text(4_000));
    let abuse = body.optional("abuse", boolean).unwrap_or(false);
    // A field that people do not see: who fills it in is none.
    let filled = |value: &Value| if value.as_str() == Some("") { Ok(()) } else { Err(Bad::from("unknown")) };
    let _ = body.optional("website", filled);
    Some(Sent { name, phone: phone?, question, document_version: document_version?, captcha, abuse })
}

/// `POST /support/callbacks`
async fn call_back(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let desk = state.desk.public_desk().await?;
    let key = key_of(&request)?;
    let body = Body::read(&request, payload).await?;
    let input = body.parse(sent)?;
    let call = CallBack {
        name: input.name,
        phone: input.phone,
        question: input.question,
        document_version: input.document_version,
        captcha: input.captcha,
        abuse: input.abuse,
        lang: lang::of_request(&request),
        address: peer::of(&request, &state.config.http.trusted_proxies),
        user_agent: header(&request, USER_AGENT.as_str(), 300),
        form: FORM,
        once: key.as_ref().map(|key| format!("{FORM} {key} {}", digest(&body.raw))),
    };
    let context = state.clone();
    let act = async move {
        let made = context.desk.call_back(call).await?;
        let link = made.secret.as_ref().map(|secret| context.desk.link_url(secret));
        Ok::<_, Problem>(json!({"number": made.row.number, "link": link}))
    };
    let (status, text) = once(&state, desk, key, "POST /support/callbacks", &body.raw, act).await?;
    Ok(HttpResponse::build(status).content_type("application/json").body(text))
}

fn header(request: &HttpRequest, name: &str, most: usize) -> String {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.chars().take(most).collect()
}

/// On public routes a key is a UUID: nobody guesses another's.
fn key_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().and_then(|text| uuid::Uuid::try_parse(text.trim()).ok());
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key.to_string())),
        _ => Err(invalid_at(At::Header("Idempotency-Key"), "uuid")),
    }
}

/// Carried out once for a key and a byte-equal body.
async fn once(
    state: &HttpState,
    desk: PortalId,
    key: Option<String>,
    route: &str,
    raw: &[u8],
    act: impl Future<Output = Result<Value, Problem>> + 'static,
) -> Result<(StatusCode, String), Problem> {
    let Some(key) = key else {
        let done = actix_web::rt::spawn(act).await.map_err(|error| internal(&error))??;
        return Ok((StatusCode::CREATED, done.to_string()));
    };
    let scope = Scope { portal: desk, principal: "public".to_owned(), route: route.to_owned(), key };
    let tenant = state.directory.key(desk).await?;
    let hash = tenant.hash("idempotency.body_hash", raw);
    match idempotency::begin(&state.db, &tenant, &scope, &hash, state.clock.now_ms()).await? {
        Begun::Repeat { status, body } => {
            let status = StatusCode::from_u16(status).map_err(|error| internal(&error))?;
            Ok((status, String::from_utf8(body).map_err(|error| internal(&error))?))
        }
        Begun::OtherBody => Err(Kind::KeyReused.into()),
        Begun::Busy => Err(Problem::from(Kind::InProgress).retry_after(1)),
        Begun::Act { stamp } => {
            let db = state.db.clone();
            let task = actix_web::rt::spawn(async move {
                match act.await {
                    Ok(done) => {
                        let text = done.to_string();
                        let status = StatusCode::CREATED.as_u16();
                        idempotency::finish(&db, &tenant, &scope, stamp, status, text.as_bytes()).await?;
                        Ok::<_, Problem>(text)
                    }
                    Err(problem) => {
                        idempotency::abandon(&db, &scope, stamp).await?;
                        Err(problem)
                    }
                }
            });
            Ok((StatusCode::CREATED, task.await.map_err(|error| internal(&error))??))
        }
    }
}

/// What came as Bearer.
pub(super) fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret =
        header.and_then(|header| header.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    secret.map(|(_, secret)| secret.trim()).ok_or_else(|| Kind::Unauthenticated.into())
}

/// The request behind the link whose secret was sent.
async fn opened(state: &HttpState, request: &HttpRequest) -> Result<Opened, Problem> {
    match state.desk.open_link(bearer(request)?).await {
        Ok(opened) => Ok(opened),
        // Whoever holds no link that holds is nobody here.
        Err(crate::support::DeskError::NotFound) => Err(Kind::Unauthenticated.into()),
        Err(error) => Err(error.into()),
    }
}

async fn shown(state: &HttpState, opened: &Opened) -> Result<HttpResponse, Problem> {
    let whole = state.desk.whole(&opened.actor, &opened.row).await?;
    let page = RequestPage::of(&opened.actor, whole);
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(page))
}

/// `GET /support/link`: changes nothing.
async fn read(state: Data<HttpState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let opened = opened(&state, &request).await?;
    shown(&state, &opened).await
}

/// `POST /support/link/{comments,options,confirm,dispute,withdraw,close,rate}`: with the rights of the link.
async fn act(
    state: Data<HttpState>,
    deed: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let holder = opened(&state, &request).await?;
    let parse: fn(&mut Object) -> Option<Deed> = match deed.as_str() {
        "comments" => comment,
        "options" => options,
        "dispute" => dispute,
        "withdraw" => withdraw,
        "rate" => rate,
        "confirm" => |_| Some(Deed::Step { action: Action::Confirm, text: None }),
        "close" => |_| Some(Deed::Step { action: Action::Close, text: None }),
        _ => return Err(not_found()),
    };
    let body = Body::optional(&request, payload).await?;
    let step = body.parse(parse)?;
    let key = key_of(&request)?.map(|key| format!("{} {key}", holder.row.number));
    let name = key.as_ref().map(|key| format!("POST /support/link/{deed} {key} {}", digest(&body.raw)));
    let address = peer::of(&request, &state.config.http.trusted_proxies);
    let (desk, route, context) = (holder.row.desk, format!("POST /support/link/{deed}"), state.clone());
    let act = async move {
        context.desk.admit(&holder, address).await?;
        let row = context.desk.act_once(&holder.actor, &holder.row, &step, name.as_deref()).await?;
        Ok(json!({"number": row.number, "state": row.state}))
    };
    once(&state, desk, key, &route, &body.raw, act).await?;
    // What is kept for a repetition holds no words: the holder is shown the request as it stands.
    shown(&state, &opened(&state, &request).await?).await
}

/// `POST /support/link/files`: the bytes are the body, the name stands in `Content-Disposition`.
async fn hand_in(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let holder = opened(&state, &request).await?;
    let upload = request_files::upload(&request)?;
    let name = key_of(&request)?.map(|key| {
        let (number, digest) = (holder.row.number, digest(upload.name.as_bytes()));
        format!("POST /support/link/files {number} {key} {digest}")
    });
    state.desk.admit(&holder, peer::of(&request, &state.config.http.trusted_proxies)).await?;
    Box::pin(state.desk.attach(&holder.actor, &holder.row, upload, payload, name.as_deref())).await?;
    shown(&state, &opened(&state, &request).await?).await
}

/// `POST /support/link/files/{file}/url`
async fn address(state: Data<HttpState>, file: Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let holder = opened(&state, &request).await?;
    request_files::told(&state, &holder.actor, &holder.row, &file).await
}
