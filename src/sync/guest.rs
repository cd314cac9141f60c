//! The guest behind a contact: every profile that the contact stands for, in whatever hotel, as one person.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::engine::Engine;
use super::error::SyncError;
use super::hints::MergeHintView;
use super::plan_people::{ProfileKey, key_of};
use super::pms_merges::without_merged;
use crate::crypto::TenantKey;
use crate::domain::erasure::is_erased;
use crate::domain::{
    CrmEntity, GuestTotals, HotelCode, HotelId, PortalId, Profile, Stay, StayNumber, StayStatus, Subject,
};
use crate::store::links::Origin;
use crate::store::stay_sums::{self, StaySum};
use crate::store::stays::Role;
use crate::store::{crm_records, hotels, links, merge_hints, profiles, stays};

/// As many stays as one look takes in: the facts of others are not even opened.
const STAYS: usize = 50;

#[derive(Debug, Clone, PartialEq)]
pub struct GuestCard {
    pub profiles: Vec<(HotelCode, Profile)>,
    /// The same as in the contact's fields.
    pub totals: GuestTotals,
    pub cancelled: usize,
    pub no_shows: usize,
    /// The latest arrival first, at most [`STAYS`].
    pub stays: Vec<GuestStay>,
    /// How many there are, shown or not.
    pub stays_total: usize,
    pub hints: Vec<MergeHintView>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct GuestStay {
    pub hotel: HotelCode,
    pub facts: Stay,
    pub role: Role,
    pub deal_id: Option<i64>,
}

impl Engine {
    /// `None`: the contact stands for nobody. `within`: of these hotels only.
    pub async fn guest(
        &self,
        portal: PortalId,
        contact: i64,
        within: Option<&[HotelCode]>,
    ) -> Result<Option<GuestCard>, SyncError> {
        let db = &self.0.deps.db;
        let key = self.0.deps.portals.key(portal).await?;
        let mut codes: HashMap<HotelId, HotelCode> = hotels::codes(db, portal).await?.into_iter().collect();
        codes.retain(|_, code| within.is_none_or(|within| within.contains(code)));
        let behind = links::of_records(db, portal, CrmEntity::Contact, &[contact]).await?;
        let behind = without_merged(db, portal, behind).await?;
        let keys: Vec<ProfileKey> =
            behind.iter().filter_map(|link| link.subject.parse().ok().as_ref().and_then(key_of)).collect();
        let mut known = profiles::load(db, portal, &key, &keys).await?;
        known.retain(|(hotel, _), row| codes.contains_key(hotel) && !is_erased(&row.facts));
        if known.is_empty() {
            return Ok(None);
        }
        let mine: Vec<ProfileKey> = keys.into_iter().filter(|key| known.contains_key(key)).collect();

        let mut named: BTreeMap<(HotelId, StayNumber), StaySum> = BTreeMap::new();
        for sum in stay_sums::of_people(db, portal, &key, &mine).await? {
            let id = (sum.hotel, sum.number.clone());
            if sum.role.is_person() && named.get(&id).is_none_or(|held| sum.role < held.role) {
                named.insert(id, sum);
            }
        }
        let mut card = GuestCard {
            profiles: Vec::new(),
            totals: GuestTotals::default(),
            cancelled: 0,
            no_shows: 0,
            stays: Vec::new(),
            stays_total: named.len(),
            hints: Vec::new(),
        };
        for sum in named.values() {
            match sum.figures.status {
                Some(StayStatus::Cancelled) => card.cancelled += 1,
                Some(StayStatus::NoShow) => card.no_shows += 1,
                _ if sum.role == Role::Guest => card.totals.count(&sum.figures),
                _ => {}
            }
        }
        let mut latest: Vec<&StaySum> = named.values().collect();
        latest.sort_by_cached_key(|sum| {
            let (code, number) = (codes.get(&sum.hotel).map(ToString::to_string), sum.number.to_string());
            (Reverse(sum.figures.arrival), code, Reverse((number.len(), number)))
        });
        latest.truncate(STAYS);
        card.stays = self.stays_of_guest(portal, &key, &codes, &latest).await?;
        let subjects: BTreeSet<String> =
            mine.iter().map(|(hotel, number)| Subject::Profile(*hotel, number.clone()).to_string()).collect();
        let subjects: Vec<String> = subjects.into_iter().collect();
        let hints = merge_hints::about(db, portal, &subjects, CrmEntity::Contact, contact).await?;
        card.hints = self.hints_of(portal, &key, hints).await?;
        let profile = |key: ProfileKey| Some((codes.get(&key.0)?.clone(), known.remove(&key)?.facts));
        card.profiles = mine.into_iter().filter_map(profile).collect();
        Ok(Some(card))
    }

    async fn stays_of_guest(
        &self,
        portal: PortalId,
        key: &TenantKey,
        codes: &HashMap<HotelId, HotelCode>,
        wanted: &[&StaySum],
    ) -> Result<Vec<GuestStay>, SyncError> {
        let db = &self.0.deps.db;
        let keys: Vec<(HotelId, StayNumber)> = wanted.iter().map(|sum| (sum.hotel, sum.number.clone())).collect();
        let mut rows = stays::load(db, portal, key, &keys).await?;
        let subject = |(hotel, number): &(HotelId, StayNumber)| Subject::Stay(*hotel, number.clone()).to_string();
        let deals = links::of_subjects(db, portal, &keys.iter().map(subject).collect::<Vec<_>>()).await?;
        let ids: Vec<i64> = deals.values().map(|link| link.crm_id).collect();
        let gone = crm_records::deleted_among(db, portal, CrmEntity::Deal, &ids).await?;
        let stay = |(id, sum): (&(HotelId, StayNumber), &&StaySum)| {
            let link = deals.get(&subject(id));
            let link = link.filter(|link| link.origin != Origin::Detached && !gone.contains(&link.crm_id));
            let (hotel, facts) = (codes.get(&id.0)?.clone(), rows.remove(id)?.facts);
            Some(GuestStay { hotel, facts, role: sum.role, deal_id: link.map(|link| link.crm_id) })
        };
        Ok(keys.iter().zip(wanted).filter_map(stay).collect())
    }
}
