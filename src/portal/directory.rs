//! The door to everything about a portal that other rooms may ask.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

use secrecy::SecretString;

use super::installation::Installation;
use super::pinned::OAuthHosts;
use super::roles::{self, Assignment, Grant, Role};
use super::settings::PortalSettings;
use super::{PortalError, PortalStatus};
use crate::bitrix::{self, PortalClient};
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::{Keyring, TenantKey};
use crate::domain::PortalId;
use crate::store::portals::{self, PortalRow};
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
    pub oauth: Arc<dyn OAuthHosts>,
    /// This process's name in leases: new at each start.
    pub node: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Directory(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub parts: Parts,
    keys: RwLock<HashMap<PortalId, TenantKey>>,
}

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
            settings,
            installation,
            created_at: row.created_at,
        })
    }
}

impl Directory {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, keys: RwLock::default() }))
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

    /// The portal's client under the system pair.
    pub async fn client(&self, portal: PortalId) -> Result<PortalClient, PortalError> {
        let portal = self.get(portal).await?;
        Err(PortalError::NotCallable(portal.status.word()))
    }

    /// The portal's client under a user's own token, which is never stored or refreshed.
    pub async fn client_as(&self, portal: PortalId, _access: SecretString) -> Result<PortalClient, PortalError> {
        let portal = self.get(portal).await?;
        Err(PortalError::NotCallable(portal.status.word()))
    }

    /// A call under the system pair ended with this: moves the portal to where workers leave it alone, if it means so.
    pub async fn failed(&self, _portal: PortalId, _error: &bitrix::Error) -> Result<(), PortalError> {
        Ok(())
    }

    pub async fn settings(&self, portal: PortalId) -> Result<PortalSettings, PortalError> {
        Ok(self.get(portal).await?.settings)
    }

    pub async fn set_settings(&self, portal: PortalId, settings: &PortalSettings) -> Result<(), PortalError> {
        let text = settings.write().ok_or_else(|| PortalError::Internal("settings cannot be written".into()))?;
        Ok(portals::set_settings(self.db(), portal, &text, self.now()).await?)
    }

    /// The key of the tenant's data. [`StoreError::KeyDestroyed`] after a proven `CLEAN=1`: drop the row, go on.
    pub async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        if let Some(key) = self.0.keys.read().ok().and_then(|keys| keys.get(&portal).cloned()) {
            return Ok(key);
        }
        let key = keys::obtain(self.db(), &self.0.parts.keyring, portal, self.now()).await?;
        if let Ok(mut keys) = self.0.keys.write() {
            keys.insert(portal, key.clone());
        }
        Ok(key)
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
        let _ = self.get(portal).await?;
        Ok(())
    }

    /// An admin decided that this server, not the other one, works for the portal.
    pub async fn take_over(&self, portal: PortalId) -> Result<(), PortalError> {
        let _ = self.get(portal).await?;
        Ok(())
    }
}
