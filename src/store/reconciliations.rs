//! What a reconciliation asks of the store, and what it found: one row a subject and cause, kept with its job.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;

use super::bulk::insert;
use super::stays::OF_LATE;
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

/// One difference between the hotel, the store and the portal.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftRow {
    /// A stay, a profile, or a record of the portal that stands for nobody we know.
    pub subject: String,
    pub cause: String,
    /// Of a stay.
    pub arrival: Option<NaiveDate>,
    /// Which record, which fields; no guest's data.
    pub detail: serde_json::Value,
}

/// Notes what was found; a step that is done again notes nothing twice.
pub async fn note(tx: &Tx, portal: PortalId, job: &str, found: &[DriftRow], now: i64) -> Result<(), StoreError> {
    let rows = found
        .iter()
        .map(|drift| {
            let arrival = drift.arrival.map(|day| day.to_string()).unwrap_or_default();
            let (subject, cause) = (drift.subject.as_str(), drift.cause.as_str());
            args![portal.0, job, subject, cause, arrival, drift.detail.to_string(), now]
        })
        .collect();
    let columns = ["portal_id", "job", "subject", "cause", "arrival", "detail", "found_at"];
    insert(tx, "drift", &columns, rows, "ON CONFLICT DO NOTHING").await?;
    Ok(())
}

/// What a reconciliation found, by day of arrival.
pub async fn found(db: &Db, portal: PortalId, job: &str, limit: i64) -> Result<Vec<DriftRow>, StoreError> {
    let sql = "SELECT subject, cause, arrival, detail FROM drift WHERE portal_id = $1 AND job = $2
         ORDER BY arrival, subject, cause LIMIT $3";
    let read = |row: &Row| {
        Ok(DriftRow {
            subject: row.get("subject")?,
            cause: row.get("cause")?,
            arrival: row.get::<String>("arrival")?.parse().ok(),
            detail: serde_json::from_str(&row.get::<String>("detail")?)
                .map_err(|_| StoreError::Corrupt("drift.detail"))?,
        })
    };
    db.rows(sql, args![portal.0, job, limit]).await?.iter().map(read).collect()
}

/// Whom it found a cause of.
pub async fn of_cause(db: &Db, portal: PortalId, job: &str, cause: &str) -> Result<HashSet<String>, StoreError> {
    let sql = "SELECT subject FROM drift WHERE portal_id = $1 AND job = $2 AND cause = $3";
    db.rows(sql, args![portal.0, job, cause]).await?.iter().map(|row| row.get("subject")).collect()
}

/// How much it found, by cause.
pub async fn counts(db: &Db, portal: PortalId, job: &str) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT cause, COUNT(*) AS n FROM drift WHERE portal_id = $1 AND job = $2 GROUP BY cause ORDER BY cause";
    db.rows(sql, args![portal.0, job]).await?.iter().map(|row| Ok((row.get("cause")?, row.get("n")?))).collect()
}

/// A hotel that was not reconciled for so long is overdue: a night was missed.
pub const OVERDUE_MS: i64 = 36 * 3_600_000;

/// Hotels whose last reconciliation failed, or that had none whole since `since` although they are read. While another one
/// is under way, nothing shows that the trouble is over.
pub async fn behind(db: &Db, since: i64) -> Result<Vec<(PortalId, HotelId)>, StoreError> {
    let of_hotel = "j.portal_id = h.portal_id AND j.hotel_id = h.id AND j.kind = 'reconciliation'";
    let sql = format!(
        "SELECT h.portal_id, h.id AS hotel_id FROM hotel h
         JOIN portal p ON p.id = h.portal_id AND p.status = 'active' AND p.installed = $1
         WHERE h.removed_at IS NULL AND ((SELECT j.state FROM job j WHERE {of_hotel} AND j.state IN ('completed', 'failed')
                ORDER BY j.created_at DESC, j.id DESC LIMIT 1) = 'failed'
            OR (COALESCE((SELECT MAX(j.updated_at) FROM job j WHERE {of_hotel} AND j.state = 'completed'), h.created_at) < $2
                AND EXISTS (SELECT 1 FROM source s WHERE s.portal_id = h.portal_id AND s.hotel_id = h.id
                    AND s.last_ok_at IS NOT NULL)))"
    );
    let read = |row: &Row| Ok((PortalId(row.get("portal_id")?), HotelId(row.get("hotel_id")?)));
    db.rows(&sql, args![true, since]).await?.iter().map(read).collect()
}

/// How far a hotel is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub hotel: HotelId,
    /// When its last whole reconciliation ended.
    pub at: Option<i64>,
    /// What that one found …
    pub drift: i64,
    /// … and what of it still waits: to be decided, to be sent, or for a person.
    pub open: i64,
    /// The last one that ended came to no good end.
    pub failed: bool,
}

const LAST: &str = "FROM job j WHERE j.kind = 'reconciliation' AND j.state = 'completed' AND NOT EXISTS
     (SELECT 1 FROM job k WHERE k.portal_id = j.portal_id AND k.hotel_id = j.hotel_id AND k.kind = j.kind
        AND k.state = j.state AND (k.created_at > j.created_at OR (k.created_at = j.created_at AND k.id > j.id)))";

impl Compared {
    pub fn never(hotel: HotelId) -> Self {
        Self { hotel, at: None, drift: 0, open: 0, failed: false }
    }
}

pub async fn compared(db: &Db, portal: PortalId) -> Result<Vec<Compared>, StoreError> {
    let found = "SELECT COUNT(*) FROM drift d WHERE d.portal_id = j.portal_id AND d.job = j.id";
    let sql = format!(
        "SELECT j.hotel_id, j.updated_at, ({found}) AS drift, ({found} AND (
            EXISTS (SELECT 1 FROM outbox o WHERE o.portal_id = d.portal_id AND o.subject = d.subject)
            OR EXISTS (SELECT 1 FROM inbox i WHERE i.portal_id = d.portal_id AND i.subject = d.subject AND i.state = 0)
            OR EXISTS (SELECT 1 FROM problem p WHERE p.portal_id = d.portal_id AND p.subject = d.subject
                AND p.state = 'open'))) AS open
         {LAST} AND j.portal_id = $1"
    );
    let mut hotels: BTreeMap<HotelId, Compared> = BTreeMap::new();
    for row in db.rows(&sql, args![portal.0]).await? {
        let hotel = HotelId(row.get("hotel_id")?);
        let (at, drift, open) = (Some(row.get("updated_at")?), row.get("drift")?, row.get("open")?);
        hotels.insert(hotel, Compared { at, drift, open, ..Compared::never(hotel) });
    }
    let failed = "SELECT DISTINCT j.hotel_id FROM job j
         WHERE j.portal_id = $1 AND j.kind = 'reconciliation' AND j.state = 'failed' AND NOT EXISTS
            (SELECT 1 FROM job k WHERE k.portal_id = j.portal_id AND k.hotel_id = j.hotel_id AND k.kind = j.kind
               AND k.state IN ('completed', 'failed')
               AND (k.created_at > j.created_at OR (k.created_at = j.created_at AND k.id > j.id)))";
    for row in db.rows(failed, args![portal.0]).await? {
        let hotel = HotelId(row.get("hotel_id")?);
        hotels.entry(hotel).or_insert_with(|| Compared::never(hotel)).failed = true;
    }
    Ok(hotels.into_values().collect())
}

/// Hotels whose last reconciliation found differences.
pub async fn drifted(db: &Db) -> Result<Vec<(PortalId, HotelId)>, StoreError> {
    let sql = format!(
        "SELECT j.portal_id, j.hotel_id {LAST}
            AND EXISTS (SELECT 1 FROM drift d WHERE d.portal_id = j.portal_id AND d.job = j.id)"
    );
    let read = |row: &Row| Ok((PortalId(row.get("portal_id")?), HotelId(row.get("hotel_id")?)));
    db.rows(&sql, args![]).await?.iter().map(read).collect()
}

/// What the last reconciliations of all hotels found.
pub async fn outstanding(db: &Db) -> Result<i64, StoreError> {
    let sql = format!("SELECT COUNT(*) AS n FROM drift d WHERE d.job IN (SELECT j.id {LAST})");
    db.rows(&sql, args![]).await?.first().map_or(Ok(0), |row| row.get("n"))
}

/// A hotel that is read, when its last completed night began, and when the last reconciliation of any kind did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nightly {
    pub portal: PortalId,
    pub hotel: HotelId,
    pub timezone: String,
    pub night_at: Option<i64>,
    pub tried_at: Option<i64>,
}

pub async fn nightly(db: &Db) -> Result<Vec<Nightly>, StoreError> {
    // By night nobody started it.
    let sql = "SELECT h.id, h.portal_id, h.timezone,
            (SELECT MAX(j.created_at) FROM job j WHERE j.portal_id = h.portal_id AND j.hotel_id = h.id
                AND j.kind = 'reconciliation' AND j.state = 'completed' AND j.started_by = 0) AS night_at,
            (SELECT MAX(j.created_at) FROM job j WHERE j.portal_id = h.portal_id AND j.hotel_id = h.id
                AND j.kind = 'reconciliation') AS tried_at
         FROM hotel h WHERE h.removed_at IS NULL AND EXISTS
            (SELECT 1 FROM source s WHERE s.portal_id = h.portal_id AND s.hotel_id = h.id AND s.health = 'ok')";
    let read = |row: &Row| {
        Ok(Nightly {
            portal: PortalId(row.get("portal_id")?),
            hotel: HotelId(row.get("id")?),
            timezone: row.get("timezone")?,
            night_at: row.get("night_at")?,
            tried_at: row.get("tried_at")?,
        })
    };
    db.rows(sql, args![]).await?.iter().map(read).collect()
}

/// Where the hotel's last whole night stood at its end.
pub async fn last_night(db: &Db, portal: PortalId, hotel: HotelId) -> Result<Option<serde_json::Value>, StoreError> {
    let sql = "SELECT progress FROM job WHERE portal_id = $1 AND hotel_id = $2 AND kind = 'reconciliation'
            AND state = 'completed' AND started_by = 0 ORDER BY created_at DESC, id DESC LIMIT 1";
    let rows = db.rows(sql, args![portal.0, hotel.0]).await?;
    let text: Option<String> = rows.first().map(|row| row.get("progress")).transpose()?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("job.progress"))).transpose()
}

/// The ranges of arrivals that imports of the hotel have read whole.
pub async fn imported(db: &Db, portal: PortalId, hotel: HotelId) -> Result<Vec<(NaiveDate, NaiveDate)>, StoreError> {
    let sql = "SELECT DISTINCT from_date, to_date FROM job
         WHERE portal_id = $1 AND hotel_id = $2 AND kind = 'import' AND state = 'completed' ORDER BY from_date, to_date";
    let day = |row: &Row, name| -> Result<NaiveDate, StoreError> {
        row.get::<String>(name)?.parse().map_err(|_| StoreError::Corrupt("job dates"))
    };
    let rows = db.rows(sql, args![portal.0, hotel.0]).await?;
    rows.iter().map(|row| Ok((day(row, "from_date")?, day(row, "to_date")?))).collect()
}

/// A stay of the store as a window of arrivals is compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arriving {
    pub number: String,
    pub arrival: Option<NaiveDate>,
    /// No PMS purges it yet.
    pub of_late: bool,
}

/// Stays that arrive on these days; of late is what ends on or after `since`.
pub async fn arriving(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    (from, to): (NaiveDate, NaiveDate),
    since: NaiveDate,
) -> Result<Vec<Arriving>, StoreError> {
    let sql = format!(
        "SELECT number, arrival, CASE WHEN {OF_LATE} THEN 1 ELSE 0 END AS of_late FROM stay
         WHERE portal_id = $1 AND hotel_id = $2 AND arrival BETWEEN $4 AND $5"
    );
    let read = |row: &Row| {
        Ok(Arriving {
            number: row.get("number")?,
            arrival: row.get::<String>("arrival")?.parse().ok(),
            of_late: row.get::<i32>("of_late")? == 1,
        })
    };
    let values = args![portal.0, hotel.0, since.to_string(), from.to_string(), to.to_string()];
    db.rows(&sql, values).await?.iter().map(read).collect()
}

/// Old reports go, in small steps.
pub async fn purge(db: &Db, before: i64, limit: i64) -> Result<(), StoreError> {
    for table in ["drift", "reconciled_day"] {
        let sql = format!(
            "DELETE FROM {table} WHERE job IN
                (SELECT id FROM job WHERE kind = 'reconciliation' AND created_at < $1 ORDER BY created_at LIMIT $2)"
        );
        db.execute(&sql, args![before, limit]).await?;
    }
    db.execute(
        "DELETE FROM job WHERE id IN
            (SELECT id FROM job WHERE kind = 'reconciliation' AND created_at < $1 ORDER BY created_at LIMIT $2)",
        args![before, limit],
    )
    .await?;
    Ok(())
}
