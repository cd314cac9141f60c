//! Running a request: limits, faults, the method or the batch, the price, the answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::call::{Answer, Caller};
use super::commands::{Took, envelope, listed_commands, new_run, run_command, time_block};
use super::incoming::Incoming;
use super::late::Late;
use super::{auth, v3};
use crate::portal::clock::PortalClock;
use crate::portal::error::RestError;
use crate::portal::faults::{Fault, FaultAnswer, FaultWhen};
use crate::portal::options::Edition;
use crate::portal::requests::Request;
use crate::portal::state::{Shared, State};

/// What goes back over HTTP.
#[derive(Debug)]
pub enum Reply {
    /// A JSON body with extra headers.
    Json(u16, Value, Vec<(&'static str, String)>),
    /// Half of a JSON body.
    Half(Value),
    /// An HTML page.
    Html(u16),
    /// No body.
    Empty,
    /// 302.
    Redirect(String),
    /// The connection ends.
    Drop,
}

/// A reply and what the log says of it.
pub struct Outcome {
    /// The reply.
    pub reply: Reply,
    /// `ok`, an error code or `fault`.
    pub word: String,
    /// Codes of commands inside a batch.
    pub errors: Vec<String>,
    /// User of the token.
    pub user: i64,
}

impl Outcome {
    fn error(error: &RestError) -> Self {
        Self {
            reply: Reply::Json(error.status, Value::Object(error.body()), Vec::new()),
            word: error.code.clone(),
            errors: Vec::new(),
            user: 0,
        }
    }

    fn plain(reply: Reply, word: &str) -> Self {
        Self { reply, word: word.to_owned(), errors: Vec::new(), user: 0 }
    }
}

/// Larger bodies are not kept in the log.
const KEPT_PARAMS: usize = 64 << 10;

/// A request from arrival to answer, logged.
pub async fn serve(shared: Arc<Shared>, incoming: Incoming) -> Reply {
    let started = Instant::now();
    shared.at_work.fetch_add(1, Ordering::SeqCst);
    let outcome = handle(&shared, &incoming, started).await;
    shared.at_work.fetch_sub(1, Ordering::SeqCst);
    let status = match &outcome.reply {
        Reply::Json(status, ..) | Reply::Html(status) => *status,
        Reply::Half(_) | Reply::Empty => 200,
        Reply::Redirect(_) => 302,
        Reply::Drop => 0,
    };
    let mut state = shared.lock();
    let at_ms = state.clock.now_ms();
    state.log.push(Request {
        id: 0,
        at_ms,
        host: "portal",
        verb: incoming.verb.clone(),
        method: incoming.logged_method(),
        commands: incoming.commands(),
        status,
        outcome: outcome.word,
        errors: outcome.errors,
        user: outcome.user,
        ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(0),
        bytes: incoming.bytes,
        agent: incoming.agent,
        // Imports in bulk would fill the memory with what the records hold anyway.
        params: if incoming.bytes > KEPT_PARAMS { Value::Null } else { Value::Object(incoming.params.0) },
    });
    outcome.reply
}

async fn handle(shared: &Arc<Shared>, incoming: &Incoming, started: Instant) -> Outcome {
    let (fault, caller, wait) = {
        let mut state = shared.lock();
        let now = state.clock.now_ms();
        if let Some(refusal) = gate(&mut state, incoming, now) {
            return refusal;
        }
        let fault = state.faults.for_request(&incoming.logged_method(), &incoming.commands(), &incoming.params);
        let caller = auth::check(&state, &incoming.credential);
        (fault, caller, state.options.cost.latency_per_request)
    };
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    if let Some(fault) = &fault
        && fault.when == FaultWhen::Before
        && !matches!(fault.answer, FaultAnswer::Slow(_) | FaultAnswer::Held(_) | FaultAnswer::Truncated)
    {
        return spoil(fault, None).await;
    }
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => return Outcome::error(&error),
    };
    if let Some(fault) = &fault
        && let FaultWhen::CommitLater(delay) = fault.when
    {
        {
            let mut state = shared.lock();
            let due = state.clock.now_ms().saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
            if !incoming.v3 || !v3::is_kept(&state, &caller, incoming) {
                Late::plan(&mut state, due, caller, incoming.clone());
            }
        }
        return spoil(fault, None).await;
    }
    let outcome = if incoming.v3 {
        let outcome = run_v3(&mut shared.lock(), &caller, incoming);
        shared.bell.notify_waiters();
        outcome
    } else if incoming.method == "batch" {
        run_batch(shared, &caller, incoming, started).await
    } else {
        run_one(shared, &caller, incoming, started).await
    };
    match fault {
        Some(fault) => spoil(&fault, Some(outcome)).await,
        None => outcome,
    }
}

/// What is refused before anyone looks at tokens.
fn gate(state: &mut State, incoming: &Incoming, now_ms: i64) -> Option<Outcome> {
    if state.deleted {
        return Some(Outcome::error(&RestError::new(403, "PORTAL_DELETED", "Portal was deleted")));
    }
    if !incoming.host.is_empty()
        && incoming.host != state.addresses.domain
        && state.addresses.renamed_from(&incoming.host)
    {
        let to = format!("{}{}", state.addresses.url(), incoming.target);
        return Some(Outcome::plain(Reply::Redirect(to), "renamed"));
    }
    let (options, edition) = (state.options.limits, state.options.edition);
    if !state.limits.admit(&options, edition, incoming.source, now_ms) {
        return Some(Outcome::error(&RestError::new(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")));
    }
    None
}

async fn spoil(fault: &Fault, outcome: Option<Outcome>) -> Outcome {
    match (&fault.answer, outcome) {
        (FaultAnswer::Drop, _) => Outcome::plain(Reply::Drop, "fault"),
        (FaultAnswer::Hang(time), _) => {
            tokio::time::sleep(*time).await;
            Outcome::plain(Reply::Drop, "fault")
        }
        (FaultAnswer::Html(status), _) => Outcome::plain(Reply::Html(*status), "fault"),
        (FaultAnswer::Error { .. }, _) => {
            fault.rest_error().map_or_else(|| Outcome::plain(Reply::Drop, "fault"), |error| Outcome::error(&error))
        }
        (FaultAnswer::Redirect(to), _) => Outcome::plain(Reply::Redirect(to.clone()), "fault"),
        (FaultAnswer::Empty, _) => Outcome::plain(Reply::Empty, "fault"),
        (FaultAnswer::Slow(time), outcome) => {
            tokio::time::sleep(*time).await;
            outcome.unwrap_or_else(|| Outcome::plain(Reply::Drop, "fault"))
        }
        (FaultAnswer::Held(hold), outcome) => {
            hold.pass().await;
            outcome.unwrap_or_else(|| Outcome::plain(Reply::Drop, "fault"))
        }
        (FaultAnswer::Truncated, Some(Outcome { reply: Reply::Json(_, body, _), .. })) => {
            Outcome::plain(Reply::Half(body), "fault")
        }
        (FaultAnswer::Truncated, _) => Outcome::plain(Reply::Drop, "fault"),
    }
}

/// REST 3.0: counted apart from v2, with a `time` block on every success.
fn run_v3(state: &mut State, caller: &Caller, incoming: &Incoming) -> Outcome {
    let (start_ms, started) = (state.clock.now_ms(), Instant::now());
    let key = format!("app:{}", incoming.logged_method());
    let (limits, edition, cost) = (state.options.limits, state.options.edition, state.options.cost);
    let (status, mut body, headers) = if state.limits.may_run(&limits, edition, &key, start_ms) {
        v3::run(state, caller, incoming)
    } else {
        v3::refuse(429, "RATELIMITEXCEPTION", "Method is blocked due to operation time limit.")
    };
    if let (200, Value::Object(map)) = (status, &mut body) {
        let charged = cost.operating_per_call + cost.operating_per_row;
        let spent = if charged.is_zero() { started.elapsed() } else { charged };
        let operating = state.limits.charge(&key, u64::try_from(spent.as_millis()).unwrap_or(u64::MAX), start_ms);
        map.insert("time".into(), time_block(start_ms, started.elapsed(), Some(operating)));
    }
    let word = if status == 200 { "ok".to_owned() } else { status.to_string() };
    Outcome { reply: Reply::Json(status, body, headers), word, errors: Vec::new(), user: caller.user }
}

/// The time a request takes, on both clocks, until the cap ends it.
struct Course {
    cap: Duration,
    started: Instant,
    ends_ms: i64,
    due_ms: i64,
}

impl Course {
    fn new(state: &State, started: Instant) -> Self {
        let (cap, now) = (state.options.limits.request_cap, state.clock.now_ms());
        let ends_ms = now.saturating_add(i64::try_from(cap.as_millis()).unwrap_or(i64::MAX));
        Self { cap, started, ends_ms, due_ms: now }
    }

    /// `false`: the cap has ended the request.
    fn goes_on(&self) -> bool {
        self.started.elapsed() < self.cap && self.due_ms < self.ends_ms
    }

    async fn pass(&mut self, shared: &Shared, took: Took) {
        if !took.wall.is_zero() {
            tokio::time::sleep(took.wall.min(self.cap.saturating_sub(self.started.elapsed()))).await;
        }
        if !took.own.is_zero() {
            let own = i64::try_from(took.own.as_millis()).unwrap_or(i64::MAX);
            self.due_ms = self.due_ms.saturating_add(own).min(self.ends_ms);
            until(shared, self.due_ms).await;
        }
    }
}

/// Waits for a moment of the portal's clock.
async fn until(shared: &Shared, due_ms: i64) {
    let stands = {
        let mut state = shared.lock();
        *state.awaited.entry(due_ms).or_default() += 1;
        matches!(state.clock, PortalClock::Fixed { .. })
    };
    shared.at_work.fetch_sub(1, Ordering::SeqCst);
    loop {
        let rung = shared.bell.notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let left = due_ms - shared.lock().clock.now_ms();
        if left <= 0 {
            break;
        }
        if stands {
            rung.await;
        } else {
            tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
        }
    }
    shared.at_work.fetch_add(1, Ordering::SeqCst);
    let mut state = shared.lock();
    if let Some(count) = state.awaited.get_mut(&due_ms) {
        *count -= 1;
        if *count == 0 {
            state.awaited.remove(&due_ms);
        }
    }
}

async fn run_one(shared: &Arc<Shared>, caller: &Caller, incoming: &Incoming, started: Instant) -> Outcome {
    let mut course = Course::new(&shared.lock(), started);
    let (result, time, took) = run_command(&mut shared.lock(), caller, &incoming.method, &incoming.params);
    shared.bell.notify_waiters();
    course.pass(shared, took).await;
    if !course.goes_on() {
        return Outcome::plain(Reply::Html(504), "cap");
    }
    match result {
        Ok(answer) => Outcome {
            reply: Reply::Json(200, envelope(answer, time), Vec::new()),
            word: "ok".into(),
            errors: Vec::new(),
            user: caller.user,
        },
        Err(error) => Outcome { user: caller.user, ..Outcome::error(&error) },
    }
}

async fn run_batch(shared: &Arc<Shared>, caller: &Caller, incoming: &Incoming, started: Instant) -> Outcome {
    let (start_ms, mut course) = {
        let state = shared.lock();
        (state.clock.now_ms(), Course::new(&state, started))
    };
    let mut run = new_run(incoming);
    for (at, (key, command)) in listed_commands(incoming).iter().enumerate() {
        if run.stopped {
            break;
        }
        // What ran before the cap stays; the rest never runs.
        if !course.goes_on() {
            break;
        }
        let took = run.step(&mut shared.lock(), caller, at, key, command);
        shared.bell.notify_waiters();
        course.pass(shared, took).await;
    }
    if !course.goes_on() {
        return Outcome { user: caller.user, ..Outcome::plain(Reply::Html(504), "cap") };
    }
    let edition = shared.lock().options.edition;
    let reset = start_ms.div_euclid(60_000) * 60 + 600;
    let time = time_block(start_ms, started.elapsed(), (edition != Edition::Box).then_some((0.0, reset)));
    let errors = run.errors;
    Outcome {
        reply: Reply::Json(200, envelope(Answer::new(run.results.finish()), time), Vec::new()),
        word: "ok".into(),
        errors,
        user: caller.user,
    }
}

/// The work of a request without waiting, for late commits.
pub fn all_at_once(state: &mut State, caller: &Caller, incoming: &Incoming) {
    if incoming.v3 {
        v3::run_beside(state, caller, incoming);
    } else if incoming.method == "batch" {
        let mut run = new_run(incoming);
        for (at, (key, command)) in listed_commands(incoming).iter().enumerate() {
            if !run.stopped {
                run.step(state, caller, at, key, command);
            }
        }
    } else {
        let (result, _, _) = run_command(state, caller, &incoming.method, &incoming.params);
        drop(result);
    }
}
