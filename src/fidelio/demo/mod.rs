//! A hotel without a network: for whoever tries the product before his own hotel is connected (product §4).
//!
//! Nothing of it is stored. What is booked follows from a seed (`book`), what the desk would tell of a booking from the
//! hotel's wall clock (`desk`), who comes from the guest's number (`people`). So whatever is read in whatever steps adds
//! up to one hotel.

mod book;
mod desk;
mod dice;
mod names;
mod people;
mod source;
#[cfg(test)]
mod tests;

pub use source::Demo;

/// How a source of this kind is named (contract, "The API that automation relies on").
pub const KIND: &str = "demo";
