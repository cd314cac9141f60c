//! One row a subject that may differ from what the portal confirmed. What to write is computed when it is sent.

use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list, of_hotel};
pub use super::outbox_sent::{
    Blame, Sending, Setback, adopt, done, hold_longer, is_being_made, mark_sent, open_creates, open_writes, set_back,
    to_settle, unheard, wait_again,
};
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

/// `outbox.state`
pub const WAITING: i32 = 0;
pub const SENT: i32 = 1;
pub const REJECTED: i32 = 2;
pub const FAILED: i32 = 3;

/// Why the row is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Bring the portal to what we hold.
    Sync,
    /// The same, and a deal that is made for it is a new one, whatever its booking names.
    Own,
    /// Look at the record: it may have changed in the portal.
    Reread,
}

impl Intent {
    fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Own => "own",
            Self::Reread => "reread",
        }
    }
}

#[derive(Debug, Clone)]
pub struct NewIntent {
    pub subject: String,
    pub intent: Intent,
    pub priority: i32,
    /// Records before those that name them: 0 re-reads, 1 companies, 2 contacts, 3 deals of groups, 4 deals; in an import
    /// five more for each turn.
    pub rank: i32,
    pub not_before: i64,
    /// When the change behind it was seen.
    pub seen_at: i64,
}

#[derive(Debug, Clone)]
pub struct OutboxRow {
    pub id: i64,
    pub subject: String,
    pub intent: Intent,
    pub priority: i32,
    pub rank: i32,
    pub seq: i64,
    pub state: i32,
    pub attempts: i32,
    /// Of these, the last ones that came to nothing together with whatever travelled in the same request.
    pub spoilt: i32,
    pub not_before: i64,
    pub seen_at: i64,
    pub fence: i64,
    pub hold_until: i64,
    pub entity: i32,
    pub target: i64,
    pub write_kind: String,
    /// Sealed: what was sent.
    pub write: Option<Vec<u8>>,
}

impl OutboxRow {
    /// A row that is not there: what would be sent if the subject were due.
    pub fn imagined(subject: String, priority: i32) -> Self {
        Self {
            id: 0,
            subject,
            intent: Intent::Sync,
            priority,
            rank: 0,
            seq: 0,
            state: WAITING,
            attempts: 0,
            spoilt: 0,
            not_before: 0,
            seen_at: 0,
            fence: 0,
            hold_until: 0,
            entity: 0,
            target: 0,
            write_kind: String::new(),
            write: None,
        }
    }
}

pub(super) const COLUMNS: &str = "id, subject, intent, priority, rank, seq, state, attempts, spoilt, not_before, seen_at, fence, \
                       hold_until, entity, target, write_kind, write_sealed";

pub(super) fn read(row: &Row) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        id: row.get("id")?,
        subject: row.get("subject")?,
        intent: match row.get::<String>("intent")?.as_str() {
            "reread" => Intent::Reread,
            "own" => Intent::Own,
            _ => Intent::Sync,
        },
        priority: row.get("priority")?,
        rank: row.get("rank")?,
        seq: row.get("seq")?,
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        spoilt: row.get("spoilt")?,
        not_before: row.get("not_before")?,
        seen_at: row.get("seen_at")?,
        fence: row.get("fence")?,
        hold_until: row.get::<Option<i64>>("hold_until")?.unwrap_or_default(),
        entity: row.get("entity")?,
        target: row.get("target")?,
        write_kind: row.get("write_kind")?,
        write: row.get("write_sealed")?,
    })
}

/// Adds intents; one that waits already becomes as urgent as the more urgent of the two and is due when the new one is,
/// whatever it waited for, and a rejected or failed one gets a new chance because something changed. What was sent and
/// not heard of stays held. `came_with` keeps the least urgent priority of all: an import knows its own by it.
pub async fn add(tx: &Tx, portal: PortalId, intents: Vec<NewIntent>) -> Result<(), StoreError> {
    // One statement cannot touch a row twice: of several for one subject the most urgent stays.
    let mut once: std::collections::BTreeMap<String, NewIntent> = std::collections::BTreeMap::new();
    let mut order = Vec::new();
    for intent in intents {
        match once.get_mut(&intent.subject) {
            Some(held) => {
                if intent.intent == Intent::Own {
                    held.intent = Intent::Own;
                }
                held.priority = held.priority.min(intent.priority);
                held.rank = held.rank.min(intent.rank);
                held.seen_at = held.seen_at.min(intent.seen_at);
                held.not_before = held.not_before.min(intent.not_before);
            }
            None => {
                order.push(intent.subject.clone());
                once.insert(intent.subject.clone(), intent);
            }
        }
    }
    let rows = order
        .iter()
        .filter_map(|subject| once.get(subject))
        .map(|new| {
            args![
                portal.0,
                new.subject.as_str(),
                new.intent.word(),
                new.priority,
                new.priority,
                new.rank,
                new.not_before,
                new.seen_at
            ]
        })
        .collect();
    insert(
        tx,
        "outbox",
        &["portal_id", "subject", "intent", "priority", "came_with", "rank", "not_before", "seen_at"],
        rows,
        "ON CONFLICT (portal_id, subject) DO UPDATE SET
            intent = CASE WHEN excluded.intent = 'own' THEN excluded.intent ELSE outbox.intent END,
            priority = CASE WHEN excluded.priority < outbox.priority THEN excluded.priority ELSE outbox.priority END,
            came_with = CASE WHEN excluded.came_with > outbox.came_with THEN excluded.came_with ELSE outbox.came_with END,
            rank = CASE WHEN excluded.rank < outbox.rank THEN excluded.rank ELSE outbox.rank END,
            seq = outbox.seq + 1,
            attempts = CASE WHEN outbox.state IN (2, 3) THEN 0 ELSE outbox.attempts END,
            spoilt = CASE WHEN outbox.state IN (2, 3) THEN 0 ELSE outbox.spoilt END,
            seen_at = CASE WHEN outbox.state IN (2, 3) THEN excluded.seen_at ELSE outbox.seen_at END,
            not_before = CASE WHEN outbox.state = 1 THEN outbox.not_before ELSE excluded.not_before END,
            state = CASE WHEN outbox.state IN (2, 3) THEN 0 ELSE outbox.state END",
    )
    .await?;
    Ok(())
}

/// What is due of priorities `from..=to`, the most urgent first, records before those that name them. `but`: hotels whose
/// stays, profiles and groups are left out.
pub async fn due(
    db: &Db,
    portal: PortalId,
    priorities: (i32, i32),
    but: &[HotelId],
    now: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut values = args![portal.0, priorities.0, priorities.1, now, limit];
    let mut left_out = String::new();
    for hotel in but {
        left_out.push_str(&format!(" AND NOT {}", of_hotel(*hotel, &mut values)));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM outbox
         WHERE portal_id = $1 AND state = 0 AND priority BETWEEN $2 AND $3 AND not_before <= $4{left_out}
         ORDER BY priority, rank, id LIMIT $5"
    );
    db.rows(&sql, values).await?.iter().map(read).collect()
}

/// Records that an open write goes to: `(entity, id)`.
pub async fn open_targets(db: &Db, portal: PortalId) -> Result<Vec<(i32, i64)>, StoreError> {
    let rows = db
        .rows("SELECT entity, target FROM outbox WHERE portal_id = $1 AND state = 1 AND target > 0", args![portal.0])
        .await?;
    rows.iter().map(|row| Ok((row.get("entity")?, row.get("target")?))).collect()
}

/// State, attempts and the moment before which nothing is tried, by subject: whether a guest's record is on its way.
pub async fn states(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    subjects: &[String],
) -> Result<std::collections::HashMap<String, (i32, i32, i64)>, StoreError> {
    let via = via.into();
    let mut found = std::collections::HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, state, attempts, not_before FROM outbox WHERE portal_id = $1 AND subject IN ({})",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.insert(row.get("subject")?, (row.get("state")?, row.get("attempts")?, row.get("not_before")?));
        }
    }
    Ok(found)
}

/// Rows that were found to have nothing to send, or to be about nothing, and did not change since they were read.
pub async fn drop_unsent(tx: &Tx, portal: PortalId, rows: &[(i64, i64)]) -> Result<(), StoreError> {
    for chunk in rows.chunks(chunk_of(2)) {
        let pairs = (0..chunk.len()).map(|n| format!("({})", list(1 + n * 2, 2))).collect::<Vec<_>>().join(", ");
        let mut values = args![portal.0];
        for (id, seq) in chunk {
            values.push(Value::from(*id));
            values.push(Value::from(*seq));
        }
        let sql = format!("DELETE FROM outbox WHERE portal_id = $1 AND state = 0 AND (id, seq) IN (VALUES {pairs})");
        tx.execute(&sql, values).await?;
    }
    Ok(())
}

/// Rows that may not be sent yet (their guest is on his way, their pipeline has no stage) look again later.
pub async fn postpone(db: &Db, portal: PortalId, ids: &[i64], not_before: i64) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, not_before];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "UPDATE outbox SET not_before = $2 WHERE portal_id = $1 AND state = 0 AND id IN ({})",
            list(2, chunk.len())
        );
        db.execute(&sql, values).await?;
    }
    Ok(())
}

/// What waits of a hotel's stays, profiles and groups is looked at again at once.
pub async fn release_hotel(tx: &Tx, portal: PortalId, hotel: HotelId) -> Result<(), StoreError> {
    let mut values = args![portal.0];
    let its = of_hotel(hotel, &mut values);
    let sql = format!("UPDATE outbox SET not_before = 0 WHERE portal_id = $1 AND state = 0 AND {its}");
    tx.execute(&sql, values).await?;
    Ok(())
}

/// A hotel came or went: what is on its way for it is looked at anew, and nothing that was planned before leaves any more.
pub async fn anew(tx: &Tx, portal: PortalId, hotel: HotelId) -> Result<(), StoreError> {
    let mut values = args![portal.0];
    let its = of_hotel(hotel, &mut values);
    let sql = format!(
        "UPDATE outbox SET seq = seq + 1, not_before = CASE WHEN state = 1 THEN not_before ELSE 0 END,
            state = CASE WHEN state IN (2, 3) THEN 0 ELSE state END
         WHERE portal_id = $1 AND {its}"
    );
    tx.execute(&sql, values).await?;
    Ok(())
}

/// Whether deals of the hotel are still on their way.
pub async fn has_deals(db: &Db, portal: PortalId, hotel: HotelId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM outbox
         WHERE portal_id = $1 AND state IN (0, 1) AND (subject LIKE $2 OR subject LIKE $3) LIMIT 1";
    let values = args![portal.0, format!("stay:{hotel}:%"), format!("group:{hotel}:%")];
    Ok(!db.rows(sql, values).await?.is_empty())
}

/// A waiting row that cannot be sent at all: kept apart with its problem.
pub async fn park(tx: &Tx, portal: PortalId, rows: &[(i64, i64)], state: i32) -> Result<(), StoreError> {
    for (id, seq) in rows {
        tx.execute(
            "UPDATE outbox SET state = $4 WHERE portal_id = $1 AND id = $2 AND seq = $3 AND state = 0",
            args![portal.0, *id, *seq, state],
        )
        .await?;
    }
    Ok(())
}

/// A rejected, failed or waiting row of the subject is due again; before all others, if a person waits for just this one.
pub async fn retry(tx: &Tx, portal: PortalId, subject: &str, waited_for: bool) -> Result<u64, StoreError> {
    let priority = if waited_for { "0" } else { "priority" };
    let sql = format!(
        "UPDATE outbox SET state = 0, attempts = 0, spoilt = 0, not_before = 0, seq = seq + 1, priority = {priority}
         WHERE portal_id = $1 AND subject = $2 AND state IN (0, 2, 3)"
    );
    tx.execute(&sql, args![portal.0, subject]).await
}

/// When the next row becomes due or the next hold ends.
pub async fn next_at(db: &Db, portal: PortalId) -> Result<Option<i64>, StoreError> {
    let rows = db
        .rows(
            "SELECT MIN(CASE WHEN state = 0 THEN not_before ELSE hold_until END) AS at FROM outbox
             WHERE portal_id = $1 AND state IN (0, 1)",
            args![portal.0],
        )
        .await?;
    rows.first().map_or(Ok(None), |row| row.get("at"))
}

/// How many rows are on their way and since when the oldest change waits.
pub async fn pending(db: &Db, portal: PortalId) -> Result<(i64, Option<i64>), StoreError> {
    let rows = db
        .rows(
            "SELECT COUNT(*) AS n, MIN(seen_at) AS oldest FROM outbox WHERE portal_id = $1 AND state IN (0, 1)",
            args![portal.0],
        )
        .await?;
    rows.first().map_or(Ok((0, None)), |row| Ok((row.get("n")?, row.get("oldest")?)))
}

/// The same for one hotel.
pub async fn pending_of(db: &Db, portal: PortalId, hotel: HotelId) -> Result<(i64, Option<i64>), StoreError> {
    let mut values = args![portal.0];
    let its = of_hotel(hotel, &mut values);
    let sql = format!(
        "SELECT COUNT(*) AS n, MIN(seen_at) AS oldest FROM outbox WHERE portal_id = $1 AND state IN (0, 1) AND {its}"
    );
    let rows = db.rows(&sql, values).await?;
    rows.first().map_or(Ok((0, None)), |row| Ok((row.get("n")?, row.get("oldest")?)))
}
