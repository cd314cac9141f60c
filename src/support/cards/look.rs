//! Nobody tells of changes at Kaiten: it is asked for them. What changed since a watermark, every few seconds; and, because a comment
//! alone may be no change of its card, the whole board every minute, some pages at a time.

use super::{CardError, Round};
use crate::domain::PortalId;
use crate::kaiten::{Card, PAGE};
use crate::store::desk::cards::{self, KnownCard, Watermark};

pub(super) const ASK_EVERY_MS: i64 = 10_000;
const WALK_EVERY_MS: i64 = 60_000;
/// Pages of a walk in one visit.
const WALK_PAGES: usize = 4;
/// A change may become visible later than one that was made after it.
const OVERLAP_MS: i64 = 120_000;
/// What was read at the moment of a change may lack another change of that moment.
const SETTLE_MS: i64 = 2_000;
/// A card of an open request is read again after this: one on another board shows in no walk, a deletion in no list.
const UNREAD_MS: i64 = 3_600_000;
/// The same where lists do not tell of comments.
const BLIND_MS: i64 = 600_000;
const UNREAD: i64 = 20;

impl Round {
    /// Whether anything is to be asked for; then hints which cards are to be read.
    pub(super) async fn look(&self) -> Result<(), CardError> {
        let board = self.tracker.0.deps.board.as_str();
        let mut mark = cards::watermark(self.db(), board).await?;
        if self.now() - mark.asked_at < ASK_EVERY_MS {
            return Ok(());
        }
        let result = self.ask(&mut mark).await;
        // Kaiten in trouble is asked no more often for that.
        mark.asked_at = self.now();
        cards::set_watermark(self.db(), board, mark).await?;
        result
    }

    async fn ask(&self, mark: &mut Watermark) -> Result<(), CardError> {
        self.changed(mark).await?;
        if mark.place > 0 || self.now() - mark.walked_at >= WALK_EVERY_MS {
            self.walk(mark).await?;
        }
        Ok(())
    }

    async fn changed(&self, mark: &mut Watermark) -> Result<(), CardError> {
        let since = if mark.seen_to == 0 { self.now() } else { mark.seen_to } - OVERLAP_MS;
        let (mut offset, mut newest) = (0, mark.seen_to);
        loop {
            let page = self.page(Some(since), offset).await?;
            newest = page.iter().map(|card| card.active_at).fold(newest, i64::max);
            self.hint(&page).await?;
            if page.len() < PAGE {
                break;
            }
            offset += page.len();
        }
        mark.seen_to = newest;
        Ok(())
    }

    async fn walk(&self, mark: &mut Watermark) -> Result<(), CardError> {
        let mut blind = false;
        for _ in 0..WALK_PAGES {
            let page = self.page(None, usize::try_from(mark.place).unwrap_or_default()).await?;
            let ours = self.hint(&page).await?;
            blind |= page.iter().any(|card| !card.tells_comments && ours.contains(&card.id));
            if page.len() < PAGE {
                (mark.place, mark.walked_at) = (0, self.now());
                break;
            }
            mark.place += i64::try_from(page.len()).unwrap_or_default();
        }
        let since = self.now() - if blind { BLIND_MS } else { UNREAD_MS };
        cards::hint_unread(self.db(), since, UNREAD).await?;
        Ok(())
    }

    async fn page(&self, changed_after: Option<i64>, offset: usize) -> Result<Vec<Card>, CardError> {
        self.still_ours().await?;
        let page = self.during(self.cards().page(changed_after, offset)).await??;
        self.step("cards.listed")?;
        Ok(page)
    }

    /// Hints those that changed since they were read; answers which of them stand for requests.
    async fn hint(&self, page: &[Card]) -> Result<Vec<i64>, CardError> {
        let ids: Vec<i64> = page.iter().map(|card| card.id).collect();
        let known: Vec<(PortalId, KnownCard)> = cards::of_cards(self.db(), &ids).await?;
        for (desk, known) in &known {
            let listed = page.iter().find(|card| card.id == known.card);
            if listed.is_some_and(|card| lags(known, card)) {
                cards::hint(self.db(), *desk, known.request).await?;
            }
        }
        Ok(known.into_iter().map(|(_, known)| known.card).collect())
    }
}

/// Whether a card changed since it was read, or in the very moment of it. What is to be read anyway needs no other hint.
fn lags(known: &KnownCard, listed: &Card) -> bool {
    let settled = known.read_at >= known.active_seen_at + SETTLE_MS;
    // A list that does not tell of comments tells an older moment than the card itself.
    let changed = match listed.tells_comments {
        true => known.active_at != listed.active_at,
        false => known.active_at < listed.active_at,
    };
    known.hints == known.heeded && (changed || !settled)
}
