//! Versions of a hotel's mapping; one of them is active. A hotel without any uses the standard one.

use super::{Db, StoreError, args};
use crate::domain::{HotelId, Mapping, PortalId};

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
    let document: String = row.get("document")?;
    let mapping = serde_json::from_str(&document).map_err(|_| StoreError::Corrupt("mapping.document"))?;
    Ok((row.get("version")?, mapping))
}
