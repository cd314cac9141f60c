//! What a portal last told of its own fields, pipelines and stages. No guest's data.

use super::{Db, StoreError, args};
use crate::domain::{CrmSchema, PortalId};

pub async fn save(db: &Db, portal: PortalId, schema: &CrmSchema, now: i64) -> Result<(), StoreError> {
    let document = serde_json::to_string(schema).map_err(|_| StoreError::Corrupt("crm_schema.document"))?;
    db.execute(
        "INSERT INTO crm_schema (portal_id, document, read_at) VALUES ($1, $2, $3)
         ON CONFLICT (portal_id) DO UPDATE SET document = excluded.document, read_at = excluded.read_at",
        args![portal.0, document, now],
    )
    .await?;
    Ok(())
}

/// With the moment it was read.
pub async fn load(db: &Db, portal: PortalId) -> Result<Option<(CrmSchema, i64)>, StoreError> {
    let rows = db.rows("SELECT document, read_at FROM crm_schema WHERE portal_id = $1", args![portal.0]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let schema = serde_json::from_str(&row.get::<String>("document")?)
        .map_err(|_| StoreError::Corrupt("crm_schema.document"))?;
    Ok(Some((schema, row.get("read_at")?)))
}
