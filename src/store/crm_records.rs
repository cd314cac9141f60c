//! The last state of the portal's records that the portal confirmed to us.

use std::collections::HashMap;

use sea_orm::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bulk::{Via, chunk_of, insert, list};
use super::{Engine, StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::edits::Edits;
use crate::domain::putback::PutBacks;
use crate::domain::{CrmEntity, Fields, PortalId};

const FIELDS: &str = "crm_record.fields";
const PUTBACKS: &str = "crm_record.putbacks";
const EDITS: &str = "crm_record.edits";

#[derive(Debug, Clone, PartialEq)]
pub struct RecordRow {
    pub entity: CrmEntity,
    pub crm_id: i64,
    pub fields: Fields,
    /// The portal's, as of the last look; empty since a write of ours.
    pub updated_time: String,
    pub updated_by: i64,
    /// A person closed the deal: its stage is left alone.
    pub closed_by_person: bool,
    /// Somebody else has written to it, or what it held was changed, at some time.
    pub edited: bool,
    pub deleted: bool,
    /// How often people's edits were put back, by field.
    pub putbacks: PutBacks,
    /// Where a person's value stands instead of the hotel's.
    pub edits: Edits,
    pub synced_at: i64,
}

impl RecordRow {
    pub fn new(entity: CrmEntity, crm_id: i64, fields: Fields, now: i64) -> Self {
        Self {
            entity,
            crm_id,
            fields,
            updated_time: String::new(),
            updated_by: 0,
            closed_by_person: false,
            edited: false,
            deleted: false,
            putbacks: PutBacks::default(),
            edits: Edits::default(),
            synced_at: now,
        }
    }

    /// If it was gone, it may be there again: nobody says either before it was looked at once more.
    pub fn doubt(&mut self) {
        if self.deleted {
            self.synced_at = 0;
        }
    }

    pub fn is_doubted(&self) -> bool {
        self.deleted && self.synced_at == 0
    }
}

/// Most records are nobody's quarrel: nothing is kept for them.
fn seal_unless<T: Serialize>(
    key: &TenantKey,
    what: &'static str,
    empty: bool,
    value: &T,
) -> Result<Option<Vec<u8>>, StoreError> {
    if empty {
        return Ok(None);
    }
    let plain = serde_json::to_vec(value).map_err(|_| StoreError::Corrupt(what))?;
    Ok(Some(key.seal(what, &plain)?))
}

fn open_or_empty<T: DeserializeOwned + Default>(
    key: &TenantKey,
    what: &'static str,
    sealed: Option<Vec<u8>>,
) -> Result<T, StoreError> {
    let Some(sealed) = sealed else { return Ok(T::default()) };
    serde_json::from_slice(&key.open(what, &sealed)?).map_err(|_| StoreError::Corrupt(what))
}

/// Until the transaction ends nobody else, of whatever node, takes what is known of the portal's records to change it: what
/// was read is still so when it is written back. Asked for before anything else in a transaction, it waits for nobody who
/// waits for it.
pub async fn hold(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    // SQLite has one writer anyway.
    if tx.engine() == Engine::Postgres {
        tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('crm_record', $1))", args![portal.0]).await?;
    }
    Ok(())
}

pub async fn save(tx: &Tx, portal: PortalId, key: &TenantKey, records: &[RecordRow]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let fields = serde_json::to_vec(&record.fields).map_err(|_| StoreError::Corrupt(FIELDS))?;
        rows.push(args![
            portal.0,
            record.entity.type_id(),
            record.crm_id,
            key.hash("crm_record", &fields),
            key.seal(FIELDS, &fields)?,
            record.updated_time.as_str(),
            record.updated_by,
            record.closed_by_person,
            record.edited,
            record.deleted,
            seal_unless(key, PUTBACKS, record.putbacks.is_empty(), &record.putbacks)?,
            seal_unless(key, EDITS, record.edits.is_empty(), &record.edits)?,
            record.synced_at
        ]);
    }
    insert(
        tx,
        "crm_record",
        &[
            "portal_id",
            "entity",
            "crm_id",
            "hash",
            "fields_sealed",
            "updated_time",
            "updated_by",
            "closed_by_person",
            "edited",
            "deleted",
            "putbacks_sealed",
            "edits_sealed",
            "synced_at",
        ],
        rows,
        "ON CONFLICT (portal_id, entity, crm_id) DO UPDATE SET hash = excluded.hash,
            fields_sealed = excluded.fields_sealed, updated_time = excluded.updated_time,
            updated_by = excluded.updated_by, closed_by_person = excluded.closed_by_person, edited = excluded.edited,
            deleted = excluded.deleted, putbacks_sealed = excluded.putbacks_sealed,
            edits_sealed = excluded.edits_sealed, synced_at = excluded.synced_at",
    )
    .await?;
    Ok(())
}

pub async fn load(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    entity: CrmEntity,
    ids: &[i64],
) -> Result<HashMap<i64, RecordRow>, StoreError> {
    let via = via.into();
    let mut found = HashMap::new();
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "SELECT crm_id, fields_sealed, updated_time, updated_by, closed_by_person, edited, deleted, putbacks_sealed,
                edits_sealed, synced_at
             FROM crm_record WHERE portal_id = $1 AND entity = $2 AND crm_id IN ({})",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            let fields = key.open(FIELDS, &row.get::<Vec<u8>>("fields_sealed")?)?;
            let crm_id = row.get("crm_id")?;
            found.insert(
                crm_id,
                RecordRow {
                    entity,
                    crm_id,
                    fields: serde_json::from_slice(&fields).map_err(|_| StoreError::Corrupt(FIELDS))?,
                    updated_time: row.get("updated_time")?,
                    updated_by: row.get("updated_by")?,
                    closed_by_person: row.get("closed_by_person")?,
                    edited: row.get("edited")?,
                    deleted: row.get("deleted")?,
                    putbacks: open_or_empty(key, PUTBACKS, row.get("putbacks_sealed")?)?,
                    edits: open_or_empty(key, EDITS, row.get("edits_sealed")?)?,
                    synced_at: row.get("synced_at")?,
                },
            );
        }
    }
    Ok(found)
}

/// Which of these records are known to be gone.
pub async fn deleted_among(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    entity: CrmEntity,
    ids: &[i64],
) -> Result<std::collections::HashSet<i64>, StoreError> {
    let via = via.into();
    let mut found = std::collections::HashSet::new();
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id(), true];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "SELECT crm_id FROM crm_record WHERE portal_id = $1 AND entity = $2 AND deleted = $3 AND crm_id IN ({})",
            list(3, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.insert(row.get("crm_id")?);
        }
    }
    Ok(found)
}

/// Nothing is known of these records any more.
pub async fn forget(tx: &Tx, portal: PortalId, entity: CrmEntity, ids: &[i64]) -> Result<(), StoreError> {
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "DELETE FROM crm_record WHERE portal_id = $1 AND entity = $2 AND crm_id IN ({})",
            list(2, chunk.len())
        );
        tx.execute(&sql, values).await?;
    }
    Ok(())
}
