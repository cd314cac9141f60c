//! One request of a delivery: permit, "sent" on disk, the request itself, its answer on disk.

use std::collections::HashSet;

use super::answers::{Outcome, ms, of_portal};
use super::error::SyncError;
use super::jobs::{Ended, Finished};
use super::lanes::Delivery;
use super::notes::NOTE;
use super::plan::Planned;
use super::strangers::REINSTALLED;
use super::words::Carried;
use crate::bitrix::{Class, Error, Priority, Reservation};
use crate::store::outbox::{self, Sending};
use crate::store::source_reading;

/// Unanswered requests may commit until the cap; this much is added for clocks and networks.
const CAP_MARGIN_MS: i64 = 5_000;
/// A request that could not leave so soon after it was marked does not leave: its hold would end too early.
const LEAVES_WITHIN_MS: i64 = 4_000;

impl Delivery {
    /// `held`: what the job was found to need of its methods' limits.
    pub(super) async fn send(&self, priority: Priority, job: &[Planned], held: Reservation) -> Finished {
        let permit = match self.client.permit(priority).await {
            Ok(permit) => permit,
            Err(error) => return Ok(Ended::Refused(error)),
        };
        self.engine.step("deliver.permit")?;
        let (mut writes, marked_at) = self.mark_sent(job).await?;
        self.engine.step("deliver.marked")?;
        if writes.is_empty() {
            return Ok(Ended::Went(0));
        }
        let commands = self.commands(&writes);
        for (at, call) in commands.iter().flat_map(|one| one.writes.iter().map(|at| (*at, &one.call))) {
            writes.get_mut(at).into_iter().for_each(|write| write.carried.methods.push(call.method.clone()));
        }
        let calls: Vec<_> = commands.iter().map(|command| command.call.clone()).collect();
        let answers = self.client.batch_with(permit.leaving_by(marked_at + LEAVES_WITHIN_MS), &held, &calls).await;
        drop(held);
        self.engine.step("deliver.answered")?;
        let answers = match answers {
            // Nobody else's fault.
            Err(error) if writes.len() == 1 && error.class == Class::Permanent => {
                Ok(calls.iter().map(|_| Err(error.clone())).collect())
            }
            answers => answers,
        };
        let (outcomes, refused) = match answers {
            Ok(answers) => {
                let refused =
                    answers.iter().filter_map(|one| one.as_ref().err()).find(|error| of_portal(error)).cloned();
                (self.outcomes(&writes, &commands, answers), refused)
            }
            Err(error) => {
                let of_one = of_writes(&error);
                let outcome = match error.outcome_unknown {
                    true => Outcome::Unknown,
                    false if of_one => Outcome::InCompany,
                    false => Outcome::Again { after_ms: ms(&error) },
                };
                (writes.iter().map(|_| outcome.clone()).collect(), Some(error).filter(|_| !of_one))
            }
        };
        let confirmed = self.record(&writes, outcomes).await?;
        self.engine.step("deliver.recorded")?;
        Ok(refused.map_or(Ended::Went(confirmed), Ended::Refused))
    }

    /// Answers the writes that may now be sent (those that nobody changed and whose hotel nobody stopped since they were
    /// planned), and since when.
    async fn mark_sent(&self, job: &[Planned]) -> Result<(Vec<Planned>, i64), SyncError> {
        let mut rows = Vec::with_capacity(job.len());
        for write in job {
            rows.push(Sending {
                id: write.row,
                seq: write.seq,
                entity: write.entity.type_id(),
                target: write.target,
                kind: match write.target {
                    0 => "create",
                    _ if write.deletes => "delete",
                    _ if write.note.is_some() => NOTE,
                    _ => "update",
                },
                write: self.seal_write(write)?,
            });
        }
        let cap = i64::try_from(self.ground.terms.request_cap.as_millis()).unwrap_or(60_000);
        let tx = self.db().begin().await?;
        // Not before: a busy database may let the transaction wait, and the hold counts from here.
        let now = self.now();
        if !self.lease.may_start(&tx).await? {
            return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
        }
        let stopped = source_reading::stopped_hotels(&tx, self.portal, REINSTALLED).await?;
        let held = |write: &Planned| write.subject.hotel().is_some_and(|hotel| stopped.contains(&hotel));
        let rows = job.iter().zip(rows).filter(|(write, _)| !held(write)).map(|(_, row)| row).collect();
        let marked =
            outbox::mark_sent(&tx, self.portal, self.lease.fence(), now, now + cap + CAP_MARGIN_MS, rows).await?;
        tx.commit().await?;
        let marked: HashSet<i64> = marked.into_iter().collect();
        let sent = |write: &Planned| Planned { carried: Carried { at: now, methods: Vec::new() }, ..write.clone() };
        Ok((job.iter().filter(|write| marked.contains(&write.row)).map(sent).collect(), now))
    }
}

/// A refusal for which one of the writes may be the cause: not what the application itself lacks in this portal.
fn of_writes(error: &Error) -> bool {
    let of_app = ["access_denied", "insufficient_scope", "invalid_credentials", "wrong_client", "wrong_license"];
    error.class == Class::Permanent && !of_app.contains(&error.code())
}
