//! Logs, metrics, signs of life. A thing is logged once, at the boundary, without tokens or guests' data.

mod logs;
pub mod metrics;
mod pulse;

pub use logs::{Format, init, log_panics};
pub use pulse::Pulse;
