//! Commands under the lock: one alone, or a batch step by step.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::auth;
use super::batch::{self, Results};
use super::call::{Answer, Call, Caller};
use super::incoming::Incoming;
use super::methods;
use crate::portal::clock::{self, PortalClock};
use crate::portal::error::{RestError, RestResult};
use crate::portal::faults::{Fault, FaultWhen};
use crate::portal::options::Edition;
use crate::portal::php::{self, Params};
use crate::portal::state::State;

/// How long a command takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// Waited by wall time.
    pub wall: Duration,
    /// By the portal's own clock.
    pub own: Duration,
}

const OF_A_ROW: Duration = Duration::from_millis(1);

/// One command under the lock: scope, operating limit, the method, its price.
pub fn run_command(
    state: &mut State,
    caller: &Caller,
    method: &str,
    params: &Params,
) -> (RestResult<Answer>, Value, Took) {
    let start_ms = state.clock.now_ms();
    let started = Instant::now();
    let key = format!("{}:{method}", if caller.app { "app" } else { "hook" });
    let (limits, edition, cost) = (state.options.limits, state.options.edition, state.options.cost);
    let result = if !methods::exists(state, method) {
        Err(RestError::new(404, "ERROR_METHOD_NOT_FOUND", "Method not found!"))
    } else if !state.limits.may_run(&limits, edition, &key, start_ms) {
        Err(RestError::new(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit."))
    } else {
        auth::may_call(state, caller, method, false).and_then(|()| {
            let mut call = Call { state, user: caller.user, app: caller.app, hops: caller.hops, params, method: "" };
            methods::call(&mut call, method)
        })
    };
    let rows = u32::try_from(result.as_ref().map_or(0, |answer| answer.rows)).unwrap_or(u32::MAX);
    let own = state.row_costs.get(method).copied().unwrap_or_default() * rows;
    // By a clock that stands nothing takes the time of the machine, which may be busy.
    let took = match state.clock {
        PortalClock::Fixed { .. } => OF_A_ROW * rows.max(1),
        _ => started.elapsed(),
    };
    let charged = cost.operating_per_call + cost.operating_per_row * rows + own;
    let spent = if charged.is_zero() { took } else { charged };
    let operating = state.limits.charge(&key, u64::try_from(spent.as_millis()).unwrap_or(u64::MAX), start_ms);
    let time = time_block(start_ms, took + own, (edition != Edition::Box).then_some(operating));
    (result, time, Took { wall: cost.latency_per_call + cost.latency_per_row * rows, own })
}

/// The `time` member.
pub fn time_block(start_ms: i64, spent: Duration, operating: Option<(f64, i64)>) -> Value {
    let start = Duration::from_millis(u64::try_from(start_ms).unwrap_or(0)).as_secs_f64();
    let finish = start + spent.as_secs_f64();
    let mut time = json!({
        "start": start, "finish": finish, "duration": spent.as_secs_f64(), "processing": spent.as_secs_f64(),
        "date_start": clock::iso(start_ms.div_euclid(1000)), "date_finish": clock::iso(start_ms.div_euclid(1000)),
    });
    if let (Some((seconds, reset)), Value::Object(map)) = (operating, &mut time) {
        map.insert("operating_reset_at".into(), json!(reset));
        map.insert("operating".into(), json!(seconds));
    }
    time
}

/// A success with its `time`.
pub fn envelope(answer: Answer, time: Value) -> Value {
    let mut body = Map::new();
    body.insert("result".into(), answer.result);
    if let Some(next) = answer.next {
        body.insert("next".into(), json!(next));
    }
    if let Some(total) = answer.total {
        body.insert("total".into(), json!(total));
    }
    body.insert("time".into(), time);
    Value::Object(body)
}

/// A batch on its way.
pub struct Run {
    /// Results so far.
    pub results: Results,
    /// Codes of failed commands.
    pub errors: Vec<String>,
    halt: bool,
    /// `halt` took effect.
    pub stopped: bool,
}

impl Run {
    /// One command of a batch; returns how long it takes.
    pub fn step(&mut self, state: &mut State, caller: &Caller, at: usize, key: &str, command: &str) -> Took {
        let (method, query) = batch::split(command);
        let planned = state.faults.for_command(&method);
        let injected = planned.as_ref().and_then(Fault::rest_error);
        let before = planned.is_some_and(|fault| fault.when == FaultWhen::Before);
        let (result, time, wait) = if at >= batch::CAP {
            (
                Err(RestError::bad("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")),
                Value::Null,
                Took::default(),
            )
        } else if matches!(method.as_str(), "batch" | "download" | "upload") {
            let text = "Method is not allowed for batch usage";
            (Err(RestError::new(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", text)), Value::Null, Took::default())
        } else if let Some(error) = injected.clone().filter(|_| before) {
            (Err(error), Value::Null, Took::default())
        } else {
            let params = batch::params(query, &self.results);
            run_command(state, caller, &method, &params)
        };
        let result = match injected {
            Some(error) => Err(error),
            None => result,
        };
        match result {
            Ok(answer) => {
                self.results.result.insert(key.to_owned(), answer.result);
                if let Some(total) = answer.total {
                    self.results.total.insert(key.to_owned(), json!(total));
                }
                if let Some(next) = answer.next {
                    self.results.next.insert(key.to_owned(), json!(next));
                }
                self.results.time.insert(key.to_owned(), time);
            }
            Err(error) => {
                self.errors.push(error.code.clone());
                self.results.error.insert(key.to_owned(), Value::Object(error.body()));
                self.stopped = self.halt;
            }
        }
        wait
    }
}

/// Commands with their keys, in order.
pub fn listed_commands(incoming: &Incoming) -> Vec<(String, String)> {
    match incoming.params.get("cmd") {
        Some(Value::Object(map)) => {
            map.iter().filter_map(|(key, value)| Some((key.clone(), php::text(value)?))).collect()
        }
        Some(Value::Array(list)) => {
            list.iter().enumerate().filter_map(|(at, value)| Some((at.to_string(), php::text(value)?))).collect()
        }
        _ => Vec::new(),
    }
}

/// A batch before its first command.
pub fn new_run(incoming: &Incoming) -> Run {
    Run { results: Results::default(), errors: Vec::new(), halt: incoming.params.flag("halt"), stopped: false }
}
