//! Verified events of a portal on their way to the inbox. An event is a hint that a record may have changed; the
//! truth comes from re-reading it (product §2.2).

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::PortalId;
use crate::store::{Db, StoreError};

use super::ports::Portals;

/// What is kept of an event: never its tokens.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CrmEvent {
    /// Upper case, such as `ONCRMDEALUPDATE`.
    pub event: String,
    /// `entityTypeId`: 2 deal, 3 contact, 4 company.
    pub entity: i32,
    pub crm_id: i64,
    /// Unix seconds, as the portal says.
    pub ts: i64,
}

/// Puts events on disk, many in one transaction: whoever comes while one commit runs shares the next.
#[derive(Clone)]
pub struct EventIntake {}

impl EventIntake {
    pub fn new(_db: Db, _clock: Clock, _portals: Arc<dyn Portals>) -> Self {
        Self {}
    }

    /// Returns after the commit. A repeat of a hint that nobody has looked at yet is the same hint.
    pub async fn accept(&self, _portal: PortalId, _event: CrmEvent) -> Result<(), StoreError> {
        todo!()
    }
}
