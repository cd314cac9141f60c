//! A person says of one of several profiles behind a record: this is somebody else (product §2.8). It goes the way of
//! everything: an inbox row, decided into the end of the link, delivered as the record that stays and as one of his own.
//!
//! It holds for good against whatever finds people by itself: marks, `FB24_PROFILE`, phones, e-mails, the PMS. Only a later
//! wish of people is stronger: whoever merges both records in the portal has said the contrary, and the merge stands
//! ([`splits::joined`]).

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::notes;
use super::pins::holder;
use super::plan_people::{ProfileKey, key_of};
use super::pms_merges::without_merged;
use super::reread::look_at;
use crate::clock::wall_of;
use crate::domain::change_set::{alike, ours};
use crate::domain::crm::ORIGINATOR;
use crate::domain::desired::desired_person;
use crate::domain::{CrmEntity, CrmValue, Fields, GuestTotals, HotelId, Lang, PortalId, ProfileNumber, Subject};
use crate::store::hotels::{self, HotelRow};
use crate::store::inbox::{self, InboxKind, InboxRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::{self, NewIntent};
use crate::store::profiles::{self, ProfileRow};
use crate::store::splits::{self, SplitRow};
use crate::store::{Db, StoreError, Tx, Via, crm_records, erasures, merges, pins, problems, provenance};

/// After so long a wish that had to wait is looked at again.
const WAIT_MS: i64 = 1_000;

const PROFILES: &str = "UF_CRM_FB24_PROFILE";

const NAMES: [&str; 3] = ["name", "lastName", "title"];

/// "This is another person."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SplitWish {
    /// 0: an integrator.
    by: i64,
    /// Whose: `<hotel>:<profile>`.
    mark: String,
}

/// The record that a profile stands for, and whoever else does.
async fn shared<'v>(
    via: impl Into<Via<'v>>,
    portal: PortalId,
    subject: &str,
) -> Result<Option<(LinkRow, Vec<LinkRow>)>, StoreError> {
    let via = via.into();
    let Some(own) = links::of_subjects(via, portal, &[subject.to_owned()]).await?.remove(subject) else {
        return Ok(None);
    };
    if crm_records::deleted_among(via, portal, own.entity, &[own.crm_id]).await?.contains(&own.crm_id) {
        return Ok(None);
    }
    let mut others = links::of_records(via, portal, own.entity, &[own.crm_id]).await?;
    others.retain(|link| link.subject != subject);
    Ok(Some((own, without_merged(via, portal, others).await?)))
}

impl Engine {
    /// Takes down that a profile is somebody else than whoever shares its record; answers that record.
    /// [`SyncError::Conflict`] where it cannot be.
    pub async fn split(
        &self,
        portal: PortalId,
        hotel: &HotelRow,
        profile: &ProfileNumber,
        by: i64,
    ) -> Result<(CrmEntity, i64), SyncError> {
        let deps = &self.0.deps;
        if erasures::get(&deps.db, portal, hotel.id, profile).await?.is_some() {
            return Err(SyncError::Conflict("split_erased"));
        }
        if !known(&deps.db, portal, hotel.id, profile).await? {
            return Err(SyncError::NotFound);
        }
        if !merges::of(&deps.db, portal, std::iter::once(&(hotel.id, profile.clone()))).await?.is_empty() {
            return Err(SyncError::Conflict("split_merged"));
        }
        let subject = Subject::Profile(hotel.id, profile.clone()).to_string();
        let shared = shared(&deps.db, portal, &subject).await?.filter(|_| hotel.removed_at.is_none());
        let Some((own, mut others)) = shared else {
            return Err(SyncError::Conflict("split_no_record"));
        };
        // Of a hotel that was removed nothing is written any more: nobody would make the record his own.
        let hotels = hotels::list(&deps.db, portal).await?;
        let in_force = |of: HotelId| hotels.iter().any(|hotel| hotel.id == of && hotel.removed_at.is_none());
        others.retain(|link| link.subject.parse().ok().as_ref().and_then(key_of).is_some_and(|(of, _)| in_force(of)));
        if others.is_empty() {
            return Err(SyncError::Conflict("split_alone"));
        }
        let wish = SplitWish { by, mark: format!("{}:{profile}", hotel.code) };
        self.wish(portal, hotel.id, InboxKind::Split, subject, &wish).await?;
        Ok((own.entity, own.crm_id))
    }
}

async fn known(db: &Db, portal: PortalId, hotel: HotelId, profile: &ProfileNumber) -> Result<bool, StoreError> {
    Ok(!profiles::hashes(db, portal, hotel, &[profile.to_string()]).await?.is_empty())
}

/// Records that he was taken off, and that may still tell of him.
pub(super) async fn parting(tx: &Tx, portal: PortalId, subject: &str) -> Result<Vec<(CrmEntity, i64)>, StoreError> {
    let apart = splits::of_subjects(tx, portal, &[subject.to_owned()]).await?;
    let records = apart.into_values().flat_map(|apart| apart.records);
    Ok(records.filter(|row| !row.mark.is_empty()).map(|row| (row.entity, row.crm_id)).collect())
}

impl Chunk<'_> {
    /// What stands against it by now was said at the same moment by somebody else.
    pub(super) async fn split(&self, tx: &Tx, wishes: &[(InboxRow, SplitWish)]) -> Result<Vec<NewIntent>, StoreError> {
        let mut intents = Vec::new();
        for (row, wish) in wishes {
            if outbox::is_being_made(tx, self.portal, &row.subject).await? {
                inbox::leave(tx, self.portal, row.id, self.now + WAIT_MS).await?;
                continue;
            }
            let shared = shared(tx, self.portal, &row.subject).await?;
            let Some((own, others)) = shared.filter(|(_, others)| !others.is_empty()) else { continue };
            let split = SplitRow {
                subject: row.subject.clone(),
                entity: own.entity,
                crm_id: own.crm_id,
                mark: wish.mark.clone(),
                there: true,
                here: true,
                asked_by: wish.by,
                asked_at: self.now,
            };
            let his = row.subject.parse().ok().as_ref().and_then(key_of);
            let merged = merges::into(tx, self.portal, his.iter()).await?.into_iter();
            let mut leave: Vec<String> =
                merged.map(|merge| Subject::Profile(merge.hotel, merge.profile).to_string()).collect();
            leave.push(row.subject.clone());
            links::end(tx, self.portal, &leave).await?;
            if own.origin != Origin::Adopted {
                // It was made for him and is theirs now: his name is none that stood there before us.
                links::inherited(tx, self.portal, own.entity, own.crm_id, own.origin).await?;
            }
            let others: Vec<String> = others.into_iter().map(|link| link.subject).collect();
            // What stood there before a write of ours may have been his: it is given back to nobody.
            let behind: Vec<String> = leave.iter().chain(&others).cloned().collect();
            provenance::forget(tx, self.portal, self.key, &behind, &BTreeSet::new(), self.now).await?;
            let holder = holder(own.entity, own.crm_id, &row.subject);
            pins::blank(tx, self.portal, self.key, &[holder]).await?;
            splits::add(tx, self.portal, &split, &others).await?;
            problems::over(tx, self.portal, &row.subject, super::lost::DUPLICATE_MARK).await?;
            let looks = others.iter().chain([&row.subject]);
            intents.extend(looks.map(|subject| look_at(own.entity, subject, self.now)));
        }
        Ok(intents)
    }
}

/// What a record is to lose of those who were taken off it.
#[derive(Default)]
pub(super) struct Leaving {
    people: Vec<(SplitRow, Option<ProfileRow>)>,
}

impl From<Vec<(SplitRow, Option<ProfileRow>)>> for Leaving {
    fn from(people: Vec<(SplitRow, Option<ProfileRow>)>) -> Self {
        Self { people }
    }
}

impl Leaving {
    fn marks(&self) -> BTreeSet<String> {
        self.people.iter().map(|(split, _)| split.mark.clone()).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Whether the record still bears one of their marks, ours and not another system's.
    pub fn marked(&self, held: &Fields) -> bool {
        text(held, "originatorId") == ORIGINATOR && self.marks().contains(text(held, "originId"))
    }

    /// The record as it is to be compared: their numbers are ours to take away.
    pub fn known(&self, held: &Fields) -> Fields {
        let mut held = held.clone();
        held.insert(ours(PROFILES), CrmValue::Texts(self.marks()));
        held
    }

    /// What we once wrote of them goes, of whatever the one who stays says nothing; no record is left without a name.
    pub fn take_away(&self, delivery: &Delivery, entity: CrmEntity, desired: &mut Fields, held: &Fields) {
        for (split, row) in &self.people {
            let Some(row) = row else { continue };
            let Some(active) = delivery.ground.mappings.get(&row.hotel) else { continue };
            let marks = BTreeSet::from([split.mark.clone()]);
            let his = desired_person(&active.mapping, entity, &row.facts, &GuestTotals::default(), &marks);
            for (name, value) in his {
                let stands = held.get(&name).is_some_and(|held| !held.is_empty() && alike(held, &value));
                match value {
                    _ if desired.contains_key(&name) || NAMES.contains(&name.as_str()) => {}
                    CrmValue::Comms(_) => _ = desired.insert(name, CrmValue::Comms(BTreeSet::new())),
                    _ if stands => _ = desired.insert(name, CrmValue::Empty),
                    _ => {}
                }
            }
        }
    }
}

fn text<'f>(fields: &'f Fields, name: &str) -> &'f str {
    match fields.get(name) {
        Some(CrmValue::Text(text)) => text,
        _ => "",
    }
}

/// Whether a record holds nothing that leads to whom it lost.
fn is_clean(fields: &Fields, mark: &str) -> bool {
    let listed = matches!(fields.get(PROFILES), Some(CrmValue::Texts(marks)) if marks.contains(mark));
    let marked = text(fields, "originatorId") == ORIGINATOR && text(fields, "originId") == mark;
    !listed && !marked
}

impl Delivery {
    /// Who leaves these records, by record. `behind`: whoever stands for them; one who came back leaves nothing.
    pub(super) async fn leaving(
        &self,
        entity: CrmEntity,
        ids: &[i64],
        behind: &HashMap<i64, Vec<LinkRow>>,
    ) -> Result<HashMap<i64, Leaving>, SyncError> {
        let mut rows = splits::of_records(self.db(), self.portal, entity, ids).await?;
        let back = |row: &SplitRow| behind.get(&row.crm_id).into_iter().flatten().any(|l| l.subject == row.subject);
        rows.retain(|row| !row.mark.is_empty() && !back(row));
        let key = |row: &SplitRow| row.subject.parse().ok().as_ref().and_then(key_of);
        let keys: Vec<ProfileKey> = rows.iter().filter_map(key).collect();
        let mut known = profiles::load(self.db(), self.portal, &self.key, &keys).await?;
        let mut leaving: HashMap<i64, Leaving> = HashMap::new();
        for row in rows {
            let profile = key(&row).and_then(|key| known.remove(&key));
            leaving.entry(row.crm_id).or_default().people.push((row, profile));
        }
        Ok(leaving)
    }

    /// These records stand as confirmed: those that hold nothing more of whom they lost are done.
    pub(super) async fn parted<'f>(
        &self,
        tx: &Tx,
        records: impl Iterator<Item = (CrmEntity, i64, &'f Fields)>,
    ) -> Result<(), SyncError> {
        let stands: HashMap<(CrmEntity, i64), &Fields> =
            records.map(|(entity, id, fields)| ((entity, id), fields)).collect();
        for entity in [CrmEntity::Contact, CrmEntity::Company] {
            let ids: Vec<i64> = stands.keys().filter(|(of, _)| *of == entity).map(|(_, id)| *id).collect();
            let mut rows = splits::of_records(tx, self.portal, entity, &ids).await?;
            rows.retain(|row| {
                let fields = stands.get(&(entity, row.crm_id));
                !row.mark.is_empty() && fields.is_some_and(|fields| is_clean(fields, &row.mark))
            });
            splits::cleaned(tx, self.portal, &rows).await?;
            // Who was merged by the PMS stands for another record since long.
            let moved = rows.iter().filter(|row| row.asked_by == splits::PMS).map(|row| row.subject.clone());
            let own = links::of_subjects(tx, self.portal, &moved.collect::<Vec<_>>()).await?;
            let told = rows.iter().map(|row| (entity, row.crm_id));
            let told = told.chain(own.values().map(|link| (link.entity, link.crm_id)));
            let notes = told.map(|(entity, id)| notes::intent(entity, id, self.now())).collect();
            outbox::add(tx, self.portal, notes).await?;
        }
        Ok(())
    }

    /// What the record's timeline is yet to be told of who was taken off it, and of who came to it so.
    pub(super) async fn splits_to_tell(&self, entity: CrmEntity, id: i64) -> Result<Option<String>, SyncError> {
        let mut off = splits::of_records(self.db(), self.portal, entity, &[id]).await?;
        off.retain(|row| row.there && row.mark.is_empty());
        let behind = links::of_records(self.db(), self.portal, entity, &[id]).await?;
        let subjects: Vec<String> = behind.into_iter().map(|link| link.subject).collect();
        let apart = splits::of_subjects(self.db(), self.portal, &subjects).await?;
        let came = apart.into_values().flat_map(|apart| apart.records).filter(|row| row.here);
        let all = off.into_iter().map(|row| (row, false)).chain(came.map(|row| (row, true)));
        let all: Vec<(SplitRow, bool)> = all.collect();
        let key = |row: &SplitRow| row.subject.parse().ok().as_ref().and_then(key_of);
        let keys: Vec<ProfileKey> = all.iter().filter_map(|(row, _)| key(row)).collect();
        let merged = self.merged(keys.iter()).await?;
        let subjects: Vec<String> = all.iter().map(|(row, _)| row.subject.clone()).collect();
        let own = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let sentence = |(row, here): &(SplitRow, bool)| match row.asked_by {
            splits::PMS => {
                let merge = merged.get(&key(row)?);
                self.sentence_of_merge(row, *here, merge, own.get(&row.subject).map(|link| link.crm_id))
            }
            _ => self.sentence(row, *here),
        };
        let mut lines: Vec<String> = all.iter().filter_map(sentence).collect();
        lines.sort();
        Ok(Some(lines.join("\n")).filter(|text| !text.is_empty()))
    }

    /// The moment makes it one of its kind, by which it is found again.
    fn sentence(&self, row: &SplitRow, here: bool) -> Option<String> {
        let (hotel, number) = row.subject.parse().ok().as_ref().and_then(key_of)?;
        let hotel = self.ground.hotels.get(&hotel)?;
        let at = wall_of(row.asked_at, &hotel.timezone).format("%d.%m.%Y %H:%M:%S");
        let (whose, off, by) = (format!("{}:{number}", hotel.code), row.crm_id, row.asked_by);
        Some(match self.ground.terms.lang {
            Lang::Ru => {
                let who = if by > 0 {
                    format!("сотрудник № {by}")
                } else {
                    "внешняя система".to_owned()
                };
                let what = if here {
                    format!("профиль {whose} отделён от записи № {off}, теперь это его собственная запись")
                } else {
                    format!("профиль {whose} отделён от этой записи, его проживания и данные теперь в его собственной")
                };
                format!(
                    "Fidelio: {what}: {who} указал, что это другой человек. Если это ошибка, объедините обе записи. {at}"
                )
            }
            Lang::En => {
                let who = if by > 0 { format!("user {by}") } else { "another system".to_owned() };
                let what = if here {
                    format!("profile {whose} was taken off record {off} and has this one of its own now")
                } else {
                    format!("profile {whose} was taken off this record; its stays and data are in one of its own now")
                };
                format!(
                    "Fidelio: {what}: {who} said that it is another person. If that was a mistake, merge both. {at}"
                )
            }
        })
    }
}
