//! People who are erased: who is never taken in again, how far each erasure came, and its act, which names nobody.

use std::collections::BTreeSet;

use super::bulk::{Via, chunk_of, insert, list};
use super::stays::keyed;
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId, ProfileNumber};

/// How far an erasure came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is done yet.
    Asked,
    /// Nothing of him is held any more; the portal is being told.
    Telling,
    Done,
}

impl Stage {
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Telling => "telling",
            Self::Done => "done",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        [Self::Asked, Self::Telling, Self::Done]
            .into_iter()
            .find(|stage| stage.word() == word)
            .ok_or(StoreError::Corrupt("erasure.stage"))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ErasureRow {
    pub hotel: HotelId,
    pub profile: ProfileNumber,
    pub stage: Stage,
    /// The user who asked; 0: an integrator, or the PMS.
    pub asked_by: i64,
    /// The PMS erased him, and nobody here asked.
    pub by_pms: bool,
    pub act: serde_json::Value,
    pub asked_at: i64,
    pub done_at: Option<i64>,
}

/// Asks for erasures, `(hotel, profile)`; who is erased already, or soon, stays so.
pub async fn ask(
    tx: &Tx,
    portal: PortalId,
    people: &[(HotelId, ProfileNumber)],
    asked_by: i64,
    by_pms: bool,
    now: i64,
) -> Result<(), StoreError> {
    let rows = people
        .iter()
        .map(|(hotel, profile)| args![portal.0, hotel.0, profile.as_str(), asked_by, by_pms, now])
        .collect();
    insert(
        tx,
        "erasure",
        &["portal_id", "hotel_id", "profile", "asked_by", "by_pms", "asked_at"],
        rows,
        "ON CONFLICT (portal_id, hotel_id, profile) DO NOTHING",
    )
    .await?;
    Ok(())
}

const COLUMNS: &str = "hotel_id, profile, stage, asked_by, by_pms, act, asked_at, done_at";

fn read(row: &Row) -> Result<ErasureRow, StoreError> {
    Ok(ErasureRow {
        hotel: HotelId(row.get("hotel_id")?),
        profile: number(row)?,
        stage: Stage::read(&row.get::<String>("stage")?)?,
        asked_by: row.get("asked_by")?,
        by_pms: row.get("by_pms")?,
        act: serde_json::from_str(&row.get::<String>("act")?).map_err(|_| StoreError::Corrupt("erasure.act"))?,
        asked_at: row.get("asked_at")?,
        done_at: row.get("done_at")?,
    })
}

fn number(row: &Row) -> Result<ProfileNumber, StoreError> {
    ProfileNumber::parse(&row.get::<String>("profile")?).map_err(|_| StoreError::Corrupt("erasure.profile"))
}

pub async fn get(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    hotel: HotelId,
    profile: &ProfileNumber,
) -> Result<Option<ErasureRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM erasure WHERE portal_id = $1 AND hotel_id = $2 AND profile = $3");
    let rows = via.into().rows(&sql, args![portal.0, hotel.0, profile.as_str()]).await?;
    rows.first().map(read).transpose()
}

/// Those to go on with now.
pub async fn due(db: &Db, portal: PortalId, now: i64, limit: i64) -> Result<Vec<ErasureRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM erasure WHERE portal_id = $1 AND stage <> 'done' AND due_at <= $2
         ORDER BY asked_at, hotel_id, profile LIMIT $3"
    );
    db.rows(&sql, args![portal.0, now, limit]).await?.iter().map(read).collect()
}

/// Which of these profiles of a hotel are erased, or to be.
pub async fn among(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    hotel: HotelId,
    numbers: &BTreeSet<&ProfileNumber>,
) -> Result<BTreeSet<ProfileNumber>, StoreError> {
    let via = via.into();
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let mut found = BTreeSet::new();
    for chunk in numbers.chunks(chunk_of(1)) {
        let sql = format!(
            "SELECT profile FROM erasure WHERE portal_id = $1 AND hotel_id = $2 AND profile IN ({})",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
            found.insert(number(&row)?);
        }
    }
    Ok(found)
}

/// Writes down how far it came, and what the act says so far.
pub async fn advance(tx: &Tx, portal: PortalId, row: &ErasureRow, due_at: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE erasure SET stage = $4, act = $5, done_at = $6, due_at = $7
         WHERE portal_id = $1 AND hotel_id = $2 AND profile = $3",
        args![portal.0, row.hotel.0, row.profile.as_str(), row.stage.word(), row.act.to_string(), row.done_at, due_at],
    )
    .await?;
    Ok(())
}
