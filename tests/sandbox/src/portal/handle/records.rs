//! What the CRM holds, and what people do to it.

use serde_json::{Map, Value};

use super::Portal;
use crate::portal::crm::life;
use crate::portal::crm::read::{self, Names, Select};
use crate::portal::crm::save::{self, Actor, Dialect};
use crate::portal::crm::table::{Row, Table};
use crate::portal::crm::{Comment, Entity, Robot};
use crate::portal::error::RestResult;
use crate::portal::php;
use crate::portal::state::Notice;

/// A CRM record as a test reads it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Record {
    /// Id.
    pub id: i64,
    /// `crm.item` names, user fields by their own names (`UF_CRM_…`), multifields under `fm`.
    pub fields: Map<String, Value>,
}

impl Record {
    /// A field as text; empty when it is empty.
    pub fn text(&self, name: &str) -> String {
        self.fields.get(name).and_then(php::text).unwrap_or_default()
    }

    /// A field as a number.
    pub fn int(&self, name: &str) -> i64 {
        self.fields.get(name).and_then(php::int).unwrap_or(0)
    }

    /// Values of one kind of multifield.
    pub fn multi(&self, type_id: &str) -> Vec<String> {
        let list = self.fields.get("fm").map(php::elements).unwrap_or_default();
        list.into_iter()
            .filter(|item| item.get("typeId").and_then(Value::as_str) == Some(type_id))
            .filter_map(|item| item.get("value").and_then(php::text))
            .collect()
    }
}

impl Portal {
    /// All records of an entity in id order.
    pub fn records(&self, entity: Entity) -> Vec<Record> {
        let state = self.shared.lock();
        let table = state.crm.tables.of(entity);
        table.rows().iter().map(|(id, row)| record(table, *id, row)).collect()
    }

    /// How many records there are.
    pub fn count(&self, entity: Entity) -> usize {
        self.shared.lock().crm.tables.of(entity).rows().len()
    }

    /// One record.
    pub fn record(&self, entity: Entity, id: i64) -> Option<Record> {
        let state = self.shared.lock();
        let table = state.crm.tables.of(entity);
        table.row(id).map(|row| record(table, id, row))
    }

    /// A person adds a record at the portal's pages; names as in [`Record`].
    pub fn add_as(&self, user: i64, entity: Entity, fields: &Value) -> RestResult<i64> {
        let mut state = self.shared.lock();
        let id = save::add(&mut state, &Actor::person(user), entity, &map(fields), OWN)?;
        self.shared.bell.notify_waiters();
        Ok(id)
    }

    /// A person edits a record; events go out as for any edit. Tells whether anything changed.
    pub fn edit_as(&self, user: i64, entity: Entity, id: i64, fields: &Value) -> RestResult<bool> {
        let mut state = self.shared.lock();
        let changed = save::update(&mut state, &Actor::person(user), entity, id, &map(fields), OWN)?;
        self.shared.bell.notify_waiters();
        Ok(changed)
    }

    /// A person deletes a record.
    pub fn delete_as(&self, user: i64, entity: Entity, id: i64) -> RestResult<()> {
        let result = save::delete(&mut self.shared.lock(), &Actor::person(user), entity, id);
        self.shared.bell.notify_waiters();
        result
    }

    /// A person brings a deleted record back, under a new id if `anew`; answers its id.
    pub fn restore_as(&self, user: i64, entity: Entity, id: i64, anew: bool) -> RestResult<i64> {
        let result = life::restore(&mut self.shared.lock(), &Actor::person(user), entity, id, anew);
        self.shared.bell.notify_waiters();
        result
    }

    /// A person copies a record; answers the copy's id.
    pub fn copy_as(&self, user: i64, entity: Entity, id: i64) -> RestResult<i64> {
        let result = life::copy(&mut self.shared.lock(), &Actor::person(user), entity, id);
        self.shared.bell.notify_waiters();
        result
    }

    /// A person merges two contacts or companies: the one stays, the other goes.
    pub fn merge_as(&self, user: i64, entity: Entity, stays: i64, goes: i64) -> RestResult<()> {
        let result = life::merge(&mut self.shared.lock(), &Actor::person(user), entity, stays, goes);
        self.shared.bell.notify_waiters();
        result
    }

    /// Filters go by the server's own zone from now on, whatever offset a moment has.
    pub fn filter_by_wall(&self) {
        let mut state = self.shared.lock();
        for entity in Entity::ALL {
            state.crm.tables.of_mut(entity).wall_times = true;
        }
    }

    /// Adds a robot.
    pub fn add_robot(&self, robot: Robot) {
        self.shared.lock().crm.robots.push(robot);
    }

    /// How often robots ran.
    pub fn robot_runs(&self) -> u64 {
        self.shared.lock().crm.robot_runs
    }

    /// Makes a field of an entity mandatory (or not), as an admin does in the card's settings.
    pub fn require_field(&self, entity: Entity, name: &str, required: bool) -> bool {
        let mut state = self.shared.lock();
        let schema = &mut state.crm.tables.of_mut(entity).schema;
        let Some(key) = schema.key(name) else { return false };
        schema.field_mut(key).is_some_and(|field| {
            field.required = required;
            true
        })
    }

    /// Timeline comments.
    pub fn comments(&self) -> Vec<Comment> {
        self.shared.lock().crm.comments.clone()
    }

    /// Notices sent to people.
    pub fn notices(&self) -> Vec<Notice> {
        self.shared.lock().notices.clone()
    }
}

const OWN: Dialect = Dialect { names: Names::Original, import: false };

fn map(fields: &Value) -> Map<String, Value> {
    fields.as_object().cloned().unwrap_or_default()
}

fn record(table: &Table, id: i64, row: &Row) -> Record {
    Record { id, fields: read::show(table, id, row, Names::Original, &Select::All { multi: true }) }
}
