//! Another version of a mapping for the records that are there: each is looked at once more, behind everything live, and
//! only what differs is written. A step is one transaction, so that any node goes on where the last one ended.

use super::decide::{RANK_COMPANY, RANK_CONTACT, RANK_DEAL, RANK_GROUP};
use super::engine::Engine;
use super::error::SyncError;
use crate::bitrix::{COMMANDS, PAGE, Priority};
use crate::domain::{CrmEntity, HotelId, PortalId, Subject};
use crate::store::mapping_jobs::{self, JobRow, Phase};
use crate::store::outbox::{self, Intent, NewIntent};
use crate::store::{mappings, reconciled_lots};

/// Records raised in one step.
const STEP: i64 = 500;

/// What taking along would cost at most, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemapView {
    pub stays: i64,
    pub people: i64,
    /// If every record differs.
    pub requests: i64,
    pub job: Option<JobRow>,
    /// Records of the hotel on their way.
    pub waiting: i64,
}

/// A record takes two commands where its phones change in a way of their own, after a look at fifty records in one.
fn requests_at_most(records: i64) -> i64 {
    let (records, commands) = (usize::try_from(records).unwrap_or_default(), COMMANDS);
    let requests = (2 * records).div_ceil(commands) + records.div_ceil(PAGE).div_ceil(commands) + 1;
    i64::try_from(requests).unwrap_or(i64::MAX)
}

impl Engine {
    /// Begins to take the hotel's records along to the mapping in force.
    pub async fn apply_mapping(&self, portal: PortalId, hotel: HotelId, by: i64) -> Result<(), SyncError> {
        let db = &self.0.deps.db;
        let (stays, people) = mapping_jobs::sizes(db, portal, hotel).await?;
        let job = JobRow {
            hotel,
            version: mappings::active(db, portal, hotel).await?.version,
            phase: Phase::People,
            after: String::new(),
            total: stays + people,
            raised: 0,
            started_at: self.0.deps.clock.now_ms(),
        };
        mapping_jobs::begin(db, portal, &job, by).await?;
        self.wake();
        Ok(())
    }

    pub async fn remap(&self, portal: PortalId, hotel: HotelId) -> Result<RemapView, SyncError> {
        let db = &self.0.deps.db;
        let (stays, people) = mapping_jobs::sizes(db, portal, hotel).await?;
        let job = mapping_jobs::get(db, portal, hotel).await?;
        let waiting = outbox::pending_of(db, portal, hotel).await?.0;
        Ok(RemapView { stays, people, requests: requests_at_most(stays + people), job, waiting })
    }

    /// One step of the portal's oldest job; `false`: there is none.
    pub async fn remap_step(&self, portal: PortalId) -> Result<bool, SyncError> {
        let db = &self.0.deps.db;
        let Some(job) = mapping_jobs::next(db, portal).await? else { return Ok(false) };
        let found: Vec<(String, String, i32)> = match job.phase {
            Phase::People => mapping_jobs::people_after(db, portal, job.hotel, &job.after, STEP)
                .await?
                .into_iter()
                .map(|(subject, entity)| {
                    let company = CrmEntity::from_type_id(entity) == Some(CrmEntity::Company);
                    (subject.clone(), subject, if company { RANK_COMPANY } else { RANK_CONTACT })
                })
                .collect(),
            Phase::Groups => {
                let wanted = mappings::active(db, portal, job.hotel).await?.mapping.group.is_some();
                let limit = if wanted { STEP } else { 0 };
                reconciled_lots::groups_after(db, portal, job.hotel, None, &job.after, limit)
                    .await?
                    .into_iter()
                    .map(|group| (Subject::Group(job.hotel, group.clone()).to_string(), group.to_string(), RANK_GROUP))
                    .collect()
            }
            _ => mapping_jobs::stays_after(db, portal, job.hotel, &job.after, STEP)
                .await?
                .into_iter()
                .map(|number| (format!("stay:{}:{number}", job.hotel), number, RANK_DEAL))
                .collect(),
        };
        let next = match (found.last(), job.phase) {
            (Some((_, key, _)), _) => {
                let raised = job.raised + i64::try_from(found.len()).unwrap_or_default();
                JobRow { after: key.clone(), raised, ..job.clone() }
            }
            (None, Phase::People) => JobRow { phase: Phase::Groups, after: String::new(), ..job.clone() },
            (None, Phase::Groups) => JobRow { phase: Phase::Stays, after: String::new(), ..job.clone() },
            (None, _) => JobRow { phase: Phase::Done, ..job.clone() },
        };
        let now = self.0.deps.clock.now_ms();
        let intent = |(subject, _, rank): (String, String, i32)| NewIntent {
            subject,
            intent: Intent::Sync,
            priority: super::lane(Priority::Reconciliation),
            rank,
            not_before: 0,
            seen_at: now,
        };
        let tx = db.begin().await?;
        if !mapping_jobs::advance(&tx, portal, &job, &next).await? {
            return Ok(true);
        }
        outbox::add(&tx, portal, found.into_iter().map(intent).collect()).await?;
        tx.commit().await?;
        self.step("remap.raised")?;
        self.wake();
        Ok(true)
    }
}
