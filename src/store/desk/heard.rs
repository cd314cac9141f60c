//! What is known of the tasks of a desk: how far each was read, and whether it may have changed since. A hint only counts; it
//! is heeded when the task was read whole after it. Whoever saves what he read names the revision that he began with: of two
//! nodes one does.

use sea_orm::Value;

use crate::domain::PortalId;
use crate::store::bulk::{Via, list};
use crate::store::{Db, Row, StoreError, Tx, args};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    pub request: i64,
    pub task: i64,
    pub hints: i64,
    pub heeded: i64,
    pub failures: i32,
    pub not_before: i64,
    pub revision: i64,
    /// As the task stood; empty: never seen.
    pub status: String,
    /// When it came to stand so, as the portal tells.
    pub status_at: Option<i64>,
    /// Where its conversation stands; 0: in comments.
    pub chat: i64,
    /// The last message that was read.
    pub last_said: i64,
    /// Messages up to then were read where the conversation stood before.
    pub said_from: i64,
    /// The task's own last activity, by the portal's clock, and when it was first seen, by ours.
    pub active_at: i64,
    pub active_seen_at: i64,
    pub read_at: i64,
    pub gone: bool,
}

const COLUMNS: &str = "request_id, task_id, hints, heeded, failures, not_before, revision, status, status_at, chat_id, \
     last_said, said_from, active_at, active_seen_at, read_at, gone";

fn read(row: &Row) -> Result<Heard, StoreError> {
    Ok(Heard {
        request: row.get("request_id")?,
        task: row.get("task_id")?,
        hints: row.get("hints")?,
        heeded: row.get("heeded")?,
        failures: row.get("failures")?,
        not_before: row.get("not_before")?,
        revision: row.get("revision")?,
        status: row.get("status")?,
        status_at: row.get("status_at")?,
        chat: row.get("chat_id")?,
        last_said: row.get("last_said")?,
        said_from: row.get("said_from")?,
        active_at: row.get("active_at")?,
        active_seen_at: row.get("active_seen_at")?,
        read_at: row.get("read_at")?,
        gone: row.get("gone")?,
    })
}

/// A request has this task now: it is to be read.
pub async fn begin(tx: &Tx, desk: PortalId, request: i64, task: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO desk_heard (portal_id, request_id, task_id) VALUES ($1, $2, $3)
         ON CONFLICT (portal_id, request_id) DO UPDATE SET task_id = excluded.task_id, hints = desk_heard.hints + 1",
        args![desk.0, request, task],
    )
    .await?;
    Ok(())
}

/// A task may have changed. `false`: it is none of the desk's.
pub async fn hint(db: &Db, desk: PortalId, task: i64) -> Result<bool, StoreError> {
    // Most events are of other people's tasks: they must not wait for a writer.
    let sql = "SELECT 1 AS one FROM desk_heard WHERE portal_id = $1 AND task_id = $2";
    if db.rows(sql, args![desk.0, task]).await?.is_empty() {
        return Ok(false);
    }
    hint_all(db, desk, &[task]).await.map(|hinted| hinted > 0)
}

/// The same for many, fewer than a page of a list.
pub async fn hint_all(db: &Db, desk: PortalId, tasks: &[i64]) -> Result<u64, StoreError> {
    if tasks.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "UPDATE desk_heard SET hints = hints + 1 WHERE portal_id = $1 AND task_id IN ({})",
        list(1, tasks.len())
    );
    db.execute(&sql, with_tasks(desk, tasks)).await
}

fn with_tasks(desk: PortalId, tasks: &[i64]) -> Vec<Value> {
    let mut values = args![desk.0];
    values.extend(tasks.iter().map(|task| Value::from(*task)));
    values
}

/// Of these tasks those that are the desk's.
pub async fn of_tasks(db: &Db, desk: PortalId, tasks: &[i64]) -> Result<Vec<Heard>, StoreError> {
    if tasks.is_empty() {
        return Ok(vec![]);
    }
    let sql =
        format!("SELECT {COLUMNS} FROM desk_heard WHERE portal_id = $1 AND task_id IN ({})", list(1, tasks.len()));
    db.rows(&sql, with_tasks(desk, tasks)).await?.iter().map(read).collect()
}

pub async fn of_request(via: impl Into<Via<'_>>, desk: PortalId, request: i64) -> Result<Option<Heard>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM desk_heard WHERE portal_id = $1 AND request_id = $2");
    via.into().rows(&sql, args![desk.0, request]).await?.first().map(read).transpose()
}

/// Desks with something to be read.
pub async fn desks_due(db: &Db, now: i64) -> Result<Vec<PortalId>, StoreError> {
    let sql = "SELECT DISTINCT portal_id FROM desk_heard WHERE hints <> heeded AND not_before <= $1";
    db.rows(sql, args![now]).await?.iter().map(|row| Ok(PortalId(row.get("portal_id")?))).collect()
}

/// What is to be read, the longest due first.
pub async fn due(db: &Db, desk: PortalId, now: i64, limit: i64) -> Result<Vec<Heard>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_heard WHERE portal_id = $1 AND hints <> heeded AND not_before <= $2
         ORDER BY not_before, request_id LIMIT $3"
    );
    db.rows(&sql, args![desk.0, now, limit]).await?.iter().map(read).collect()
}

/// What was read, if nobody else saved since; hints that came meanwhile stay. `false`: somebody did, nothing was written.
pub async fn save(tx: &Tx, desk: PortalId, heard: &Heard) -> Result<bool, StoreError> {
    let saved = tx
        .execute(
            "UPDATE desk_heard SET heeded = $4, failures = $5, not_before = $6, status = $7, status_at = $8, chat_id = $9,
                last_said = $10, said_from = $11, active_at = $12, active_seen_at = $13, read_at = $14, gone = $15,
                revision = revision + 1
             WHERE portal_id = $1 AND request_id = $2 AND revision = $3",
            args![
                desk.0,
                heard.request,
                heard.revision,
                heard.heeded,
                heard.failures,
                heard.not_before,
                heard.status.as_str(),
                heard.status_at,
                heard.chat,
                heard.last_said,
                heard.said_from,
                heard.active_at,
                heard.active_seen_at,
                heard.read_at,
                heard.gone
            ],
        )
        .await?;
    Ok(saved > 0)
}

/// It could not be read: once more then.
pub async fn postpone(db: &Db, desk: PortalId, heard: &Heard, not_before: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE desk_heard SET failures = failures + 1, not_before = $4, revision = revision + 1
         WHERE portal_id = $1 AND request_id = $2 AND revision = $3",
        args![desk.0, heard.request, heard.revision, not_before],
    )
    .await?;
    Ok(())
}

/// The request is there no more.
pub async fn forget(db: &Db, desk: PortalId, request: i64) -> Result<(), StoreError> {
    db.execute("DELETE FROM desk_heard WHERE portal_id = $1 AND request_id = $2", args![desk.0, request]).await?;
    Ok(())
}

/// Tasks of open requests that nobody read since: a deletion shows in no list.
pub async fn hint_unread(db: &Db, desk: PortalId, since: i64, limit: i64) -> Result<u64, StoreError> {
    db.execute(
        "UPDATE desk_heard SET hints = hints + 1 WHERE portal_id = $1 AND request_id IN
            (SELECT h.request_id FROM desk_heard h JOIN desk_request r ON r.id = h.request_id AND r.portal_id = h.portal_id
             WHERE h.portal_id = $1 AND h.read_at < $2 AND h.hints = h.heeded AND r.state <> 'closed'
             ORDER BY h.read_at LIMIT $3)",
        args![desk.0, since, limit],
    )
    .await
}

/// How far a desk's tasks were looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hearing {
    pub scanned_at: i64,
    /// Every activity up to then was seen, by the portal's clock.
    pub seen_to: i64,
    /// The newest activity when the look under way began; 0: none is.
    pub newest: i64,
    /// Tasks that it passed already.
    pub place: i64,
}

pub async fn hearing(db: &Db, desk: PortalId) -> Result<Hearing, StoreError> {
    let sql = "SELECT scanned_at, seen_to, newest, place FROM desk_hearing WHERE portal_id = $1";
    let rows = db.rows(sql, args![desk.0]).await?;
    let Some(row) = rows.first() else { return Ok(Hearing::default()) };
    Ok(Hearing {
        scanned_at: row.get("scanned_at")?,
        seen_to: row.get("seen_to")?,
        newest: row.get("newest")?,
        place: row.get("place")?,
    })
}

pub async fn set_hearing(db: &Db, desk: PortalId, hearing: Hearing) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO desk_hearing (portal_id, scanned_at, seen_to, newest, place) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (portal_id) DO UPDATE SET scanned_at = excluded.scanned_at, seen_to = excluded.seen_to,
            newest = excluded.newest, place = excluded.place",
        args![desk.0, hearing.scanned_at, hearing.seen_to, hearing.newest, hearing.place],
    )
    .await?;
    Ok(())
}

/// Desks with open requests in tasks that were not looked through since.
pub async fn desks_to_scan(db: &Db, since: i64) -> Result<Vec<PortalId>, StoreError> {
    let sql = "SELECT DISTINCT h.portal_id FROM desk_heard h
            JOIN desk_request r ON r.id = h.request_id AND r.portal_id = h.portal_id
            LEFT JOIN desk_hearing s ON s.portal_id = h.portal_id
         WHERE r.state <> 'closed' AND COALESCE(s.scanned_at, 0) <= $1";
    db.rows(sql, args![since]).await?.iter().map(|row| Ok(PortalId(row.get("portal_id")?))).collect()
}
