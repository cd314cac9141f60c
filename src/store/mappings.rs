//! Versions of a hotel's mapping; one of them is active. A hotel without any uses the standard one.

use std::collections::HashMap;

use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, Mapping, PortalId};

/// The mapping in force and its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// 0: the standard one.
    pub version: i64,
    pub mapping: Mapping,
}

impl Default for Active {
    fn default() -> Self {
        Self { version: 0, mapping: Mapping::standard() }
    }
}

/// A version as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    pub version: i64,
    pub active: bool,
    /// 0: an integrator's key.
    pub made_by: i64,
    pub created_at: i64,
}

fn read(row: &Row) -> Result<Active, StoreError> {
    let mapping =
        serde_json::from_str(&row.get::<String>("document")?).map_err(|_| StoreError::Corrupt("mapping.document"))?;
    Ok(Active { version: row.get("version")?, mapping })
}

pub async fn active(db: &Db, portal: PortalId, hotel: HotelId) -> Result<Active, StoreError> {
    let rows = db
        .rows(
            "SELECT version, document FROM mapping WHERE portal_id = $1 AND hotel_id = $2 AND active = $3
             ORDER BY version DESC LIMIT 1",
            args![portal.0, hotel.0, true],
        )
        .await?;
    rows.first().map_or_else(|| Ok(Active::default()), read)
}

/// One version, in force or not; 0 is always there.
pub async fn version(db: &Db, portal: PortalId, hotel: HotelId, version: i64) -> Result<Option<Mapping>, StoreError> {
    if version == 0 {
        return Ok(Some(Mapping::standard()));
    }
    let sql = "SELECT version, document FROM mapping WHERE portal_id = $1 AND hotel_id = $2 AND version = $3";
    let rows = db.rows(sql, args![portal.0, hotel.0, version]).await?;
    rows.first().map(|row| Ok(read(row)?.mapping)).transpose()
}

/// The active mappings of the hotels that have one of their own.
pub async fn of_portal(db: &Db, portal: PortalId) -> Result<HashMap<HotelId, Active>, StoreError> {
    // The latest comes last and stays.
    let sql = "SELECT hotel_id, version, document FROM mapping WHERE portal_id = $1 AND active = $2 ORDER BY version";
    let rows = db.rows(sql, args![portal.0, true]).await?;
    rows.iter().map(|row| Ok((HotelId(row.get("hotel_id")?), read(row)?))).collect()
}

/// The versions people saved, the newest first.
pub async fn versions(db: &Db, portal: PortalId, hotel: HotelId, limit: i64) -> Result<Vec<VersionRow>, StoreError> {
    let rows = db
        .rows(
            "SELECT version, active, made_by, created_at FROM mapping WHERE portal_id = $1 AND hotel_id = $2
             ORDER BY version DESC LIMIT $3",
            args![portal.0, hotel.0, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(VersionRow {
                version: row.get("version")?,
                active: row.get("active")?,
                made_by: row.get("made_by")?,
                created_at: row.get("created_at")?,
            })
        })
        .collect()
}

/// The number of the newest version; 0: none was saved.
pub async fn latest(db: &Db, portal: PortalId, hotel: HotelId) -> Result<i64, StoreError> {
    let sql = "SELECT COALESCE(MAX(version), 0) AS version FROM mapping WHERE portal_id = $1 AND hotel_id = $2";
    let rows = db.rows(sql, args![portal.0, hotel.0]).await?;
    rows.first().map_or(Ok(0), |row| row.get("version"))
}

/// A new version, not in force, after `latest`; `false`: somebody else has saved one meanwhile.
pub async fn add(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    latest: i64,
    mapping: &Mapping,
    by: i64,
    now: i64,
) -> Result<bool, StoreError> {
    let document = serde_json::to_string(mapping).map_err(|_| StoreError::Corrupt("mapping.document"))?;
    let added = db
        .execute(
            "INSERT INTO mapping (portal_id, hotel_id, version, document, active, made_by, created_at)
             SELECT $1, $2, $3 + 1, $4, $5, $6, $7
             WHERE (SELECT COALESCE(MAX(version), 0) FROM mapping WHERE portal_id = $1 AND hotel_id = $2) = $3
             ON CONFLICT (portal_id, hotel_id, version) DO NOTHING",
            args![portal.0, hotel.0, latest, document, false, by, now],
        )
        .await?;
    Ok(added > 0)
}

/// This version is in force and no other; 0: the standard one.
pub async fn activate(tx: &Tx, portal: PortalId, hotel: HotelId, version: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE mapping SET active = (version = $3) WHERE portal_id = $1 AND hotel_id = $2",
        args![portal.0, hotel.0, version],
    )
    .await?;
    Ok(())
}
