//! `Idempotency-Key` (contract, "HTTP"): a request that is sent again is answered again, not carried out again.

use std::future::Future;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::input::At;
use super::refuse::{internal, invalid_at};
use crate::http::HttpState;
use crate::http::auth::{Principal, PrincipalKind};
use crate::http::problem::{Kind, Problem};
use crate::store::idempotency::{self, Begun, Scope};

/// What an action answers: kept as it is, so that its repetition is the same byte for byte.
#[derive(Debug, Clone)]
pub struct Done {
    pub status: StatusCode,
    pub location: Option<String>,
    pub body: Value,
    /// Shown this once and never kept: in a repeated answer these members are `null`.
    pub once_only: &'static [&'static str],
}

impl Done {
    pub fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(body).map_err(|error| internal(&error))?;
        Ok(Self { status, location: None, body, once_only: &[] })
    }

    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    fn respond(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        if let Some(location) = &self.location {
            response.insert_header((LOCATION, location.as_str()));
        }
        response.insert_header((CONTENT_TYPE, "application/json"));
        response.body(self.body.to_string())
    }

    fn kept(&self) -> Vec<u8> {
        let mut body = self.body.clone();
        for member in self.once_only {
            if let Some(value) = body.get_mut(member) {
                *value = Value::Null;
            }
        }
        json!({"location": self.location, "body": body}).to_string().into_bytes()
    }

    fn from_kept(status: u16, kept: &[u8]) -> Option<Self> {
        let mut kept: Value = serde_json::from_slice(kept).ok()?;
        Some(Self {
            status: StatusCode::from_u16(status).ok()?,
            location: kept.get("location").and_then(Value::as_str).map(str::to_owned),
            body: kept.get_mut("body")?.take(),
            once_only: &[],
        })
    }
}

fn name(who: &Principal) -> String {
    match &who.kind {
        PrincipalKind::User { .. } => format!("user:{}", who.user_id),
        PrincipalKind::Key { id } => format!("key:{id}"),
    }
}

fn key_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    let printable = !key.is_empty() && key.len() <= 255 && key.bytes().all(|b| (b' '..=b'~').contains(&b));
    if !printable || values.next().is_some() {
        return Err(invalid_at(At::Header("Idempotency-Key"), "idempotency_key"));
    }
    Ok(Some(key.to_owned()))
}

/// What this very sending is called, so that what it did is known again should its answer be lost; none without a key.
pub fn named(who: &Principal, request: &HttpRequest, raw: &[u8]) -> Result<Option<String>, Problem> {
    let Some(key) = key_of(request)? else { return Ok(None) };
    let (method, path) = (request.method(), request.path());
    Ok(Some(format!("{} {} {method} {path} {key} {}", who.portal, name(who), digest(raw))))
}

/// Of a body: the same key may come with another one when the first is forgotten.
pub(super) fn digest(raw: &[u8]) -> String {
    Sha256::digest(raw).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Carries out `act` once per key, principal, route and body.
///
/// The action goes on when the caller hangs up: half an action would be worse than an answer nobody reads.
pub async fn once<A>(
    state: &HttpState,
    who: &Principal,
    request: &HttpRequest,
    raw: &[u8],
    act: A,
) -> Result<HttpResponse, Problem>
where
    A: Future<Output = Result<Done, Problem>> + 'static,
{
    let Some(key) = key_of(request)? else {
        return Ok(finished(actix_web::rt::spawn(act).await)?.respond());
    };
    let route = format!("{} {}", request.method(), request.path());
    let scope = Scope { portal: who.portal, principal: name(who), route, key };
    let tenant = state.directory.key(who.portal).await?;
    let hash = tenant.hash("idempotency.body_hash", raw);
    match idempotency::begin(&state.db, &tenant, &scope, &hash, state.clock.now_ms()).await? {
        Begun::Repeat { status, body } => {
            let done = Done::from_kept(status, &body).ok_or_else(|| internal(&"a kept answer is damaged"))?;
            let mut response = done.respond();
            response.headers_mut().insert(
                actix_web::http::header::HeaderName::from_static("idempotency-replayed"),
                actix_web::http::header::HeaderValue::from_static("true"),
            );
            Ok(response)
        }
        Begun::OtherBody => Err(Kind::KeyReused.into()),
        Begun::Busy => Err(Problem::from(Kind::InProgress).retry_after(1)),
        Begun::Act { stamp } => {
            let db = state.db.clone();
            let task = actix_web::rt::spawn(async move {
                match act.await {
                    Ok(done) => {
                        idempotency::finish(&db, &tenant, &scope, stamp, done.status.as_u16(), &done.kept()).await?;
                        Ok(done)
                    }
                    Err(problem) => {
                        idempotency::abandon(&db, &scope, stamp).await?;
                        Err(problem)
                    }
                }
            });
            Ok(finished(task.await)?.respond())
        }
    }
}

fn finished(joined: Result<Result<Done, Problem>, actix_web::rt::task::JoinError>) -> Result<Done, Problem> {
    joined.map_err(|error| internal(&error))?
}
