//! The wrapper's HTTP side: one POST, one document; answers of any size are streamed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::Serialize;

use super::answer::{Refusal, TAIL, encode, head, open, pack, unpack};
use super::dice::Dice;
use super::faults::{Fault, Faults};
use super::knobs::{Knobs, Packing, TextEncoding};
use super::message::{Prepared, carry_out, frame, whole};
use super::request;
use super::state::HotelState;
use super::{Answered, query};

/// Rows written under one lock while streaming.
const CHUNK: usize = 250;

/// One request as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    pub at: DateTime<Utc>,
    /// `Reservation`, `Profile`, `cancel` …, in order.
    pub types: Vec<String>,
    pub names: Vec<String>,
    pub packed: bool,
    /// The status answered, or the fault.
    pub status: String,
    pub rows: usize,
    /// The document, its password masked; long ones are cut.
    pub body: String,
}

/// What the server's threads share.
#[derive(Debug, Clone)]
pub struct Shared {
    pub state: Arc<Mutex<HotelState>>,
    pub faults: Faults,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Requests kept; older ones go.
    pub keep: usize,
    pub in_flight: Arc<std::sync::atomic::AtomicUsize>,
    /// The most requests that were ever open at once.
    pub most_at_once: Arc<std::sync::atomic::AtomicUsize>,
    /// Milliseconds between two events of the living day; 0: nothing happens by itself.
    pub speed: Arc<std::sync::atomic::AtomicU64>,
    pub dice: Arc<Mutex<Dice>>,
}

impl Shared {
    /// Lets one thing happen at the desk.
    pub fn tick(&self) -> Option<i64> {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        super::day::tick(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), &mut dice)
    }
}

/// A second handle to the connection's socket, to end it without an answer.
pub struct Socket(pub std::net::TcpStream);

/// Where a streamed answer has got to.
enum Progress {
    Head,
    /// Part, key within it.
    Rows(usize, usize),
    Tail,
    Done,
}

fn streamed(shared: Shared, prepared: Prepared) -> HttpResponse {
    let encoding = prepared.knobs.encoding;
    let next = move |(shared, prepared, progress): (Shared, Prepared, Progress)| async move {
        let mut out = String::new();
        let progress = match progress {
            Progress::Head => {
                out.push_str(&head(&prepared.knobs, &prepared.request.version));
                out.push_str(&open(&prepared.knobs, &prepared.request.id));
                Progress::Rows(0, 0)
            }
            Progress::Rows(part, key) => {
                let (before, after) = frame(&prepared, part);
                if key == 0 {
                    out.push_str(&before);
                }
                let answered = prepared.parts.get(part).map(|(_, _, a)| a);
                let keys = answered.map(Answered::keys).unwrap_or_default();
                let upto = keys.len().min(key + CHUNK);
                if let Some(answered) = answered {
                    let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                    query::write_rows(&state, answered, keys.get(key..upto).unwrap_or_default(), &mut out);
                }
                if upto < keys.len() {
                    Progress::Rows(part, upto)
                } else {
                    out.push_str(&after);
                    if part + 1 < prepared.parts.len() { Progress::Rows(part + 1, 0) } else { Progress::Tail }
                }
            }
            Progress::Tail => {
                out.push_str(TAIL);
                Progress::Done
            }
            Progress::Done => return None,
        };
        Some((Ok::<_, std::io::Error>(Bytes::from(encode(&out, encoding))), (shared, prepared, progress)))
    };
    HttpResponse::Ok()
        .content_type("text/xml")
        .streaming(stream::unfold((shared, prepared, Progress::Head), next).fuse_boxed())
}

/// Boxes a stream so that its type can be named and polled anywhere.
trait FuseBoxed: Sized {
    fn fuse_boxed(self) -> std::pin::Pin<Box<Self>>;
}

impl<S: stream::Stream> FuseBoxed for S {
    fn fuse_boxed(self) -> std::pin::Pin<Box<Self>> {
        Box::pin(self)
    }
}

fn wants_packed(headers: &HeaderMap, knobs: &Knobs) -> bool {
    let asks = headers.get("V8-supported").and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("Zip/Msg"));
    match knobs.packing {
        Packing::Never => false,
        Packing::Always => true,
        Packing::WhenAsked => asks,
    }
}

fn body_response(text: &str, knobs: &Knobs, packed: bool) -> HttpResponse {
    let plain = encode(text, knobs.encoding);
    if !packed {
        return HttpResponse::Ok().content_type("text/xml").body(plain);
    }
    match pack(&plain, knobs) {
        Ok(body) => HttpResponse::Ok().insert_header((CONTENT_TYPE, "V8/ZIP")).body(body),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

fn html(status: u16) -> HttpResponse {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let page = format!(
        "<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>Server Error</h1>\
         <h2>{status} - Internal server error.</h2></body></html>"
    );
    HttpResponse::build(code).content_type("text/html; charset=utf-8").body(page)
}

/// Masks the password the way our logs must.
fn masked(document: &str) -> String {
    let cut: String = document.chars().take(16_384).collect();
    match cut.split_once("Password=") {
        Some((before, rest)) => {
            let quote = rest.chars().next().unwrap_or('"');
            let after = rest.splitn(3, quote).nth(2).unwrap_or_default();
            format!("{before}Password={quote}***{quote}{after}")
        }
        None => cut,
    }
}

fn names_property(query: &str) -> bool {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, value)| name.eq_ignore_ascii_case("ic") && value.eq_ignore_ascii_case(super::PROPERTY))
}

struct Open(Arc<std::sync::atomic::AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
    }
}

/// `POST …/FidelioXMLInterface.DataHandler`.
pub async fn handle(request: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let mut response = carried(request, body, &shared).await;
    let date = shared.state.lock().unwrap_or_else(PoisonError::into_inner).http_date();
    if let Some(Ok(date)) = date.as_deref().map(HeaderValue::from_str) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

async fn carried(request: HttpRequest, body: Bytes, shared: &web::Data<Shared>) -> HttpResponse {
    use std::sync::atomic::Ordering::SeqCst;
    let started = Instant::now();
    let shared = shared.get_ref().clone();
    let now_open = shared.in_flight.fetch_add(1, SeqCst) + 1;
    shared.most_at_once.fetch_max(now_open, SeqCst);
    let _open = Open(shared.in_flight.clone());

    // What the wrapper says to a property it does not serve is stated nowhere; it cannot be an answer of the interface.
    if !names_property(request.query_string()) {
        return html(500);
    }
    let knobs = shared.state.lock().unwrap_or_else(PoisonError::into_inner).knobs.clone();
    let packed_in = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.to_ascii_uppercase().contains("V8/ZIP"));
    let packed_out = wants_packed(request.headers(), &knobs);
    let document = if packed_in { unpack(&body) } else { Some(body.to_vec()) }.map(|bytes| request::decode(&bytes));
    let read = match &document {
        Some(text) => request::parse(text).and_then(|root| request::read(&root)),
        None => Err(Refusal::invalid("The packed request cannot be unpacked")),
    };
    let (types, names) = match &read {
        Ok(r) => (
            r.operations.iter().map(|o| o.what.clone()).collect::<Vec<_>>(),
            r.operations.iter().filter_map(|o| o.name.clone()).collect::<Vec<_>>(),
        ),
        Err(_) => Default::default(),
    };
    let fault = shared.faults.take(&[types.clone(), names.clone()].concat());
    let mut seen = Seen {
        at: Utc::now(),
        types,
        names,
        packed: packed_in,
        status: String::new(),
        rows: 0,
        body: masked(document.as_deref().unwrap_or("(not readable)")),
    };
    let remember = |seen: Seen| {
        let mut all = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= shared.keep {
            all.drain(..shared.keep / 2 + 1);
        }
        all.push(seen);
    };
    let cut_off = || {
        if let Some(socket) = request.conn_data::<Socket>() {
            // The peer may be gone already; either way the connection is over.
            let _ = socket.0.shutdown(std::net::Shutdown::Both);
        }
        HttpResponse::Ok().finish()
    };
    if !knobs.latency.is_zero() {
        actix_web::rt::time::sleep(knobs.latency).await;
    }
    if let Some(fault) = &fault {
        seen.status = format!("{fault:?}");
        match fault {
            Fault::Delay(time) => actix_web::rt::time::sleep(*time).await,
            Fault::DropBefore => {
                remember(seen);
                return cut_off();
            }
            Fault::Html(status) => {
                remember(seen);
                return html(*status);
            }
            Fault::Empty => {
                remember(seen);
                return HttpResponse::Ok().content_type("text/xml").finish();
            }
            Fault::Garbage(text) => {
                remember(seen);
                return HttpResponse::Ok().content_type("text/xml").body(text.clone());
            }
            Fault::DropAfter | Fault::Truncated | Fault::Broken | Fault::Status(..) => {}
        }
    }
    let version = read.as_ref().map_or("1.1.0", |r| r.version.as_str()).to_owned();
    let outcome = match (read, &fault) {
        (Err(refusal), _) => Err(refusal),
        (Ok(request), Some(Fault::Status(code, message))) => {
            let known = ["CO", "IA", "NG", "GA", "NP", "UR", "IR", "IC", "AD", "GF"];
            let status = known.into_iter().find(|k| k == code).unwrap_or("ZZ");
            Err(Refusal { id: request.id, status, message: message.clone() })
        }
        (Ok(request), _) => {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            match carry_out(&mut state, &request) {
                Ok(parts) => Ok(Prepared { request, knobs: state.knobs.clone(), parts }),
                // Whoever does not log in gets no echo of the id (facts E5).
                Err(refusal) if refusal.status == "IC" => Err(refusal),
                Err(refusal) => Err(Refusal { id: request.id, ..refusal }),
            }
        }
    };
    if seen.status.is_empty() {
        seen.status = outcome.as_ref().map_or_else(|r| r.status.to_owned(), |_| "OK".to_owned());
    }
    seen.rows = outcome.as_ref().map_or(0, Prepared::rows);
    tracing::debug!(types = ?seen.types, status = %seen.status, rows = seen.rows, spent = ?started.elapsed(), "answered");
    remember(seen);
    if fault == Some(Fault::DropAfter) {
        return cut_off();
    }
    let cut_short = matches!(fault, Some(Fault::Truncated | Fault::Broken));
    let prepared = match outcome {
        Ok(prepared) if !packed_out && !cut_short && prepared.keys() > CHUNK => return streamed(shared, prepared),
        other => other,
    };
    let text = match &prepared {
        Ok(prepared) => whole(&shared.state.lock().unwrap_or_else(PoisonError::into_inner), prepared),
        Err(refusal) => refusal.to_xml(&knobs, &version),
    };
    match fault {
        Some(Fault::Truncated) => {
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            if packed_out {
                let bytes = pack(text.as_bytes(), &knobs).unwrap_or_default();
                let half = bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec();
                return HttpResponse::Ok().insert_header((CONTENT_TYPE, "V8/ZIP")).body(half);
            }
            body_response(&half, &knobs, false)
        }
        Some(Fault::Broken) => {
            let half = Bytes::from(encode(
                &text.chars().take(text.chars().count() / 2).collect::<String>(),
                TextEncoding::Utf8,
            ));
            let parts = vec![Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
            HttpResponse::Ok().content_type("text/xml").streaming(stream::iter(parts))
        }
        _ => body_response(&text, &knobs, packed_out),
    }
}
