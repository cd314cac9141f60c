//! Filters of `crm.item.list` (facts §7.2): prefixes, lists, nested logic.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cell::{self, Cell};
use super::schema::Kind;
use super::table::{Row, Table};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Equal,
    Differs,
    More,
    MoreOrEqual,
    Less,
    LessOrEqual,
    In,
    NotIn,
    Contains,
    Lacks,
    Like,
    Unlike,
}

/// Longest first: the first prefix that fits is the one.
const PREFIXES: [(&str, Op); 15] = [
    ("!=%", Op::Unlike),
    ("!%=", Op::Unlike),
    ("=%", Op::Like),
    ("%=", Op::Like),
    ("!%", Op::Lacks),
    ("!@", Op::NotIn),
    ("!=", Op::Differs),
    (">=", Op::MoreOrEqual),
    ("<=", Op::LessOrEqual),
    ("!", Op::Differs),
    (">", Op::More),
    ("<", Op::Less),
    ("@", Op::In),
    ("%", Op::Contains),
    ("=", Op::Equal),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Id,
    Field(u16, Kind),
}

#[derive(Debug)]
struct Condition {
    target: Target,
    op: Op,
    values: Vec<String>,
    numbers: Vec<Option<f64>>,
}

/// A parsed filter.
#[derive(Debug)]
pub struct Filter {
    any: bool,
    conditions: Vec<Condition>,
    groups: Vec<Filter>,
}

impl Filter {
    /// Reads a filter map; an unknown field is refused.
    pub fn parse(table: &Table, value: Option<&Value>) -> RestResult<Self> {
        let mut filter = Self { any: false, conditions: Vec::new(), groups: Vec::new() };
        let Some(Value::Object(map)) = value else { return Ok(filter) };
        for (name, value) in map {
            if name.eq_ignore_ascii_case("logic") {
                filter.any = value.as_str().is_some_and(|logic| logic.eq_ignore_ascii_case("or"));
            } else if name.parse::<u32>().is_ok() {
                filter.groups.push(Self::parse(table, Some(value))?);
            } else {
                filter.conditions.push(condition(table, name, value)?);
            }
        }
        Ok(filter)
    }

    /// Whether a record passes.
    pub fn passes(&self, id: i64, row: &Row) -> bool {
        let mut tests = self
            .conditions
            .iter()
            .map(|condition| condition.passes(id, row))
            .chain(self.groups.iter().map(|group| group.passes(id, row)));
        if self.any { tests.any(|passed| passed) } else { tests.all(|passed| passed) }
    }

    /// Records worth looking at when an id list or an indexed field narrows them; `None` means all.
    pub fn candidates(&self, table: &Table) -> Option<BTreeSet<i64>> {
        if self.any {
            return None;
        }
        self.conditions.iter().find_map(|condition| match (condition.target, condition.op) {
            (Target::Id, Op::Equal | Op::In) => Some(condition.values.iter().filter_map(|v| v.parse().ok()).collect()),
            (Target::Field(key, _), Op::Equal | Op::In)
                if table.schema.field(key).is_some_and(|field| field.indexed)
                    && condition.values.iter().all(|value| !value.is_empty()) =>
            {
                Some(table.candidates(key, &condition.values))
            }
            _ => None,
        })
    }

    /// Lowest id the filter can let through.
    pub fn from_id(&self) -> i64 {
        if self.any {
            return i64::MIN;
        }
        self.conditions
            .iter()
            .filter(|condition| condition.target == Target::Id)
            .filter_map(|condition| {
                let value: i64 = condition.values.first()?.parse().ok()?;
                match condition.op {
                    Op::More => Some(value + 1),
                    Op::MoreOrEqual => Some(value),
                    _ => None,
                }
            })
            .max()
            .unwrap_or(i64::MIN)
    }
}

fn condition(table: &Table, name: &str, value: &Value) -> RestResult<Condition> {
    let (op, bare) = PREFIXES
        .iter()
        .find_map(|(prefix, op)| name.strip_prefix(prefix).map(|bare| (*op, bare)))
        .unwrap_or((Op::Equal, name));
    let target = match bare {
        "id" | "ID" => Target::Id,
        bare => table
            .schema
            .key(bare)
            .and_then(|key| table.schema.field(key).map(|field| Target::Field(key, field.kind)))
            .ok_or_else(|| {
                RestError::bad("INVALID_ARG_VALUE", format!("Invalid filter: field '{name}' is not allowed in filter"))
            })?,
    };
    let list = matches!(value, Value::Array(_) | Value::Object(_));
    let raw: Vec<String> = if list {
        php::elements(value).into_iter().map(|item| php::text(item).unwrap_or_default()).collect()
    } else {
        vec![php::text(value).unwrap_or_default()]
    };
    let op = match op {
        Op::Equal if list => Op::In,
        Op::Differs if list => Op::NotIn,
        other => other,
    };
    let values: Vec<String> = raw.into_iter().map(|text| normal(target, text, table.wall_times)).collect();
    let numbers = values.iter().map(|text| text.parse().ok()).collect();
    Ok(Condition { target, op, values, numbers })
}

/// Brings a filter value to the form the cell is kept in.
fn normal(target: Target, text: String, wall: bool) -> String {
    let Target::Field(_, kind) = target else { return text };
    match kind {
        Kind::Date => cell::date(&text).map_or(text, |date| date.to_string()),
        Kind::Time => {
            let read = if wall { text.get(..19).unwrap_or(&text) } else { &text };
            cell::moment(read).map_or(text, |unix| unix.to_string())
        }
        Kind::Bit => if matches!(text.as_str(), "Y" | "1" | "true") { "1" } else { "0" }.to_owned(),
        Kind::Flag if text == "1" || text == "true" => "Y".to_owned(),
        Kind::Flag if text == "0" || text.is_empty() => "N".to_owned(),
        _ => text,
    }
}

impl Condition {
    fn passes(&self, id: i64, row: &Row) -> bool {
        match self.target {
            Target::Id => self.single(&Cell::Int(id)),
            Target::Field(key, kind) => match row.cell(key) {
                None => self.missing(kind),
                Some(Cell::List(list)) => match self.op {
                    Op::Differs | Op::NotIn | Op::Lacks | Op::Unlike => list.iter().all(|cell| self.single(cell)),
                    _ => list.iter().any(|cell| self.single(cell)),
                },
                Some(cell) => self.single(cell),
            },
        }
    }

    /// An empty field: equal to empty values only (and to zero where zero is what is shown).
    fn missing(&self, kind: Kind) -> bool {
        let blank = |value: &String| {
            value.is_empty()
                || (value == "0" && matches!(kind, Kind::Int | Kind::Num | Kind::Bit))
                || (value == "N" && kind == Kind::Flag)
        };
        match self.op {
            Op::Equal | Op::In => self.values.iter().any(blank),
            Op::Differs | Op::NotIn => !self.values.iter().any(blank),
            Op::Lacks | Op::Unlike => true,
            _ => false,
        }
    }

    fn single(&self, cell: &Cell) -> bool {
        let equal = || match cell {
            Cell::Num(number) => self.numbers.contains(&Some(*number)),
            Cell::Int(number) => self.values.iter().any(|value| *value == number.to_string()),
            Cell::Text(text) => self.values.iter().any(|value| value.as_str() == &**text),
            Cell::List(_) => false,
        };
        let needle = || self.values.first().map(|value| value.to_lowercase()).unwrap_or_default();
        let hay = || cell.plain().to_lowercase();
        match self.op {
            Op::Equal | Op::In => equal(),
            Op::Differs | Op::NotIn => !equal(),
            Op::Contains => hay().contains(&needle()),
            Op::Lacks => !hay().contains(&needle()),
            Op::Like => like(&hay(), &needle()),
            Op::Unlike => !like(&hay(), &needle()),
            Op::More => self.order(cell).is_some_and(std::cmp::Ordering::is_gt),
            Op::MoreOrEqual => self.order(cell).is_some_and(std::cmp::Ordering::is_ge),
            Op::Less => self.order(cell).is_some_and(std::cmp::Ordering::is_lt),
            Op::LessOrEqual => self.order(cell).is_some_and(std::cmp::Ordering::is_le),
        }
    }

    fn order(&self, cell: &Cell) -> Option<std::cmp::Ordering> {
        match cell {
            Cell::Int(number) => {
                let bound = self.values.first()?;
                match bound.parse::<i64>() {
                    Ok(bound) => Some(number.cmp(&bound)),
                    Err(_) => None,
                }
            }
            Cell::Num(number) => number.partial_cmp(&self.numbers.first().copied().flatten()?),
            Cell::Text(text) => Some((**text).cmp(self.values.first()?.as_str())),
            Cell::List(_) => None,
        }
    }
}

/// SQL's LIKE with `%` only.
fn like(hay: &str, pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('%').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return hay == pattern;
    }
    let Some(mut rest) = hay.strip_prefix(first) else { return false };
    for part in parts.iter().take(parts.len() - 1).skip(1) {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn like_anchors_both_ends() {
        assert!(like("[fb-1] title", "[fb-1]%"));
        assert!(like("abc", "%b%"));
        assert!(!like("abc", "b%"));
        assert!(!like("ab", "a%ab"));
    }
}
