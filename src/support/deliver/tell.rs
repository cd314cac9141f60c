//! What could not be delivered is told where people look for what failed (S-48), and can be tried again from there.

use super::{Book, DeliverError};
use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::store::desk::outbox::{OutboxRow, Outcome};
use crate::store::desk::undelivered::{self, QUIET};
use crate::store::problems::{self, NewProblem};
use crate::store::{StoreError, Tx};

/// What waits for so long, however often it was tried, is told: two hours.
pub(in crate::support) const LATE_MS: i64 = 2 * 3_600_000;

/// A problem that is ready to be written: its key is made before the transaction that needs it.
pub(super) struct Told {
    key: TenantKey,
    problem: NewProblem,
}

impl Told {
    pub async fn raise(self, tx: &Tx, desk: PortalId, now: i64) -> Result<(), StoreError> {
        problems::raise(tx, desk, &self.key, &[self.problem], now).await
    }
}

impl Book {
    pub(super) async fn problem_of(&self, row: &OutboxRow, outcome: &Outcome) -> Result<Option<Told>, DeliverError> {
        match outcome {
            Outcome::Failed(cause) => self.problem(row, "failed", cause).await,
            Outcome::Rejected(cause) if !QUIET.contains(&cause.as_str()) => self.problem(row, "rejected", cause).await,
            Outcome::Again { cause, .. } => self.problem_if_late(row, cause).await,
            _ => Ok(None),
        }
    }

    /// Of a row that goes on waiting.
    pub(super) async fn problem_if_late(&self, row: &OutboxRow, code: &str) -> Result<Option<Told>, DeliverError> {
        if self.now() - row.created_at < LATE_MS { Ok(None) } else { self.problem(row, "failed", code).await }
    }

    /// `None`: there is nobody to tell any more.
    pub(super) async fn problem(
        &self,
        row: &OutboxRow,
        kind: &'static str,
        code: &str,
    ) -> Result<Option<Told>, DeliverError> {
        match self.delivery.0.deps.portals.key(row.desk).await {
            Ok(key) => Ok(Some(Told { key, problem: undelivered::problem(row, kind, code) })),
            Err(StoreError::KeyDestroyed) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
