//! What came in, before anything is decided. Rows are kept after that for replay, and purged by age.

use std::collections::HashMap;

use super::bulk::{Via, chunk_of, insert, list};
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxKind {
    Stay,
    Profile,
    Event,
    /// The same as an event, found otherwise.
    Found,
    /// What a person says of a stay.
    Confirmed,
    /// What a person says of a stay's deal.
    Binding,
    /// What a person says of a field of a stay's deal.
    Pin,
    /// What a person says of whom a profile is.
    Split,
    /// A profile that the PMS has no more.
    Gone,
}

impl InboxKind {
    fn word(self) -> &'static str {
        match self {
            Self::Stay => "stay",
            Self::Profile => "profile",
            Self::Event => "event",
            Self::Found => "found",
            Self::Confirmed => "confirmed",
            Self::Binding => "binding",
            Self::Pin => "pin",
            Self::Split => "split",
            Self::Gone => "gone",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        use InboxKind::{Binding, Confirmed, Event, Found, Gone, Pin, Profile, Split, Stay};
        [Stay, Profile, Event, Found, Confirmed, Binding, Pin, Split, Gone]
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or(StoreError::Corrupt("inbox.kind"))
    }
}

#[derive(Debug, Clone)]
pub struct NewRow {
    pub hotel: HotelId,
    pub kind: InboxKind,
    pub subject: String,
    pub priority: i32,
    /// Sealed under the tenant's key.
    pub payload: Vec<u8>,
    pub hash: String,
}

#[derive(Debug, Clone)]
pub struct InboxRow {
    pub id: i64,
    pub hotel: HotelId,
    pub kind: InboxKind,
    pub subject: String,
    pub priority: i32,
    pub payload: Vec<u8>,
    pub hash: String,
    pub attempts: i32,
    pub received_at: i64,
}

pub async fn add(tx: &Tx, portal: PortalId, rows: Vec<NewRow>, now: i64) -> Result<u64, StoreError> {
    let rows = rows
        .into_iter()
        .map(|row| args![portal.0, row.hotel.0, row.kind.word(), row.subject, row.priority, row.payload, row.hash, now])
        .collect();
    let columns = ["portal_id", "hotel_id", "kind", "subject", "priority", "payload_sealed", "hash", "received_at"];
    insert(tx, "inbox", &columns, rows, "").await
}

/// Hints of several portals, on disk when it returns. One statement is a transaction without the ways to and fro of its
/// begin and end. A hint that repeats one nobody has looked at yet adds nothing.
pub async fn add_events(
    db: &Db,
    rows: Vec<(PortalId, String, Vec<u8>)>,
    priority: i32,
    now: i64,
) -> Result<u64, StoreError> {
    let rows = rows
        .into_iter()
        .map(|(portal, subject, payload)| args![portal.0, InboxKind::Event.word(), subject, priority, payload, now])
        .collect();
    insert(
        db,
        "inbox",
        &["portal_id", "kind", "subject", "priority", "payload_sealed", "received_at"],
        rows,
        "ON CONFLICT (portal_id, subject) WHERE state = 0 AND kind = 'event' DO NOTHING",
    )
    .await
}

/// The content hash last taken in for each subject among rows that are not decided, or could not be and nothing newer was.
pub async fn undecided_hashes(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    subjects: &[String],
) -> Result<HashMap<String, String>, StoreError> {
    let via = via.into();
    let mut hashes = HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut args = args![portal.0];
        args.extend(chunk.iter().map(|subject| sea_orm::Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, hash FROM inbox WHERE portal_id = $1 AND subject IN ({}) AND (state = 0 OR state = 2
               AND NOT EXISTS (SELECT 1 FROM inbox later WHERE later.portal_id = inbox.portal_id
                 AND later.subject = inbox.subject AND later.kind IN ('stay', 'profile') AND later.state = 1
                 AND later.id > inbox.id)) ORDER BY id",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, args).await? {
            hashes.insert(row.get("subject")?, row.get("hash")?);
        }
    }
    Ok(hashes)
}

/// Takes rows to decide, most urgent first: they count as decided when the transaction commits. A second node that
/// tries the same waits for that commit and then finds nothing.
pub async fn claim(tx: &Tx, portal: PortalId, now: i64, limit: i64) -> Result<Vec<InboxRow>, StoreError> {
    let rows = tx
        .rows(
            "UPDATE inbox SET state = 1 WHERE state = 0 AND id IN (
                SELECT id FROM inbox WHERE portal_id = $1 AND state = 0 AND not_before <= $2 ORDER BY priority, id LIMIT $3
             ) RETURNING id, hotel_id, kind, subject, priority, payload_sealed, hash, attempts, received_at",
            args![portal.0, now, limit],
        )
        .await?;
    let mut rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    rows.sort_by_key(|row| (row.priority, row.id));
    Ok(rows)
}

fn read(row: &Row) -> Result<InboxRow, StoreError> {
    Ok(InboxRow {
        id: row.get("id")?,
        hotel: HotelId(row.get("hotel_id")?),
        kind: InboxKind::read(&row.get::<String>("kind")?)?,
        subject: row.get("subject")?,
        priority: row.get("priority")?,
        payload: row.get("payload_sealed")?,
        hash: row.get("hash")?,
        attempts: row.get("attempts")?,
        received_at: row.get("received_at")?,
    })
}

/// Raw input of a hotel's stays and profiles, whatever became of it.
#[derive(Debug, Clone)]
pub struct Kept {
    pub id: i64,
    pub payload: Vec<u8>,
    pub decided: bool,
    pub received_at: i64,
}

/// The next rows of a hotel after row `after`.
pub async fn of_hotel(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    after: i64,
    limit: i64,
) -> Result<Vec<Kept>, StoreError> {
    let rows = db
        .rows(
            "SELECT id, payload_sealed, state, received_at FROM inbox
             WHERE portal_id = $1 AND hotel_id = $2 AND id > $3 ORDER BY id LIMIT $4",
            args![portal.0, hotel.0, after, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Kept {
                id: row.get("id")?,
                payload: row.get("payload_sealed")?,
                decided: row.get::<i32>("state")? == 1,
                received_at: row.get("received_at")?,
            })
        })
        .collect()
}

/// Which of a hotel's kept input: of one record or of all, received within `since..before`.
#[derive(Debug, Clone, Copy)]
pub struct KeptOf<'a> {
    pub hotel: HotelId,
    pub subject: Option<&'a str>,
    pub since: i64,
    pub before: i64,
}

fn kept_of(portal: PortalId, of: &KeptOf<'_>) -> (String, Vec<sea_orm::Value>) {
    let mut values = args![portal.0, of.hotel.0, of.since, of.before];
    // What could not be decided is over once something that came later was.
    let mut sql = "FROM inbox WHERE portal_id = $1 AND hotel_id = $2 AND kind IN ('stay', 'profile')
         AND received_at >= $3 AND received_at < $4 AND (state = 1 OR state = 2 AND NOT EXISTS (SELECT 1 FROM inbox later
           WHERE later.portal_id = inbox.portal_id AND later.subject = inbox.subject AND later.state = 1
             AND later.kind IN ('stay', 'profile') AND later.id > inbox.id))"
        .to_owned();
    if let Some(subject) = of.subject {
        values.push(subject.into());
        sql.push_str(" AND subject = $5");
    }
    (sql, values)
}

/// How much of it there is, and its last row.
pub async fn count_kept(db: &Db, portal: PortalId, of: &KeptOf<'_>) -> Result<(i64, i64), StoreError> {
    let (of, values) = kept_of(portal, of);
    let rows = db.rows(&format!("SELECT COUNT(*) AS n, COALESCE(MAX(id), 0) AS last {of}"), values).await?;
    rows.first().map_or(Ok((0, 0)), |row| Ok((row.get("n")?, row.get("last")?)))
}

/// The next of it after row `after` up to row `upto`, each with whether it could be decided when it came.
pub async fn kept(
    db: &Db,
    portal: PortalId,
    of: &KeptOf<'_>,
    (after, upto): (i64, i64),
    limit: i64,
) -> Result<Vec<(InboxRow, bool)>, StoreError> {
    let (of, mut values) = kept_of(portal, of);
    let next = values.len() + 1;
    values.extend(args![after, upto, limit]);
    let sql = format!(
        "SELECT id, hotel_id, kind, subject, priority, payload_sealed, hash, attempts, received_at, state {of}
           AND id > ${next} AND id <= ${} ORDER BY id LIMIT ${}",
        next + 1,
        next + 2
    );
    db.rows(&sql, values).await?.iter().map(|row| Ok((read(row)?, row.get::<i32>("state")? == 1))).collect()
}

/// Rows that could not be decided when they came have been now.
pub async fn set_decided(tx: &Tx, portal: PortalId, ids: &[i64]) -> Result<(), StoreError> {
    set_state(tx, portal, ids, 1).await
}

async fn set_state(tx: &Tx, portal: PortalId, ids: &[i64], state: i32) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut args = args![portal.0, state];
        args.extend(chunk.iter().map(|id| sea_orm::Value::from(*id)));
        let sql = format!("UPDATE inbox SET state = $2 WHERE portal_id = $1 AND id IN ({})", list(2, chunk.len()));
        tx.execute(&sql, args).await?;
    }
    Ok(())
}

/// Less is known of what waits.
pub async fn rewrite(tx: &Tx, portal: PortalId, id: i64, payload: Vec<u8>, hash: &str) -> Result<(), StoreError> {
    let sql = "UPDATE inbox SET payload_sealed = $3, hash = $4 WHERE portal_id = $1 AND id = $2";
    tx.execute(sql, args![portal.0, id, payload, hash]).await?;
    Ok(())
}

pub async fn forget(tx: &Tx, portal: PortalId, ids: &[i64]) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut args = args![portal.0];
        args.extend(chunk.iter().map(|id| sea_orm::Value::from(*id)));
        let sql = format!("DELETE FROM inbox WHERE portal_id = $1 AND id IN ({})", list(1, chunk.len()));
        tx.execute(&sql, args).await?;
    }
    Ok(())
}

/// Keeps rows apart that cannot be decided; a retry or a newer row of the subject goes on.
pub async fn set_failed(tx: &Tx, portal: PortalId, ids: &[i64]) -> Result<(), StoreError> {
    set_state(tx, portal, ids, 2).await
}

/// One row's failed attempt: it waits until `not_before`.
pub async fn postpone(db: &Db, portal: PortalId, id: i64, not_before: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE inbox SET attempts = attempts + 1, not_before = $3 WHERE portal_id = $1 AND id = $2 AND state = 0",
        args![portal.0, id, not_before],
    )
    .await?;
    Ok(())
}

/// A claimed row that cannot be decided yet, through no fault of its own.
pub async fn leave(tx: &Tx, portal: PortalId, id: i64, not_before: i64) -> Result<(), StoreError> {
    let sql = "UPDATE inbox SET state = 0, not_before = $3 WHERE portal_id = $1 AND id = $2";
    tx.execute(sql, args![portal.0, id, not_before]).await?;
    Ok(())
}

/// Puts rows of a subject that could not be decided back into the queue.
pub async fn revive(tx: &Tx, portal: PortalId, subject: &str) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE inbox SET state = 0, attempts = 0, not_before = 0 WHERE portal_id = $1 AND subject = $2 AND state = 2",
        args![portal.0, subject],
    )
    .await
}

/// How many rows wait and since when; by hotel (0: events).
pub async fn waiting(db: &Db, portal: PortalId) -> Result<Vec<(HotelId, i64, i64)>, StoreError> {
    let rows = db
        .rows(
            "SELECT hotel_id, COUNT(*) AS waiting, MIN(received_at) AS oldest FROM inbox
             WHERE portal_id = $1 AND state = 0 GROUP BY hotel_id",
            args![portal.0],
        )
        .await?;
    rows.iter().map(|row| Ok((HotelId(row.get("hotel_id")?), row.get("waiting")?, row.get("oldest")?))).collect()
}

/// How many rows of one priority wait.
pub async fn waiting_of(db: &Db, portal: PortalId, priority: i32) -> Result<i64, StoreError> {
    let rows = db
        .rows(
            "SELECT COUNT(*) AS waiting FROM inbox WHERE portal_id = $1 AND state = 0 AND priority = $2",
            args![portal.0, priority],
        )
        .await?;
    rows.first().map_or(Ok(0), |row| row.get("waiting"))
}

/// Removes decided rows received before `before`, at most `limit` of all tenants: raw input has one age for everyone.
pub async fn purge(db: &Db, before: i64, limit: i64) -> Result<u64, StoreError> {
    db.execute(
        "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE state = 1 AND received_at < $1 LIMIT $2)",
        args![before, limit],
    )
    .await
}

/// Drops what cannot be read any more because the tenant's key is gone (product §9).
pub async fn drop_all(db: &Db, portal: PortalId) -> Result<(), StoreError> {
    db.execute("DELETE FROM inbox WHERE portal_id = $1", args![portal.0]).await?;
    Ok(())
}
