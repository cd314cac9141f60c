//! Showing and listing records.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::cell::{self, Cell};
use super::entity::Entity;
use super::filter::Filter;
use super::multi;
use super::schema::{Field, Schema};
use super::table::{Row, Table};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php::{self, Params};
use crate::portal::users::User;

/// Spelling of field names in a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// `crm.item.*`: camel case everywhere.
    Camel,
    /// `crm.item.*` with `useOriginalUfNames`: user fields keep their names.
    Original,
    /// Old methods.
    Upper,
}

impl Names {
    /// From a call's `useOriginalUfNames`.
    pub fn of(params: &Params) -> Self {
        if params.flag("useOriginalUfNames") { Self::Original } else { Self::Camel }
    }

    /// A field's name in this spelling.
    pub fn name(self, field: &Field) -> &str {
        match (self, field.user.is_some()) {
            (Self::Upper, _) | (Self::Original, true) => &field.upper,
            _ => &field.camel,
        }
    }

    /// The field a client means; a name in the other spelling means nothing.
    pub fn key(self, schema: &Schema, name: &str) -> Option<u16> {
        let key = schema.key(name)?;
        let field = schema.field(key)?;
        (self.name(field) == name).then_some(key)
    }
}

/// Which members an answer carries.
pub enum Select {
    /// Everything, with or without multifields.
    All {
        /// Multifields too.
        multi: bool,
    },
    /// These fields and perhaps the id.
    Some {
        /// The id was asked for.
        id: bool,
        /// Keys.
        keys: Vec<u16>,
    },
}

impl Select {
    /// Reads `select`; unknown names are ignored.
    pub fn parse(table: &Table, names: Names, value: Option<&Value>) -> Self {
        let wanted: Vec<String> =
            value.map(|value| php::elements(value).into_iter().filter_map(php::text).collect()).unwrap_or_default();
        if wanted.is_empty() {
            return Self::All { multi: false };
        }
        if wanted.iter().any(|name| name == "*") {
            return Self::All { multi: true };
        }
        let mut keys: Vec<u16> = wanted.iter().filter_map(|name| names.key(&table.schema, name)).collect();
        if wanted.iter().any(|name| matches!(name.as_str(), "UF_*" | "uf*" | "UF_CRM_*")) {
            keys.extend(table.schema.live().filter(|(_, field)| field.user.is_some()).map(|(key, _)| key));
        }
        let id = wanted.iter().any(|name| name.eq_ignore_ascii_case("id"));
        Self::Some { id, keys }
    }
}

/// One record as `crm.item.*` shows it.
pub fn show(table: &Table, id: i64, row: &Row, names: Names, select: &Select) -> Map<String, Value> {
    let mut shown = Map::new();
    match select {
        Select::All { multi: with_multi } => {
            shown.insert("id".into(), json!(id));
            for (key, field) in table.schema.live() {
                shown.insert(names.name(field).to_owned(), cell::show(field, row.cell(key)));
            }
            shown.insert("entityTypeId".into(), json!(table.entity.id()));
            if *with_multi && table.entity != Entity::Deal {
                shown.insert("fm".into(), multi::show(&row.multi));
            }
        }
        Select::Some { id: with_id, keys } => {
            if *with_id {
                shown.insert("id".into(), json!(id));
            }
            for key in keys {
                if let Some(field) = table.schema.field(*key) {
                    shown.insert(names.name(field).to_owned(), cell::show(field, row.cell(*key)));
                }
            }
        }
    }
    shown
}

/// Whether a user sees (and may change) a record: managers see only the deals they answer for.
pub fn allowed(table: &Table, user: &User, row: &Row) -> bool {
    if user.admin {
        return true;
    }
    if table.entity != Entity::Deal {
        return !user.extranet;
    }
    let responsible = table.schema.key("assignedById").and_then(|key| row.cell(key)).and_then(Cell::as_int);
    responsible == Some(user.id)
}

/// A page of a list.
pub struct Page {
    /// Ids, in order.
    pub ids: Vec<i64>,
    /// All that pass, unless `start` was -1.
    pub total: Option<i64>,
    /// Where the next page starts.
    pub next: Option<i64>,
}

/// Rows of a page.
pub const PAGE: usize = 50;

/// `filter`, `order` and `start` of a list call.
pub fn list(table: &Table, user: &User, params: &Params) -> RestResult<Page> {
    let filter = Filter::parse(table, params.get("filter"))?;
    let order = orders(table, params.get("order"))?;
    let start = params.int("start").unwrap_or(0);
    let fast = start < 0;
    let skip = usize::try_from(start.max(0)).unwrap_or(0);
    let by_id = match order.as_slice() {
        [] => Some(true),
        [(None, ascending), ..] => Some(*ascending),
        _ => None,
    };
    let passes = |id: i64, row: &Row| allowed(table, user, row) && filter.passes(id, row);
    let ids: Vec<i64> = match filter.candidates(table) {
        Some(ids) => ids.into_iter().filter(|id| table.row(*id).is_some_and(|row| passes(*id, row))).collect(),
        None => {
            let range = table.rows().range(filter.from_id()..).filter(|(id, row)| passes(**id, row)).map(|(id, _)| *id);
            // Without a count a page in ascending id order may stop early.
            if fast && by_id == Some(true) { range.take(PAGE).collect() } else { range.collect() }
        }
    };
    let ids = sorted(table, ids, &order, by_id);
    let total = i64::try_from(ids.len()).unwrap_or(0);
    let page: Vec<i64> = ids.into_iter().skip(skip).take(PAGE).collect();
    let end = skip.saturating_add(page.len());
    let next = i64::try_from(end).ok().filter(|end| !fast && *end < total);
    Ok(Page { ids: page, total: Some(if fast { 0 } else { total }), next })
}

type Order = (Option<u16>, bool);

fn orders(table: &Table, value: Option<&Value>) -> RestResult<Vec<Order>> {
    let Some(Value::Object(map)) = value else { return Ok(Vec::new()) };
    map.iter()
        .map(|(name, direction)| {
            let ascending = !direction.as_str().unwrap_or("ASC").to_ascii_uppercase().starts_with("DESC");
            if name.eq_ignore_ascii_case("id") {
                return Ok((None, ascending));
            }
            let key = table.schema.key(name).ok_or_else(|| {
                RestError::bad("INVALID_ARG_VALUE", format!("Invalid order: field '{name}' is not allowed in order"))
            })?;
            Ok((Some(key), ascending))
        })
        .collect()
}

fn sorted(table: &Table, mut ids: Vec<i64>, order: &[Order], by_id: Option<bool>) -> Vec<i64> {
    match by_id {
        Some(true) => ids,
        Some(false) => {
            ids.reverse();
            ids
        }
        None => {
            ids.sort_by(|left, right| {
                for (key, ascending) in order {
                    let ordering = match key {
                        None => left.cmp(right),
                        Some(key) => compare(table.row(*left), table.row(*right), *key),
                    };
                    let ordering = if *ascending { ordering } else { ordering.reverse() };
                    if ordering != Ordering::Equal {
                        return ordering;
                    }
                }
                left.cmp(right)
            });
            ids
        }
    }
}

fn compare(left: Option<&Row>, right: Option<&Row>, key: u16) -> Ordering {
    let (left, right) = (left.and_then(|row| row.cell(key)), right.and_then(|row| row.cell(key)));
    match (left, right) {
        (Some(Cell::Int(left)), Some(Cell::Int(right))) => left.cmp(right),
        (Some(Cell::Num(left)), Some(Cell::Num(right))) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
        (Some(left), Some(right)) => left.plain().cmp(&right.plain()),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => Ordering::Equal,
    }
}
