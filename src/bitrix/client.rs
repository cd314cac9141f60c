//! Calls to one portal: within both limits, with one refresh, one redirect, one log row a request.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::call::{Answer, Call, Priority};
use super::error::Error;
use super::ports::{AllowanceStore, RequestLog, TokenSource};
use crate::clock::Clock;

/// Where a portal answers; verified at the pinned OAuth host before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalAddress {
    pub member_id: String,
    /// `https://<portal>/rest/`
    pub client_endpoint: Url,
    /// A boxed portal's own certificate authority, PEM.
    pub ca_pem: Option<String>,
    /// Requests in one burst and a second: 50 and 2, Enterprise 250 and 5.
    pub burst: u32,
    pub per_second: u32,
    /// After this long an unanswered request cannot commit any more (`bitrix.request_cap_seconds`).
    pub request_cap: Duration,
}

/// What all portals share: connections, the address guard, the clock.
#[derive(Clone, Debug)]
pub struct Client {}

/// One portal, one owner's tokens. Cheap to clone; clones share the queue for the portal's allowance.
#[derive(Clone)]
pub struct PortalClient {}

impl Client {
    pub fn portal(
        &self,
        _address: PortalAddress,
        _tokens: Arc<dyn TokenSource>,
        _allowance: Arc<dyn AllowanceStore>,
        _log: Arc<dyn RequestLog>,
        _clock: Clock,
    ) -> PortalClient {
        todo!()
    }
}

impl PortalClient {
    /// One v2 command as one request.
    pub async fn call(&self, _priority: Priority, _call: &Call) -> Result<Answer, Error> {
        todo!()
    }

    /// Up to 50 v2 commands; as many requests as it takes (one, unless a text would be rewritten by the portal's
    /// `$result[…]` substitution: such a command travels alone). One result a command, in order. The outer error is
    /// of the whole request; then no command's outcome is known to be good.
    pub async fn batch(&self, _priority: Priority, _calls: &[Call]) -> Result<Vec<Result<Answer, Error>>, Error> {
        todo!()
    }

    /// One v3 command with its `Idempotency-Key`.
    pub async fn call_v3(&self, _priority: Priority, _call: &Call, _key: Option<&str>) -> Result<Answer, Error> {
        todo!()
    }

    /// Waits until one request may go for this priority, and takes it. `call` and `batch` do this themselves unless
    /// told that the caller already has a permit; a worker that must record "sent" first takes it before.
    pub async fn permit(&self, _priority: Priority) -> Result<Permit, Error> {
        todo!()
    }

    /// Until when this method is banned by its operating limit (ms); `None`: free.
    pub fn method_blocked_until(&self, _method: &str) -> Option<i64> {
        todo!()
    }

    /// Sends one batch under a permit taken before.
    pub async fn batch_with(&self, _permit: Permit, _calls: &[Call]) -> Result<Vec<Result<Answer, Error>>, Error> {
        todo!()
    }
}

/// One request of the portal's allowance, taken.
#[derive(Debug)]
pub struct Permit {
    pub(super) _private: (),
}
