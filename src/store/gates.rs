//! How often something may be asked for, counted once for all nodes.

use super::{Db, StoreError, args};

/// Lets one through unless `burst` went through without `interval` between them. Refused: when to come again (ms).
///
/// One number a gate, as with the portals' request buckets: the moment at which it will be all free again.
pub async fn pass(db: &Db, name: &str, now: i64, interval: i64, burst: i64) -> Result<Result<(), i64>, StoreError> {
    let passed = db
        .execute(
            "INSERT INTO gate (name, free_at) VALUES ($1, $2 + $3)
             ON CONFLICT (name) DO UPDATE SET
                free_at = CASE WHEN gate.free_at > $2 THEN gate.free_at ELSE $2 END + $3
             WHERE gate.free_at <= $2 + $3 * ($4 - 1)",
            args![name, now, interval, burst],
        )
        .await?;
    if passed > 0 {
        return Ok(Ok(()));
    }
    let rows = db.rows("SELECT free_at FROM gate WHERE name = $1", args![name]).await?;
    let free_at: i64 = rows.first().map_or(Ok(now), |row| row.get("free_at"))?;
    Ok(Err((free_at - interval * (burst - 1)).max(now)))
}

/// Forgets gates that are all free again.
pub async fn purge(db: &Db, now: i64) -> Result<u64, StoreError> {
    db.execute("DELETE FROM gate WHERE free_at <= $1", args![now]).await
}
