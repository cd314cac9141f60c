//! One row to its task.

use super::{DeliverError, HOLD_MS, RETRY_SECONDS, Round, words, xml_id};
use crate::bitrix::tasks::{Step, Task, TaskChange, TaskFields, TaskPriority, TaskStatus};
use crate::bitrix::{Class, Error};
use crate::domain::support::mark::Mark;
use crate::domain::support::task_moves::{TaskMove, TaskState, follow};
use crate::domain::support::{Priority, State};
use crate::store::StoreError;
use crate::store::desk::outbox::{self, Channel, Kind, OutboxRow, Outcome};
use crate::support::outgoing::{self, Outgoing};

/// What a row's message ends with: the row is its place, of which there is one.
pub(super) fn mark(row: &OutboxRow) -> String {
    Mark { number: row.number, place: u64::try_from(row.id).unwrap_or_default() }.to_string()
}

/// The portal's clock may differ from ours by less than this.
pub(super) const CLOCKS_MS: i64 = 24 * 3_600_000;

impl Round {
    /// What a row says. `Err` inside: how it ends, because it says nothing any more.
    pub(super) async fn open(&self, row: &OutboxRow) -> Result<Result<Outgoing, Outcome>, DeliverError> {
        let key = match self.delivery.0.deps.portals.request_key(row.key_portal).await {
            Err(StoreError::KeyDestroyed) => return Ok(Err(Outcome::Rejected("key_destroyed".into()))),
            key => key?,
        };
        Ok(Outgoing::read(&row.open(&key)?).map_err(|_| Outcome::Failed("payload".into())))
    }

    /// Sends a row that is due; answers whether it is over.
    pub(super) async fn send(&self, row: &OutboxRow) -> Result<bool, DeliverError> {
        let what = match self.open(row).await? {
            Ok(what) => what,
            Err(outcome) => return self.record(row, &outcome, None).await,
        };
        // A mirror stands before the customer's eyes, and names nobody of the desk.
        if self.channel == Channel::Mirror && what.is_internal() {
            return self.record(row, &Outcome::Done, None).await;
        }
        let task = self.task_of(row).await?;
        match (what, task) {
            (Outgoing::Open(_), Some(_)) | (Outgoing::Assign { responsible: None }, _) => {
                self.record(row, &Outcome::Done, None).await
            }
            (Outgoing::Open(new), None) => self.make(row, &new).await,
            (Outgoing::Tell(_), _) => self.record(row, &Outcome::Rejected("not_for_a_task".into()), None).await,
            (_, None) => self.record(row, &Outcome::Rejected("no_task".into()), None).await,
            (Outgoing::State { state, reason, deadline, .. }, Some(task)) => {
                let Some(task) = self.read(row, task).await? else { return Ok(true) };
                // While the customer is waited for, nothing is promised.
                let waits = deadline.is_none() && state == State::WaitingForCustomer;
                let due = deadline.map(|at| at.timestamp_millis());
                let change = ((deadline.is_some() || waits) && task.deadline != due)
                    .then(|| TaskChange { deadline: Some(deadline), ..TaskChange::default() });
                self.bring(row, &task, state, reason.as_deref(), change).await
            }
            (Outgoing::Say { from, text, internal }, Some(task)) => {
                let Some(task) = self.read(row, task).await? else { return Ok(true) };
                let text = words::said(self.place.lang, from, internal, &text);
                let answer = self.attempt(row, self.tasks.say(task.talk(), &text, &mark(row))).await?;
                self.finish(row, answer).await
            }
            (Outgoing::Deadline { deadline }, Some(task)) => {
                self.change(row, task, &TaskChange { deadline: Some(deadline), ..TaskChange::default() }).await
            }
            (Outgoing::Assign { responsible }, Some(task)) => {
                self.change(row, task, &TaskChange { responsible, ..TaskChange::default() }).await
            }
        }
    }

    async fn make(&self, row: &OutboxRow, new: &outgoing::Task) -> Result<bool, DeliverError> {
        let fields = self.fields(row, new);
        let key = row.number.to_string();
        let Some(answer) = self.attempt(row, self.tasks.add(&fields, &key)).await? else { return Ok(false) };
        let task = match answer {
            Ok(task) => task,
            Err(error) => return self.refused(row, error).await,
        };
        let over = self.record(row, &Outcome::Done, Some(task)).await?;
        // What is left of it is ornament: without it the task is whole.
        if let Some(rest) = self.tasks.after_birth(&fields)
            && let Err(error) = self.tasks.update(task, &rest).await
        {
            tracing::warn!(portal = %self.target, number = %row.number, %error, "a new task could not be labelled");
        }
        Ok(over)
    }

    /// Brings the task to where its request stands, from wherever it is. A reason is said first, and once.
    async fn bring(
        &self,
        row: &OutboxRow,
        task: &Task,
        state: State,
        reason: Option<&str>,
        change: Option<TaskChange>,
    ) -> Result<bool, DeliverError> {
        let mut reason = reason.map(|text| words::reason(self.place.lang, state, text));
        if reason.is_some() && row.attempts > 0 {
            let found = self.tasks.find_said(task.talk(), &mark(row), row.sent_at - CLOCKS_MS).await;
            if found.map_err(|error| DeliverError::Portal { portal: self.target, error })?.is_some() {
                reason = None;
            }
        }
        let by = follow(state, seen(task.status));
        if reason.is_none() && by.is_none() && change.is_none() {
            return self.record(row, &Outcome::Done, None).await;
        }
        let work = async {
            if let Some(text) = reason {
                self.tasks.say(task.talk(), &text, &mark(row)).await?;
            }
            if let Some(by) = by {
                self.tasks.step(task.id, button(by)).await?;
            }
            match change {
                Some(change) => self.tasks.update(task.id, &change).await,
                None => Ok(()),
            }
        };
        let answer = self.attempt(row, work).await?;
        self.finish(row, answer).await
    }

    fn fields(&self, row: &OutboxRow, new: &outgoing::Task) -> TaskFields {
        let responsible = new.responsible.filter(|_| self.channel == Channel::Task);
        TaskFields {
            title: new.title.clone(),
            description: words::description(self.place.lang, new),
            xml_id: xml_id(row.number),
            creator: self.place.creator,
            responsible: responsible.unwrap_or(self.place.creator),
            priority: match new.priority {
                Priority::Low => TaskPriority::Low,
                Priority::Normal => TaskPriority::Normal,
                Priority::High | Priority::Critical => TaskPriority::High,
            },
            deadline: new.deadline,
            // What the specialist calls done waits for the customer's word.
            control: true,
            tags: vec!["Fidelio".into(), new.kind.word().into()],
            ..TaskFields::default()
        }
    }

    async fn change(&self, row: &OutboxRow, task: i64, change: &TaskChange) -> Result<bool, DeliverError> {
        let answer = self.attempt(row, self.tasks.update(task, change)).await?;
        self.finish(row, answer).await
    }

    /// The task as it is; `None`: it is gone, and the row is over.
    pub(super) async fn read(&self, row: &OutboxRow, task: i64) -> Result<Option<Task>, DeliverError> {
        match self.tasks.get(task).await {
            Ok(Some(task)) => Ok(Some(task)),
            Ok(None) => {
                self.record(row, &Outcome::Rejected("task_gone".into()), None).await?;
                Ok(None)
            }
            Err(error) => Err(DeliverError::Portal { portal: self.target, error }),
        }
    }

    /// Records the row as sent, then sends. `None`: somebody else has it. No answer: it stays as it is, held.
    async fn attempt<T>(
        &self,
        row: &OutboxRow,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<Result<T, Error>>, DeliverError> {
        let cap = i64::try_from(self.place.request_cap.as_millis()).unwrap_or(60_000);
        self.lease.renew().await?;
        let now = self.now();
        let tx = self.db().begin().await?;
        if !self.lease.may_start(&tx).await? {
            return Err(DeliverError::Elsewhere(self.target));
        }
        if !outbox::mark_sent(&tx, row, self.lease.fence(), now, now + cap + HOLD_MS).await? {
            return Ok(None);
        }
        tx.commit().await?;
        self.step("desk.marked")?;
        let answer = self.lease.during(request).await;
        self.step("desk.sent")?;
        Ok(Some(answer))
    }

    async fn finish(&self, row: &OutboxRow, answer: Option<Result<(), Error>>) -> Result<bool, DeliverError> {
        match answer {
            None => Ok(false),
            Some(Ok(())) => self.record(row, &Outcome::Done, None).await,
            Some(Err(error)) => self.refused(row, error).await,
        }
    }

    /// Writes down what a failure means for the row; what concerns the portal ends the delivery.
    async fn refused(&self, row: &OutboxRow, error: Error) -> Result<bool, DeliverError> {
        if error.outcome_unknown {
            tracing::info!(portal = %self.target, number = %row.number, %error, "an outcome is unknown; it is looked up later");
            return Ok(false);
        }
        let cause = if error.code().is_empty() { error.to_string() } else { error.code().to_owned() };
        if error.class == Class::Permanent {
            // Without its task nothing of a request can be said.
            let outcome = if row.kind == Kind::Open { Outcome::Failed(cause) } else { Outcome::Rejected(cause) };
            return self.record(row, &outcome, None).await;
        }
        let tries = usize::try_from(row.attempts).unwrap_or_default();
        let outcome = match (error.retry_after(), RETRY_SECONDS.get(tries)) {
            (Some(_), None) => Outcome::Failed(cause),
            (after, seconds) => {
                let after = after.and_then(|after| i64::try_from(after.as_millis()).ok()).unwrap_or(60_000);
                let pause = after.max(seconds.map_or(0, |seconds| seconds * 1_000));
                Outcome::Again { not_before: self.now() + pause, cause }
            }
        };
        self.record(row, &outcome, None).await?;
        Err(DeliverError::Portal { portal: self.target, error })
    }
}

/// A task's status in the words of the rules.
pub fn seen(status: TaskStatus) -> TaskState {
    match status {
        TaskStatus::Waiting => TaskState::Waiting,
        TaskStatus::InProgress => TaskState::InProgress,
        TaskStatus::Supposed => TaskState::Supposed,
        TaskStatus::Completed => TaskState::Completed,
        TaskStatus::Deferred => TaskState::Deferred,
        TaskStatus::Unknown(_) => TaskState::Unknown,
    }
}

fn button(by: TaskMove) -> Step {
    match by {
        TaskMove::Start => Step::Start,
        TaskMove::Complete => Step::Complete,
        TaskMove::Renew => Step::Renew,
        TaskMove::Approve => Step::Approve,
    }
}
