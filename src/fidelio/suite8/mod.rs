//! The Suite 8 XML Interface: the main source of stays, guests and money.
//!
//! `request` and `xml` are the wire, `packing` its envelope, `client` the exchange; `map` turns rows into canonical
//! facts; `poll` decides what to ask, without I/O, and `pass` asks it.

mod check;
pub mod client;
pub mod conditions;
pub mod dates;
pub mod error;
mod fields;
mod hotel;
mod map;
pub mod packing;
mod pass;
mod poll;
pub mod request;
mod source;
pub mod values;
pub mod xml;

pub use hotel::Settings;
pub use source::Suite8;
