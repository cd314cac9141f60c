//! One card after another is read and understood, by the rules of tasks.

use super::failing::soon;
use super::send::{is_of, mark_of};
use super::{CHANNEL, CardError, LOOK, Round};
use crate::domain::PortalId;
use crate::domain::support::RequestNumber;
use crate::domain::support::card_moves::Board;
use crate::kaiten::Comment;
use crate::store::StoreError;
use crate::store::desk::cards::{self, KnownCard};
use crate::store::desk::outbox;
use crate::store::desk::requests::{self, RequestRow};
use crate::support::act::Deed;
use crate::support::deliver::{scheduled, xml_id};
use crate::support::hear::{Read, Understood};
use crate::support::listen::understand::{at_work, steps, word};
use crate::support::{Actor, DeskError};

/// A request whose state its card has yet to follow is looked at again after this.
const FOLLOWS_MS: i64 = 5_000;

/// Whoever writes in the card works the request. His number is Kaiten's, no portal's.
fn specialist() -> Actor {
    at_work(None, CHANNEL)
}

/// A comment of ours: its mark is this request's, and who wrote it is the one whose token we write with.
fn is_ours(said: &Comment, number: RequestNumber, me: i64) -> bool {
    said.author == Some(me) && mark_of(&said.text).is_some_and(|mark| mark.number == number)
}

impl Round {
    /// Reads what is to be read; answers how many cards were read whole.
    pub(super) async fn read_due(&self) -> Result<usize, CardError> {
        let mut read = 0;
        for (desk, known) in cards::due(self.db(), self.now(), LOOK).await? {
            self.still_ours().await?;
            match Box::pin(self.during(self.hear(desk, &known))).await? {
                Ok(whole) => read += usize::from(whole),
                Err(CardError::Desk(DeskError::Store(StoreError::KeyDestroyed))) => {
                    cards::forget(self.db(), desk, known.request).await?;
                }
                Err(error) => self.postpone(desk, &known, error).await?,
            }
        }
        Ok(read)
    }

    /// A card that cannot be read, or understood, blocks no other.
    async fn postpone(&self, desk: PortalId, known: &KnownCard, error: CardError) -> Result<(), CardError> {
        let own = match &error {
            CardError::Kaiten(error) if error.is_own() => error.is_permanent(),
            CardError::Desk(_) => true,
            _ => return Err(error),
        };
        let pause = if own { scheduled(known.failures) } else { soon(known.failures) };
        cards::postpone(self.db(), desk, known, self.now() + pause).await?;
        tracing::warn!(card = known.card, %error, "a card could not be read");
        if own { Ok(()) } else { Err(error) }
    }

    /// Answers whether it was read whole.
    async fn hear(&self, desk: PortalId, known: &KnownCard) -> Result<bool, CardError> {
        let Some(row) = requests::by_id(self.db(), desk, known.request).await? else {
            cards::forget(self.db(), desk, known.request).await?;
            return Ok(false);
        };
        // Its column means something only where the card stands as the request left it: asked after the request was read and
        // before the card is, so that a move of ours that is still under way is never taken for a person's.
        let follows = outbox::owes_state(self.db(), desk, row.id, CHANNEL).await?;
        let began = self.now();
        let me = self.cards().me().await?;
        let card = self.cards().card(known.card).await?.filter(|card| is_of(card, &xml_id(row.number)));
        self.step("cards.read")?;
        let Some(card) = card else { return self.gone(&row, known, began).await };
        let said = self.cards().comments(card.id).await?;
        let (columns, rules) = (self.columns().await?, self.desk().rules(desk).await?);
        let board = Board { columns: &columns, named: &rules.settings.kaiten_columns };
        let lang = self.lang(desk).await;
        let (mut next, mut what) = (known.clone(), Understood::default());
        if known.gone {
            next.gone = false;
            what.deeds.push((specialist(), Deed::Card { id: card.id, gone: false }));
        }
        for comment in said.iter().filter(|comment| comment.id > known.last_said) {
            next.last_said = comment.id;
            // Without an author Kaiten notes something by itself.
            if comment.author.is_some() && !is_ours(comment, row.number, me) {
                what.word(specialist(), &comment.text, row.state, lang, &rules.settings.to_customer);
            }
        }
        next.not_before = if follows { self.now() + FOLLOWS_MS } else { 0 };
        if !follows {
            let seen = board.seen(card.column, card.stage);
            let moved = steps(&specialist(), (&known.status, known.status_at), (seen, card.moved_at), row.state);
            what.deeds.extend(moved);
            (next.status, next.status_at) = (word(seen).to_owned(), card.moved_at);
            next.heeded = known.hints;
        }
        next.failures = 0;
        if card.active_at != known.active_at || known.active_seen_at == 0 {
            (next.active_at, next.active_seen_at) = (card.active_at, self.now());
        }
        next.read_at = began;
        self.step("cards.understood")?;
        let done = self.desk().hear(&row, Read::Card(known, &next), &what).await?;
        self.step("cards.written")?;
        // Somebody was first: it is still due.
        Ok(done.is_some() && !follows)
    }

    /// Kaiten does not tell a deleted card from a hidden one.
    async fn gone(&self, row: &RequestRow, known: &KnownCard, began: i64) -> Result<bool, CardError> {
        let mut next = KnownCard { gone: true, heeded: known.hints, not_before: 0, failures: 0, ..known.clone() };
        next.read_at = began;
        let mut what = Understood::default();
        if !known.gone {
            tracing::warn!(number = %row.number, card = known.card, "a request's card is there no more");
            what.deeds.push((specialist(), Deed::Card { id: known.card, gone: true }));
        }
        Ok(self.desk().hear(row, Read::Card(known, &next), &what).await?.is_some())
    }
}
