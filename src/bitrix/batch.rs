//! Commands put into one request, and its answer taken apart again (facts §4).

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::call::{Answer, Api, Call};
use super::codes::At;
use super::de;
use super::encode::{command, travels_alone};
use super::error::Error;
use super::send::Request;
use super::wire;

/// The portal takes no more commands in one batch.
pub const COMMANDS: usize = 50;

/// The commands from `start` on that go into one request, in order: one that must travel alone, or up to 50 others.
pub fn group(calls: &[Call], start: usize) -> Range<usize> {
    let rest = calls.iter().skip(start);
    let together = rest.take(COMMANDS).take_while(|call| !travels_alone(call)).count();
    start..(start + together.max(1)).min(calls.len())
}

/// How many requests these commands take.
pub fn requests(calls: &[Call]) -> usize {
    let (mut start, mut count) = (0, 0);
    while start < calls.len() {
        start = group(calls, start).end;
        count += 1;
    }
    count
}

/// The key under which the `i`-th command of a batch goes.
pub(super) fn key(i: usize) -> String {
    // Letters first: with number keys PHP would answer lists, dense or not.
    format!("c{i}")
}

/// One command is sent as itself, several as a batch.
pub(super) fn request<'a>(chosen: &[(usize, &'a Call)]) -> Request<'a> {
    let calls: Vec<&Call> = chosen.iter().map(|(_, call)| *call).collect();
    if let [only] = calls.as_slice() {
        return Request { api: Api::V2, method: &only.method, params: only.params.clone(), key: None, calls };
    }
    let commands: Map<_, _> =
        calls.iter().enumerate().map(|(i, call)| (key(i), Value::String(command(call)))).collect();
    Request { api: Api::V2, method: "batch", params: json!({"halt": 0, "cmd": commands}), key: None, calls }
}

/// One result a command. A command that the answer does not mention at all is of unknown outcome.
pub(super) fn answers(commands: usize, json: Value) -> Vec<Result<Answer, Error>> {
    match commands {
        1 => vec![Ok(wire::answer(json))],
        many => take_apart(many, json, key),
    }
}

/// The same results as [`answers`], looked at in place: for the log.
pub(super) fn peek(commands: usize, json: &Value) -> Vec<Result<&Value, Error>> {
    let result = json.get("result").unwrap_or(&Value::Null);
    if commands == 1 {
        return vec![Ok(result)];
    }
    let seen = |i| {
        let key = key(i);
        match refused(result, &key) {
            Some(error) => Err(error),
            None => result.get("result").and_then(|map| de::entry(map, &key)).ok_or_else(unmentioned),
        }
    };
    (0..commands).map(seen).collect()
}

fn take_apart(commands: usize, mut json: Value, key: impl Fn(usize) -> String) -> Vec<Result<Answer, Error>> {
    let mut whole = json.get_mut("result").map(Value::take).unwrap_or_default();
    (0..commands).map(|i| one(&mut whole, &key(i))).collect()
}

/// The command's own status is not told; the request's is always 200.
fn refused(whole: &Value, key: &str) -> Option<Error> {
    let error = whole.get("result_error").and_then(|map| de::entry(map, key)).filter(|error| !error.is_null())?;
    let read = wire::refusal(At::Portal, 200, error);
    Some(read.unwrap_or_else(|| Error::unreadable(200, "an error of another shape")))
}

fn unmentioned() -> Error {
    Error::unreadable(200, "the batch does not mention this command")
}

fn one(whole: &mut Value, key: &str) -> Result<Answer, Error> {
    if let Some(error) = refused(whole, key) {
        return Err(error);
    }
    let part = |name: &str| whole.get(name).and_then(|map| de::entry(map, key));
    let timing = wire::timing(part("result_time"));
    let (total, next) = (part("result_total").and_then(de::int), part("result_next").and_then(de::int));
    let result = match whole.get_mut("result") {
        Some(Value::Object(map)) => map.get_mut(key).map(Value::take),
        Some(Value::Array(items)) => key.parse::<usize>().ok().and_then(|index| items.get_mut(index)).map(Value::take),
        _ => None,
    };
    match result {
        Some(result) => Ok(Answer { result, total, next, timing }),
        None => Err(unmentioned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitrix::Class;

    fn call(title: &str) -> Call {
        Call::new("crm.item.add", json!({"entityTypeId": 2, "fields": {"title": title}}))
    }

    #[test]
    fn s48_requests_hold_fifty_commands_and_a_dangerous_one_goes_alone_in_its_turn() {
        let mut calls: Vec<_> = (0..120).map(|i| call(&i.to_string())).collect();
        assert_eq!(requests(&calls), 3);
        calls[60] = call("see $result[c0]");
        assert_eq!(
            (group(&calls, 0), group(&calls, 50), group(&calls, 60), group(&calls, 61)),
            (0..50, 50..60, 60..61, 61..111)
        );
        assert_eq!((requests(&calls), requests(&[])), (5, 0));
        let alone = request(&[(60, &calls[60])]);
        assert_eq!((alone.method, &alone.params), ("crm.item.add", &calls[60].params), "as itself, verbatim");
        let many = request(&[(0, &calls[0]), (1, &calls[1])]);
        assert_eq!(many.method, "batch");
        assert_eq!(many.params["cmd"]["c1"], "crm.item.add?entityTypeId=2&fields%5Btitle%5D=1");
    }

    #[test]
    fn s48_a_batch_is_taken_apart_whatever_form_its_maps_have() {
        let json = json!({"result": {"result": {"c0": {"item": {"id": 1}}, "c2": null}, "result_error": {"c1": {"error": "NOT_FOUND",
            "error_description": "gone"}}, "result_total": {"c0": 3}, "result_next": [], "result_time": {"c0": {"operating": 0.5}}}});
        let answers = take_apart(4, json, key);
        assert_eq!(answers[0].as_ref().map(|a| (a.total, a.timing.operating)), Ok((Some(3), Some(0.5))));
        assert_eq!(
            answers[1].as_ref().map_err(|e| (e.code().to_owned(), e.class)),
            Err(("not_found".into(), Class::Permanent))
        );
        assert_eq!(answers[2].as_ref().map(|a| a.result.clone()), Ok(Value::Null), "null is an answer");
        assert!(answers[3].as_ref().is_err_and(|e| e.outcome_unknown), "absent from both: nobody knows");
        let empty = take_apart(1, json!({"result": {"result": [], "result_error": {"c0": {"error": ""}}}}), key);
        assert_eq!(empty[0].as_ref().map_err(Error::code), Err(""));
        let numbers = |i: usize| i.to_string();
        let dense = take_apart(2, json!({"result": {"result": ["a", "b"], "result_error": []}}), numbers);
        assert_eq!(dense[1].as_ref().map(|a| a.result.clone()), Ok(json!("b")));
        let sparse =
            take_apart(2, json!({"result": {"result": {"1": "b"}, "result_error": [{"error": "X"}]}}), numbers);
        assert!(sparse[0].is_err() && sparse[1].is_ok());
        assert!(take_apart(1, json!({"result": []}), key)[0].as_ref().is_err_and(|e| e.outcome_unknown));
    }

    #[test]
    fn s48_a_halted_batch_mentions_only_what_it_reached() {
        let json = json!({"result": {"result": {"c0": 1}, "result_error": {"c1": {"error": "ERROR_CORE"}}, "result_time": []}});
        let answers = take_apart(3, json, key);
        assert!(answers[0].is_ok());
        assert!(answers[1].as_ref().is_err_and(|e| !e.outcome_unknown));
        assert!(answers[2].as_ref().is_err_and(|e| e.outcome_unknown));
    }
}
