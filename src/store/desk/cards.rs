//! What is known of requests' cards, like `heard` of tasks. One board has the cards of all desks, so what is asked of the board
//! answers with the desk of each; what is written of a request names its desk.

use sea_orm::Value;

use crate::domain::PortalId;
use crate::store::bulk::{Via, list};
use crate::store::{Db, Row, StoreError, Tx, args};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownCard {
    pub request: i64,
    pub card: i64,
    pub hints: i64,
    pub heeded: i64,
    pub failures: i32,
    pub not_before: i64,
    pub revision: i64,
    /// As the card was last seen, or left by a move of ours; empty: never.
    pub status: String,
    /// When it came to stand so, as Kaiten tells.
    pub status_at: Option<i64>,
    /// The last comment that was read.
    pub last_said: i64,
    /// The card's own last activity, by Kaiten's clock, and when it was first seen, by ours.
    pub active_at: i64,
    pub active_seen_at: i64,
    pub read_at: i64,
    pub gone: bool,
}

const COLUMNS: &str = "portal_id, request_id, card_id, hints, heeded, failures, not_before, revision, status, status_at, \
     last_said, active_at, active_seen_at, read_at, gone";

fn read(row: &Row) -> Result<(PortalId, KnownCard), StoreError> {
    let known = KnownCard {
        request: row.get("request_id")?,
        card: row.get("card_id")?,
        hints: row.get("hints")?,
        heeded: row.get("heeded")?,
        failures: row.get("failures")?,
        not_before: row.get("not_before")?,
        revision: row.get("revision")?,
        status: row.get("status")?,
        status_at: row.get("status_at")?,
        last_said: row.get("last_said")?,
        active_at: row.get("active_at")?,
        active_seen_at: row.get("active_seen_at")?,
        read_at: row.get("read_at")?,
        gone: row.get("gone")?,
    };
    Ok((PortalId(row.get("portal_id")?), known))
}

/// A request has this card now: it is to be read.
pub async fn begin(tx: &Tx, desk: PortalId, request: i64, card: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO desk_card (portal_id, request_id, card_id) VALUES ($1, $2, $3)
         ON CONFLICT (portal_id, request_id) DO UPDATE SET card_id = excluded.card_id, hints = desk_card.hints + 1",
        args![desk.0, request, card],
    )
    .await?;
    Ok(())
}

/// A move of ours left the card so: seen again, it is no person's.
pub async fn left(
    tx: &Tx,
    desk: PortalId,
    request: i64,
    status: &str,
    status_at: Option<i64>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE desk_card SET status = $3, status_at = $4, revision = revision + 1
         WHERE portal_id = $1 AND request_id = $2",
        args![desk.0, request, status, status_at],
    )
    .await?;
    Ok(())
}

/// Of these cards of the board those that stand for requests, whosever, with their desk.
pub async fn of_cards(db: &Db, cards: &[i64]) -> Result<Vec<(PortalId, KnownCard)>, StoreError> {
    if cards.is_empty() {
        return Ok(vec![]);
    }
    let sql = format!("SELECT {COLUMNS} FROM desk_card WHERE card_id IN ({})", list(0, cards.len()));
    let cards = cards.iter().map(|card| Value::from(*card)).collect();
    db.rows(&sql, cards).await?.iter().map(read).collect()
}

/// A card may have changed.
pub async fn hint(db: &Db, desk: PortalId, request: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE desk_card SET hints = hints + 1 WHERE portal_id = $1 AND request_id = $2";
    db.execute(sql, args![desk.0, request]).await
}

pub async fn of_request(
    via: impl Into<Via<'_>>,
    desk: PortalId,
    request: i64,
) -> Result<Option<KnownCard>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM desk_card WHERE portal_id = $1 AND request_id = $2");
    let rows = via.into().rows(&sql, args![desk.0, request]).await?;
    rows.first().map(|row| read(row).map(|(_, known)| known)).transpose()
}

/// What is to be read on the board, the longest due first.
pub async fn due(db: &Db, now: i64, limit: i64) -> Result<Vec<(PortalId, KnownCard)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_card WHERE hints <> heeded AND not_before <= $1
         ORDER BY not_before, portal_id, request_id LIMIT $2"
    );
    db.rows(&sql, args![now, limit]).await?.iter().map(read).collect()
}

/// What was read, if nobody else saved since; hints that came meanwhile stay. `false`: somebody did, nothing was written.
pub async fn save(tx: &Tx, desk: PortalId, known: &KnownCard) -> Result<bool, StoreError> {
    let saved = tx
        .execute(
            "UPDATE desk_card SET heeded = $4, failures = $5, not_before = $6, status = $7, status_at = $8,
                last_said = $9, active_at = $10, active_seen_at = $11, read_at = $12, gone = $13, revision = revision + 1
             WHERE portal_id = $1 AND request_id = $2 AND revision = $3",
            args![
                desk.0,
                known.request,
                known.revision,
                known.heeded,
                known.failures,
                known.not_before,
                known.status.as_str(),
                known.status_at,
                known.last_said,
                known.active_at,
                known.active_seen_at,
                known.read_at,
                known.gone
            ],
        )
        .await?;
    Ok(saved > 0)
}

/// It could not be read: once more then.
pub async fn postpone(db: &Db, desk: PortalId, known: &KnownCard, not_before: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE desk_card SET failures = failures + 1, not_before = $4, revision = revision + 1
         WHERE portal_id = $1 AND request_id = $2 AND revision = $3",
        args![desk.0, known.request, known.revision, not_before],
    )
    .await?;
    Ok(())
}

/// The request is there no more.
pub async fn forget(db: &Db, desk: PortalId, request: i64) -> Result<(), StoreError> {
    db.execute("DELETE FROM desk_card WHERE portal_id = $1 AND request_id = $2", args![desk.0, request]).await?;
    Ok(())
}

/// Cards of open requests that nobody read since, of every desk: a deletion shows in no list.
pub async fn hint_unread(db: &Db, since: i64, limit: i64) -> Result<u64, StoreError> {
    let sql = "SELECT c.portal_id, c.request_id FROM desk_card c
         JOIN desk_request r ON r.id = c.request_id AND r.portal_id = c.portal_id
         WHERE c.read_at < $1 AND c.hints = c.heeded AND r.state <> 'closed' ORDER BY c.read_at LIMIT $2";
    let mut hinted = 0;
    for row in db.rows(sql, args![since, limit]).await? {
        hinted += hint(db, PortalId(row.get("portal_id")?), row.get("request_id")?).await?;
    }
    Ok(hinted)
}

/// How far a board was looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watermark {
    /// When changes were asked for.
    pub asked_at: i64,
    /// Every change up to then was seen, by Kaiten's clock.
    pub seen_to: i64,
    /// When the board was last gone through whole.
    pub walked_at: i64,
    /// Cards that the walk under way passed already; 0: none is.
    pub place: i64,
}

pub async fn watermark(db: &Db, board: &str) -> Result<Watermark, StoreError> {
    let sql = "SELECT asked_at, seen_to, walked_at, place FROM desk_board WHERE board = $1";
    let rows = db.rows(sql, args![board]).await?;
    let Some(row) = rows.first() else { return Ok(Watermark::default()) };
    Ok(Watermark {
        asked_at: row.get("asked_at")?,
        seen_to: row.get("seen_to")?,
        walked_at: row.get("walked_at")?,
        place: row.get("place")?,
    })
}

pub async fn set_watermark(db: &Db, board: &str, mark: Watermark) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO desk_board (board, asked_at, seen_to, walked_at, place) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (board) DO UPDATE SET asked_at = excluded.asked_at, seen_to = excluded.seen_to,
            walked_at = excluded.walked_at, place = excluded.place",
        args![board, mark.asked_at, mark.seen_to, mark.walked_at, mark.place],
    )
    .await?;
    Ok(())
}
