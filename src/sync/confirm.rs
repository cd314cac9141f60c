//! What the portal confirmed, in one transaction: links, records, index, provenance; and whoever waited for it.

use std::collections::HashMap;

use super::decide::RANK_DEAL;
use super::error::SyncError;
use super::lanes::Delivery;
use super::lost::found_again;
use super::notes;
use super::plan::Planned;
use super::plan_groups::EMPTY;
use super::reread::look_at;
use crate::domain::change_set::{ours, tried};
use crate::domain::{CrmEntity, CrmValue, Fields, GroupNumber, HotelId, ProfileNumber, Subject};
use crate::store::crm_records::{self, RecordRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::merges;
use crate::store::outbox::{self, Intent, NewIntent};
use crate::store::provenance::{self, Trace};
use crate::store::{Tx, crm_index, groups, pins, problems, splits, stays};

impl Delivery {
    pub(super) async fn confirm(&self, tx: &Tx, done: &[(&Planned, i64)], now: i64) -> Result<(), SyncError> {
        if done.is_empty() {
            return Ok(());
        }
        let mut new_links = Vec::new();
        let mut indexed = Vec::new();
        let mut records: Vec<RecordRow> = Vec::new();
        let mut held: HashMap<(CrmEntity, i64), RecordRow> = HashMap::new();
        for entity in CrmEntity::ALL {
            let ids: Vec<i64> = done.iter().filter(|(write, _)| write.entity == entity).map(|(_, id)| *id).collect();
            for (id, row) in crm_records::load(tx, self.portal, &self.key, entity, &ids).await? {
                held.insert((entity, id), row);
            }
        }
        let (mut settled, mut to_tell, mut traces) = (Vec::new(), Vec::new(), Vec::new());
        let mut finished = Vec::new();
        let (mut again, mut peace, mut pinned) = (Vec::new(), Vec::new(), Vec::new());
        for (write, id) in done {
            if write.target == 0 {
                new_links.push(LinkRow {
                    subject: write.subject.to_string(),
                    entity: write.entity,
                    crm_id: *id,
                    origin: Origin::Created,
                    marked: true,
                });
            }
            let mut row = held
                .remove(&(write.entity, *id))
                .unwrap_or_else(|| RecordRow::new(write.entity, *id, Fields::new(), now));
            let proven = self.proven(write);
            row.edits.settle(proven.keys());
            row.fields.extend(proven.clone());
            let doubtful = write.comms.iter().filter(|(name, _)| !proven.contains_key(name));
            let written = doubtful.filter_map(|(name, _)| Some((tried(name), write.after.get(name)?.clone())));
            row.fields.extend(written);
            row.synced_at = now;
            // The portal stamped it anew: with what, the next look tells.
            row.updated_time.clear();
            let quarrel = row.putbacks.quarrels();
            row.putbacks.settle(&proven, &row.fields);
            if quarrel && !row.putbacks.quarrels() {
                peace.push((write.entity, *id));
            }
            if write.target == 0
                || proven.keys().any(|name| {
                    matches!(
                        name.as_str(),
                        "PHONE"
                            | "EMAIL"
                            | "originId"
                            | "UF_CRM_FB24_PROFILE"
                            | "UF_CRM_FB24_RESERVATION"
                            | "lastName"
                            | "name"
                            | "title"
                    )
                })
            {
                indexed.push((write.entity, *id, self.index_rows(write.entity, *id, &row.fields)));
            }
            if !row.putbacks.owed().is_empty() {
                to_tell.push(notes::intent(row.entity, row.crm_id, now));
            }
            records.push(row);
            traces.push((write.subject.to_string(), trace(write, *id, now)));
            pinned.extend(write.pins.iter().filter(|(_, field)| proven.contains_key(field)).cloned());
            self.stale(write.entity, *id);
            settled.push(write.subject.to_string());
            if proven.len() == write.after.len() {
                finished.push((write.row, write.seq));
            } else {
                again.push(write.row);
            }
        }
        for (write, id) in done.iter().filter(|(write, _)| write.target != 0 && write.entity == CrmEntity::Deal) {
            let parts = |name| write.after.get(name) == Some(&CrmValue::Empty);
            if parts("UF_CRM_FB24_RESERVATION") || parts("originId") {
                links::cleaned(tx, self.portal, write.entity, &write.subject.to_string(), *id).await?;
            }
        }
        links::add(tx, self.portal, &new_links, now).await?;
        found_again(tx, self.portal, &new_links).await?;
        crm_records::save(tx, self.portal, &self.key, &records).await?;
        self.parted(tx, records.iter().map(|row| (row.entity, row.crm_id, &row.fields))).await?;
        provenance::note(tx, self.portal, &self.key, traces, now).await?;
        pins::written(tx, self.portal, &pinned).await?;
        for entity in CrmEntity::ALL {
            let of = indexed.iter().filter(|(of, ..)| *of == entity);
            let ids: Vec<i64> = of.map(|(_, id, _)| *id).collect();
            crm_index::remove(tx, self.portal, entity, &ids).await?;
        }
        let rows: Vec<_> = indexed.into_iter().flat_map(|(_, _, rows)| rows).collect();
        crm_index::add(tx, self.portal, &rows).await?;
        let late = self.latecomers(tx, done).await?;
        finished.retain(|(row, _)| !late.contains(row));
        again.extend(late);
        let fence = self.lease.fence();
        outbox::wait_again(tx, self.portal, fence, &again, 0).await?;
        outbox::done(tx, self.portal, fence, &finished).await?;
        self.tell_deals(tx, &new_links, now).await?;
        outbox::add(tx, self.portal, to_tell).await?;
        problems::settle(tx, self.portal, &settled).await?;
        problems::over_all(tx, self.portal, &settled, EMPTY).await?;
        self.make_peace(tx, &peace).await
    }

    /// What a confirmed write proves: of phones and e-mails nothing while it is not known which way changes them
    /// (facts §7.3): they are read back.
    fn proven(&self, write: &Planned) -> Fields {
        let comms = write.target != 0 && !write.comms.is_empty();
        if !comms || !self.lanes().phones.doubtful(&write.subject.to_string()) {
            return write.after.clone();
        }
        let doubtful: Vec<String> = write.comms.iter().flat_map(|(name, _)| [name.clone(), ours(name)]).collect();
        write.after.iter().filter(|(name, _)| !doubtful.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    /// Deals whose guests got their records while the deal was under way: they are looked at once more.
    async fn latecomers(&self, tx: &Tx, done: &[(&Planned, i64)]) -> Result<Vec<i64>, SyncError> {
        let subjects: Vec<String> = done
            .iter()
            .flat_map(|(write, _)| write.named.iter())
            .filter(|(_, id)| id.is_none())
            .map(|(subject, _)| subject.clone())
            .collect();
        let linked = links::of_subjects(tx, self.portal, &subjects).await?;
        Ok(done
            .iter()
            .filter(|(write, _)| write.named.iter().any(|(subject, id)| id.is_none() && linked.contains_key(subject)))
            .map(|(write, _)| write.row)
            .collect())
    }

    /// New records of guests, companies and groups: deals that name them and stand already want to be linked; who was taken
    /// off another record has it told.
    pub(super) async fn tell_deals(&self, tx: &Tx, new: &[LinkRow], now: i64) -> Result<(), SyncError> {
        let people: Vec<(HotelId, ProfileNumber)> = new
            .iter()
            .filter_map(|link| match link.subject.parse() {
                Ok(Subject::Profile(hotel, number)) => Some((hotel, number)),
                _ => None,
            })
            .collect();
        // Who was merged into these stands for their records.
        let merged = merges::into(tx, self.portal, people.iter()).await?.into_iter();
        let merged = merged.map(|merge| {
            (Subject::Profile(merge.hotel, merge.successor), Subject::Profile(merge.hotel, merge.profile))
        });
        let merged: Vec<NewIntent> = merged
            .filter_map(|(into, from)| {
                let link = new.iter().find(|link| link.subject == into.to_string())?;
                Some(look_at(link.entity, &from.to_string(), now))
            })
            .collect();
        outbox::add(tx, self.portal, merged).await?;
        let mut stays: Vec<String> = stays::naming(tx, self.portal, &people)
            .await?
            .into_iter()
            .map(|(hotel, stay, ..)| Subject::Stay(hotel, stay).to_string())
            .collect();
        let groups: Vec<(HotelId, GroupNumber)> = new
            .iter()
            .filter_map(|link| match link.subject.parse() {
                Ok(Subject::Group(hotel, number)) => Some((hotel, number)),
                _ => None,
            })
            .collect();
        let members = groups::members(tx, self.portal, &groups).await?;
        stays.extend(members.into_iter().map(|(hotel, stay)| Subject::Stay(hotel, stay).to_string()));
        stays.sort();
        stays.dedup();
        let deals = links::of_subjects(tx, self.portal, &stays).await?;
        let subjects: Vec<String> = new.iter().map(|link| link.subject.clone()).collect();
        let apart = splits::of_subjects(tx, self.portal, &subjects).await?;
        let owed = |link: &&LinkRow| apart.get(&link.subject).is_some_and(|of| of.records.iter().any(|row| row.here));
        let notes = new.iter().filter(owed).map(|link| notes::intent(link.entity, link.crm_id, now));
        let intents = stays
            .into_iter()
            .filter(|subject| deals.contains_key(subject))
            .map(|subject| NewIntent {
                subject,
                intent: Intent::Sync,
                priority: super::lane(crate::bitrix::Priority::Live),
                rank: RANK_DEAL,
                not_before: 0,
                seen_at: now,
            })
            .chain(notes)
            .collect();
        outbox::add(tx, self.portal, intents).await?;
        Ok(())
    }
}

/// What a confirmed write put where.
fn trace(write: &Planned, record: i64, at: i64) -> Trace {
    let put = |name: &String| {
        let (value, before) = (write.after.get(name)?.clone(), write.before.get(name).cloned());
        let (told, call) = (write.told(name), write.call(name));
        let version = write.version;
        Some((name.clone(), provenance::Written { value, record, version, at, before, told, call }))
    };
    write.names().filter_map(put).collect()
}
