//! People who may be one, as people read it: who was taken for a new one, who looks like him, and why.

use std::collections::{BTreeSet, HashMap};

use super::engine::Engine;
use super::error::SyncError;
use super::plan_people::key_of;
use super::views::Page;
use crate::crypto::TenantKey;
use crate::domain::erasure::is_erased;
use crate::domain::{CrmEntity, HotelCode, HotelId, PortalId, ProfileNumber, Subject};
use crate::store::merge_hints::{self, HintRow};
use crate::store::{crm_records, hotels, links, profiles};

#[derive(Debug, Clone, PartialEq)]
pub struct MergeHintView {
    pub id: i64,
    pub entity: CrmEntity,
    pub hotel: HotelCode,
    pub profile: ProfileNumber,
    /// As the hotel writes it.
    pub name: String,
    /// The person's own record; none yet while it is on its way.
    pub crm_id: Option<i64>,
    pub alike: Vec<Alike>,
    /// Stable code.
    pub reason: String,
    pub created_at: i64,
}

/// A record that looks like the person.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    pub crm_id: i64,
    /// The hotel's name of whom it stands for; of records that stand for nobody of ours nothing is kept.
    pub name: Option<String>,
}

impl Engine {
    pub async fn merge_hints(
        &self,
        portal: PortalId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Page<MergeHintView>, SyncError> {
        let limit = limit.clamp(1, 500);
        let after = after.and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut rows = merge_hints::page(&self.0.deps.db, portal, after, limit + 1).await?;
        let more = i64::try_from(rows.len()).is_ok_and(|count| count > limit);
        rows.truncate(usize::try_from(limit).unwrap_or(500));
        let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
        let key = self.0.deps.portals.key(portal).await?;
        Ok(Page { items: self.hints_of(portal, &key, rows).await?, next })
    }

    /// These are different people: it is never hinted again, and the one is never taken for the other.
    /// `seen`: the records that looked alike when the person decided; of others he said nothing.
    pub async fn dismiss_hint(&self, portal: PortalId, id: i64, seen: &BTreeSet<i64>) -> Result<(), SyncError> {
        let tx = self.0.deps.db.begin().await?;
        crm_records::hold(&tx, portal).await?;
        if !merge_hints::is_open(&tx, portal, id).await? {
            return Err(SyncError::NotFound);
        }
        if !merge_hints::set_apart(&tx, portal, id, seen).await? {
            return Err(SyncError::Conflict("hint_changed"));
        }
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn hints_of(
        &self,
        portal: PortalId,
        key: &TenantKey,
        rows: Vec<HintRow>,
    ) -> Result<Vec<MergeHintView>, SyncError> {
        let db = &self.0.deps.db;
        let codes: HashMap<HotelId, HotelCode> = hotels::codes(db, portal).await?.into_iter().collect();
        let subjects: Vec<String> = rows.iter().map(|row| row.subject.clone()).collect();
        let own = links::of_subjects(db, portal, &subjects).await?;
        let mut names: HashMap<(CrmEntity, i64), String> = HashMap::new();
        let mut people = Vec::new();
        let mut gone = HashMap::new();
        for entity in [CrmEntity::Contact, CrmEntity::Company] {
            let of_entity = rows.iter().filter(|row| row.entity == entity);
            let alike: Vec<i64> = of_entity.flat_map(|row| row.crm_ids.iter().copied()).collect();
            people.extend(links::of_records(db, portal, entity, &alike).await?);
            let ids: Vec<i64> = own.values().filter(|link| link.entity == entity).map(|link| link.crm_id).collect();
            gone.insert(entity, crm_records::deleted_among(db, portal, entity, &ids).await?);
        }
        let key_in = |subject: &str| subject.parse::<Subject>().ok().as_ref().and_then(key_of);
        let asked = subjects.iter().chain(people.iter().map(|link| &link.subject)).filter_map(|text| key_in(text));
        let facts = profiles::load(db, portal, key, &asked.collect::<Vec<_>>()).await?;
        let name = |subject: &str| {
            let row = facts.get(&key_in(subject)?).filter(|row| !is_erased(&row.facts))?;
            Some(row.facts.display_name()).filter(|name| !name.is_empty())
        };
        for link in people {
            if let Some(name) = name(&link.subject) {
                names.entry((link.entity, link.crm_id)).or_insert(name);
            }
        }
        let view = |row: HintRow| {
            let (hotel, profile) = key_in(&row.subject)?;
            let alike = |crm_id: i64| Alike { crm_id, name: names.get(&(row.entity, crm_id)).cloned() };
            let there = |id: &i64| gone.get(&row.entity).is_none_or(|gone| !gone.contains(id));
            Some(MergeHintView {
                id: row.id,
                entity: row.entity,
                hotel: codes.get(&hotel)?.clone(),
                profile,
                name: name(&row.subject).unwrap_or_default(),
                crm_id: own.get(&row.subject).map(|link| link.crm_id).filter(there),
                alike: row.crm_ids.iter().copied().map(alike).collect(),
                reason: row.reason,
                created_at: row.created_at,
            })
        };
        Ok(rows.into_iter().filter_map(view).collect())
    }
}
