//! The desk's settings as one document; every version is kept, the last one holds.

use crate::domain::PortalId;
use crate::store::{Db, StoreError, args};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub version: i64,
    pub document: String,
    pub made_by: i64,
    pub made_at: i64,
}

pub async fn current(db: &Db, desk: PortalId) -> Result<Option<Version>, StoreError> {
    let sql = "SELECT version, document, made_by, made_at FROM desk_settings WHERE portal_id = $1
         ORDER BY version DESC LIMIT 1";
    let rows = db.rows(sql, args![desk.0]).await?;
    rows.first()
        .map(|row| {
            Ok(Version {
                version: row.get("version")?,
                document: row.get("document")?,
                made_by: row.get("made_by")?,
                made_at: row.get("made_at")?,
            })
        })
        .transpose()
}

/// Writes the version after the one that was seen. `false`: somebody else did so meanwhile.
pub async fn save(db: &Db, desk: PortalId, version: &Version) -> Result<bool, StoreError> {
    let saved = db
        .execute(
            "INSERT INTO desk_settings (portal_id, version, document, made_by, made_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (portal_id, version) DO NOTHING",
            args![desk.0, version.version, version.document.as_str(), version.made_by, version.made_at],
        )
        .await?;
    Ok(saved > 0)
}
