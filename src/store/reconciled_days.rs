//! What a reconciliation counted of each day of arrival: one row a day, kept with its job.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::bulk::insert;
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::PortalId;

/// Stays that each of the three knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    pub pms: i64,
    pub store: i64,
    pub crm: i64,
}

pub type ByDay = BTreeMap<NaiveDate, Counts>;

/// All days together.
pub fn sum(days: &ByDay) -> Counts {
    days.values().fold(Counts::default(), |all, day| Counts {
        pms: all.pms + day.pms,
        store: all.store + day.store,
        crm: all.crm + day.crm,
    })
}

/// Adds what a step counted; it stands in the transaction that records the step.
pub async fn add(tx: &Tx, portal: PortalId, job: &str, days: &ByDay) -> Result<(), StoreError> {
    let rows = days.iter().map(|(day, n)| args![portal.0, job, day.to_string(), n.pms, n.store, n.crm]).collect();
    let more = "ON CONFLICT (portal_id, job, arrival) DO UPDATE SET pms = reconciled_day.pms + excluded.pms,
        store = reconciled_day.store + excluded.store, crm = reconciled_day.crm + excluded.crm";
    insert(tx, "reconciled_day", &["portal_id", "job", "arrival", "pms", "store", "crm"], rows, more).await?;
    Ok(())
}

fn read(row: &Row) -> Result<(NaiveDate, Counts), StoreError> {
    let day = row.get::<String>("arrival")?.parse().map_err(|_| StoreError::Corrupt("reconciled_day.arrival"))?;
    Ok((day, Counts { pms: row.get("pms")?, store: row.get("store")?, crm: row.get("crm")? }))
}

/// Day after day; those where the three do not agree, or all.
pub async fn of_job(db: &Db, portal: PortalId, job: &str, apart: bool, limit: i64) -> Result<ByDay, StoreError> {
    let which = if apart { " AND (pms <> store OR store <> crm)" } else { "" };
    let sql = format!(
        "SELECT arrival, pms, store, crm FROM reconciled_day WHERE portal_id = $1 AND job = $2{which}
         ORDER BY arrival LIMIT $3"
    );
    db.rows(&sql, args![portal.0, job, limit]).await?.iter().map(read).collect()
}
