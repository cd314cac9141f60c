//! The engine's handle: single steps for tests, loops for the product.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::error::SyncError;
use super::events::PAYLOAD;
use super::lull::Lulls;
use super::ports::{Portals, SourceFactory, StepObserver};
use crate::bitrix::Priority;
use crate::clock::Clock;
use crate::domain::{HotelId, PortalId};
use crate::store::inbox::{self, InboxKind, NewRow};
use crate::store::{Db, StoreError, leases};
use crate::telemetry::Pulse;

/// The loops look every half second; a database that answers slowly stretches that.
const STANDS_STILL: Duration = Duration::from_secs(30);

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
    /// Imports that have nothing to do for a while.
    pub lulls: Lulls,
    pub pulse: Pulse,
    stopping: CancellationToken,
    /// One task of this process at a time works on each of these; other processes are kept off by leases.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Engine {
    pub fn new(deps: Deps) -> Self {
        let pulse = Pulse::new("engine", STANDS_STILL, deps.clock.clone());
        Self(Arc::new(Inner {
            deps,
            node: uuid::Uuid::new_v4().to_string(),
            wake: Notify::new(),
            lulls: Lulls::default(),
            pulse,
            stopping: CancellationToken::new(),
            turns: Mutex::default(),
        }))
    }

    /// Something came in: the loops look again at once.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    pub(super) fn turn(&self, name: String) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody holds is forgotten from time to time, so that a thousand portals leave nothing behind.
        if turns.len() > 256 {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        turns.entry(name).or_default().clone()
    }

    /// Takes down what a person wants of a subject: it goes the way of everything, before all that is not live.
    pub(super) async fn wish(
        &self,
        portal: PortalId,
        hotel: HotelId,
        kind: InboxKind,
        subject: String,
        wish: &impl Serialize,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let plain = serde_json::to_vec(wish).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
        let payload = deps.portals.key(portal).await?.seal(PAYLOAD, &plain).map_err(StoreError::Crypto)?;
        let priority = super::lane(Priority::Person);
        let row = NewRow { hotel, kind, subject, priority, payload, hash: String::new() };
        let tx = deps.db.begin().await?;
        inbox::add(&tx, portal, vec![row], deps.clock.now_ms()).await?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    /// A boundary between two steps: whatever the process had done by now is on disk, or lost with it.
    pub(super) fn step(&self, name: &'static str) -> Result<(), SyncError> {
        match &self.0.deps.observer {
            Some(observer) if !observer(name) => Err(SyncError::Stopped(name)),
            _ => Ok(()),
        }
    }

    pub(super) fn stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    pub(super) fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// Carries `work` on until this process is told to stop. For work that may be dropped anywhere: reading a hotel.
    pub(super) async fn unless_stopping<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.stopping.run_until_cancelled(work).await
    }

    /// The name under which it holds its leases.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// Whether its loops are alive.
    pub fn pulse(&self) -> Pulse {
        self.0.pulse.clone()
    }

    /// Gives back every lease of this process, so that another need not wait for their ends. Only when nothing works
    /// under them any more.
    pub async fn release_leases(&self) -> Result<(), StoreError> {
        leases::release_all(&self.0.deps.db, &self.0.node).await
    }
}
