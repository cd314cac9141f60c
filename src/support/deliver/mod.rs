//! Requests → tasks (S-39): rows of the desk's outbox leave in their order, each recorded as sent before it is. What nobody
//! answered is held until it cannot be carried out any more, then looked up; it is never sent again unseen (product §2.1).

mod failing;
pub(super) mod lease;
mod letter_words;
mod letters;
mod places;
mod run;
mod send;
mod settle;
mod tell;
pub(super) mod words;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::bitrix::tasks::Tasks;
use crate::bitrix::{self, PortalClient, Priority};
use crate::clock::Clock;
use crate::crypto::TenantKey;
use crate::domain::support::RequestNumber;
use crate::domain::{Lang, PortalId};
use crate::store::desk::heard;
use crate::store::desk::outbox::{self, Channel, OutboxRow, Outcome};
use crate::store::desk::remotes::{self, Remote};
use crate::store::desk::undelivered;
use crate::store::{Db, StoreError};
use crate::support::outgoing::Outgoing;
use crate::telemetry::Pulse;
use lease::Held;

pub(super) use failing::scheduled;
pub use letters::Post;
pub use places::Places;
pub(super) use send::seen;
pub(super) use tell::LATE_MS;

/// Rows looked at together.
const LOOK: i64 = 50;
/// Beyond the request cap, for clocks that differ (product §2.1).
const HOLD_MS: i64 = 5_000;
/// It looks every second; a database that answers slowly stretches that.
const STANDS_STILL: Duration = Duration::from_secs(60);
/// What a task is known by in [`remotes`].
pub const TASK: &str = "task";

#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("portal {portal}: {error}")]
    Portal { portal: PortalId, error: bitrix::Error },
    /// No tokens, not installed: its rows wait.
    #[error("portal {0} is not ready")]
    NotReady(PortalId),
    /// Another node, or another task of this one.
    #[error("somebody else delivers to portal {0}")]
    Elsewhere(PortalId),
    /// A test stopped it here, as a crash would.
    #[error("stopped at {0}")]
    Stopped(&'static str),
}

/// A portal as the one who makes tasks in it must know it.
#[derive(Debug, Clone)]
pub struct TaskPlace {
    pub client: PortalClient,
    /// Whether its scopes have REST 3.0 tasks.
    pub v3: bool,
    /// Whose tokens these are: he is every task's creator.
    pub creator: i64,
    /// Of its people.
    pub lang: Lang,
    pub request_cap: Duration,
}

#[async_trait]
pub trait TaskPortals: Send + Sync {
    async fn place(&self, portal: PortalId) -> Result<TaskPlace, DeliverError>;
    /// The request key of a portal.
    async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError>;
    /// The portal's own key.
    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError>;
    /// A call failed in a way that concerns the whole portal.
    async fn failed(&self, portal: PortalId, error: &bitrix::Error);
}

/// Told at each step boundary; `false` stops the work there, as a crash would. For tests.
pub type StepObserver = Arc<dyn Fn(&'static str) -> bool + Send + Sync>;

pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    pub portals: Arc<dyn TaskPortals>,
    /// How letters leave; none where no server is set.
    pub post: Option<Post>,
    /// `sync.lease_seconds`
    pub lease: Duration,
    pub observer: Option<StepObserver>,
}

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct TaskDelivery(Arc<Inner>);

struct Inner {
    deps: Deps,
    /// This process among all nodes; new at each start.
    node: String,
    /// What a task of this process works on: its lease would let another one in.
    busy: Mutex<HashSet<(Channel, PortalId)>>,
    pulse: Pulse,
}

/// A portal that a task of this process delivers to, for as long as it lives, however it ends.
struct Busy<'a> {
    delivery: &'a TaskDelivery,
    job: (Channel, PortalId),
}

impl<'a> Busy<'a> {
    /// `None`: another task is at it.
    fn begin(delivery: &'a TaskDelivery, job: (Channel, PortalId)) -> Option<Self> {
        delivery.busy().insert(job).then_some(Self { delivery, job })
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.delivery.busy().remove(&self.job);
    }
}

/// Under whose lease rows of one target are sent, and how it is written down.
struct Book {
    delivery: TaskDelivery,
    channel: Channel,
    target: PortalId,
    lease: Held,
}

/// One delivery to one portal.
struct Round {
    book: Book,
    place: TaskPlace,
    tasks: Tasks,
    /// How often each row went again at once.
    at_once: Mutex<HashMap<i64, u8>>,
}

impl TaskDelivery {
    pub fn new(deps: Deps) -> Self {
        let pulse = Pulse::new("tasks", STANDS_STILL, deps.clock.clone());
        Self(Arc::new(Inner { deps, node: uuid::Uuid::new_v4().to_string(), busy: Mutex::default(), pulse }))
    }

    /// Sends what is due to a portal's tasks, and settles what was held; answers how many rows came to their end.
    pub async fn deliver(&self, channel: Channel, target: PortalId) -> Result<usize, DeliverError> {
        let _busy = Busy::begin(self, (channel, target)).ok_or(DeliverError::Elsewhere(target))?;
        let result = self.under_lease(channel, target).await;
        if let Err(DeliverError::Portal { error, .. }) = &result
            && !matches!(error.class, bitrix::Class::Retry { .. } | bitrix::Class::Permanent)
        {
            self.0.deps.portals.failed(target, error).await;
        }
        result
    }

    fn busy(&self) -> MutexGuard<'_, HashSet<(Channel, PortalId)>> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn under_lease(&self, channel: Channel, target: PortalId) -> Result<usize, DeliverError> {
        let deps = &self.0.deps;
        let name = format!("desk:{}:{target}", channel.word());
        let lease = Held::take(&deps.db, &deps.clock, &name, &self.0.node, deps.lease).await?;
        let lease = lease.ok_or(DeliverError::Elsewhere(target))?;
        let book = Book { delivery: self.clone(), channel, target, lease };
        if channel == Channel::Mail {
            let result = book.post().await;
            return book.closed(result).await;
        }
        match deps.portals.place(target).await {
            Ok(place) => {
                let tasks = Tasks::new(place.client.clone(), Priority::Live, place.v3);
                let round = Round { book, place, tasks, at_once: Mutex::default() };
                let result = round.work().await;
                round.book.closed(result).await
            }
            Err(error) => book.closed(Err(error)).await,
        }
    }
}

impl std::ops::Deref for Round {
    type Target = Book;

    fn deref(&self) -> &Book {
        &self.book
    }
}

impl Book {
    /// Gives the lease back; who was stopped as by a crash gives nothing back.
    async fn closed(&self, result: Result<usize, DeliverError>) -> Result<usize, DeliverError> {
        if !matches!(result, Err(DeliverError::Stopped(_))) {
            self.lease.release().await;
        }
        result
    }

    fn db(&self) -> &Db {
        &self.delivery.0.deps.db
    }

    fn now(&self) -> i64 {
        self.delivery.0.deps.clock.now_ms()
    }

    fn step(&self, name: &'static str) -> Result<(), DeliverError> {
        match &self.delivery.0.deps.observer {
            Some(observer) if !observer(name) => Err(DeliverError::Stopped(name)),
            _ => Ok(()),
        }
    }

    /// What a row says. `Err` inside: how it ends, because it says nothing any more.
    async fn open(&self, row: &OutboxRow) -> Result<Result<Outgoing, Outcome>, DeliverError> {
        let key = match self.delivery.0.deps.portals.request_key(row.key_portal).await {
            Err(StoreError::KeyDestroyed) => return Ok(Err(Outcome::Rejected("key_destroyed".into()))),
            Err(StoreError::Crypto(_) | StoreError::Corrupt(_)) => return Ok(Err(Outcome::Failed("key".into()))),
            key => key?,
        };
        let read = row.open(&key).and_then(|payload| Outgoing::read(&payload));
        Ok(read.map_err(|_| Outcome::Failed("payload".into())))
    }

    /// What an older fence left open is ours.
    async fn adopt(&self) -> Result<(), DeliverError> {
        let tx = self.db().begin().await?;
        outbox::adopt(&tx, self.channel, self.target, self.lease.fence()).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Round {
    async fn work(&self) -> Result<usize, DeliverError> {
        self.adopt().await?;
        let mut ended = 0;
        loop {
            let before = ended;
            for row in outbox::to_settle(self.db(), self.channel, self.target, self.now(), LOOK).await? {
                ended += usize::from(self.settle(&row).await?);
            }
            for row in outbox::due(self.db(), self.channel, self.target, self.now(), LOOK).await? {
                ended += usize::from(self.send(&row).await?);
            }
            if ended == before {
                return Ok(ended);
            }
        }
    }

    /// What stands for the request in this portal.
    async fn task_of(&self, row: &OutboxRow) -> Result<Option<i64>, StoreError> {
        let remotes = remotes::of_request(self.db(), row.desk, row.request).await?;
        let ours = |remote: &&Remote| remote.channel == self.channel && remote.kind == TASK;
        Ok(remotes.iter().find(ours).and_then(|remote| remote.id.parse().ok()))
    }
}

impl Book {
    /// Writes how a row ended, with the task that it made; answers whether it is over.
    async fn record(&self, row: &OutboxRow, outcome: &Outcome, made: Option<i64>) -> Result<bool, DeliverError> {
        let now = self.now();
        let problem = self.problem_of(row, outcome).await?;
        let tx = self.db().begin().await?;
        let settled = outbox::settle(&tx, row, self.lease.fence(), outcome, now).await?;
        if let Some(id) = made.filter(|_| settled) {
            let remote =
                Remote { channel: self.channel, kind: TASK.to_owned(), target: self.target, id: id.to_string() };
            remotes::set(&tx, row.desk, row.request, &remote, now).await?;
            if self.channel == Channel::Task {
                // What people did before we knew its number, no event tells us any more.
                heard::begin(&tx, row.desk, row.request, id).await?;
            }
        }
        if settled {
            match problem {
                Some(problem) => problem.raise(&tx, row.desk, now).await?,
                None if *outcome == Outcome::Done => undelivered::over(&tx, row).await?,
                None => {}
            }
        }
        tx.commit().await?;
        if let Outcome::Failed(cause) | Outcome::Rejected(cause) = outcome {
            tracing::warn!(portal = %self.target, number = %row.number, kind = row.kind.word(), cause, "not delivered to the task");
        }
        self.step("desk.recorded")?;
        Ok(settled && !matches!(outcome, Outcome::Again { .. }))
    }
}

/// The external id of a request's task (contract, "Marks left in Bitrix24").
pub fn xml_id(number: RequestNumber) -> String {
    format!("fidelio-bitrix24:{number}")
}
