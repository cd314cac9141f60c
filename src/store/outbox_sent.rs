//! Rows between "sent" and its outcome: marked before the request leaves, settled by its answer or by look-up.

use sea_orm::Value;

use super::bulk::{Via, chunk_of, list};
use super::outbox::{COLUMNS, OutboxRow, read};
use super::{Db, StoreError, Tx, args};
use crate::domain::PortalId;

/// Rows whose outcome is not known and whose hold is over.
pub async fn to_settle(db: &Db, portal: PortalId, now: i64, limit: i64) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM outbox WHERE portal_id = $1 AND state = 1 AND hold_until <= $2 ORDER BY id LIMIT $3"
    );
    db.rows(&sql, args![portal.0, now, limit]).await?.iter().map(read).collect()
}

/// Records under way to being made, whose outcome may not be known: `(row, entity, sealed write)`.
pub async fn open_creates(db: &Db, portal: PortalId) -> Result<Vec<(i64, i32, Vec<u8>)>, StoreError> {
    let rows = db
        .rows(
            "SELECT id, entity, write_sealed FROM outbox
             WHERE portal_id = $1 AND state = 1 AND target = 0 AND write_sealed IS NOT NULL",
            args![portal.0],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("entity")?, row.get("write_sealed")?))).collect()
}

/// Whether a record for the subject is under way to being made.
pub async fn is_being_made(tx: &Tx, portal: PortalId, subject: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM outbox WHERE portal_id = $1 AND subject = $2 AND state = 1 AND target = 0";
    Ok(!tx.rows(sql, args![portal.0, subject]).await?.is_empty())
}

/// What was sent to these records and is not confirmed yet: `(id, sealed write)`.
pub async fn open_writes(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    entity: i32,
    ids: &[i64],
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "SELECT target, write_sealed FROM outbox
             WHERE portal_id = $1 AND state = 1 AND entity = $2 AND write_sealed IS NOT NULL AND target IN ({})",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.push((row.get("target")?, row.get("write_sealed")?));
        }
    }
    Ok(found)
}

/// What a row is about to send.
#[derive(Debug, Clone)]
pub struct Sending {
    pub id: i64,
    pub seq: i64,
    pub entity: i32,
    /// The record; 0 for one to be made.
    pub target: i64,
    pub kind: &'static str,
    pub write: Vec<u8>,
}

/// Marks rows as sent, before they are: whatever happens from here on, their outcome is unknown until it is recorded.
/// Answers the rows that were still waiting unchanged.
pub async fn mark_sent(
    tx: &Tx,
    portal: PortalId,
    fence: i64,
    now: i64,
    hold_until: i64,
    rows: Vec<Sending>,
) -> Result<Vec<i64>, StoreError> {
    let mut marked = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<Sending> = rows.by_ref().take(chunk_of(6)).collect();
        let tuples = (0..chunk.len()).map(|n| format!("({})", list(4 + n * 6, 6))).collect::<Vec<_>>().join(", ");
        let mut values = args![portal.0, fence, now, hold_until];
        for row in chunk {
            values.extend(args![row.id, row.seq, row.entity, row.target, row.kind, row.write]);
        }
        // Both engines name the columns of VALUES so.
        let sql = format!(
            "UPDATE outbox SET state = 1, fence = $2, sent_at = $3, hold_until = $4, entity = v.column3,
                target = v.column4, write_kind = v.column5, write_sealed = v.column6
             FROM (VALUES {tuples}) AS v
             WHERE outbox.portal_id = $1 AND outbox.id = v.column1 AND outbox.seq = v.column2 AND outbox.state = 0
             RETURNING outbox.id AS id"
        );
        for row in tx.rows(&sql, values).await? {
            marked.push(row.get("id")?);
        }
    }
    Ok(marked)
}

/// Records that `(id, seq)` are done: a row that changed meanwhile waits again. Rows that another owner has settled
/// since are not touched.
pub async fn done(tx: &Tx, portal: PortalId, fence: i64, rows: &[(i64, i64)]) -> Result<(), StoreError> {
    for chunk in rows.chunks(chunk_of(2)) {
        let pairs = (0..chunk.len()).map(|n| format!("({})", list(2 + n * 2, 2))).collect::<Vec<_>>().join(", ");
        let mut values = args![portal.0, fence];
        for (id, seq) in chunk {
            values.push(Value::from(*id));
            values.push(Value::from(*seq));
        }
        let sql = format!(
            "DELETE FROM outbox WHERE portal_id = $1 AND fence = $2 AND state = 1 AND (id, seq) IN (VALUES {pairs})"
        );
        tx.execute(&sql, values).await?;
    }
    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    wait_again(tx, portal, fence, &ids, 0).await
}

/// Sent rows go back to waiting, their outcome settled (or known not to have happened).
pub async fn wait_again(tx: &Tx, portal: PortalId, fence: i64, ids: &[i64], not_before: i64) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, fence, not_before];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "UPDATE outbox SET state = 0, not_before = $3, target = 0, write_kind = '', write_sealed = NULL
             WHERE portal_id = $1 AND fence = $2 AND state = 1 AND id IN ({})",
            list(3, chunk.len())
        );
        tx.execute(&sql, values).await?;
    }
    Ok(())
}

/// A refused or failed write: what becomes of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setback {
    pub id: i64,
    /// As it was sent: a row that changed since waits instead of being put aside.
    pub seq: i64,
    /// [`WAITING`], [`REJECTED`] or [`FAILED`].
    pub state: i32,
    pub not_before: i64,
    pub blame: Blame,
}

/// Whose fault it was that nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// None of the write's: no try.
    Nobody,
    /// It got an answer of its own: a try.
    Own,
    /// One of those that travelled in the request: a try, and the next one in less company.
    Shared,
}

pub async fn set_back(tx: &Tx, portal: PortalId, fence: i64, setbacks: &[Setback]) -> Result<(), StoreError> {
    for back in setbacks {
        let (counts, keeps, adds) = match back.blame {
            Blame::Nobody => (0, 1, 0),
            Blame::Own => (1, 0, 0),
            Blame::Shared => (1, 1, 1),
        };
        tx.execute(
            "UPDATE outbox SET state = CASE WHEN seq = $7 THEN $4 ELSE 0 END, not_before = $5,
                attempts = CASE WHEN seq = $7 THEN attempts + $6 ELSE 0 END,
                spoilt = CASE WHEN seq = $7 THEN spoilt * $8 + $9 ELSE 0 END, target = 0, write_kind = '',
                write_sealed = NULL
             WHERE portal_id = $1 AND id = $2 AND fence = $3 AND state = 1",
            args![portal.0, back.id, fence, back.state, back.not_before, counts, back.seq, keeps, adds],
        )
        .await?;
    }
    Ok(())
}

/// No answer came: it counts as a try, of which any of them may have been the cause. The rows stay held.
pub async fn unheard(tx: &Tx, portal: PortalId, fence: i64, ids: &[i64]) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, fence];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "UPDATE outbox SET attempts = attempts + 1, spoilt = spoilt + 1
             WHERE portal_id = $1 AND fence = $2 AND state = 1 AND id IN ({})",
            list(2, chunk.len())
        );
        tx.execute(&sql, values).await?;
    }
    Ok(())
}

/// Takes over rows left open by an earlier owner of the portal's lease, so that only one of us records their end.
pub async fn adopt(tx: &Tx, portal: PortalId, fence: i64, ids: &[i64], now: i64) -> Result<Vec<i64>, StoreError> {
    let mut taken = Vec::new();
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, fence, now];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "UPDATE outbox SET fence = $2 WHERE portal_id = $1 AND state = 1 AND hold_until <= $3 AND id IN ({})
             RETURNING id",
            list(3, chunk.len())
        );
        for row in tx.rows(&sql, values).await? {
            taken.push(row.get("id")?);
        }
    }
    Ok(taken)
}

/// The look-up of an unknown outcome failed: it is tried again later, the record stays held.
pub async fn hold_longer(db: &Db, portal: PortalId, fence: i64, ids: &[i64], until: i64) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, fence, until];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "UPDATE outbox SET hold_until = $3 WHERE portal_id = $1 AND fence = $2 AND state = 1 AND id IN ({})",
            list(3, chunk.len())
        );
        db.execute(&sql, values).await?;
    }
    Ok(())
}
