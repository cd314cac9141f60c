//! What the engine needs of its surroundings: portals, sources, a way to be watched at its step boundaries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::error::SyncError;
use crate::bitrix::MomentForm;
use crate::bitrix::multifield::Way;
use crate::bitrix::{self, PortalClient};
use crate::crypto::TenantKey;
use crate::domain::desired::DealPlace;
use crate::domain::{Lang, OwnerRule, Ownership, PortalId, StayStatus};
use crate::fidelio::{Source, SourceError};
use crate::store::StoreError;
use crate::store::sources::SourceRow;

/// What the engine must know of a portal's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct PortalTerms {
    pub owner_rule: OwnerRule,
    pub category_id: i64,
    /// Full `STATUS_ID` by status.
    pub stages: BTreeMap<StayStatus, String>,
    /// `crm.item.batchImport` may be used.
    pub can_import: bool,
    /// How phones and e-mails are changed, as far as it is known (facts §7.3).
    pub multifield: Way,
    /// How moments are written into its filters, as far as it is known.
    pub moments: Option<MomentForm>,
    /// The language its people are written to.
    pub lang: Lang,
    /// What becomes of people's own edits and deletions.
    pub ownership: Ownership,
    /// Whose token the engine calls with.
    pub system_user: i64,
    /// After this long an unanswered request cannot commit any more.
    pub request_cap: Duration,
}

impl PortalTerms {
    pub fn place(&self) -> DealPlace {
        DealPlace { category_id: self.category_id, stages: self.stages.clone() }
    }
}

/// The portals this deployment serves.
#[async_trait]
pub trait Portals: Send + Sync {
    /// Portals to work for: active, installed, ensured.
    async fn active(&self) -> Result<Vec<PortalId>, StoreError>;
    /// Calls with the system pair.
    async fn client(&self, portal: PortalId) -> Result<PortalClient, SyncError>;
    async fn terms(&self, portal: PortalId) -> Result<PortalTerms, SyncError>;
    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError>;
    /// What phones and e-mails in its support requests are hashed with.
    async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError>;
    /// How phones and e-mails are changed was found out.
    async fn learned(&self, _portal: PortalId, _way: Way) {}
    /// How moments are written into filters was found out.
    async fn learned_moments(&self, _portal: PortalId, _form: MomentForm) {}
    /// A call failed in a way that concerns the whole portal: its state changes, so that work on it stops.
    async fn failed(&self, portal: PortalId, error: &bitrix::Error);
}

/// Makes the source that a row describes.
pub type SourceFactory = Arc<dyn Fn(&SourceRow) -> Result<Arc<dyn Source>, SourceError> + Send + Sync>;

/// Told at each step boundary; `false` stops the engine there, as a crash would. For tests.
pub type StepObserver = Arc<dyn Fn(&'static str) -> bool + Send + Sync>;
