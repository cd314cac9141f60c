//! Logs and metrics. A thing is logged once, at the boundary, without tokens or guests' data.

mod logs;
pub mod metrics;

pub use logs::{Format, init};
