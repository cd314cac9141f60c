//! Who a person is among the portal's records (product §2.8).

use std::collections::{BTreeSet, HashMap};

use super::error::SyncError;
use super::lanes::Delivery;
use super::people::{hash_of, name_read};
use super::plan::Due;
use crate::domain::matching::{Candidate, Doubt, Match, choose};
use crate::domain::{CrmEntity, Fields, GuestTotals};
use crate::store::crm_index::{self, IndexKind, IndexRow};
use crate::store::links::{self, Origin};
use crate::store::merge_hints;
use crate::store::profiles::ProfileRow;
use crate::store::splits::{self, Apart};

/// Somebody without a record, or whose record is gone.
pub(super) struct NewPerson {
    pub due: Due,
    pub row: ProfileRow,
    pub sum: GuestTotals,
    pub entity: CrmEntity,
    pub mark: String,
    pub fields: Fields,
    pub comms: Vec<(IndexKind, String)>,
    pub name: BTreeSet<String>,
}

pub(super) enum Verdict {
    Is(i64, Origin),
    Twice(Vec<i64>),
    /// With those who look alike.
    New(Option<(Vec<i64>, Doubt)>),
}

/// What the index knows of a batch of people.
pub(super) struct Found {
    rows: HashMap<(CrmEntity, IndexKind, String), Vec<IndexRow>>,
    /// By subject: who is somebody else, as a person said.
    apart: HashMap<String, BTreeSet<i64>>,
    /// By subject: from whom people took him.
    splits: HashMap<String, Apart>,
    /// Who stands for what was found, where somebody was taken from somebody.
    behind: HashMap<(CrmEntity, i64), Vec<String>>,
}

impl Found {
    pub async fn load(delivery: &Delivery, people: &[NewPerson]) -> Result<Self, SyncError> {
        let mut wanted: HashMap<(CrmEntity, IndexKind), BTreeSet<String>> = HashMap::new();
        for person in people {
            for kind in [IndexKind::Mark, IndexKind::Profile] {
                let hash = hash_of(&delivery.key, kind, &person.mark);
                wanted.entry((person.entity, kind)).or_default().insert(hash);
            }
            for (kind, hash) in &person.comms {
                wanted.entry((person.entity, *kind)).or_default().insert(hash.clone());
            }
        }
        let mut found: HashMap<_, Vec<IndexRow>> = HashMap::new();
        for ((entity, kind), hashes) in wanted {
            let hashes: Vec<String> = hashes.into_iter().collect();
            for row in crm_index::find(delivery.db(), delivery.portal, entity, kind, &hashes).await? {
                found.entry((entity, kind, row.hash.clone())).or_default().push(row);
            }
        }
        let subjects: Vec<String> = people.iter().map(|person| person.due.row.subject.clone()).collect();
        let apart = merge_hints::apart(delivery.db(), delivery.portal, &subjects).await?;
        let splits = splits::of_subjects(delivery.db(), delivery.portal, &subjects).await?;
        let mut behind: HashMap<_, Vec<String>> = HashMap::new();
        for entity in [CrmEntity::Contact, CrmEntity::Company].into_iter().filter(|_| !splits.is_empty()) {
            let of = found.values().flatten().filter(|row| row.entity == entity);
            let ids: BTreeSet<i64> = of.map(|row| row.crm_id).collect();
            let ids: Vec<i64> = ids.into_iter().collect();
            for link in links::of_records(delivery.db(), delivery.portal, entity, &ids).await? {
                behind.entry((entity, link.crm_id)).or_default().push(link.subject);
            }
        }
        Ok(Self { rows: found, apart, splits, behind })
    }

    fn rows(&self, entity: CrmEntity, kind: IndexKind, hash: &str) -> &[IndexRow] {
        self.rows.get(&(entity, kind, hash.to_owned())).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a record is somebody else's, as a person said.
    fn is_anothers(&self, person: &NewPerson, crm_id: i64) -> bool {
        let subject = &person.due.row.subject;
        let split = self.splits.get(subject).is_some_and(|apart| {
            let behind = self.behind.get(&(person.entity, crm_id)).into_iter().flatten();
            apart.of(person.entity, crm_id).is_some() || behind.into_iter().any(|other| apart.people.contains(other))
        });
        split || self.apart.get(subject).is_some_and(|apart| apart.contains(&crm_id))
    }

    /// Whether his mark there tells nothing: it is a record that he was taken off. Of one whose own record is `lost` since,
    /// a mark that we had taken away there and that is back is people's doing: they merged both.
    fn is_old_mark(&self, person: &NewPerson, crm_id: i64, lost: bool) -> bool {
        let split = self.splits.get(&person.due.row.subject);
        match split.and_then(|apart| apart.of(person.entity, crm_id)) {
            Some(row) => !lost || !row.mark.is_empty(),
            None => !lost && split.is_some() && self.is_anothers(person, crm_id),
        }
    }

    /// Mark, then `FB24_PROFILE`, then phone or e-mail with a compatible name; what people told apart comes before all of
    /// them. `lost`: he had a record of his own, and it is gone.
    pub fn of(&self, delivery: &Delivery, person: &NewPerson, lost: bool) -> Verdict {
        for kind in [IndexKind::Mark, IndexKind::Profile] {
            let rows = self.rows(person.entity, kind, &hash_of(&delivery.key, kind, &person.mark));
            let rows: Vec<&IndexRow> = rows.iter().filter(|row| !self.is_old_mark(person, row.crm_id, lost)).collect();
            match rows.as_slice() {
                [] => {}
                [one] => return Verdict::Is(one.crm_id, Origin::Recovered),
                several => return Verdict::Twice(several.iter().map(|row| row.crm_id).collect()),
            }
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        for (kind, hash) in &person.comms {
            for row in self.rows(person.entity, *kind, hash) {
                if !self.is_anothers(person, row.crm_id) && candidates.iter().all(|held| held.crm_id != row.crm_id) {
                    candidates.push(Candidate { crm_id: row.crm_id, name: name_read(&row.name) });
                }
            }
        }
        match choose(&person.name, &candidates) {
            Match::Adopt(id) => Verdict::Is(id, Origin::Adopted),
            Match::Nobody => Verdict::New(None),
            Match::Doubtful(ids, why) => Verdict::New(Some((ids, why))),
        }
    }
}
