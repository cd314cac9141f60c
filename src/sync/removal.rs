//! A demo hotel goes with its records (product §4): only those that we surely made, that nobody else stands for, and that
//! no person has edited. Each is read again before it is deleted; the rest is listed among the problems.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::decide::{RANK_DEAL, RANK_REREAD};
use super::error::SyncError;
use super::lanes::Delivery;
use super::plan::{Due, Plan, Planned};
use super::plan_deals::LOOK_AGAIN_MS;
use super::plan_people::planned;
use crate::bitrix::Priority;
use crate::domain::{CrmEntity, Fields, HotelId, Subject};
use crate::store::crm_records::{self, RecordRow};
use crate::store::hotels::HotelRow;
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::{self, Intent, NewIntent};
use crate::store::problems::{self, NewProblem};
use crate::store::{StoreError, Tx, crm_index, purge};

const KEPT: &str = "demo.kept";

/// In the transaction that removes the hotel: what stands for it is looked at anew, and what it told is forgotten. The
/// deliveries that follow find no hotel behind their rows, so what they desire is no record.
pub async fn begin(tx: &Tx, hotel: &HotelRow, now: i64) -> Result<(), StoreError> {
    purge::told_by(tx, hotel.portal, hotel.id).await?;
    outbox::anew(tx, hotel.portal, hotel.id).await?;
    let intents = links::of_hotel(tx, hotel.portal, hotel.id).await?.into_iter().map(|link| NewIntent {
        subject: link.subject,
        intent: Intent::Sync,
        priority: super::lane(Priority::Reconciliation),
        // Deals before those whom they name.
        rank: if link.entity == CrmEntity::Deal { RANK_REREAD } else { RANK_DEAL },
        not_before: 0,
        seen_at: now,
    });
    outbox::add(tx, hotel.portal, intents.collect()).await
}

/// A demo hotel comes back under its code: nothing that was planned when it went is carried out any more.
pub async fn undo(tx: &Tx, hotel: &HotelRow) -> Result<(), StoreError> {
    purge::told_by(tx, hotel.portal, hotel.id).await?;
    outbox::anew(tx, hotel.portal, hotel.id).await
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Not there any more.
    Gone,
    /// It stays, and why.
    Kept(&'static str),
    /// It must be read first.
    Look,
    Deleted,
}

fn fate(origin: Origin, shared: bool, record: Option<&RecordRow>, fresh: bool) -> Fate {
    match record {
        Some(record) if record.deleted => Fate::Gone,
        _ if origin != Origin::Created => Fate::Kept("not_made"),
        _ if shared => Fate::Kept("shared"),
        Some(record) if record.edited => Fate::Kept("edited"),
        Some(_) if fresh => Fate::Deleted,
        _ => Fate::Look,
    }
}

impl Delivery {
    pub(super) async fn plan_removals(&self, plan: &mut Plan, due: Vec<Due>) -> Result<(), SyncError> {
        let subjects: Vec<String> = due.iter().map(|due| due.row.subject.clone()).collect();
        let linked = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let (mut records, mut behind) = (HashMap::new(), HashMap::<_, Vec<LinkRow>>::new());
        for entity in CrmEntity::ALL {
            let of = linked.values().filter(|link| link.entity == entity);
            let ids: Vec<i64> = of.map(|link| link.crm_id).collect();
            let held = crm_records::load(self.db(), self.portal, &self.key, entity, &ids).await?;
            records.extend(held.into_iter().map(|(id, row)| ((entity, id), row)));
            for link in links::of_records(self.db(), self.portal, entity, &ids).await? {
                behind.entry((entity, link.crm_id)).or_default().push(link);
            }
        }
        let mut waits: HashMap<HotelId, bool> = HashMap::new();
        let mut taken = HashSet::new();
        for due in due {
            let (Some(link), Some(hotel)) = (linked.get(&due.row.subject), due.subject.hotel()) else {
                plan.dropped.push(due.pair());
                continue;
            };
            if link.entity != CrmEntity::Deal && !waits.contains_key(&hotel) {
                waits.insert(hotel, outbox::has_deals(self.db(), self.portal, hotel).await?);
            }
            let record = (link.entity, link.crm_id);
            let (flying, held) = {
                let lanes = self.lanes();
                (lanes.flight.records.contains(&record), lanes.open.contains(&record))
            };
            // A deal that loses its guest would look edited.
            let early = link.entity != CrmEntity::Deal && waits.get(&hotel) == Some(&true);
            if early || (held && !flying) {
                plan.later.push((due.row.id, self.now() + LOOK_AGAIN_MS));
            } else if flying || !taken.insert(record) {
                self.lanes().waiting.insert(due.row.id);
            } else {
                let shared = behind.get(&record).is_some_and(|links| links.iter().any(|link| !self.leaves(link)));
                self.plan_removal(plan, &due, link, shared, records.get(&record));
            }
        }
        Ok(())
    }

    fn leaves(&self, link: &LinkRow) -> bool {
        let hotel = link.subject.parse::<Subject>().ok().and_then(|subject| subject.hotel());
        hotel.is_some_and(|hotel| self.ground.leaving.contains_key(&hotel))
    }

    fn plan_removal(&self, plan: &mut Plan, due: &Due, link: &LinkRow, shared: bool, record: Option<&RecordRow>) {
        let (entity, id) = (link.entity, link.crm_id);
        let fresh = self.fresh(entity, id).is_some();
        match fate(link.origin, shared, record, fresh) {
            Fate::Look => plan.read(entity, id, due),
            Fate::Deleted => {
                if let Some(record) = record {
                    plan.decided(due, record, record.clone());
                }
                let write = planned(due, entity, id, Fields::new(), Vec::new(), Fields::new(), String::new());
                plan.writes.push(Planned { deletes: true, ..write });
            }
            gone_or_kept => {
                if let Fate::Kept(why) = gone_or_kept {
                    plan.problems.push(NewProblem {
                        hotel: due.subject.hotel(),
                        subject: due.row.subject.clone(),
                        cause: KEPT.to_owned(),
                        kind: "doubtful",
                        params: json!({"entity": entity.word(), "id": id, "why": why}),
                    });
                }
                plan.unlinked.push(due.row.subject.clone());
                plan.dropped.push(due.pair());
            }
        }
    }

    /// The portal deleted these records: nothing is known of them any more.
    pub(super) async fn confirm_removed(&self, tx: &Tx, removed: &[(&Planned, i64)]) -> Result<(), SyncError> {
        if removed.is_empty() {
            return Ok(());
        }
        for entity in CrmEntity::ALL {
            let of = removed.iter().filter(|(write, _)| write.entity == entity);
            let ids: Vec<i64> = of.map(|(_, id)| *id).collect();
            links::forget(tx, self.portal, entity, &ids).await?;
            crm_records::forget(tx, self.portal, entity, &ids).await?;
            crm_index::remove(tx, self.portal, entity, &ids).await?;
        }
        let rows: Vec<(i64, i64)> = removed.iter().map(|(write, _)| (write.row, write.seq)).collect();
        outbox::done(tx, self.portal, self.lease.fence(), &rows).await?;
        let subjects: Vec<String> = removed.iter().map(|(write, _)| write.subject.to_string()).collect();
        problems::settle(tx, self.portal, &subjects).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_only_what_we_made_and_nobody_touched_is_deleted_and_only_just_after_a_look() {
        let held = RecordRow::new(CrmEntity::Deal, 7, Fields::new(), 1);
        let edited = RecordRow { edited: true, ..held.clone() };
        let gone = RecordRow { deleted: true, edited: true, ..held.clone() };
        for (origin, shared, record, fresh, expected) in [
            (Origin::Created, false, Some(&held), true, Fate::Deleted),
            (Origin::Created, false, Some(&held), false, Fate::Look),
            (Origin::Created, false, None, true, Fate::Look),
            (Origin::Created, false, Some(&edited), true, Fate::Kept("edited")),
            (Origin::Created, true, Some(&held), true, Fate::Kept("shared")),
            (Origin::Adopted, false, Some(&held), true, Fate::Kept("not_made")),
            (Origin::Recovered, false, Some(&held), true, Fate::Kept("not_made")),
            (Origin::Created, true, Some(&gone), false, Fate::Gone),
        ] {
            assert_eq!(fate(origin, shared, record, fresh), expected, "{origin:?} {shared} {record:?} {fresh}");
        }
    }
}
