//! What `tasks.task.list` understands of a filter and an order. What it does not know it leaves out, as the product does.

use std::cmp::Ordering;

use serde_json::Value;

use super::Fields;
use crate::portal::php::{self, Params};

/// Fields that a filter may name; `XML_ID` is not among them.
const KNOWN: [&str; 14] = [
    "ID",
    "TITLE",
    "GROUP_ID",
    "CREATED_BY",
    "RESPONSIBLE_ID",
    "PRIORITY",
    "REAL_STATUS",
    "STATUS",
    "CREATED_DATE",
    "CHANGED_DATE",
    "CLOSED_DATE",
    "DEADLINE",
    "STATUS_CHANGED_BY",
    "TAG",
];

/// SQL's `LIKE`: `%` is anything, `_` one character.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|at| text.get(at..).is_some_and(|tail| like(tail, rest))),
        Some((one, rest)) => {
            text.split_first().is_some_and(|(first, tail)| (*one == '_' || first == one) && like(tail, rest))
        }
    }
}

fn lower(text: &str) -> Vec<char> {
    text.to_lowercase().chars().collect()
}

fn value(id: i64, fields: &Fields, name: &str) -> String {
    match name {
        "ID" => id.to_string(),
        "REAL_STATUS" => fields.get("STATUS").and_then(php::text).unwrap_or_default(),
        other => fields.get(other).and_then(php::text).unwrap_or_default(),
    }
}

fn compare(left: &str, right: &str) -> Ordering {
    match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => moment(left).cmp(&moment(right)).then_with(|| left.cmp(right)),
    }
}

fn moment(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp())
}

/// Whether a task passes.
pub fn fits(id: i64, fields: &Fields, filter: &Params) -> bool {
    filter.0.iter().all(|(key, wanted)| {
        let name = key.trim_start_matches(['%', '=', '>', '<', '!']).to_ascii_uppercase();
        if !KNOWN.contains(&name.as_str()) {
            return true;
        }
        let own = value(id, fields, &name);
        let sign = key.strip_suffix(key.trim_start_matches(['%', '=', '>', '<', '!'])).unwrap_or_default();
        let wanted: Vec<String> = match wanted {
            Value::Array(_) | Value::Object(_) => php::elements(wanted).into_iter().filter_map(php::text).collect(),
            one => php::text(one).into_iter().collect(),
        };
        let any = |test: &dyn Fn(&str) -> bool| wanted.iter().any(|one| test(one));
        match sign {
            ">" => any(&|one| compare(&own, one).is_gt()),
            ">=" => any(&|one| compare(&own, one).is_ge()),
            "<" => any(&|one| compare(&own, one).is_lt()),
            "<=" => any(&|one| compare(&own, one).is_le()),
            "!" => !any(&|one| own == one),
            "%" => any(&|one| own.to_lowercase().contains(&one.to_lowercase())),
            _ if name == "TITLE" => any(&|one| like(&lower(&own), &lower(one))),
            _ => any(&|one| own == one),
        }
    })
}

/// Puts ids in order: by what is asked for, else the newest first.
pub fn sort(rows: &mut [(i64, &Fields)], order: &Params) {
    let asked = order.0.iter().next().map(|(name, way)| {
        (name.to_ascii_uppercase(), php::text(way).is_some_and(|way| way.eq_ignore_ascii_case("asc")))
    });
    let (name, ascending) = asked.unwrap_or_else(|| ("ID".into(), false));
    rows.sort_by(|(left, a), (right, b)| {
        let by = compare(&value(*left, a, &name), &value(*right, b, &name)).then(left.cmp(right));
        if ascending { by } else { by.reverse() }
    });
}
