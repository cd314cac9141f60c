//! A person takes our last write of one field of a record back (product §2.7): what stood there before is written again,
//! and that field of that record is people's until somebody releases it. It goes the way of everything: an inbox row,
//! decided into a pin, delivered as the record's field.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::reread::look_at;
use crate::domain::change_set::{COMPANY, alike};
use crate::domain::ownership::is_identity;
use crate::domain::{CrmEntity, CrmValue, Fields, HotelCode, HotelId, PortalId, StayNumber, Subject};
use crate::store::inbox::{self, InboxKind, InboxRow};
use crate::store::links::{self, LinkRow};
use crate::store::outbox::{self, NewIntent};
use crate::store::pins::{Held, Pin, Pins};
use crate::store::provenance::{self, Written};
use crate::store::{StoreError, Tx, crm_records, pins};

/// What a person says of a field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinWish {
    pub field: String,
    /// Undone and pinned, or released.
    pub pinned: bool,
    pub by: i64,
    /// When what is undone was written: a later write, ours or anybody's, is not meant.
    #[serde(default)]
    pub of: i64,
    /// The record that was meant; 0: whichever stands for the subject.
    #[serde(default)]
    pub record: i64,
}

impl PinWish {
    pub fn new(field: String, pinned: bool, by: i64) -> Self {
        Self { field, pinned, by, of: 0, record: 0 }
    }
}

/// A sum, its currency and that it is no sum of products are one, and what is ours of a deal's company is remembered beside it:
/// none of these is taken back alone.
pub(super) fn belongs_together(field: &str) -> bool {
    [COMPANY, "opportunity", "currencyId", "isManualOpportunity"].contains(&field)
}

/// What stood where we wrote, if that can be written back: lists are shared with people and have no one former value, by
/// its marks a deal is known, and what stood in another record is none of this one's.
pub(super) fn former<'w>(record: i64, field: &str, written: &'w Written) -> Option<&'w CrmValue> {
    let single = |value: &&CrmValue| !matches!(value, CrmValue::Ids(_) | CrmValue::Texts(_) | CrmValue::Comms(_));
    let before = written.before.as_ref().filter(|_| written.record == record);
    before.filter(single).filter(|_| !is_identity(field) && !belongs_together(field))
}

/// By whom people's fields of a record are kept: a deal's by its stay, those of a record that several profiles may share by
/// itself.
pub(super) fn holder(entity: CrmEntity, id: i64, subject: &str) -> String {
    match entity {
        CrmEntity::Deal => subject.to_owned(),
        CrmEntity::Contact | CrmEntity::Company => Subject::Crm(entity, id).to_string(),
    }
}

impl Engine {
    /// Takes down what a person says of a field of a stay's deal; [`SyncError::Conflict`] where it cannot be.
    pub async fn pin(
        &self,
        portal: PortalId,
        hotel: HotelId,
        number: &StayNumber,
        wish: &PinWish,
    ) -> Result<(), SyncError> {
        if wish.pinned && belongs_together(&wish.field) {
            return Err(SyncError::Conflict("undo_together"));
        }
        let Some(deal) = self.deal_of(portal, hotel, number).await? else {
            return Err(SyncError::Conflict("stay_without_deal"));
        };
        let subject = Subject::Stay(hotel, number.clone()).to_string();
        self.take_pin(portal, hotel, subject, (CrmEntity::Deal, deal), wish).await
    }

    /// The same of a contact or company; `None`: nobody of these hotels stands behind it.
    pub async fn pin_of_record(
        &self,
        portal: PortalId,
        (entity, id): (CrmEntity, i64),
        within: Option<&[HotelCode]>,
        wish: &PinWish,
    ) -> Result<Option<()>, SyncError> {
        let Some(behind) = self.behind(portal, entity, id, within).await? else { return Ok(None) };
        let speaker = behind.speaker(&wish.field);
        // A field is given back also where nobody's word for it is remembered.
        let Some((subject, hotel)) = speaker.or_else(|| behind.anyone().filter(|_| !wish.pinned)) else {
            return Err(SyncError::Conflict("undo_nothing"));
        };
        self.take_pin(portal, hotel, subject, (entity, id), wish).await.map(Some)
    }

    async fn take_pin(
        &self,
        portal: PortalId,
        hotel: HotelId,
        subject: String,
        (entity, id): (CrmEntity, i64),
        wish: &PinWish,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let mut wish = wish.clone();
        let holder = holder(entity, id, &subject);
        wish.record = id;
        if wish.pinned {
            let held = pins::load(&deps.db, portal, &key, std::slice::from_ref(&holder)).await?.remove(&holder);
            if held.unwrap_or_default().contains_key(&wish.field) {
                return Ok(());
            }
            let subjects = std::slice::from_ref(&subject);
            let trace = provenance::load(&deps.db, portal, &key, subjects).await?.remove(&subject);
            let record = crm_records::load(&deps.db, portal, &key, entity, &[id]).await?.remove(&id);
            let written = trace.as_ref().and_then(|trace| trace.get(&wish.field));
            let stands = record.as_ref().and_then(|record| record.fields.get(&wish.field));
            // What somebody else wrote there since is not ours to take back.
            let ours = written.zip(stands).filter(|(written, stands)| alike(&written.value, stands));
            let Some((written, _)) = ours.filter(|(written, _)| former(id, &wish.field, written).is_some()) else {
                return Err(SyncError::Conflict("undo_nothing"));
            };
            wish.of = written.at;
        }
        self.wish(portal, hotel, InboxKind::Pin, subject, &wish).await
    }
}

/// Whether people took the field of a record to themselves.
pub(super) fn any(
    pinned: &HashMap<String, Pins>,
    (entity, id): (CrmEntity, i64),
    behind: &[String],
    field: &str,
) -> bool {
    behind.iter().filter_map(|subject| pinned.get(&holder(entity, id, subject))).any(|pins| pins.contains_key(field))
}

/// Until what was sent to a record is heard of.
const WAIT_MS: i64 = 1_000;

/// What people took to themselves of one record, for its plan.
pub(super) struct Theirs<'p> {
    pub holder: String,
    pub pins: Option<&'p Pins>,
}

impl Theirs<'_> {
    pub fn holds(&self, field: &str) -> bool {
        self.pins.is_some_and(|pins| pins.contains_key(field))
    }

    fn owed(&self) -> impl Iterator<Item = (&String, &Pin)> {
        self.pins.into_iter().flatten().filter(|(_, pin)| !pin.written)
    }

    /// What stood there before our write is written once; what people wrote over it meanwhile stands.
    pub fn give_back(&self, stands: &Fields, left: &mut Fields) {
        let ours = |(field, pin): &(&String, &Pin)| stands.get(*field).is_some_and(|stands| alike(stands, &pin.undone));
        left.extend(self.owed().filter(ours).map(|(field, pin)| (field.clone(), pin.value.clone())));
    }

    /// Fields that get it back by this write, and those where there is nothing to write.
    pub fn of_write(&self, write: &Fields) -> (Vec<Held>, Vec<Held>) {
        let named = |(field, _): (&String, &Pin)| (self.holder.clone(), field.clone());
        self.owed().map(named).partition(|(_, field)| write.contains_key(field))
    }
}

impl Delivery {
    /// Fields of these records that people took to themselves, by holder.
    pub(super) async fn pinned(
        &self,
        tx: &Tx,
        entity: CrmEntity,
        behind: &HashMap<i64, Vec<String>>,
    ) -> Result<HashMap<String, Pins>, StoreError> {
        let of = |(id, subjects): (&i64, &Vec<String>)| {
            let id = *id;
            subjects.iter().map(move |subject| holder(entity, id, subject)).collect::<Vec<_>>()
        };
        let holders: BTreeSet<String> = behind.iter().flat_map(of).collect();
        pins::load(tx, self.portal, &self.key, &holders.into_iter().collect::<Vec<_>>()).await
    }
}

impl Chunk<'_> {
    /// In order: the last word counts. Where what people wrote over our write stands, that is theirs from now on; where a
    /// newer write of ours does, it is none that the person saw, and may be taken back like any other.
    pub(super) async fn pin(&self, tx: &Tx, wishes: &[(InboxRow, PinWish)]) -> Result<Vec<NewIntent>, StoreError> {
        let mut intents = Vec::new();
        let mut waiting: HashSet<&str> = HashSet::new();
        for (row, wish) in wishes {
            let (subject, field) = (&row.subject, &wish.field);
            let link = links::of_subjects(tx, self.portal, std::slice::from_ref(subject)).await?.remove(subject);
            // Nobody's record: there is nothing to take back, and nothing to hold.
            let Some(LinkRow { entity, crm_id, .. }) = link else { continue };
            // Another record stands for him since: what was pinned of the one that was meant ended with its last link.
            if ![0, crm_id].contains(&wish.record) {
                continue;
            }
            // What is on its way there is nothing that a person saw: it is decided when that has come.
            if waiting.contains(subject.as_str())
                || wish.pinned && !outbox::open_writes(tx, self.portal, entity.type_id(), &[crm_id]).await?.is_empty()
            {
                waiting.insert(subject);
                inbox::leave(tx, self.portal, row.id, self.now + WAIT_MS).await?;
                continue;
            }
            let holder = holder(entity, crm_id, subject);
            if wish.pinned {
                let subjects = std::slice::from_ref(subject);
                let trace = provenance::load(tx, self.portal, self.key, subjects).await?.remove(subject);
                let written = trace.as_ref().and_then(|trace| trace.get(field));
                let record = crm_records::load(tx, self.portal, self.key, entity, &[crm_id]).await?.remove(&crm_id);
                // As of our last look.
                let stands = record.and_then(|mut record| record.fields.remove(field));
                let ours = written.filter(|written| stands.is_some_and(|stands| alike(&written.value, &stands)));
                if ours.is_some_and(|written| written.at != wish.of) {
                    continue;
                }
                let pin = ours.and_then(|written| {
                    let (value, undone) = (former(crm_id, field, written)?.clone(), written.value.clone());
                    Some(Pin { value, undone, written: false })
                });
                let pin = pin.unwrap_or_else(Pin::blank);
                pins::set(tx, self.portal, self.key, (&holder, field), &pin, (wish.by, self.now)).await?;
            } else if !pins::release(tx, self.portal, &holder, field).await? {
                continue;
            }
            intents.push(look_at(entity, subject, self.now));
        }
        Ok(intents)
    }
}
