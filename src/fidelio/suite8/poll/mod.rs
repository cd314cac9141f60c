//! What to ask next, decided without I/O: positions, windows, slices, batches (facts §6). The pass in `super::pass`
//! carries the questions to the hotel and the answers back.

pub mod batch;
pub mod mark;
pub mod slices;
pub mod state;

pub use batch::{Shape, batches};
pub use mark::{Look, Mark, Sighting};
pub use slices::{Slice, Slicer};
pub use state::{Extra, GONE, Import, Refusal, State, hidden};
