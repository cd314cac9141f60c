//! Who has work: portals and nothing else, for the loops that decide where to look next.

use super::{Db, StoreError, args};
use crate::domain::PortalId;

async fn portals(db: &Db, sql: &str, args: Vec<sea_orm::Value>) -> Result<Vec<PortalId>, StoreError> {
    db.rows(sql, args).await?.iter().map(|row| Ok(PortalId(row.get("portal_id")?))).collect()
}

/// Portals with something to decide, or with somebody to erase.
pub async fn to_decide(db: &Db, now: i64) -> Result<Vec<PortalId>, StoreError> {
    portals(
        db,
        "SELECT portal_id FROM inbox WHERE state = 0 AND not_before <= $1
         UNION SELECT portal_id FROM erasure WHERE stage <> 'done' AND due_at <= $1",
        args![now],
    )
    .await
}

/// Portals with something to send or to settle.
pub async fn to_deliver(db: &Db, now: i64) -> Result<Vec<PortalId>, StoreError> {
    portals(
        db,
        "SELECT DISTINCT portal_id FROM outbox
         WHERE (state = 0 AND not_before <= $1) OR (state = 1 AND hold_until <= $1)",
        args![now],
    )
    .await
}

/// Portals whose next delta scan is due.
pub async fn to_scan(db: &Db, now: i64) -> Result<Vec<PortalId>, StoreError> {
    portals(db, "SELECT DISTINCT portal_id FROM crm_scan WHERE phase = 'delta' AND next_at <= $1", args![now]).await
}

/// Portals with records to be taken along to another mapping.
pub async fn to_remap(db: &Db) -> Result<Vec<PortalId>, StoreError> {
    portals(db, "SELECT DISTINCT portal_id FROM mapping_job WHERE phase <> 'done'", args![]).await
}

/// Whatever was put off beyond `now` is due: the clock by which it was has been set back.
/// What was sent is held for as long as ever, from now on.
pub async fn bring_forward(db: &Db, now: i64) -> Result<(), StoreError> {
    for sql in [
        "UPDATE source SET next_poll_at = $1 WHERE next_poll_at > $1",
        "UPDATE crm_scan SET next_at = $1 WHERE next_at > $1",
        "UPDATE event_feed SET next_at = $1 WHERE next_at > $1",
        "UPDATE inbox SET not_before = $1 WHERE not_before > $1 AND state = 0",
        "UPDATE outbox SET not_before = $1 WHERE not_before > $1 AND state = 0",
        "UPDATE outbox SET hold_until = $1 + hold_until - sent_at, sent_at = $1 WHERE sent_at > $1 AND state = 1",
        "UPDATE erasure SET due_at = $1 WHERE due_at > $1 AND stage <> 'done'",
    ] {
        db.execute(sql, args![now]).await?;
    }
    Ok(())
}

/// Portals where all problems of a cause are to be seen to.
pub async fn to_remedy(db: &Db) -> Result<Vec<PortalId>, StoreError> {
    portals(db, "SELECT DISTINCT portal_id FROM remedy", args![]).await
}

/// Waiting rows and the oldest one's time, over all portals: `(inbox, outbox)`.
pub async fn backlog(db: &Db) -> Result<((i64, Option<i64>), (i64, Option<i64>)), StoreError> {
    let one = |sql: &'static str| async move {
        let rows = db.rows(sql, args![]).await?;
        rows.first().map_or(Ok((0, None)), |row| Ok::<_, StoreError>((row.get("n")?, row.get("oldest")?)))
    };
    Ok((
        one("SELECT COUNT(*) AS n, MIN(received_at) AS oldest FROM inbox WHERE state = 0").await?,
        one("SELECT COUNT(*) AS n, MIN(seen_at) AS oldest FROM outbox WHERE state IN (0, 1)").await?,
    ))
}

/// Links of one kind of source: how many there are, how many answered last, and when the newest record came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    pub kind: String,
    pub all: i64,
    pub up: i64,
    pub last_record_at: Option<i64>,
}

/// Links over all portals, by kind; one that was never read yet is neither up nor down.
pub async fn links(db: &Db) -> Result<Vec<Links>, StoreError> {
    let rows = db
        .rows(
            "SELECT kind, COUNT(*) AS n, COUNT(CASE WHEN health = 'ok' THEN 1 END) AS up, MAX(last_record_at) AS newest
             FROM source WHERE health <> 'new' GROUP BY kind",
            args![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Links {
                kind: row.get("kind")?,
                all: row.get("n")?,
                up: row.get("up")?,
                last_record_at: row.get("newest")?,
            })
        })
        .collect()
}

/// Tables whose growth an operator watches.
const WATCHED: [&str; 9] =
    ["portal", "hotel", "inbox", "outbox", "stay", "stay_step", "profile", "link", "request_log"];

pub async fn table_rows(db: &Db) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let mut counts = Vec::with_capacity(WATCHED.len());
    for table in WATCHED {
        let rows = db.rows(&format!("SELECT COUNT(*) AS n FROM {table}"), args![]).await?;
        counts.push((table, rows.first().map_or(Ok(0), |row| row.get("n"))?));
    }
    Ok(counts)
}
