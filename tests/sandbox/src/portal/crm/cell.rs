//! Compact storage of one value, and its way in and out.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::{Value, json};

use super::schema::{Field, Kind};
use crate::portal::clock;
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;

/// A stored value; an empty one is not stored at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text, flags, dates.
    Text(Box<str>),
    /// Ids, whole numbers, moments.
    Int(i64),
    /// Amounts.
    Num(f64),
    /// Values of a multiple field.
    List(Box<[Cell]>),
}

impl Cell {
    /// Text of a text cell.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Number of an integer cell.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Comparable text, for equality filters and indexes.
    pub fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Num(value) => value.to_string(),
            Self::List(list) => list.iter().map(Self::plain).collect::<Vec<_>>().join(","),
        }
    }

    /// The single values of a cell.
    pub fn each(&self) -> &[Cell] {
        match self {
            Self::List(list) => list,
            single => std::slice::from_ref(single),
        }
    }
}

/// Reads a written value; `None` clears the field.
pub fn read(field: &Field, value: &Value) -> RestResult<Option<Cell>> {
    if !field.multiple {
        return one(field, value);
    }
    let mut list = Vec::new();
    let single = [value];
    let given = php::elements(value);
    let given = if matches!(value, Value::Array(_) | Value::Object(_)) { given.as_slice() } else { &single };
    for item in given {
        if let Some(cell) = one(field, item)? {
            list.push(cell);
        }
    }
    Ok(if list.is_empty() { None } else { Some(Cell::List(list.into_boxed_slice())) })
}

fn one(field: &Field, value: &Value) -> RestResult<Option<Cell>> {
    let text = match php::text(value) {
        Some(text) => text,
        None if value.is_null() || php::elements(value).is_empty() => return Ok(None),
        None => return Err(wrong(field)),
    };
    let trimmed = text.trim();
    if trimmed.is_empty() && field.kind != Kind::Flag && field.kind != Kind::Bit {
        return Ok(None);
    }
    let strict = field.user.is_some();
    Ok(match field.kind {
        Kind::Text => Some(Cell::Text(text.into_boxed_str())),
        Kind::Int | Kind::Choice => match trimmed.parse::<i64>() {
            Ok(0) if !strict => None,
            Ok(number) => Some(Cell::Int(number)),
            Err(_) if strict => return Err(wrong(field)),
            Err(_) => None,
        },
        Kind::Num => match trimmed.parse::<f64>() {
            Ok(number) if number.is_finite() => Some(Cell::Num(number)),
            _ if strict => return Err(wrong(field)),
            _ => None,
        },
        Kind::Flag => Some(Cell::Text(if php::truthy(value) { "Y" } else { "N" }.into())),
        Kind::Bit => Some(Cell::Int(i64::from(php::truthy(value)))),
        Kind::Date => Some(Cell::Text(date(trimmed).ok_or_else(|| wrong(field))?.to_string().into_boxed_str())),
        Kind::Time => Some(Cell::Int(moment(trimmed).ok_or_else(|| wrong(field))?)),
    })
}

/// A date, or a date-time as the server's zone sees it.
pub fn date(text: &str) -> Option<NaiveDate> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%d.%m.%Y") {
        return Some(date);
    }
    moment(text).map(clock::day)
}

/// A date-time; without an offset it is the server's.
pub fn moment(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z") {
        return Some(time.timestamp());
    }
    for format in ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return time.and_local_timezone(clock::zone()).single().map(|time| time.timestamp());
        }
    }
    for format in ["%Y-%m-%d", "%d.%m.%Y"] {
        if let Ok(date) = NaiveDate::parse_from_str(text, format) {
            return date.and_hms_opt(0, 0, 0)?.and_local_timezone(clock::zone()).single().map(|time| time.timestamp());
        }
    }
    None
}

/// Shows a stored (or missing) value the way `crm.item.*` does.
pub fn show(field: &Field, cell: Option<&Cell>) -> Value {
    if field.multiple {
        return match cell {
            Some(Cell::List(list)) => list.iter().map(|cell| shown(field.kind, cell)).collect(),
            Some(single) => Value::Array(vec![shown(field.kind, single)]),
            None => json!([]),
        };
    }
    match cell {
        Some(cell) => shown(field.kind, cell),
        None => match field.kind {
            Kind::Flag => json!("N"),
            Kind::Num if field.user.is_none() => json!(0),
            Kind::Int
                if field.user.is_none() && matches!(field.camel.as_str(), "companyId" | "contactId" | "categoryId") =>
            {
                json!(0)
            }
            Kind::Text if field.user.is_some() => json!(""),
            Kind::Date | Kind::Time if field.user.is_some() => json!(""),
            Kind::Bit => json!(0),
            _ => Value::Null,
        },
    }
}

fn shown(kind: Kind, cell: &Cell) -> Value {
    match (kind, cell) {
        (Kind::Time, Cell::Int(unix)) => json!(clock::iso(*unix)),
        (Kind::Date, Cell::Text(date)) => json!(format!("{date}T03:00:00+03:00")),
        (_, Cell::Text(text)) => json!(text),
        (_, Cell::Int(number)) => json!(number),
        (_, Cell::Num(number)) => whole(*number),
        (_, Cell::List(list)) => list.iter().map(|cell| shown(kind, cell)).collect(),
    }
}

/// PHP prints 100.0 as 100.
pub fn whole(number: f64) -> Value {
    let text = format!("{number}");
    text.parse::<i64>().map_or_else(|_| json!(number), |whole| json!(whole))
}

fn wrong(field: &Field) -> RestError {
    RestError::bad("CRM_FIELD_ERROR_VALUE_NOT_VALID", format!("Поле \"{}\" заполнено некорректно", field.upper))
}
