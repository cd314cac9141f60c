//! Kaiten, the second tracker (E-19): cards, their columns and comments by its REST API. What its public documentation does not
//! say is never relied on: who asks for one external id checks that the answer is of it, a card's stage is read of its column or of
//! itself, text is taken as Markdown or as HTML.

mod client;
mod error;
mod limit;
mod text;
mod wire;

use async_trait::async_trait;

pub use client::{Client, PER_SECOND, Settings};
pub use error::{Error, ErrorKind};
pub use text::{escaped, plain};

use crate::domain::support::card_moves::{Column, Stage};

/// A card as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub id: i64,
    /// `None`: the answer does not tell.
    pub external_id: Option<String>,
    pub title: String,
    pub column: i64,
    /// As the card itself tells it.
    pub stage: Stage,
    /// In milliseconds, like every time here; by Kaiten's clock.
    pub due: Option<i64>,
    pub moved_at: Option<i64>,
    /// Its own last change, or the last comment: a comment alone is no change of its card.
    pub active_at: i64,
    /// Whether the answer told of comments at all.
    pub tells_comments: bool,
    pub deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub id: i64,
    pub author: Option<i64>,
    pub at: Option<i64>,
    /// As people read it.
    pub text: String,
}

/// A card as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCard {
    pub external_id: String,
    pub title: String,
    /// Markdown.
    pub description: String,
    pub column: Option<i64>,
    pub due: Option<i64>,
    pub urgent: bool,
}

/// What is set in one request; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CardChange {
    pub column: Option<i64>,
    pub due: Option<Option<i64>>,
}

/// Cards of a page; a shorter one is the last.
pub const PAGE: usize = 100;

/// What the desk asks of its board.
#[async_trait]
pub trait Cards: Send + Sync {
    /// Waits until the next request may leave, so that it leaves at once when it is recorded as sent.
    async fn turn(&self) -> Result<(), Error>;
    /// Somebody else may have used the allowance until now.
    fn taken_over(&self);
    /// Whose token it is: the author of what we write.
    async fn me(&self) -> Result<i64, Error>;
    async fn columns(&self) -> Result<Vec<Column>, Error>;
    /// Every card with this external id, archived ones too, the oldest first. `title`: what its title begins with; by that it is
    /// known where a list tells no external ids.
    async fn find(&self, external_id: &str, title: &str) -> Result<Vec<Card>, Error>;
    /// `None`: it is there no more, or not for us.
    async fn card(&self, id: i64) -> Result<Option<Card>, Error>;
    /// Cards of the board that changed after this moment, or all of them.
    async fn page(&self, changed_after: Option<i64>, offset: usize) -> Result<Vec<Card>, Error>;
    async fn comments(&self, card: i64) -> Result<Vec<Comment>, Error>;
    async fn make(&self, new: &NewCard) -> Result<Card, Error>;
    async fn change(&self, id: i64, change: CardChange) -> Result<Card, Error>;
    /// Says this Markdown in the card.
    async fn comment(&self, card: i64, text: &str) -> Result<(), Error>;
}
