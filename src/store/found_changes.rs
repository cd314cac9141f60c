//! Changes of a portal's records that were found without waiting for their events, and whether an event told of them.
//! One row a record: of what changed over and over the newest counts.

use std::collections::HashMap;

use sea_orm::Value;

use super::bulk::{chunk_of, insert, list};
use super::{Db, StoreError, Tx, args};
use crate::domain::PortalId;
use crate::domain::event_loss::{EventLoss, IN_TIME_MS, LATEST, WINDOW_MS};

/// By so much our clock and the portal's, told by the portal, may still differ.
const CLOCKS_MS: i64 = 5_000;
/// So many are judged at a time: they say enough of a portal where somebody changes everything at once.
const WAITING: i64 = 200;

/// `found_change.verdict`
const OPEN: i32 = 0;
const TOLD: i32 = 1;
const MISSED: i32 = 2;

/// Which of these changes (a subject and our clock's time of it) an event has told of so far. One that waits to be looked
/// at tells of whatever comes after it, too: its repeats add no row. Where the clocks differ by a little a change is looked at
/// once more than needed; one that came right after an event is not taken for told.
pub async fn told(tx: &Tx, portal: PortalId, changes: &[(String, i64)]) -> Result<Vec<bool>, StoreError> {
    let since = changes.iter().map(|(_, at)| *at).min().unwrap_or_default();
    let mut heard: HashMap<String, i64> = HashMap::new();
    for chunk in changes.chunks(chunk_of(1)) {
        let mut values = args![portal.0, since];
        values.extend(chunk.iter().map(|(subject, _)| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, state, received_at FROM inbox
             WHERE portal_id = $1 AND kind = 'event' AND (state = 0 OR received_at >= $2) AND subject IN ({})",
            list(2, chunk.len())
        );
        for row in tx.rows(&sql, values).await? {
            let waits = row.get::<i32>("state")? == 0;
            let at = if waits { i64::MAX } else { row.get("received_at")? };
            let newest = heard.entry(row.get("subject")?).or_insert(at);
            *newest = at.max(*newest);
        }
    }
    let told = |(subject, at): &(String, i64)| heard.get(subject).is_some_and(|heard| heard >= at);
    Ok(changes.iter().map(told).collect())
}

/// Notes what was found, to be judged once its event cannot come in time any more.
pub async fn note(tx: &Tx, portal: PortalId, changes: &[(String, i64)]) -> Result<(), StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM found_change WHERE portal_id = $1 AND verdict = $2";
    let waiting: i64 = tx.rows(sql, args![portal.0, OPEN]).await?.first().map_or(Ok(0), |row| row.get("n"))?;
    let room = usize::try_from(WAITING - waiting).unwrap_or_default();
    let rows = changes.iter().take(room).map(|(subject, at)| args![portal.0, subject.as_str(), *at, OPEN]).collect();
    insert(
        tx,
        "found_change",
        &["portal_id", "subject", "changed_at", "verdict"],
        rows,
        "ON CONFLICT (portal_id, subject) DO UPDATE SET changed_at = excluded.changed_at, verdict = excluded.verdict
         WHERE found_change.verdict <> excluded.verdict AND found_change.changed_at < excluded.changed_at",
    )
    .await?;
    Ok(())
}

/// Judges what can be judged by now, and forgets what is too old to say anything.
pub async fn judge(db: &Db, portal: PortalId, now: i64) -> Result<(), StoreError> {
    let told = "UPDATE found_change SET verdict = $2 WHERE portal_id = $1 AND verdict = $3 AND EXISTS (
            SELECT 1 FROM inbox WHERE inbox.portal_id = found_change.portal_id AND inbox.kind = 'event'
              AND inbox.subject = found_change.subject AND inbox.received_at >= found_change.changed_at - $4
              AND inbox.received_at <= found_change.changed_at + $5)";
    db.execute(told, args![portal.0, TOLD, OPEN, CLOCKS_MS, IN_TIME_MS]).await?;
    let missed = "UPDATE found_change SET verdict = $2 WHERE portal_id = $1 AND verdict = $3 AND changed_at < $4";
    db.execute(missed, args![portal.0, MISSED, OPEN, now - IN_TIME_MS]).await?;
    let old = "DELETE FROM found_change WHERE portal_id = $1 AND changed_at < $2";
    db.execute(old, args![portal.0, now - WINDOW_MS]).await?;
    Ok(())
}

/// Of the newest changes of the last day, by portal.
const LOSSES: &str = "SELECT portal_id, COUNT(*) AS changes, COUNT(CASE WHEN verdict = $1 THEN 1 END) AS missed FROM (
        SELECT portal_id, verdict, ROW_NUMBER() OVER (PARTITION BY portal_id ORDER BY changed_at DESC, subject) AS place
        FROM found_change WHERE verdict <> $2 AND changed_at >= $3";

fn read(row: &super::Row) -> Result<EventLoss, StoreError> {
    Ok(EventLoss { changes: row.get("changes")?, missed: row.get("missed")? })
}

pub async fn loss(db: &Db, portal: PortalId, now: i64) -> Result<EventLoss, StoreError> {
    let sql = format!("{LOSSES} AND portal_id = $5) newest WHERE place <= $4 GROUP BY portal_id");
    let rows = db.rows(&sql, args![MISSED, OPEN, now - WINDOW_MS, LATEST, portal.0]).await?;
    rows.first().map_or(Ok(EventLoss::default()), read)
}

/// Over all portals that are worked for.
pub async fn losses(db: &Db, now: i64) -> Result<Vec<(PortalId, EventLoss)>, StoreError> {
    let sql = format!(
        "{LOSSES}) newest WHERE place <= $4
           AND portal_id IN (SELECT id FROM portal WHERE status = 'active' AND installed = $5) GROUP BY portal_id"
    );
    let rows = db.rows(&sql, args![MISSED, OPEN, now - WINDOW_MS, LATEST, true]).await?;
    rows.iter().map(|row| Ok((PortalId(row.get("portal_id")?), read(row)?))).collect()
}
