//! Where a field's value in the portal came from (product §2.11).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDateTime;

use super::engine::Engine;
use super::error::SyncError;
use super::pins::{former, holder};
use super::words::STAGE;
use crate::crypto::TenantKey;
use crate::domain::change_set::alike;
use crate::domain::mapping::FieldRule;
use crate::domain::{CrmEntity, CrmValue, HotelCode, HotelId, Mapping, PortalId, ProfileNumber, Subject};
use crate::store::crm_records::RecordRow;
use crate::store::hotels::HotelRow;
use crate::store::provenance::{Call, Written};
use crate::store::{crm_records, hotels, links, mappings, pins, provenance};

/// One field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldOrigin {
    pub field: String,
    /// The fact that the mapping of that version named; none: written beside the rules.
    pub fact: Option<&'static str>,
    /// None: no single record of the hotel says it.
    pub told: Option<FieldWord>,
    /// What was written.
    pub value: CrmValue,
    pub version: i64,
    pub at: i64,
    pub call: Option<Call>,
    /// Who wrote something else there since, as of our last look …
    pub changed_by: Option<i64>,
    /// … and what stands there now.
    pub stands: Option<CrmValue>,
    /// What stood there before can be written back.
    pub undoable: bool,
    /// A person took it back: the field is people's until it is released.
    pub pinned: bool,
}

/// What the hotel said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldWord {
    /// None where it is not kept: several facts went into the field, or they tell of a guest.
    pub value: Option<CrmValue>,
    /// The hotel's own stamp, on its clock.
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: i64,
}

/// Where the values of a contact or company came from: several profiles may stand behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordOrigins {
    /// When we last looked at it.
    pub looked_at: Option<i64>,
    pub fields: Vec<PersonOrigin>,
    /// Fields that people took to themselves, and of which no word of ours is remembered.
    pub kept: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PersonOrigin {
    /// The profile that said it last.
    pub hotel: HotelCode,
    pub timezone: String,
    pub profile: String,
    pub origin: FieldOrigin,
}

/// By version.
type Documents = BTreeMap<i64, Option<Mapping>>;

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
        let mut trace = provenance::load(db, portal, key, &subjects).await?.remove(subject).unwrap_or_default();
        trace.retain(|_, written| record.is_none_or(|record| is_of(written, record.crm_id)));
        let pinned = pins::load(db, portal, key, &subjects).await?.remove(subject).unwrap_or_default();
        let documents = self.documents(portal, hotel, trace.values()).await?;
        let origin = |(field, written): (String, Written)| {
            let pinned = pinned.contains_key(&field);
            origin(CrmEntity::Deal, field, &written, &documents, record, pinned)
        };
        Ok(trace.into_iter().map(origin).collect())
    }

    async fn documents(
        &self,
        portal: PortalId,
        hotel: HotelId,
        written: impl Iterator<Item = &Written>,
    ) -> Result<Documents, SyncError> {
        let versions: BTreeSet<i64> = written.map(|written| written.version).collect();
        let mut documents = Documents::new();
        for version in versions {
            documents.insert(version, mappings::version(&self.0.deps.db, portal, hotel, version).await?);
        }
        Ok(documents)
    }

    /// Who stands behind a contact or company, and who said what of it last; `None`: nobody of these hotels.
    pub(super) async fn behind(
        &self,
        portal: PortalId,
        entity: CrmEntity,
        id: i64,
        within: Option<&[HotelCode]>,
    ) -> Result<Option<Behind>, SyncError> {
        let db = &self.0.deps.db;
        let key = self.0.deps.portals.key(portal).await?;
        let mut profiles = BTreeMap::new();
        for link in links::of_records(db, portal, entity, &[id]).await? {
            if let Ok(Subject::Profile(hotel, number)) = link.subject.parse() {
                profiles.insert(link.subject, (hotel, number));
            }
        }
        let mut of_hotels = HashMap::new();
        for hotel in profiles.values().map(|(hotel, _)| *hotel).collect::<BTreeSet<_>>() {
            let row = hotels::by_id(db, portal, hotel).await?;
            let seen = row.filter(|row| within.is_none_or(|within| within.contains(&row.code)));
            of_hotels.extend(seen.map(|row| (hotel, row)));
        }
        profiles.retain(|_, (hotel, _)| of_hotels.contains_key(hotel));
        if profiles.is_empty() {
            return Ok(None);
        }
        let subjects: Vec<String> = profiles.keys().cloned().collect();
        // Of what several of them said, the last word is what was written last.
        let mut last: BTreeMap<String, (String, Written)> = BTreeMap::new();
        for (subject, trace) in provenance::load(db, portal, &key, &subjects).await? {
            for (field, written) in trace {
                if is_of(&written, id) && last.get(&field).is_none_or(|(_, held)| held.at < written.at) {
                    last.insert(field, (subject.clone(), written));
                }
            }
        }
        Ok(Some(Behind { hotels: of_hotels, profiles, last }))
    }

    /// Of a contact or company; `None`: it stands for nobody. `within`: what profiles of these hotels said.
    pub async fn record_origins(
        &self,
        portal: PortalId,
        entity: CrmEntity,
        id: i64,
        within: Option<&[HotelCode]>,
    ) -> Result<Option<RecordOrigins>, SyncError> {
        let db = &self.0.deps.db;
        let key = self.0.deps.portals.key(portal).await?;
        let Some(Behind { hotels, profiles, last }) = self.behind(portal, entity, id, within).await? else {
            return Ok(None);
        };
        let record = crm_records::load(db, portal, &key, entity, &[id]).await?.remove(&id);
        let holder = holder(entity, id, "");
        let pinned = pins::load(db, portal, &key, std::slice::from_ref(&holder)).await?.remove(&holder);
        let pinned = pinned.unwrap_or_default();
        let mut documents = HashMap::new();
        for hotel in hotels.keys() {
            let of = |(subject, written)| profiles.get(subject).filter(|(of, _)| of == hotel).map(|_| written);
            let written = last.values().filter_map(|(subject, written)| of((subject, written)));
            documents.insert(*hotel, self.documents(portal, *hotel, written).await?);
        }
        let person = |(field, (subject, written)): (String, (String, Written))| {
            let (hotel, number) = profiles.get(&subject)?;
            let (row, documents) = (hotels.get(hotel)?, documents.get(hotel)?);
            let pinned = pinned.contains_key(&field);
            Some(PersonOrigin {
                hotel: row.code.clone(),
                timezone: row.timezone.clone(),
                profile: number.to_string(),
                origin: origin(entity, field, &written, documents, record.as_ref(), pinned),
            })
        };
        let looked_at = record.as_ref().map(|record| record.synced_at).filter(|at| *at > 0);
        let kept = pinned.keys().filter(|field| !last.contains_key(*field)).cloned().collect();
        Ok(Some(RecordOrigins { looked_at, fields: last.into_iter().filter_map(person).collect(), kept }))
    }
}

/// The profiles behind a contact or company, by subject.
pub(super) struct Behind {
    hotels: HashMap<HotelId, HotelRow>,
    profiles: BTreeMap<String, (HotelId, ProfileNumber)>,
    /// By field: whose word stands there, and what was written.
    last: BTreeMap<String, (String, Written)>,
}

impl Behind {
    /// Who said last what stands in the field.
    pub fn speaker(&self, field: &str) -> Option<(String, HotelId)> {
        let (subject, _) = self.last.get(field)?;
        self.present().find(|(present, _)| present == subject)
    }

    /// Whoever may be asked to look at the record.
    pub fn anyone(&self) -> Option<(String, HotelId)> {
        self.present().next()
    }

    /// Nothing is written any more for profiles of a removed hotel.
    fn present(&self) -> impl Iterator<Item = (String, HotelId)> {
        let is_there = |hotel: &HotelId| self.hotels.get(hotel).is_some_and(|row| row.removed_at.is_none());
        let profiles = self.profiles.iter().filter(move |(_, (hotel, _))| is_there(hotel));
        profiles.map(|(subject, (hotel, _))| (subject.clone(), *hotel))
    }
}

/// What was written to the record that stood for somebody before is none of this one's.
fn is_of(written: &Written, record: i64) -> bool {
    [0, record].contains(&written.record)
}

fn origin(
    entity: CrmEntity,
    field: String,
    written: &Written,
    documents: &Documents,
    record: Option<&RecordRow>,
    pinned: bool,
) -> FieldOrigin {
    let mapping = documents.get(&written.version).and_then(Option::as_ref);
    let rule = mapping.and_then(|mapping| mapping.rules(entity).find(|rule| rule.field == field));
    let stage = (entity == CrmEntity::Deal && field == STAGE.0).then_some(STAGE.1);
    let stands = record.and_then(|record| record.fields.get(&field)).filter(|stands| !alike(stands, &written.value));
    // What the mapping left as it was is the hotel's own value.
    let as_told = |rule: &&FieldRule| rule.transforms.is_empty();
    let told = written.told.as_ref().map(|told| FieldWord {
        value: told.value.clone().or_else(|| rule.filter(as_told).map(|_| written.value.clone())),
        pms_time: told.pms_time,
        received_at: told.received_at,
    });
    FieldOrigin {
        fact: rule.map(|rule| rule.from).or(stage).map(|fact| fact.name()),
        told,
        changed_by: stands.and(record).map(|record| record.updated_by),
        stands: stands.cloned(),
        value: written.value.clone(),
        version: written.version,
        at: written.at,
        call: written.call.clone(),
        undoable: !pinned
            && stands.is_none()
            && record.is_some_and(|record| former(record.crm_id, &field, written).is_some()),
        pinned,
        field,
    }
}
