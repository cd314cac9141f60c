//! Records of one entity in id order, with an equality index for look-ups.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::cell::Cell;
use super::entity::Entity;
use super::schema::Schema;

/// A phone, e-mail … of a contact or company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multi {
    /// Id of the value.
    pub id: i64,
    /// `PHONE`, `EMAIL` …
    pub type_id: Box<str>,
    /// `WORK`, `MOBILE` …
    pub value_type: Box<str>,
    /// The value as given.
    pub value: Box<str>,
}

/// One record.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Stored cells, sorted by field key.
    cells: Vec<(u16, Cell)>,
    /// Multifields.
    pub multi: Vec<Multi>,
}

impl Row {
    /// A stored cell.
    pub fn cell(&self, key: u16) -> Option<&Cell> {
        let at = self.cells.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.cells.get(at).map(|(_, cell)| cell)
    }

    /// Stores or clears a cell; tells whether anything changed.
    pub fn set(&mut self, key: u16, cell: Option<Cell>) -> bool {
        match (self.cells.binary_search_by_key(&key, |(key, _)| *key), cell) {
            (Ok(at), Some(cell)) => match self.cells.get_mut(at) {
                Some((_, old)) if *old != cell => {
                    *old = cell;
                    true
                }
                _ => false,
            },
            (Ok(at), None) => {
                self.cells.remove(at);
                true
            }
            (Err(at), Some(cell)) => {
                self.cells.insert(at, (key, cell));
                true
            }
            (Err(_), None) => false,
        }
    }
}

/// All records of one entity.
#[derive(Debug)]
pub struct Table {
    /// Which entity.
    pub entity: Entity,
    /// Its fields.
    pub schema: Schema,
    /// Filters go by the server's own zone, whatever offset a moment has.
    pub wall_times: bool,
    rows: BTreeMap<i64, Row>,
    index: BTreeSet<(u16, u64, i64)>,
    comms: BTreeSet<(u64, i64)>,
    next_id: i64,
    next_multi: i64,
}

impl Table {
    /// An empty table.
    pub fn new(entity: Entity) -> Self {
        Self {
            entity,
            schema: Schema::new(entity),
            wall_times: false,
            rows: BTreeMap::new(),
            index: BTreeSet::new(),
            comms: BTreeSet::new(),
            next_id: 1,
            next_multi: 1,
        }
    }

    /// Records in id order.
    pub fn rows(&self) -> &BTreeMap<i64, Row> {
        &self.rows
    }

    /// One record.
    pub fn row(&self, id: i64) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// An id no record ever had.
    pub fn take_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// A multifield id no value ever had.
    pub fn take_multi_id(&mut self) -> i64 {
        let id = self.next_multi;
        self.next_multi += 1;
        id
    }

    /// Lets ids start elsewhere, so that no test relies on 1.
    pub fn start_ids(&mut self, id: i64) {
        self.next_id = self.next_id.max(id);
    }

    /// Stores a record under an id, replacing what was there.
    pub fn put(&mut self, id: i64, row: Row) {
        self.take(id);
        self.next_id = self.next_id.max(id + 1);
        for key in self.index_keys(id, &row) {
            self.index.insert(key);
        }
        for multi in &row.multi {
            self.comms.insert((comm_hash(&multi.type_id, &multi.value), id));
        }
        self.rows.insert(id, row);
    }

    /// Removes a record.
    pub fn take(&mut self, id: i64) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        for key in self.index_keys(id, &row) {
            self.index.remove(&key);
        }
        for multi in &row.multi {
            self.comms.remove(&(comm_hash(&multi.type_id, &multi.value), id));
        }
        Some(row)
    }

    fn index_keys(&self, id: i64, row: &Row) -> Vec<(u16, u64, i64)> {
        let mut keys = Vec::new();
        for (key, cell) in &row.cells {
            if self.schema.field(*key).is_some_and(|field| field.indexed) {
                for value in cell.each() {
                    keys.push((*key, hash(&value.plain()), id));
                }
            }
        }
        keys
    }

    /// Ids whose indexed field may equal one of the values (a hash: check again).
    pub fn candidates(&self, key: u16, values: &[String]) -> BTreeSet<i64> {
        values
            .iter()
            .flat_map(|value| {
                let hash = hash(value);
                self.index.range((key, hash, i64::MIN)..=(key, hash, i64::MAX)).map(|(_, _, id)| *id)
            })
            .collect()
    }

    /// Ids with this phone or e-mail, normalised.
    pub fn by_comm(&self, type_id: &str, value: &str) -> Vec<i64> {
        let hash = comm_hash(type_id, value);
        self.comms.range((hash, i64::MIN)..=(hash, i64::MAX)).map(|(_, id)| *id).collect()
    }
}

/// The tables of a portal.
#[derive(Debug)]
pub struct Tables(HashMap<Entity, Table>);

impl Default for Tables {
    fn default() -> Self {
        Self(Entity::ALL.into_iter().map(|entity| (entity, Table::new(entity))).collect())
    }
}

impl Tables {
    /// One table.
    #[expect(clippy::indexing_slicing, reason = "every entity is put in by default() and none is ever taken out")]
    pub fn of(&self, entity: Entity) -> &Table {
        &self.0[&entity]
    }

    /// One table, to change it.
    pub fn of_mut(&mut self, entity: Entity) -> &mut Table {
        self.0.entry(entity).or_insert_with(|| Table::new(entity))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn comm_hash(type_id: &str, value: &str) -> u64 {
    hash(&format!("{type_id}:{}", normalised(type_id, value)))
}

/// Phones by digits (an 8 of a Russian number reads as 7, an extension is dropped), e-mails by lower case.
pub fn normalised(type_id: &str, value: &str) -> String {
    if type_id != "PHONE" {
        return value.trim().to_lowercase();
    }
    let main = value.split([';', '#', 'x', 'X', ',']).next().unwrap_or(value);
    let digits: String = main.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix('8') {
        Some(rest) if digits.len() == 11 => format!("7{rest}"),
        _ => digits,
    }
}
