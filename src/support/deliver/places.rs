//! Portals as this deployment has them.

use std::time::Duration;

use async_trait::async_trait;

use super::{DeliverError, TaskPlace, TaskPortals};
use crate::bitrix;
use crate::bitrix::tasks::speaks_v3;
use crate::crypto::TenantKey;
use crate::domain::{Lang, PortalId};
use crate::portal::{Directory, PortalError};
use crate::store::StoreError;

pub struct Places {
    pub directory: Directory,
    /// `bitrix.request_cap_seconds`
    pub request_cap_seconds: u32,
}

fn failed(portal: PortalId, error: PortalError) -> DeliverError {
    match error {
        PortalError::Store(error) => DeliverError::Store(error),
        PortalError::Bitrix(error) => DeliverError::Portal { portal, error },
        _ => DeliverError::NotReady(portal),
    }
}

#[async_trait]
impl TaskPortals for Places {
    async fn place(&self, portal: PortalId) -> Result<TaskPlace, DeliverError> {
        let row = self.directory.get(portal).await.map_err(|error| failed(portal, error))?;
        let client = self.directory.client(portal).await.map_err(|error| failed(portal, error))?;
        let settings = self.directory.settings(portal).await.map_err(|error| failed(portal, error))?;
        let cap = settings.request_cap_seconds.unwrap_or(self.request_cap_seconds);
        Ok(TaskPlace {
            client,
            v3: speaks_v3(row.scope.split(',')),
            creator: row.installer_user_id,
            lang: Lang::of_portal(&row.language),
            request_cap: Duration::from_secs(u64::from(cap)),
        })
    }

    async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        self.directory.request_key(portal).await
    }

    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        self.directory.key(portal).await
    }

    async fn failed(&self, portal: PortalId, error: &bitrix::Error) {
        if let Err(problem) = self.directory.failed(portal, error).await {
            tracing::error!(%portal, error = %problem, "the portal's state could not be changed");
        }
    }
}
