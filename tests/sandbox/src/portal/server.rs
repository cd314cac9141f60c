//! The two HTTP listeners and the thread they live on.

use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

use super::faults::{FaultAnswer, FaultWhen};
use super::php::{self, Params};
use super::requests::Request;
use super::rest::incoming::{Incoming, Raw};
use super::rest::late;
use super::rest::perform::{self, Reply};
use super::state::Shared;
use super::{control, events, frame, oauth, tls};

/// A second handle of a connection, to cut it without an answer.
struct Wire(Option<TcpStream>);

/// What every request sees.
#[derive(Clone)]
pub struct Server {
    /// The portal.
    pub shared: Arc<Shared>,
    oauth_port: u16,
}

fn on_connect(connection: &dyn std::any::Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() {
        let copy = stream.as_fd().try_clone_to_owned().ok().map(TcpStream::from);
        data.insert(Wire(copy));
    }
}

/// Sockets bound beforehand.
pub struct Listeners {
    /// The portal, plain.
    pub portal: Vec<TcpListener>,
    /// The portal's TLS front.
    pub front: Option<TcpListener>,
    /// The OAuth host.
    pub oauth: TcpListener,
}

/// Starts the listeners on a thread of their own; returns the way to stop them.
pub fn start(
    shared: Arc<Shared>,
    listeners: Listeners,
) -> std::io::Result<(ServerHandle, std::thread::JoinHandle<()>)> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("sandbox-portal".into()).spawn(move || {
        let system = actix_web::rt::System::new();
        let result = system.block_on(run(shared, listeners, sender));
        if let Err(error) = result {
            tracing::error!(%error, "the sandbox portal stopped");
        }
    })?;
    let handle = receiver.recv().map_err(|_| std::io::Error::other("the sandbox portal did not start"))?;
    Ok((handle, thread))
}

async fn run(
    shared: Arc<Shared>,
    listeners: Listeners,
    started: std::sync::mpsc::Sender<ServerHandle>,
) -> std::io::Result<()> {
    let Listeners { portal, front, oauth } = listeners;
    let oauth_port = oauth.local_addr()?.port();
    // Both this crate and the product under test may come first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(std::time::Duration::from_secs(30))
        .user_agent("Bitrix24 Webhook Engine")
        .build()
        .map_err(std::io::Error::other)?;
    actix_web::rt::spawn(events::sender::run(Arc::clone(&shared), client));
    actix_web::rt::spawn(late::run(Arc::clone(&shared)));
    if let (Some(front), Some(plain)) = (front, portal.first()) {
        actix_web::rt::spawn(tls::run(front, plain.local_addr()?, shared.renewed.subscribe()));
    }
    let server = Server { shared, oauth_port };
    let mut http = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(server.clone()))
            .app_data(web::PayloadConfig::new(64 << 20))
            .configure(control::configure)
            .configure(frame::configure)
            .configure(crate::ui::portal_pages)
            .default_service(web::to(any))
    })
    .on_connect(on_connect)
    .workers(1)
    .disable_signals()
    .shutdown_timeout(0)
    .keep_alive(std::time::Duration::from_secs(75));
    for listener in portal {
        http = http.listen(listener)?;
    }
    let running = http.listen(oauth)?.run();
    let _ = started.send(running.handle());
    running.await
}

async fn any(request: HttpRequest, server: web::Data<Server>, body: web::Bytes) -> HttpResponse {
    if request.method() == actix_web::http::Method::OPTIONS {
        return cors(HttpResponse::Ok().finish());
    }
    let source = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let raw = Raw {
        verb: request.method().as_str(),
        path: request.path(),
        query: request.query_string(),
        header: &header,
        body: &body,
        source,
    };
    let at_oauth_host = request.app_config().local_addr().port() == server.oauth_port;
    let path: Vec<&str> = request.path().split('/').filter(|part| !part.is_empty()).collect();
    let response = match path.as_slice() {
        ["oauth", "token"] => oauth_host(&server, &raw, "oauth/token", &request).await,
        ["rest", method] if at_oauth_host && method.trim_end_matches(".json").eq_ignore_ascii_case("app.info") => {
            oauth_host(&server, &raw, "oauth/app.info", &request).await
        }
        ["oauth", "authorize"] => authorize(&server, &raw),
        ["rest", ..] => match Incoming::parse(&raw) {
            Some(incoming) => {
                let shared = Arc::clone(&server.shared);
                // The work goes on when the client hangs up, as it does in PHP.
                let reply = actix_web::rt::spawn(perform::serve(shared, incoming)).await.unwrap_or(Reply::Html(500));
                answer(reply, &request)
            }
            None => HttpResponse::NotFound().json(serde_json::json!({
                "error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"
            })),
        },
        _ => HttpResponse::NotFound().content_type("text/html; charset=utf-8").body("<h1>404</h1>"),
    };
    cors(response)
}

fn cors(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("origin, content-type, accept, authorization, idempotency-key"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn json(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("application/json; charset=utf-8")
        .body(body.to_string())
}

fn cut(request: &HttpRequest) -> HttpResponse {
    if let Some(Wire(Some(stream))) = request.conn_data::<Wire>() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    HttpResponse::InternalServerError().finish()
}

fn html(status: u16) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("text/html; charset=utf-8")
        .body(format!("<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center><hr><center>nginx</center></body></html>"))
}

fn answer(reply: Reply, request: &HttpRequest) -> HttpResponse {
    match reply {
        Reply::Json(status, body, headers) => {
            let mut response = json(status, &body);
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        Reply::Half(body) => {
            let text = body.to_string();
            let half = text.chars().take(text.chars().count() / 2).collect::<String>();
            HttpResponse::Ok().content_type("application/json; charset=utf-8").body(half)
        }
        Reply::Html(status) => html(status),
        Reply::Empty => HttpResponse::Ok().finish(),
        Reply::Redirect(to) => HttpResponse::Found().insert_header((header::LOCATION, to)).finish(),
        Reply::Drop => cut(request),
    }
}

/// `/oauth/token/` on both hosts (the cloud proxies it), `/rest/app.info` on the OAuth host.
async fn oauth_host(server: &Server, raw: &Raw<'_>, method: &'static str, request: &HttpRequest) -> HttpResponse {
    let mut params = match php::parse_form(raw.query) {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    let kind = (raw.header)("content-type").unwrap_or_default();
    let body = if kind.starts_with("application/json") {
        serde_json::from_slice(raw.body).unwrap_or_default()
    } else {
        php::parse_form(&String::from_utf8_lossy(raw.body))
    };
    if let Value::Object(map) = body {
        params.extend(map);
    }
    let params = Params(params);
    let (fault, reply) = {
        let mut state = server.shared.lock();
        let fault = oauth::fault(&mut state, method);
        let skipped = fault.as_ref().is_some_and(|fault| {
            fault.when == FaultWhen::Before
                && !matches!(fault.answer, FaultAnswer::Slow(_) | FaultAnswer::Held(_) | FaultAnswer::Truncated)
        });
        let (status, body) = if let Some(answer) = fault.as_ref().and_then(oauth::fault_answer) {
            answer
        } else if skipped {
            (0, Value::Null)
        } else if method == "oauth/token" {
            oauth::token(&mut state, &params)
        } else {
            let bearer = (raw.header)("authorization").and_then(|v| v.strip_prefix("Bearer ").map(str::to_owned));
            oauth::app_info(&state, &params.text("auth").or(bearer).unwrap_or_default())
        };
        let outcome = match &fault {
            Some(_) => "fault".to_owned(),
            None => body.get("error").and_then(php::text).unwrap_or_else(|| "ok".into()),
        };
        let at_ms = state.clock.now_ms();
        state.log.push(Request {
            id: 0,
            at_ms,
            host: "oauth",
            verb: raw.verb.to_owned(),
            method: method.to_owned(),
            commands: Vec::new(),
            status,
            outcome,
            errors: Vec::new(),
            user: 0,
            ms: 0,
            bytes: raw.body.len(),
            agent: (raw.header)("user-agent").unwrap_or_default(),
            params: serde_json::json!({"grant_type": params.text("grant_type"), "query": !raw.query.is_empty()}),
        });
        (fault, (status, body))
    };
    let Some(fault) = fault else { return json(reply.0, &reply.1) };
    match fault.answer {
        FaultAnswer::Drop => cut(request),
        FaultAnswer::Hang(time) => {
            tokio::time::sleep(time).await;
            cut(request)
        }
        FaultAnswer::Slow(time) => {
            tokio::time::sleep(time).await;
            json(reply.0, &reply.1)
        }
        FaultAnswer::Held(hold) => {
            hold.pass().await;
            json(reply.0, &reply.1)
        }
        FaultAnswer::Html(status) => html(status),
        FaultAnswer::Empty => HttpResponse::Ok().finish(),
        FaultAnswer::Redirect(to) => HttpResponse::Found().insert_header((header::LOCATION, to)).finish(),
        FaultAnswer::Truncated => answer(Reply::Half(reply.1), request),
        FaultAnswer::Error { .. } => json(reply.0, &reply.1),
    }
}

/// `/oauth/authorize/`: the current user of the portal's pages agrees at once.
fn authorize(server: &Server, raw: &Raw<'_>) -> HttpResponse {
    let params = Params::new(php::parse_form(raw.query));
    let mut state = server.shared.lock();
    let Some(app) = state.options.app_url.clone() else { return html(404) };
    let (user, now) = (state.current_user, state.clock.now());
    let code = state.tokens.code(user, now);
    let pairs = [
        ("code", code),
        ("state", params.text("state").unwrap_or_default()),
        ("domain", state.addresses.domain.clone()),
        ("member_id", state.member_id.clone()),
        ("scope", state.app.scope.clone()),
        ("server_domain", state.addresses.oauth_domain.clone()),
    ];
    let pairs: Vec<(String, String)> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    HttpResponse::Found().insert_header((header::LOCATION, format!("{app}?{}", php::encode_form(&pairs)))).finish()
}
