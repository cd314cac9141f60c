//! The heart: intake → decide → outbox → deliver; import; delta scan; matching.
//!
//! Every step takes what it works on from the database and leaves its result there, so that any step may be the last
//! one of this process and the first one of another.

pub mod engine;
pub mod error;
pub mod events;
pub mod imports;
pub mod ports;
pub mod views;

pub use engine::{Deps, Engine};
pub use error::SyncError;
pub use events::{CrmEvent, EventIntake};
pub use ports::{PortalTerms, Portals, SourceFactory, StepObserver};
