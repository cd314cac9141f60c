//! Wrapped tenant keys, and the list of those destroyed (product §9).

use super::{Db, StoreError, Tx, args};
use crate::crypto::{Keyring, TenantKey};
use crate::domain::PortalId;

/// What a tenant's ordinary data is sealed under.
pub const DATA: &str = "data";
/// What was said in and of the tenant's support requests.
pub const REQUESTS: &str = "requests";
/// Evidence of consent: kept to its term, whatever becomes of the installation (product §9).
pub const CONSENT: &str = "consent";

/// The tenant's key, made at first use. [`StoreError::KeyDestroyed`] once it was destroyed.
pub async fn obtain(db: &Db, ring: &Keyring, portal: PortalId, now: i64) -> Result<TenantKey, StoreError> {
    obtain_for(db, ring, portal, DATA, now).await
}

/// The tenant's key for this purpose, made at first use.
pub async fn obtain_for(
    db: &Db,
    ring: &Keyring,
    portal: PortalId,
    purpose: &'static str,
    now: i64,
) -> Result<TenantKey, StoreError> {
    if let Some(key) = find_for(db, ring, portal, purpose).await? {
        return Ok(key);
    }
    let wrapped = TenantKey::generate().wrap(ring)?;
    db.execute(
        "INSERT INTO tenant_key (portal_id, purpose, master_key_id, wrapped, created_at)
         SELECT $1, $2, $3, $4, $5
         WHERE NOT EXISTS (SELECT 1 FROM destroyed_key WHERE portal_id = $1 AND purpose = $2)
         ON CONFLICT (portal_id, purpose) DO NOTHING",
        args![portal.0, purpose, ring.current_id(), wrapped, now],
    )
    .await?;
    // Another node may have made it first: what is stored is the key.
    find_for(db, ring, portal, purpose).await?.ok_or(StoreError::KeyDestroyed)
}

async fn find_for(
    db: &Db,
    ring: &Keyring,
    portal: PortalId,
    purpose: &'static str,
) -> Result<Option<TenantKey>, StoreError> {
    let rows = db
        .rows("SELECT wrapped FROM tenant_key WHERE portal_id = $1 AND purpose = $2", args![portal.0, purpose])
        .await?;
    if let Some(row) = rows.first() {
        let wrapped: Vec<u8> = row.get("wrapped")?;
        return Ok(Some(TenantKey::open_wrapped(ring, &wrapped)?));
    }
    let destroyed = db
        .rows("SELECT 1 AS one FROM destroyed_key WHERE portal_id = $1 AND purpose = $2", args![portal.0, purpose])
        .await?;
    if destroyed.is_empty() { Ok(None) } else { Err(StoreError::KeyDestroyed) }
}

/// Destroys the tenant's keys, but not that of consents, and notes that it was done, in the caller's transaction.
pub async fn destroy(tx: &Tx, portal: PortalId, now: i64) -> Result<(), StoreError> {
    // Also where no key was made yet: a worker that asks later must not make one.
    for purpose in [DATA, REQUESTS] {
        tx.execute(
            "INSERT INTO destroyed_key (portal_id, purpose, destroyed_at) VALUES ($1, $2, $3)
             ON CONFLICT (portal_id, purpose) DO NOTHING",
            args![portal.0, purpose, now],
        )
        .await?;
    }
    tx.execute("DELETE FROM tenant_key WHERE portal_id = $1 AND purpose <> $2", args![portal.0, CONSENT]).await?;
    Ok(())
}

/// Master key ids under which rows are sealed but which are not configured: `serve` refuses to start on any.
pub async fn unknown_key_ids(db: &Db, ring: &Keyring) -> Result<Vec<String>, StoreError> {
    let mut unknown = std::collections::BTreeSet::new();
    for row in db.rows("SELECT DISTINCT master_key_id FROM tenant_key", vec![]).await? {
        let id: String = row.get("master_key_id")?;
        if !ring.knows(&id) {
            unknown.insert(id);
        }
    }
    for (table, column) in MASTER_SEALED {
        // The key id is the head of the sealed bytes: its length, then the id (see `crypto::Keyring::seal`).
        let sql = format!("SELECT DISTINCT substr({column}, 1, 1) AS head FROM {table} WHERE {column} IS NOT NULL");
        for row in db.rows(&sql, vec![]).await? {
            let first: Vec<u8> = row.get("head")?;
            let length = first.first().copied().ok_or(StoreError::Corrupt("a sealed column"))?;
            let sql = format!(
                "SELECT DISTINCT substr({column}, 1, $2) AS head FROM {table} WHERE substr({column}, 1, 1) = $1"
            );
            for row in db.rows(&sql, args![first, i32::from(length) + 1]).await? {
                let head: Vec<u8> = row.get("head")?;
                let id = Keyring::key_id(&head).ok_or(StoreError::Corrupt("a sealed column"))?;
                if !ring.knows(id) {
                    unknown.insert(id.to_owned());
                }
            }
        }
    }
    // The log is long, and written in the order of time: its ends tell under which keys it was written.
    for end in ["ASC", "DESC"] {
        let sql = format!("SELECT detail_sealed FROM request_log ORDER BY id {end} LIMIT 1");
        for row in db.rows(&sql, vec![]).await? {
            let sealed: Vec<u8> = row.get("detail_sealed")?;
            let id = Keyring::key_id(&sealed).ok_or(StoreError::Corrupt("request_log.detail_sealed"))?;
            if !ring.knows(id) {
                unknown.insert(id.to_owned());
            }
        }
    }
    Ok(unknown.into_iter().collect())
}

/// Every column sealed under a master key directly, but the request log's.
const MASTER_SEALED: &[(&str, &str)] = &[
    ("portal", "application_token_sealed"),
    ("portal_token", "access_sealed"),
    ("portal_token", "refresh_sealed"),
    ("late_install", "event_sealed"),
];
