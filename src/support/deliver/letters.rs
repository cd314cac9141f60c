//! Letters to submitters: each with an id that stays the same over all tries, so that one whose answer was lost and that goes
//! again is shown once. A server that is away holds up all of them, an address that is refused holds up nobody.

use std::time::Duration;

use super::failing::scheduled;
use super::{Book, DeliverError, HOLD_MS, LOOK, letter_words};
use crate::domain::Lang;
use crate::mail::incoming::ReplyToken;
use crate::mail::{self, Address, Letter, MailError, Mailer, Thread};
use crate::store::desk::outbox::{self, OutboxRow, Outcome};
use crate::support::letters::token;
use crate::support::outgoing::{Outgoing, Tell};

/// Longer than a server may take over a whole letter.
const PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE_MS: i64 = 120_000;

/// How letters leave, and where answers to them go.
#[derive(Debug, Clone)]
pub struct Post {
    mailer: Mailer,
    answers: Address,
}

impl Post {
    /// `address`: the one that is shown to customers, if letters can be sent there; else answers go to the sender's.
    pub fn new(mailer: Mailer, address: &str) -> Self {
        let answers = mail::address(address.trim()).unwrap_or_else(|| mailer.address().clone());
        Self { mailer, answers }
    }

    /// `None`: it says nothing to anybody.
    fn letter(&self, row: &OutboxRow, tell: &Tell, token: &ReplyToken) -> Option<Letter> {
        let to = mail::address(tell.email.as_deref()?)?;
        let lang = if tell.lang == Lang::Ru.word() { Lang::Ru } else { Lang::En };
        let text = letter_words::text(lang, row.number, &tell.news)?;
        // All letters of a request name one that never was: mail programs keep them together, whichever was lost.
        let first = format!("{}@{}", token.id(0), self.mailer.domain());
        let before = Some(tell.letter.clone()).filter(|id| !id.is_empty());
        let reply_to = Address::new(token.mailbox(self.answers.user()), self.answers.domain());
        let thread = Thread {
            reply_to: reply_to.unwrap_or_else(|_| self.answers.clone()),
            references: before.into_iter().chain([first]).collect(),
        };
        Some(Letter { id: token.id(row.id), to, subject: row.number.title(&tell.subject), text, thread: Some(thread) })
    }
}

impl Book {
    /// Sends what is due, each row first marked as sent; answers how many came to their end.
    pub(super) async fn post(&self) -> Result<usize, DeliverError> {
        self.adopt().await?;
        let mut ended = 0;
        loop {
            let before = ended;
            for row in outbox::to_settle(self.db(), self.channel, self.target, self.now(), LOOK).await? {
                // Nobody can be asked whether it arrived.
                let again = Outcome::Again { not_before: self.now(), cause: "not_heard".into(), counts: true };
                self.record(&row, &again, None).await?;
                ended += 1;
            }
            for row in outbox::due(self.db(), self.channel, self.target, self.now(), LOOK).await? {
                ended += usize::from(self.send_letter(&row).await?);
            }
            if ended == before {
                return Ok(ended);
            }
        }
    }

    async fn send_letter(&self, row: &OutboxRow) -> Result<bool, DeliverError> {
        let deps = &self.delivery.0.deps;
        let Some(post) = &deps.post else {
            return self.record(row, &Outcome::Rejected("no_mail".into()), None).await;
        };
        let tell = match self.open(row).await? {
            Ok(Outgoing::Tell(tell)) => tell,
            Ok(_) => return self.record(row, &Outcome::Done, None).await,
            Err(outcome) => return self.record(row, &outcome, None).await,
        };
        let token = token(&deps.portals.request_key(row.desk).await?, row.number);
        let Some(letter) = post.letter(row, &tell, &token) else {
            return self.record(row, &Outcome::Done, None).await;
        };
        if !self.mark(row).await? {
            return Ok(false);
        }
        self.step("desk.marked")?;
        let sending = tokio::time::timeout(PATIENCE, post.mailer.send(&letter));
        let sent = self.lease.during(sending).await.ok_or(DeliverError::Elsewhere(self.target))?;
        self.step("desk.sent")?;
        let again =
            |cause: String| Outcome::Again { not_before: self.now() + scheduled(row.attempts), cause, counts: true };
        match sent.unwrap_or(Err(MailError::Away)) {
            Ok(()) => self.record(row, &Outcome::Done, None).await,
            Err(MailError::Refused(code)) => self.record(row, &Outcome::Rejected(code), None).await,
            Err(MailError::Later(code)) => self.record(row, &again(code), None).await,
            Err(MailError::Settings(..) | MailError::Away) => {
                self.record(row, &again("no_answer".into()), None).await?;
                Err(DeliverError::NotReady(self.target))
            }
        }
    }

    /// Marks a row as sent, in a transaction of its own. `false`: somebody else has it.
    async fn mark(&self, row: &OutboxRow) -> Result<bool, DeliverError> {
        let lost = || DeliverError::Elsewhere(self.target);
        if !self.lease.renew().await? {
            return Err(lost());
        }
        let tx = self.db().begin().await?;
        let now = self.now();
        if !self.lease.may_start(&tx).await? {
            return Err(lost());
        }
        let marked = outbox::mark_sent(&tx, row, self.lease.fence(), now, now + PATIENCE_MS + HOLD_MS).await?;
        tx.commit().await?;
        Ok(marked)
    }
}
