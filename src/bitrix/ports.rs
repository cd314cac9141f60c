//! What this room needs from outside: tokens, the allowance shared by all nodes, and a place for the request log.

use async_trait::async_trait;
use secrecy::SecretString;

use super::error::Error;

/// Tokens of one owner at one portal.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The access token as stored; no refresh is made for its age alone (facts §2.3: refresh lazily).
    async fn current(&self) -> Result<SecretString, Error>;

    /// Called after `expired_token`/`invalid_token` for `stale`: refreshes once per owner, across tasks and nodes,
    /// and answers the token that is valid now. A new pair is committed before it is answered.
    async fn renewed(&self, stale: &SecretString) -> Result<SecretString, Error>;

    /// A redirect showed a new host, already verified to be the same portal: keep it.
    async fn moved(&self, client_endpoint: &str) -> Result<(), Error>;
}

/// Whether a request may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    Granted,
    /// Not before this moment (milliseconds since the epoch).
    NotBefore(i64),
}

/// What other nodes, and this one after a restart, must know of a method.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MethodState {
    pub method: String,
    /// Seconds counted by the portal.
    pub operating: f64,
    /// Milliseconds; 0: unknown.
    pub reset_at: i64,
    pub blocked_until: i64,
    /// The portal banned it and has answered no call since.
    pub banned: bool,
    /// Seconds that a row takes, and that it adds to the counter; 0: unknown.
    pub row: f64,
    pub cost: f64,
}

/// The allowance of one portal, kept where every node sees it.
#[async_trait]
pub trait AllowanceStore: Send + Sync {
    /// Takes one request from the bucket: `burst` requests, `per_second` refill.
    async fn take_request(&self, now: i64, burst: u32, per_second: u32) -> Result<Take, Error>;
    /// The bucket rejected us although we thought we had tokens: consider it used up now.
    async fn drain(&self, now: i64, burst: u32, per_second: u32) -> Result<(), Error>;
    /// What is known of methods.
    async fn methods(&self) -> Result<Vec<MethodState>, Error>;
    async fn save_method(&self, state: &MethodState) -> Result<(), Error>;
}

/// One HTTP request and its answer, already masked: no token, no guest's data.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    pub at: i64,
    /// `batch` carries its inner methods in `detail`.
    pub method: String,
    pub status: u16,
    /// `ok`, `refused`, `limited`, `no_answer` …
    pub outcome: String,
    pub ms: i64,
    pub detail: serde_json::Value,
}

/// Where the log demanded by the Market is written (facts §11.2: at least three days).
#[async_trait]
pub trait RequestLog: Send + Sync {
    async fn record(&self, entry: LogEntry);
}
