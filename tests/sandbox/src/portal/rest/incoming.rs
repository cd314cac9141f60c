//! One HTTP request, taken apart.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::portal::php::{self, Params};

/// How a client named itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token.
    Token(String),
    /// Incoming webhook: user and code.
    Webhook(i64, String),
    /// Nothing.
    None,
}

/// A REST request.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// `GET`, `POST`.
    pub verb: String,
    /// Lower-case method without suffix.
    pub method: String,
    /// REST 3.0.
    pub v3: bool,
    /// Parameters without credentials.
    pub params: Params,
    /// The body as it came, for v3.
    pub body: Value,
    /// The body was not JSON although it said so.
    pub broken_json: bool,
    /// Who.
    pub credential: Credential,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Where from.
    pub source: IpAddr,
    /// Body size.
    pub bytes: usize,
    /// `User-Agent`.
    pub agent: String,
    /// `Host`.
    pub host: String,
    /// Path and query, for redirects.
    pub target: String,
}

/// The raw parts of a request.
pub struct Raw<'a> {
    /// Verb.
    pub verb: &'a str,
    /// Path without query; double slashes are fine.
    pub path: &'a str,
    /// Query string.
    pub query: &'a str,
    /// Looks up a header.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// Body.
    pub body: &'a [u8],
    /// Peer.
    pub source: IpAddr,
}

impl Incoming {
    /// Reads a request under `/rest/`; `None` when the path names no method.
    pub fn parse(raw: &Raw<'_>) -> Option<Self> {
        let mut parts: Vec<&str> = raw.path.split('/').filter(|part| !part.is_empty()).collect();
        if parts.first() != Some(&"rest") {
            return None;
        }
        parts.remove(0);
        let v3 = parts.first() == Some(&"api");
        if v3 {
            parts.remove(0);
        }
        let mut credential = Credential::None;
        if let [user, code, ..] = parts.as_slice()
            && let Ok(user) = user.parse::<i64>()
        {
            credential = Credential::Webhook(user, (*code).to_owned());
            parts.drain(..2);
        }
        let method = parts.first()?.to_ascii_lowercase();
        let method = method.trim_end_matches(".json").trim_end_matches(".xml").to_owned();
        let (body, broken_json) = decode(raw);
        let mut params = match php::parse_form(raw.query) {
            Value::Object(map) if !v3 => map,
            _ => Map::new(),
        };
        // Only REST 3.0 looks at the body as it came.
        let kept = if v3 { body.clone() } else { Value::Null };
        params.extend(Params::new(body).0);
        let bearer = (raw.header)("authorization")
            .and_then(|value| value.strip_prefix("Bearer ").map(|token| token.trim().to_owned()));
        let mut token = None;
        for name in ["auth", "access_token"] {
            if let Some(Value::String(given)) = params.shift_remove(name) {
                token = token.or(Some(given));
            }
        }
        if credential == Credential::None
            && let Some(token) = token.or(bearer).filter(|token| !token.is_empty())
        {
            credential = Credential::Token(token);
        }
        Some(Self {
            verb: raw.verb.to_owned(),
            method,
            v3,
            params: Params(params),
            body: kept,
            broken_json,
            credential,
            idempotency_key: (raw.header)("idempotency-key"),
            source: raw.source,
            bytes: raw.body.len(),
            agent: (raw.header)("user-agent").unwrap_or_default(),
            host: (raw.header)("host").unwrap_or_default(),
            target: if raw.query.is_empty() { raw.path.to_owned() } else { format!("{}?{}", raw.path, raw.query) },
        })
    }

    /// Methods inside a batch, lower case, in order.
    pub fn commands(&self) -> Vec<String> {
        if self.v3 || self.method != "batch" {
            return Vec::new();
        }
        let commands = self.params.get("cmd").map(php::elements).unwrap_or_default();
        commands.into_iter().filter_map(Value::as_str).map(|command| super::batch::split(command).0).collect()
    }

    /// The method as the log and faults name it.
    pub fn logged_method(&self) -> String {
        if self.v3 { format!("api/{}", self.method) } else { self.method.clone() }
    }
}

/// JSON when it says so, else a form; broken JSON is silently nothing, as in the product's source.
fn decode(raw: &Raw<'_>) -> (Value, bool) {
    if raw.body.is_empty() {
        return (Value::Null, false);
    }
    let kind = (raw.header)("content-type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("application/json") {
        return match serde_json::from_slice(raw.body) {
            Ok(value) => (value, false),
            Err(_) => (Value::Null, true),
        };
    }
    (php::parse_form(&String::from_utf8_lossy(raw.body)), false)
}
