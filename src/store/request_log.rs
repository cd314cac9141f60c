//! The log of requests to portals (facts §11.2: at least three days): one masked row an HTTP request, sealed under the
//! deployment's key, to its own expiry (product §9).

use super::{Db, Row, StoreError, args};
use crate::bitrix::LogEntry;
use crate::crypto::Keyring;
use crate::domain::PortalId;

const DETAIL: &str = "request_log.detail";

/// How long a row is kept.
pub const KEPT_MS: i64 = 14 * 24 * 3600 * 1000;

#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    pub id: i64,
    pub entry: LogEntry,
}

pub async fn insert(db: &Db, ring: &Keyring, portal: PortalId, entry: &LogEntry) -> Result<(), StoreError> {
    let detail = ring.seal(DETAIL, entry.detail.to_string().as_bytes())?;
    db.execute(
        "INSERT INTO request_log (portal_id, at, method, status, outcome, ms, detail_sealed, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            portal.0,
            entry.at,
            entry.method.as_str(),
            i32::from(entry.status),
            entry.outcome.as_str(),
            entry.ms,
            detail,
            entry.at + KEPT_MS
        ],
    )
    .await?;
    Ok(())
}

/// Which rows to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFilter {
    pub method: Option<String>,
    pub outcome: Option<String>,
}

/// Rows of a portal, newest first, older than `before` (an id of an earlier page).
pub async fn list(
    db: &Db,
    ring: &Keyring,
    portal: PortalId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<LogRow>, StoreError> {
    filtered(db, ring, portal, &LogFilter::default(), before, limit).await
}

/// [`list`], of one method or outcome only.
pub async fn filtered(
    db: &Db,
    ring: &Keyring,
    portal: PortalId,
    only: &LogFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<LogRow>, StoreError> {
    let any = |wanted: &Option<String>| wanted.clone().unwrap_or_default();
    db.rows(
        "SELECT id, at, method, status, outcome, ms, detail_sealed FROM request_log
         WHERE portal_id = $1 AND id < $2 AND ($4 = '' OR method = $4) AND ($5 = '' OR outcome = $5)
         ORDER BY id DESC LIMIT $3",
        args![portal.0, before.unwrap_or(i64::MAX), i64::from(limit), any(&only.method), any(&only.outcome)],
    )
    .await?
    .iter()
    .map(|row| read(ring, row))
    .collect()
}

fn read(ring: &Keyring, row: &Row) -> Result<LogRow, StoreError> {
    let detail = ring.open(DETAIL, &row.get::<Vec<u8>>("detail_sealed")?)?;
    let status: i32 = row.get("status")?;
    Ok(LogRow {
        id: row.get("id")?,
        entry: LogEntry {
            at: row.get("at")?,
            method: row.get("method")?,
            status: u16::try_from(status).map_err(|_| StoreError::Corrupt("request_log.status"))?,
            outcome: row.get("outcome")?,
            ms: row.get("ms")?,
            detail: serde_json::from_slice(&detail).map_err(|_| StoreError::Corrupt("request_log.detail"))?,
        },
    })
}

/// Removes up to `limit` rows that have run out; answers how many, so that the caller knows whether to come again.
pub async fn purge(db: &Db, now: i64, limit: i64) -> Result<u64, StoreError> {
    db.execute(
        "DELETE FROM request_log WHERE id IN
            (SELECT id FROM request_log WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        args![now, limit],
    )
    .await
}
