//! The request bucket and the operating limits of a portal, where every node sees them (product §2.4).
//!
//! The bucket is one number (GCRA): `full_at`, the moment at which it will have drained empty again. A request moves it by
//! one interval, and may go while it stays within a burst of now. One conditional statement decides, so that any number
//! of nodes can never together take more than `burst + rate × time`.

use super::{Db, StoreError, args};
use crate::bitrix::MethodState;
use crate::domain::PortalId;

/// Beyond this, a bucket that drains later than any burst allows was written under a wrong clock.
const CLOCK_SLACK_MS: i64 = 60_000;

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Yes; so many more may go at once.
    Granted { left: i64 },
    /// Not before this moment (ms).
    NotBefore(i64),
}

fn interval(per_second: u32) -> i64 {
    i64::from(1000_u32.div_ceil(per_second.max(1)))
}

/// Takes one request from the bucket: `burst` at once, `per_second` refilled.
pub async fn take(db: &Db, portal: PortalId, now: i64, burst: u32, per_second: u32) -> Result<Taken, StoreError> {
    let step = interval(per_second);
    let burst = i64::from(burst.max(1));
    let rows = db
        .execute_returning(
            "INSERT INTO portal_bucket (portal_id, full_at) VALUES ($1, $2)
             ON CONFLICT (portal_id) DO UPDATE SET
                full_at = CASE WHEN portal_bucket.full_at > $3 THEN portal_bucket.full_at ELSE $3 END + $4
             WHERE portal_bucket.full_at <= $5
             RETURNING full_at",
            args![portal.0, now + step, now, step, now + (burst - 1) * step],
        )
        .await?;
    if let Some(row) = rows.first() {
        let full_at: i64 = row.get("full_at")?;
        return Ok(Taken::Granted { left: (burst - (full_at - now + step - 1) / step).max(0) });
    }
    let rows = db.rows("SELECT full_at FROM portal_bucket WHERE portal_id = $1", args![portal.0]).await?;
    let full_at: i64 = rows.first().map_or(Ok(now), |row| row.get("full_at"))?;
    let latest = now + burst * step;
    if full_at <= latest + CLOCK_SLACK_MS {
        return Ok(Taken::NotBefore((full_at - (burst - 1) * step).max(now + 1)));
    }
    db.execute(
        "UPDATE portal_bucket SET full_at = $1 WHERE portal_id = $2 AND full_at = $3",
        args![latest, portal.0, full_at],
    )
    .await?;
    Ok(Taken::NotBefore(now + step))
}

/// The portal rejected a request: others share its bucket. It counts as used up now.
pub async fn drain(db: &Db, portal: PortalId, now: i64, burst: u32, per_second: u32) -> Result<(), StoreError> {
    let empty_until = now + i64::from(burst.max(1)) * interval(per_second);
    db.execute(
        "INSERT INTO portal_bucket (portal_id, full_at) VALUES ($1, $2)
         ON CONFLICT (portal_id) DO UPDATE SET full_at = excluded.full_at WHERE portal_bucket.full_at < excluded.full_at",
        args![portal.0, empty_until],
    )
    .await?;
    Ok(())
}

pub async fn methods(db: &Db, portal: PortalId) -> Result<Vec<MethodState>, StoreError> {
    db.rows(
        "SELECT method, operating, reset_at, blocked_until, banned, row_seconds, row_cost FROM portal_method
         WHERE portal_id = $1 ORDER BY method",
        args![portal.0],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(MethodState {
            method: row.get("method")?,
            operating: row.get("operating")?,
            reset_at: row.get("reset_at")?,
            blocked_until: row.get("blocked_until")?,
            banned: row.get("banned")?,
            row: row.get("row_seconds")?,
            cost: row.get("row_cost")?,
        })
    })
    .collect()
}

/// The latest word on a method. A ban is never shortened by a node that has not heard of it.
pub async fn save_method(db: &Db, portal: PortalId, state: &MethodState) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO portal_method (portal_id, method, operating, reset_at, blocked_until, banned, row_seconds, row_cost)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (portal_id, method) DO UPDATE SET
            operating = excluded.operating, reset_at = excluded.reset_at, banned = excluded.banned,
            row_seconds = excluded.row_seconds, row_cost = excluded.row_cost,
            blocked_until = CASE WHEN excluded.blocked_until > portal_method.blocked_until
                THEN excluded.blocked_until ELSE portal_method.blocked_until END",
        args![
            portal.0,
            state.method.as_str(),
            state.operating,
            state.reset_at,
            state.blocked_until,
            state.banned,
            state.row,
            state.cost
        ],
    )
    .await?;
    Ok(())
}
