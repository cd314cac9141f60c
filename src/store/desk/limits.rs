//! What public forms are held to, over all nodes: captchas count once, and so much comes from one place in a span of time.
//! Names are keyed hashes: no address and no phone stands here.

use crate::store::{Db, StoreError, args};

/// `false`: it was used before.
pub async fn spend(db: &Db, captcha: &str, expires_at: i64) -> Result<bool, StoreError> {
    let sql = "INSERT INTO desk_spent (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    Ok(db.execute(sql, args![captcha, expires_at]).await? > 0)
}

/// Counts one more within the span that began with the first; `false`: there were `most` already.
pub async fn count(db: &Db, name: &str, most: i64, span_ms: i64, now: i64) -> Result<bool, StoreError> {
    let counted = db
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
