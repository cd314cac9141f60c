//! Who a person is among the portal's records (product §2.8).

use std::collections::{BTreeSet, HashMap};

use super::error::SyncError;
use super::lanes::Delivery;
use super::people::{hash_of, name_read};
use super::plan::Due;
use crate::domain::matching::{Candidate, Doubt, Match, choose};
use crate::domain::{CrmEntity, Fields, GuestTotals};
use crate::store::crm_index::{self, IndexKind, IndexRow};
use crate::store::links::Origin;
use crate::store::merge_hints;
use crate::store::profiles::ProfileRow;

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
        Ok(Self { rows: found, apart })
    }

    fn rows(&self, entity: CrmEntity, kind: IndexKind, hash: &str) -> &[IndexRow] {
        self.rows.get(&(entity, kind, hash.to_owned())).map(Vec::as_slice).unwrap_or_default()
    }

    /// Mark, then `FB24_PROFILE`, then phone or e-mail with a compatible name.
    pub fn of(&self, delivery: &Delivery, person: &NewPerson) -> Verdict {
        for kind in [IndexKind::Mark, IndexKind::Profile] {
            let rows = self.rows(person.entity, kind, &hash_of(&delivery.key, kind, &person.mark));
            match rows {
                [] => {}
                [one] => return Verdict::Is(one.crm_id, Origin::Recovered),
                several => return Verdict::Twice(several.iter().map(|row| row.crm_id).collect()),
            }
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        let apart = self.apart.get(&person.due.row.subject);
        for (kind, hash) in &person.comms {
            for row in self.rows(person.entity, *kind, hash) {
                let another = apart.is_some_and(|apart| apart.contains(&row.crm_id));
                if !another && candidates.iter().all(|held| held.crm_id != row.crm_id) {
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
