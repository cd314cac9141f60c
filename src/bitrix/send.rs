//! One HTTP request to a portal, what it may need to be sent again, and its row in the log.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::call::{Answer, Api, Call, Priority, Timing};
use super::client::{PortalClient, method_key, set};
use super::codes::At;
use super::error::{Class, Error, ErrorKind};
use super::limits::{Permit, Reservation};
use super::ports::LogEntry;
use super::{batch, masking, wire};
use crate::telemetry::metrics as names;

/// The longest answer that is read: a batch of fifty full pages is far below.
const BODY: usize = 64 * 1024 * 1024;

/// How often a request that the bucket rejected is sent again.
const LIMITED: u32 = 3;

pub(super) struct Request<'a> {
    pub api: Api,
    pub method: &'a str,
    pub params: Value,
    pub key: Option<&'a str>,
    /// What is in it, for the log.
    pub calls: Vec<&'a Call>,
}

/// How one request ended.
enum Sent {
    Answered(Value),
    /// The token is not taken any more.
    Stale {
        token: SecretString,
        error: Error,
    },
    Redirected {
        /// Where it was sent: the portal may be known under another address by now.
        from: Url,
        to: String,
    },
    /// Rejected by the request bucket: not carried out.
    Limited(Error),
    Failed(Error),
}

impl PortalClient {
    /// Sends until it is answered: after one refresh, one verified redirect, a few rejections by the bucket. Each try
    /// takes its own permit.
    pub(super) async fn exchange(&self, priority: Priority, request: &Request<'_>) -> Result<Value, Error> {
        let (mut renewed, mut followed, mut limited) = (false, false, 0);
        loop {
            let permit = self.permit(priority).await?;
            match self.send(&permit, request).await {
                Sent::Answered(json) => return Ok(json),
                Sent::Stale { token, .. } if !renewed => {
                    renewed = true;
                    self.0.tokens.renewed(&token).await?;
                }
                Sent::Redirected { from, to } if !followed => {
                    followed = true;
                    self.follow(&from, &to).await?;
                }
                Sent::Limited(_) if limited < LIMITED => {
                    limited += 1;
                    self.drained().await?;
                }
                Sent::Redirected { to, .. } => {
                    return Err(Error::address(format!("redirected again, to {}", host_of(&to))));
                }
                Sent::Stale { error, .. } | Sent::Limited(error) | Sent::Failed(error) => return Err(error),
            }
        }
    }

    /// Sends exactly once. What stood in the way is cleared, so that the next request goes through.
    pub(super) async fn exchange_once(&self, permit: Permit, request: &Request<'_>) -> Result<Value, Error> {
        match self.send(&permit, request).await {
            Sent::Answered(json) => Ok(json),
            Sent::Stale { token, error } => {
                self.0.tokens.renewed(&token).await?;
                Err(Error { class: Class::Retry { after: Duration::ZERO }, ..error })
            }
            Sent::Redirected { from, to } => {
                self.follow(&from, &to).await?;
                Err(Error { class: Class::Retry { after: Duration::ZERO }, ..Error::unsent("the portal has moved") })
            }
            Sent::Limited(error) => {
                self.drained().await?;
                Err(error)
            }
            Sent::Failed(error) => Err(error),
        }
    }

    async fn drained(&self) -> Result<(), Error> {
        let address = &self.0.address;
        self.0.queue.drained(&self.0.allowance, &self.0.clock, address.burst, address.per_second).await
    }

    async fn send(&self, permit: &Permit, request: &Request<'_>) -> Sent {
        let token = match self.0.tokens.current().await {
            Ok(token) => token,
            Err(error) => return Sent::Failed(error),
        };
        let endpoint = self.endpoint();
        let prepared = match self.prepare(request, &endpoint, &token) {
            Ok(prepared) => prepared,
            Err(error) => return Sent::Failed(error),
        };
        let at = self.0.clock.now_ms();
        if permit.leaving_by.is_some_and(|latest| at > latest) {
            return Sent::Failed(Error::not_run());
        }
        let (status, outcome) = match prepared.send().await.map_err(|error| wire::transport(&error)) {
            Ok(response) => {
                let status = response.status().as_u16();
                let raw = wire::read(response, BODY).await;
                (
                    status,
                    raw.map_err(Sent::Failed)
                        .and_then(|raw| self.judge(raw, endpoint, token))
                        .unwrap_or_else(|sent| sent),
                )
            }
            Err(error) => (0, Sent::Failed(error)),
        };
        let outcome = self.consequences(request, outcome).await;
        self.record(request, at, status, &outcome).await;
        outcome
    }

    fn prepare(
        &self,
        request: &Request<'_>,
        endpoint: &Url,
        token: &SecretString,
    ) -> Result<reqwest::RequestBuilder, Error> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_');
        if request.method.is_empty() || !request.method.bytes().all(plain) {
            return Err(Error::internal("a method's name has letters, digits, dots and underscores only"));
        }
        let path = match request.api {
            Api::V2 => request.method.to_owned(),
            Api::V3 => format!("api/{}", request.method),
        };
        let url = endpoint.join(&path).map_err(|e| Error::internal(e.to_string()))?;
        let http = self.0.shared.http(&self.0.address, endpoint, self.0.clock.now_ms())?;
        let mut body = match &request.params {
            Value::Null => json!({}),
            Value::Object(map) => Value::Object(map.clone()),
            _ => return Err(Error::internal("parameters must be an object")),
        };
        if let Some(map) = body.as_object_mut() {
            // In the body, never in the URL; last, because old methods count positions (facts §3.1).
            map.insert("auth".into(), Value::String(token.expose_secret().to_owned()));
        }
        let mut prepared =
            http.post(url).timeout(self.0.address.request_cap).header("Accept", "application/json").json(&body);
        if let Some(key) = request.key {
            prepared = prepared.header("Idempotency-Key", key);
        }
        Ok(prepared)
    }

    /// Tells an answer from a refusal. `Err` is the early way out.
    fn judge(&self, raw: wire::Raw, from: Url, token: SecretString) -> Result<Sent, Sent> {
        if raw.is_redirect() {
            return Ok(Sent::Redirected { from, to: raw.location.unwrap_or_default() });
        }
        let (status, json) = raw.json().map_err(Sent::Failed)?;
        let Some(error) = wire::refusal(At::Portal, status, &json) else {
            return match json.get("result") {
                Some(_) => Ok(Sent::Answered(json)),
                None => Err(Sent::Failed(Error::unreadable(status, "no result"))),
            };
        };
        Ok(match error.code() {
            "expired_token" | "invalid_token" => Sent::Stale { token, error },
            "query_limit_exceeded" => Sent::Limited(error),
            _ => Sent::Failed(error),
        })
    }

    /// What an outcome means for the portal and for the method, beyond this request.
    async fn consequences(&self, request: &Request<'_>, outcome: Sent) -> Sent {
        let now = self.0.clock.now_ms();
        let Sent::Failed(mut error) = outcome else {
            self.0.queue.alive();
            return outcome;
        };
        match &error.kind {
            ErrorKind::Transport(_) | ErrorKind::Tls(_) | ErrorKind::Unreadable { status: 500.., .. } => {
                if let (Some(pause), Class::Retry { after }) = (self.0.queue.silent(now), error.class) {
                    error.class = Class::Retry { after: after.max(pause) };
                }
            }
            ErrorKind::Refused { code, .. } if code == "overload_limit" => {
                let hour = error.retry_after().map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or_default());
                self.0.queue.pause(now + hour);
            }
            ErrorKind::Refused { .. } => {
                self.0.queue.alive();
                self.if_banned(&method_key(request.api, request.method), &mut error).await;
            }
            _ => {}
        }
        Sent::Failed(error)
    }

    /// Remembers a ban of a method by its operating limit (the error then says when it ends), or that it is over.
    pub(super) async fn if_banned(&self, method: &str, error: &mut Error) {
        let now = self.0.clock.now_ms();
        if error.code() != "operation_time_limit" {
            if error.class == Class::Permanent && matches!(error.kind, ErrorKind::Refused { .. }) {
                let changed = self.0.queue.methods(|methods| methods.refused(method, now));
                self.0.queue.save(&self.0.allowance, changed.into_iter().collect()).await;
            }
            return;
        }
        let changed = self.0.queue.methods(|methods| methods.banned(method, now));
        let left = u64::try_from(changed.blocked_until.saturating_sub(now)).unwrap_or_default();
        error.class = Class::Retry { after: Duration::from_millis(left) };
        self.0.queue.save(&self.0.allowance, vec![changed]).await;
    }

    /// Hands out a request's answers to its commands, and learns what each took.
    pub(super) async fn fill(
        &self,
        chosen: &[(usize, &Call)],
        json: Value,
        results: &mut [Option<Result<Answer, Error>>],
        held: &Reservation,
    ) {
        let mut answers = batch::answers(chosen.len(), json);
        let timings = chosen.iter().zip(&answers);
        let timings: Vec<(&str, usize, Timing)> = timings
            .filter_map(|((_, call), result)| Some((call.method.as_str(), call.rows, result.as_ref().ok()?.timing)))
            .collect();
        // What the successful ones took says when a ban among them ends.
        self.learn(&timings, held).await;
        for ((_, call), result) in chosen.iter().zip(&mut answers) {
            if let Err(error) = result {
                self.if_banned(&call.method, error).await;
            }
        }
        for ((i, _), result) in chosen.iter().zip(answers) {
            set(results, *i, result);
        }
    }

    /// A request that nobody answered was too large, as far as anybody knows.
    pub(super) fn unanswered(&self, chosen: &[(usize, &Call)], begun: i64) {
        let waited = u64::try_from(self.0.clock.now_ms().saturating_sub(begun)).unwrap_or_default();
        let seconds = Duration::from_millis(waited).as_secs_f64();
        let rows = chosen.iter().map(|(_, call)| call.rows).sum();
        self.0.queue.methods(|methods| {
            for (_, call) in chosen {
                methods.silent(&call.method, rows, seconds);
            }
        });
    }

    /// Learns what commands took: method, rows and time of each, in order.
    pub(super) async fn learn(&self, answers: &[(&str, usize, Timing)], held: &Reservation) {
        let now = self.0.clock.now_ms();
        let mut by_method: BTreeMap<&str, Vec<(usize, Timing)>> = BTreeMap::new();
        for (method, rows, timing) in answers {
            if let Some(operating) = timing.operating {
                metrics::gauge!(names::OPERATING_SECONDS, "method" => (*method).to_owned()).set(operating);
            }
            by_method.entry(method).or_default().push((*rows, *timing));
        }
        let mut changed = vec![];
        for (method, answers) in by_method {
            let alone = held.alone(method);
            changed.extend(self.0.queue.methods(|methods| methods.answered(method, &answers, alone, now)));
        }
        self.0.queue.save(&self.0.allowance, changed).await;
    }

    /// A redirect is followed only to a host that the OAuth host itself names for this portal (facts §2.5).
    async fn follow(&self, from: &Url, location: &str) -> Result<(), Error> {
        let target: Url = from.join(location).map_err(|_| Error::address("redirected to something that is no URL"))?;
        if target.origin() == from.origin() {
            return Err(Error::address(format!("redirected to itself ({})", host_of(target.as_str()))));
        }
        if target.origin() == self.endpoint().origin() {
            // Another request that was under way at the same time has followed it.
            return Ok(());
        }
        let member_id = &self.0.address.member_id;
        self.0.shared.guard().check_url(member_id, &target).map_err(|refused| Error::address(refused.to_string()))?;
        let verified = self.whoami().await?;
        if verified.member_id != *member_id {
            return Err(Error::address("redirected, but the token is of another portal"));
        }
        if verified.client_endpoint.origin() != target.origin() {
            return Err(Error::address(format!(
                "redirected to {}, which the OAuth host does not name for this portal",
                host_of(target.as_str())
            )));
        }
        self.0.tokens.moved(verified.client_endpoint.as_str()).await?;
        tracing::info!(from = %host_of(from.as_str()), to = %verified.domain, "the portal has moved");
        self.set_endpoint(verified.client_endpoint);
        Ok(())
    }

    /// The OAuth host's word on our token. Which of the hosts serves the portal is not told, so each is asked.
    async fn whoami(&self) -> Result<super::oauth::AppInfo, Error> {
        let oauth = self.0.shared.oauth();
        let mut token = self.0.tokens.current().await?;
        let mut last = Error::internal("no OAuth host is configured");
        for host in oauth.all() {
            match oauth.app_info(host, &token).await {
                Err(error) if matches!(error.code(), "expired_token" | "invalid_token") => {
                    token = self.0.tokens.renewed(&token).await?;
                    last = match oauth.app_info(host, &token).await {
                        Ok(info) => return Ok(info),
                        Err(error) => error,
                    };
                }
                Err(error) => last = error,
                Ok(info) => return Ok(info),
            }
        }
        Err(last)
    }

    async fn record(&self, request: &Request<'_>, at: i64, status: u16, outcome: &Sent) {
        let ms = self.0.clock.now_ms().saturating_sub(at);
        let all = |error: &Error| request.calls.iter().map(|_| Err(error.clone())).collect();
        let (word, results): (_, Vec<Result<&Value, Error>>) = match outcome {
            Sent::Answered(json) => ("ok", batch::peek(request.calls.len(), json)),
            Sent::Stale { error, .. } => ("stale_token", all(error)),
            Sent::Redirected { .. } => ("redirected", all(&Error::not_run())),
            Sent::Limited(error) => ("limited", all(error)),
            Sent::Failed(error) => (failure(error), all(error)),
        };
        metrics::counter!(names::PORTAL_REQUESTS, "outcome" => word).increment(1);
        let seconds = Duration::from_millis(u64::try_from(ms).unwrap_or_default()).as_secs_f64();
        metrics::histogram!(names::PORTAL_REQUEST_SECONDS).record(seconds);
        for (call, result) in request.calls.iter().zip(&results) {
            let outcome = result.as_ref().map_or_else(failure, |_| "ok");
            metrics::counter!(names::PORTAL_COMMANDS, "method" => call.method.clone(), "outcome" => outcome)
                .increment(1);
        }
        let method = match request.api {
            Api::V2 => request.method.to_owned(),
            Api::V3 => format!("v3:{}", request.method),
        };
        let detail = masking::detail(&request.calls, &results);
        self.0.log.record(LogEntry { at, method, status, outcome: word.into(), ms, detail }).await;
    }
}

/// One word of a closed set, for the log and the metrics.
fn failure(error: &Error) -> &'static str {
    match &error.kind {
        ErrorKind::Refused { code, .. } if code == "operation_time_limit" => "limited",
        ErrorKind::Refused { .. } => "refused",
        ErrorKind::Transport(_) | ErrorKind::Tls(_) => "no_answer",
        ErrorKind::Unreadable { .. } => "unreadable",
        ErrorKind::Allowance => "limited",
        ErrorKind::NotRun => "not_run",
        ErrorKind::Token(_) | ErrorKind::Address(_) | ErrorKind::Internal(_) => "not_sent",
    }
}

/// A host's name is no secret; the rest of a URL may be.
fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "?".into())
}
