//! What people do to records besides editing them: restore from the bin, copy, merge.

use std::collections::BTreeSet;

use super::Entity;
use super::cell::Cell;
use super::save::{Actor, get, put};
use super::table::Row;
use crate::portal::error::{RestError, RestResult};
use crate::portal::events::Fact;
use crate::portal::state::State;

/// Brings a deleted record back, under its own id or a new one. The record is as it was, its time of change included,
/// unless its id is new.
pub fn restore(state: &mut State, actor: &Actor, entity: Entity, id: i64, anew: bool) -> RestResult<i64> {
    let row = state.crm.bin.remove(&(entity.id(), id)).ok_or_else(RestError::not_found)?;
    let table = state.crm.tables.of_mut(entity);
    if !anew {
        table.put(id, row);
        state.crm.changes += 1;
        state.fire(Fact::record(entity, "ADD", id, actor));
        return Ok(id);
    }
    Ok(place(state, actor, entity, row))
}

/// A record with every field of another one, marks included.
pub fn copy(state: &mut State, actor: &Actor, entity: Entity, id: i64) -> RestResult<i64> {
    let row = state.crm.tables.of(entity).row(id).cloned().ok_or_else(RestError::not_found)?;
    Ok(place(state, actor, entity, row))
}

fn place(state: &mut State, actor: &Actor, entity: Entity, mut row: Row) -> i64 {
    let now = state.clock.now();
    let table = state.crm.tables.of_mut(entity);
    for name in ["createdTime", "updatedTime"] {
        put(table, &mut row, name, Cell::Int(now));
    }
    for multi in &mut row.multi {
        multi.id = table.take_multi_id();
    }
    let id = table.take_id();
    table.put(id, row);
    state.crm.changes += 1;
    state.fire(Fact::record(entity, "ADD", id, actor));
    id
}

/// One contact or company stays, with what the other had more; deals turn to it, the other is deleted.
pub fn merge(state: &mut State, actor: &Actor, entity: Entity, stays: i64, goes: i64) -> RestResult<()> {
    let now = state.clock.now();
    let table = state.crm.tables.of_mut(entity);
    let (Some(mut row), Some(gone)) = (table.row(stays).cloned(), table.row(goes).cloned()) else {
        return Err(RestError::not_found());
    };
    let keys: Vec<(u16, bool)> = table.schema.live().map(|(key, field)| (key, field.multiple)).collect();
    for (key, multiple) in keys {
        let Some(theirs) = gone.cell(key) else { continue };
        let own: Vec<Cell> = row.cell(key).map(|cell| cell.each().to_vec()).unwrap_or_default();
        if own.is_empty() {
            row.set(key, Some(theirs.clone()));
        } else if multiple {
            let more = theirs.each().iter().filter(|cell| !own.contains(cell)).cloned();
            row.set(key, Some(Cell::List(own.iter().cloned().chain(more).collect())));
        }
    }
    let held: BTreeSet<(Box<str>, Box<str>)> =
        row.multi.iter().map(|multi| (multi.type_id.clone(), multi.value.clone())).collect();
    row.multi
        .extend(gone.multi.into_iter().filter(|multi| !held.contains(&(multi.type_id.clone(), multi.value.clone()))));
    put(table, &mut row, "updatedTime", Cell::Int(now));
    put(table, &mut row, "updatedBy", Cell::Int(actor.user));
    table.put(stays, row);
    state.fire(Fact::record(entity, "UPDATE", stays, actor));
    let names: &[&str] = if entity == Entity::Company { &["companyId"] } else { &["contactId", "contactIds"] };
    let deals = state.crm.tables.of_mut(Entity::Deal);
    let mut turned = Vec::new();
    for (id, mut deal) in deals.rows().clone() {
        let mut changed = false;
        for name in names {
            let Some(cell) = get(deals, &deal, name).cloned() else { continue };
            let swap = |cell: &Cell| if cell.as_int() == Some(goes) { Cell::Int(stays) } else { cell.clone() };
            let new = match &cell {
                Cell::List(list) => Cell::List(list.iter().map(swap).collect()),
                single => swap(single),
            };
            changed |= new != cell && put(deals, &mut deal, name, new);
        }
        if changed {
            put(deals, &mut deal, "updatedTime", Cell::Int(now));
            put(deals, &mut deal, "updatedBy", Cell::Int(actor.user));
            deals.put(id, deal);
            turned.push(id);
        }
    }
    for id in turned {
        state.fire(Fact::record(Entity::Deal, "UPDATE", id, actor));
    }
    super::save::delete(state, actor, entity, goes)
}
