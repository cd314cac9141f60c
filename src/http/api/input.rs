//! Reading a JSON body: every member is asked for by name, everything wrong with it is collected with its pointer, and
//! members nobody asked for are refused.

use std::cell::RefCell;
use std::rc::Rc;

use chrono::NaiveDate;
use serde_json::{Map, Value};

/// Where something wrong stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// In the body, by JSON pointer (RFC 6901).
    Pointer(String),
    /// In the query, by name.
    Parameter(String),
    Header(&'static str),
}

/// One thing that cannot be taken: where it stands, and a stable code with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub at: At,
    pub code: &'static str,
    pub params: Vec<(&'static str, String)>,
}

/// Why one value cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    code: &'static str,
    params: Vec<(&'static str, String)>,
}

impl From<&'static str> for Bad {
    fn from(code: &'static str) -> Self {
        Self { code, params: vec![] }
    }
}

impl Bad {
    pub fn with(code: &'static str, params: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self { code, params: params.into_iter().collect() }
    }
}

type Errors = Rc<RefCell<Vec<Invalid>>>;

/// A JSON object being read.
#[derive(Debug)]
pub struct Object {
    pointer: String,
    members: Map<String, Value>,
    errors: Errors,
}

/// At most this many wrong members are told; a body of thousands of them is not worth a longer answer.
const TOLD: usize = 50;

impl Object {
    /// Reads a whole body with `parse`; what it answers counts only if nothing was wrong and no member is left over.
    pub fn read<T>(body: Value, parse: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, Vec<Invalid>> {
        let errors = Errors::default();
        let root = Self { pointer: String::new(), members: Map::new(), errors: errors.clone() };
        let parsed = match body {
            Value::Object(members) => {
                let mut root = Self { members, ..root };
                let parsed = parse(&mut root);
                root.refuse_leftovers();
                parsed
            }
            _ => {
                root.push("", "object".into());
                None
            }
        };
        let mut errors = errors.take();
        errors.truncate(TOLD);
        match parsed {
            Some(parsed) if errors.is_empty() => Ok(parsed),
            _ => Err(errors),
        }
    }

    fn push(&self, member: &str, bad: Bad) {
        let pointer = if member.is_empty() { self.pointer.clone() } else { self.at(member) };
        let at = At::Pointer(pointer);
        self.errors.borrow_mut().push(Invalid { at, code: bad.code, params: bad.params });
    }

    fn at(&self, member: &str) -> String {
        format!("{}/{}", self.pointer, member.replace('~', "~0").replace('/', "~1"))
    }

    fn refuse_leftovers(&mut self) {
        for member in std::mem::take(&mut self.members).keys() {
            // The name came from outside: a pointer repeats it, but not a megabyte of it.
            let name: String = member.chars().take(64).collect();
            self.push(&name, "unknown".into());
        }
    }

    /// Notes that a member is wrong for a reason that only shows beside others.
    pub fn reject(&self, member: &str, bad: impl Into<Bad>) {
        self.push(member, bad.into());
    }

    /// Whether this member was found wrong already.
    pub fn failed(&self, member: &str) -> bool {
        let at = At::Pointer(self.at(member));
        self.errors.borrow().iter().any(|error| error.at == at)
    }

    /// Whether the body says anything here, be it `null`.
    pub fn given(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// Whether the body says anything but `null` here.
    pub fn has(&self, member: &str) -> bool {
        self.members.get(member).is_some_and(|value| !value.is_null())
    }

    /// A member that tells three things apart: missing (`None`), `null` (`Some(None)`) and a value.
    pub fn told<T, B: Into<Bad>>(
        &mut self,
        member: &str,
        parse: impl FnOnce(&Value) -> Result<T, B>,
    ) -> Option<Option<T>> {
        match self.members.remove(member)? {
            Value::Null => Some(None),
            value => parse(&value).map_err(|bad| self.push(member, bad.into())).ok().map(Some),
        }
    }

    /// A member that must be there.
    pub fn required<T, B: Into<Bad>>(&mut self, member: &str, parse: impl FnOnce(&Value) -> Result<T, B>) -> Option<T> {
        match self.members.remove(member).filter(|value| !value.is_null()) {
            None => {
                self.push(member, "required".into());
                None
            }
            Some(value) => parse(&value).map_err(|bad| self.push(member, bad.into())).ok(),
        }
    }

    /// A member that may be missing or `null`.
    pub fn optional<T, B: Into<Bad>>(&mut self, member: &str, parse: impl FnOnce(&Value) -> Result<T, B>) -> Option<T> {
        let value = self.members.remove(member).filter(|value| !value.is_null())?;
        parse(&value).map_err(|bad| self.push(member, bad.into())).ok()
    }

    /// A list of objects, each read by `parse`; `None` if the member is missing or any of them is wrong.
    pub fn objects<T>(
        &mut self,
        member: &str,
        most: usize,
        mut parse: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let pointer = self.at(member);
        let items = self.required(member, |value| match value {
            Value::Array(items) if items.len() <= most => Ok(items.clone()),
            Value::Array(_) => Err(Bad::with("too_many", [("max", most.to_string())])),
            _ => Err("list".into()),
        })?;
        let mut parsed = Vec::with_capacity(items.len());
        let mut whole = true;
        for (index, item) in items.into_iter().enumerate() {
            match self.nested(format!("{pointer}/{index}"), item, &mut parse) {
                Some(item) => parsed.push(item),
                None => whole = false,
            }
        }
        whole.then_some(parsed)
    }

    /// An object that must be there, read by `parse`.
    pub fn object<T>(&mut self, member: &str, parse: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        let pointer = self.at(member);
        let value = self.required(member, |value| Ok::<_, Bad>(value.clone()))?;
        self.nested(pointer, value, parse)
    }

    /// Like [`Object::object`] where the member may be missing or `null`.
    pub fn optional_object<T>(&mut self, member: &str, parse: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        if self.has(member) {
            self.object(member, parse)
        } else {
            self.members.remove(member);
            None
        }
    }

    /// The members of a map of any names, each read by `parse`.
    pub fn entries<T>(&mut self, mut parse: impl FnMut(&str, &Value) -> Result<T, Bad>) -> Vec<(String, T)> {
        let map = self;
        let members = std::mem::take(&mut map.members);
        let mut parsed = Vec::with_capacity(members.len());
        for (name, value) in &members {
            match parse(name, value) {
                Ok(value) => parsed.push((name.clone(), value)),
                Err(bad) => map.push(name, bad),
            }
        }
        parsed
    }

    fn nested<T>(&self, pointer: String, value: Value, mut parse: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        let mut inner = Self { pointer, members: Map::new(), errors: self.errors.clone() };
        let Value::Object(members) = value else {
            inner.push("", "object".into());
            return None;
        };
        inner.members = members;
        let parsed = parse(&mut inner);
        inner.refuse_leftovers();
        parsed
    }
}

/// Text of 1 to `max` characters without control characters, trimmed.
pub fn text(max: usize) -> impl Fn(&Value) -> Result<String, Bad> {
    move |value| {
        let text = value.as_str().ok_or("text")?.trim();
        if text.is_empty() {
            return Err("required".into());
        }
        if text.chars().any(char::is_control) {
            return Err("control_characters".into());
        }
        if text.chars().count() > max {
            return Err(Bad::with("too_long", [("max", max.to_string())]));
        }
        Ok(text.to_owned())
    }
}

/// A secret: as [`text`], but not trimmed.
pub fn secret(max: usize) -> impl Fn(&Value) -> Result<String, Bad> {
    move |value| {
        let secret = value.as_str().ok_or("text")?;
        if secret.is_empty() {
            return Err("required".into());
        }
        if secret.chars().any(char::is_control) {
            return Err("control_characters".into());
        }
        if secret.chars().count() > max {
            return Err(Bad::with("too_long", [("max", max.to_string())]));
        }
        Ok(secret.to_owned())
    }
}

/// Certificates of an authority in PEM form; an empty text is none.
pub fn authority(value: &Value) -> Result<Option<String>, Bad> {
    const MAX: usize = 32 * 1024;
    let pem = value.as_str().ok_or("pem")?.trim();
    if pem.len() > MAX {
        return Err(Bad::with("too_long", [("max", MAX.to_string())]));
    }
    if pem.is_empty() {
        return Ok(None);
    }
    crate::net::check_authority(pem).map_err(|_| "pem")?;
    Ok(Some(pem.to_owned()))
}

pub fn boolean(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("boolean")
}

pub fn integer(min: i64, max: i64) -> impl Fn(&Value) -> Result<i64, Bad> {
    move |value| {
        let number = value.as_i64().ok_or("integer")?;
        if (min..=max).contains(&number) {
            Ok(number)
        } else {
            Err(Bad::with("range", [("min", min.to_string()), ("max", max.to_string())]))
        }
    }
}

/// `YYYY-MM-DD`, within the years a hotel can mean.
pub fn date(value: &Value) -> Result<NaiveDate, &'static str> {
    use chrono::Datelike;
    let text = value.as_str().filter(|text| text.len() == 10).ok_or("date")?;
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| (1990..=2100).contains(&date.year())).ok_or("date")
}

/// A list of at most `most` values.
pub fn list<T>(most: usize, item: impl Fn(&Value) -> Result<T, Bad>) -> impl Fn(&Value) -> Result<Vec<T>, Bad> {
    move |value| {
        let items = value.as_array().ok_or("list")?;
        if items.len() > most {
            return Err(Bad::with("too_many", [("max", most.to_string())]));
        }
        items.iter().map(&item).collect()
    }
}

#[cfg(test)]
pub(super) fn pair(bad: Invalid) -> (String, &'static str) {
    match bad.at {
        At::Pointer(pointer) => (pointer, bad.code),
        other => (format!("{other:?}"), bad.code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(body: Value) -> Vec<(String, &'static str)> {
        let read = Object::read(body, |o| {
            let name = o.required("name", text(5));
            let day = o.optional("day", date);
            let items = o.objects("items", 2, |item| item.required("n", integer(1, 3)));
            Some((name?, day, items?))
        });
        read.expect_err("wrong").into_iter().map(pair).collect()
    }

    #[test]
    fn s51_every_wrong_member_is_named_by_its_pointer() {
        assert_eq!(
            wrong(json!({"day": "2026-02-30", "items": [{"n": 1}, {"n": 4, "m": 1}], "x/y": 1})),
            [
                ("/name".to_owned(), "required"),
                ("/day".into(), "date"),
                ("/items/1/n".into(), "range"),
                ("/items/1/m".into(), "unknown"),
                ("/x~1y".into(), "unknown"),
            ]
        );
        assert_eq!(wrong(json!([])), [(String::new(), "object")]);
        assert_eq!(
            wrong(json!({"name": "abcdef", "items": [1, 2, 3]})),
            [("/name".to_owned(), "too_long"), ("/items".into(), "too_many")]
        );
        assert_eq!(
            wrong(json!({"name": "a\u{0}b", "items": [7]})),
            [("/name".to_owned(), "control_characters"), ("/items/0".into(), "object")]
        );
    }

    #[test]
    fn s51_a_body_of_a_thousand_strangers_gets_a_short_answer() {
        let body: Map<String, Value> = (0..5000).map(|n| (format!("m{n}"), json!(n))).collect();
        assert_eq!(wrong(Value::Object(body)).len(), TOLD);
    }
}
