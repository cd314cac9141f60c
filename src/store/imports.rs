//! Import jobs: what was asked for and how far it came.

use chrono::NaiveDate;
use sea_orm::Value;

use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    pub id: String,
    pub hotel: HotelId,
    /// `queued`, `running`, `paused`, `completed`, `cancelled`, `failed`.
    pub state: String,
    pub dry_run: bool,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub progress: serde_json::Value,
    pub estimate: Option<serde_json::Value>,
    pub created_at: i64,
    pub updated_at: i64,
}

const COLUMNS: &str = "id, hotel_id, state, dry_run, from_date, to_date, progress, estimate, created_at, updated_at";

fn read(row: &Row) -> Result<JobRow, StoreError> {
    let date = |name| -> Result<NaiveDate, StoreError> {
        row.get::<String>(name)?.parse().map_err(|_| StoreError::Corrupt("import_job dates"))
    };
    let json = |text: String| serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("import_job.progress"));
    Ok(JobRow {
        id: row.get("id")?,
        hotel: HotelId(row.get("hotel_id")?),
        state: row.get("state")?,
        dry_run: row.get("dry_run")?,
        from: date("from_date")?,
        to: date("to_date")?,
        progress: json(row.get("progress")?)?,
        estimate: row.get::<Option<String>>("estimate")?.map(json).transpose()?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// Queues a job; `false`: another one of the hotel is not over.
pub async fn create(tx: &Tx, portal: PortalId, job: &JobRow, by: i64) -> Result<bool, StoreError> {
    let touched = tx
        .execute(
            "INSERT INTO import_job (id, portal_id, hotel_id, state, dry_run, from_date, to_date, progress, started_by,
                created_at, updated_at)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10
             WHERE NOT EXISTS (SELECT 1 FROM import_job WHERE portal_id = $2 AND hotel_id = $3
                AND state IN ('queued', 'running', 'paused'))",
            args![
                job.id.as_str(),
                portal.0,
                job.hotel.0,
                job.state.as_str(),
                job.dry_run,
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
    let sql = format!("SELECT {COLUMNS} FROM import_job WHERE portal_id = $1 AND id = $2");
    db.rows(&sql, args![portal.0, id]).await?.first().map(read).transpose()
}

pub async fn list(db: &Db, portal: PortalId, hotel: Option<HotelId>, limit: i64) -> Result<Vec<JobRow>, StoreError> {
    let mut sql = format!("SELECT {COLUMNS} FROM import_job WHERE portal_id = $1");
    let mut values = args![portal.0, limit];
    if let Some(hotel) = hotel {
        sql.push_str(" AND hotel_id = $3");
        values.push(Value::from(hotel.0));
    }
    sql.push_str(" ORDER BY created_at DESC, id LIMIT $2");
    db.rows(&sql, values).await?.iter().map(read).collect()
}

/// Jobs that want to go on, the oldest first.
pub async fn unfinished(db: &Db, portal: PortalId) -> Result<Vec<JobRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM import_job WHERE portal_id = $1 AND state IN ('queued', 'running') ORDER BY created_at, id"
    );
    db.rows(&sql, args![portal.0]).await?.iter().map(read).collect()
}

/// Moves a job from one of `from` to `to`; `false`: it was in another state.
pub async fn step(db: &Db, portal: PortalId, id: &str, from: &[&str], to: &str, now: i64) -> Result<bool, StoreError> {
    let states = from.iter().map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "UPDATE import_job SET state = $3, updated_at = $4 WHERE portal_id = $1 AND id = $2 AND state IN ({states})"
    );
    Ok(db.execute(&sql, args![portal.0, id, to, now]).await? > 0)
}

/// How far a job came; only while it runs.
pub async fn advance(
    db: &Db,
    portal: PortalId,
    id: &str,
    progress: &serde_json::Value,
    estimate: Option<&serde_json::Value>,
    now: i64,
) -> Result<bool, StoreError> {
    let touched = db
        .execute(
            "UPDATE import_job SET progress = $3, estimate = COALESCE($4, estimate), updated_at = $5
             WHERE portal_id = $1 AND id = $2 AND state = 'running'",
            args![portal.0, id, progress.to_string(), estimate.map(ToString::to_string), now],
        )
        .await?;
    Ok(touched > 0)
}

/// What the store holds of a range of arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub total: i64,
    pub done: i64,
    pub rejected: i64,
}

/// Stays of the range: all, linked to a deal, rejected.
pub async fn tally_stays(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    range: (NaiveDate, NaiveDate),
) -> Result<Tally, StoreError> {
    let rows = db
        .rows(
            "SELECT COUNT(*) AS total, COUNT(l.crm_id) AS done,
                COUNT(CASE WHEN o.state IN (2, 3) AND l.crm_id IS NULL THEN 1 END) AS rejected
             FROM stay s
             LEFT JOIN link l ON l.portal_id = s.portal_id AND l.subject = $5 || s.number
             LEFT JOIN outbox o ON o.portal_id = s.portal_id AND o.subject = $5 || s.number
             WHERE s.portal_id = $1 AND s.hotel_id = $2 AND s.arrival BETWEEN $3 AND $4",
            args![portal.0, hotel.0, range.0.to_string(), range.1.to_string(), format!("stay:{hotel}:")],
        )
        .await?;
    tally(rows.first())
}

/// Profiles named by stays of the range, by kind (`guest`, `company`).
pub async fn tally_profiles(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    range: (NaiveDate, NaiveDate),
    kind: &str,
) -> Result<Tally, StoreError> {
    let rows = db
        .rows(
            "SELECT COUNT(*) AS total, COUNT(l.crm_id) AS done,
                COUNT(CASE WHEN o.state IN (2, 3) AND l.crm_id IS NULL THEN 1 END) AS rejected
             FROM (SELECT DISTINCT sp.profile AS number FROM stay s
                JOIN stay_profile sp ON sp.portal_id = s.portal_id AND sp.hotel_id = s.hotel_id AND sp.stay = s.number
                WHERE s.portal_id = $1 AND s.hotel_id = $2 AND s.arrival BETWEEN $3 AND $4) named
             JOIN profile p ON p.portal_id = $1 AND p.hotel_id = $2 AND p.number = named.number AND p.kind = $6
             LEFT JOIN link l ON l.portal_id = p.portal_id AND l.subject = $5 || p.number
             LEFT JOIN outbox o ON o.portal_id = p.portal_id AND o.subject = $5 || p.number",
            args![portal.0, hotel.0, range.0.to_string(), range.1.to_string(), format!("profile:{hotel}:"), kind],
        )
        .await?;
    tally(rows.first())
}

fn tally(row: Option<&Row>) -> Result<Tally, StoreError> {
    let Some(row) = row else { return Ok(Tally::default()) };
    Ok(Tally { total: row.get("total")?, done: row.get("done")?, rejected: row.get("rejected")? })
}

/// How many of the hotel's records an import still has on their way.
pub async fn on_their_way(db: &Db, portal: PortalId, hotel: HotelId, priority: i32) -> Result<i64, StoreError> {
    let rows = db
        .rows(
            "SELECT (SELECT COUNT(*) FROM inbox WHERE portal_id = $1 AND hotel_id = $2 AND state = 0 AND priority = $3)
                + (SELECT COUNT(*) FROM outbox WHERE portal_id = $1 AND state IN (0, 1) AND priority = $3
                    AND (subject LIKE $4 OR subject LIKE $5)) AS n",
            args![portal.0, hotel.0, priority, format!("stay:{hotel}:%"), format!("profile:{hotel}:%")],
        )
        .await?;
    rows.first().map_or(Ok(0), |row| row.get("n"))
}
