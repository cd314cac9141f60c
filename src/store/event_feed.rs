//! How changes of a portal's records come to us: since when its events are bound, and the queue it keeps for us.

use super::bulk::insert;
use super::{Db, StoreError, args};
use crate::domain::PortalId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventFeed {
    /// Nothing that changed before can have been told.
    pub bound_at: i64,
    /// The portal keeps what changed until we clear it.
    pub queue: bool,
}

pub async fn of_portal(db: &Db, portal: PortalId) -> Result<Option<EventFeed>, StoreError> {
    let rows = db.rows("SELECT bound_at, queue FROM event_feed WHERE portal_id = $1", args![portal.0]).await?;
    rows.first().map(|row| Ok(EventFeed { bound_at: row.get("bound_at")?, queue: row.get("queue")? })).transpose()
}

/// What set-up left. `anew`: events were bound, or can be delivered, only since now.
pub async fn bound(db: &Db, portal: PortalId, queue: bool, anew: bool, now: i64) -> Result<(), StoreError> {
    let since = if anew { "excluded.bound_at" } else { "event_feed.bound_at" };
    insert(
        db,
        "event_feed",
        &["portal_id", "bound_at", "queue"],
        vec![args![portal.0, now, queue]],
        &format!("ON CONFLICT (portal_id) DO UPDATE SET queue = excluded.queue, bound_at = {since}"),
    )
    .await?;
    Ok(())
}

/// Events were not delivered until now.
pub async fn resumed(db: &Db, portal: PortalId, now: i64) -> Result<(), StoreError> {
    db.execute("UPDATE event_feed SET bound_at = $2 WHERE portal_id = $1", args![portal.0, now]).await?;
    Ok(())
}

/// The portal keeps nothing for us any more.
pub async fn no_queue(db: &Db, portal: PortalId) -> Result<(), StoreError> {
    db.execute("UPDATE event_feed SET queue = $2 WHERE portal_id = $1", args![portal.0, false]).await?;
    Ok(())
}

/// Something waits in the queue: it is read at `at`, but not within `apart` of the last time.
pub async fn soon(db: &Db, portal: PortalId, at: i64, apart: i64) -> Result<(), StoreError> {
    let sql = "UPDATE event_feed SET next_at = CASE WHEN read_at + $3 > $2 THEN read_at + $3 ELSE $2 END
         WHERE portal_id = $1 AND queue = $4 AND next_at > $2";
    db.execute(sql, args![portal.0, at, apart, true]).await?;
    Ok(())
}

/// Until then nothing is asked of the queue, whatever [`soon`] is told meanwhile.
pub async fn later(db: &Db, portal: PortalId, until: i64, apart: i64) -> Result<(), StoreError> {
    let sql = "UPDATE event_feed SET next_at = $2, read_at = $3 WHERE portal_id = $1";
    db.execute(sql, args![portal.0, until, until - apart]).await?;
    Ok(())
}

/// The queue is being read: again at `next_at`, or sooner when the portal says so.
pub async fn read(db: &Db, portal: PortalId, now: i64, next_at: i64) -> Result<(), StoreError> {
    let sql = "UPDATE event_feed SET read_at = $2, next_at = $3 WHERE portal_id = $1";
    db.execute(sql, args![portal.0, now, next_at]).await?;
    Ok(())
}

/// Whether the queue is to be read. Before the portal's records are indexed nothing is known that could have changed.
pub async fn is_due(db: &Db, portal: PortalId, now: i64) -> Result<bool, StoreError> {
    let sql = format!("{DUE} AND portal_id = $3");
    Ok(!db.rows(&sql, args![true, now, portal.0]).await?.is_empty())
}

/// Portals whose queue is to be read.
pub async fn due(db: &Db, now: i64) -> Result<Vec<PortalId>, StoreError> {
    db.rows(DUE, args![true, now]).await?.iter().map(|row| Ok(PortalId(row.get("portal_id")?))).collect()
}

const DUE: &str = "SELECT portal_id FROM event_feed WHERE queue = $1 AND next_at <= $2
     AND EXISTS (SELECT 1 FROM crm_scan WHERE crm_scan.portal_id = event_feed.portal_id AND crm_scan.phase = 'delta')";
