//! How far a hotel's records were taken along when another version of its mapping was switched on. One job a hotel: asking
//! again begins anew.

use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

/// What is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    People,
    Groups,
    Stays,
    Done,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Groups => "groups",
            Self::Stays => "stays",
            Self::Done => "done",
        }
    }

    fn read(word: &str) -> Self {
        [Self::People, Self::Groups, Self::Stays].into_iter().find(|phase| phase.word() == word).unwrap_or(Self::Done)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    pub hotel: HotelId,
    /// Of the mapping that was in force when it began.
    pub version: i64,
    pub phase: Phase,
    /// The last one gone through.
    pub after: String,
    pub total: i64,
    pub raised: i64,
    pub started_at: i64,
}

fn read(row: &Row) -> Result<JobRow, StoreError> {
    Ok(JobRow {
        hotel: HotelId(row.get("hotel_id")?),
        version: row.get("version")?,
        phase: Phase::read(&row.get::<String>("phase")?),
        after: row.get("after_key")?,
        total: row.get("total")?,
        raised: row.get("raised")?,
        started_at: row.get("started_at")?,
    })
}

const COLUMNS: &str = "hotel_id, version, phase, after_key, total, raised, started_at";

pub async fn begin(db: &Db, portal: PortalId, job: &JobRow, by: i64) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO mapping_job (portal_id, hotel_id, version, phase, after_key, total, raised, started_by, started_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (portal_id, hotel_id) DO UPDATE SET version = excluded.version, phase = excluded.phase,
            after_key = excluded.after_key, total = excluded.total, raised = excluded.raised,
            started_by = excluded.started_by, started_at = excluded.started_at",
        args![
            portal.0,
            job.hotel.0,
            job.version,
            job.phase.word(),
            job.after.as_str(),
            job.total,
            job.raised,
            by,
            job.started_at
        ],
    )
    .await?;
    Ok(())
}

pub async fn get(db: &Db, portal: PortalId, hotel: HotelId) -> Result<Option<JobRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM mapping_job WHERE portal_id = $1 AND hotel_id = $2");
    db.rows(&sql, args![portal.0, hotel.0]).await?.first().map(read).transpose()
}

/// The portal's oldest job that is not over.
pub async fn next(db: &Db, portal: PortalId) -> Result<Option<JobRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM mapping_job WHERE portal_id = $1 AND phase <> 'done' ORDER BY started_at LIMIT 1"
    );
    db.rows(&sql, args![portal.0]).await?.first().map(read).transpose()
}

/// Goes on from where `held` stood; `false`: somebody else did.
pub async fn advance(tx: &Tx, portal: PortalId, held: &JobRow, to: &JobRow) -> Result<bool, StoreError> {
    let moved = tx
        .execute(
            "UPDATE mapping_job SET phase = $6, after_key = $7, raised = $8
             WHERE portal_id = $1 AND hotel_id = $2 AND started_at = $3 AND phase = $4 AND after_key = $5",
            args![
                portal.0,
                held.hotel.0,
                held.started_at,
                held.phase.word(),
                held.after.as_str(),
                to.phase.word(),
                to.after.as_str(),
                to.raised
            ],
        )
        .await?;
    Ok(moved > 0)
}

/// How many stays a hotel has, and how many of its profiles have a record.
pub async fn sizes(db: &Db, portal: PortalId, hotel: HotelId) -> Result<(i64, i64), StoreError> {
    let count = |rows: Vec<Row>| rows.first().map_or(Ok(0), |row| row.get::<i64>("n"));
    let stays = "SELECT COUNT(*) AS n FROM stay WHERE portal_id = $1 AND hotel_id = $2";
    let people = "SELECT COUNT(*) AS n FROM link WHERE portal_id = $1 AND subject LIKE $2";
    Ok((
        count(db.rows(stays, args![portal.0, hotel.0]).await?)?,
        count(db.rows(people, args![portal.0, format!("profile:{hotel}:%")]).await?)?,
    ))
}

/// The next numbers of the hotel's stays.
pub async fn stays_after(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT number FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND number > $3 ORDER BY number LIMIT $4";
    db.rows(sql, args![portal.0, hotel.0, after, limit]).await?.iter().map(|row| row.get("number")).collect()
}

/// The next subjects of the hotel's profiles that have a record, with its kind.
pub async fn people_after(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, i32)>, StoreError> {
    let sql = "SELECT subject, entity FROM link WHERE portal_id = $1 AND subject LIKE $2 AND subject > $3
         ORDER BY subject LIMIT $4";
    let rows = db.rows(sql, args![portal.0, format!("profile:{hotel}:%"), after, limit]).await?;
    rows.iter().map(|row| Ok((row.get("subject")?, row.get("entity")?))).collect()
}
