//! Calls to one portal: within both limits, with one refresh, one redirect, one log row a request.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use url::Url;

use super::batch;
use super::call::{Answer, Api, Call, Priority};
use super::error::Error;
use super::forecast::Forecast;
use super::limits::{Permit, Queue, Reservation};
use super::list::{Listing, Pager};
use super::methods::Pace;
use super::oauth::OAuthHosts;
use super::ports::{AllowanceStore, RequestLog, TokenSource};
use super::send::Request;
use super::wire;
use crate::clock::Clock;
use crate::net::Guard;

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
    /// Seconds a method may work within ten minutes before the portal bans it.
    pub operating_seconds: u32,
    /// After this long an unanswered request cannot commit any more (`bitrix.request_cap_seconds`).
    pub request_cap: Duration,
}

/// What all portals share: connections, the address guard, the OAuth hosts. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    guard: Guard,
    oauth: OAuthHosts,
    connections: Mutex<HashMap<(String, u64), (reqwest::Client, i64)>>,
    queues: Mutex<HashMap<String, Weak<Queue>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("oauth", &self.0.oauth).finish_non_exhaustive()
    }
}

/// Clients for portals that nobody called for so long are dropped: a thousand idle portals must stay small.
const IDLE_MS: i64 = 300_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// `guard`: from `bitrix.allow_private`.
    pub fn new(guard: Guard, oauth: OAuthHosts) -> Self {
        let (connections, queues) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { guard, oauth, connections, queues }))
    }

    pub fn oauth(&self) -> &OAuthHosts {
        &self.0.oauth
    }

    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// A client for one portal with one owner's tokens. All clients of a portal share its queue, whoever's tokens they
    /// carry: the portal counts requests by our address, not by user.
    pub fn portal(
        &self,
        address: PortalAddress,
        tokens: Arc<dyn TokenSource>,
        allowance: Arc<dyn AllowanceStore>,
        log: Arc<dyn RequestLog>,
        clock: Clock,
    ) -> PortalClient {
        let queue = self.queue(&address);
        self.made(address, tokens, allowance, log, clock, queue)
    }

    /// A client for somebody who is just being verified. It shares the portal's allowance, but not its queue: whoever
    /// opens a page in the portal shows that the portal is alive, whatever our workers met a minute ago; and what an
    /// unproven visitor meets must not stop the work for the portal.
    pub fn visitor(
        &self,
        address: PortalAddress,
        tokens: Arc<dyn TokenSource>,
        allowance: Arc<dyn AllowanceStore>,
        log: Arc<dyn RequestLog>,
        clock: Clock,
    ) -> PortalClient {
        let queue = Arc::new(Queue::new(f64::from(address.operating_seconds)));
        self.made(address, tokens, allowance, log, clock, queue)
    }

    fn made(
        &self,
        address: PortalAddress,
        tokens: Arc<dyn TokenSource>,
        allowance: Arc<dyn AllowanceStore>,
        log: Arc<dyn RequestLog>,
        clock: Clock,
        queue: Arc<Queue>,
    ) -> PortalClient {
        let endpoint = Mutex::new(address.client_endpoint.clone());
        PortalClient(Arc::new(Inner { shared: self.clone(), address, endpoint, tokens, allowance, log, clock, queue }))
    }

    fn queue(&self, address: &PortalAddress) -> Arc<Queue> {
        let limit = f64::from(address.operating_seconds);
        let mut queues = lock(&self.0.queues);
        if let Some(queue) = queues.get(&address.member_id).and_then(Weak::upgrade) {
            queue.methods(|methods| methods.set_limit(limit));
            return queue;
        }
        queues.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(Queue::new(limit));
        queues.insert(address.member_id.clone(), Arc::downgrade(&queue));
        queue
    }

    /// The connection pool for one portal's origin, made when it is first needed.
    pub(super) fn http(&self, address: &PortalAddress, endpoint: &Url, now: i64) -> Result<reqwest::Client, Error> {
        let mut hasher = DefaultHasher::new();
        (endpoint.origin().ascii_serialization(), &address.ca_pem).hash(&mut hasher);
        let key = (address.member_id.clone(), hasher.finish());
        let mut connections = lock(&self.0.connections);
        if let Some((http, used)) = connections.get_mut(&key) {
            *used = now;
            return Ok(http.clone());
        }
        connections.retain(|_, (_, used)| now.saturating_sub(*used) < IDLE_MS);
        let http = self
            .0
            .guard
            .client(&address.member_id, endpoint, address.ca_pem.as_deref())
            .map_err(|refused| Error::address(refused.to_string()))?;
        connections.insert(key, (http.clone(), now));
        Ok(http)
    }
}

/// How a command's request leaves.
#[derive(Debug)]
pub(super) enum Leave {
    /// When its turn comes, and again after what stood in its way.
    InTurn(Priority),
    /// Under a permit taken before, and exactly once (see [`PortalClient::batch_with`]).
    Once(Permit),
}

/// One portal, one owner's tokens. Cheap to clone; clones share the queue for the portal's allowance.
#[derive(Clone)]
pub struct PortalClient(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) shared: Client,
    pub(super) address: PortalAddress,
    /// Changes when a redirect showed a new, verified host.
    pub(super) endpoint: Mutex<Url>,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) allowance: Arc<dyn AllowanceStore>,
    pub(super) log: Arc<dyn RequestLog>,
    pub(super) clock: Clock,
    pub(super) queue: Arc<Queue>,
}

impl std::fmt::Debug for PortalClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortalClient").field("address", &self.0.address).finish_non_exhaustive()
    }
}

impl PortalClient {
    pub fn address(&self) -> &PortalAddress {
        &self.0.address
    }

    /// `https://<portal>/rest/` as of now.
    pub fn endpoint(&self) -> Url {
        lock(&self.0.endpoint).clone()
    }

    pub(super) fn set_endpoint(&self, endpoint: Url) {
        *lock(&self.0.endpoint) = endpoint;
    }

    /// One v2 command as one request.
    pub async fn call(&self, priority: Priority, call: &Call) -> Result<Answer, Error> {
        self.one(Leave::InTurn(priority), call, Api::V2, None).await
    }

    /// One v3 command with its `Idempotency-Key` (1 to 255 printable ASCII characters, facts §3.5).
    pub async fn call_v3(&self, priority: Priority, call: &Call, key: Option<&str>) -> Result<Answer, Error> {
        self.one(Leave::InTurn(priority), call, Api::V3, key).await
    }

    pub(super) async fn one(&self, leave: Leave, call: &Call, api: Api, key: Option<&str>) -> Result<Answer, Error> {
        if key.is_some_and(|key| key.is_empty() || key.len() > 255 || !key.bytes().all(|b| (0x20..0x7f).contains(&b))) {
            return Err(Error::internal("an Idempotency-Key must be 1 to 255 printable ASCII characters"));
        }
        self.recall().await?;
        let method = method_key(api, &call.method);
        self.admit(&method, 0, call.rows)?;
        let request = Request { api, method: &call.method, params: call.params.clone(), key, calls: vec![call] };
        let held = self.reserve([(method.as_str(), call.rows)].into_iter());
        let json = match leave {
            Leave::InTurn(priority) => self.exchange(priority, &request).await?,
            Leave::Once(permit) => self.exchange_once(permit, &request).await?,
        };
        let answer = wire::answer(json);
        self.learn(&[(&method, call.rows, answer.timing)], &held).await;
        Ok(answer)
    }

    /// Up to 50 v2 commands a request; as many requests as it takes (one, unless there are more commands, or a text
    /// would be rewritten by the portal's `$result[…]` substitution: such a command travels alone). One result a
    /// command, in order. The outer error is of the whole request; then no command's outcome is known to be good.
    ///
    /// After a request that failed as a whole the later commands are not sent ([`super::ErrorKind::NotRun`]).
    pub async fn batch(&self, priority: Priority, calls: &[Call]) -> Result<Vec<Result<Answer, Error>>, Error> {
        self.recall().await?;
        let mut results: Vec<Option<Result<Answer, Error>>> = calls.iter().map(|_| None).collect();
        let mut done = 0;
        while done < calls.len() {
            let group = batch::group(calls, done);
            done = group.end;
            let chosen = self.choose(calls, group, &mut results);
            if chosen.is_empty() {
                continue;
            }
            let request = batch::request(&chosen);
            let held = self.reserve(chosen.iter().map(|(_, call)| call.load()));
            match self.exchange(priority, &request).await {
                Ok(json) => self.fill(&chosen, json, &mut results, &held).await,
                Err(error) if results.iter().all(Option::is_none) && done == calls.len() => return Err(error),
                Err(error) => {
                    for (i, _) in &chosen {
                        set(&mut results, *i, Err(error.clone()));
                    }
                    break;
                }
            }
        }
        Ok(results.into_iter().map(|result| result.unwrap_or_else(|| Err(Error::not_run()))).collect())
    }

    /// Sends one request under a permit and a reservation taken before, and exactly one: whoever recorded "sent" knows
    /// that nothing leaves later. Commands that do not fit in it or whose method is paused, and all of them when the token
    /// had to be renewed or the portal had moved, come back as not carried out, to be sent again
    /// ([`Error::retry_after`]).
    pub async fn batch_with(
        &self,
        permit: Permit,
        held: &Reservation,
        calls: &[Call],
    ) -> Result<Vec<Result<Answer, Error>>, Error> {
        self.recall().await?;
        let mut results: Vec<Option<Result<Answer, Error>>> = calls.iter().map(|_| None).collect();
        let mut chosen = Vec::new();
        for (i, call) in calls.iter().enumerate().take(batch::group(calls, 0).end) {
            match self.method_blocked_until(&call.method) {
                Some(until) => set(&mut results, i, Err(self.not_before(until))),
                None => chosen.push((i, call)),
            }
        }
        if !chosen.is_empty() {
            let begun = self.0.clock.now_ms();
            match self.exchange_once(permit, &batch::request(&chosen)).await {
                Ok(json) => self.fill(&chosen, json, &mut results, held).await,
                // What the portal says to a command that travels as a request of its own, it says of that command.
                Err(error) if chosen.len() == 1 && error.is_of_command() => {
                    chosen.iter().for_each(|(i, _)| set(&mut results, *i, Err(error.clone())));
                }
                Err(error) => {
                    if error.outcome_unknown {
                        self.unanswered(&chosen, begun);
                    }
                    return Err(error);
                }
            }
        }
        Ok(results.into_iter().map(|result| result.unwrap_or_else(|| Err(Error::not_run()))).collect())
    }

    /// Waits until one request may go for this priority, and takes it. `call` and `batch` do this themselves; a worker
    /// that must record "sent" first takes it before, and sends with [`Self::batch_with`].
    pub async fn permit(&self, priority: Priority) -> Result<Permit, Error> {
        let Inner { queue, allowance, clock, address, .. } = &*self.0;
        self.recall().await?;
        queue.permit(priority, allowance, clock, address.burst, address.per_second).await
    }

    /// Until when this method is banned by its operating limit (ms); `None`: free.
    pub fn method_blocked_until(&self, method: &str) -> Option<i64> {
        self.0.queue.methods(|methods| methods.blocked_until(method, self.0.clock.now_ms()))
    }

    /// Reads once what other processes, or this one before a restart, knew of methods.
    pub async fn recall(&self) -> Result<(), Error> {
        self.0.queue.load(&self.0.allowance, self.0.clock.now_ms()).await
    }

    /// What is known of a method; `share`: of its usable limit, how much whoever asks may use up.
    pub fn pace(&self, method: &str, share: f64) -> Pace {
        let now = self.0.clock.now_ms();
        self.0.queue.methods(|methods| methods.pace(method, share, now))
    }

    /// Takes what so many rows by method need of their limits, until it is dropped.
    pub fn reserve<'a>(&self, rows: impl Iterator<Item = (&'a str, usize)>) -> Reservation {
        let mut by_method: HashMap<&str, usize> = HashMap::new();
        rows.for_each(|(method, rows)| *by_method.entry(method).or_default() += rows);
        Reservation::of(&self.0.queue, &by_method)
    }

    /// In how many milliseconds so many rows more will have been written by a method.
    pub fn forecast(&self, method: &str, rows: f64, terms: &Forecast) -> i64 {
        let now = self.0.clock.now_ms();
        self.0.queue.methods(|methods| methods.done_at(method, rows, terms, now)) - now
    }

    /// Reads a whole list by ascending id, a request's worth of rows at a time (facts §3.4, fast scan).
    pub fn list_all(&self, priority: Priority, listing: Listing) -> Pager {
        Pager::new(self.clone(), priority, listing)
    }

    pub(super) fn admit(&self, method: &str, already: usize, rows: usize) -> Result<(), Error> {
        let now = self.0.clock.now_ms();
        self.0
            .queue
            .methods(|methods| methods.admit(method, already, rows, now))
            .map_err(|until| self.not_before(until))
    }

    fn not_before(&self, until: i64) -> Error {
        let left = until.saturating_sub(self.0.clock.now_ms());
        Error::allowance(Duration::from_millis(u64::try_from(left).unwrap_or_default()))
    }

    /// The commands of a group that their methods' limits let go now; the others are answered here.
    fn choose<'a>(
        &self,
        calls: &'a [Call],
        group: std::ops::Range<usize>,
        results: &mut [Option<Result<Answer, Error>>],
    ) -> Vec<(usize, &'a Call)> {
        let mut planned: HashMap<&str, usize> = HashMap::new();
        let mut chosen = Vec::new();
        for (i, call) in calls.iter().enumerate().take(group.end).skip(group.start) {
            let already = planned.entry(call.method.as_str()).or_default();
            match self.admit(&call.method, *already, call.rows) {
                Ok(()) => {
                    *already += call.rows;
                    chosen.push((i, call));
                }
                Err(error) => set(results, i, Err(error)),
            }
        }
        chosen
    }
}

pub(super) fn set<T>(results: &mut [Option<T>], i: usize, result: T) {
    if let Some(place) = results.get_mut(i) {
        *place = Some(result);
    }
}

/// v2 and v3 are counted apart (facts §5).
pub(super) fn method_key(api: Api, method: &str) -> String {
    match api {
        Api::V2 => method.to_owned(),
        Api::V3 => format!("v3:{method}"),
    }
}
