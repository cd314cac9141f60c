//! Where a field's value in the portal came from (product §2.11).

use std::collections::{BTreeMap, BTreeSet};

use super::engine::Engine;
use super::error::SyncError;
use super::pins::former;
use crate::crypto::TenantKey;
use crate::domain::change_set::alike;
use crate::domain::{CrmEntity, CrmValue, HotelId, PortalId};
use crate::store::crm_records::RecordRow;
use crate::store::{mappings, pins, provenance};

/// One field of a stay's deal.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldOrigin {
    pub field: String,
    /// The fact that the mapping of that version named; none: written beside the rules.
    pub fact: Option<&'static str>,
    /// What was written.
    pub value: CrmValue,
    pub version: i64,
    pub at: i64,
    /// Who wrote something else there since, as of our last look …
    pub changed_by: Option<i64>,
    /// … and what stands there now.
    pub stands: Option<CrmValue>,
    /// What stood there before can be written back.
    pub undoable: bool,
    /// A person took it back: the field is people's until it is released.
    pub pinned: bool,
}

impl Engine {
    pub(super) async fn origins(
        &self,
        portal: PortalId,
        key: &TenantKey,
        hotel: HotelId,
        subject: &str,
        record: Option<&RecordRow>,
    ) -> Result<Vec<FieldOrigin>, SyncError> {
        let db = &self.0.deps.db;
        let subjects = [subject.to_owned()];
        let Some(trace) = provenance::load(db, portal, key, &subjects).await?.remove(subject) else {
            return Ok(Vec::new());
        };
        let pinned = pins::load(db, portal, key, &subjects).await?.remove(subject).unwrap_or_default();
        let versions: BTreeSet<i64> = trace.values().map(|written| written.version).collect();
        let mut documents = BTreeMap::new();
        for version in versions {
            documents.insert(version, mappings::version(db, portal, hotel, version).await?);
        }
        let fact = |version: i64, field: &str| {
            let mapping = documents.get(&version)?.as_ref()?;
            mapping.rules(CrmEntity::Deal).find(|rule| rule.field == field).map(|rule| rule.from.name())
        };
        let origin = |(field, written): (String, provenance::Written)| {
            let stands = record.and_then(|record| record.fields.get(&field));
            let foreign = stands.is_some_and(|stands| !alike(stands, &written.value));
            let pinned = pinned.contains_key(&field);
            FieldOrigin {
                undoable: !pinned && !foreign && former(&field, &written).is_some(),
                pinned,
                fact: fact(written.version, &field),
                changed_by: record.filter(|_| foreign).map(|record| record.updated_by),
                stands: stands.filter(|_| foreign).cloned(),
                field,
                value: written.value,
                version: written.version,
                at: written.at,
            }
        };
        Ok(trace.into_iter().map(origin).collect())
    }
}
