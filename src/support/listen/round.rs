//! One task after another is read and understood.

use super::understand::{specialist, status, word, words};
use super::{ListenError, Round};
use crate::bitrix::tasks::{Talk, Task, Tasks};
use crate::bitrix::{Class, Priority};
use crate::store::StoreError;
use crate::store::desk::heard::{self, Heard};
use crate::store::desk::outbox::{self, Channel};
use crate::store::desk::requests::{self, RequestRow};
use crate::support::act::Deed;
use crate::support::deliver::{DeliverError, seen};
use crate::support::hear::{Read, Understood};
use crate::support::{DeskError, settings};

/// Tasks looked at together.
const LOOK: i64 = 50;
/// Pieces of one conversation that are read in one go; the rest has its turn after the others.
const PIECES: usize = 8;
/// A request whose state its task has yet to follow is looked at again after this.
const FOLLOWS_MS: i64 = 5_000;
/// The schedule of tries of a task that cannot be read, in seconds; the last one goes on.
const RETRY_SECONDS: [i64; 5] = [10, 60, 300, 1_800, 7_200];

impl Round {
    pub(super) async fn listen(&self) -> Result<usize, ListenError> {
        let rules = self.listener.0.deps.desk.rules(self.desk).await?;
        let tasks = self.tasks(Priority::Live);
        let mut read = 0;
        for known in heard::due(self.db(), self.desk, self.now(), LOOK).await? {
            self.still_ours().await?;
            let read_now = self.lease.during(self.task(&tasks, &rules, known.clone())).await;
            match read_now.unwrap_or_else(|| Err(DeliverError::Elsewhere(self.desk).into())) {
                Ok(whole) => read += usize::from(whole),
                Err(ListenError::Desk(DeskError::Store(StoreError::KeyDestroyed))) => {
                    heard::forget(self.db(), self.desk, known.request).await?;
                }
                Err(error) => self.put_off(&known, error).await?,
            }
        }
        Ok(read)
    }

    /// A task that cannot be read, or understood, blocks no other.
    async fn put_off(&self, known: &Heard, error: ListenError) -> Result<(), ListenError> {
        let own = match &error {
            ListenError::Portal(DeliverError::Portal { error, .. }) => error.class == Class::Permanent,
            ListenError::Portal(_) => return Err(error),
            ListenError::Desk(_) => true,
        };
        let tries = usize::try_from(known.failures).unwrap_or_default().min(RETRY_SECONDS.len() - 1);
        let pause = RETRY_SECONDS.get(tries).copied().unwrap_or_default() * 1_000;
        heard::postpone(self.db(), self.desk, known, self.now() + pause).await?;
        tracing::warn!(portal = %self.desk, task = known.task, %error, "a task could not be read");
        if own { Ok(()) } else { Err(error) }
    }

    /// Answers whether it was read whole.
    async fn task(&self, tasks: &Tasks, rules: &settings::Rules, mut known: Heard) -> Result<bool, ListenError> {
        let Some(mut row) = requests::by_id(self.db(), self.desk, known.request).await? else {
            heard::forget(self.db(), self.desk, known.request).await?;
            return Ok(false);
        };
        // The task's status means something only where it stands as the request left it: asked after the request was read
        // and before the task is, so that a move of ours that is still under way is never taken for a person's.
        let follows = outbox::owes_state(self.db(), self.desk, row.id, Channel::Task).await?;
        let began = self.now();
        let task = tasks.get(known.task).await.map_err(|error| self.failed(error))?;
        self.step("hear.read")?;
        let Some(task) = task else { return self.gone(&row, &known, began).await };
        for _ in 0..PIECES {
            let mut next = known.clone();
            talks_at(&mut next, &task);
            let said = tasks.said_after(task.talk(), next.last_said).await.map_err(|error| self.failed(error))?;
            let about = (row.number, row.state);
            let by = (self.place.creator, self.place.lang);
            let mut what = words(&said, about, by, &rules.settings.to_customer, &next);
            next.last_said = said.iter().map(|said| said.id).fold(next.last_said, i64::max);
            let whole = said.is_empty();
            if known.gone {
                next.gone = false;
                what.deeds.insert(0, (specialist(None), Deed::Task { id: known.task, gone: false }));
            }
            if whole {
                if !follows {
                    what.deeds.extend(status(&task, &known, row.state));
                    next.status = word(seen(task.status)).to_owned();
                    next.status_at = task.status_changed_at;
                    next.heeded = known.hints;
                }
                next.not_before = if follows { self.now() + FOLLOWS_MS } else { 0 };
                next.failures = 0;
                let active = active_at(&task);
                if active != known.active_at || known.active_seen_at == 0 {
                    next.active_at = active;
                    next.active_seen_at = self.now();
                }
                next.read_at = began;
            }
            self.step("hear.understood")?;
            let done = self.listener.0.deps.desk.hear(&row, Read::Task(&known, &next), &what).await?;
            self.step("hear.written")?;
            // Somebody was first: it is still due.
            let Some(done) = done else { return Ok(false) };
            if whole {
                return Ok(!follows);
            }
            row = done;
            known = Heard { revision: next.revision + 1, ..next };
        }
        Ok(false)
    }

    /// The portal does not tell a deleted task from a hidden one.
    async fn gone(&self, row: &RequestRow, known: &Heard, began: i64) -> Result<bool, ListenError> {
        let mut next = Heard { gone: true, heeded: known.hints, not_before: 0, failures: 0, ..known.clone() };
        next.read_at = began;
        let mut what = Understood::default();
        if !known.gone {
            tracing::warn!(portal = %self.desk, number = %row.number, task = known.task, "a request's task is there no more");
            what.deeds.push((specialist(None), Deed::Task { id: known.task, gone: true }));
        }
        Ok(self.listener.0.deps.desk.hear(row, Read::Task(known, &next), &what).await?.is_some())
    }
}

/// A box that is updated goes from comments to chats, which number their messages anew.
fn talks_at(heard: &mut Heard, task: &Task) {
    let chat = match task.talk() {
        Talk::Comments { .. } => 0,
        Talk::Chat { chat, .. } => chat,
    };
    if heard.chat != chat {
        if heard.last_said > 0 {
            heard.said_from = heard.active_at;
        }
        (heard.chat, heard.last_said) = (chat, 0);
    }
}

pub(super) fn active_at(task: &Task) -> i64 {
    task.active_at.max(task.changed_at).unwrap_or_default()
}
