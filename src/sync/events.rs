//! Verified events of a portal on their way to the inbox. An event is a hint that a record may have changed; the
//! truth comes from re-reading it (product §2.2).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::ports::Portals;
use crate::bitrix::Priority;
use crate::clock::Clock;
use crate::domain::PortalId;
use crate::store::{Db, StoreError, inbox};

/// What is kept of an event: never its tokens.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CrmEvent {
    /// Upper case, such as `ONCRMDEALUPDATE`.
    pub event: String,
    /// `entityTypeId`: 2 deal, 3 contact, 4 company.
    pub entity: i32,
    pub crm_id: i64,
    /// Unix seconds, as the portal says.
    pub ts: i64,
}

impl CrmEvent {
    pub fn is_deletion(&self) -> bool {
        self.event.ends_with("DELETE")
    }

    pub(super) fn subject(&self) -> String {
        hint_of(self.entity, self.crm_id, self.is_deletion())
    }
}

/// A deletion is no repeat of a change: nothing but its own event tells it.
pub(super) fn hint_of(entity: i32, crm_id: i64, gone: bool) -> String {
    let gone = if gone { ":gone" } else { "" };
    format!("crm:{entity}:{crm_id}{gone}")
}

/// Where inbox payloads are sealed for.
pub(super) const PAYLOAD: &str = "inbox.payload";

/// How many events one transaction takes at most: what fits one statement.
const GROUP: usize = 500;

/// A commit costs the same for one event as for many. A lone event goes at once; for what comes in fewer than
/// [`COMPANY`] at a time, commits begin this far apart.
const GATHER: Duration = Duration::from_millis(8);
const COMPANY: usize = 8;
/// After a crowd its first one waits this long for the others, who have just been answered too.
const BREATH: Duration = Duration::from_millis(1);

/// Portal, subject, sealed payload.
type EventRow = (PortalId, String, Vec<u8>);

struct Waiting {
    row: EventRow,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// Puts events on disk, many in one transaction: whoever comes while one commit runs shares the next.
#[derive(Clone)]
pub struct EventIntake {
    queue: mpsc::Sender<Waiting>,
    portals: Arc<dyn Portals>,
}

impl EventIntake {
    /// Starts the writer; it ends when the last clone of the intake is gone.
    pub fn new(db: Db, clock: Clock, portals: Arc<dyn Portals>) -> Self {
        let (queue, waiting) = mpsc::channel(4 * GROUP);
        tokio::spawn(write(db, clock, waiting));
        Self { queue, portals }
    }

    /// Returns after the commit. A repeat of a hint that nobody has looked at yet is the same hint.
    pub async fn accept(&self, portal: PortalId, event: CrmEvent) -> Result<(), StoreError> {
        let key = self.portals.key(portal).await?;
        let plain = serde_json::to_vec(&event).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
        let row = (portal, event.subject(), key.seal(PAYLOAD, &plain)?);
        let (answer, answered) = oneshot::channel();
        self.queue.send(Waiting { row, answer }).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }
}

async fn write(db: Db, clock: Clock, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut not_before = Instant::now();
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        gather(&mut waiting, &mut group, not_before).await;
        not_before = Instant::now() + if group.len() < COMPANY { GATHER } else { BREATH };
        store(&mut group, |rows| commit(&db, rows, clock.now_ms())).await;
    }
}

async fn store<F>(group: &mut Vec<Waiting>, commit: impl Fn(Vec<EventRow>) -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let done = commit(group.iter().map(|one| one.row.clone()).collect()).await;
    match done {
        // One bad neighbour must not cost the others their place.
        Err(error) if !error.is_transient() => {
            for one in group.drain(..) {
                let result = commit(vec![one.row.clone()]).await;
                one.tell(result);
            }
        }
        // While the database is away each of them would wait for it anew, and whoever comes behind them, too.
        done => group.drain(..).for_each(|one| one.tell(done.clone())),
    }
}

/// Sleeps through the gathering instead of waking for each that comes.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, group: &mut Vec<Waiting>, not_before: Instant) {
    if group.len() < COMPANY && not_before > Instant::now() {
        sleep_until(not_before).await;
    }
    while group.len() < GROUP
        && let Ok(one) = waiting.try_recv()
    {
        group.push(one);
    }
}

impl Waiting {
    /// Who hung up meanwhile needs no answer.
    fn tell(self, result: Result<(), StoreError>) {
        let _ = self.answer.send(result);
    }
}

async fn commit(db: &Db, rows: Vec<EventRow>, now: i64) -> Result<(), StoreError> {
    inbox::add_events(db, rows, super::lane(Priority::Live), now).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    type Told = oneshot::Receiver<Result<(), StoreError>>;

    fn crowd(subjects: &[&str]) -> (Vec<Waiting>, Vec<Told>) {
        let one = |subject: &&str| {
            let (answer, told) = oneshot::channel();
            (Waiting { row: (PortalId(1), (*subject).to_owned(), vec![]), answer }, told)
        };
        subjects.iter().map(one).unzip()
    }

    fn told(all: Vec<Told>) -> Vec<bool> {
        all.into_iter().map(|mut told| told.try_recv().expect("an answer").is_ok()).collect()
    }

    #[tokio::test]
    async fn s2_while_the_database_is_away_a_crowd_of_events_is_refused_at_once() {
        let (mut group, answers) = crowd(&["a", "b", "c"]);
        let commits = Cell::new(0);
        store(&mut group, |_| {
            commits.set(commits.get() + 1);
            std::future::ready(Err(StoreError::Stopped))
        })
        .await;
        assert_eq!((commits.get(), told(answers)), (1, vec![false; 3]));
    }

    #[tokio::test]
    async fn s2_an_event_that_cannot_be_stored_costs_its_neighbours_nothing() {
        let (mut group, answers) = crowd(&["a", "bad", "c"]);
        store(&mut group, |rows| {
            let bad = rows.iter().any(|(_, subject, _)| subject == "bad");
            std::future::ready(if bad { Err(StoreError::Corrupt("inbox")) } else { Ok(()) })
        })
        .await;
        assert_eq!(told(answers), [true, false, true]);
    }
}
