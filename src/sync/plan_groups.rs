//! Groups and parties that have deals of their own: all of a group's stays as one, planned by the code that plans stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;

use super::error::SyncError;
use super::lanes::Delivery;
use super::plan::{Due, Plan};
use crate::crypto::TenantKey;
use crate::domain::{GroupNumber, HotelId, Mapping, PortalId, Stay, Subject, group};
use crate::store::hotels::HotelRow;
use crate::store::links::LinkRow;
use crate::store::mappings::Active;
use crate::store::problems::NewProblem;
use crate::store::stays::StayRow;
use crate::store::{StoreError, Tx, groups};

/// Nobody comes for a group that has a deal.
pub(super) const EMPTY: &str = "group.empty";

/// Of groups that have deals, those whose deals are written no more: nobody comes, groups have none by now, or the hotel
/// was removed. What stands in them stays.
pub(super) async fn silent(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    hotel: &HotelRow,
    mapping: &Mapping,
    deals: &HashMap<String, LinkRow>,
) -> Result<BTreeSet<i64>, StoreError> {
    let mut linked = BTreeMap::new();
    for (subject, link) in deals {
        if let Ok(Subject::Group(of, number)) = subject.parse() {
            linked.insert((of, number), link.crm_id);
        }
    }
    let keys: Vec<_> = linked.keys().cloned().collect();
    if let Some(mapping) = mapping.of_groups().filter(|_| hotel.removed_at.is_none()) {
        for ((of, number), stays) in groups::stays_of(tx, portal, key, &keys).await? {
            let carried = |stay: &Stay| mapping.carries(&hotel.code, stay);
            if group::together(&number, stays.iter().map(|stay| &stay.facts), carried).is_some() {
                linked.remove(&(of, number));
            }
        }
    }
    Ok(linked.into_values().collect())
}

impl Delivery {
    /// By which mapping the deal of a stay, or of a group, is written.
    pub(super) fn mapping_of(&self, subject: &Subject) -> Option<(&HotelRow, &Active)> {
        let hotel = subject.hotel()?;
        let mappings = match subject {
            Subject::Group(..) => &self.ground.groups,
            _ => &self.ground.mappings,
        };
        Some((self.ground.hotels.get(&hotel)?, mappings.get(&hotel)?))
    }

    /// What the carried stays of groups that are due add up to, by the group's subject.
    pub(super) async fn groups(&self, due: &[Due]) -> Result<HashMap<String, StayRow>, SyncError> {
        let wanted: Vec<(HotelId, GroupNumber)> = due
            .iter()
            .filter(|due| self.mapping_of(&due.subject).is_some())
            .filter_map(|due| match &due.subject {
                Subject::Group(hotel, number) => Some((*hotel, number.clone())),
                _ => None,
            })
            .collect();
        let mut found = HashMap::new();
        for ((hotel, number), stays) in groups::stays_of(self.db(), self.portal, &self.key, &wanted).await? {
            let subject = Subject::Group(hotel, number.clone());
            let Some((of, active)) = self.mapping_of(&subject) else { continue };
            let carried = |stay: &Stay| active.mapping.carries(&of.code, stay);
            let facts = group::together(&number, stays.iter().map(|stay| &stay.facts), carried);
            let Some(facts) = facts else { continue };
            let newest =
                stays.iter().filter(|stay| carried(&stay.facts)).max_by_key(|stay| (stay.received_at, stay.pms_time));
            let row = newest.map(|newest| StayRow { facts, hash: String::new(), ..newest.clone() });
            found.extend(row.map(|row| (subject.to_string(), row)));
        }
        Ok(found)
    }

    /// Nothing is to be written. A group that nobody comes for keeps the deal it has: people are told.
    pub(super) fn plan_nobody(&self, plan: &mut Plan, due: &Due, link: Option<&LinkRow>) {
        plan.dropped.push(due.pair());
        let (Subject::Group(..), Some(link)) = (&due.subject, link) else { return };
        if self.mapping_of(&due.subject).is_some() {
            plan.problems.push(NewProblem {
                hotel: due.subject.hotel(),
                subject: due.row.subject.clone(),
                cause: EMPTY.to_owned(),
                kind: "doubtful",
                params: json!({"entity": link.entity.word(), "id": link.crm_id}),
            });
        }
    }
}
