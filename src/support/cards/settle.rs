//! Rows whose outcome was never heard: once they cannot be carried out any more, Kaiten is asked what became of them.

use super::failing::soon;
use super::send::Left;
use super::{CardError, Round};
use crate::store::desk::outbox::{OutboxRow, Outcome};
use crate::support::deliver::xml_id;
use crate::support::outgoing::Outgoing;

impl Round {
    /// Answers whether the row is over, or may go again.
    pub(super) async fn settle(&self, row: &OutboxRow) -> Result<bool, CardError> {
        let what = match self.open(row).await? {
            Ok(what) => what,
            Err(outcome) => return self.record(row, &outcome, None).await,
        };
        // The first loss is an accident; one that happens again and again is not met at once again and again.
        let pause = if row.attempts > 1 { soon(row.attempts - 2) } else { 0 };
        let again = || Outcome::Again { not_before: self.now() + pause, cause: "not_carried_out".into(), counts: true };
        match (what, self.card_of(row).await?) {
            (Outgoing::Open(_), None) => {
                let found = self.during(self.cards().find(&xml_id(row.number), &row.number.title(""))).await?;
                let found = match self.looked(row, found).await? {
                    Ok(found) => found,
                    Err(over) => return Ok(over),
                };
                if found.len() > 1 {
                    tracing::warn!(number = %row.number, cards = found.len(), "several cards bear one number");
                }
                // The oldest one: a copy that somebody made of it is younger.
                match found.first() {
                    Some(card) => self.record(row, &Outcome::Done, Some(Left::Found(card))).await?,
                    None => self.record(row, &again(), None).await?,
                };
            }
            (Outgoing::Say { .. } | Outgoing::Note { .. }, Some(id)) => {
                let card = match self.read(row, id).await? {
                    Ok(card) => card,
                    Err(over) => return Ok(over),
                };
                let outcome = match self.said(row, card.id).await? {
                    Ok(true) => Outcome::Done,
                    Ok(false) => again(),
                    Err(over) => return Ok(over),
                };
                self.record(row, &outcome, None).await?;
            }
            // A move or a change is made from what is read then: once more is no second time.
            _ => {
                self.record(row, &again(), None).await?;
            }
        }
        self.step("card.settled")?;
        Ok(true)
    }
}
