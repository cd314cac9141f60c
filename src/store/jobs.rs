//! Long work at a hotel, done in steps by whatever node: what was asked for and how far it came.

use chrono::NaiveDate;
use sea_orm::Value;

use super::bulk::Via;
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    Import,
    /// Counts what an import would bring.
    Estimate,
    Reconciliation,
    /// Decides kept input once more.
    Replay,
}

/// Jobs of a family: one of them at a time is under way at a hotel.
pub type Family = &'static [JobKind];

pub const IMPORTS: Family = &[JobKind::Import, JobKind::Estimate];
pub const RECONCILIATIONS: Family = &[JobKind::Reconciliation];
pub const REPLAYS: Family = &[JobKind::Replay];

fn words(family: Family) -> String {
    family.iter().map(|kind| format!("'{}'", kind.word())).collect::<Vec<_>>().join(", ")
}

impl JobKind {
    fn family(self) -> Family {
        [RECONCILIATIONS, REPLAYS].into_iter().find(|family| family.contains(&self)).unwrap_or(IMPORTS)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Estimate => "estimate",
            Self::Reconciliation => "reconciliation",
            Self::Replay => "replay",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        [Self::Import, Self::Estimate, Self::Reconciliation, Self::Replay]
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or(StoreError::Corrupt("job.kind"))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    pub id: String,
    pub hotel: HotelId,
    /// `queued`, `running`, `paused`, `completed`, `cancelled`, `failed`.
    pub state: String,
    pub kind: JobKind,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub progress: serde_json::Value,
    pub estimate: Option<serde_json::Value>,
    pub created_at: i64,
    pub updated_at: i64,
}

const COLUMNS: &str = "id, hotel_id, state, kind, from_date, to_date, progress, estimate, created_at, updated_at";

fn read(row: &Row) -> Result<JobRow, StoreError> {
    let date = |name| -> Result<NaiveDate, StoreError> {
        row.get::<String>(name)?.parse().map_err(|_| StoreError::Corrupt("job dates"))
    };
    let json = |text: String| serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("job.progress"));
    Ok(JobRow {
        id: row.get("id")?,
        hotel: HotelId(row.get("hotel_id")?),
        state: row.get("state")?,
        kind: JobKind::read(&row.get::<String>("kind")?)?,
        from: date("from_date")?,
        to: date("to_date")?,
        progress: json(row.get("progress")?)?,
        estimate: row.get::<Option<String>>("estimate")?.map(json).transpose()?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// Queues a job; `false`: another one of the hotel and the family is not over.
pub async fn create(tx: &Tx, portal: PortalId, job: &JobRow, by: i64) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO job (id, portal_id, hotel_id, state, kind, from_date, to_date, progress, started_by,
            created_at, updated_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10
         WHERE NOT EXISTS (SELECT 1 FROM job WHERE portal_id = $2 AND hotel_id = $3
            AND state IN ('queued', 'running', 'paused') AND kind IN ({}))",
        words(job.kind.family())
    );
    let touched = tx
        .execute(
            &sql,
            args![
                job.id.as_str(),
                portal.0,
                job.hotel.0,
                job.state.as_str(),
                job.kind.word(),
                job.from.to_string(),
                job.to.to_string(),
                job.progress.to_string(),
                by,
                job.created_at
            ],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn get(db: &Db, portal: PortalId, id: &str) -> Result<Option<JobRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM job WHERE portal_id = $1 AND id = $2");
    db.rows(&sql, args![portal.0, id]).await?.first().map(read).transpose()
}

/// The latest first.
pub async fn list(
    db: &Db,
    portal: PortalId,
    hotel: Option<HotelId>,
    family: Family,
    limit: i64,
) -> Result<Vec<JobRow>, StoreError> {
    let mut sql = format!("SELECT {COLUMNS} FROM job WHERE portal_id = $1 AND kind IN ({})", words(family));
    let mut values = args![portal.0, limit];
    if let Some(hotel) = hotel {
        sql.push_str(" AND hotel_id = $3");
        values.push(Value::from(hotel.0));
    }
    sql.push_str(" ORDER BY created_at DESC, id LIMIT $2");
    db.rows(&sql, values).await?.iter().map(read).collect()
}

/// Hotels whose job of a kind is paused.
pub async fn paused(db: &Db, portal: PortalId, kind: JobKind) -> Result<Vec<HotelId>, StoreError> {
    let sql = "SELECT DISTINCT hotel_id FROM job WHERE portal_id = $1 AND kind = $2 AND state = 'paused'";
    db.rows(sql, args![portal.0, kind.word()]).await?.iter().map(|row| Ok(HotelId(row.get("hotel_id")?))).collect()
}

/// Jobs that want to go on, the oldest first.
pub async fn unfinished(db: &Db, portal: PortalId, family: Family) -> Result<Vec<JobRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM job WHERE portal_id = $1 AND state IN ('queued', 'running') AND kind IN ({})
         ORDER BY created_at, id",
        words(family)
    );
    db.rows(&sql, args![portal.0]).await?.iter().map(read).collect()
}

/// Portals with a job of the family that wants to go on.
pub async fn portals(db: &Db, family: Family) -> Result<Vec<PortalId>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT portal_id FROM job WHERE state IN ('queued', 'running') AND kind IN ({})",
        words(family)
    );
    db.rows(&sql, args![]).await?.iter().map(|row| Ok(PortalId(row.get("portal_id")?))).collect()
}

/// Moves a job from one of `from` to `to`; `false`: it was in another state.
pub async fn step(db: &Db, portal: PortalId, id: &str, from: &[&str], to: &str, now: i64) -> Result<bool, StoreError> {
    let states = from.iter().map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ");
    let sql =
        format!("UPDATE job SET state = $3, updated_at = $4 WHERE portal_id = $1 AND id = $2 AND state IN ({states})");
    Ok(db.execute(&sql, args![portal.0, id, to, now]).await? > 0)
}

/// A paused job runs again; `false`: it was moved or went on since it was read.
pub async fn go_on(
    db: &Db,
    portal: PortalId,
    job: &JobRow,
    progress: &serde_json::Value,
    now: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE job SET state = 'running', progress = $3, updated_at = $5
         WHERE portal_id = $1 AND id = $2 AND state = 'paused' AND updated_at = $4";
    Ok(db.execute(sql, args![portal.0, job.id.as_str(), progress.to_string(), job.updated_at, now]).await? > 0)
}

/// A failed job runs again; `false`: another one of the hotel and the family is not over.
pub async fn revive(
    db: &Db,
    portal: PortalId,
    job: &JobRow,
    progress: &serde_json::Value,
    now: i64,
) -> Result<bool, StoreError> {
    let sql = format!(
        "UPDATE job SET state = 'running', progress = $4, updated_at = $5
         WHERE portal_id = $1 AND id = $2 AND state = 'failed' AND NOT EXISTS (SELECT 1 FROM job other
            WHERE other.portal_id = $1 AND other.hotel_id = $3 AND other.state IN ('queued', 'running', 'paused')
                AND other.kind IN ({}))",
        words(job.kind.family())
    );
    Ok(db.execute(&sql, args![portal.0, job.id.as_str(), job.hotel.0, progress.to_string(), now]).await? > 0)
}

/// How far a job came; only while it runs.
pub async fn advance(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    id: &str,
    progress: &serde_json::Value,
    estimate: Option<&serde_json::Value>,
    now: i64,
) -> Result<bool, StoreError> {
    let touched = via
        .into()
        .execute(
            "UPDATE job SET progress = $3, estimate = COALESCE($4, estimate), updated_at = $5
             WHERE portal_id = $1 AND id = $2 AND state = 'running'",
            args![portal.0, id, progress.to_string(), estimate.map(ToString::to_string), now],
        )
        .await?;
    Ok(touched > 0)
}
