//! A profile that the PMS has no more was merged into the one that took all its stays over (product §2.13), and comes to
//! life again when the PMS has it again. Decided like anything else; delivered as what both records are to hold.
//!
//! What people said of who is who is stronger: who was told apart is never joined here ([`apart`]).

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::lost::{DELETED, DUPLICATE_MARK};
use super::plan_people::{ProfileKey, key_of};
use super::reread::look_at;
use crate::domain::merging::{self, Fate};
use crate::domain::{CrmEntity, Entity, HotelId, PortalId, Profile, ProfileNumber, StayNumber, Subject, identity};
use crate::store::inbox::{self, InboxRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::merge_hints::{self, NewHint};
use crate::store::merges::{self, MergeRow};
use crate::store::outbox::{self, NewIntent};
use crate::store::splits::{self, SplitRow};
use crate::store::stays::{self, Role, StayRow};
use crate::store::{StoreError, Tx, Via, crm_records, hotels, problems, profiles};

/// After so long what had to wait is looked at again.
const WAIT_MS: i64 = 1_000;

/// Reasons of hints (stable codes): the PMS says that they are one; it does not say which one took his stays.
const MERGED: &str = "pms_merged";
const VANISHED: &str = "pms_vanished";

/// The PMS has a profile no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gone {
    /// Stays that named it, and that the PMS has no more either.
    pub missing: BTreeSet<StayNumber>,
}

fn subject_of((hotel, number): &ProfileKey) -> String {
    Subject::Profile(*hotel, number.clone()).to_string()
}

/// The records that stand for these, as far as they are there.
async fn standing(tx: &Tx, portal: PortalId, subjects: &[String]) -> Result<HashMap<String, LinkRow>, StoreError> {
    let mut linked = links::of_subjects(tx, portal, subjects).await?;
    for entity in [CrmEntity::Contact, CrmEntity::Company] {
        let ids: Vec<i64> = linked.values().filter(|link| link.entity == entity).map(|link| link.crm_id).collect();
        let gone = crm_records::deleted_among(tx, portal, entity, &ids).await?;
        linked.retain(|_, link| link.entity != entity || !gone.contains(&link.crm_id));
    }
    Ok(linked)
}

/// Whether a person said of these two, or of one and the other's record, that they are different people.
async fn apart(
    tx: &Tx,
    portal: PortalId,
    (one, other): (&str, &str),
    linked: &HashMap<String, LinkRow>,
) -> Result<bool, StoreError> {
    let both = [one.to_owned(), other.to_owned()];
    let taken_off = splits::of_subjects(tx, portal, &both).await?;
    let not_alike = merge_hints::apart(tx, portal, &both).await?;
    let said = |one: &str, other: &str| {
        let off = taken_off.get(one);
        let record = linked.get(other);
        off.is_some_and(|off| off.people.contains(other))
            || record.is_some_and(|link| off.is_some_and(|off| off.by_people(link.entity, link.crm_id)))
            || record.zip(not_alike.get(one)).is_some_and(|(link, ids)| ids.contains(&link.crm_id))
    };
    Ok(said(one, other) || said(other, one))
}

/// Of those who stand for a record, those who still are somebody.
pub(super) async fn without_merged<'v>(
    via: impl Into<Via<'v>>,
    portal: PortalId,
    links: Vec<LinkRow>,
) -> Result<Vec<LinkRow>, StoreError> {
    let key = |link: &LinkRow| link.subject.parse().ok().as_ref().and_then(key_of);
    let keys: Vec<ProfileKey> = links.iter().filter_map(key).collect();
    let merged = merges::of(via, portal, keys.iter()).await?;
    Ok(links.into_iter().filter(|link| key(link).is_none_or(|key| !merged.contains_key(&key))).collect())
}

impl Chunk<'_> {
    /// Before anything is decided: who is there again is himself, and of others stays speak of whom they were merged into.
    pub(super) async fn follow_merges(&mut self, tx: &Tx) -> Result<(), StoreError> {
        let mut named: BTreeSet<ProfileKey> = BTreeSet::new();
        for (row, change) in &self.changes {
            let all = crate::domain::erasure::named(change).into_iter();
            named.extend(all.map(|number| (row.hotel, number.clone())));
        }
        let mut merged = merges::of(tx, self.portal, named.iter()).await?;
        if merged.is_empty() {
            return Ok(());
        }
        let mut back = Vec::new();
        for (row, change) in self.changes.iter().filter(|_| !self.again) {
            let Entity::Profile(profile) = &change.entity else { continue };
            let key = (row.hotel, profile.number.clone());
            // What came in before tells of the time before, whenever it is decided.
            let later = merged.get(&key).is_some_and(|merge| row.id > merge.inbox_id);
            if later && merging::is_there(profile) {
                back.extend(merged.remove(&key).map(|merge| (merge, profile.as_ref().clone())));
            }
        }
        for (merge, profile) in back {
            let intents = self.come_back(tx, &merge, &profile).await?;
            self.merged.extend(intents);
        }
        let mut into: HashMap<HotelId, HashMap<ProfileNumber, ProfileNumber>> = HashMap::new();
        for ((hotel, number), merge) in merged {
            into.entry(hotel).or_default().insert(number, merge.successor);
        }
        for (row, change) in &mut self.changes {
            if let Some(into) = into.get(&row.hotel) {
                merging::rename(change, into);
            }
        }
        Ok(())
    }

    /// After what stays say by now was written down.
    pub(super) async fn merge(&self, tx: &Tx, told: &[(InboxRow, Gone)]) -> Result<Vec<NewIntent>, StoreError> {
        let mut intents = Vec::new();
        for (row, gone) in told {
            let Some(from) = row.subject.parse().ok().as_ref().and_then(key_of) else { continue };
            let asked = merges::successors(tx, self.portal, &from).await?;
            let keys: Vec<ProfileKey> = asked.into_iter().map(|number| (from.0, number)).collect();
            let further = merges::of(tx, self.portal, keys.iter()).await?;
            let last = |key: ProfileKey| further.get(&key).map_or(key.1, |merge| merge.successor.clone());
            let mut successors: BTreeSet<ProfileNumber> = keys.into_iter().map(last).collect();
            successors.remove(&from.1);
            let subjects: Vec<String> = successors.iter().map(|number| subject_of(&(from.0, number.clone()))).collect();
            let mut on_the_way = outbox::is_being_made(tx, self.portal, &row.subject).await?;
            for subject in &subjects {
                on_the_way |= outbox::is_being_made(tx, self.portal, subject).await?;
            }
            if on_the_way {
                inbox::leave(tx, self.portal, row.id, self.now + WAIT_MS).await?;
                continue;
            }
            merges::let_be(tx, self.portal, from.0, std::slice::from_ref(&from.1)).await?;
            if !merges::of(tx, self.portal, std::iter::once(&from)).await?.is_empty() {
                continue;
            }
            let naming = stays::naming(tx, self.portal, std::slice::from_ref(&from)).await?;
            let left = naming.iter().any(|(_, stay, _, role)| *role == Role::Guest && !gone.missing.contains(stay));
            match merging::fate(&successors, left) {
                Fate::MergedInto(successor) => intents.extend(self.merge_one(tx, row, from, successor).await?),
                Fate::Unclear => self.hint_vanished(tx, &row.subject, &subjects).await?,
                Fate::Nothing => {}
            }
        }
        Ok(intents)
    }

    async fn merge_one(
        &self,
        tx: &Tx,
        row: &InboxRow,
        from: ProfileKey,
        successor: ProfileNumber,
    ) -> Result<Vec<NewIntent>, StoreError> {
        let into = (from.0, successor);
        let people = profiles::load(tx, self.portal, self.key, &[from.clone(), into.clone()]).await?;
        let (Some(gone), Some(heir)) = (people.get(&from), people.get(&into)) else { return Ok(Vec::new()) };
        let (one, other) = (subject_of(&from), subject_of(&into));
        let linked = standing(tx, self.portal, &[one.clone(), other.clone()]).await?;
        if !merging::may_be_one(&gone.facts, &heir.facts) || apart(tx, self.portal, (&one, &other), &linked).await? {
            return Ok(Vec::new());
        }
        let left = self.merge_records(tx, &from, (&one, &other), &linked).await?;
        let merge = MergeRow {
            hotel: from.0,
            profile: from.1.clone(),
            successor: into.1.clone(),
            inbox_id: row.id,
            left,
            merged_at: self.now,
        };
        merges::add(tx, self.portal, &merge).await?;
        profiles::expect_news(tx, self.portal, &from).await?;
        let moved = self.move_stays(tx, &from, &into).await?;
        let entity = linked.values().next().map_or(CrmEntity::Contact, |link| link.entity);
        let mut intents: Vec<NewIntent> = [one, other].iter().map(|of| look_at(entity, of, self.now)).collect();
        intents.extend(moved.iter().map(|stay| look_at(CrmEntity::Deal, stay, self.now)));
        Ok(intents)
    }

    /// From now on both stand for one record; answers the one that is left over.
    async fn merge_records(
        &self,
        tx: &Tx,
        from: &ProfileKey,
        (one, other): (&str, &str),
        linked: &HashMap<String, LinkRow>,
    ) -> Result<Option<(CrmEntity, i64)>, StoreError> {
        problems::over(tx, self.portal, one, DELETED).await?;
        match (linked.get(one), linked.get(other)) {
            // Nobody is made for the successor: it has his.
            (Some(own), None) => {
                let link = LinkRow { subject: other.to_owned(), ..own.clone() };
                links::put(tx, self.portal, &link, self.now).await?;
                problems::over(tx, self.portal, other, DELETED).await?;
                Ok(None)
            }
            (Some(own), Some(heir)) if (own.entity, own.crm_id) != (heir.entity, heir.crm_id) => {
                self.leave_record(tx, from, own, heir).await?;
                Ok(Some((own.entity, own.crm_id)))
            }
            (Some(_), Some(_)) => Ok(None),
            (None, Some(heir)) => {
                let link = LinkRow { subject: one.to_owned(), marked: false, ..heir.clone() };
                links::put(tx, self.portal, &link, self.now).await?;
                Ok(None)
            }
            (None, None) => Ok(links::end(tx, self.portal, &[one.to_owned()]).await.map(|()| None)?),
        }
    }

    /// Whoever was merged into him before goes along.
    async fn leave_record(&self, tx: &Tx, from: &ProfileKey, own: &LinkRow, heir: &LinkRow) -> Result<(), StoreError> {
        let before = merges::into(tx, self.portal, std::iter::once(from)).await?;
        let all = before.into_iter().map(|merge| (merge.hotel, merge.profile)).chain([from.clone()]);
        let mine = links::of_records(tx, self.portal, own.entity, &[own.crm_id]).await?;
        for key in all {
            let subject = subject_of(&key);
            if mine.iter().all(|link| link.subject != subject) {
                continue;
            }
            let link = LinkRow { subject: subject.clone(), marked: false, ..heir.clone() };
            links::put(tx, self.portal, &link, self.now).await?;
            self.take_off(tx, &key, (own.entity, own.crm_id)).await?;
        }
        if own.origin != Origin::Adopted {
            links::inherited(tx, self.portal, own.entity, own.crm_id, own.origin).await?;
        }
        let hint =
            NewHint { subject: own.subject.clone(), entity: own.entity, crm_ids: vec![own.crm_id], reason: MERGED };
        merge_hints::raise(tx, self.portal, vec![hint], self.now).await
    }

    /// The record is to lose his number and mark.
    async fn take_off(&self, tx: &Tx, key: &ProfileKey, (entity, crm_id): (CrmEntity, i64)) -> Result<(), StoreError> {
        let Some(hotel) = hotels::by_id(tx, self.portal, key.0).await? else { return Ok(()) };
        let split = SplitRow {
            subject: subject_of(key),
            entity,
            crm_id,
            mark: format!("{}:{}", hotel.code, key.1),
            there: true,
            here: true,
            asked_by: splits::PMS,
            asked_at: self.now,
        };
        problems::over(tx, self.portal, &split.subject, DUPLICATE_MARK).await?;
        splits::add(tx, self.portal, &split, &[]).await
    }

    /// Answers the stays that name the successor instead of him.
    async fn move_stays(&self, tx: &Tx, from: &ProfileKey, into: &ProfileKey) -> Result<Vec<String>, StoreError> {
        let naming = stays::naming(tx, self.portal, std::slice::from_ref(from)).await?;
        let keys: Vec<(HotelId, StayNumber)> = naming.into_iter().map(|(hotel, stay, ..)| (hotel, stay)).collect();
        let mut rows: Vec<StayRow> = stays::load(tx, self.portal, self.key, &keys).await?.into_values().collect();
        let rename = HashMap::from([(from.1.clone(), into.1.clone())]);
        rows.iter_mut().for_each(|stay| merging::rename_in(&mut stay.facts, &rename));
        stays::save(tx, self.portal, self.key, &rows).await?;
        Ok(rows.iter().map(|stay| Subject::Stay(stay.hotel, stay.facts.number.clone()).to_string()).collect())
    }

    /// His record may be one with those of whoever took his stays: people know.
    async fn hint_vanished(&self, tx: &Tx, subject: &str, successors: &[String]) -> Result<(), StoreError> {
        let all: Vec<String> = successors.iter().cloned().chain([subject.to_owned()]).collect();
        let linked = standing(tx, self.portal, &all).await?;
        let Some(own) = linked.get(subject) else { return Ok(()) };
        let mut alike = BTreeSet::new();
        for other in successors {
            let record = linked.get(other).filter(|link| link.entity == own.entity && link.crm_id != own.crm_id);
            if let Some(link) = record
                && !apart(tx, self.portal, (subject, other), &linked).await?
            {
                alike.insert(link.crm_id);
            }
        }
        if alike.is_empty() {
            return Ok(());
        }
        let crm_ids = alike.into_iter().collect();
        let hint = NewHint { subject: subject.to_owned(), entity: own.entity, crm_ids, reason: VANISHED };
        merge_hints::raise(tx, self.portal, vec![hint], self.now).await
    }

    /// The PMS has him again, or somebody under his number. He gets back the record that was his; where people made it one
    /// with his successor's meanwhile, they are one.
    async fn come_back(&self, tx: &Tx, merge: &MergeRow, seen: &Profile) -> Result<Vec<NewIntent>, StoreError> {
        let key = (merge.hotel, merge.profile.clone());
        let subject = subject_of(&key);
        merges::end(tx, self.portal, &key).await?;
        let held = profiles::load(tx, self.portal, self.key, std::slice::from_ref(&key)).await?.remove(&key);
        let himself = held.is_some_and(|held| identity::of_profiles(&held.facts, seen) != identity::Likeness::Other);
        let own = links::of_subjects(tx, self.portal, std::slice::from_ref(&subject)).await?.remove(&subject);
        let mut free = None;
        if let Some((entity, id)) = merge.left.filter(|_| himself) {
            let gone = crm_records::deleted_among(tx, self.portal, entity, &[id]).await?.contains(&id);
            let taken = !links::of_records(tx, self.portal, entity, &[id]).await?.is_empty();
            let not_his = merge_hints::apart(tx, self.portal, std::slice::from_ref(&subject)).await?;
            if gone {
                return Ok(Vec::new());
            }
            let not_his = not_his.get(&subject).is_some_and(|ids| ids.contains(&id));
            free = (!taken && !not_his).then_some((entity, id));
        }
        let mut intents = Vec::new();
        if let Some(own) = &own {
            links::end(tx, self.portal, std::slice::from_ref(&subject)).await?;
            self.take_off(tx, &key, (own.entity, own.crm_id)).await?;
            let behind = links::of_records(tx, self.portal, own.entity, &[own.crm_id]).await?;
            intents.extend(behind.iter().map(|link| look_at(own.entity, &link.subject, self.now)));
        }
        if let Some((entity, crm_id)) = free {
            let link = LinkRow { subject: subject.clone(), entity, crm_id, origin: Origin::Recovered, marked: false };
            links::add(tx, self.portal, std::slice::from_ref(&link), self.now).await?;
            splits::joined(tx, self.portal, std::slice::from_ref(&link)).await?;
            let one = HashMap::from([(subject.clone(), crm_id)]);
            merge_hints::joined(tx, self.portal, &one).await?;
            intents.push(look_at(entity, &subject, self.now));
        }
        Ok(intents)
    }
}
