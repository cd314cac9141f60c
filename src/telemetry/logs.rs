//! Structured logs: one JSON object a line for a service, plain text for a terminal. `RUST_LOG` sets the detail.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Text,
}

impl Format {
    /// JSON unless a person is looking.
    pub fn of_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Installs the process-wide subscriber; a second call (tests) changes nothing.
pub fn init(format: Format) {
    let filter = EnvFilter::try_from_default_env()
        // Query strings and SQL values pass through these at finer levels.
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,sea_orm=warn,actix_server=warn,reqwest=warn,hyper=warn"));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let _ = match format {
        Format::Json => registry.with(layer.json().flatten_event(true).with_current_span(true)).try_init(),
        Format::Text => registry.with(layer.with_target(false)).try_init(),
    };
}

/// A panic becomes one line of the log: where, not what, for its text may quote a guest's data.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let at = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "a panic: please report it");
    }));
}
