//! Hotels of a portal. A code is taken for ever: a removed hotel leaves a tombstone (product §1, §4).

use serde::{Deserialize, Serialize};

use super::{Db, Row, StoreError, Tx, Via, args};
use crate::domain::{Currency, HotelCode, HotelId, PortalId};

/// One hotel as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct HotelRow {
    pub id: HotelId,
    pub portal: PortalId,
    pub code: HotelCode,
    pub name: String,
    /// IANA name.
    pub timezone: String,
    pub currency: Currency,
    pub settings: HotelSettings,
    /// How far its PMS's clock is ahead of ours, as last measured.
    pub clock_ahead_ms: i64,
    pub created_at: i64,
    /// Set on a tombstone.
    pub removed_at: Option<i64>,
}

/// What a hotel carries besides its columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HotelSettings {
    /// Addresses (host, port and path) of the sources a removed hotel had, by which it is known again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub former_sources: Vec<String>,
    /// A demo hotel, for life: it never becomes a real one, and its records go with it (product §4).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub demo: bool,
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// What a person may change of a hotel.
#[derive(Debug, Clone, PartialEq)]
pub struct HotelFacts {
    pub name: String,
    pub timezone: String,
    pub currency: Currency,
}

const COLUMNS: &str = "id, portal_id, code, name, timezone, currency, settings, clock_ahead_ms, created_at, removed_at";

fn read(row: &Row) -> Result<HotelRow, StoreError> {
    let code = HotelCode::parse(&row.get::<String>("code")?).map_err(|_| StoreError::Corrupt("hotel.code"))?;
    let currency =
        Currency::parse(&row.get::<String>("currency")?).map_err(|_| StoreError::Corrupt("hotel.currency"))?;
    let settings =
        serde_json::from_str(&row.get::<String>("settings")?).map_err(|_| StoreError::Corrupt("hotel.settings"))?;
    Ok(HotelRow {
        id: HotelId(row.get("id")?),
        portal: PortalId(row.get("portal_id")?),
        code,
        name: row.get("name")?,
        timezone: row.get("timezone")?,
        currency,
        settings,
        clock_ahead_ms: row.get("clock_ahead_ms")?,
        created_at: row.get("created_at")?,
        removed_at: row.get("removed_at")?,
    })
}

/// The portal's hotels in order of their codes, without tombstones.
pub async fn list(db: &Db, portal: PortalId) -> Result<Vec<HotelRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM hotel WHERE portal_id = $1 AND removed_at IS NULL ORDER BY code");
    db.rows(&sql, args![portal.0]).await?.iter().map(read).collect()
}

/// The same with tombstones.
pub async fn all(db: &Db, portal: PortalId) -> Result<Vec<HotelRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM hotel WHERE portal_id = $1 ORDER BY code");
    db.rows(&sql, args![portal.0]).await?.iter().map(read).collect()
}

/// Every hotel's code by our key, tombstones included.
pub async fn codes(db: &Db, portal: PortalId) -> Result<Vec<(HotelId, HotelCode)>, StoreError> {
    let rows = db.rows("SELECT id, code FROM hotel WHERE portal_id = $1", args![portal.0]).await?;
    rows.iter()
        .map(|row| {
            let code = HotelCode::parse(&row.get::<String>("code")?).map_err(|_| StoreError::Corrupt("hotel.code"))?;
            Ok((HotelId(row.get("id")?), code))
        })
        .collect()
}

/// A hotel that was not removed.
pub async fn by_code(db: &Db, portal: PortalId, code: &HotelCode) -> Result<Option<HotelRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM hotel WHERE portal_id = $1 AND code = $2 AND removed_at IS NULL");
    db.rows(&sql, args![portal.0, code.as_str()]).await?.first().map(read).transpose()
}

/// A hotel by our key, removed ones included (links and stays of a removed hotel keep its key).
pub async fn by_id(via: impl Into<Via<'_>>, portal: PortalId, id: HotelId) -> Result<Option<HotelRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM hotel WHERE portal_id = $1 AND id = $2");
    via.into().rows(&sql, args![portal.0, id.0]).await?.first().map(read).transpose()
}

/// Whoever holds the code, tombstones included.
pub async fn holder(tx: &Tx, portal: PortalId, code: &HotelCode) -> Result<Option<HotelRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM hotel WHERE portal_id = $1 AND code = $2");
    tx.rows(&sql, args![portal.0, code.as_str()]).await?.first().map(read).transpose()
}

/// Hotels of a portal are added one after another: what a code or the demo's place is found to be stays so to the end of
/// the transaction.
pub async fn in_turn(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    tx.execute("UPDATE portal SET member_id = member_id WHERE id = $1", args![portal.0]).await?;
    Ok(())
}

/// `None`: the code is held already, by a hotel or a tombstone.
pub async fn create(
    tx: &Tx,
    portal: PortalId,
    code: &HotelCode,
    facts: &HotelFacts,
    now: i64,
) -> Result<Option<HotelId>, StoreError> {
    let rows = tx
        .rows(
            "INSERT INTO hotel (portal_id, code, name, timezone, currency, created_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (portal_id, code) DO NOTHING RETURNING id",
            args![portal.0, code.as_str(), facts.name.as_str(), facts.timezone.as_str(), facts.currency.as_str(), now],
        )
        .await?;
    rows.first().map(|row| Ok(HotelId(row.get("id")?))).transpose()
}

/// What a hotel carries besides its columns.
pub async fn set_settings(tx: &Tx, portal: PortalId, id: HotelId, settings: &HotelSettings) -> Result<(), StoreError> {
    let settings = serde_json::to_string(settings).map_err(|_| StoreError::Corrupt("hotel.settings"))?;
    tx.execute("UPDATE hotel SET settings = $3 WHERE portal_id = $1 AND id = $2", args![portal.0, id.0, settings])
        .await?;
    Ok(())
}

/// What its PMS's clock was measured to be off.
pub async fn set_clock(db: &Db, portal: PortalId, id: HotelId, ahead_ms: i64) -> Result<(), StoreError> {
    let sql = "UPDATE hotel SET clock_ahead_ms = $3 WHERE portal_id = $1 AND id = $2";
    db.execute(sql, args![portal.0, id.0, ahead_ms]).await?;
    Ok(())
}

/// Changes a hotel, or brings a removed one back under its code and key.
pub async fn update(tx: &Tx, portal: PortalId, id: HotelId, facts: &HotelFacts) -> Result<bool, StoreError> {
    let touched = tx
        .execute(
            "UPDATE hotel SET name = $3, timezone = $4, currency = $5, removed_at = NULL
             WHERE portal_id = $1 AND id = $2",
            args![portal.0, id.0, facts.name.as_str(), facts.timezone.as_str(), facts.currency.as_str()],
        )
        .await?;
    Ok(touched > 0)
}

/// Leaves a tombstone that remembers by which sources the hotel was reached.
pub async fn remove(tx: &Tx, hotel: &HotelRow, former_sources: Vec<String>, now: i64) -> Result<bool, StoreError> {
    let settings = HotelSettings { former_sources, ..hotel.settings.clone() };
    let settings = serde_json::to_string(&settings).map_err(|_| StoreError::Corrupt("hotel.settings"))?;
    let touched = tx
        .execute(
            "UPDATE hotel SET removed_at = $3, settings = $4 WHERE portal_id = $1 AND id = $2 AND removed_at IS NULL",
            args![hotel.portal.0, hotel.id.0, now, settings],
        )
        .await?;
    Ok(touched > 0)
}
