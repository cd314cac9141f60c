//! How the reading of a source goes: when it is due, how the last look ended, how far the look for known stays is.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::bulk::Via;
use super::{Db, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

/// Code → milliseconds since the epoch.
pub type Notes = BTreeMap<String, i64>;

/// When the next lot of known stays is looked for by number, and how far that look is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Recheck {
    pub at: i64,
    pub look: Look,
}

/// A look for known stays, a lot at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "round", rename_all = "snake_case")]
pub enum Look {
    /// All are looked for in order of their numbers: the last one, and those that were not there.
    First { after: String, absent: Vec<String> },
    /// Those are looked for once more: the ones to come, and the ones that were not there again.
    Again { absent: Vec<String>, gone: Vec<String> },
}

impl Default for Look {
    fn default() -> Self {
        Self::First { after: String::new(), absent: Vec::new() }
    }
}

/// How the last look at a source ended: a word and the stable code of the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `new` (never read), `ok`, `failing` (tries go on) or `stopped` (waits for a person).
    pub state: String,
    /// Empty where nothing is wrong.
    pub detail: String,
}

/// A source that somebody should look at now, before its configuration is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub id: i64,
    pub portal: PortalId,
    pub hotel: HotelId,
    pub next_poll_at: i64,
}

/// Sources whose time to be read has come, of all portals, the longest overdue first. Stopped ones are not among them.
pub async fn due(db: &Db, now: i64, limit: i64) -> Result<Vec<Due>, StoreError> {
    let rows = db
        .rows(
            "SELECT id, portal_id, hotel_id, next_poll_at FROM source
             WHERE next_poll_at <= $1 AND health <> 'stopped' ORDER BY next_poll_at LIMIT $2",
            args![now, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Due {
                id: row.get("id")?,
                portal: PortalId(row.get("portal_id")?),
                hotel: HotelId(row.get("hotel_id")?),
                next_poll_at: row.get("next_poll_at")?,
            })
        })
        .collect()
}

/// The position after a stored chunk, in the transaction that stores the chunk.
///
/// `version` is that of the configuration the chunk was read under: `false` says that the source was reconfigured or
/// removed meanwhile, and the chunk must not be kept.
pub async fn advance(
    tx: &Tx,
    portal: PortalId,
    id: i64,
    version: i64,
    state: &serde_json::Value,
) -> Result<bool, StoreError> {
    let touched = tx
        .execute(
            "UPDATE source SET state = $4 WHERE portal_id = $1 AND id = $2 AND version = $3",
            args![portal.0, id, version, state.to_string()],
        )
        .await?;
    Ok(touched > 0)
}

/// What a finished look at a source tells about its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    pub health: Health,
    pub at: i64,
    /// The source answered as it should.
    pub ok: bool,
    /// At least one record was new or changed.
    pub records: bool,
    /// Something happened: whoever looks again soon will likely find more.
    pub active: bool,
    pub notes: Notes,
    pub next_poll_at: i64,
    /// Failed looks in a row, this one included.
    pub failures: i32,
}

/// Records how a look ended, unless the source was reconfigured meanwhile.
pub async fn looked(db: &Db, portal: PortalId, id: i64, version: i64, looked: &Looked) -> Result<(), StoreError> {
    db.execute(
        "UPDATE source SET health = $4, health_detail = $5, next_poll_at = $6, failures = $7,
            last_ok_at = CASE WHEN $8 THEN $10 ELSE last_ok_at END,
            last_record_at = CASE WHEN $9 THEN $10 ELSE last_record_at END,
            active_at = CASE WHEN $11 THEN $10 ELSE active_at END, notes = $12
         WHERE portal_id = $1 AND id = $2 AND version = $3",
        args![
            portal.0,
            id,
            version,
            looked.health.state.as_str(),
            looked.health.detail.as_str(),
            looked.next_poll_at,
            looked.failures,
            looked.ok,
            looked.records,
            looked.at,
            looked.active,
            serde_json::to_string(&looked.notes).map_err(|_| StoreError::Corrupt("notes"))?
        ],
    )
    .await?;
    Ok(())
}

/// A lot of known stays was looked for by number, unless the source was reconfigured meanwhile.
pub async fn rechecked(
    tx: &Tx,
    portal: PortalId,
    id: i64,
    version: i64,
    recheck: &Recheck,
) -> Result<bool, StoreError> {
    let recheck = serde_json::to_string(recheck).map_err(|_| StoreError::Corrupt("recheck"))?;
    let touched = tx
        .execute(
            "UPDATE source SET recheck = $4 WHERE portal_id = $1 AND id = $2 AND version = $3",
            args![portal.0, id, version, recheck],
        )
        .await?;
    Ok(touched > 0)
}

/// Nothing of the hotel is read any more before a person decides. What is being read right now is under an old version:
/// neither is a lot of it kept nor does its end say that all is well.
pub async fn stop_hotel(tx: &Tx, portal: PortalId, hotel: HotelId, detail: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE source SET health = 'stopped', health_detail = $3, version = version + 1
         WHERE portal_id = $1 AND hotel_id = $2",
        args![portal.0, hotel.0, detail],
    )
    .await?;
    Ok(())
}

/// Hotels of the portal that were stopped for this reason.
pub async fn stopped_hotels(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    detail: &str,
) -> Result<HashSet<HotelId>, StoreError> {
    let sql = "SELECT DISTINCT hotel_id FROM source WHERE portal_id = $1 AND health = 'stopped' AND health_detail = $2";
    let rows = via.into().rows(sql, args![portal.0, detail]).await?;
    rows.iter().map(|row| Ok(HotelId(row.get("hotel_id")?))).collect()
}

/// A person decided: what was stopped for this reason is read again.
pub async fn resume_hotel(tx: &Tx, portal: PortalId, hotel: HotelId, detail: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE source SET health = 'new', health_detail = '', failures = 0, next_poll_at = 0
         WHERE portal_id = $1 AND hotel_id = $2 AND health = 'stopped' AND health_detail = $3",
        args![portal.0, hotel.0, detail],
    )
    .await?;
    Ok(())
}

/// Asks for a look as soon as possible (a person pressed a button, an import starts).
pub async fn hurry(db: &Db, portal: PortalId, hotel: HotelId) -> Result<(), StoreError> {
    db.execute("UPDATE source SET next_poll_at = 0 WHERE portal_id = $1 AND hotel_id = $2", args![portal.0, hotel.0])
        .await?;
    Ok(())
}
