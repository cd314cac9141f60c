//! What public forms are held to, over all nodes: captchas count once, and so much comes from one place in a span of time.
//! Names are keyed hashes: no address and no phone stands here.

use crate::store::bulk::Via;
use crate::store::{Db, StoreError, args};

/// What has a name and happens once until its end: a captcha that is used, a deed that is done. `false`: it happened before.
pub async fn spend(via: impl Into<Via<'_>>, name: &str, expires_at: i64, now: i64) -> Result<bool, StoreError> {
    let sql = "INSERT INTO desk_spent (id, expires_at) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at WHERE desk_spent.expires_at <= $3";
    Ok(via.into().execute(sql, args![name, expires_at, now]).await? > 0)
}

/// Whether it happened, and its end has not come.
pub async fn is_spent(db: &Db, name: &str, now: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM desk_spent WHERE id = $1 AND expires_at > $2";
    Ok(!db.rows(sql, args![name, now]).await?.is_empty())
}

/// Counts one more within the span that began with the first; `false`: there were `most` already.
pub async fn count(via: impl Into<Via<'_>>, name: &str, most: i64, span_ms: i64, now: i64) -> Result<bool, StoreError> {
    let counted = via
        .into()
        .execute(
            "INSERT INTO desk_count (name, used, until) VALUES ($1, 1, $3)
             ON CONFLICT (name) DO UPDATE SET
                used = CASE WHEN desk_count.until <= $4 THEN 1 ELSE desk_count.used + 1 END,
                until = CASE WHEN desk_count.until <= $4 THEN excluded.until ELSE desk_count.until END
             WHERE desk_count.until <= $4 OR desk_count.used < $2",
            args![name, most, now.saturating_add(span_ms), now],
        )
        .await?;
    Ok(counted > 0)
}

/// Forgets what is over, in steps of `limit`.
pub async fn purge(db: &Db, now: i64, limit: i64) -> Result<u64, StoreError> {
    let spent = "DELETE FROM desk_spent WHERE id IN (SELECT id FROM desk_spent WHERE expires_at <= $1 LIMIT $2)";
    let counts = "DELETE FROM desk_count WHERE name IN (SELECT name FROM desk_count WHERE until <= $1 LIMIT $2)";
    Ok(db.execute(spent, args![now, limit]).await? + db.execute(counts, args![now, limit]).await?)
}
