//! Fields of a record that people took to themselves by undoing a write of ours (product §2.7), until they release them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list};
use super::{StoreError, Tx, args, links};
use crate::crypto::TenantKey;
use crate::domain::{CrmEntity, CrmValue, PortalId, Subject};

const VALUE: &str = "pin.value";

#[derive(Debug, Clone, PartialEq)]
pub struct Pin {
    /// What stood there before our write …
    pub value: CrmValue,
    /// … and our write, which is taken back only as long as it stands.
    pub undone: CrmValue,
    /// It stands there again, or something else of people's: whatever comes now is theirs.
    pub written: bool,
}

impl Pin {
    /// What stands there is people's, and nothing of it is held.
    pub fn blank() -> Self {
        Self { value: CrmValue::Empty, undone: CrmValue::Empty, written: true }
    }

    fn seal(&self, key: &TenantKey) -> Result<Vec<u8>, StoreError> {
        let plain = serde_json::to_vec(&(&self.value, &self.undone)).map_err(|_| StoreError::Corrupt(VALUE))?;
        Ok(key.seal(VALUE, &plain)?)
    }
}

/// Who holds it, and the field.
pub type Held = (String, String);

/// By field.
pub type Pins = BTreeMap<String, Pin>;

pub async fn load(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    subjects: &[String],
) -> Result<HashMap<String, Pins>, StoreError> {
    let via = via.into();
    let mut found: HashMap<String, Pins> = HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, field, value_sealed, written FROM pin WHERE portal_id = $1 AND subject IN ({})",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            let plain = key.open(VALUE, &row.get::<Vec<u8>>("value_sealed")?)?;
            let (value, undone) = serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(VALUE))?;
            let pin = Pin { value, undone, written: row.get("written")? };
            found.entry(row.get("subject")?).or_default().insert(row.get("field")?, pin);
        }
    }
    Ok(found)
}

/// The field is people's from now on; the former value is written once.
pub async fn set(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    (subject, field): (&str, &str),
    pin: &Pin,
    (by, now): (i64, i64),
) -> Result<(), StoreError> {
    insert(
        tx,
        "pin",
        &["portal_id", "subject", "field", "value_sealed", "written", "asked_by", "asked_at"],
        vec![args![portal.0, subject, field, pin.seal(key)?, pin.written, by, now]],
        "ON CONFLICT (portal_id, subject, field) DO NOTHING",
    )
    .await?;
    Ok(())
}

/// Another record stands for whomever this one stood for: what people took to themselves of it stays theirs there, too. What
/// stood in the one is not written into the other.
pub async fn follow(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    entity: CrmEntity,
    (from, to): (i64, i64),
) -> Result<(), StoreError> {
    let holder = |id| Subject::Crm(entity, id).to_string();
    let blank = Pin::blank();
    let sql = "INSERT INTO pin (portal_id, subject, field, value_sealed, written, asked_by, asked_at)
         SELECT portal_id, $3, field, $4, $5, asked_by, asked_at FROM pin WHERE portal_id = $1 AND subject = $2
         ON CONFLICT (portal_id, subject, field) DO NOTHING";
    tx.execute(sql, args![portal.0, holder(from), holder(to), blank.seal(key)?, blank.written]).await?;
    Ok(())
}

/// The former values of these fields stand in the portal again, or something else of people's.
pub async fn written(tx: &Tx, portal: PortalId, fields: &[Held]) -> Result<(), StoreError> {
    for (subject, field) in fields {
        let sql = "UPDATE pin SET written = $4 WHERE portal_id = $1 AND subject = $2 AND field = $3";
        tx.execute(sql, args![portal.0, subject.as_str(), field.as_str(), true]).await?;
    }
    Ok(())
}

/// The field is the hotel's again; whether it was people's.
pub async fn release(tx: &Tx, portal: PortalId, subject: &str, field: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM pin WHERE portal_id = $1 AND subject = $2 AND field = $3";
    Ok(tx.execute(sql, args![portal.0, subject, field]).await? > 0)
}

/// What is pinned stays people's, but the values are remembered no more.
pub async fn blank(tx: &Tx, portal: PortalId, key: &TenantKey, subjects: &[String]) -> Result<(), StoreError> {
    for (subject, fields) in load(tx, portal, key, subjects).await? {
        for field in fields.keys() {
            let sql = "UPDATE pin SET value_sealed = $4, written = $5
                WHERE portal_id = $1 AND subject = $2 AND field = $3";
            let blank = Pin::blank();
            let values = args![portal.0, subject.as_str(), field.as_str(), blank.seal(key)?, blank.written];
            tx.execute(sql, values).await?;
        }
    }
    Ok(())
}

/// Nobody stands behind these records any more.
pub async fn of_none(
    tx: &Tx,
    portal: PortalId,
    entity: CrmEntity,
    records: impl IntoIterator<Item = i64>,
) -> Result<(), StoreError> {
    let holders: Vec<String> = records.into_iter().map(|id| Subject::Crm(entity, id).to_string()).collect();
    end(tx, portal, &holders).await
}

/// Links that moved to another record, as merges move them, leave pins behind: whatever nobody stands behind goes.
pub async fn end_forsaken(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    let mut held: BTreeMap<CrmEntity, BTreeSet<i64>> = BTreeMap::new();
    let sql = "SELECT DISTINCT subject FROM pin WHERE portal_id = $1 AND subject LIKE 'crm:%'";
    for row in tx.rows(sql, args![portal.0]).await? {
        if let Ok(Subject::Crm(entity, id)) = row.get::<String>("subject")?.parse() {
            held.entry(entity).or_default().insert(id);
        }
    }
    for (entity, mut ids) in held {
        for link in links::of_records(tx, portal, entity, &ids.iter().copied().collect::<Vec<_>>()).await? {
            ids.remove(&link.crm_id);
        }
        of_none(tx, portal, entity, ids).await?;
    }
    Ok(())
}

/// The subjects' records are not theirs any more: what was pinned there is none of the next one's.
pub async fn end(tx: &Tx, portal: PortalId, subjects: &[String]) -> Result<(), StoreError> {
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!("DELETE FROM pin WHERE portal_id = $1 AND subject IN ({})", list(1, chunk.len()));
        tx.execute(&sql, values).await?;
    }
    Ok(())
}
