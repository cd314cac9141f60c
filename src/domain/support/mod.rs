//! The support desk's rules (product §5, decisions 1–5 of the requirements): what a request is, where it stands, what was
//! promised, and what was said of it.

pub mod calendar;
pub mod card_moves;
pub mod clock;
pub mod clocks;
pub mod complete;
pub mod hint;
pub mod history;
pub mod holidays;
pub mod kind;
pub mod life;
pub mod mark;
pub mod may;
pub mod number;
pub mod priority;
pub mod queue;
pub mod rating;
pub mod release;
pub mod report;
pub mod silence;
pub mod sla;
pub mod split;
pub mod task_moves;
pub mod times;
pub mod to_customer;

#[cfg(test)]
mod calendar_tests;
#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod life_tests;

pub use calendar::Calendar;
pub use clock::{Clock, Target};
pub use clocks::Clocks;
pub use holidays::Holidays;
pub use kind::{Kind, Scope};
pub use life::{Action, Role, State};
pub use mark::Mark;
pub use number::RequestNumber;
pub use priority::{Priority, PriorityMatrix};
pub use rating::Rating;
pub use release::Release;
pub use sla::Sla;
pub use times::Times;
