//! What a hotel and a portal are, without wires, tables or clocks.
//!
//! Everything here is pure: no I/O, no async, no SQL, no HTTP, no wire format.

pub mod alert;
pub mod change;
pub mod change_set;
pub mod crm;
pub mod crm_schema;
pub mod decision;
pub mod desired;
pub mod edits;
pub mod erasure;
pub mod event_loss;
pub mod fact;
pub mod group;
pub mod history;
pub mod identity;
pub mod ids;
pub mod known;
pub mod lang;
pub mod mapping;
pub mod matching;
pub mod merging;
pub mod money;
pub mod ownership;
pub mod phone;
pub mod profile;
pub mod putback;
pub mod reference;
pub mod status;
pub mod stay;
pub mod subject;
pub mod support;
pub mod totals;
pub mod turn;

pub use change::{Change, Entity, Observed};
pub use crm::{CrmEntity, CrmValue, Fields};
pub use crm_schema::CrmSchema;
pub use desired::OwnerRule;
pub use ids::{GroupNumber, HotelCode, HotelId, IdError, PortalId, ProfileNumber, StayNumber};
pub use known::Known;
pub use lang::Lang;
pub use mapping::Mapping;
pub use money::{Currency, Money};
pub use ownership::Ownership;
pub use phone::Phone;
pub use profile::{Email, PhoneEntry, Profile, ProfileKind};
pub use status::{StayStatus, Transition};
pub use stay::Stay;
pub use subject::Subject;
pub use totals::GuestTotals;
pub use turn::Turn;
