//! Installation events that nobody could verify when they came, sealed under the master key until somebody can.

use super::{Db, StoreError, Tx, args};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateInstall {
    pub id: i64,
    pub event_sealed: Vec<u8>,
    pub received_at: i64,
}

/// Keeps an event unless there are `most` of its member or `most_of_all` already. `false`: it was not kept.
pub async fn keep(
    db: &Db,
    member_id: &str,
    event_sealed: Vec<u8>,
    received_at: i64,
    due_at: i64,
    most: i64,
    most_of_all: i64,
) -> Result<bool, StoreError> {
    let kept = db
        .execute(
            "INSERT INTO late_install (member_id, event_sealed, received_at, due_at)
             SELECT $1, $2, $3, $4
             WHERE (SELECT count(*) FROM late_install WHERE member_id = $1) < $5
               AND (SELECT count(*) FROM late_install) < $6",
            args![member_id, event_sealed, received_at, due_at, most, most_of_all],
        )
        .await?;
    Ok(kept > 0)
}

/// Those to be tried now, the oldest first.
pub async fn due(db: &Db, now: i64, limit: i64) -> Result<Vec<LateInstall>, StoreError> {
    let sql = "SELECT id, event_sealed, received_at FROM late_install WHERE due_at <= $1 ORDER BY id LIMIT $2";
    let rows = db.rows(sql, args![now, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(LateInstall {
                id: row.get("id")?,
                event_sealed: row.get("event_sealed")?,
                received_at: row.get("received_at")?,
            })
        })
        .collect()
}

pub async fn postpone(db: &Db, id: i64, due_at: i64) -> Result<(), StoreError> {
    db.execute("UPDATE late_install SET due_at = $2 WHERE id = $1", args![id, due_at]).await?;
    Ok(())
}

pub async fn delete(db: &Db, id: i64) -> Result<(), StoreError> {
    db.execute("DELETE FROM late_install WHERE id = $1", args![id]).await?;
    Ok(())
}

/// Takes away what came for this member until then: its portal was installed by something no older.
pub async fn delete_until(tx: &Tx, member_id: &str, received_at: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM late_install WHERE member_id = $1 AND received_at <= $2";
    tx.execute(sql, args![member_id, received_at]).await?;
    Ok(())
}

/// How many wait.
pub async fn count(db: &Db) -> Result<i64, StoreError> {
    let rows = db.rows("SELECT count(*) AS n FROM late_install", vec![]).await?;
    rows.first().map_or(Ok(0), |row| row.get("n"))
}
