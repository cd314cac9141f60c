//! The door to everything about a portal that other rooms may ask.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use super::clients::Clients;
use super::gate::GateCache;
use super::installation::Installation;
use super::reading::Readings;
use super::roles::{self, Assignment, Grant, Role};
use super::settings::PortalSettings;
use super::turns::Turns;
use super::users::Staffs;
use super::{PortalError, PortalStatus};
use crate::bitrix::{self, Class};
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::{Keyring, TenantKey};
use crate::domain::PortalId;
use crate::net::Authorities;
use crate::store::portals::{self, PortalRow};
use crate::store::problems::{self, NewProblem};
use crate::store::{Db, StoreError, keys};

/// A portal as other rooms see it.
#[derive(Debug, Clone)]
pub struct Portal {
    pub id: PortalId,
    pub member_id: String,
    pub domain: String,
    /// `https://<portal>/rest/`
    pub client_endpoint: String,
    pub status: PortalStatus,
    pub status_detail: String,
    /// The portal's word: the installer was finished.
    pub installed: bool,
    pub boxed: bool,
    pub generation: i64,
    pub language: String,
    pub scope: String,
    pub license: String,
    /// Who installed the app; 0: not known.
    pub installer_user_id: i64,
    pub settings: PortalSettings,
    pub installation: Installation,
    pub created_at: i64,
}

/// What a directory is made of.
#[derive(Clone)]
pub struct Parts {
    pub db: Db,
    pub config: Arc<Config>,
    pub keyring: Arc<Keyring>,
    pub clock: Clock,
    pub bitrix: bitrix::Client,
    /// From `bitrix.portal_ca`.
    pub authorities: Authorities,
    /// This process's name in leases: new at each start.
    pub node: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Directory(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub parts: Parts,
    pub gate: GateCache,
    pub clients: Clients,
    pub readings: Readings,
    pub staffs: Staffs,
    pub turns: Turns,
    /// Wakes the lifecycle worker of this process.
    pub wake: Notify,
    keys: RwLock<HashMap<PortalId, (TenantKey, i64)>>,
    flights: Mutex<HashMap<PortalId, Arc<tokio::sync::Mutex<()>>>>,
}

const HOUR_MS: i64 = 3_600_000;

/// A key destroyed by another node is used this long at most.
const KEY_FRESH_MS: i64 = 5_000;

/// Tries to change settings that somebody else is changing.
const SWAPS: usize = 20;

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Directory")
    }
}

impl Portal {
    pub(super) fn read(row: PortalRow) -> Result<Self, PortalError> {
        let status = PortalStatus::parse(&row.status).ok_or(StoreError::Corrupt("portal.status"))?;
        let settings = PortalSettings::read(&row.settings).ok_or(StoreError::Corrupt("portal.settings"))?;
        let mut installation: Installation = serde_json::from_str(&row.installation).unwrap_or_default();
        installation.installed = row.installed;
        installation.inbound_at = row.inbound_at;
        Ok(Self {
            id: row.id,
            member_id: row.member_id,
            domain: row.domain,
            client_endpoint: row.client_endpoint,
            status,
            status_detail: row.status_detail,
            installed: row.installed,
            boxed: row.boxed,
            generation: row.generation,
            language: row.language,
            scope: row.scope,
            license: row.license,
            installer_user_id: row.installer_user_id,
            settings,
            installation,
            created_at: row.created_at,
        })
    }
}

impl Directory {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            gate: GateCache::default(),
            clients: Clients::default(),
            readings: Readings::default(),
            staffs: Staffs::default(),
            turns: Turns::default(),
            wake: Notify::new(),
            keys: RwLock::default(),
            flights: Mutex::default(),
        }))
    }

    /// What this process calls itself in leases.
    pub fn node(&self) -> &str {
        &self.0.parts.node
    }

    pub fn db(&self) -> &Db {
        &self.0.parts.db
    }

    pub(super) fn now(&self) -> i64 {
        self.0.parts.clock.now_ms()
    }

    pub async fn get(&self, portal: PortalId) -> Result<Portal, PortalError> {
        Portal::read(portals::get(self.db(), portal).await?.ok_or(PortalError::Unknown)?)
    }

    pub async fn by_member(&self, member_id: &str) -> Result<Option<Portal>, PortalError> {
        portals::by_member(self.db(), member_id).await?.map(Portal::read).transpose()
    }

    /// Portals that are worked for: active, installed and set up.
    pub async fn active(&self) -> Result<Vec<PortalId>, PortalError> {
        Ok(portals::active(self.db()).await?)
    }

    /// A call under the system pair ended with this: moves the portal to where workers leave it alone, if it means so.
    pub async fn failed(&self, portal: PortalId, error: &bitrix::Error) -> Result<(), PortalError> {
        let now = self.now();
        let (status, detail, check_at) = match error.class {
            Class::Retry { .. } | Class::Permanent => return Ok(()),
            Class::Reauthorise if error.code() == "authorization_error" => {
                (PortalStatus::NeedsAuth, "user_dismissed", None)
            }
            Class::Reauthorise => (PortalStatus::NeedsAuth, "pair_dead", None),
            Class::Suspend => (PortalStatus::Suspended, "payment", Some(now.saturating_add(HOUR_MS))),
            Class::Gone => {
                let days = i64::from(self.0.parts.config.portal.keep_after_uninstall_days);
                (PortalStatus::Gone, "refused", Some(now.saturating_add(days.saturating_mul(24 * HOUR_MS))))
            }
        };
        let mut moved = false;
        for from in [PortalStatus::Active, PortalStatus::Ensuring, PortalStatus::New] {
            moved |= portals::move_status(self.db(), portal, from.word(), status.word(), detail, check_at, now).await?;
        }
        if moved {
            self.forget(portal);
            tracing::warn!(portal = portal.0, status = status.word(), %error, "work for the portal stops");
        }
        Ok(())
    }

    /// [`Directory::failed`] where the caller has another error to answer.
    pub(super) async fn note_failure(&self, portal: PortalId, error: &bitrix::Error) {
        if let Err(error) = self.failed(portal, error).await {
            tracing::error!(portal = portal.0, %error, "a portal's state could not be stored");
        }
    }

    pub async fn settings(&self, portal: PortalId) -> Result<PortalSettings, PortalError> {
        Ok(self.get(portal).await?.settings)
    }

    pub async fn set_settings(&self, portal: PortalId, settings: &PortalSettings) -> Result<(), PortalError> {
        let text = settings.write().ok_or_else(|| PortalError::Internal("settings cannot be written".into()))?;
        portals::set_settings(self.db(), portal, &text, self.now()).await?;
        self.forget(portal);
        Ok(())
    }

    /// Changes settings as they stand, whoever else changes others of them at the same time.
    pub async fn update_settings(
        &self,
        portal: PortalId,
        change: impl Fn(&mut PortalSettings) + Send,
    ) -> Result<PortalSettings, PortalError> {
        let change = move |settings: &mut PortalSettings| {
            change(settings);
            Ok(())
        };
        self.try_update_settings(portal, change).await
    }

    /// [`Directory::update_settings`] by a change that may refuse: then nothing is written.
    pub async fn try_update_settings<E: From<PortalError>>(
        &self,
        portal: PortalId,
        change: impl Fn(&mut PortalSettings) -> Result<(), E> + Send,
    ) -> Result<PortalSettings, E> {
        for _ in 0..SWAPS {
            let (stored, before) = self.stored_settings(portal).await?;
            let mut after = before.clone();
            change(&mut after)?;
            if after == before || self.swap_settings(portal, &stored, &after).await? {
                return Ok(after);
            }
        }
        Err(PortalError::Internal("settings are changed by somebody else all the time".into()).into())
    }

    /// As they stand, and as they are stored.
    async fn stored_settings(&self, portal: PortalId) -> Result<(String, PortalSettings), PortalError> {
        let row = portals::get(self.db(), portal).await?.ok_or(PortalError::Unknown)?;
        let settings = PortalSettings::read(&row.settings).ok_or(StoreError::Corrupt("portal.settings"))?;
        Ok((row.settings, settings))
    }

    async fn swap_settings(&self, portal: PortalId, old: &str, new: &PortalSettings) -> Result<bool, PortalError> {
        let text = new.write().ok_or_else(|| PortalError::Internal("settings cannot be written".into()))?;
        let swapped = portals::swap_settings(self.db(), portal, old, &text, self.now()).await?;
        if swapped {
            self.forget(portal);
        }
        Ok(swapped)
    }

    pub(super) async fn save_installation(
        &self,
        portal: PortalId,
        installation: &Installation,
    ) -> Result<(), PortalError> {
        let text = serde_json::to_string(installation).map_err(|e| PortalError::Internal(e.to_string()))?;
        Ok(portals::set_installation(self.db(), portal, &text, self.now()).await?)
    }

    /// The key of the tenant's data. [`StoreError::KeyDestroyed`] after a proven `CLEAN=1`: drop the row, go on.
    pub async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        let now = self.now();
        let cached = self.0.keys.read().ok().and_then(|keys| keys.get(&portal).cloned());
        if let Some((key, _)) = cached.filter(|(_, at)| (0..KEY_FRESH_MS).contains(&now.saturating_sub(*at))) {
            return Ok(key);
        }
        let key = keys::obtain(self.db(), &self.0.parts.keyring, portal, now).await?;
        if let Ok(mut keys) = self.0.keys.write() {
            keys.insert(portal, (key.clone(), now));
        }
        Ok(key)
    }

    /// The key of what was said in the portal's support requests.
    pub async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        keys::obtain_for(self.db(), &self.0.parts.keyring, portal, keys::REQUESTS, self.now()).await
    }

    pub(super) fn forget_key(&self, portal: PortalId) {
        if let Ok(mut keys) = self.0.keys.write() {
            keys.remove(&portal);
        }
    }

    /// Something about the portal changed: what this process remembers of it is read again.
    pub(super) fn forget(&self, portal: PortalId) {
        self.0.gate.forget(portal);
        self.0.clients.forget(portal);
    }

    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// One refresh of a portal's pair at a time in this process.
    pub(super) fn flight(&self, portal: PortalId) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.0.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.entry(portal).or_default().clone()
    }

    /// Something an admin should know of: it stands among the portal's problems.
    pub(super) async fn alert(&self, portal: PortalId, code: &'static str) {
        let noted = async {
            let key = self.key(portal).await?;
            let problem = NewProblem {
                hotel: None,
                subject: format!("portal:{portal}"),
                cause: code.to_owned(),
                kind: "doubtful",
                params: serde_json::json!({}),
            };
            let tx = self.db().begin().await?;
            problems::raise(&tx, portal, &key, &[problem], self.now()).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::error!(portal = portal.0, code, %error, "an alert could not be noted");
        }
    }

    /// The roles page of the portal.
    pub async fn roles(&self, portal: PortalId) -> Result<Vec<Assignment>, PortalError> {
        Ok(roles::list(self.db(), portal).await?)
    }

    /// Replaces all roles; every session of the portal ends.
    pub async fn set_roles(&self, portal: PortalId, items: &[Assignment]) -> Result<(), PortalError> {
        Ok(roles::replace(self.db(), portal, items).await?)
    }

    pub async fn roles_of(
        &self,
        portal: PortalId,
        user_id: i64,
    ) -> Result<(BTreeSet<Role>, BTreeSet<Grant>), PortalError> {
        Ok(roles::of_user(self.db(), portal, user_id).await?)
    }

    /// Looks again at what the portal lacks and makes what is missing; the work happens in the background.
    pub async fn retry_installation(&self, portal: PortalId) -> Result<(), PortalError> {
        let known = self.get(portal).await?;
        if !matches!(
            known.status,
            PortalStatus::New | PortalStatus::Ensuring | PortalStatus::Active | PortalStatus::Foreign
        ) {
            return Err(PortalError::NotCallable(known.status.word()));
        }
        let mut installation = known.installation;
        installation.state = super::InstallationState::Working;
        self.save_installation(portal, &installation).await?;
        portals::set_check(self.db(), portal, Some(self.now())).await?;
        self.wake();
        Ok(())
    }

    /// An admin decided that this server, not the other one, works for the portal.
    pub async fn take_over(&self, portal: PortalId) -> Result<(), PortalError> {
        let now = self.now();
        let (from, to) = (PortalStatus::Foreign.word(), PortalStatus::Ensuring.word());
        if !portals::move_status(self.db(), portal, from, to, super::TAKE_OVER, Some(now), now).await? {
            return Err(PortalError::NotCallable(self.get(portal).await?.status.word()));
        }
        self.forget(portal);
        self.wake();
        Ok(())
    }
}
