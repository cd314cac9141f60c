//! What a person decides about a problem: once more, or leave it.

use super::chunk::STATUS_REFUSED;
use super::decide::{RANK_CONTACT, RANK_DEAL};
use super::engine::Engine;
use super::error::SyncError;
use super::events::PAYLOAD;
use super::lost::DELETED;
use super::reread::PUTBACK_STOPPED;
use super::strangers;
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::{Change, Entity, Known, Observed, PortalId, Stay, StayStatus, Subject};
use crate::store::inbox::{InboxKind, NewRow};
use crate::store::outbox::{Intent, NewIntent};
use crate::store::problems::ProblemRow;
use crate::store::{StoreError, Tx, crm_records, inbox, links, outbox, problems, source_reading, stays};

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
        if problem.cause == DELETED {
            // Somebody may have restored it meanwhile: it is looked at first.
            for link in links::of_subjects(&tx, portal, std::slice::from_ref(&problem.subject)).await?.into_values() {
                crm_records::forget(&tx, portal, link.entity, &[link.crm_id]).await?;
            }
        }
        if let (strangers::CAUSE, Some(hotel)) = (problem.cause.as_str(), problem.hotel) {
            source_reading::resume_hotel(&tx, portal, hotel, strangers::REINSTALLED).await?;
            outbox::release_hotel(&tx, portal, hotel).await?;
        }
        if problem.cause == STATUS_REFUSED {
            self.confirm_status(&tx, portal, &key, &problem).await?;
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

    /// The refused status, as what a person says of the stay.
    async fn confirm_status(
        &self,
        tx: &Tx,
        portal: PortalId,
        key: &TenantKey,
        problem: &ProblemRow,
    ) -> Result<(), SyncError> {
        let Ok(Subject::Stay(hotel, number)) = problem.subject.parse() else { return Ok(()) };
        let Ok(status) = serde_json::from_value::<StayStatus>(problem.params.get("to").cloned().unwrap_or_default())
        else {
            return Ok(());
        };
        let id = (hotel, number.clone());
        let Some(held) = stays::load(tx, portal, key, std::slice::from_ref(&id)).await?.remove(&id) else {
            return Ok(());
        };
        let now = self.0.deps.clock.now();
        let mut said = Stay::new(number);
        said.status = Known::Is(status);
        let observed = Observed { source: held.source, pms_time: held.pms_time, received_at: now };
        let change = Change { entity: Entity::Stay(Box::new(said)), observed };
        let plain = serde_json::to_vec(&change).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
        let row = NewRow {
            hotel,
            kind: InboxKind::Confirmed,
            subject: problem.subject.clone(),
            priority: super::lane(Priority::Live),
            payload: key.seal(PAYLOAD, &plain).map_err(StoreError::Crypto)?,
            hash: held.hash,
        };
        inbox::add(tx, portal, vec![row], now.timestamp_millis()).await?;
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
