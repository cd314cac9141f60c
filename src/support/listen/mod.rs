//! Tasks → requests (S-39, S-42…S-45): what people say and do in a task reaches its request once. An event, or a look through
//! the latest tasks, only says that a task may have changed; the truth is what is read of it then.

mod round;
mod run;
mod scan;
pub(super) mod understand;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::deliver::lease::Held;
use super::deliver::{DeliverError, StepObserver, TaskPlace, TaskPortals};
use super::{Desk, DeskError};
use crate::bitrix::tasks::Tasks;
use crate::bitrix::{self, Priority};
use crate::clock::Clock;
use crate::domain::PortalId;
use crate::store::{Db, StoreError};
use crate::telemetry::Pulse;

const STANDS_STILL: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Portal(#[from] DeliverError),
}

impl From<StoreError> for ListenError {
    fn from(error: StoreError) -> Self {
        Self::Portal(error.into())
    }
}

pub struct Deps {
    pub desk: Desk,
    pub portals: Arc<dyn TaskPortals>,
    /// `sync.lease_seconds`
    pub lease: Duration,
    pub observer: Option<StepObserver>,
}

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct TaskListener(Arc<Inner>);

struct Inner {
    deps: Deps,
    db: Db,
    clock: Clock,
    /// This process among all nodes; new at each start.
    node: String,
    /// Desks that a task of this process works on: its lease would let another one in.
    busy: Mutex<HashSet<PortalId>>,
    pulse: Pulse,
}

/// A desk that a task of this process works on, for as long as it lives, however it ends.
struct Busy<'a>(&'a TaskListener, PortalId);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy().remove(&self.1);
    }
}

/// One visit to one desk's portal.
struct Round {
    listener: TaskListener,
    desk: PortalId,
    place: TaskPlace,
    lease: Held,
}

impl TaskListener {
    pub fn new(deps: Deps) -> Self {
        let (db, clock) = (deps.desk.db().clone(), deps.desk.0.clock.clone());
        let pulse = Pulse::new("listening", STANDS_STILL, clock.clone());
        let node = uuid::Uuid::new_v4().to_string();
        Self(Arc::new(Inner { deps, db, clock, node, busy: Mutex::default(), pulse }))
    }

    fn busy(&self) -> MutexGuard<'_, HashSet<PortalId>> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the tasks of a desk that may have changed; answers how many were read whole.
    pub async fn listen(&self, desk: PortalId) -> Result<usize, ListenError> {
        self.visit(desk, |round| async move { (round.listen().await, round) }).await
    }

    /// Looks through a desk's latest tasks for changes that nobody told of; answers how many are to be read.
    pub async fn scan(&self, desk: PortalId) -> Result<u64, ListenError> {
        self.visit(desk, |round| async move { (round.scan().await, round) }).await
    }

    async fn visit<T, F>(&self, desk: PortalId, work: impl FnOnce(Round) -> F) -> Result<T, ListenError>
    where
        F: Future<Output = (Result<T, ListenError>, Round)>,
    {
        if !self.busy().insert(desk) {
            return Err(DeliverError::Elsewhere(desk).into());
        }
        let _busy = Busy(self, desk);
        let deps = &self.0.deps;
        let lease =
            Held::take(&self.0.db, &self.0.clock, &format!("desk:hear:{desk}"), &self.0.node, deps.lease).await?;
        let lease = lease.ok_or(DeliverError::Elsewhere(desk))?;
        let place = match deps.portals.place(desk).await {
            Ok(place) => place,
            Err(error) => {
                lease.release().await;
                return Err(error.into());
            }
        };
        let (result, round) = work(Round { listener: self.clone(), desk, place, lease }).await;
        match &result {
            // As a crash would leave it.
            Err(ListenError::Portal(DeliverError::Stopped(_))) => return result,
            Err(ListenError::Portal(DeliverError::Portal { error, .. }))
                if !matches!(error.class, bitrix::Class::Retry { .. } | bitrix::Class::Permanent) =>
            {
                deps.portals.failed(desk, error).await;
            }
            _ => {}
        }
        round.lease.release().await;
        result
    }
}

impl Round {
    fn db(&self) -> &Db {
        &self.listener.0.db
    }

    fn now(&self) -> i64 {
        self.listener.0.clock.now_ms()
    }

    fn tasks(&self, priority: Priority) -> Tasks {
        Tasks::new(self.place.client.clone(), priority, self.place.v3)
    }

    fn failed(&self, error: bitrix::Error) -> ListenError {
        DeliverError::Portal { portal: self.desk, error }.into()
    }

    fn step(&self, name: &'static str) -> Result<(), ListenError> {
        match &self.listener.0.deps.observer {
            Some(observer) if !observer(name) => Err(DeliverError::Stopped(name).into()),
            _ => Ok(()),
        }
    }

    /// Whether this node may go on: another one may have the desk by now.
    async fn still_ours(&self) -> Result<(), ListenError> {
        if self.lease.renew().await? { Ok(()) } else { Err(DeliverError::Elsewhere(self.desk).into()) }
    }
}
