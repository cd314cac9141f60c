//! The guest behind a contact: every profile that the contact stands for, in whatever hotel, as one person.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::engine::Engine;
use super::error::SyncError;
use super::hints::MergeHintView;
use super::plan_people::{ProfileKey, key_of};
use crate::domain::erasure::is_erased;
use crate::domain::{
    CrmEntity, GuestTotals, HotelCode, HotelId, PortalId, Profile, Stay, StayNumber, StayStatus, Subject,
};
use crate::store::links::Origin;
use crate::store::stays::Role;
use crate::store::{crm_records, hotels, links, merge_hints, profiles, stays};

#[derive(Debug, Clone, PartialEq)]
pub struct GuestCard {
    pub profiles: Vec<(HotelCode, Profile)>,
    /// The same as in the contact's fields.
    pub totals: GuestTotals,
    pub cancelled: usize,
    pub no_shows: usize,
    /// The latest arrival first.
    pub stays: Vec<GuestStay>,
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
        let keys: Vec<ProfileKey> =
            behind.iter().filter_map(|link| link.subject.parse().ok().as_ref().and_then(key_of)).collect();
        let mut known = profiles::load(db, portal, &key, &keys).await?;
        known.retain(|(hotel, _), row| codes.contains_key(hotel) && !is_erased(&row.facts));
        if known.is_empty() {
            return Ok(None);
        }
        let mine: Vec<ProfileKey> = keys.into_iter().filter(|key| known.contains_key(key)).collect();

        let mut roles: HashMap<(HotelId, StayNumber), Role> = HashMap::new();
        for (hotel, stay, _, role) in stays::naming(db, portal, &mine).await? {
            if role.is_person() {
                let held = roles.entry((hotel, stay)).or_insert(role);
                *held = role.min(*held);
            }
        }
        let wanted: Vec<(HotelId, StayNumber)> = roles.keys().cloned().collect();
        let rows = stays::load(db, portal, &key, &wanted).await?;
        let subjects: Vec<String> =
            wanted.iter().map(|(hotel, number)| Subject::Stay(*hotel, number.clone()).to_string()).collect();
        let deals = links::of_subjects(db, portal, &subjects).await?;
        let ids: Vec<i64> = deals.values().map(|link| link.crm_id).collect();
        let gone = crm_records::deleted_among(db, portal, CrmEntity::Deal, &ids).await?;

        let mut card = GuestCard {
            profiles: Vec::new(),
            totals: GuestTotals::default(),
            cancelled: 0,
            no_shows: 0,
            stays: Vec::with_capacity(rows.len()),
            hints: Vec::new(),
        };
        for ((hotel, number), row) in rows {
            let (Some(code), Some(role)) = (codes.get(&hotel), roles.get(&(hotel, number.clone()))) else { continue };
            match row.facts.status.get() {
                Some(StayStatus::Cancelled) => card.cancelled += 1,
                Some(StayStatus::NoShow) => card.no_shows += 1,
                _ if *role == Role::Guest => card.totals.count(&row.facts),
                _ => {}
            }
            let link = deals.get(&Subject::Stay(hotel, number).to_string());
            let link = link.filter(|link| link.origin != Origin::Detached && !gone.contains(&link.crm_id));
            let deal_id = link.map(|link| link.crm_id);
            card.stays.push(GuestStay { hotel: code.clone(), facts: row.facts, role: *role, deal_id });
        }
        card.stays.sort_by_cached_key(|stay| {
            let number = stay.facts.number.to_string();
            (Reverse(stay.facts.arrival.get().copied()), stay.hotel.to_string(), Reverse((number.len(), number)))
        });
        let subjects: BTreeSet<String> =
            mine.iter().map(|(hotel, number)| Subject::Profile(*hotel, number.clone()).to_string()).collect();
        let subjects: Vec<String> = subjects.into_iter().collect();
        let hints = merge_hints::about(db, portal, &subjects, CrmEntity::Contact, contact).await?;
        card.hints = self.hints_of(portal, &key, hints).await?;
        let profile = |key: ProfileKey| Some((codes.get(&key.0)?.clone(), known.remove(&key)?.facts));
        card.profiles = mine.into_iter().filter_map(profile).collect();
        Ok(Some(card))
    }
}
