//! What a failure means: for one row, which is set aside while the others go on, or for all that goes to Kaiten.

use super::{CardError, Round};
use crate::kaiten::Error;
use crate::store::desk::outbox::{self, Kind, OutboxRow, Outcome};
use crate::store::desk::undelivered::{self, QUIET};
use crate::store::problems;
use crate::store::{StoreError, Tx};
use crate::support::deliver::{LATE_MS, scheduled};

/// What may be Kaiten's own trouble is tried again after this at the latest: nothing is to wait for hours behind its end.
const LONGEST_MS: i64 = 300_000;

/// After so many tries before, in milliseconds.
pub(super) fn soon(tries: i32) -> i64 {
    scheduled(tries).min(LONGEST_MS)
}

fn pause(tries: i32, error: &Error) -> i64 {
    let after = i64::try_from(error.after.as_millis()).unwrap_or(60_000);
    match error.is_permanent() {
        true => after.max(scheduled(tries)),
        false if error.is_own() => after.max(soon(tries)),
        false => after,
    }
}

/// A problem that is ready to be written: its key is made before the transaction that needs it.
pub(super) type Told = (crate::crypto::TenantKey, problems::NewProblem);

pub(super) async fn raise(tx: &Tx, row: &OutboxRow, told: Option<Told>, now: i64) -> Result<(), StoreError> {
    match told {
        Some((key, problem)) => problems::raise(tx, row.desk, &key, &[problem], now).await,
        None => Ok(()),
    }
}

impl Round {
    pub(super) async fn told(&self, row: &OutboxRow, outcome: &Outcome) -> Result<Option<Told>, CardError> {
        let (kind, cause) = match outcome {
            Outcome::Failed(cause) => ("failed", cause),
            Outcome::Rejected(cause) if !QUIET.contains(&cause.as_str()) => ("rejected", cause),
            Outcome::Again { cause, .. } if self.now() - row.created_at >= LATE_MS => ("failed", cause),
            _ => return Ok(None),
        };
        match self.desk().0.directory.key(row.desk).await {
            Ok(key) => Ok(Some((key, undelivered::problem(row, kind, cause)))),
            Err(StoreError::KeyDestroyed) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What a look-up found. `Err` inside: nothing could be learnt for this row, which is left alone for growing times; it is not
    /// over. What concerns Kaiten as a whole ends the visit.
    pub(super) async fn looked<T>(
        &self,
        row: &OutboxRow,
        found: Result<T, Error>,
    ) -> Result<Result<T, bool>, CardError> {
        let error = match found {
            Ok(found) => return Ok(Ok(found)),
            Err(error) => error,
        };
        if error.is_own() {
            let until = self.now() + pause(row.attempts, &error);
            let told = Outcome::Again { not_before: until, cause: error.code(), counts: true };
            let told = if error.is_permanent() { Outcome::Failed(error.code()) } else { told };
            let told = self.told(row, &told).await?;
            let tx = self.db().begin().await?;
            if outbox::put_off(&tx, row, self.lease.fence(), until, &error.code(), true).await? {
                raise(&tx, row, told, self.now()).await?;
            }
            tx.commit().await?;
            tracing::warn!(number = %row.number, kind = row.kind.word(), %error, "a card could not be looked at");
            // Kaiten in trouble would fail the others too; who was put off is not the first one next time.
            if error.is_permanent() {
                return Ok(Err(false));
            }
        }
        Err(error.into())
    }

    /// Writes down what a failed request means for its row; answers whether the row is over.
    pub(super) async fn refused(&self, row: &OutboxRow, error: Error) -> Result<bool, CardError> {
        if error.outcome_unknown {
            tracing::info!(number = %row.number, %error, "an outcome is unknown; it is looked up later");
            return Err(error.into());
        }
        if error.is_permanent() {
            // Without its card nothing of a request can be said.
            let outcome = if row.kind == Kind::Open { Outcome::Failed } else { Outcome::Rejected };
            return self.record(row, &outcome(error.code()), None).await;
        }
        let not_before = self.now() + pause(row.attempts, &error);
        self.record(row, &Outcome::Again { not_before, cause: error.code(), counts: false }, None).await?;
        Err(error.into())
    }
}
