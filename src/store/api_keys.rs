//! Keys of integrators. Only a hash of the secret is kept (contract, `/api/v1/keys`).

use std::collections::BTreeMap;

use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelCode, PortalId};

/// One key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    pub id: String,
    pub portal: PortalId,
    /// SHA-256 of the secret, hexadecimal. The secret is 256 random bits, so it needs no slow hash.
    pub hash: String,
    pub label: String,
    /// Stable words, as the API shows them.
    pub grants: Vec<String>,
    /// `None`: every hotel of the portal.
    pub hotels: Option<Vec<HotelCode>>,
    pub made_by: i64,
    /// What he is, as was last seen: a stable word.
    pub maker: String,
    pub created_at: i64,
    pub expires_at: i64,
}

const COLUMNS: &str = "id, portal_id, hash, label, grants, hotels, made_by, maker, created_at, expires_at";

fn read(row: &Row) -> Result<ApiKeyRow, StoreError> {
    let hotels: Option<Vec<HotelCode>> =
        serde_json::from_str(&row.get::<String>("hotels")?).map_err(|_| StoreError::Corrupt("api_key.hotels"))?;
    let grants =
        serde_json::from_str(&row.get::<String>("grants")?).map_err(|_| StoreError::Corrupt("api_key.grants"))?;
    Ok(ApiKeyRow {
        id: row.get("id")?,
        portal: PortalId(row.get("portal_id")?),
        hash: row.get("hash")?,
        label: row.get("label")?,
        grants,
        hotels,
        made_by: row.get("made_by")?,
        maker: row.get("maker")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

/// The key of this id, whoever's it is: the tenant is what the key tells. Nothing may be done with the answer before
/// its hash was compared and its end was checked.
pub async fn find(db: &Db, id: &str) -> Result<Option<ApiKeyRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM api_key WHERE id = $1");
    db.rows(&sql, args![id]).await?.first().map(read).transpose()
}

/// The portal's keys, newest first, run-out ones included.
pub async fn list(db: &Db, portal: PortalId) -> Result<Vec<ApiKeyRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM api_key WHERE portal_id = $1 ORDER BY created_at DESC, id");
    db.rows(&sql, args![portal.0]).await?.iter().map(read).collect()
}

pub async fn create(db: &Db, key: &ApiKeyRow) -> Result<(), StoreError> {
    let grants = serde_json::to_string(&key.grants).map_err(|_| StoreError::Corrupt("api_key.grants"))?;
    let hotels = serde_json::to_string(&key.hotels).map_err(|_| StoreError::Corrupt("api_key.hotels"))?;
    db.execute(
        "INSERT INTO api_key (id, portal_id, hash, label, grants, hotels, made_by, maker, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            key.id.as_str(),
            key.portal.0,
            key.hash.as_str(),
            key.label.as_str(),
            grants,
            hotels,
            key.made_by,
            key.maker.as_str(),
            key.created_at,
            key.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// Who made the portal's keys that have not run out, with what each is.
pub async fn makers(db: &Db, portal: PortalId, now: i64) -> Result<BTreeMap<i64, String>, StoreError> {
    let sql = "SELECT DISTINCT made_by, maker FROM api_key WHERE portal_id = $1 AND expires_at > $2";
    db.rows(sql, args![portal.0, now]).await?.iter().map(|row| Ok((row.get("made_by")?, row.get("maker")?))).collect()
}

/// What the maker of keys is now.
pub async fn set_maker(db: &Db, portal: PortalId, user_id: i64, maker: &str) -> Result<(), StoreError> {
    let sql = "UPDATE api_key SET maker = $3 WHERE portal_id = $1 AND made_by = $2 AND maker <> $3";
    db.execute(sql, args![portal.0, user_id, maker]).await?;
    Ok(())
}

/// `false`: this portal has no such key.
pub async fn delete(db: &Db, portal: PortalId, id: &str) -> Result<bool, StoreError> {
    Ok(db.execute("DELETE FROM api_key WHERE portal_id = $1 AND id = $2", args![portal.0, id]).await? > 0)
}

/// Uninstalling voids every key.
pub async fn delete_all(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM api_key WHERE portal_id = $1", args![portal.0]).await?;
    Ok(())
}
