//! Rows → canonical changes. What a row does not tell stays untold, what it tells as empty is empty, and what cannot be
//! understood is named, never guessed (facts §10.13).

mod profile;
mod status;
mod stay;

use chrono::NaiveDate;

use crate::domain::{Currency, Known};

pub use profile::profile;
pub use stay::{Read as ReadStay, stay};

use super::dates::{DateError, Stamp};
use super::fields::{self, Kind};
use super::values;
use super::xml::{Field, Row};

/// A record that cannot be used: its number where that much could be read, and why, without guests' data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub number: String,
    pub why: String,
}

/// What mapping needs to know besides the row.
pub struct Context<'a> {
    /// The hotel's code of a currency → ISO; `None` for a code the hotel's own list does not hold.
    pub currencies: &'a dyn Fn(&str) -> Option<Currency>,
    pub currency: &'a Currency,
    /// ISO 3166 alpha-2: how phones without a country code are read.
    pub country: Option<&'a str>,
    /// Optional groups that were asked for.
    pub groups: &'a dyn Fn(&str) -> bool,
}

/// A row with the question it answers.
struct Record<'a> {
    row: &'a Row,
    kind: &'static Kind,
    context: &'a Context<'a>,
    number: String,
    /// Facts left out: `field: reason`.
    remarks: Vec<String>,
}

impl<'a> Record<'a> {
    fn new(row: &'a Row, kind: &'static Kind, context: &'a Context<'a>) -> Result<Self, Unreadable> {
        let mut record = Self { row, kind, context, number: String::new(), remarks: Vec::new() };
        let number = record.single(kind.key).map(values::id).unwrap_or(Ok(None));
        record.number = match number {
            Ok(Some(number)) => number,
            Ok(None) => return Err(record.unreadable(format!("{}: missing", kind.key))),
            Err(_) => return Err(record.unreadable(format!("{}: not a number", kind.key))),
        };
        if row.is_garbled() {
            return Err(record.unreadable("bytes that do not belong to the answer's encoding"));
        }
        Ok(record)
    }

    fn unreadable(&self, why: impl Into<String>) -> Unreadable {
        Unreadable { number: self.number.clone(), why: why.into() }
    }

    fn remark(&mut self, field: &str, why: impl std::fmt::Display) {
        self.remarks.push(format!("{field}: {why}"));
    }

    /// The unattributed element of this name: the value itself, or the primary one of several (facts §5.4, §10.5).
    fn single(&self, name: &str) -> Option<&'a str> {
        self.row
            .fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name) && !is_entry(field))
            .map(|field| field.text.as_str())
    }

    /// Every attributed element of this name: the entries of a list.
    fn entries(&self, name: &'static str) -> impl Iterator<Item = &'a Field> + use<'a> {
        self.row.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name) && is_entry(field))
    }

    /// Every element of this name.
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a Field> + use<'a> {
        self.row.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    fn text(&self, name: &str) -> Known<String> {
        self.single(name).map_or(Known::Absent, |text| values::text(text).into())
    }

    /// Reads one field with `read`; a value that cannot be read is left out and remarked.
    fn value<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<Option<T>, E>,
    ) -> Known<T> {
        match self.single(name).map(read) {
            None => Known::Absent,
            Some(Ok(value)) => value.into(),
            Some(Err(error)) => {
                self.remark(name, error);
                Known::Absent
            }
        }
    }

    fn stamp(&mut self, name: &str) -> Known<Stamp> {
        self.value(name, Stamp::parse)
    }

    /// A date without which the record means nothing.
    fn date(&self, name: &str) -> Result<Option<NaiveDate>, Unreadable> {
        let read: Result<_, DateError> = self.single(name).map_or(Ok(None), Stamp::parse);
        read.map(|stamp| stamp.map(|stamp| stamp.date)).map_err(|error| self.unreadable(format!("{name}: {error}")))
    }

    /// A list that was asked for: nothing returned means no entries; not asked for means nothing is known.
    fn list<T>(&self, group: &str, entries: Vec<T>) -> Known<Vec<T>> {
        match (entries.is_empty(), self.asked(group)) {
            (false, _) => Known::Is(entries),
            (true, true) => Known::Empty,
            (true, false) => Known::Absent,
        }
    }

    fn asked(&self, group: &str) -> bool {
        let optional = self.kind.optional.iter().any(|own| own.name == group);
        if optional { (self.context.groups)(group) } else { self.kind.core.contains(&group) }
    }

    /// The PMS has erased the person (facts §6, "de-identified guest").
    fn privacy_removed(&self) -> bool {
        self.single("privacyRemoved").and_then(values::flag) == Some(true)
    }
}

/// Entries of a list carry attributes; the summary element of the same name carries none.
fn is_entry(field: &Field) -> bool {
    ["attr", "addData", "noteID"].into_iter().any(|name| field.attribute(name).is_some())
}

/// Drops what must not be kept even when a server sends it unasked (facts §10.20).
pub fn clean(mut row: Row) -> Row {
    row.fields.retain(|field| !fields::is_denied(&field.name));
    row
}

/// "Last First Middle" out of the attributes of a list entry (facts §5.4).
fn entry_name(field: &Field) -> String {
    let parts = ["name1", "name3", "name2"].into_iter().filter_map(|name| field.attribute(name));
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
