//! The engine's handle: single steps for tests, loops for the product.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::error::SyncError;
use super::ports::{Portals, SourceFactory, StepObserver};
use crate::clock::Clock;
use crate::domain::PortalId;
use crate::store::Db;

/// What an engine is built from.
#[derive(Clone)]
pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    pub portals: Arc<dyn Portals>,
    pub sources: SourceFactory,
    /// `sync.lease_seconds`
    pub lease: Duration,
    /// `pms.poll_seconds`
    pub poll: Duration,
    pub observer: Option<StepObserver>,
}

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Engine(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub deps: Deps,
    /// This process among all nodes; new at each start, so that a restarted one knows it has forgotten.
    pub node: String,
    pub wake: Notify,
}

impl Engine {
    pub fn new(deps: Deps) -> Self {
        Self(Arc::new(Inner { deps, node: uuid::Uuid::new_v4().to_string(), wake: Notify::new() }))
    }

    /// Something came in: the loops look again at once.
    pub fn wake(&self) {
        self.0.wake.notify_waiters();
    }

    /// Reads what changed at one source; answers how many records were new.
    pub async fn poll_source(&self, _portal: PortalId, _source: i64) -> Result<usize, SyncError> {
        todo!()
    }

    /// Decides what waits in the inbox of a portal; answers how many rows.
    pub async fn decide(&self, _portal: PortalId) -> Result<usize, SyncError> {
        todo!()
    }

    /// Sends what waits in the outbox of a portal until nothing is due; answers how many records were confirmed.
    pub async fn deliver(&self, _portal: PortalId) -> Result<usize, SyncError> {
        todo!()
    }

    /// Reads what changed in the portal since the last scan.
    pub async fn scan(&self, _portal: PortalId) -> Result<usize, SyncError> {
        todo!()
    }

    /// One step of the portal's oldest unfinished import; `false`: there is none.
    pub async fn import_step(&self, _portal: PortalId) -> Result<bool, SyncError> {
        todo!()
    }

    /// Works until told to stop; what is in flight is finished first.
    pub async fn run(&self, _stop: CancellationToken) {
        todo!()
    }
}
