//! Requests ↔ cards (E-19): the second tracker, by the rules of tasks. One worker under one lease sends what is due, looks for what
//! changed and reads it, so that all nodes together keep Kaiten's limit. It shares no row, lease or worker with tasks: neither waits
//! for the other.

mod failing;
mod look;
mod read;
mod run;
mod send;
mod settle;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::deliver::StepObserver;
use super::deliver::lease::Held;
use super::{Desk, DeskError};
use crate::clock::Clock;
use crate::domain::support::card_moves::Column;
use crate::domain::{Lang, PortalId};
use crate::kaiten::{Cards, Error};
use crate::store::desk::outbox::{self, Channel};
use crate::store::{Db, StoreError};
use crate::telemetry::Pulse;

const CHANNEL: Channel = Channel::Kaiten;
/// The board is the deployment's, no portal's.
const TARGET: PortalId = PortalId(0);
const LEASE: &str = "desk:kaiten:0";
/// What a card is known by in `remotes`.
pub const CARD: &str = "card";
/// Rows and cards looked at together.
const LOOK: i64 = 50;
/// Rows of one visit; the rest has its turn after the others.
const ENOUGH: usize = 50;
/// After which a request cannot be carried out any more; Kaiten does not say it [facts: INF], so twice our own patience with an answer.
const REQUEST_CAP_MS: i64 = 60_000;
/// Beyond it, for clocks that differ (product §2.1).
const HOLD_MS: i64 = 5_000;
/// A board is rebuilt rarely.
const COLUMNS_MS: i64 = 300_000;
const STANDS_STILL: Duration = Duration::from_secs(300);

#[derive(Debug, thiserror::Error)]
pub enum CardError {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Kaiten(#[from] Error),
    /// Another node, or another task of this one.
    #[error("somebody else works on the cards")]
    Elsewhere,
    /// A test stopped it here, as a crash would.
    #[error("stopped at {0}")]
    Stopped(&'static str),
}

impl From<StoreError> for CardError {
    fn from(error: StoreError) -> Self {
        Self::Desk(error.into())
    }
}

pub struct Deps {
    pub desk: Desk,
    pub cards: Arc<dyn Cards>,
    /// Which board this is: how far it was looked through is kept by it.
    pub board: String,
    /// `sync.lease_seconds`
    pub lease: Duration,
    pub observer: Option<StepObserver>,
}

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct CardTracker(Arc<Inner>);

struct Inner {
    deps: Deps,
    /// This process among all nodes; new at each start.
    node: String,
    /// A task of this process at work: its lease would let another one in.
    busy: tokio::sync::Mutex<()>,
    /// Under which it last worked.
    fence: AtomicI64,
    columns: Mutex<Option<(i64, Arc<[Column]>)>>,
    pulse: Pulse,
}

/// One visit.
struct Round {
    tracker: CardTracker,
    lease: Held,
}

impl CardTracker {
    pub fn new(deps: Deps) -> Self {
        let pulse = Pulse::new("cards", STANDS_STILL, deps.desk.0.clock.clone());
        let node = uuid::Uuid::new_v4().to_string();
        let (fence, columns) = (AtomicI64::new(0), Mutex::default());
        Self(Arc::new(Inner { deps, node, busy: tokio::sync::Mutex::default(), fence, columns, pulse }))
    }

    /// Sends, looks and reads what is due; answers how much came to its end.
    pub async fn visit(&self) -> Result<usize, CardError> {
        self.at_work(|round| async move { (round.visit().await, round) }).await
    }

    /// Sends what is due, and nothing else.
    pub async fn deliver(&self) -> Result<usize, CardError> {
        self.at_work(|round| async move { (round.deliver().await, round) }).await
    }

    async fn at_work<F>(&self, work: impl FnOnce(Round) -> F) -> Result<usize, CardError>
    where
        F: Future<Output = (Result<usize, CardError>, Round)>,
    {
        let _busy = self.0.busy.try_lock().map_err(|_| CardError::Elsewhere)?;
        let (deps, clock) = (&self.0.deps, self.clock());
        let lease = Held::take(self.db(), clock, LEASE, &self.0.node, deps.lease).await?;
        let lease = lease.ok_or(CardError::Elsewhere)?;
        let before = self.0.fence.swap(lease.fence(), Ordering::Relaxed);
        if lease.fence() > before + 1 {
            deps.cards.taken_over();
        }
        let (result, round) = work(Round { tracker: self.clone(), lease }).await;
        if !matches!(result, Err(CardError::Stopped(_))) {
            round.lease.release().await;
        }
        result
    }

    fn db(&self) -> &Db {
        self.0.deps.desk.db()
    }

    fn clock(&self) -> &Clock {
        &self.0.deps.desk.0.clock
    }
}

impl Round {
    fn db(&self) -> &Db {
        self.tracker.db()
    }

    fn desk(&self) -> &Desk {
        &self.tracker.0.deps.desk
    }

    fn cards(&self) -> &dyn Cards {
        self.tracker.0.deps.cards.as_ref()
    }

    fn now(&self) -> i64 {
        self.tracker.clock().now_ms()
    }

    fn step(&self, name: &'static str) -> Result<(), CardError> {
        match &self.tracker.0.deps.observer {
            Some(observer) if !observer(name) => Err(CardError::Stopped(name)),
            _ => Ok(()),
        }
    }

    /// Whether this node may go on.
    async fn still_ours(&self) -> Result<(), CardError> {
        if self.lease.renew().await? { Ok(()) } else { Err(CardError::Elsewhere) }
    }

    /// Does it while the lease is renewed.
    async fn during<T>(&self, work: impl Future<Output = T>) -> Result<T, CardError> {
        self.lease.during(work).await.ok_or(CardError::Elsewhere)
    }

    async fn visit(&self) -> Result<usize, CardError> {
        let sent = self.deliver().await?;
        self.look().await?;
        Ok(sent + self.read_due().await?)
    }

    /// However much waits, changes are looked for in between.
    async fn deliver(&self) -> Result<usize, CardError> {
        let tx = self.db().begin().await?;
        outbox::adopt(&tx, CHANNEL, TARGET, self.lease.fence()).await?;
        tx.commit().await?;
        let mut ended = 0;
        loop {
            let before = ended;
            for row in outbox::to_settle(self.db(), CHANNEL, TARGET, self.now(), LOOK).await? {
                self.still_ours().await?;
                ended += usize::from(self.settle(&row).await?);
            }
            for row in outbox::due(self.db(), CHANNEL, TARGET, self.now(), LOOK).await? {
                self.still_ours().await?;
                ended += usize::from(self.send(&row).await?);
            }
            if ended == before || ended >= ENOUGH {
                return Ok(ended);
            }
        }
    }

    /// The board's columns; none where Kaiten does not show them: then named columns and the cards themselves tell.
    async fn columns(&self) -> Result<Arc<[Column]>, CardError> {
        let kept = || self.tracker.0.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        if let Some((at, columns)) = kept().as_ref()
            && (0..COLUMNS_MS).contains(&(now - at))
        {
            return Ok(Arc::clone(columns));
        }
        let read = match self.during(self.cards().columns()).await? {
            Ok(read) => read,
            Err(error) if error.is_permanent() => {
                tracing::warn!(%error, "the board's columns cannot be read");
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        let columns: Arc<[Column]> = read.into();
        *kept() = Some((now, Arc::clone(&columns)));
        Ok(columns)
    }

    /// Of the people who read the cards of a desk.
    async fn lang(&self, desk: PortalId) -> Lang {
        let portal = self.desk().0.directory.get(desk).await;
        portal.map_or(Lang::Ru, |portal| Lang::of_portal(&portal.language))
    }
}
