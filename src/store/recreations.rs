//! How often records that were deleted were made again: a robot that deletes them is not fought for ever.

use std::collections::HashMap;

use sea_orm::Value;

use super::bulk::{chunk_of, insert, list};
use super::{Db, StoreError, Tx, args};
use crate::domain::PortalId;

/// What was made again before `since` counts no more, and is forgotten.
pub async fn add(tx: &Tx, portal: PortalId, subjects: &[String], now: i64, since: i64) -> Result<(), StoreError> {
    if subjects.is_empty() {
        return Ok(());
    }
    tx.execute("DELETE FROM recreation WHERE portal_id = $1 AND made_at < $2", args![portal.0, since]).await?;
    let rows = subjects.iter().map(|subject| args![portal.0, subject.as_str(), now]).collect();
    let twice = "ON CONFLICT (portal_id, subject, made_at) DO NOTHING";
    insert(tx, "recreation", &["portal_id", "subject", "made_at"], rows, twice).await?;
    Ok(())
}

/// How often since then; who is not among them never was.
pub async fn counts(
    db: &Db,
    portal: PortalId,
    subjects: &[String],
    since: i64,
) -> Result<HashMap<String, i64>, StoreError> {
    let mut found = HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0, since];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, count(*) AS n FROM recreation
             WHERE portal_id = $1 AND made_at >= $2 AND subject IN ({}) GROUP BY subject",
            list(2, chunk.len())
        );
        for row in db.rows(&sql, values).await? {
            found.insert(row.get("subject")?, row.get("n")?);
        }
    }
    Ok(found)
}
