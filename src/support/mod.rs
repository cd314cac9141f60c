//! The support desk at work.

pub mod deliver;
pub mod outgoing;
