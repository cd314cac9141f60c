//! The system pair of a portal, and who may refresh it now.

use super::{Db, StoreError, Tx, args};
use crate::domain::PortalId;

/// A pair as stored: sealed under the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub access_sealed: Vec<u8>,
    pub refresh_sealed: Vec<u8>,
    pub expires_at: i64,
    /// Grows with each new pair.
    pub version: i64,
    /// Set before a refresh leaves and cleared when its answer is stored: left behind, the pair may be spent.
    pub refresh_owner: Option<String>,
    pub refresh_until: i64,
}

pub async fn get(db: &Db, portal: PortalId) -> Result<Option<TokenRow>, StoreError> {
    let rows = db
        .rows(
            "SELECT access_sealed, refresh_sealed, expires_at, version, refresh_owner, refresh_until
             FROM portal_token WHERE portal_id = $1",
            args![portal.0],
        )
        .await?;
    rows.first()
        .map(|row| {
            Ok(TokenRow {
                access_sealed: row.get("access_sealed")?,
                refresh_sealed: row.get("refresh_sealed")?,
                expires_at: row.get("expires_at")?,
                version: row.get("version")?,
                refresh_owner: row.get("refresh_owner")?,
                refresh_until: row.get("refresh_until")?,
            })
        })
        .transpose()
}

/// A pair from a verified admin's frame or event: it ends any refresh under way.
pub async fn replace(
    tx: &Tx,
    portal: PortalId,
    access: Vec<u8>,
    refresh: Vec<u8>,
    expires_at: i64,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO portal_token (portal_id, access_sealed, refresh_sealed, expires_at, version, updated_at)
         VALUES ($1, $2, $3, $4, 1, $5)
         ON CONFLICT (portal_id) DO UPDATE SET
            access_sealed = excluded.access_sealed, refresh_sealed = excluded.refresh_sealed,
            expires_at = excluded.expires_at, version = portal_token.version + 1,
            refresh_owner = NULL, refresh_until = 0, updated_at = excluded.updated_at",
        args![portal.0, access, refresh, expires_at, now],
    )
    .await?;
    Ok(())
}

/// Takes the right to refresh this very pair. `false`: another has it, or the pair was replaced.
pub async fn claim(
    db: &Db,
    portal: PortalId,
    version: i64,
    owner: &str,
    now: i64,
    until: i64,
) -> Result<bool, StoreError> {
    let touched = db
        .execute(
            "UPDATE portal_token SET refresh_owner = $3, refresh_until = $5
             WHERE portal_id = $1 AND version = $2 AND (refresh_owner IS NULL OR refresh_until <= $4)",
            args![portal.0, version, owner, now, until],
        )
        .await?;
    Ok(touched > 0)
}

/// Stores what the claimed refresh answered. `false`: the pair was replaced meanwhile, the answer is not needed.
pub async fn renew(
    db: &Db,
    portal: PortalId,
    version: i64,
    access: Vec<u8>,
    refresh: Vec<u8>,
    expires_at: i64,
    now: i64,
) -> Result<bool, StoreError> {
    let touched = db
        .execute(
            "UPDATE portal_token SET access_sealed = $3, refresh_sealed = $4, expires_at = $5, version = version + 1,
                    refresh_owner = NULL, refresh_until = 0, updated_at = $6
             WHERE portal_id = $1 AND version = $2",
            args![portal.0, version, access, refresh, expires_at, now],
        )
        .await?;
    Ok(touched > 0)
}

/// The claimed refresh did not happen: the pair is as good as before.
pub async fn unclaim(db: &Db, portal: PortalId, version: i64, owner: &str) -> Result<(), StoreError> {
    db.execute(
        "UPDATE portal_token SET refresh_owner = NULL, refresh_until = 0
         WHERE portal_id = $1 AND version = $2 AND refresh_owner = $3",
        args![portal.0, version, owner],
    )
    .await?;
    Ok(())
}

/// The claimed refresh got no answer: others may try at once, but the pair may be spent, and the row says so.
pub async fn leave_open(db: &Db, portal: PortalId, version: i64, owner: &str) -> Result<(), StoreError> {
    db.execute(
        "UPDATE portal_token SET refresh_until = 0 WHERE portal_id = $1 AND version = $2 AND refresh_owner = $3",
        args![portal.0, version, owner],
    )
    .await?;
    Ok(())
}

pub async fn delete(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM portal_token WHERE portal_id = $1", args![portal.0]).await?;
    Ok(())
}
