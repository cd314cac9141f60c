//! Answers kept for `Idempotency-Key` (contract, "HTTP"): scoped to tenant, principal and route, sealed, 24 hours.

use super::{Db, Row, StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::PortalId;

const ANSWER: &str = "idempotency.body";

/// How long an answer is repeated.
pub const KEPT_MS: i64 = 24 * 3600 * 1000;

/// After this long without an answer the first try is taken for dead (its process ended) and another may act.
pub const ABANDONED_MS: i64 = 120 * 1000;

/// What one key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub portal: PortalId,
    /// `user:<id>` or `key:<id>`.
    pub principal: String,
    /// Method and path, with the path's values.
    pub route: String,
    pub key: String,
}

/// What to do with a request that carries a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody did it yet: act, then [`finish`] or [`abandon`]. The stamp proves whose turn it is.
    Act { stamp: i64 },
    /// It was done: repeat this answer.
    Repeat { status: u16, body: Vec<u8> },
    /// The same key stands for another body.
    OtherBody,
    /// Another request with this key is being carried out.
    Busy,
}

/// Claims the key, or says what became of its first use.
pub async fn begin(db: &Db, key: &TenantKey, scope: &Scope, body_hash: &str, now: i64) -> Result<Begun, StoreError> {
    // One statement claims a new key, one run out, and one whose first try died: two concurrent requests cannot both.
    let claimed = db
        .execute(
            "INSERT INTO idempotency (portal_id, principal, route, key, body_hash, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (portal_id, principal, route, key) DO UPDATE SET
                body_hash = excluded.body_hash, status = NULL, body_sealed = NULL, created_at = excluded.created_at
             WHERE idempotency.created_at <= $7
                OR (idempotency.status IS NULL AND idempotency.created_at <= $8
                    AND idempotency.body_hash = excluded.body_hash)",
            args![
                scope.portal.0,
                scope.principal.as_str(),
                scope.route.as_str(),
                scope.key.as_str(),
                body_hash,
                now,
                now - KEPT_MS,
                now - ABANDONED_MS
            ],
        )
        .await?;
    if claimed > 0 {
        return Ok(Begun::Act { stamp: now });
    }
    let rows = db
        .rows(
            "SELECT body_hash, status, body_sealed FROM idempotency
             WHERE portal_id = $1 AND principal = $2 AND route = $3 AND key = $4",
            scope_args(scope),
        )
        .await?;
    match rows.first() {
        // Abandoned between the two statements: the caller's next try claims it.
        None => Ok(Begun::Busy),
        Some(row) => judge(key, row, body_hash),
    }
}

fn scope_args(scope: &Scope) -> Vec<sea_orm::Value> {
    args![scope.portal.0, scope.principal.as_str(), scope.route.as_str(), scope.key.as_str()]
}

fn judge(key: &TenantKey, row: &Row, body_hash: &str) -> Result<Begun, StoreError> {
    if row.get::<String>("body_hash")? != body_hash {
        return Ok(Begun::OtherBody);
    }
    let (Some(status), Some(sealed)) = (row.get::<Option<i32>>("status")?, row.get::<Option<Vec<u8>>>("body_sealed")?)
    else {
        return Ok(Begun::Busy);
    };
    let status = u16::try_from(status).map_err(|_| StoreError::Corrupt("idempotency.status"))?;
    Ok(Begun::Repeat { status, body: key.open(ANSWER, &sealed)? })
}

/// Keeps the answer. Nothing happens if the claim was taken over meanwhile.
pub async fn finish(
    db: &Db,
    key: &TenantKey,
    scope: &Scope,
    stamp: i64,
    status: u16,
    body: &[u8],
) -> Result<(), StoreError> {
    let sealed = key.seal(ANSWER, body)?;
    let mut values = scope_args(scope);
    values.extend(args![i32::from(status), sealed, stamp]);
    db.execute(
        "UPDATE idempotency SET status = $5, body_sealed = $6
         WHERE portal_id = $1 AND principal = $2 AND route = $3 AND key = $4 AND status IS NULL AND created_at = $7",
        values,
    )
    .await?;
    Ok(())
}

/// Nothing was done (the request was refused, or we failed): the key is free again.
pub async fn abandon(db: &Db, scope: &Scope, stamp: i64) -> Result<(), StoreError> {
    let mut values = scope_args(scope);
    values.extend(args![stamp]);
    db.execute(
        "DELETE FROM idempotency
         WHERE portal_id = $1 AND principal = $2 AND route = $3 AND key = $4 AND status IS NULL AND created_at = $5",
        values,
    )
    .await?;
    Ok(())
}

/// Forgets answers older than 24 hours, of every tenant, in steps of `limit`; answers how many.
pub async fn purge(db: &Db, now: i64, limit: i64) -> Result<u64, StoreError> {
    db.execute(
        "DELETE FROM idempotency WHERE (portal_id, principal, route, key) IN
            (SELECT portal_id, principal, route, key FROM idempotency WHERE created_at <= $1 LIMIT $2)",
        args![now - KEPT_MS, limit],
    )
    .await
}

/// Answers about requests to support: one of them was erased.
pub async fn forget_requests(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    let sql = "DELETE FROM idempotency WHERE portal_id = $1 AND status IS NOT NULL AND route LIKE '%/v1/requests%'";
    tx.execute(sql, args![portal.0]).await?;
    Ok(())
}
