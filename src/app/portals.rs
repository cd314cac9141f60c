//! The engine's view of portals, over the portal room's directory.

use std::time::Duration;

use async_trait::async_trait;

use crate::bitrix::multifield::Way;
use crate::bitrix::{self, MomentForm, PortalClient};
use crate::crypto::TenantKey;
use crate::domain::{Lang, PortalId};
use crate::portal::settings::MultifieldMode;
use crate::portal::{Directory, PortalError, PortalSettings};
use crate::store::StoreError;
use crate::sync::{PortalTerms, Portals, SyncError};

/// [`Portals`] as this deployment has them.
#[derive(Debug, Clone)]
pub struct Served {
    pub directory: Directory,
    /// `bitrix.request_cap_seconds`
    pub request_cap_seconds: u32,
}

fn store(error: PortalError) -> StoreError {
    match error {
        PortalError::Store(error) => error,
        _ => StoreError::Corrupt("portal"),
    }
}

fn sync(portal: PortalId, error: PortalError) -> SyncError {
    match error {
        PortalError::Store(error) => SyncError::Store(error),
        PortalError::Bitrix(error) => SyncError::Portal { portal, error },
        _ => SyncError::NotReady(portal),
    }
}

fn way(mode: MultifieldMode) -> Way {
    match mode {
        MultifieldMode::Unknown => Way::Unknown,
        MultifieldMode::Item => Way::Item,
        MultifieldMode::Legacy => Way::Old,
    }
}

fn from_way(way: Way) -> MultifieldMode {
    match way {
        Way::Unknown => MultifieldMode::Unknown,
        Way::Item => MultifieldMode::Item,
        Way::Old => MultifieldMode::Legacy,
    }
}

#[async_trait]
impl Portals for Served {
    async fn active(&self) -> Result<Vec<PortalId>, StoreError> {
        self.directory.active().await.map_err(store)
    }

    async fn client(&self, portal: PortalId) -> Result<PortalClient, SyncError> {
        self.directory.client(portal).await.map_err(|error| sync(portal, error))
    }

    async fn terms(&self, portal: PortalId) -> Result<PortalTerms, SyncError> {
        let settings = self.directory.settings(portal).await.map_err(|error| sync(portal, error))?;
        let pipeline = settings.pipeline.ok_or(SyncError::NotReady(portal))?;
        let row = self.directory.get(portal).await.map_err(|error| sync(portal, error))?;
        let cap = settings.request_cap_seconds.unwrap_or(self.request_cap_seconds);
        Ok(PortalTerms {
            owner_rule: settings.owner_rule,
            category_id: pipeline.category_id,
            stages: settings.stages,
            can_import: settings.can_import,
            multifield: way(settings.multifield_mode),
            moments: settings.moments,
            lang: Lang::of_portal(&row.language),
            ownership: settings.ownership,
            system_user: row.installer_user_id,
            request_cap: Duration::from_secs(u64::from(cap)),
        })
    }

    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        self.directory.key(portal).await
    }

    async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        self.directory.request_key(portal).await
    }

    async fn learned(&self, portal: PortalId, way: Way) {
        let saved = match self.directory.settings(portal).await {
            Ok(mut settings) => {
                settings.multifield_mode = from_way(way);
                self.directory.set_settings(portal, &settings).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = saved {
            tracing::warn!(%portal, %error, "how the portal changes phones could not be kept; it is found out again");
        }
    }

    async fn learned_moments(&self, portal: PortalId, form: MomentForm) {
        let keep = |settings: &mut PortalSettings| {
            settings.moments = Some(form);
            Ok::<(), PortalError>(())
        };
        if let Err(error) = self.directory.try_update_settings(portal, keep).await {
            tracing::warn!(%portal, %error, "how the portal reads moments could not be kept; it is found out again");
        }
    }

    async fn failed(&self, portal: PortalId, error: &bitrix::Error) {
        if let Err(problem) = self.directory.failed(portal, error).await {
            tracing::error!(%portal, error = %problem, "the portal's state could not be changed");
        }
    }
}
