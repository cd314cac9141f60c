//! A person takes our last write of one field of a stay's deal back (product §2.7): what stood there before is written
//! again, and the field of that deal is people's until somebody releases it. It goes the way of everything: an inbox row,
//! decided into a pin, delivered as the deal's field.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::reread::look_at;
use crate::domain::change_set::{COMPANY, alike};
use crate::domain::ownership::is_identity;
use crate::domain::{CrmEntity, CrmValue, HotelId, PortalId, StayNumber, Subject};
use crate::store::inbox::{InboxKind, InboxRow};
use crate::store::outbox::NewIntent;
use crate::store::pins::{Pin, Pins};
use crate::store::provenance::{self, Written};
use crate::store::{StoreError, Tx, crm_records, links, pins};

/// What a person says of a field of a stay's deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinWish {
    pub field: String,
    /// Undone and pinned, or released.
    pub pinned: bool,
    pub by: i64,
    /// When what is undone was written: a later write, ours or anybody's, is not meant.
    #[serde(default)]
    pub of: i64,
}

/// A sum, its currency and that it is no sum of products are one, and what is ours of a deal's company is remembered beside it:
/// none of these is taken back alone.
pub(super) fn belongs_together(field: &str) -> bool {
    [COMPANY, "opportunity", "currencyId", "isManualOpportunity"].contains(&field)
}

/// What stood where we wrote, if that can be written back: lists are shared with people and have no one former value, and by
/// its marks a deal is known.
pub(super) fn former<'w>(field: &str, written: &'w Written) -> Option<&'w CrmValue> {
    let single = |value: &&CrmValue| !matches!(value, CrmValue::Ids(_) | CrmValue::Texts(_) | CrmValue::Comms(_));
    written.before.as_ref().filter(single).filter(|_| !is_identity(field) && !belongs_together(field))
}

impl Engine {
    /// Takes down what a person says of a field; [`SyncError::Conflict`] where it cannot be.
    pub async fn pin(
        &self,
        portal: PortalId,
        hotel: HotelId,
        number: &StayNumber,
        wish: &PinWish,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let subjects = [Subject::Stay(hotel, number.clone()).to_string()];
        let [subject] = &subjects;
        let mut wish = wish.clone();
        if wish.pinned && belongs_together(&wish.field) {
            return Err(SyncError::Conflict("undo_together"));
        }
        let Some(deal) = self.deal_of(portal, hotel, number).await? else {
            return Err(SyncError::Conflict("stay_without_deal"));
        };
        let held = pins::load(&deps.db, portal, &key, &subjects).await?.remove(subject).unwrap_or_default();
        match (wish.pinned, held.contains_key(&wish.field)) {
            (true, true) | (false, false) => return Ok(()),
            (false, true) => {}
            (true, false) => {
                let trace = provenance::load(&deps.db, portal, &key, &subjects).await?.remove(subject);
                let record = crm_records::load(&deps.db, portal, &key, CrmEntity::Deal, &[deal]).await?.remove(&deal);
                let written = trace.as_ref().and_then(|trace| trace.get(&wish.field));
                let stands = record.as_ref().and_then(|record| record.fields.get(&wish.field));
                // What somebody else wrote there since is not ours to take back.
                let ours = written.zip(stands).filter(|(written, stands)| alike(&written.value, stands));
                let Some((written, _)) = ours.filter(|(written, _)| former(&wish.field, written).is_some()) else {
                    return Err(SyncError::Conflict("undo_nothing"));
                };
                wish.of = written.at;
            }
        }
        self.wish(portal, hotel, InboxKind::Pin, subject.clone(), &wish).await?;
        Ok(())
    }
}

/// Whether people took the field of a record to themselves.
pub(super) fn any(pinned: &HashMap<String, Pins>, behind: &[String], field: &str) -> bool {
    behind.iter().filter_map(|subject| pinned.get(subject)).any(|pins| pins.contains_key(field))
}

impl Delivery {
    /// Fields of stays' deals that people took to themselves, by stay.
    pub(super) async fn pinned(
        &self,
        tx: &Tx,
        entity: CrmEntity,
        subjects: impl Iterator<Item = &String>,
    ) -> Result<HashMap<String, Pins>, StoreError> {
        if entity != CrmEntity::Deal {
            return Ok(HashMap::new());
        }
        let subjects: Vec<String> = subjects.cloned().collect();
        pins::load(tx, self.portal, &self.key, &subjects).await
    }
}

impl Chunk<'_> {
    /// In order: the last word counts. Where our write does not stand any more, what stands is people's from now on.
    pub(super) async fn pin(&self, tx: &Tx, wishes: &[(InboxRow, PinWish)]) -> Result<Vec<NewIntent>, StoreError> {
        let mut intents = Vec::new();
        for (row, wish) in wishes {
            let (subject, field) = (&row.subject, &wish.field);
            if wish.pinned {
                let subjects = std::slice::from_ref(subject);
                let trace = provenance::load(tx, self.portal, self.key, subjects).await?.remove(subject);
                let written = trace.as_ref().and_then(|trace| trace.get(field)).filter(|written| written.at == wish.of);
                let stands = self.deal_field(tx, subject, field).await?;
                let ours = written.filter(|written| stands.is_some_and(|stands| alike(&written.value, &stands)));
                let pin = ours.and_then(|written| {
                    let (value, undone) = (former(field, written)?.clone(), written.value.clone());
                    Some(Pin { value, undone, written: false })
                });
                let pin = pin.unwrap_or_else(Pin::blank);
                pins::set(tx, self.portal, self.key, (subject, field), &pin, (wish.by, self.now)).await?;
            } else {
                pins::release(tx, self.portal, subject, field).await?;
            }
            intents.push(look_at(CrmEntity::Deal, subject, self.now));
        }
        Ok(intents)
    }

    /// What stands there, as of our last look.
    async fn deal_field(&self, tx: &Tx, subject: &str, field: &str) -> Result<Option<CrmValue>, StoreError> {
        let link = links::of_subjects(tx, self.portal, &[subject.to_owned()]).await?.remove(subject);
        let Some(deal) = link.filter(|link| link.entity == CrmEntity::Deal).map(|link| link.crm_id) else {
            return Ok(None);
        };
        let record = crm_records::load(tx, self.portal, self.key, CrmEntity::Deal, &[deal]).await?.remove(&deal);
        Ok(record.and_then(|mut record| record.fields.remove(field)))
    }
}
