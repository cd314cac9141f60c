//! The error inbox: one row per subject and cause, with how often and since when.

use std::collections::HashMap;

use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list};
use super::{Db, Row, StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId};

const DETAIL: &str = "problem.detail";

#[derive(Debug, Clone, PartialEq)]
pub struct NewProblem {
    pub hotel: Option<HotelId>,
    pub subject: String,
    pub cause: String,
    pub kind: &'static str,
    /// Parameters of the texts; no guest's data.
    pub params: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ProblemRow {
    pub id: i64,
    pub hotel: Option<HotelId>,
    pub subject: String,
    pub cause: String,
    pub kind: String,
    pub params: serde_json::Value,
    pub count: i32,
    pub state: String,
    pub note: String,
    pub first_at: i64,
    pub last_at: i64,
}

/// Records problems; one that is known counts again and is open again.
pub async fn raise(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    problems: &[NewProblem],
    now: i64,
) -> Result<(), StoreError> {
    // One statement cannot touch a row twice: each subject and cause once.
    let mut once: Vec<&NewProblem> = Vec::with_capacity(problems.len());
    for problem in problems {
        if !once.iter().any(|held| held.subject == problem.subject && held.cause == problem.cause) {
            once.push(problem);
        }
    }
    let mut rows = Vec::with_capacity(once.len());
    for problem in once {
        rows.push(args![
            portal.0,
            problem.hotel.map_or(0, |hotel| hotel.0),
            problem.subject.as_str(),
            problem.cause.as_str(),
            problem.kind,
            key.seal(DETAIL, problem.params.to_string().as_bytes())?,
            now,
            now
        ]);
    }
    insert(
        tx,
        "problem",
        &["portal_id", "hotel_id", "subject", "cause", "kind", "detail_sealed", "first_at", "last_at"],
        rows,
        "ON CONFLICT (portal_id, subject, cause) DO UPDATE SET count = problem.count + 1, state = 'open',
            kind = excluded.kind, detail_sealed = excluded.detail_sealed, last_at = excluded.last_at",
    )
    .await?;
    Ok(())
}

/// The subjects' records are confirmed: what the portal had against them (causes that begin with `crm.`) is over.
pub async fn settle(tx: &Tx, portal: PortalId, subjects: &[String]) -> Result<(), StoreError> {
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "DELETE FROM problem WHERE portal_id = $1 AND kind IN ('rejected', 'failed') AND cause LIKE 'crm.%'
               AND subject IN ({})",
            list(1, chunk.len())
        );
        tx.execute(&sql, values).await?;
    }
    Ok(())
}

/// A problem of the whole portal is over.
pub async fn clear(db: &Db, portal: PortalId, subject: &str, cause: &str) -> Result<(), StoreError> {
    db.execute(
        "DELETE FROM problem WHERE portal_id = $1 AND subject = $2 AND cause = $3",
        args![portal.0, subject, cause],
    )
    .await?;
    Ok(())
}

/// A problem of one subject is over.
pub async fn over(tx: &Tx, portal: PortalId, subject: &str, cause: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM problem WHERE portal_id = $1 AND subject = $2 AND cause = $3",
        args![portal.0, subject, cause],
    )
    .await?;
    Ok(())
}

/// A removed hotel has no problems any more.
pub async fn over_at(tx: &Tx, portal: PortalId, hotel: HotelId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM problem WHERE portal_id = $1 AND hotel_id = $2", args![portal.0, hotel.0]).await?;
    Ok(())
}

/// One cause is over for these subjects.
pub async fn over_all(tx: &Tx, portal: PortalId, subjects: &[String], cause: &str) -> Result<(), StoreError> {
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0, cause];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "DELETE FROM problem WHERE portal_id = $1 AND cause = $2 AND subject IN ({})",
            list(2, chunk.len())
        );
        tx.execute(&sql, values).await?;
    }
    Ok(())
}

/// Whom a cause is known of at a hotel: dismissed too, but not where somebody asked for another try.
pub async fn subjects(db: &Db, portal: PortalId, hotel: HotelId, cause: &str) -> Result<Vec<String>, StoreError> {
    let rows = db
        .rows(
            "SELECT subject FROM problem WHERE portal_id = $1 AND hotel_id = $2 AND cause = $3 AND state <> 'retried' ORDER BY subject",
            args![portal.0, hotel.0, cause],
        )
        .await?;
    rows.iter().map(|row| row.get("subject")).collect()
}

/// What people said of one cause, by subject: `open`, `retried`, `dismissed`.
pub async fn states(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    subjects: &[String],
    cause: &str,
) -> Result<HashMap<String, String>, StoreError> {
    let via = via.into();
    let mut found = HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0, cause];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, state FROM problem WHERE portal_id = $1 AND cause = $2 AND subject IN ({})",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.insert(row.get("subject")?, row.get("state")?);
        }
    }
    Ok(found)
}

pub(super) const COLUMNS: &str =
    "id, hotel_id, subject, cause, kind, detail_sealed, count, state, note, first_at, last_at";

pub(super) fn read(key: &TenantKey, row: &Row) -> Result<ProblemRow, StoreError> {
    let detail = key.open(DETAIL, &row.get::<Vec<u8>>("detail_sealed")?)?;
    let hotel: i64 = row.get("hotel_id")?;
    Ok(ProblemRow {
        id: row.get("id")?,
        hotel: (hotel != 0).then_some(HotelId(hotel)),
        subject: row.get("subject")?,
        cause: row.get("cause")?,
        kind: row.get("kind")?,
        params: serde_json::from_slice(&detail).map_err(|_| StoreError::Corrupt(DETAIL))?,
        count: row.get("count")?,
        state: row.get("state")?,
        note: row.get("note")?,
        first_at: row.get("first_at")?,
        last_at: row.get("last_at")?,
    })
}

/// What to list; the latest first, from before `(last_at, id)` on.
#[derive(Debug, Clone, Default)]
pub struct ListOf {
    pub state: Option<String>,
    pub kind: Option<String>,
    pub cause: Option<String>,
    pub hotel: Option<HotelId>,
    pub before: Option<(i64, i64)>,
}

pub async fn page(
    db: &Db,
    portal: PortalId,
    key: &TenantKey,
    of: &ListOf,
    limit: i64,
) -> Result<Vec<ProblemRow>, StoreError> {
    let mut sql = format!("SELECT {COLUMNS} FROM problem WHERE portal_id = $1");
    let mut values = args![portal.0];
    let mut and = |text: &str, value: Value, sql: &mut String| {
        values.push(value);
        sql.push_str(&text.replace('?', &format!("${}", values.len())));
    };
    if let Some(state) = &of.state {
        and(" AND state = ?", state.as_str().into(), &mut sql);
    }
    if let Some(kind) = &of.kind {
        and(" AND kind = ?", kind.as_str().into(), &mut sql);
    }
    if let Some(cause) = &of.cause {
        and(" AND cause = ?", cause.as_str().into(), &mut sql);
    }
    if let Some(hotel) = of.hotel {
        and(" AND hotel_id = ?", hotel.0.into(), &mut sql);
    }
    if let Some((last_at, id)) = of.before {
        and(" AND (last_at < ?", last_at.into(), &mut sql);
        and(" OR (last_at = ?", last_at.into(), &mut sql);
        and(" AND id < ?))", id.into(), &mut sql);
    }
    and(" ORDER BY last_at DESC, id DESC LIMIT ?", limit.into(), &mut sql);
    db.rows(&sql, values).await?.iter().map(|row| read(key, row)).collect()
}

pub async fn by_id(db: &Db, portal: PortalId, key: &TenantKey, id: i64) -> Result<Option<ProblemRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM problem WHERE portal_id = $1 AND id = $2");
    db.rows(&sql, args![portal.0, id]).await?.first().map(|row| read(key, row)).transpose()
}

/// What one cause says of one subject.
pub async fn of_cause(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    subject: &str,
    cause: &str,
) -> Result<Option<ProblemRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM problem WHERE portal_id = $1 AND subject = $2 AND cause = $3");
    let rows = via.into().rows(&sql, args![portal.0, subject, cause]).await?;
    rows.first().map(|row| read(key, row)).transpose()
}

/// Whatever is told of these subjects.
pub async fn of_subjects(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    subjects: &[String],
) -> Result<Vec<ProblemRow>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT {COLUMNS} FROM problem WHERE portal_id = $1 AND subject IN ({}) ORDER BY id",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.push(read(key, &row)?);
        }
    }
    Ok(found)
}

/// Words go that others put: the portal's answer may repeat what it was sent, a person's note may name anybody.
pub async fn redact(tx: &Tx, portal: PortalId, key: &TenantKey, mut row: ProblemRow) -> Result<(), StoreError> {
    if let Some(params) = row.params.as_object_mut() {
        params.shift_remove("description");
    }
    revise(tx, portal, key, row.id, &row.params).await?;
    tx.execute("UPDATE problem SET note = '' WHERE portal_id = $1 AND id = $2", args![portal.0, row.id]).await?;
    Ok(())
}

/// Says anew what is known of a problem, without telling it again.
pub async fn revise(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    id: i64,
    params: &serde_json::Value,
) -> Result<(), StoreError> {
    let sealed = key.seal(DETAIL, params.to_string().as_bytes())?;
    let sql = "UPDATE problem SET detail_sealed = $3 WHERE portal_id = $1 AND id = $2";
    tx.execute(sql, args![portal.0, id, sealed]).await?;
    Ok(())
}

pub async fn end(tx: &Tx, portal: PortalId, id: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM problem WHERE portal_id = $1 AND id = $2", args![portal.0, id]).await?;
    Ok(())
}

pub async fn set_state(tx: &Tx, portal: PortalId, id: i64, state: &str, note: &str) -> Result<bool, StoreError> {
    let touched = tx
        .execute(
            "UPDATE problem SET state = $3, note = $4 WHERE portal_id = $1 AND id = $2",
            args![portal.0, id, state, note],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn open_count(db: &Db, portal: PortalId) -> Result<i64, StoreError> {
    let rows =
        db.rows("SELECT COUNT(*) AS n FROM problem WHERE portal_id = $1 AND state = 'open'", args![portal.0]).await?;
    rows.first().map_or(Ok(0), |row| row.get("n"))
}
