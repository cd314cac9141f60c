//! People who may be one: a record was made for a profile although these looked alike. A person merges them in the portal,
//! or says that they are different people, which holds for good.

use std::collections::{BTreeSet, HashMap};

use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list};
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{CrmEntity, PortalId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHint {
    pub subject: String,
    pub entity: CrmEntity,
    pub crm_ids: Vec<i64>,
    /// Stable code.
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintRow {
    pub id: i64,
    pub subject: String,
    pub entity: CrmEntity,
    /// Who may be the same; nobody: the hint is over.
    pub crm_ids: BTreeSet<i64>,
    /// Who is somebody else, as a person said.
    pub apart: BTreeSet<i64>,
    pub reason: String,
    pub created_at: i64,
}

const COLUMNS: &str = "id, subject, entity, crm_ids, apart, reason, created_at";

fn read(row: &Row) -> Result<HintRow, StoreError> {
    let ids = |name: &str| -> Result<BTreeSet<i64>, StoreError> {
        Ok(row.get::<String>(name)?.split(',').filter_map(|id| id.parse().ok()).collect())
    };
    Ok(HintRow {
        id: row.get("id")?,
        subject: row.get("subject")?,
        entity: CrmEntity::from_type_id(row.get("entity")?).ok_or(StoreError::Corrupt("merge_hint.entity"))?,
        crm_ids: ids("crm_ids")?,
        apart: ids("apart")?,
        reason: row.get("reason")?,
        created_at: row.get("created_at")?,
    })
}

fn written(ids: &BTreeSet<i64>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A known hint is renewed; of whom a person said that they are somebody else, nothing is hinted again.
pub async fn raise(tx: &Tx, portal: PortalId, hints: Vec<NewHint>, now: i64) -> Result<(), StoreError> {
    let subjects: Vec<String> = hints.iter().map(|hint| hint.subject.clone()).collect();
    let apart = apart(tx, portal, &subjects).await?;
    let mut rows = Vec::new();
    for hint in hints {
        let said = apart.get(&hint.subject);
        let ids: BTreeSet<i64> =
            hint.crm_ids.into_iter().filter(|id| said.is_none_or(|said| !said.contains(id))).collect();
        if !ids.is_empty() {
            rows.push(args![portal.0, hint.subject, hint.entity.type_id(), written(&ids), hint.reason, now]);
        }
    }
    insert(
        tx,
        "merge_hint",
        &["portal_id", "subject", "entity", "crm_ids", "reason", "created_at"],
        rows,
        "ON CONFLICT (portal_id, subject) DO UPDATE SET crm_ids = excluded.crm_ids, reason = excluded.reason",
    )
    .await?;
    Ok(())
}

/// Open hints, the oldest first.
pub async fn page(db: &Db, portal: PortalId, after: i64, limit: i64) -> Result<Vec<HintRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM merge_hint WHERE portal_id = $1 AND crm_ids <> '' AND id > $2 ORDER BY id LIMIT $3"
    );
    db.rows(&sql, args![portal.0, after, limit]).await?.iter().map(read).collect()
}

/// Open hints that speak of these subjects, or of this record.
pub async fn about(
    db: &Db,
    portal: PortalId,
    subjects: &[String],
    entity: CrmEntity,
    crm_id: i64,
) -> Result<Vec<HintRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM merge_hint WHERE portal_id = $1 AND entity = $2 AND crm_ids <> ''
            AND ',' || crm_ids || ',' LIKE $3 ORDER BY id"
    );
    let values = args![portal.0, entity.type_id(), format!("%,{crm_id},%")];
    let mut found: Vec<HintRow> = db.rows(&sql, values).await?.iter().map(read).collect::<Result<_, _>>()?;
    for row in of_subjects(db, portal, subjects).await? {
        if !row.crm_ids.is_empty() && found.iter().all(|held| held.id != row.id) {
            found.push(row);
        }
    }
    found.sort_by_key(|row| row.id);
    Ok(found)
}

/// What was ever hinted of these subjects.
pub async fn of_subjects(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    subjects: &[String],
) -> Result<Vec<HintRow>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT {COLUMNS} FROM merge_hint WHERE portal_id = $1 AND subject IN ({}) ORDER BY id",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

/// Records that are not these subjects', as a person said.
pub async fn apart(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    subjects: &[String],
) -> Result<HashMap<String, BTreeSet<i64>>, StoreError> {
    let rows = of_subjects(via, portal, subjects).await?;
    Ok(rows.into_iter().filter(|row| !row.apart.is_empty()).map(|row| (row.subject, row.apart)).collect())
}

/// Whether the hint is open.
pub async fn is_open(tx: &Tx, portal: PortalId, id: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM merge_hint WHERE portal_id = $1 AND id = $2 AND crm_ids <> ''";
    Ok(!tx.rows(sql, args![portal.0, id]).await?.is_empty())
}

/// A person says of everybody whom the open hint names that they are somebody else; `false`: it does not name just those
/// whom he saw.
pub async fn set_apart(tx: &Tx, portal: PortalId, id: i64, seen: &BTreeSet<i64>) -> Result<bool, StoreError> {
    let touched = tx
        .execute(
            "UPDATE merge_hint SET crm_ids = '', apart = CASE apart WHEN '' THEN crm_ids ELSE apart || ',' || crm_ids END
             WHERE portal_id = $1 AND id = $2 AND crm_ids = $3 AND crm_ids <> ''",
            args![portal.0, id, written(seen)],
        )
        .await?;
    Ok(touched > 0)
}

/// These records are no more: nobody can be merged with them.
pub async fn gone(tx: &Tx, portal: PortalId, entity: CrmEntity, ids: &[i64]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {COLUMNS} FROM merge_hint WHERE portal_id = $1 AND entity = $2 AND crm_ids <> ''");
    for row in tx.rows(&sql, args![portal.0, entity.type_id()]).await? {
        let row = read(&row)?;
        without(tx, portal, &row, |id| ids.contains(&id)).await?;
    }
    Ok(())
}

/// These subjects stand for these records now: with them they are one.
pub async fn joined(tx: &Tx, portal: PortalId, links: &HashMap<String, i64>) -> Result<(), StoreError> {
    let subjects: Vec<String> = links.keys().cloned().collect();
    for row in of_subjects(tx, portal, &subjects).await? {
        let one = links.get(&row.subject);
        without(tx, portal, &row, |id| one == Some(&id)).await?;
    }
    Ok(())
}

async fn without(tx: &Tx, portal: PortalId, row: &HintRow, over: impl Fn(i64) -> bool) -> Result<(), StoreError> {
    let left: BTreeSet<i64> = row.crm_ids.iter().copied().filter(|id| !over(*id)).collect();
    if left != row.crm_ids {
        let sql = "UPDATE merge_hint SET crm_ids = $3 WHERE portal_id = $1 AND id = $2";
        tx.execute(sql, args![portal.0, row.id, written(&left)]).await?;
    }
    Ok(())
}
