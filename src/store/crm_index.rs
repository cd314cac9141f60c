//! The portal's contacts, companies and deals by mark, profile, phone and e-mail: keyed hashes, no data.

use std::collections::HashMap;

use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list};
use super::{Db, StoreError, Tx, args};
use crate::domain::{CrmEntity, PortalId};

/// By what a record is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexKind {
    /// `originId` under our `originatorId`.
    Mark,
    /// One value of `FB24_PROFILE`, or `FB24_HOTEL:FB24_RESERVATION` of a deal.
    Profile,
    Phone,
    Email,
}

impl IndexKind {
    pub const ALL: [Self; 4] = [Self::Mark, Self::Profile, Self::Phone, Self::Email];

    pub fn word(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Profile => "profile",
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexRow {
    pub entity: CrmEntity,
    pub kind: IndexKind,
    pub hash: String,
    pub crm_id: i64,
    /// Tokens of the name, comma-separated; see `domain::matching`.
    pub name: String,
}

pub async fn add(tx: &Tx, portal: PortalId, rows: &[IndexRow]) -> Result<(), StoreError> {
    let rows = rows
        .iter()
        .map(|row| {
            args![portal.0, row.entity.type_id(), row.kind.word(), row.hash.as_str(), row.crm_id, row.name.as_str()]
        })
        .collect();
    insert(
        tx,
        "crm_index",
        &["portal_id", "entity", "kind", "hash", "crm_id", "name_hash"],
        rows,
        "ON CONFLICT (portal_id, entity, kind, hash, crm_id) DO UPDATE SET name_hash = excluded.name_hash",
    )
    .await?;
    Ok(())
}

/// Forgets records: before they are indexed anew, or because they are gone.
pub async fn remove(tx: &Tx, portal: PortalId, entity: CrmEntity, ids: &[i64]) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "DELETE FROM crm_index WHERE portal_id = $1 AND entity = $2 AND crm_id IN ({})",
            list(2, chunk.len())
        );
        tx.execute(&sql, values).await?;
    }
    Ok(())
}

/// What is known of records, so that only what differs is written.
pub async fn of_records(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    entity: CrmEntity,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<IndexRow>>, StoreError> {
    let via = via.into();
    let mut found: HashMap<i64, Vec<IndexRow>> = HashMap::new();
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "SELECT kind, hash, crm_id, name_hash FROM crm_index WHERE portal_id = $1 AND entity = $2 AND crm_id IN ({})",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            let row = read(entity, &row)?;
            found.entry(row.crm_id).or_default().push(row);
        }
    }
    Ok(found)
}

fn read(entity: CrmEntity, row: &super::Row) -> Result<IndexRow, StoreError> {
    let word: String = row.get("kind")?;
    Ok(IndexRow {
        entity,
        kind: IndexKind::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or(StoreError::Corrupt("crm_index.kind"))?,
        hash: row.get("hash")?,
        crm_id: row.get("crm_id")?,
        name: row.get("name_hash")?,
    })
}

/// Records found by any of these hashes.
pub async fn find(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    entity: CrmEntity,
    kind: IndexKind,
    hashes: &[String],
) -> Result<Vec<IndexRow>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for chunk in hashes.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id(), kind.word()];
        values.extend(chunk.iter().map(|hash| Value::from(hash.as_str())));
        let sql = format!(
            "SELECT kind, hash, crm_id, name_hash FROM crm_index
             WHERE portal_id = $1 AND entity = $2 AND kind = $3 AND hash IN ({}) ORDER BY crm_id",
            list(3, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.push(read(entity, &row)?);
        }
    }
    Ok(found)
}

/// How far a scan of one kind of record came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanRow {
    /// The index holds every record; what follows are deltas.
    pub complete: bool,
    /// The running pass has read up to this id …
    pub after_id: i64,
    /// … of this highest one; 0: no pass is running.
    pub upto: i64,
    /// Changes before this moment (as the portal writes it) are known.
    pub watermark: String,
    /// The watermark once the running pass is through.
    pub started: String,
    pub next_at: i64,
    /// When the first page of the last pass that came through was asked for: what changed before is known.
    pub looked_at: i64,
}

pub async fn scan(db: &Db, portal: PortalId, entity: CrmEntity) -> Result<ScanRow, StoreError> {
    let rows = db
        .rows(
            "SELECT phase, after_id, upto, watermark, started, next_at, looked_at FROM crm_scan
             WHERE portal_id = $1 AND entity = $2",
            args![portal.0, entity.type_id()],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(ScanRow::default()) };
    Ok(ScanRow {
        complete: row.get::<String>("phase")? == "delta",
        after_id: row.get("after_id")?,
        upto: row.get("upto")?,
        watermark: row.get("watermark")?,
        started: row.get("started")?,
        next_at: row.get("next_at")?,
        looked_at: row.get("looked_at")?,
    })
}

/// Whether what changed of some kind is to be read again.
pub async fn scan_is_due(db: &Db, portal: PortalId, now: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM crm_scan WHERE portal_id = $1 AND phase = 'delta' AND next_at <= $2 LIMIT 1";
    Ok(!db.rows(sql, args![portal.0, now]).await?.is_empty())
}

/// Puts off what is due.
pub async fn scan_later(db: &Db, portal: PortalId, until: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE crm_scan SET next_at = $2 WHERE portal_id = $1 AND phase = 'delta' AND next_at < $2",
        args![portal.0, until],
    )
    .await?;
    Ok(())
}

/// What changed is read again as soon as there is room.
pub async fn scan_soon(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    tx.execute("UPDATE crm_scan SET next_at = 0 WHERE portal_id = $1 AND phase = 'delta'", args![portal.0]).await?;
    Ok(())
}

pub async fn save_scan(tx: &Tx, portal: PortalId, entity: CrmEntity, scan: &ScanRow) -> Result<(), StoreError> {
    insert(
        tx,
        "crm_scan",
        &["portal_id", "entity", "phase", "after_id", "upto", "watermark", "started", "next_at", "looked_at"],
        vec![args![
            portal.0,
            entity.type_id(),
            if scan.complete { "delta" } else { "full" },
            scan.after_id,
            scan.upto,
            scan.watermark.as_str(),
            scan.started.as_str(),
            scan.next_at,
            scan.looked_at
        ]],
        "ON CONFLICT (portal_id, entity) DO UPDATE SET phase = excluded.phase, after_id = excluded.after_id,
            upto = excluded.upto, watermark = excluded.watermark, started = excluded.started,
            next_at = excluded.next_at, looked_at = excluded.looked_at",
    )
    .await?;
    Ok(())
}
