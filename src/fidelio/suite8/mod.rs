//! The Suite 8 XML Interface: the main source of stays, guests and money.

pub mod conditions;
pub mod dates;
mod fields;
pub mod packing;
pub mod request;
pub mod values;
pub mod xml;
