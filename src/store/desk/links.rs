//! Links to one request (product §5): a secret of which only the hash is kept, with one role, until its day or its revocation.

use crate::domain::PortalId;
use crate::domain::support::Role;
use crate::store::{Db, StoreError, Tx, args};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub desk: PortalId,
    pub request: i64,
    pub role: Role,
    pub expires_at: i64,
}

fn word(role: Role) -> &'static str {
    if role == Role::Representative { "representative" } else { "submitter" }
}

pub async fn add(tx: &Tx, desk: PortalId, token_hash: &str, link: &Link, now: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO desk_link (token_hash, portal_id, request_id, role, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![token_hash, desk.0, link.request, word(link.role), now, link.expires_at],
    )
    .await?;
    Ok(())
}

/// The link whose secret has this hash, while it holds.
pub async fn find(db: &Db, token_hash: &str, now: i64) -> Result<Option<Link>, StoreError> {
    let sql = "SELECT portal_id, request_id, role, expires_at FROM desk_link
         WHERE token_hash = $1 AND expires_at > $2 AND revoked_at IS NULL";
    let rows = db.rows(sql, args![token_hash, now]).await?;
    rows.first()
        .map(|row| {
            let representative = row.get::<String>("role")? == "representative";
            Ok(Link {
                desk: PortalId(row.get("portal_id")?),
                request: row.get("request_id")?,
                role: if representative { Role::Representative } else { Role::Submitter },
                expires_at: row.get("expires_at")?,
            })
        })
        .transpose()
}

/// Every link of a request ends; answers how many held.
pub async fn revoke(tx: &Tx, desk: PortalId, request: i64, now: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE desk_link SET revoked_at = $3
         WHERE portal_id = $1 AND request_id = $2 AND revoked_at IS NULL AND expires_at > $3";
    tx.execute(sql, args![desk.0, request, now]).await
}
