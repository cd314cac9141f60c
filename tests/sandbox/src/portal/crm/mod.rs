//! The CRM: records, pipelines, user fields and the methods over them.

pub mod categories;
pub mod cell;
pub mod entity;
pub mod filter;
pub mod import;
pub mod item;
pub mod legacy;
pub mod life;
pub mod multi;
pub mod read;
pub mod save;
pub mod schema;
pub mod stages;
pub mod statuses;
pub mod table;
pub mod userfields;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use entity::Entity;

use stages::Stages;
use table::{Row, Tables};

/// Something a robot of the portal does after a save; imports wake no robots.
#[derive(Clone, Debug)]
pub struct Robot {
    /// Records it watches.
    pub entity: Entity,
    /// Wakes on adds.
    pub on_add: bool,
    /// Wakes on updates.
    pub on_update: bool,
    /// Wakes only in this stage.
    pub stage: Option<String>,
    /// What it writes.
    pub set: Map<String, Value>,
}

/// A timeline comment.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Comment {
    /// Id.
    pub id: i64,
    /// Record it stands under.
    pub entity: Entity,
    /// Id of the record.
    pub entity_id: i64,
    /// Text with BB codes.
    pub text: String,
    /// Author.
    pub user: i64,
    /// Unix seconds.
    pub at: i64,
}

/// CRM state.
#[derive(Debug, Default)]
pub struct Crm {
    /// Records.
    pub tables: Tables,
    /// Deleted records by `entityTypeId` and id.
    pub bin: BTreeMap<(i64, i64), Row>,
    /// Pipelines and dictionaries.
    pub stages: Stages,
    /// Robots.
    pub robots: Vec<Robot>,
    /// How often robots ran.
    pub robot_runs: u64,
    /// Timeline comments.
    pub comments: Vec<Comment>,
    /// Next user field id.
    pub next_user_field: i64,
    /// Grows with every write, so that a page knows when to read again.
    pub changes: u64,
}
