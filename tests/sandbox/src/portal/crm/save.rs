//! Adding, changing and deleting records: defaults, stage rules, required fields, events, robots.

use serde_json::{Map, Value, json};

use super::cell::{self, Cell};
use super::entity::Entity;
use super::multi;
use super::read::{self, Names};
use super::stages::Stages;
use super::table::{Row, Table};
use crate::portal::clock;
use crate::portal::error::{RestError, RestResult};
use crate::portal::events::Fact;
use crate::portal::state::State;

/// Who writes, and through what.
#[derive(Clone, Debug)]
pub struct Actor {
    /// User whose rights count and who becomes the editor; 0 is the portal itself.
    pub user: i64,
    /// The write came through the app's own token.
    pub app: bool,
    /// `auth_connector` of the call.
    pub connector: String,
    /// A robot: its events carry no tokens.
    pub robot: bool,
    /// Events between a person and this write (facts §6.3).
    pub hops: u32,
}

impl Actor {
    /// A person at the portal's own pages.
    pub fn person(user: i64) -> Self {
        Self { user, app: false, connector: String::new(), robot: false, hops: 0 }
    }

    fn robot() -> Self {
        Self { user: 0, app: false, connector: String::new(), robot: true, hops: 0 }
    }
}

/// Dialect of a write.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Spelling of names.
    pub names: Names,
    /// Import rules: no robots, own multifield form, service dates for admins.
    pub import: bool,
}

/// Adds a record.
pub fn add(
    state: &mut State,
    actor: &Actor,
    entity: Entity,
    fields: &Map<String, Value>,
    dialect: Dialect,
) -> RestResult<i64> {
    let now = state.clock.now();
    let mode = state.options.multifields;
    let currency = state.options.currencies.first().cloned().unwrap_or_default();
    let crm = &mut state.crm;
    let table = crm.tables.of_mut(entity);
    let mut row = Row::default();
    fill(table, &mut row, fields, dialect)?;
    if let Some(given) = fields.get("fm") {
        multi::write_item(table, &mut row.multi, given, true, mode);
    }
    if dialect.import || dialect.names == Names::Upper {
        multi::write_old(table, &mut row.multi, fields);
    }
    default(table, &mut row, "assignedById", Cell::Int(actor.user));
    default(table, &mut row, "opened", text("Y"));
    if entity == Entity::Deal {
        default(table, &mut row, "currencyId", text(&currency));
        default(table, &mut row, "begindate", text(&clock::day(now).to_string()));
        let week = clock::day(now).checked_add_days(chrono::Days::new(7)).unwrap_or_default();
        default(table, &mut row, "closedate", text(&week.to_string()));
        default(table, &mut row, "isManualOpportunity", text("N"));
        default(table, &mut row, "typeId", text("SALE"));
        stage(table, &mut row, &crm.stages, None)?;
    }
    settle_links(table, &mut row, fields, dialect.names);
    required(table, &row, None)?;
    for (name, value) in [("createdBy", actor.user), ("updatedBy", actor.user), ("lastActivityBy", actor.user)] {
        if !dialect.import || get(table, &row, name).is_none() {
            put(table, &mut row, name, Cell::Int(value));
        }
    }
    for name in ["createdTime", "updatedTime", "lastActivityTime", "movedTime"] {
        if !dialect.import || get(table, &row, name).is_none() {
            put(table, &mut row, name, Cell::Int(now));
        }
    }
    let id = table.take_id();
    if entity != Entity::Contact {
        default(table, &mut row, "title", text(&format!("{} #{id}", entity.word())));
    } else if get(table, &row, "name").is_none() && get(table, &row, "lastName").is_none() {
        put(table, &mut row, "name", text(&format!("{} #{id}", entity.word())));
    }
    comm_flags(table, &mut row);
    table.put(id, row);
    crm.changes += 1;
    state.fire(Fact::record(entity, "ADD", id, actor));
    if !dialect.import && !actor.robot {
        run_robots(state, entity, id, true);
    }
    Ok(id)
}

/// Changes a record; an update that changes nothing saves nothing and fires nothing. Tells whether it saved.
pub fn update(
    state: &mut State,
    actor: &Actor,
    entity: Entity,
    id: i64,
    fields: &Map<String, Value>,
    dialect: Dialect,
) -> RestResult<bool> {
    let now = state.clock.now();
    let mode = state.options.multifields;
    let crm = &mut state.crm;
    let table = crm.tables.of_mut(entity);
    let Some(before) = table.row(id).cloned() else { return Err(RestError::not_found()) };
    let mut row = before.clone();
    let mut changed = fill(table, &mut row, fields, dialect)?;
    if dialect.names == Names::Upper {
        changed |= multi::write_old(table, &mut row.multi, fields);
    } else if let Some(given) = fields.get("fm") {
        changed |= multi::write_item(table, &mut row.multi, given, false, mode);
    }
    let old_category = int(table, &before, "categoryId").unwrap_or(0);
    if entity == Entity::Deal {
        changed |= stage(table, &mut row, &crm.stages, Some(&before))?;
    }
    changed |= settle_links(table, &mut row, fields, dialect.names);
    required(table, &row, Some(&before))?;
    if !changed {
        return Ok(false);
    }
    let category = int(table, &row, "categoryId").unwrap_or(0);
    if get(table, &row, "stageId") != get(table, &before, "stageId") {
        put(table, &mut row, "movedTime", Cell::Int(now));
        put(table, &mut row, "movedBy", Cell::Int(actor.user));
        if let Some(old) = get(table, &before, "stageId").cloned() {
            put(table, &mut row, "previousStageId", old);
        }
    }
    put(table, &mut row, "updatedTime", Cell::Int(now));
    put(table, &mut row, "updatedBy", Cell::Int(actor.user));
    comm_flags(table, &mut row);
    let stage_id = get(table, &row, "stageId").map(Cell::plain).unwrap_or_default();
    table.put(id, row);
    crm.changes += 1;
    if entity == Entity::Deal && category != old_category {
        let data = json!({"FIELDS": {"ID": id.to_string(), "CATEGORY_ID": category.to_string(), "STAGE_ID": stage_id}});
        state.fire(Fact::new("ONCRMDEALMOVETOCATEGORY", data, actor));
    } else {
        state.fire(Fact::record(entity, "UPDATE", id, actor));
    }
    if !dialect.import && !actor.robot {
        run_robots(state, entity, id, false);
    }
    Ok(true)
}

/// Deletes a record.
pub fn delete(state: &mut State, actor: &Actor, entity: Entity, id: i64) -> RestResult<()> {
    let row = state.crm.tables.of_mut(entity).take(id).ok_or_else(RestError::not_found)?;
    state.crm.bin.insert((entity.id(), id), row);
    state.crm.changes += 1;
    state.fire(Fact::record(entity, "DELETE", id, actor));
    Ok(())
}

/// Whether `user` may see and change this record; the error is what the portal says.
pub fn check(state: &State, user: i64, entity: Entity, id: i64) -> RestResult<()> {
    let table = state.crm.tables.of(entity);
    let row = table.row(id).ok_or_else(RestError::not_found)?;
    let user = state.users.get(&user).ok_or_else(RestError::denied)?;
    if read::allowed(table, user, row) { Ok(()) } else { Err(RestError::denied()) }
}

fn fill(table: &Table, row: &mut Row, fields: &Map<String, Value>, dialect: Dialect) -> RestResult<bool> {
    const SERVICE: [&str; 5] = ["createdTime", "updatedTime", "movedTime", "createdBy", "updatedBy"];
    let mut changed = false;
    for (name, value) in fields {
        let Some(key) = dialect.names.key(&table.schema, name) else { continue };
        let Some(field) = table.schema.field(key) else { continue };
        let importable = dialect.import && SERVICE.contains(&field.camel.as_str());
        if field.read_only && !importable {
            continue;
        }
        changed |= row.set(key, cell::read(field, value)?);
    }
    Ok(changed)
}

/// Pipeline and stage must fit; semantics and `closed` follow.
fn stage(table: &Table, row: &mut Row, stages: &Stages, before: Option<&Row>) -> RestResult<bool> {
    let category = int(table, row, "categoryId").unwrap_or(0);
    let old = before.map(|before| int(table, before, "categoryId").unwrap_or(0));
    let refused = |what: &str| {
        RestError::bad("CRM_FIELD_ERROR_VALUE_NOT_VALID", format!("Поле \"{what}\" заполнено некорректно"))
    };
    if !stages.categories.contains_key(&category) {
        return Err(refused("CATEGORY_ID"));
    }
    let mut changed = false;
    let first = || stages.stages(category).first().map(|status| text(&status.status_id));
    let kept = before.and_then(|before| get(table, before, "stageId"));
    let untouched = kept.is_some() && get(table, row, "stageId") == kept;
    match get(table, row, "stageId").map(Cell::plain) {
        None => changed |= first().is_some_and(|cell| put(table, row, "stageId", cell)),
        Some(_) if untouched && old.is_some_and(|old| old != category) => {
            changed |= first().is_some_and(|cell| put(table, row, "stageId", cell));
        }
        Some(id) if stages.stage(category, &id).is_none() => return Err(refused("STAGE_ID")),
        Some(_) => {}
    }
    let id = get(table, row, "stageId").map(Cell::plain).unwrap_or_default();
    let semantics = match stages.stage(category, &id).map(|status| status.semantics.as_str()) {
        Some("S") => "S",
        Some("F") => "F",
        _ => "P",
    };
    changed |= put(table, row, "stageSemanticId", text(semantics));
    changed |= put(table, row, "closed", text(if semantics == "P" { "N" } else { "Y" }));
    Ok(changed)
}

/// Keeps `contactId`/`contactIds` and `companyId`/`companyIds` the same story: the first of the list is the primary one.
fn settle_links(table: &Table, row: &mut Row, fields: &Map<String, Value>, names: Names) -> bool {
    let (one, many) = match table.entity {
        Entity::Deal => ("contactId", "contactIds"),
        Entity::Contact => ("companyId", "companyIds"),
        Entity::Company => return false,
    };
    let given = |name: &str| {
        table
            .schema
            .key(name)
            .and_then(|key| table.schema.field(key))
            .is_some_and(|field| fields.contains_key(names.name(field)))
    };
    let listed: Vec<i64> =
        get(table, row, many).map(|cell| cell.each().iter().filter_map(Cell::as_int).collect()).unwrap_or_default();
    let mut list: Vec<i64> = Vec::new();
    if given(one) && !given(many) {
        if let Some(primary) = int(table, row, one).filter(|id| *id > 0) {
            list.push(primary);
            if listed.contains(&primary) {
                list.extend(listed.iter().filter(|id| **id != primary));
            }
        }
    } else {
        for id in listed.into_iter().filter(|id| *id > 0) {
            if !list.contains(&id) {
                list.push(id);
            }
        }
    }
    let cells: Box<[Cell]> = list.iter().map(|id| Cell::Int(*id)).collect();
    let mut changed = set(table, row, many, if cells.is_empty() { None } else { Some(Cell::List(cells)) });
    changed |= set(table, row, one, list.first().map(|id| Cell::Int(*id)));
    changed
}

fn required(table: &Table, row: &Row, before: Option<&Row>) -> RestResult<()> {
    for (key, field) in table.schema.live() {
        let lost = before.is_none_or(|before| before.cell(key).is_some());
        if field.required && row.cell(key).is_none() && lost {
            let text = format!("Обязательное поле \"{}\" не заполнено", field.upper);
            return Err(RestError::bad("CRM_FIELD_ERROR_REQUIRED", text));
        }
    }
    Ok(())
}

fn run_robots(state: &mut State, entity: Entity, id: i64, added: bool) {
    let stage = {
        let table = state.crm.tables.of(entity);
        table.row(id).and_then(|row| get(table, row, "stageId")).map(Cell::plain)
    };
    let awake: Vec<_> = state
        .crm
        .robots
        .iter()
        .filter(|robot| robot.entity == entity && if added { robot.on_add } else { robot.on_update })
        .filter(|robot| robot.stage.is_none() || robot.stage == stage)
        .cloned()
        .collect();
    for robot in awake {
        state.crm.robot_runs += 1;
        let dialect = Dialect { names: Names::Original, import: false };
        if let Err(error) = update(state, &Actor::robot(), entity, id, &robot.set, dialect) {
            tracing::warn!(code = error.code, "a robot of the sandbox portal failed");
        }
    }
}

fn comm_flags(table: &Table, row: &mut Row) {
    if table.entity == Entity::Deal {
        return;
    }
    for (name, type_id) in [("hasPhone", "PHONE"), ("hasEmail", "EMAIL")] {
        let has = row.multi.iter().any(|multi| &*multi.type_id == type_id);
        put(table, row, name, text(if has { "Y" } else { "N" }));
    }
}

fn text(value: &str) -> Cell {
    Cell::Text(value.into())
}

/// A cell by camel-case name.
pub fn get<'a>(table: &Table, row: &'a Row, name: &str) -> Option<&'a Cell> {
    table.schema.key(name).and_then(|key| row.cell(key))
}

fn int(table: &Table, row: &Row, name: &str) -> Option<i64> {
    get(table, row, name).and_then(Cell::as_int)
}

/// Stores a cell by camel-case name; tells whether anything changed.
pub fn put(table: &Table, row: &mut Row, name: &str, cell: Cell) -> bool {
    set(table, row, name, Some(cell))
}

fn set(table: &Table, row: &mut Row, name: &str, cell: Option<Cell>) -> bool {
    table.schema.key(name).is_some_and(|key| row.set(key, cell))
}

fn default(table: &Table, row: &mut Row, name: &str, cell: Cell) {
    if get(table, row, name).is_none() {
        put(table, row, name, cell);
    }
}
