//! Reading records of the portal: what they hold now, who closed them, whether they are still there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::attach::refusal;
use super::decide::{RANK_COMPANY, RANK_CONTACT, RANK_DEAL, RANK_REREAD};
use super::error::SyncError;
use super::lanes::Delivery;
use super::lost::DELETED;
use super::merged::{Merged, merge};
use super::owned::hotels_of;
use super::pins;
use crate::bitrix::crm::{item_find, items_of};
use crate::bitrix::{Answer, COMMANDS, Call, Error, PAGE, Priority, multifield};
use crate::domain::crm::{Kind, kind_of, read_id, read_item};
use crate::domain::edits::Stance;
use crate::domain::{CrmEntity, CrmValue, Fields, Subject};
use crate::store::crm_records::{self, RecordRow};
use crate::store::outbox::{self, Intent, NewIntent};
use crate::store::problems::{self, NewProblem};
use crate::store::{Tx, crm_index, links, merge_hints};

/// Records one request can read.
pub(super) const READ_MOST: usize = COMMANDS * PAGE;

/// After so long a record is looked at again whose look was older than a write of ours.
const LOOK_AGAIN_MS: i64 = 1_000;

/// The cause of the problem of a field that is not put back any more.
pub(super) const PUTBACK_STOPPED: &str = "putback.stopped";

/// Fields of ours besides those the mapping names.
const ALWAYS: [(CrmEntity, &[&str]); 3] = [
    (
        CrmEntity::Deal,
        &[
            "title",
            "categoryId",
            "stageId",
            "currencyId",
            "isManualOpportunity",
            "contactIds",
            "companyId",
            "originatorId",
            "originId",
            "UF_CRM_FB24_HOTEL",
            "UF_CRM_FB24_RESERVATION",
            "UF_CRM_FB24_STATUS",
        ],
    ),
    (
        CrmEntity::Contact,
        &["name", "lastName", "secondName", "originatorId", "originId", "UF_CRM_FB24_PROFILE", "PHONE", "EMAIL"],
    ),
    (CrmEntity::Company, &["title", "originatorId", "originId", "UF_CRM_FB24_PROFILE", "PHONE", "EMAIL"]),
];

/// A record as an answer shows it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub entity: CrmEntity,
    pub id: i64,
    pub fields: Fields,
    pub closed: bool,
    pub updated_time: String,
    pub updated_by: i64,
    /// Somebody else wrote to it last than whoever made it.
    pub foreign: bool,
    pub stored: Vec<multifield::Stored>,
}

/// What records turned out to be otherwise than we knew, each with who stands behind it.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub differs: Vec<(i64, Vec<String>)>,
    /// Of these, where what is ours was changed.
    pub ours: Vec<(i64, Vec<String>)>,
    pub deleted: Vec<(i64, Vec<String>)>,
}

impl Delivery {
    /// Which fields of a record are compared.
    pub(super) fn tracked(&self, entity: CrmEntity) -> BTreeMap<String, Kind> {
        let always = ALWAYS.iter().filter(|(of, _)| *of == entity).flat_map(|(_, names)| names.iter());
        let mapped = self
            .ground
            .mappings
            .values()
            .flat_map(|active| active.mapping.all_rules(entity))
            .filter(|rule| rule.owner != crate::domain::mapping::Owner::Crm)
            .map(|rule| (rule.field.clone(), rule.kind()));
        let links = self.ground.mappings.values().filter_map(|active| active.mapping.group_link());
        let links = links.filter(|_| entity == CrmEntity::Deal).map(|field| (field.clone(), Kind::Text));
        mapped.chain(links).chain(always.map(|name| ((*name).to_owned(), kind_of(name)))).collect()
    }

    /// What to ask for: phones and e-mails come only with everything (facts §7.2).
    pub(super) fn select(&self, entity: CrmEntity) -> Vec<String> {
        let mut names: Vec<String> = vec!["id".into(), "updatedTime".into(), "updatedBy".into(), "createdBy".into()];
        if entity == CrmEntity::Deal {
            names.push("stageSemanticId".into());
        } else {
            names.push("*".into());
        }
        names.extend(self.tracked(entity).into_keys().filter(|name| name != "PHONE" && name != "EMAIL"));
        names
    }

    pub(super) fn see(&self, entity: CrmEntity, item: &Value, tracked: &BTreeMap<String, Kind>) -> Option<Seen> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let user = |name: &str| item.get(name).and_then(read_id);
        Some(Seen {
            entity,
            id: item.get("id").and_then(read_id)?,
            fields: read_item(item, tracked.iter().map(|(name, kind)| (name.as_str(), *kind))),
            closed: entity == CrmEntity::Deal && matches!(text("stageSemanticId").as_str(), "S" | "F"),
            updated_time: text("updatedTime"),
            updated_by: user("updatedBy").unwrap_or_default(),
            foreign: user("updatedBy").is_some_and(|user_id| user("createdBy").is_some_and(|maker| maker != user_id)),
            stored: item.as_object().map(multifield::stored).unwrap_or_default(),
        })
    }

    /// Reads records by id, at most [`READ_MOST`], and takes over what they hold.
    pub(super) async fn read(
        &self,
        priority: Priority,
        wanted: &BTreeMap<CrmEntity, BTreeSet<i64>>,
    ) -> Result<(), Error> {
        let asked_at = self.now();
        for (entity, seen, gone) in self.look_up(priority, wanted).await? {
            self.apply(entity, seen, &gone, asked_at).await.map_err(|error| Error::store(error.to_string()))?;
        }
        Ok(())
    }

    /// Reads records by id, at most [`READ_MOST`]; those that are not there are gone.
    pub(super) async fn look_up(
        &self,
        priority: Priority,
        wanted: &BTreeMap<CrmEntity, BTreeSet<i64>>,
    ) -> Result<Vec<(CrmEntity, Vec<Seen>, Vec<i64>)>, Error> {
        let mut calls = Vec::new();
        let mut asked: Vec<(CrmEntity, Vec<i64>)> = Vec::new();
        for (entity, ids) in wanted {
            let select = self.select(*entity);
            let select: Vec<&str> = select.iter().map(String::as_str).collect();
            let ids: Vec<i64> = ids.iter().copied().collect();
            for chunk in ids.chunks(PAGE) {
                calls.push(item_find(super::wire(*entity), &select, json!({"@id": chunk})));
                asked.push((*entity, chunk.to_vec()));
            }
        }
        let answers = self.many(priority, &calls).await?;
        let mut seen: BTreeMap<CrmEntity, Vec<Seen>> = BTreeMap::new();
        let mut gone: BTreeMap<CrmEntity, Vec<i64>> = BTreeMap::new();
        for ((entity, ids), answer) in asked.into_iter().zip(answers) {
            let answer = answer?;
            let tracked = self.tracked(entity);
            let records: Vec<Seen> =
                items_of(&answer).into_iter().filter_map(|item| self.see(entity, item, &tracked)).collect();
            let there: HashSet<i64> = records.iter().map(|record| record.id).collect();
            gone.entry(entity).or_default().extend(ids.into_iter().filter(|id| !there.contains(id)));
            seen.entry(entity).or_default().extend(records);
        }
        let looked_up = CrmEntity::ALL
            .into_iter()
            .map(|entity| (entity, seen.remove(&entity).unwrap_or_default(), gone.remove(&entity).unwrap_or_default()));
        Ok(looked_up.collect())
    }

    pub(super) async fn many(&self, priority: Priority, calls: &[Call]) -> Result<Vec<Result<Answer, Error>>, Error> {
        match calls {
            [] => Ok(Vec::new()),
            [one] => Ok(vec![Ok(self.client.call(priority, one).await?)]),
            several => self.client.batch(priority, several).await,
        }
    }

    /// Takes over what records hold now. Where a person changed what is the hotel's, the record is looked at again.
    pub(super) async fn apply(
        &self,
        entity: CrmEntity,
        seen: Vec<Seen>,
        gone: &[i64],
        asked_at: i64,
    ) -> Result<usize, SyncError> {
        if seen.is_empty() && gone.is_empty() {
            return Ok(0);
        }
        let (_recording, tx) = self.recording().await?;
        let applied = self.apply_in(&tx, entity, seen, gone, asked_at).await?;
        tx.commit().await?;
        Ok(applied.differs.len())
    }

    /// The same in the caller's transaction, who records nothing else meanwhile.
    pub(super) async fn apply_in(
        &self,
        tx: &Tx,
        entity: CrmEntity,
        seen: Vec<Seen>,
        gone: &[i64],
        asked_at: i64,
    ) -> Result<Applied, SyncError> {
        let mut applied = Applied::default();
        if seen.is_empty() && gone.is_empty() {
            return Ok(applied);
        }
        let ids: Vec<i64> = seen.iter().map(|record| record.id).chain(gone.iter().copied()).collect();
        let mut linked: HashMap<i64, Vec<String>> = HashMap::new();
        let mut given = Vec::new();
        let (mut made, mut attached): (HashSet<i64>, HashSet<i64>) = Default::default();
        for link in links::of_records(tx, self.portal, entity, &ids).await? {
            if link.origin == links::Origin::Created {
                made.insert(link.crm_id);
            }
            if link.origin.attached() {
                attached.insert(link.crm_id);
            }
            if link.origin == links::Origin::Attached {
                given.push(link.clone());
            }
            linked.entry(link.crm_id).or_default().push(link.subject);
        }
        let held = crm_records::load(tx, self.portal, &self.key, entity, &ids).await?;
        let pinned = self.pinned(tx, entity, &linked).await?;
        let mut sent: HashMap<i64, Fields> = HashMap::new();
        for (id, sealed) in outbox::open_writes(tx, self.portal, entity.type_id(), &ids).await? {
            sent.entry(id).or_default().extend(self.open_write(&sealed)?.after);
        }
        let now = self.now();
        let (mut saved, mut intents, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        let (mut older, mut peace) = (HashSet::new(), Vec::new());
        let (mut unlinked, mut back) = (Vec::new(), Vec::new());
        for record in &seen {
            let Some(subjects) = linked.get(&record.id) else {
                unlinked.push(record);
                continue;
            };
            // What is being written right now is about to be confirmed, or was after we asked; an older look must not
            // undo that.
            let written_since = held.get(&record.id).is_some_and(|row| row.synced_at > asked_at);
            let hotels = hotels_of(subjects);
            let theirs =
                |field: &str| pins::any(&pinned, (entity, record.id), subjects, field).then_some(Stance::Theirs);
            let stance = |field: &str| theirs(field).unwrap_or_else(|| self.ground.stance(&hotels, entity, field));
            let merged = merge(held.get(&record.id), sent.get(&record.id), record, stance, now);
            if written_since || self.lanes().flight.records.contains(&(entity, record.id)) {
                if merged.differs {
                    intents.push(NewIntent {
                        subject: Subject::Crm(entity, record.id).to_string(),
                        intent: Intent::Reread,
                        priority: super::lane(Priority::Live),
                        rank: RANK_REREAD,
                        not_before: now + LOOK_AGAIN_MS,
                        seen_at: now,
                    });
                }
                older.insert(record.id);
                continue;
            }
            let Merged { mut row, mut differs, mut ours, stopped } = merged;
            if held.get(&record.id).is_some_and(|held| held.deleted) {
                (differs, ours) = (true, true);
                back.extend(subjects.iter().cloned());
            }
            // Found again after a time we know nothing of: closed at a stage that is not its stay's, by a person.
            if record.closed && !held.contains_key(&record.id) {
                row.closed_by_person = !self.closed_by_us(&record.fields);
            }
            self.read_now(entity, record.id, record.stored.clone());
            if held.get(&record.id).is_some_and(|row| row.putbacks.quarrels()) && !row.putbacks.quarrels() {
                peace.push((entity, record.id));
            }
            if !stopped.is_empty() {
                problems.extend(subjects.iter().map(|subject| NewProblem {
                    hotel: subject.parse::<Subject>().ok().and_then(|subject| subject.hotel()),
                    subject: subject.clone(),
                    cause: PUTBACK_STOPPED.to_owned(),
                    kind: "doubtful",
                    params: json!({
                        "entity": entity.word(), "id": record.id, "fields": &stopped, "editor": record.updated_by,
                    }),
                }));
            }
            if ours {
                applied.ours.push((record.id, subjects.clone()));
            }
            if differs {
                applied.differs.push((record.id, subjects.clone()));
                intents.extend(subjects.iter().map(|subject| look_at(entity, subject, now)));
            }
            if held.get(&record.id) != Some(&row) {
                saved.push(row);
            }
        }
        // Adopted from an index that did not know they were gone: nobody was ever found, the person is looked for anew.
        let never: Vec<i64> = gone
            .iter()
            .copied()
            .filter(|id| entity != CrmEntity::Deal || attached.contains(id))
            .filter(|id| !held.contains_key(id) && !made.contains(id))
            .collect();
        for (id, subject) in never.iter().filter_map(|id| Some((id, linked.get(id)?.first()?))) {
            if attached.contains(id) {
                problems.push(refusal(subject, *id, "no_deal"));
            }
        }
        links::forget(tx, self.portal, entity, &never).await?;
        // Whom a person named, that person looks after: the stay gets no deal by itself.
        given.retain(|link| never.contains(&link.crm_id));
        let without: Vec<_> = given
            .into_iter()
            .map(|link| links::LinkRow { crm_id: 0, origin: links::Origin::Detached, marked: false, ..link })
            .collect();
        links::add(tx, self.portal, &without, self.now()).await?;
        for (id, subjects) in gone.iter().filter_map(|id| Some((id, linked.get(id)?))) {
            if never.contains(id) {
                continue;
            }
            let row = held.get(id).cloned().unwrap_or_else(|| RecordRow::new(entity, *id, Fields::new(), now));
            if !row.deleted || row.is_doubted() {
                intents.extend(subjects.iter().map(|subject| look_at(entity, subject, now)));
                crm_index::scan_soon(tx, self.portal).await?;
                applied.deleted.push((*id, subjects.clone()));
                saved.push(RecordRow { deleted: true, synced_at: now, ..row });
            }
        }
        self.strays(tx, entity, &unlinked, &mut intents, &mut problems).await?;
        problems::over_all(tx, self.portal, &back, DELETED).await?;
        crm_records::save(tx, self.portal, &self.key, &saved).await?;
        let newest: Vec<&Seen> = seen.iter().filter(|record| !older.contains(&record.id)).collect();
        self.reindex(tx, entity, &newest, gone).await?;
        merge_hints::gone(tx, self.portal, entity, gone).await?;
        outbox::add(tx, self.portal, intents).await?;
        problems::raise(tx, self.portal, &self.key, &problems, now).await?;
        self.make_peace(tx, &peace).await?;
        Ok(applied)
    }

    /// These records hold what the hotel says again: nobody need look for who changes them.
    pub(super) async fn make_peace(&self, tx: &Tx, records: &[(CrmEntity, i64)]) -> Result<(), SyncError> {
        for (entity, id) in records {
            let behind = links::of_records(tx, self.portal, *entity, &[*id]).await?;
            let subjects: Vec<String> = behind.into_iter().map(|link| link.subject).collect();
            problems::over_all(tx, self.portal, &subjects, PUTBACK_STOPPED).await?;
        }
        Ok(())
    }

    /// Whether a closed deal stands where its stay's own status put it.
    fn closed_by_us(&self, fields: &Fields) -> bool {
        let (Some(CrmValue::Text(word)), Some(CrmValue::Text(stage))) =
            (fields.get("UF_CRM_FB24_STATUS"), fields.get("stageId"))
        else {
            return false;
        };
        let stages =
            self.ground.mappings.values().map(|active| &active.mapping.stages).chain([&self.ground.terms.stages]);
        stages.flatten().any(|(status, of)| status.word() == word && of == stage)
    }

    /// A first pass over everything: only the index is interested.
    pub(super) async fn index_only(&self, entity: CrmEntity, seen: &[Seen]) -> Result<(), SyncError> {
        let tx = self.db().begin().await?;
        self.reindex(&tx, entity, &seen.iter().collect::<Vec<_>>(), &[]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps the matching index as the portal is; only what differs is written.
    async fn reindex(&self, tx: &Tx, entity: CrmEntity, seen: &[&Seen], gone: &[i64]) -> Result<(), SyncError> {
        let ids: Vec<i64> = seen.iter().map(|record| record.id).collect();
        let held = crm_index::of_records(tx, self.portal, entity, &ids).await?;
        let (mut stale, mut rows) = (gone.to_vec(), Vec::new());
        for record in seen {
            let new = self.index_rows(entity, record.id, &record.fields);
            let old: HashSet<_> = held.get(&record.id).into_iter().flatten().cloned().collect();
            if old != new.iter().cloned().collect() {
                stale.push(record.id);
                rows.extend(new);
            }
        }
        crm_index::remove(tx, self.portal, entity, &stale).await?;
        crm_index::add(tx, self.portal, &rows).await?;
        Ok(())
    }
}

/// The subject's record is looked at anew.
pub(super) fn look_at(entity: CrmEntity, subject: &str, now: i64) -> NewIntent {
    NewIntent {
        subject: subject.to_owned(),
        intent: Intent::Sync,
        priority: super::lane(Priority::Live),
        rank: match entity {
            CrmEntity::Deal => RANK_DEAL,
            CrmEntity::Contact => RANK_CONTACT,
            CrmEntity::Company => RANK_COMPANY,
        },
        not_before: 0,
        seen_at: now,
    }
}
