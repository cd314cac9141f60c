//! What people said of all problems of one cause at once, kept until the last of them is seen to; and problems by cause.

use sea_orm::Value;

use super::problems::{ProblemRow, read};
use super::{Db, Row, StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId};
use crate::store::bulk::list;

/// What is done to each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Retry,
    Dismiss,
}

impl Action {
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Dismiss => "dismiss",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        [Self::Retry, Self::Dismiss]
            .into_iter()
            .find(|of| of.word() == word)
            .ok_or(StoreError::Corrupt("remedy.action"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemedyRow {
    /// `None`: of the whole portal.
    pub hotel: Option<HotelId>,
    pub kind: String,
    pub cause: String,
    pub action: Action,
    pub note: String,
    /// What is told after this is another matter.
    pub asked_at: i64,
}

const COLUMNS: &str = "hotel_id, kind, cause, action, note, asked_at";

fn row(row: &Row) -> Result<RemedyRow, StoreError> {
    let hotel: i64 = row.get("hotel_id")?;
    Ok(RemedyRow {
        hotel: (hotel != 0).then_some(HotelId(hotel)),
        kind: row.get("kind")?,
        cause: row.get("cause")?,
        action: Action::read(&row.get::<String>("action")?)?,
        note: row.get("note")?,
        asked_at: row.get("asked_at")?,
    })
}

/// The last word counts.
pub async fn ask(db: &Db, portal: PortalId, remedy: &RemedyRow, by: i64) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO remedy (portal_id, hotel_id, kind, cause, action, note, asked_at, asked_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (portal_id, hotel_id, kind, cause) DO UPDATE SET action = excluded.action, note = excluded.note,
            asked_at = excluded.asked_at, asked_by = excluded.asked_by",
        args![
            portal.0,
            remedy.hotel.map_or(0, |hotel| hotel.0),
            remedy.kind.as_str(),
            remedy.cause.as_str(),
            remedy.action.word(),
            remedy.note.as_str(),
            remedy.asked_at,
            by
        ],
    )
    .await?;
    Ok(())
}

/// Those that are not over, the oldest first.
pub async fn open(db: &Db, portal: PortalId) -> Result<Vec<RemedyRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM remedy WHERE portal_id = $1 ORDER BY asked_at, kind, cause, hotel_id");
    db.rows(&sql, args![portal.0]).await?.iter().map(row).collect()
}

/// Nobody else takes a step of it until the transaction ends; `false`: it is over, or was asked for anew.
pub async fn take(tx: &Tx, portal: PortalId, remedy: &RemedyRow) -> Result<bool, StoreError> {
    let sql = "UPDATE remedy SET asked_at = asked_at
         WHERE portal_id = $1 AND hotel_id = $2 AND kind = $3 AND cause = $4 AND asked_at = $5";
    Ok(tx.execute(sql, named(portal, remedy)).await? > 0)
}

pub async fn end(tx: &Tx, portal: PortalId, remedy: &RemedyRow) -> Result<(), StoreError> {
    let sql = "DELETE FROM remedy
         WHERE portal_id = $1 AND hotel_id = $2 AND kind = $3 AND cause = $4 AND asked_at = $5";
    tx.execute(sql, named(portal, remedy)).await?;
    Ok(())
}

fn named(portal: PortalId, remedy: &RemedyRow) -> Vec<Value> {
    let hotel = remedy.hotel.map_or(0, |hotel| hotel.0);
    args![portal.0, hotel, remedy.kind.as_str(), remedy.cause.as_str(), remedy.asked_at]
}

/// The next problems that it is about.
pub async fn problems(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    remedy: &RemedyRow,
    limit: i64,
) -> Result<Vec<ProblemRow>, StoreError> {
    let columns = super::problems::COLUMNS;
    let sql = format!(
        "SELECT {columns} FROM problem WHERE portal_id = $1 AND ($2 = 0 OR hotel_id = $2) AND kind = $3 AND cause = $4
           AND state = 'open' AND last_at <= $5 ORDER BY id LIMIT $6"
    );
    let mut values = named(portal, remedy);
    values.push(limit.into());
    // One that cannot be opened must not keep the others from being seen to.
    let opened = |row| match read(key, row) {
        Err(StoreError::Corrupt(_) | StoreError::Crypto(_)) => None,
        read => Some(read),
    };
    tx.rows(&sql, values).await?.iter().filter_map(opened).collect()
}

/// Put away, all for the same reason.
pub async fn dismiss(tx: &Tx, portal: PortalId, ids: &[i64], note: &str) -> Result<(), StoreError> {
    let mut values = args![portal.0, note];
    values.extend(ids.iter().map(|id| Value::from(*id)));
    let sql = format!(
        "UPDATE problem SET state = 'dismissed', note = $2 WHERE portal_id = $1 AND id IN ({})",
        list(2, ids.len())
    );
    tx.execute(&sql, values).await?;
    Ok(())
}

/// Problems with one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseRow {
    pub kind: String,
    pub cause: String,
    /// Records it is told of.
    pub records: i64,
    /// How often it was told of them.
    pub times: i64,
    pub first_at: i64,
    pub last_at: i64,
}

/// By cause, that of most records first; what the portal refused is apart from what did not succeed.
pub async fn causes(
    db: &Db,
    portal: PortalId,
    state: &str,
    hotel: Option<HotelId>,
) -> Result<Vec<CauseRow>, StoreError> {
    let rows = db
        .rows(
            "SELECT kind, cause, COUNT(*) AS records, CAST(SUM(count) AS BIGINT) AS times, MIN(first_at) AS first_at,
                MAX(last_at) AS last_at
             FROM problem WHERE portal_id = $1 AND state = $2 AND ($3 = 0 OR hotel_id = $3)
             GROUP BY kind, cause ORDER BY records DESC, last_at DESC, kind, cause",
            args![portal.0, state, hotel.map_or(0, |hotel| hotel.0)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(CauseRow {
                kind: row.get("kind")?,
                cause: row.get("cause")?,
                records: row.get("records")?,
                times: row.get("times")?,
                first_at: row.get("first_at")?,
                last_at: row.get("last_at")?,
            })
        })
        .collect()
}
