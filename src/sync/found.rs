//! Who a person is among the portal's records (product §2.8).

use std::collections::{BTreeSet, HashMap};

use super::error::SyncError;
use super::lanes::Delivery;
use super::people::{hash_of, name_read};
use super::plan::Due;
use crate::domain::fact::GuestTotals;
use crate::domain::matching::{Candidate, Match, choose};
use crate::domain::{CrmEntity, Fields};
use crate::store::crm_index::{self, IndexKind, IndexRow};
use crate::store::links::Origin;
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
    New(Vec<i64>),
}

/// What the index knows of a batch of people.
pub(super) struct Found(HashMap<(CrmEntity, IndexKind, String), Vec<IndexRow>>);

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
        Ok(Self(found))
    }

    fn rows(&self, entity: CrmEntity, kind: IndexKind, hash: &str) -> &[IndexRow] {
        self.0.get(&(entity, kind, hash.to_owned())).map(Vec::as_slice).unwrap_or_default()
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
        for (kind, hash) in &person.comms {
            for row in self.rows(person.entity, *kind, hash) {
                if candidates.iter().all(|held| held.crm_id != row.crm_id) {
                    candidates.push(Candidate { crm_id: row.crm_id, name: name_read(&row.name) });
                }
            }
        }
        match choose(&person.name, &candidates) {
            Match::Adopt(id) => Verdict::Is(id, Origin::Adopted),
            Match::Nobody => Verdict::New(Vec::new()),
            Match::Doubtful(ids) => Verdict::New(ids),
        }
    }
}
