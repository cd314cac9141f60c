//! What a failure means: for one row, which is set aside while the others go on, or for the whole portal.

use std::sync::PoisonError;
use std::time::Duration;

use super::send::cause;
use super::{DeliverError, Round};
use crate::bitrix::{Class, Error, ErrorKind};
use crate::store::desk::outbox::{self, OutboxRow};

/// The published schedule of tries after a failure that may pass, in seconds; the last one goes on.
const RETRY_SECONDS: [i64; 6] = [10, 60, 300, 1_800, 7_200, 21_600];
/// What stood in the way and was cleared (a stale token, another address) is tried again at once, so often in one delivery.
const AT_ONCE: u8 = 3;

/// What the application itself lacks in this portal: no fault of the row.
pub(super) fn of_app(error: &Error) -> bool {
    const CODES: [&str; 5] =
        ["insufficient_scope", "insufficientscopeexception", "invalid_credentials", "wrong_client", "wrong_license"];
    error.class == Class::Permanent && CODES.iter().any(|code| error.code().ends_with(code))
}

/// A limit, ours or the portal's.
fn of_limits(error: &Error) -> bool {
    matches!(error.code(), "query_limit_exceeded" | "operation_time_limit" | "overload_limit")
        || error.code().ends_with("ratelimitexception")
}

/// Whether the portal answered this request; nothing that never left, or met a limit, is a try.
fn answered(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Refused { .. } | ErrorKind::Unreadable { .. })
        && matches!(error.class, Class::Retry { .. } | Class::Permanent)
        && !of_limits(error)
}

/// What stood in the way is gone.
fn cleared(error: &Error) -> bool {
    error.retry_after() == Some(Duration::ZERO)
}

/// Whether the next pause is a longer one.
pub(super) fn counts(error: &Error) -> bool {
    answered(error) || cleared(error)
}

/// After so many tries before, in milliseconds.
pub(super) fn pause(tries: i32, error: &Error) -> i64 {
    let after = error.retry_after().and_then(|after| i64::try_from(after.as_millis()).ok()).unwrap_or(60_000);
    if counts(error) { after.max(scheduled(tries)) } else { after }
}

/// After so many tries before, in milliseconds.
pub(in crate::support) fn scheduled(tries: i32) -> i64 {
    let nth = usize::try_from(tries).unwrap_or_default();
    RETRY_SECONDS.get(nth).or(RETRY_SECONDS.last()).copied().unwrap_or(60) * 1_000
}

impl Round {
    /// Whether a row that failed goes again now.
    pub(super) fn at_once(&self, row: &OutboxRow, error: &Error) -> bool {
        if !cleared(error) {
            return false;
        }
        let mut tried = self.at_once.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = tried.entry(row.id).or_default();
        *tried = tried.saturating_add(1);
        *tried <= AT_ONCE
    }

    /// What a look-up found. `Err` inside: nothing could be learnt for this row, which is left alone for growing times
    /// (whether it is over: it is not); what concerns the portal ends the delivery.
    pub(super) async fn looked<T>(
        &self,
        row: &OutboxRow,
        found: Result<T, Error>,
    ) -> Result<Result<T, bool>, DeliverError> {
        let error = match found {
            Ok(found) => return Ok(Ok(found)),
            Err(error) => error,
        };
        // A task that takes too long to read is its own trouble, too, as far as anybody knows.
        let own = (answered(&error) || error.outcome_unknown) && !of_app(&error);
        if own {
            self.put_off(row, &error).await?;
        }
        // A portal in trouble would fail the others too; who was put off is not the first one next time.
        if own && error.class == Class::Permanent {
            return Ok(Err(false));
        }
        Err(DeliverError::Portal { portal: self.target, error })
    }

    async fn put_off(&self, row: &OutboxRow, error: &Error) -> Result<(), DeliverError> {
        let (now, cause) = (self.now(), cause(error));
        let problem = match error.class {
            Class::Permanent => self.problem(row, "failed", &cause).await?,
            _ => self.problem_if_late(row, &cause).await?,
        };
        let until = now + pause(row.attempts, error);
        let tx = self.db().begin().await?;
        if outbox::put_off(&tx, row, self.lease.fence(), until, &cause, counts(error)).await?
            && let Some(problem) = problem
        {
            problem.raise(&tx, row.desk, now).await?;
        }
        tx.commit().await?;
        tracing::warn!(portal = %self.target, number = %row.number, kind = row.kind.word(), %error, "a task could not be looked at");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitrix::At;

    #[test]
    fn s48_tries_grow_apart_and_never_end_and_what_never_left_is_none() {
        let broken = Error::refused(At::Portal, "CONNECTION_ERROR", "", 401);
        let pauses: Vec<i64> = (0..8).map(|tries| pause(tries, &broken) / 1_000).collect();
        assert_eq!(pauses, [60, 60, 300, 1_800, 7_200, 21_600, 21_600, 21_600]);
        let unsent = [
            Error::unsent("no connection"),
            Error::allowance(Duration::from_secs(7)),
            Error::refused(At::Portal, "QUERY_LIMIT_EXCEEDED", "", 503),
            Error::token("none"),
        ];
        for error in unsent {
            let after = error.retry_after().map_or(60, |after| after.as_secs());
            assert_eq!(
                (counts(&error), pause(5, &error)),
                (false, i64::try_from(after).expect("ms") * 1_000),
                "{error}"
            );
        }
        let cleared = Error::not_run();
        assert_eq!((counts(&cleared), pause(3, &cleared)), (true, 1_800_000), "it cannot go round for ever");
    }
}
