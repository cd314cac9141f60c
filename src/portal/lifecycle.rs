//! The worker that carries portals through their lives: set-up, proof of uninstalls, payment, terms that end.
//!
//! One question finds everything that is due ([`portals::due`]); one lease a portal keeps two nodes apart.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::{Directory, PortalError, PortalStatus};
use crate::bitrix::{Call, Class, Priority};
use crate::domain::PortalId;
use crate::store::portals::{self, PortalRow};
use crate::store::{event_feed, leases};
use crate::telemetry::Pulse;

const PAUSE: Duration = Duration::from_secs(5);
/// Portals worked for at once, and how many more are looked at for the next place.
const AT_ONCE: usize = 32;
const BATCH: i64 = 64;

/// A healthy portal is looked over this often: is it still ours, still installed, still paid, still complete?
const LOOK_MS: i64 = 3_600_000;
/// Until the wizard's `installFinish` the portal delivers no events: it is looked at more often.
const UNFINISHED_MS: i64 = 300_000;
const SUSPENDED_MS: i64 = 3_600_000;
/// After a failure of our own, or of the network.
const RETRY_MS: i64 = 30_000;
/// One step of a slow portal's set-up is a dozen requests, each up to the cap.
const STANDS_STILL: Duration = Duration::from_secs(900);

#[derive(Clone, Debug)]
pub struct Lifecycle {
    directory: Directory,
    pulse: Pulse,
}

impl Lifecycle {
    pub fn new(directory: Directory) -> Self {
        let pulse = Pulse::new("lifecycle", STANDS_STILL, directory.0.parts.clock.clone());
        Self { directory, pulse }
    }

    /// Whether it is at work.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Runs until told to stop. What is under way is left where a later start finds it.
    pub async fn run(&self, stop: CancellationToken) {
        if let Err(error) = self.directory.schedule_outdated().await {
            tracing::error!(%error, "portals of another release could not be scheduled");
        }
        // Hosts that do not answer an installation event must not hold up the portals that are installed.
        futures_util::future::join(self.portals(&stop), self.late(&stop)).await;
    }

    async fn portals(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = self.work(false) => {}
        }
    }

    /// A portal that does not answer holds nobody up but itself: whoever is done makes place for the next. `once`: nobody
    /// gets a second step, and it ends when nobody is left; answers how many were moved on.
    async fn work(&self, once: bool) -> Result<usize, PortalError> {
        let mut work = FuturesUnordered::new();
        let (mut at_work, mut rests, mut moved) = (HashSet::new(), HashSet::new(), 0);
        loop {
            self.pulse.beat();
            match portals::due(self.directory.db(), self.directory.now(), BATCH).await {
                Ok(due) => {
                    for portal in due {
                        if work.len() < AT_ONCE && !rests.contains(&portal) && at_work.insert(portal) {
                            work.push(async move { (portal, self.one(portal).await) });
                        }
                    }
                }
                Err(error) if once => return Err(error.into()),
                Err(error) => tracing::error!(%error, "portals due could not be read"),
            }
            if once && work.is_empty() {
                return Ok(moved);
            }
            tokio::select! {
                Some((portal, went)) = work.next(), if !work.is_empty() => {
                    at_work.remove(&portal);
                    moved += usize::from(went);
                    if once || !went {
                        rests.insert(portal);
                    }
                    continue;
                }
                () = self.directory.0.wake.notified() => {}
                () = self.directory.0.parts.clock.sleep(PAUSE) => {}
            }
            if !once {
                rests.clear();
            }
        }
    }

    async fn late(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                tried = self.directory.late_installs() => {
                    if let Err(error) = tried {
                        tracing::error!(%error, "installation events that wait could not be tried");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.directory.0.parts.clock.sleep(PAUSE) => {}
            }
        }
    }

    /// Everything due now, once; answers how much was moved on.
    pub async fn tick(&self) -> Result<usize, PortalError> {
        Ok(self.directory.late_installs().await? + self.work(true).await?)
    }

    /// One step of one portal's life; `false`: another node has it, or it is tried again later.
    async fn one(&self, portal: PortalId) -> bool {
        match self.directory.advance(portal).await {
            Ok(moved) => moved,
            Err(error) => {
                tracing::error!(portal = portal.0, %error, "a portal's life could not go on");
                let retry = self.directory.now().saturating_add(RETRY_MS);
                let _ = portals::set_check(self.directory.db(), portal, Some(retry)).await;
                false
            }
        }
    }
}

impl Directory {
    /// Gives back every lease of this process. Only when nothing works under them any more.
    pub async fn release_leases(&self) -> Result<(), PortalError> {
        Ok(leases::release_all(self.db(), &self.0.parts.node).await?)
    }

    pub(super) async fn schedule_outdated(&self) -> Result<u64, PortalError> {
        let desk = self.0.parts.config.support.named().unwrap_or_default();
        let versions = (super::VERSION, super::DESK_VERSION);
        Ok(portals::schedule_outdated(self.db(), versions, desk, self.now()).await?)
    }

    /// One step of one portal's life. `false`: another node has it.
    pub async fn advance(&self, portal: PortalId) -> Result<bool, PortalError> {
        let done = self.under_lease(&format!("ensure:{portal}"), Box::pin(self.step(portal))).await?;
        Ok(done.is_some())
    }

    /// Works under a lease that is renewed meanwhile and given back at the end. `None`: another node has it.
    pub(super) async fn under_lease<T>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, PortalError>>,
    ) -> Result<Option<T>, PortalError> {
        let length = i64::from(self.0.parts.config.sync.lease_seconds).saturating_mul(1000);
        let now = self.now();
        let lease = leases::acquire(self.db(), name, &self.0.parts.node, now, now.saturating_add(length)).await?;
        let Some(lease) = lease else { return Ok(None) };
        let renewing = async {
            loop {
                self.0.parts.clock.sleep(Duration::from_millis(u64::try_from(length / 3).unwrap_or(1).max(1))).await;
                // Lost, or the database is away: the work is dropped where it stands, and found again by listing.
                let now = self.now();
                let Ok(true) = leases::renew(self.db(), &lease, now, now.saturating_add(length)).await else { return };
            }
        };
        let done = tokio::select! {
            done = work => done,
            () = renewing => Err(PortalError::Internal("the lease was lost".into())),
        };
        leases::release(self.db(), &lease).await?;
        done.map(Some)
    }

    async fn step(&self, portal: PortalId) -> Result<(), PortalError> {
        let now = self.now();
        let Some(row) = portals::get(self.db(), portal).await? else { return Ok(()) };
        if row.check_at.is_none_or(|at| at > now) {
            return Ok(()); // another node was here first
        }
        if row.status_detail == "erased" {
            if self.purge_step(portal).await? {
                portals::set_check(self.db(), portal, Some(now)).await?;
            }
            return Ok(());
        }
        match PortalStatus::parse(&row.status) {
            Some(PortalStatus::Uninstalling) => self.prove_uninstall(&row).await,
            // Asked while wary of forgeries: proven first, stopped after.
            Some(status) if status.open() && row.uninstall_at.is_some() => self.prove_uninstall(&row).await,
            Some(PortalStatus::Uninstalled | PortalStatus::Gone) => self.erase(portal).await,
            Some(PortalStatus::Suspended) => self.probe_payment(&row).await,
            Some(PortalStatus::New | PortalStatus::Ensuring | PortalStatus::Active | PortalStatus::Foreign) => {
                let again = self.ensure(&row).await?;
                // Of what cannot be asked now, the last answer counts.
                if let Err(error) = self.look_for_makers(portal).await {
                    tracing::warn!(portal = portal.0, %error, "the makers of keys could not be asked for");
                }
                self.schedule(portal, again).await
            }
            Some(PortalStatus::NeedsAuth) | None => Ok(portals::set_check(self.db(), portal, None).await?),
        }
    }

    async fn schedule(&self, portal: PortalId, again: Option<i64>) -> Result<(), PortalError> {
        let row = portals::get(self.db(), portal).await?.ok_or(PortalError::Unknown)?;
        let now = self.now();
        let at = match (again, PortalStatus::parse(&row.status)) {
            (Some(at), _) => Some(at),
            (None, Some(PortalStatus::Active)) if row.installed => Some(now.saturating_add(LOOK_MS)),
            (None, Some(PortalStatus::Active)) => Some(now.saturating_add(UNFINISHED_MS)),
            (None, Some(PortalStatus::Ensuring | PortalStatus::New | PortalStatus::Foreign)) => {
                Some(now.saturating_add(LOOK_MS))
            }
            // Whoever moved it on has set its next moment.
            _ => return Ok(()),
        };
        Ok(portals::set_check(self.db(), portal, at).await?)
    }

    /// The OAuth host's word, not an event's, says that payment is back.
    async fn probe_payment(&self, row: &PortalRow) -> Result<(), PortalError> {
        let now = self.now();
        let client = self.client_of(row)?;
        match client.call(Priority::Live, &Call::new("app.info", serde_json::json!({}))).await {
            Ok(_) => {
                let to = if row.ensured_version.is_empty() { PortalStatus::Ensuring } else { PortalStatus::Active };
                portals::move_status(self.db(), row.id, &row.status, to.word(), "", Some(now), now).await?;
                self.forget(row.id);
                event_feed::resumed(self.db(), row.id, now).await?;
                tracing::info!(portal = row.id.0, "payment is back; work goes on");
            }
            Err(error) => match error.class {
                Class::Gone | Class::Reauthorise => {
                    portals::move_status(self.db(), row.id, &row.status, "ensuring", "", Some(now), now).await?;
                    self.failed(row.id, &error).await?;
                }
                Class::Suspend | Class::Permanent => {
                    portals::set_check(self.db(), row.id, Some(now.saturating_add(SUSPENDED_MS))).await?;
                }
                Class::Retry { .. } => {
                    portals::set_check(self.db(), row.id, Some(now.saturating_add(RETRY_MS))).await?;
                }
            },
        }
        Ok(())
    }
}
