//! One row to its task.

use super::failing::{counts, of_app, pause};
use super::words::Markup;
use super::{DeliverError, HOLD_MS, Round, letter_words, words, xml_id};
use crate::bitrix::tasks::{Step, Task, TaskChange, TaskFields, TaskPriority, TaskStatus, Tasks};
use crate::bitrix::{Class, Error};
use crate::domain::Lang;
use crate::domain::support::mark::Mark;
use crate::domain::support::task_moves::{TaskMove, TaskState, follow};
use crate::domain::support::{Priority, State};
use crate::store::desk::outbox::{self, Channel, Kind, OutboxRow, Outcome};
use crate::support::outgoing::{self, Outgoing, Tell};

/// What a row's message ends with: the row is its place, of which there is one.
pub(super) fn mark(row: &OutboxRow) -> String {
    Mark { number: row.number, place: u64::try_from(row.id).unwrap_or_default() }.to_string()
}

/// The portal's clock may differ from ours by less than this.
const CLOCKS_MS: i64 = 24 * 3_600_000;

impl Round {
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
            (Outgoing::Tell(tell), _) if self.channel == Channel::Notice => self.notify(row, &tell).await,
            (Outgoing::Tell(_), _) => self.record(row, &Outcome::Rejected("not_for_a_task".into()), None).await,
            (_, None) => self.record(row, &Outcome::Rejected("no_task".into()), None).await,
            (Outgoing::State { state, reason, deadline, .. }, Some(task)) => {
                let task = match self.read(row, task).await? {
                    Ok(task) => task,
                    Err(over) => return Ok(over),
                };
                // While the customer is waited for, nothing is promised.
                let waits = deadline.is_none() && state == State::WaitingForCustomer;
                let due = deadline.map(|at| at.timestamp_millis());
                let change = ((deadline.is_some() || waits) && task.deadline != due)
                    .then(|| TaskChange { deadline: Some(deadline), ..TaskChange::default() });
                self.bring(row, &task, state, reason.as_deref(), change).await
            }
            (Outgoing::Say { from, text, internal }, Some(task)) => {
                self.say(row, task, words::said(Markup::Bb, self.place.lang, from, internal, &text)).await
            }
            (Outgoing::Note { about, zone }, Some(task)) => {
                match words::note(Markup::Bb, self.place.lang, &about, &zone) {
                    Some(text) => self.say(row, task, text).await,
                    None => self.record(row, &Outcome::Done, None).await,
                }
            }
            (Outgoing::File { from, name, length, internal }, Some(task)) => {
                let text = words::file(Markup::Bb, self.place.lang, (from, internal), &name, length);
                self.say(row, task, text).await
            }
            (Outgoing::Deadline { deadline }, Some(task)) => {
                self.change(row, task, TaskChange { deadline: Some(deadline), ..TaskChange::default() }).await
            }
            (Outgoing::Assign { responsible }, Some(task)) => {
                self.change(row, task, TaskChange { responsible, ..TaskChange::default() }).await
            }
        }
    }

    async fn say(&self, row: &OutboxRow, task: i64, text: String) -> Result<bool, DeliverError> {
        let task = match self.read(row, task).await? {
            Ok(task) => task,
            Err(over) => return Ok(over),
        };
        let (talk, mark) = (task.talk(), mark(row));
        let say = |tasks: Tasks| async move { tasks.say(talk, &text, &mark).await };
        let answer = self.attempt(row, Nth::First, say).await?;
        self.finish(row, answer).await
    }

    /// A notice of the same tag takes the place of the one before: one for each request, and a repeat does no harm.
    async fn notify(&self, row: &OutboxRow, tell: &Tell) -> Result<bool, DeliverError> {
        let lang = if tell.lang == Lang::En.word() { Lang::En } else { Lang::Ru };
        let text = letter_words::notice(lang, row.number, &tell.subject, &tell.news);
        let (Some(user), Some(text)) = (tell.user, text) else {
            return self.record(row, &Outcome::Done, None).await;
        };
        let tag = format!("FB24|{}", row.number);
        let answer =
            self.attempt(row, Nth::First, |tasks| async move { tasks.notify(user, &text, &tag).await }).await?;
        match answer {
            // Dismissed, or not of this portal any more: no trouble of the desk's.
            Some(Err(error)) if error.class == Class::Permanent && !of_app(&error) && !error.outcome_unknown => {
                self.record(row, &Outcome::Rejected("not_notified".into()), None).await
            }
            answer => self.finish(row, answer).await,
        }
    }

    async fn make(&self, row: &OutboxRow, new: &outgoing::Task) -> Result<bool, DeliverError> {
        let fields = self.fields(row, new);
        let (added, key) = (fields.clone(), row.number.to_string());
        let add = |tasks: Tasks| async move { tasks.add(&added, &key).await };
        let Some(answer) = self.attempt(row, Nth::First, add).await? else { return Ok(false) };
        let task = match answer {
            Ok(task) => task,
            Err(error) => return self.refused(row, error).await,
        };
        let over = self.record(row, &Outcome::Done, Some(task)).await?;
        // What is left of it is ornament: without it the task is whole.
        if let Some(rest) = self.tasks.after_birth(&fields)
            && let Some(Err(error)) = self.lease.during(self.tasks.update(task, &rest)).await
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
        let mut reason = reason.map(|text| words::reason(Markup::Bb, self.place.lang, state, text));
        if reason.is_some() && row.sent_at > 0 {
            let found = self.tasks.find_said(task.talk(), &mark(row), since(row)).await;
            match self.looked(row, found).await? {
                Ok(Some(_)) => reason = None,
                Ok(None) => {}
                Err(over) => return Ok(over),
            }
        }
        // Each of them is a request of its own, with a mark of its own: the one before it was answered.
        let (id, mut nth) = (task.id, Nth::First);
        if let Some(text) = reason {
            let (talk, mark) = (task.talk(), mark(row));
            let say = |tasks: Tasks| async move { tasks.say(talk, &text, &mark).await };
            match self.attempt(row, nth, say).await? {
                Some(Ok(())) => nth = Nth::Next,
                answer => return self.finish(row, answer).await,
            }
        }
        let (mut by, mut refusal) = (follow(state, seen(task.status)), None);
        while let Some(now) = by.take() {
            let step = |tasks: Tasks| async move { tasks.step(id, button(now)).await };
            match self.attempt(row, nth, step).await? {
                Some(Ok(())) => refusal = None,
                Some(Err(error)) if error.class == Class::Permanent && !error.outcome_unknown => {
                    let first = refusal.replace(error).is_none();
                    // Somebody may have moved it since it was read: what is to be done follows from where it stands now.
                    match self.read(row, id).await? {
                        Ok(task) => match follow(state, seen(task.status)) {
                            None => refusal = None,
                            anew => by = anew.filter(|anew| first && *anew != now),
                        },
                        Err(over) => return Ok(over),
                    }
                }
                answer => return self.finish(row, answer).await,
            }
            nth = Nth::Next;
        }
        // The deadline is promised wherever the task stands.
        if let Some(change) = change {
            let update = |tasks: Tasks| async move { tasks.update(id, &change).await };
            match self.attempt(row, nth, update).await? {
                Some(Ok(())) => {}
                answer => return self.finish(row, answer).await,
            }
        }
        match refusal {
            Some(error) => self.refused(row, error).await,
            None => self.record(row, &Outcome::Done, None).await,
        }
    }

    fn fields(&self, row: &OutboxRow, new: &outgoing::Task) -> TaskFields {
        let responsible = new.responsible.filter(|_| self.channel == Channel::Task);
        TaskFields {
            title: new.title.clone(),
            description: words::description(Markup::Bb, self.place.lang, new),
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

    async fn change(&self, row: &OutboxRow, task: i64, change: TaskChange) -> Result<bool, DeliverError> {
        let update = |tasks: Tasks| async move { tasks.update(task, &change).await };
        let answer = self.attempt(row, Nth::First, update).await?;
        self.finish(row, answer).await
    }

    /// The task as it is. `Err` inside: it is gone, or cannot be read; whether the row is over.
    pub(super) async fn read(&self, row: &OutboxRow, task: i64) -> Result<Result<Task, bool>, DeliverError> {
        let found = self.tasks.get(task).await;
        match self.looked(row, found).await? {
            Ok(Some(task)) => Ok(Ok(task)),
            Ok(None) => self.record(row, &Outcome::Rejected("task_gone".into()), None).await.map(Err),
            Err(over) => Ok(Err(over)),
        }
    }

    /// Records the row as sent, then sends one request. `None`: somebody else has it. No answer: it stays as it is, held.
    async fn attempt<T, F: Future<Output = Result<T, Error>>>(
        &self,
        row: &OutboxRow,
        nth: Nth,
        request: impl FnOnce(Tasks) -> F,
    ) -> Result<Option<Result<T, Error>>, DeliverError> {
        let lost = || DeliverError::Elsewhere(self.target);
        let cap = i64::try_from(self.place.request_cap.as_millis()).unwrap_or(60_000);
        // Before the mark: while it waits for its turn nothing is under way, and no hold runs.
        let permit = match self.lease.during(self.tasks.permit()).await.ok_or_else(lost)? {
            Ok(permit) => permit,
            Err(error) => return Ok(Some(Err(error))),
        };
        self.step("desk.permit")?;
        if !self.lease.renew().await? {
            return Err(lost());
        }
        let tx = self.db().begin().await?;
        // Not before: a busy database may let the transaction wait, and the hold counts from here.
        let now = self.now();
        if !self.lease.may_start(&tx).await? {
            return Err(lost());
        }
        let (fence, hold_until) = (self.lease.fence(), now + cap + HOLD_MS);
        let marked = match nth {
            Nth::First => outbox::mark_sent(&tx, row, fence, now, hold_until).await?,
            Nth::Next => outbox::mark_next(&tx, row, fence, now, hold_until).await?,
        };
        if !marked {
            return Ok(None);
        }
        tx.commit().await?;
        self.step("desk.marked")?;
        let tasks = self.tasks.once(permit.leaving_by(self.lease.leave_by(now)));
        let answer = self.lease.during(request(tasks)).await.ok_or_else(lost)?;
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
        if error.class == Class::Permanent && !of_app(&error) {
            // Without its task nothing of a request can be said.
            let outcome = if row.kind == Kind::Open { Outcome::Failed } else { Outcome::Rejected };
            return self.record(row, &outcome(cause(&error)), None).await;
        }
        let at_once = self.at_once(row, &error);
        let pause = if at_once { 0 } else { pause(row.attempts, &error) };
        let (not_before, counts) = (self.now() + pause, counts(&error) && !at_once);
        self.record(row, &Outcome::Again { not_before, cause: cause(&error), counts }, None).await?;
        // It is due again in this delivery.
        if at_once { Ok(true) } else { Err(DeliverError::Portal { portal: self.target, error }) }
    }
}

/// Which of a row's requests it is.
#[derive(Debug, Clone, Copy)]
enum Nth {
    First,
    /// The one before it was answered.
    Next,
}

/// What may be a row's own: nothing of it was said before it was there.
pub(super) fn since(row: &OutboxRow) -> i64 {
    row.created_at - CLOCKS_MS
}

pub(super) fn cause(error: &Error) -> String {
    if error.code().is_empty() { error.to_string() } else { error.code().to_owned() }
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
