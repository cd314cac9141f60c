//! An emulated bucket of S3: signed addresses (AWS Signature Version 4 in the query), whole and partial objects, uploads in parts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::{NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub const BUCKET: &str = "files";
pub const REGION: &str = "eu-test-1";
pub const ACCESS_KEY: &str = "sandbox";
pub const SECRET_KEY: &str = "sandbox-secret";
/// No part but the last is smaller.
const LEAST_PART: usize = 5 * 1024 * 1024;

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    /// Uploads that are not at their end: name, parts by number.
    uploads: BTreeMap<String, (String, BTreeMap<u16, Bytes>)>,
    /// The next so many requests are answered 503.
    down: usize,
    refused: usize,
}

type Shared = Arc<Mutex<State>>;

#[derive(Debug)]
pub struct BucketServer {
    address: SocketAddr,
    state: Shared,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BucketServer {
    /// Listens on a free port of this machine.
    #[expect(clippy::expect_used, reason = "a machine without a free port runs no tests")]
    pub fn start() -> Self {
        let state = Shared::default();
        let shared = Data::new(state.clone());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let app = move || {
                App::new()
                    .app_data(shared.clone())
                    .app_data(web::PayloadConfig::new(64 * 1024 * 1024))
                    .default_service(web::to(answer))
            };
            actix_web::rt::System::new().block_on(async move {
                HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run().await
            })
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn objects(&self) -> Vec<(String, Bytes)> {
        lock(&self.state).objects.iter().map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
    }

    /// Cuts, changes or swaps what lies there.
    pub fn change(&self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        if let Some(object) = lock(&self.state).objects.get_mut(name) {
            let mut bytes = object.to_vec();
            how(&mut bytes);
            *object = bytes.into();
        }
    }

    /// Uploads that were begun and neither joined nor thrown away.
    pub fn open_uploads(&self) -> usize {
        lock(&self.state).uploads.len()
    }

    /// Requests whose signature was not right.
    pub fn refused(&self) -> usize {
        lock(&self.state).refused
    }

    pub fn down_for(&self, requests: usize) {
        lock(&self.state).down = requests;
    }
}

async fn answer(request: HttpRequest, body: Bytes, state: Data<Shared>) -> HttpResponse {
    let mut state = lock(&state);
    if state.down > 0 {
        state.down -= 1;
        return error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    }
    if !is_signed(&request) {
        state.refused += 1;
        return error(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    let Some(name) = request.path().strip_prefix(&format!("/{BUCKET}/")).map(str::to_owned) else {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket");
    };
    let query: BTreeMap<String, String> = pairs(request.query_string()).collect();
    match (request.method(), query.get("uploadId"), query.contains_key("uploads")) {
        (&Method::POST, None, true) => begin(&mut state, name),
        (&Method::PUT, Some(id), _) => part(&mut state, id, query.get("partNumber"), body),
        (&Method::POST, Some(id), _) => join(&mut state, id, &String::from_utf8_lossy(&body)),
        (&Method::DELETE, Some(id), _) => {
            state.uploads.remove(id);
            HttpResponse::NoContent().finish()
        }
        (&Method::PUT, None, _) => {
            state.objects.insert(name, body);
            HttpResponse::Ok().finish()
        }
        (&Method::DELETE, None, _) => {
            state.objects.remove(&name);
            HttpResponse::NoContent().finish()
        }
        (&Method::GET | &Method::HEAD, None, _) => match state.objects.get(&name) {
            Some(bytes) => object(&request, bytes.clone()),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        },
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

fn begin(state: &mut State, name: String) -> HttpResponse {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>{BUCKET}</Bucket><Key>{name}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"#
    );
    state.uploads.insert(id, (name, BTreeMap::new()));
    HttpResponse::Ok().content_type("application/xml").body(text)
}

fn part(state: &mut State, id: &str, number: Option<&String>, body: Bytes) -> HttpResponse {
    let Some(number) = number.and_then(|text| text.parse().ok()) else {
        return error(StatusCode::BAD_REQUEST, "InvalidArgument");
    };
    match state.uploads.get_mut(id) {
        Some((_, parts)) => {
            let tag = tag(&body);
            parts.insert(number, body);
            HttpResponse::Ok().insert_header((header::ETAG, tag)).finish()
        }
        None => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
    }
}

fn join(state: &mut State, id: &str, wanted: &str) -> HttpResponse {
    let Some((name, parts)) = state.uploads.get(id).cloned() else {
        return error(StatusCode::NOT_FOUND, "NoSuchUpload");
    };
    let small = parts.values().rev().skip(1).any(|part| part.len() < LEAST_PART);
    let named = parts.values().all(|part| wanted.contains(tag(part).trim_matches('"')));
    if small || !named || parts.is_empty() {
        return error(StatusCode::BAD_REQUEST, if small { "EntityTooSmall" } else { "InvalidPart" });
    }
    let whole: Vec<u8> = parts.values().flatten().copied().collect();
    state.uploads.remove(id);
    state.objects.insert(name, whole.into());
    HttpResponse::Ok().content_type("application/xml").body("<CompleteMultipartUploadResult/>")
}

fn object(request: &HttpRequest, bytes: Bytes) -> HttpResponse {
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let part = range.and_then(|range| {
        let (from, to) = range.split_once('-')?;
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
        (from < bytes.len()).then(|| bytes.slice(from..(to + 1).min(bytes.len())))
    });
    match (part, range) {
        (Some(part), _) => HttpResponse::PartialContent().body(part),
        (None, Some(_)) => error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
        (None, None) => HttpResponse::Ok().body(bytes),
    }
}

fn tag(part: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha256::digest(part)).get(..32).unwrap_or_default())
}

fn error(status: StatusCode, code: &str) -> HttpResponse {
    let text = format!(r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>"#);
    HttpResponse::build(status).content_type("application/xml").body(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned()
}

fn signed(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Authenticating requests by query parameters (Amazon S3 API reference, "AWS Signature Version 4").
fn is_signed(request: &HttpRequest) -> bool {
    check(request).unwrap_or(false)
}

fn check(request: &HttpRequest) -> Option<bool> {
    let given: BTreeMap<String, String> = pairs(request.query_string()).collect();
    let at = given.get("X-Amz-Date")?;
    let credential = given.get("X-Amz-Credential")?;
    let (key, scope) = credential.split_once('/')?;
    let moment = NaiveDateTime::parse_from_str(at, "%Y%m%dT%H%M%SZ").ok()?.and_utc();
    let expires: i64 = given.get("X-Amz-Expires")?.parse().ok()?;
    if key != ACCESS_KEY
        || Utc::now() > moment + TimeDelta::seconds(expires)
        || given.get("X-Amz-SignedHeaders")? != "host"
    {
        return None;
    }
    // The canonical query: raw pairs as they came, sorted, the signature left out.
    let mut raw: Vec<&str> =
        request.query_string().split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    raw.sort_unstable();
    let query = raw.join("&");
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let canonical = format!("{}\n{}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", request.method(), request.path());
    let day = scope.split('/').next()?;
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mut secret = format!("AWS4{SECRET_KEY}").into_bytes();
    for step in [day, REGION, "s3", "aws4_request"] {
        secret = signed(&secret, step);
    }
    Some(hex(&signed(&secret, &text)) == *given.get("X-Amz-Signature")?)
}
