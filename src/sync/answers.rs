//! What the portal said to each write, recorded: confirmed, refused, to be tried later, or not known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::SyncError;
use super::lanes::Delivery;
use super::plan::{Plan, Planned};
use super::words::Carried;
use super::writes::{Command, CommandKind};
use crate::bitrix::crm::{imported, made_id};
use crate::bitrix::{Answer, Class, Error, ErrorKind};
use crate::domain::change_set::{alike, field_of};
use crate::domain::{CrmEntity, CrmValue, Fields};
use crate::store::crm_records::{self, RecordRow};
use crate::store::outbox::{self, Blame, Setback};
use crate::store::problems::{self, NewProblem};
use crate::store::provenance::{self, Told, Trace};
use crate::store::{StoreError, crm_index, pins};
use crate::telemetry::metrics as names;

const WRITE: &str = "outbox.write";

/// The causes of problems of a write: the portal said no, or nothing good at any try.
pub(super) const REJECTED: &str = "crm.rejected";
pub(super) const FAILED: &str = "crm.failed";

/// The published schedule of tries after a failure that may pass, in seconds; then the record is a problem.
pub(super) const RETRY_SECONDS: [i64; 6] = [10, 60, 300, 1_800, 7_200, 21_600];

/// When a write that turned out not to be carried out goes once more. Its hold was longer than the first pause.
pub(super) fn goes_again_at(attempts: i32, now: i64) -> i64 {
    let pause = usize::try_from(attempts - 1).ok().filter(|tries| *tries > 0).and_then(|n| RETRY_SECONDS.get(n));
    pause.map_or(0, |seconds| now + seconds * 1_000)
}

/// Whether the schedule is over, for one that never got a refusal which could have said so.
fn is_spent(attempts: i32) -> bool {
    usize::try_from(attempts).is_ok_and(|tries| tries > RETRY_SECONDS.len())
}

/// What was sent, kept sealed until its outcome is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    pub mark: String,
    pub after: Fields,
    /// Of the mapping that said what to write.
    #[serde(default)]
    pub version: i64,
    /// The fields that were written, each with what stood there, as far as that was known.
    #[serde(default)]
    pub put: BTreeMap<String, Option<CrmValue>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Told>,
    #[serde(default)]
    pub carried: Carried,
}

impl Written {
    /// What a create that turned out to be carried out put where.
    pub fn trace(&self, record: i64, at: i64) -> Trace {
        let put =
            |(name, value): (&String, &CrmValue)| (name.clone(), self.found(name, value.clone(), None, (record, at)));
        self.after.iter().filter(|(name, _)| field_of(name) == name.as_str()).map(put).collect()
    }

    /// What an update whose answer was lost put where, as far as the record holds it now.
    pub fn came_true(&self, now: &Fields, (record, at): (i64, i64)) -> Trace {
        let put = |(name, before): (&String, &Option<CrmValue>)| {
            let value = self.after.get(name).filter(|value| now.get(name).is_some_and(|now| alike(now, value)))?;
            Some((name.clone(), self.found(name, value.clone(), before.clone(), (record, at))))
        };
        self.put.iter().filter_map(put).collect()
    }

    fn found(
        &self,
        name: &str,
        value: CrmValue,
        before: Option<CrmValue>,
        (record, at): (i64, i64),
    ) -> provenance::Written {
        let comm = matches!(value, CrmValue::Comms(_));
        let (told, call) = (self.told.get(name).cloned(), self.carried.call(comm, provenance::Answer::Found));
        provenance::Written { value, record, version: self.version, at, before, told, call }
    }
}

/// What became of one write.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The record's id.
    Done(i64),
    /// Refused, or failed for now, with nothing written.
    Not(Error),
    /// Not carried out through no fault of its own.
    Again { after_ms: i64 },
    /// Refused together with others: any of them may be the cause.
    InCompany,
    /// It may have been carried out, or may yet be.
    Unknown,
}

/// The whole portal cannot be worked on: its state decides what happens next.
pub(super) fn of_portal(error: &Error) -> bool {
    matches!(error.class, Class::Reauthorise | Class::Suspend | Class::Gone)
}

/// A limit, ours or the portal's: no fault of the write.
pub(super) fn of_limits(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Allowance | ErrorKind::NotRun)
        || matches!(error.code(), "query_limit_exceeded" | "operation_time_limit" | "overload_limit")
}

pub(super) fn ms(error: &Error) -> i64 {
    error.retry_after().and_then(|after| i64::try_from(after.as_millis()).ok()).unwrap_or(30_000)
}

fn outcome(error: Error) -> Outcome {
    if error.outcome_unknown {
        Outcome::Unknown
    } else if of_limits(&error) || of_portal(&error) {
        Outcome::Again { after_ms: ms(&error) }
    } else {
        Outcome::Not(error)
    }
}

impl Delivery {
    pub(super) fn seal_write(&self, write: &Planned) -> Result<Vec<u8>, StoreError> {
        let (mark, after, version) = (write.mark.clone(), write.after.clone(), write.version);
        let put = write.names().map(|name| (name.clone(), write.before.get(name).cloned())).collect();
        let carried = Carried { at: self.now(), methods: self.methods(write) };
        let told = write.names().filter_map(|name| Some((name.clone(), write.told(name)?))).collect();
        let written = Written { mark, after, version, put, told, carried };
        let plain = serde_json::to_vec(&written).map_err(|_| StoreError::Corrupt(WRITE))?;
        Ok(self.key.seal(WRITE, &plain)?)
    }

    pub(super) fn open_write(&self, sealed: &[u8]) -> Result<Written, StoreError> {
        let plain = self.key.open(WRITE, sealed)?;
        serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(WRITE))
    }

    /// The outcome of each write of a request that was answered.
    pub(super) fn outcomes(
        &self,
        writes: &[Planned],
        commands: &[Command],
        answers: Vec<Result<Answer, Error>>,
    ) -> Vec<Outcome> {
        let mut found: Vec<Option<Outcome>> = writes.iter().map(|_| None).collect();
        let mut set = |at: usize, new: Outcome| {
            if let Some(place) = found.get_mut(at) {
                // A write of two commands is done when both are.
                let keep = place.as_ref().is_some_and(|held| !matches!(held, Outcome::Done(_)));
                if !keep || matches!(new, Outcome::Unknown) {
                    *place = Some(new);
                }
            }
        };
        for (command, answer) in commands.iter().zip(answers) {
            match (command.kind, answer) {
                (CommandKind::Update | CommandKind::Delete | CommandKind::Note, Ok(_)) => {
                    for at in &command.writes {
                        set(*at, Outcome::Done(writes.get(*at).map_or(0, |write| write.target)));
                    }
                }
                (CommandKind::Add, Ok(answer)) => {
                    for at in &command.writes {
                        set(*at, made_id(&answer).map_or(Outcome::Unknown, Outcome::Done));
                    }
                }
                (CommandKind::Import, Ok(answer)) => {
                    for (at, row) in command.writes.iter().zip(imported(&answer, command.writes.len())) {
                        set(*at, row.map_or_else(outcome, Outcome::Done));
                    }
                }
                (CommandKind::Import, Err(error)) if error.class == Class::Permanent && !error.outcome_unknown => {
                    self.without_import(&error, command.writes.iter().filter_map(|at| writes.get(*at)));
                    for at in &command.writes {
                        set(*at, Outcome::Again { after_ms: 0 });
                    }
                }
                (_, Err(error)) => {
                    for at in &command.writes {
                        set(*at, outcome(error.clone()));
                    }
                }
            }
        }
        found.into_iter().map(|one| one.unwrap_or(Outcome::Unknown)).collect()
    }

    /// An import command was refused as a whole: without the right all go singly, else its rows do, to find the bad one.
    fn without_import<'w>(&self, error: &Error, writes: impl Iterator<Item = &'w Planned>) {
        let mut lanes = self.lanes();
        if matches!(error.code(), "access_denied" | "error_method_not_found" | "insufficient_scope") {
            lanes.imports.refused = true;
        } else {
            lanes.imports.single.extend(writes.map(|write| write.subject.to_string()));
        }
    }

    /// Writes down what became of a request's writes; answers how many were confirmed.
    pub(super) async fn record(&self, writes: &[Planned], outcomes: Vec<Outcome>) -> Result<usize, SyncError> {
        let now = self.now();
        let (mut done, mut backs, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        let (mut unheard, mut refused) = (Vec::new(), Vec::new());
        let mut gone: BTreeMap<CrmEntity, Vec<i64>> = BTreeMap::new();
        for (write, outcome) in writes.iter().zip(outcomes) {
            let back = |state, not_before, blame| Setback { id: write.row, seq: write.seq, state, not_before, blame };
            match outcome {
                Outcome::Unknown => {
                    self.lanes().births.unheard(write.row);
                    unheard.push(write.row);
                }
                Outcome::Done(id) => done.push((write, id)),
                // Nobody misses a note that the portal does not want.
                Outcome::Not(error)
                    if write.note.is_some()
                        && (error.class == Class::Permanent
                            || usize::try_from(write.attempts).is_ok_and(|tries| tries >= RETRY_SECONDS.len())) =>
                {
                    tracing::warn!(portal = %self.portal, %error, "a note in a timeline was refused");
                    done.push((write, write.target));
                }
                Outcome::Again { after_ms } => backs.push(back(outbox::WAITING, now + after_ms, Blame::Nobody)),
                Outcome::InCompany => backs.push(back(outbox::WAITING, now, Blame::Shared)),
                Outcome::Not(error) if error.class == Class::Permanent => {
                    if write.target != 0 && matches!(error.code(), "not_found" | "error_not_found") {
                        gone.entry(write.entity).or_default().push(write.target);
                        backs.push(back(outbox::WAITING, now, Blame::Nobody));
                    } else if !write.pins.is_empty() {
                        // Perhaps it is what was to be given back that the portal takes no more: the hotel's news must not wait
                        // behind it.
                        refused.extend(write.pins.iter().cloned());
                        backs.push(back(outbox::WAITING, now, Blame::Nobody));
                        problems.push(problem(write, REJECTED, "rejected", &error));
                    } else {
                        backs.push(back(outbox::REJECTED, 0, Blame::Own));
                        problems.push(problem(write, REJECTED, "rejected", &error));
                    }
                }
                Outcome::Not(error) => match usize::try_from(write.attempts).ok().and_then(|n| RETRY_SECONDS.get(n)) {
                    Some(seconds) => {
                        let jitter = rand::random_range(0.8..1.2) * f64::from(u32::try_from(*seconds).unwrap_or(60));
                        let pause = std::time::Duration::from_secs_f64(jitter);
                        let at = now + i64::try_from(pause.as_millis()).unwrap_or(60_000).max(ms(&error));
                        backs.push(back(outbox::WAITING, at, Blame::Own));
                    }
                    None => {
                        backs.push(back(outbox::FAILED, 0, Blame::Own));
                        problems.push(problem(write, FAILED, "failed", &error));
                    }
                },
            }
        }
        let (_recording, tx) = self.recording().await?;
        let (notes, records): (Vec<_>, Vec<_>) = done.iter().copied().partition(|(write, _)| write.note.is_some());
        let notes: Vec<_> = notes.iter().map(|(write, id)| ((write.entity, *id), write.row, write.seq)).collect();
        let (removed, written): (Vec<_>, Vec<_>) = records.into_iter().partition(|(write, _)| write.deletes);
        self.told(&tx, &notes).await?;
        self.confirm(&tx, &written, now).await?;
        self.confirm_removed(&tx, &removed).await?;
        for (entity, ids) in gone {
            let held = crm_records::load(&tx, self.portal, &self.key, entity, &ids).await?;
            let rows: Vec<RecordRow> =
                held.into_values().map(|row| RecordRow { deleted: true, synced_at: now, ..row }).collect();
            crm_records::save(&tx, self.portal, &self.key, &rows).await?;
            crm_index::remove(&tx, self.portal, entity, &ids).await?;
        }
        for (holder, field) in &refused {
            pins::release(&tx, self.portal, holder, field).await?;
        }
        outbox::set_back(&tx, self.portal, self.lease.fence(), &backs).await?;
        outbox::unheard(&tx, self.portal, self.lease.fence(), &unheard).await?;
        problems::raise(&tx, self.portal, &self.key, &problems, now).await?;
        tx.commit().await?;
        for (write, _) in &done {
            let ms = u32::try_from(now.saturating_sub(write.seen_at).clamp(0, 86_400_000)).unwrap_or_default();
            metrics::histogram!(names::SYNC_LATENCY).record(f64::from(ms) / 1_000.0);
        }
        Ok(done.len())
    }

    /// What got no answer at any try, alone at last, is put aside.
    pub(super) fn give_up(&self, plan: &mut Plan) {
        let (spent, writes): (Vec<_>, Vec<_>) =
            std::mem::take(&mut plan.writes).into_iter().partition(|write| is_spent(write.attempts));
        plan.writes = writes;
        for write in spent {
            self.lanes().births.remove(write.row);
            plan.failed.push((write.row, write.seq));
            plan.problems.push(problem(&write, FAILED, "failed", &Error::unanswered("at any try")));
        }
    }
}

fn problem(write: &Planned, cause: &str, kind: &'static str, error: &Error) -> NewProblem {
    let about = match write.fields.get("title") {
        Some(CrmValue::Text(_)) | None => write.entity.word(),
        Some(_) => "record",
    };
    NewProblem {
        hotel: write.subject.hotel(),
        subject: write.subject.to_string(),
        cause: cause.to_owned(),
        kind,
        params: json!({"code": error.code(), "description": error.description(), "entity": about, "id": write.target}),
    }
}
