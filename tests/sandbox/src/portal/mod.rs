//! An emulated Bitrix24 portal with its OAuth host, in memory (facts/bitrix24.md).
//!
//! ```no_run
//! # async fn example() {
//! use fb24_sandbox::portal::{Entity, Portal, PortalOptions};
//! let portal = Portal::start(PortalOptions::default());
//! portal.set_installed();                       // as if the admin had finished the wizard
//! let tokens = portal.tokens(1);                // a pair of the admin
//! let deals = portal.records(Entity::Deal);     // what the CRM holds now
//! # let _ = (tokens, deals);
//! # }
//! ```
//!
//! The portal runs on a thread of its own: the handle may be used from any runtime, or from none. It stops when dropped.

pub mod clock;
mod control;
mod control_crm;
mod control_tasks;
pub mod crm;
pub mod error;
pub mod events;
pub mod faults;
mod frame;
mod handle;
mod lifecycle;
pub mod limits;
mod oauth;
pub mod options;
pub mod php;
mod placements;
pub mod requests;
mod rest;
mod server;
mod state;
mod system;
mod tasks;
pub mod tls;
mod tokens;
mod users;

#[cfg(test)]
mod tests;

pub use clock::PortalClock;
pub use crm::{Comment, Entity, Robot};
pub use events::{Delivering, Sent};
pub use faults::{Fault, FaultAnswer, FaultWhen, Hold};
pub use handle::{FrameAnswer, Portal, Record};
pub use lifecycle::FrameForm;
pub use limits::LimitCounts;
pub use options::{Cost, Edition, LimitOptions, MultifieldMode, PortalOptions, TaskCard};
pub use placements::Placement;
pub use requests::Request;
pub use state::Notice;
pub use tasks::{Said, Step};
pub use tokens::Pair;
pub use users::User;
