//! The desk's mailbox is read day and night (E-15): each letter that comes is taken as one from the hook is. What was read is
//! written down after it was taken; a letter that is read twice is known again.

use std::sync::Arc;
use std::time::Duration;

use chrono::Days;
use tokio_util::sync::CancellationToken;

use super::{Desk, DeskError};
use crate::domain::PortalId;
use crate::mail::incoming;
use crate::mail::mailbox::{Mailbox, MailboxError, Session};
use crate::store::StoreError;
use crate::store::desk::mailbox::{self, Held, Mark};
use crate::store::leases::{self, Lease};
use crate::telemetry::Pulse;

/// One node reads. Longer than it takes to get the greatest letter.
const LEASE_MS: i64 = 150_000;
/// Without IDLE, and for what came between a look and IDLE.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After a failure, doubled with each: a mail server that is down is not hammered.
const PAUSE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// A connection that lasted so long was no failure.
const WORKED_MS: i64 = 5 * 60_000;
const STANDS_STILL: Duration = Duration::from_secs(900);
/// A letter that the desk did not take is tried again so often, and so long.
const AGAIN_MS: i64 = 10 * 60_000;
const GIVEN_UP_MS: i64 = 7 * 86_400_000;
/// With more of them nothing new is read: something is wrong beyond single letters.
const MOST_HELD: usize = 1_000;
/// Where the numbers of letters lost their meaning, letters of so many days are looked at again.
const DAYS_AGAIN: u64 = 14;

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error("too many letters are not taken: nothing more is read")]
    Full,
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Desk(error.into())
    }
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct MailReader {
    desk: Desk,
    mailbox: Arc<Mailbox>,
    pulse: Pulse,
}

/// Who reads, and for whom.
struct Reading {
    desk: PortalId,
    name: String,
    lease: Lease,
}

impl MailReader {
    pub fn new(desk: Desk, mailbox: Mailbox) -> Self {
        let pulse = Pulse::new("mailbox", STANDS_STILL, desk.0.clock.clone());
        Self { desk, mailbox: Arc::new(mailbox), pulse }
    }

    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    pub async fn run(&self, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            self.pulse.beat();
            let begun = self.desk.now();
            // What is cut short is read again: it is known by then, or it is new.
            let pause = match stop.run_until_cancelled(self.read()).await {
                None => return,
                Some(Ok(())) => {
                    failures = 0;
                    LOOK_EVERY
                }
                Some(Err(error)) => {
                    // It was read for long: that a connection ends sometimes is nothing new.
                    if self.desk.now().saturating_sub(begun) > WORKED_MS {
                        failures = 0;
                    }
                    let pause = PAUSE.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE);
                    failures += 1;
                    tracing::warn!(%error, seconds = pause.as_secs(), "the mailbox cannot be read; it is tried again");
                    pause
                }
            };
            if stop.run_until_cancelled(self.desk.0.clock.sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Reads, and waits for more, as long as this node is the one that does.
    async fn read(&self) -> Result<(), ReadError> {
        let Some(reading) = self.begin().await? else { return Ok(()) };
        let mut session = self.mailbox.open().await?;
        loop {
            self.pulse.beat();
            if !self.look_at(&reading, &mut session).await? {
                return Ok(());
            }
            session = session.wait(LOOK_EVERY).await?;
        }
    }

    /// One look at what came; answers whether this node is the one that reads.
    pub async fn look(&self) -> Result<bool, ReadError> {
        let Some(reading) = self.begin().await? else { return Ok(false) };
        self.look_at(&reading, &mut self.mailbox.open().await?).await
    }

    /// `None`: there is no desk, or another node reads.
    async fn begin(&self) -> Result<Option<Reading>, ReadError> {
        let desk = match self.desk.public_desk().await {
            Err(DeskError::Closed) => return Ok(None),
            desk => desk?,
        };
        let name = self.desk.key(desk).await?.hash("desk.mailbox", self.mailbox.name().as_bytes());
        let now = self.desk.now();
        let node = self.desk.0.directory.node();
        let lease = leases::acquire(self.desk.db(), "mailbox", node, now, now.saturating_add(LEASE_MS)).await?;
        Ok(lease.map(|lease| Reading { desk, name, lease }))
    }

    async fn look_at(&self, reading: &Reading, session: &mut Session) -> Result<bool, ReadError> {
        let (db, now) = (self.desk.db(), self.desk.now());
        let known = mailbox::get(db, reading.desk, &reading.name).await?;
        let mut mark = match known {
            Some(mark) if mark.validity == session.validity => mark,
            Some(_) => self.renumbered(session).await?,
            // What lay there before we came is not ours.
            None => Mark { validity: session.validity, next: session.next, held: Vec::new() },
        };
        mailbox::set(db, reading.desk, &reading.name, &mark).await?;
        for at in 0..mark.held.len() {
            let Some(held) = mark.held.get(at).copied().filter(|held| held.due <= now) else { continue };
            if !self.still(reading).await? {
                return Ok(false);
            }
            let taken = self.take(session, held.uid).await?;
            let given_up = !taken && now.saturating_sub(held.since) > GIVEN_UP_MS;
            if given_up {
                tracing::error!(uid = held.uid, "a letter could not be taken for a week: it stays in the mailbox");
            }
            if let Some(held) = mark.held.get_mut(at) {
                (held.due, held.since) = if taken || given_up { (0, i64::MIN) } else { (now + AGAIN_MS, held.since) };
            }
        }
        mark.held.retain(|held| held.since != i64::MIN);
        for uid in session.from(mark.next).await? {
            if mark.held.len() >= MOST_HELD {
                return Err(ReadError::Full);
            }
            if !self.still(reading).await? {
                return Ok(false);
            }
            if !self.take(session, uid).await? {
                mark.held.push(Held { uid, since: now, due: now + AGAIN_MS });
            }
            mark.next = uid.saturating_add(1);
            mailbox::set(db, reading.desk, &reading.name, &mark).await?;
        }
        mailbox::set(db, reading.desk, &reading.name, &mark).await?;
        Ok(true)
    }

    /// The folder was made anew: which of its letters were taken, only they themselves can tell.
    async fn renumbered(&self, session: &mut Session) -> Result<Mark, ReadError> {
        let today = self.desk.0.clock.now().date_naive();
        let since = self.desk.now();
        let again = session.since(today.checked_sub_days(Days::new(DAYS_AGAIN)).unwrap_or(today)).await?;
        let held = again.into_iter().filter(|uid| *uid < session.next).map(|uid| Held { uid, since, due: since });
        Ok(Mark { validity: session.validity, next: session.next, held: held.collect() })
    }

    /// Whether this node still reads; then for as long again.
    async fn still(&self, reading: &Reading) -> Result<bool, ReadError> {
        let now = self.desk.now();
        Ok(leases::renew(self.desk.db(), &reading.lease, now, now.saturating_add(LEASE_MS)).await?)
    }

    /// `false`: not now; it is tried again.
    async fn take(&self, session: &mut Session, uid: u32) -> Result<bool, ReadError> {
        self.pulse.beat();
        let Some((raw, cut)) = session.letter(uid).await? else { return Ok(true) };
        let letter = tokio::task::spawn_blocking(move || incoming::read(&raw, cut)).await;
        let Ok(letter) = letter else {
            tracing::error!(uid, "a letter cannot be read");
            return Ok(false);
        };
        match self.desk.letter(&letter).await {
            Ok(_) => Ok(true),
            // Nothing can be taken now.
            Err(error @ (DeskError::Store(_) | DeskError::Portal(_) | DeskError::Closed)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(uid, %error, "a letter is not taken now; it is tried again");
                Ok(false)
            }
        }
    }
}
