//! What a person decides about a problem: once more, or leave it.

use super::decide::{RANK_CONTACT, RANK_DEAL};
use super::engine::Engine;
use super::error::SyncError;
use super::reread::PUTBACK_STOPPED;
use super::strangers;
use crate::domain::{PortalId, Subject};
use crate::store::outbox::{Intent, NewIntent};
use crate::store::{crm_records, inbox, links, outbox, problems, sources};

impl Engine {
    /// Tries the problem's record again at once.
    pub async fn retry_problem(&self, portal: PortalId, id: i64) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let problem = problems::by_id(&deps.db, portal, &key, id).await?.ok_or(SyncError::NotFound)?;
        let tx = deps.db.begin().await?;
        if problem.cause == PUTBACK_STOPPED {
            let subjects = std::slice::from_ref(&problem.subject);
            for link in links::of_subjects(&tx, portal, subjects).await?.into_values() {
                let records = crm_records::load(&tx, portal, &key, link.entity, &[link.crm_id]).await?;
                let mut records: Vec<_> = records.into_values().collect();
                records.iter_mut().for_each(|record| record.putbacks.forgive());
                crm_records::save(&tx, portal, &key, &records).await?;
            }
        }
        if let (strangers::CAUSE, Some(hotel)) = (problem.cause.as_str(), problem.hotel) {
            sources::resume_hotel(&tx, portal, hotel, strangers::REINSTALLED).await?;
            outbox::release_hotel(&tx, portal, hotel).await?;
        }
        inbox::revive(&tx, portal, &problem.subject).await?;
        if outbox::retry(&tx, portal, &problem.subject).await? == 0
            && let Ok(subject @ (Subject::Stay(..) | Subject::Profile(..))) = problem.subject.parse::<Subject>()
        {
            let rank = if matches!(subject, Subject::Stay(..)) { RANK_DEAL } else { RANK_CONTACT };
            let intent = NewIntent {
                subject: problem.subject.clone(),
                intent: Intent::Sync,
                priority: 0,
                rank,
                not_before: 0,
                seen_at: deps.clock.now_ms(),
            };
            outbox::add(&tx, portal, vec![intent]).await?;
        }
        problems::set_state(&tx, portal, id, "retried", "").await?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    pub async fn dismiss_problem(&self, portal: PortalId, id: i64, note: &str) -> Result<(), SyncError> {
        let tx = self.0.deps.db.begin().await?;
        if !problems::set_state(&tx, portal, id, "dismissed", note).await? {
            return Err(SyncError::NotFound);
        }
        tx.commit().await?;
        Ok(())
    }
}
