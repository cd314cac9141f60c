//! Where the values of a record came from, by field, as long as the record is known (product §2.11).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDateTime;
use sea_orm::Value;
use serde::{Deserialize, Serialize};

use super::bulk::{Via, chunk_of, insert, list};
use super::{StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::{CrmValue, PortalId};

const FIELDS: &str = "provenance.fields";

/// What was written to a field last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    pub value: CrmValue,
    /// The record it was written to; 0: not kept.
    #[serde(default)]
    pub record: i64,
    /// Of the hotel's mapping.
    pub version: i64,
    pub at: i64,
    /// What stood there before, as far as that was known.
    #[serde(default)]
    pub before: Option<CrmValue>,
    /// None: no single record of the hotel says it, or it was written before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

/// The hotel's word behind a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The hotel's own stamp of the record, on its clock.
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: i64,
    /// Where the mapping made another value of it; of what tells of a guest a deal keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<CrmValue>,
}

/// The call that wrote it; when the portal answered is [`Written::at`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub method: String,
    pub sent_at: i64,
    pub answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The portal said that it is done.
    Confirmed,
    /// Its answer was lost: when it was asked, the value stood there.
    Found,
}

impl Answer {
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Found => "found",
        }
    }
}

/// By field.
pub type Trace = BTreeMap<String, Written>;

pub async fn load(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    subjects: &[String],
) -> Result<HashMap<String, Trace>, StoreError> {
    let via = via.into();
    let mut found = HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, fields_sealed FROM provenance WHERE portal_id = $1 AND subject IN ({})",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            let plain = key.open(FIELDS, &row.get::<Vec<u8>>("fields_sealed")?)?;
            let trace = serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(FIELDS))?;
            found.insert(row.get("subject")?, trace);
        }
    }
    Ok(found)
}

/// What was written to these fields is remembered no more.
pub async fn forget(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    subjects: &[String],
    fields: &BTreeSet<String>,
    now: i64,
) -> Result<(), StoreError> {
    let mut left = Vec::new();
    for (subject, mut trace) in load(tx, portal, key, subjects).await? {
        trace.retain(|field, _| !fields.contains(field));
        // What stood there may have been anybody's words.
        for written in trace.values_mut() {
            written.before = None;
            written.told.iter_mut().for_each(|told| told.value = None);
        }
        tx.execute("DELETE FROM provenance WHERE portal_id = $1 AND subject = $2", args![portal.0, subject.as_str()])
            .await?;
        left.push((subject, trace));
    }
    note(tx, portal, key, left, now).await
}

/// Nothing of them is remembered any more.
pub async fn end(tx: &Tx, portal: PortalId, subjects: &[String]) -> Result<(), StoreError> {
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!("DELETE FROM provenance WHERE portal_id = $1 AND subject IN ({})", list(1, chunk.len()));
        tx.execute(&sql, values).await?;
    }
    Ok(())
}

/// What was written now, over what was written before.
pub async fn note(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    written: Vec<(String, Trace)>,
    now: i64,
) -> Result<(), StoreError> {
    let subjects: Vec<String> = written.iter().map(|(subject, _)| subject.clone()).collect();
    let mut traces = load(tx, portal, key, &subjects).await?;
    for (subject, trace) in written {
        traces.entry(subject).or_default().extend(trace);
    }
    let mut rows = Vec::with_capacity(traces.len());
    for (subject, trace) in traces {
        let plain = serde_json::to_vec(&trace).map_err(|_| StoreError::Corrupt(FIELDS))?;
        rows.push(args![portal.0, subject, key.seal(FIELDS, &plain)?, now]);
    }
    insert(
        tx,
        "provenance",
        &["portal_id", "subject", "fields_sealed", "updated_at"],
        rows,
        "ON CONFLICT (portal_id, subject) DO UPDATE SET fields_sealed = excluded.fields_sealed,
            updated_at = excluded.updated_at",
    )
    .await?;
    Ok(())
}
