//! People are told what goes wrong without having to look (product §6): in the portal and by mail, not in quiet hours,
//! once when it begins and once when it is over.

mod send;
mod texts;
mod watch;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::alert::AlertKind;
use crate::domain::{HotelId, Lang};
use crate::mail::Mailer;
use crate::portal::Directory;
use crate::store::leases::{self, Lease};
use crate::store::{Db, StoreError};
use crate::telemetry::Pulse;

/// How often troubles are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// One letter to a server that hangs, and a little.
const LEASE_MS: i64 = 90_000;
const STANDS_STILL: Duration = Duration::from_secs(600);
/// One node tells people; which one does not matter.
const LEASE: &str = "alerts";

/// Whom a notice goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    Mail(String),
    User(i64),
}

/// What is said to one person. It is put into words when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Notice {
    to: To,
    kind: AlertKind,
    over: bool,
    /// The portal as a whole where there is none.
    hotel: Option<Told>,
    /// When it began, by the hotel's clock.
    since: String,
    domain: String,
    lang: Lang,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    id: HotelId,
    code: String,
    name: String,
}

/// The worker that looks for troubles and tells people.
#[derive(Clone, Debug)]
pub struct Alerts {
    directory: Directory,
    mailer: Option<Mailer>,
    clock: Clock,
    node: String,
    pulse: Pulse,
}

impl Alerts {
    pub fn new(directory: Directory, mailer: Option<Mailer>, clock: Clock) -> Self {
        let pulse = Pulse::new("alerts", STANDS_STILL, clock.clone());
        Self { directory, mailer, clock, node: uuid::Uuid::new_v4().to_string(), pulse }
    }

    /// Whether it is at work.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    fn db(&self) -> &Db {
        self.directory.db()
    }

    /// Looks and tells until told to stop. A notice under way is finished or sent again by whoever looks next.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            self.pulse.beat();
            let looked = stop.run_until_cancelled(self.tick()).await;
            if let Some(Err(error)) = looked {
                tracing::error!(%error, "alerts could not be looked after");
            }
            if stop.run_until_cancelled(self.clock.sleep(LOOK_EVERY)).await.is_none() {
                break;
            }
        }
        if let Err(error) = leases::release_all(self.db(), &self.node).await {
            tracing::warn!(%error, "the lease of alerts could not be given back; it runs out by itself");
        }
    }

    /// One look, and everything that is to be said now; answers how many notices went out.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        let Some(lease) = self.lease().await? else { return Ok(0) };
        self.watch(&lease).await?;
        self.send(&lease).await
    }

    /// `None`: another node tells people.
    async fn lease(&self) -> Result<Option<Lease>, StoreError> {
        let now = self.clock.now_ms();
        leases::acquire(self.db(), LEASE, &self.node, now, now + LEASE_MS).await
    }
}
