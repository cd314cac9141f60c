//! Versions of a hotel's mapping; one of them is active. A hotel without any uses the standard one.

use std::collections::HashMap;

use super::{Db, Row, StoreError, args};
use crate::domain::{HotelId, Mapping, PortalId};

fn read(row: &Row) -> Result<Mapping, StoreError> {
    serde_json::from_str(&row.get::<String>("document")?).map_err(|_| StoreError::Corrupt("mapping.document"))
}

/// The active mapping and its version (0: the standard one).
pub async fn active(db: &Db, portal: PortalId, hotel: HotelId) -> Result<(i64, Mapping), StoreError> {
    let rows = db
        .rows(
            "SELECT version, document FROM mapping WHERE portal_id = $1 AND hotel_id = $2 AND active = $3
             ORDER BY version DESC LIMIT 1",
            args![portal.0, hotel.0, true],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok((0, Mapping::standard())) };
    Ok((row.get("version")?, read(row)?))
}

/// The active mappings of the hotels that have one of their own.
pub async fn of_portal(db: &Db, portal: PortalId) -> Result<HashMap<HotelId, Mapping>, StoreError> {
    // The latest comes last and stays.
    let sql = "SELECT hotel_id, document FROM mapping WHERE portal_id = $1 AND active = $2 ORDER BY version";
    let rows = db.rows(sql, args![portal.0, true]).await?;
    rows.iter().map(|row| Ok((HotelId(row.get("hotel_id")?), read(row)?))).collect()
}
