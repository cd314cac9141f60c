//! Conditions: compiled once against a type's list of names, then tried on every row.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::answer::Refusal;
use super::knobs::{ConditionTimes, Knobs};
use super::request::{Conditions, Link};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Number,
    Text,
    /// A calendar date; a time in the condition is ignored.
    Date,
    /// A moment; a bare date means its midnight.
    Time,
}

/// What a row answers to a condition's name. Several values: one of them is enough.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Number(i64),
    Numbers(Vec<i64>),
    Text(&'a str),
    Texts(Vec<&'a str>),
    Date(Option<NaiveDate>),
    Time(Option<NaiveDateTime>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Neq,
    Like,
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Number(i64),
    Text(String),
    Date(NaiveDate),
    Time(NaiveDateTime),
}

#[derive(Debug, Clone)]
pub struct Compiled {
    name: &'static str,
    operation: Operation,
    wanted: Wanted,
    link: Option<(Link, Box<Compiled>)>,
}

/// `DD.MM.YYYY[ HH:MM:SS[.mmm]][ UTC±MM]`; the suffix is not an offset and is dropped (facts §4).
pub fn parse_time(text: &str) -> Option<(NaiveDate, Option<NaiveTime>, bool)> {
    let text = text.trim();
    let (plain, suffix) = text.split_once("UTC").map_or((text, false), |(plain, _)| (plain.trim(), true));
    let (day, time) = plain.split_once(' ').map_or((plain, None), |(day, time)| (day, Some(time.trim())));
    let day = NaiveDate::parse_from_str(day, "%d.%m.%Y").ok()?;
    let time = time.map(|t| NaiveTime::parse_from_str(t, "%H:%M:%S%.f").ok());
    match time {
        Some(None) => None,
        Some(Some(time)) => Some((day, Some(time), suffix || plain.contains(":00."))),
        None => Some((day, None, suffix)),
    }
}

/// Oracle `LIKE`: `%` any run, `_` one character, no escape.
pub fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let mut reachable = vec![false; text.len() + 1];
    if let Some(first) = reachable.first_mut() {
        *first = true;
    }
    for p in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut run = false;
        for (i, slot) in next.iter_mut().enumerate() {
            let here = reachable.get(i).copied().unwrap_or_default();
            let before = i.checked_sub(1).and_then(|b| reachable.get(b)).copied().unwrap_or_default();
            *slot = match p {
                '%' => {
                    run |= here;
                    run
                }
                '_' => before,
                c => before && i.checked_sub(1).and_then(|b| text.get(b)) == Some(&c),
            };
        }
        reachable = next;
    }
    reachable.last().copied().unwrap_or_default()
}

impl Compiled {
    /// Checks names, operations and values; `known` maps a name to its canonical spelling and sort.
    pub fn new(
        conditions: &Conditions,
        known: &dyn Fn(&str) -> Option<(&'static str, Sort)>,
        knobs: &Knobs,
    ) -> Result<Self, Refusal> {
        let (name, sort) = known(&conditions.name)
            .ok_or_else(|| Refusal::invalid(&format!("Unknown condition {}", conditions.name)))?;
        let operation = match conditions.operation.as_str() {
            "lt" => Operation::Lt,
            "le" => Operation::Le,
            "gt" => Operation::Gt,
            "ge" => Operation::Ge,
            "eq" => Operation::Eq,
            "neq" => Operation::Neq,
            "like" => Operation::Like,
            other => return Err(Refusal::invalid(&format!("Unsupported operation {other}"))),
        };
        let value = conditions.value.as_str();
        let unreadable = || Refusal::unprocessable(&format!("ORA-01722: invalid value for {name}"));
        let wanted = match sort {
            _ if operation == Operation::Like => Wanted::Text(value.to_owned()),
            Sort::Number => Wanted::Number(value.parse().map_err(|_| unreadable())?),
            Sort::Text => Wanted::Text(value.to_owned()),
            Sort::Date => Wanted::Date(parse_time(value).ok_or_else(unreadable)?.0),
            Sort::Time => {
                let (day, time, long) = parse_time(value).ok_or_else(unreadable)?;
                let refused = match knobs.condition_times {
                    ConditionTimes::Any => false,
                    ConditionTimes::NoSuffix => long || value.contains("UTC") || value.contains(".000"),
                    ConditionTimes::DateOnly => time.is_some(),
                };
                if refused {
                    return Err(unreadable());
                }
                Wanted::Time(day.and_time(time.unwrap_or(NaiveTime::MIN)))
            }
        };
        let link = match &conditions.link {
            Some((link, rest)) => Some((*link, Box::new(Self::new(rest, known, knobs)?))),
            None => None,
        };
        Ok(Self { name, operation, wanted, link })
    }

    pub fn matches<'a>(&self, value: &dyn Fn(&str) -> Value<'a>) -> bool {
        let here = match value(self.name) {
            Value::Number(n) => self.number(n),
            Value::Numbers(all) => all.into_iter().any(|n| self.number(n)),
            Value::Text(t) => self.text(t),
            Value::Texts(all) => all.into_iter().any(|t| self.text(t)),
            Value::Date(day) => day.is_some_and(|day| match &self.wanted {
                Wanted::Date(wanted) => self.compare(day.cmp(wanted)),
                Wanted::Text(pattern) => like(&super::answer::date(day), pattern),
                _ => false,
            }),
            Value::Time(at) => at.is_some_and(|at| match &self.wanted {
                Wanted::Time(wanted) => self.compare(at.cmp(wanted)),
                _ => false,
            }),
        };
        match &self.link {
            None => here,
            Some((Link::And, rest)) => here && rest.matches(value),
            Some((Link::Or, rest)) => here || rest.matches(value),
            Some((Link::Not, rest)) => here && !rest.matches(value),
        }
    }

    /// Lower and upper bound on `key` that an AND chain implies: spares looking at every row.
    pub fn bounds(&self, key: &str) -> (i64, i64) {
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        let mut next = Some(self);
        // Only what every row must satisfy narrows the range, so the walk ends at the first OR or NOT.
        let only_and = |c: &Self| c.link.as_ref().is_none_or(|(link, _)| *link == Link::And);
        while let Some(c) = next.filter(|c| only_and(c)) {
            if let (true, Wanted::Number(n)) = (c.name == key, &c.wanted) {
                match c.operation {
                    Operation::Eq => (low, high) = (low.max(*n), high.min(*n)),
                    Operation::Ge => low = low.max(*n),
                    Operation::Gt => low = low.max(n.saturating_add(1)),
                    Operation::Le => high = high.min(*n),
                    Operation::Lt => high = high.min(n.saturating_sub(1)),
                    Operation::Neq | Operation::Like => {}
                }
            }
            next = c.link.as_ref().map(|(_, rest)| rest.as_ref());
        }
        (low, high)
    }

    fn number(&self, n: i64) -> bool {
        match &self.wanted {
            Wanted::Number(wanted) => self.compare(n.cmp(wanted)),
            Wanted::Text(pattern) => like(&n.to_string(), pattern),
            _ => false,
        }
    }

    fn text(&self, text: &str) -> bool {
        match &self.wanted {
            Wanted::Text(wanted) if self.operation == Operation::Like => like(text, wanted),
            Wanted::Text(wanted) => self.compare(text.cmp(wanted.as_str())),
            _ => false,
        }
    }

    fn compare(&self, order: std::cmp::Ordering) -> bool {
        match self.operation {
            Operation::Lt => order.is_lt(),
            Operation::Le => order.is_le(),
            Operation::Gt => order.is_gt(),
            Operation::Ge => order.is_ge(),
            Operation::Eq => order.is_eq(),
            Operation::Neq => order.is_ne(),
            Operation::Like => false,
        }
    }
}
