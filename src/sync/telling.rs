//! What was found to have changed, beside what the portal's events tell: do they reach us? (`domain/event_loss.rs`)

use super::error::SyncError;
use super::lanes::Delivery;
use super::owned::portal_time;
use super::reread::Seen;
use crate::domain::{PortalId, Subject};
use crate::store::event_feed::EventFeed;
use crate::store::{StoreError, Tx, found_changes};

/// By what changes are comparable with events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    /// Nothing that changed before can have been told.
    since: i64,
    /// How far the portal's clock is ahead of ours.
    ahead: i64,
}

impl Telling {
    /// By an answer that was asked for at `asked_at` and begun at `started_at` of the portal's clock.
    pub fn new(feed: EventFeed, asked_at: i64, started_at: Option<i64>) -> Self {
        Self { since: feed.bound_at, ahead: started_at.map_or(0, |at| at - asked_at) }
    }

    /// A moment of the portal by our clock.
    pub fn ours(&self, portal_ms: i64) -> i64 {
        portal_ms - self.ahead
    }

    /// Notes changes, each with our clock's time of it.
    pub async fn note(&self, tx: &Tx, portal: PortalId, mut changes: Vec<(String, i64)>) -> Result<(), StoreError> {
        changes.retain(|(_, at)| *at >= self.since);
        if changes.is_empty() { Ok(()) } else { found_changes::note(tx, portal, &changes).await }
    }
}

impl Delivery {
    /// Notes what others changed last. Whoever the system pair belongs to is not told apart from us.
    pub(super) async fn note_changes(&self, seen: &[Seen], telling: Telling) -> Result<(), SyncError> {
        let changes: Vec<(String, i64)> = seen
            .iter()
            .filter(|record| record.updated_by != self.ground.terms.system_user)
            .filter_map(|record| {
                let at = telling.ours(portal_time(&record.updated_time)?);
                Some((Subject::Crm(record.entity, record.id).to_string(), at))
            })
            .collect();
        let tx = self.db().begin().await?;
        telling.note(&tx, self.portal, changes).await?;
        tx.commit().await?;
        Ok(())
    }
}
