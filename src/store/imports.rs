//! What an import has to do with the store: what stands of its range, what its estimate has counted.

use chrono::NaiveDate;

use super::bulk::{insert, of_hotel};
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

/// What of a range of arrivals stands in the portal (`done`), was refused, or is on its way there: all of it is `total`. What
/// a mapping leaves out is none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub total: i64,
    pub done: i64,
    pub rejected: i64,
}

/// Of records with link `l` and outbox row `o`; `lane`: the parameter with an import's priority. What it changes is not done
/// before it is sent; what others change meanwhile is not its own.
fn figures(lane: &str) -> String {
    format!(
        "COUNT(CASE WHEN l.crm_id IS NOT NULL OR o.state IS NOT NULL THEN 1 END) AS total,
            COUNT(CASE WHEN l.crm_id IS NOT NULL
                AND (o.state IS NULL OR o.state NOT IN (0, 1) OR o.came_with < {lane}) THEN 1 END) AS done,
            COUNT(CASE WHEN o.state IN (2, 3) AND l.crm_id IS NULL THEN 1 END) AS rejected"
    )
}

/// Stays of the range.
pub async fn tally_stays(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    range: (NaiveDate, NaiveDate),
    lane: i32,
) -> Result<Tally, StoreError> {
    let sql = format!(
        "SELECT {}
             FROM stay s
             LEFT JOIN link l ON l.portal_id = s.portal_id AND l.subject = $5 || s.number
             LEFT JOIN outbox o ON o.portal_id = s.portal_id AND o.subject = $5 || s.number
             WHERE s.portal_id = $1 AND s.hotel_id = $2 AND s.arrival BETWEEN $3 AND $4",
        figures("$6")
    );
    let (from, to) = (range.0.to_string(), range.1.to_string());
    tally(db.rows(&sql, args![portal.0, hotel.0, from, to, format!("stay:{hotel}:"), lane]).await?.first())
}

/// Profiles named by stays of the range, by kind (`guest`, `company`).
pub async fn tally_profiles(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    range: (NaiveDate, NaiveDate),
    kind: &str,
    lane: i32,
) -> Result<Tally, StoreError> {
    let sql = format!(
        "SELECT {}
             FROM (SELECT DISTINCT sp.profile AS number FROM stay s
                JOIN stay_profile sp ON sp.portal_id = s.portal_id AND sp.hotel_id = s.hotel_id AND sp.stay = s.number
                WHERE s.portal_id = $1 AND s.hotel_id = $2 AND s.arrival BETWEEN $3 AND $4) named
             JOIN profile p ON p.portal_id = $1 AND p.hotel_id = $2 AND p.number = named.number AND p.kind = $6
             LEFT JOIN link l ON l.portal_id = p.portal_id AND l.subject = $5 || p.number
             LEFT JOIN outbox o ON o.portal_id = p.portal_id AND o.subject = $5 || p.number",
        figures("$7")
    );
    let (from, to) = (range.0.to_string(), range.1.to_string());
    let values = args![portal.0, hotel.0, from, to, format!("profile:{hotel}:"), kind, lane];
    tally(db.rows(&sql, values).await?.first())
}

fn tally(row: Option<&Row>) -> Result<Tally, StoreError> {
    let Some(row) = row else { return Ok(Tally::default()) };
    Ok(Tally { total: row.get("total")?, done: row.get("done")?, rejected: row.get("rejected")? })
}

/// How many of the hotel's records an import still has on their way, whatever has made them more urgent since.
pub async fn on_their_way(db: &Db, portal: PortalId, hotel: HotelId, priority: i32) -> Result<i64, StoreError> {
    let mut values = args![portal.0, hotel.0, priority];
    let its = of_hotel(hotel, &mut values);
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM inbox WHERE portal_id = $1 AND hotel_id = $2 AND state = 0 AND priority = $3)
            + (SELECT COUNT(*) FROM outbox WHERE portal_id = $1 AND state IN (0, 1) AND came_with >= $3 AND {its}) AS n"
    );
    let rows = db.rows(&sql, values).await?;
    rows.first().map_or(Ok(0), |row| row.get("n"))
}

/// Hotels whose latest import gave up; one that is tried again, or begun anew, is none any more.
pub async fn given_up(db: &Db) -> Result<Vec<(PortalId, HotelId)>, StoreError> {
    let sql = "SELECT j.portal_id, j.hotel_id FROM job j
         JOIN portal p ON p.id = j.portal_id AND p.status = 'active' AND p.installed = $1
         JOIN hotel h ON h.portal_id = j.portal_id AND h.id = j.hotel_id AND h.removed_at IS NULL
         WHERE j.kind = 'import' AND j.state = 'failed' AND NOT EXISTS
            (SELECT 1 FROM job k WHERE k.portal_id = j.portal_id AND k.hotel_id = j.hotel_id AND k.kind = j.kind
               AND (k.created_at > j.created_at OR (k.created_at = j.created_at AND k.id > j.id)))";
    let read = |row: &Row| Ok((PortalId(row.get("portal_id")?), HotelId(row.get("hotel_id")?)));
    db.rows(sql, args![true]).await?.iter().map(read).collect()
}

/// Numbers that an estimate met, each counted once however often a range names it.
pub async fn met(
    tx: &Tx,
    portal: PortalId,
    job: &str,
    kind: &str,
    numbers: impl Iterator<Item = &String>,
) -> Result<(), StoreError> {
    let rows = numbers.map(|number| args![portal.0, job, kind, number.as_str()]).collect();
    insert(tx, "estimated", &["portal_id", "job", "kind", "number"], rows, "ON CONFLICT DO NOTHING").await?;
    Ok(())
}

/// How many of a kind an estimate met.
pub async fn count_met(db: &Db, portal: PortalId, job: &str, kind: &str) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM estimated WHERE portal_id = $1 AND job = $2 AND kind = $3";
    db.rows(sql, args![portal.0, job, kind]).await?.first().map_or(Ok(0), |row| row.get("n"))
}

pub async fn forget_met(db: &Db, portal: PortalId, job: &str) -> Result<(), StoreError> {
    db.execute("DELETE FROM estimated WHERE portal_id = $1 AND job = $2", args![portal.0, job]).await?;
    Ok(())
}
