//! What stands for a request elsewhere: its task, the task's chat, its card.

use super::outbox::Channel;
use crate::domain::PortalId;
use crate::store::{Db, StoreError, Tx, args};

/// `task`, `chat`, `card`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub channel: Channel,
    pub kind: String,
    pub target: PortalId,
    pub id: String,
}

pub async fn set(tx: &Tx, desk: PortalId, request: i64, remote: &Remote, now: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO desk_remote (portal_id, request_id, channel, kind, target_id, remote_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (portal_id, request_id, channel, kind) DO UPDATE SET
            target_id = excluded.target_id, remote_id = excluded.remote_id",
        args![desk.0, request, remote.channel.word(), remote.kind.as_str(), remote.target.0, remote.id.as_str(), now],
    )
    .await?;
    Ok(())
}

pub async fn of_request(db: &Db, desk: PortalId, request: i64) -> Result<Vec<Remote>, StoreError> {
    let sql = "SELECT channel, kind, target_id, remote_id FROM desk_remote
         WHERE portal_id = $1 AND request_id = $2 ORDER BY channel, kind";
    let rows = db.rows(sql, args![desk.0, request]).await?;
    rows.iter()
        .map(|row| {
            let channel = Channel::parse(&row.get::<String>("channel")?);
            Ok(Remote {
                channel: channel.ok_or(StoreError::Corrupt("desk_remote.channel"))?,
                kind: row.get("kind")?,
                target: PortalId(row.get("target_id")?),
                id: row.get("remote_id")?,
            })
        })
        .collect()
}

/// The request that a task, chat or card of this portal stands for: `(desk, id)`.
pub async fn request_of(
    db: &Db,
    channel: Channel,
    target: PortalId,
    kind: &str,
    id: &str,
) -> Result<Option<(PortalId, i64)>, StoreError> {
    let sql = "SELECT portal_id, request_id FROM desk_remote
         WHERE channel = $1 AND target_id = $2 AND kind = $3 AND remote_id = $4 ORDER BY request_id LIMIT 1";
    let rows = db.rows(sql, args![channel.word(), target.0, kind, id]).await?;
    rows.first().map(|row| Ok((PortalId(row.get("portal_id")?), row.get("request_id")?))).transpose()
}
