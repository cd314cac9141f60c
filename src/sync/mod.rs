//! The heart: intake → decide → outbox → deliver; import; delta scan; matching.
//!
//! Every step takes what it works on from the database and leaves its result there, so that any step may be the last
//! one of this process and the first one of another.

mod answers;
pub mod attach;
mod births;
mod chunk;
mod confirm;
mod decide;
mod deliver;
pub mod engine;
mod erase;
pub mod error;
mod eta;
mod event_looks;
pub mod events;
mod export;
mod findings;
mod found;
mod gauges;
mod ground;
pub mod guest;
pub mod hints;
mod import_run;
pub mod imports;
mod intake;
mod jobs;
mod lanes;
mod lease;
mod left_over;
mod lost;
mod lull;
mod merged;
mod missing;
mod notes;
mod owned;
mod pace;
mod pack;
mod people;
pub mod pins;
mod plan;
mod plan_deals;
mod plan_groups;
mod plan_guests;
mod plan_people;
mod pms_merges;
mod poll;
pub mod ports;
pub mod preview;
pub mod provenance;
mod queue;
pub mod reconcile;
mod reconcile_hotel;
mod reconcile_portal;
mod refer;
pub mod remap;
pub mod removal;
pub mod replay;
mod reread;
pub mod retry;
mod run;
mod scan;
mod send;
mod settle;
mod split;
mod strangers;
mod telling;
mod touched;
mod vanished;
pub mod views;
mod words;
mod writes;

pub use engine::{Deps, Engine};
pub use error::SyncError;
pub use events::{CrmEvent, EventIntake};
pub use ports::{PortalTerms, Portals, SourceFactory, StepObserver};
pub use run::Loops;

use crate::bitrix::Priority;
use crate::bitrix::crm::Entity;
use crate::domain::CrmEntity;

/// A priority as inbox and outbox keep it.
fn lane(priority: Priority) -> i32 {
    match priority {
        Priority::Person => 0,
        Priority::Live => 1,
        Priority::Import => 2,
        Priority::Reconciliation => 3,
    }
}

fn priority(lane: i32) -> Priority {
    match lane {
        ..=0 => Priority::Person,
        1 => Priority::Live,
        2 => Priority::Import,
        _ => Priority::Reconciliation,
    }
}

fn wire(entity: CrmEntity) -> Entity {
    match entity {
        CrmEntity::Deal => Entity::Deal,
        CrmEntity::Contact => Entity::Contact,
        CrmEntity::Company => Entity::Company,
    }
}
