//! One row to its card.

use super::failing::raise;
use super::{CARD, CHANNEL, CardError, HOLD_MS, REQUEST_CAP_MS, Round, TARGET};
use crate::domain::support::card_moves::Board;
use crate::domain::support::mark::Mark;
use crate::domain::support::{Priority, State};
use crate::kaiten::{Card, CardChange, Error, NewCard};
use crate::store::StoreError;
use crate::store::desk::outbox::{self, OutboxRow, Outcome};
use crate::store::desk::remotes::{self, Remote};
use crate::store::desk::{cards, undelivered};
use crate::support::deliver::words::{self, Markup};
use crate::support::deliver::xml_id;
use crate::support::listen::understand::word;
use crate::support::outgoing::{self, Outgoing};

const MARKUP: Markup = Markup::Markdown;

/// What a row's comment ends with, in a paragraph of its own; the row is its place, of which there is one.
pub(super) fn signature(row: &OutboxRow) -> String {
    let mark = Mark { number: row.number, place: u64::try_from(row.id).unwrap_or_default() };
    format!("({mark})")
}

/// The mark that a comment ends with.
pub(super) fn mark_of(text: &str) -> Option<Mark> {
    text.trim_end().strip_suffix(')')?.rsplit_once('(')?.1.parse().ok()
}

/// What a request made of its card.
pub(super) enum Left<'a> {
    Made(&'a Card),
    /// It was made some time ago: people may have moved it since.
    Found(&'a Card),
    /// It was moved, or stands where it would have been.
    Moved(&'a Card),
}

/// Which of a row's requests it is.
#[derive(Debug, Clone, Copy)]
enum Nth {
    First,
    /// The one before it was answered.
    Next,
}

impl Round {
    /// What a row says. `Err` inside: how it ends, because it says nothing any more.
    pub(super) async fn open(&self, row: &OutboxRow) -> Result<Result<Outgoing, Outcome>, CardError> {
        let key = match self.desk().key(row.key_portal).await {
            Err(StoreError::KeyDestroyed) => return Ok(Err(Outcome::Rejected("key_destroyed".into()))),
            Err(StoreError::Crypto(_) | StoreError::Corrupt(_)) => return Ok(Err(Outcome::Failed("key".into()))),
            key => key?,
        };
        let read = row.open(&key).and_then(|payload| Outgoing::read(&payload));
        Ok(read.map_err(|_| Outcome::Failed("payload".into())))
    }

    /// Sends a row that is due; answers whether it is over.
    pub(super) async fn send(&self, row: &OutboxRow) -> Result<bool, CardError> {
        let what = match self.open(row).await? {
            Ok(what) => what,
            Err(outcome) => return self.record(row, &outcome, None).await,
        };
        let card = self.card_of(row).await?;
        match (what, card) {
            // People of the portal are not known there [facts: INF]: who is responsible stands in the task.
            (Outgoing::Open(_), Some(_)) | (Outgoing::Assign { .. }, _) => self.record(row, &Outcome::Done, None).await,
            (Outgoing::Open(new), None) => self.make(row, &new).await,
            (Outgoing::Tell(_), _) => self.record(row, &Outcome::Rejected("not_for_a_task".into()), None).await,
            (_, None) => self.record(row, &Outcome::Rejected("no_card".into()), None).await,
            (Outgoing::State { state, reason, deadline, .. }, Some(id)) => {
                let card = match self.read(row, id).await? {
                    Ok(card) => card,
                    Err(over) => return Ok(over),
                };
                // While the customer is waited for, nothing is promised.
                let waits = deadline.is_none() && state == State::WaitingForCustomer;
                let due = deadline.map(|at| at.timestamp_millis());
                let due = ((deadline.is_some() || waits) && card.due != due).then_some(due);
                self.bring(row, &card, state, reason.as_deref(), due).await
            }
            (Outgoing::Say { from, text, internal }, Some(id)) => {
                let lang = self.lang(row.desk).await;
                self.say(row, id, words::said(MARKUP, lang, from, internal, &text)).await
            }
            (Outgoing::File { from, name, length, internal }, Some(id)) => {
                let lang = self.lang(row.desk).await;
                self.say(row, id, words::file(MARKUP, lang, (from, internal), &name, length)).await
            }
            (Outgoing::Note { about, zone }, Some(id)) => {
                match words::note(MARKUP, self.lang(row.desk).await, &about, &zone) {
                    Some(text) => self.say(row, id, text).await,
                    None => self.record(row, &Outcome::Done, None).await,
                }
            }
            (Outgoing::Deadline { deadline }, Some(id)) => {
                let card = match self.read(row, id).await? {
                    Ok(card) => card,
                    Err(over) => return Ok(over),
                };
                let due = Some(deadline.map(|at| at.timestamp_millis()));
                let change = CardChange { column: None, due };
                let answer = self.attempt(row, Nth::First, self.cards().change(card.id, change)).await?;
                self.finish(row, answer.map(|answer| answer.map(drop))).await
            }
        }
    }

    async fn say(&self, row: &OutboxRow, id: i64, text: String) -> Result<bool, CardError> {
        let card = match self.read(row, id).await? {
            Ok(card) => card,
            Err(over) => return Ok(over),
        };
        let text = format!("{text}\n\n{}", signature(row));
        let answer = self.attempt(row, Nth::First, self.cards().comment(card.id, &text)).await?;
        self.finish(row, answer).await
    }

    async fn make(&self, row: &OutboxRow, new: &outgoing::Task) -> Result<bool, CardError> {
        let (columns, rules) = (self.columns().await?, self.desk().rules(row.desk).await?);
        let board = Board { columns: &columns, named: &rules.settings.kaiten_columns };
        let new = NewCard {
            external_id: xml_id(row.number),
            title: new.title.clone(),
            description: words::description(MARKUP, self.lang(row.desk).await, new),
            column: board.begins(State::Registered),
            due: new.deadline.map(|at| at.timestamp_millis()),
            urgent: new.priority == Priority::Critical,
        };
        match self.attempt(row, Nth::First, self.cards().make(&new)).await? {
            None => Ok(false),
            Some(Ok(card)) => self.record(row, &Outcome::Done, Some(Left::Made(&card))).await,
            Some(Err(error)) => self.refused(row, error).await,
        }
    }

    /// Brings the card to where its request stands, from wherever it is. A reason is said first, and once.
    async fn bring(
        &self,
        row: &OutboxRow,
        card: &Card,
        state: State,
        reason: Option<&str>,
        due: Option<Option<i64>>,
    ) -> Result<bool, CardError> {
        let (mut nth, mut reason) = (Nth::First, reason);
        if reason.is_some() && row.sent_at > 0 {
            match self.said(row, card.id).await? {
                Ok(said) => reason = reason.filter(|_| !said),
                Err(over) => return Ok(over),
            }
        }
        if let Some(reason) = reason {
            let text = words::reason(MARKUP, self.lang(row.desk).await, state, reason);
            let text = format!("{text}\n\n{}", signature(row));
            match self.attempt(row, nth, self.cards().comment(card.id, &text)).await? {
                Some(Ok(())) => nth = Nth::Next,
                answer => return self.finish(row, answer).await,
            }
        }
        let (columns, rules) = (self.columns().await?, self.desk().rules(row.desk).await?);
        let board = Board { columns: &columns, named: &rules.settings.kaiten_columns };
        let change = CardChange { column: board.follow(state, card.column, card.stage), due };
        if change == CardChange::default() {
            return self.record(row, &Outcome::Done, Some(Left::Moved(card))).await;
        }
        match self.attempt(row, nth, self.cards().change(card.id, change)).await? {
            None => Ok(false),
            Some(Ok(card)) => self.record(row, &Outcome::Done, Some(Left::Moved(&card))).await,
            Some(Err(error)) => self.refused(row, error).await,
        }
    }

    /// The card as it is. `Err` inside: it is gone, or cannot be read; whether the row is over.
    pub(super) async fn read(&self, row: &OutboxRow, id: i64) -> Result<Result<Card, bool>, CardError> {
        let found = self.during(self.cards().card(id)).await?;
        match self.looked(row, found).await? {
            Ok(Some(card)) if is_of(&card, &xml_id(row.number)) => Ok(Ok(card)),
            Ok(_) => self.record(row, &Outcome::Rejected("card_gone".into()), None).await.map(Err),
            Err(over) => Ok(Err(over)),
        }
    }

    /// Whether the row's comment is in the card.
    pub(super) async fn said(&self, row: &OutboxRow, card: i64) -> Result<Result<bool, bool>, CardError> {
        let found = self.during(self.cards().comments(card)).await?;
        let signature = signature(row);
        let found = self.looked(row, found).await?;
        Ok(found.map(|said| said.iter().any(|said| said.text.trim_end().ends_with(&signature))))
    }

    /// What stands for the request on the board.
    pub(super) async fn card_of(&self, row: &OutboxRow) -> Result<Option<i64>, StoreError> {
        let remotes = remotes::of_request(self.db(), row.desk, row.request).await?;
        let ours = |remote: &&Remote| remote.channel == CHANNEL && remote.kind == CARD;
        Ok(remotes.iter().find(ours).and_then(|remote| remote.id.parse().ok()))
    }

    /// Records the row as sent, then sends one request. `None`: somebody else has it. No answer: it stays as it is, held.
    async fn attempt<T>(
        &self,
        row: &OutboxRow,
        nth: Nth,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<Result<T, Error>>, CardError> {
        // Before the mark: while it waits for its turn nothing is under way, and no hold runs.
        if let Err(error) = self.during(self.cards().turn()).await? {
            return Ok(Some(Err(error)));
        }
        self.step("card.turn")?;
        self.still_ours().await?;
        let tx = self.db().begin().await?;
        // Not before: a busy database may let the transaction wait, and the hold counts from here.
        let now = self.now();
        if !self.lease.may_start(&tx).await? {
            return Err(CardError::Elsewhere);
        }
        let (fence, hold_until) = (self.lease.fence(), now + REQUEST_CAP_MS + HOLD_MS);
        let marked = match nth {
            Nth::First => outbox::mark_sent(&tx, row, fence, now, hold_until).await?,
            Nth::Next => outbox::mark_next(&tx, row, fence, now, hold_until).await?,
        };
        if !marked {
            return Ok(None);
        }
        tx.commit().await?;
        self.step("card.marked")?;
        if self.now() > self.lease.leave_by(now) {
            return Ok(Some(Err(Error::unsent("too late to begin"))));
        }
        let answer = self.during(request).await?;
        self.step("card.sent")?;
        Ok(Some(answer))
    }

    async fn finish(&self, row: &OutboxRow, answer: Option<Result<(), Error>>) -> Result<bool, CardError> {
        match answer {
            None => Ok(false),
            Some(Ok(())) => self.record(row, &Outcome::Done, None).await,
            Some(Err(error)) => self.refused(row, error).await,
        }
    }

    /// Writes how a row ended, with what it made of the card; answers whether it is over.
    pub(super) async fn record(
        &self,
        row: &OutboxRow,
        outcome: &Outcome,
        left: Option<Left<'_>>,
    ) -> Result<bool, CardError> {
        let now = self.now();
        let told = self.told(row, outcome).await?;
        let status = match &left {
            Some(Left::Made(card) | Left::Moved(card)) => Some(self.status(row, card, false).await?),
            Some(Left::Found(card)) => Some(self.status(row, card, true).await?),
            None => None,
        };
        let tx = self.db().begin().await?;
        let settled = outbox::settle(&tx, row, self.lease.fence(), outcome, now).await?;
        if settled {
            if let Some(Left::Made(card) | Left::Found(card)) = left {
                let id = card.id.to_string();
                let remote = Remote { channel: CHANNEL, kind: CARD.to_owned(), target: TARGET, id };
                remotes::set(&tx, row.desk, row.request, &remote, now).await?;
                cards::begin(&tx, row.desk, row.request, card.id).await?;
            }
            if let Some((status, at)) = status {
                cards::left(&tx, row.desk, row.request, status, at).await?;
            }
            if *outcome == Outcome::Done {
                undelivered::over(&tx, row).await?;
            }
            raise(&tx, row, told, now).await?;
        }
        tx.commit().await?;
        if let Outcome::Failed(cause) | Outcome::Rejected(cause) = outcome {
            tracing::warn!(number = %row.number, kind = row.kind.word(), cause, "not delivered to the card");
        }
        self.step("card.recorded")?;
        Ok(settled && !matches!(outcome, Outcome::Again { .. }))
    }

    /// As the card stands now, or was made, in the words that it is remembered by.
    async fn status(
        &self,
        row: &OutboxRow,
        card: &Card,
        as_made: bool,
    ) -> Result<(&'static str, Option<i64>), CardError> {
        let (columns, rules) = (self.columns().await?, self.desk().rules(row.desk).await?);
        let board = Board { columns: &columns, named: &rules.settings.kaiten_columns };
        match board.begins(State::Registered).filter(|_| as_made) {
            Some(column) => Ok((word(board.seen(column, card.stage)), None)),
            None => Ok((word(board.seen(card.column, card.stage)), card.moved_at)),
        }
    }
}

/// Whether this card is the request's: numbers of another company's Kaiten mean strangers' cards.
pub(super) fn is_of(card: &Card, external_id: &str) -> bool {
    card.external_id.as_deref().is_none_or(|own| own == external_id)
}
