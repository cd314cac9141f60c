//! What can stop a step of the engine.

use crate::bitrix;
use crate::domain::PortalId;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("portal {portal}: {error}")]
    Portal { portal: PortalId, error: bitrix::Error },
    /// The portal cannot be worked on now (not installed, no tokens): its work waits.
    #[error("portal {0} is not ready")]
    NotReady(PortalId),
    /// Another node holds the lease.
    #[error("another node works on {0}")]
    Elsewhere(String),
    /// A test stopped the engine at a named step, as a crash would.
    #[error("stopped at {0}")]
    Stopped(&'static str),
    /// A part of a delivery ended by a fault of ours.
    #[error("a part of a delivery ended abnormally")]
    Panicked,
    /// No such thing, or another tenant's.
    #[error("not found")]
    NotFound,
    /// The state of the thing does not allow it; a stable code, for which `http::texts` has a sentence.
    #[error("{0}")]
    Conflict(&'static str),
}
