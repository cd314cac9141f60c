//! Records that people deleted, restored, merged or copied (product §2.13). A record that is gone is looked for first:
//! under another id by its mark, in what the deals name now, by phone and e-mail. Only what is found nowhere was deleted;
//! whether it is made again is the portal's setting, or what a person says of the problem.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::error::SyncError;
use super::found::{Found, Verdict};
use super::lanes::Delivery;
use super::plan::{Due, Plan};
use super::plan_deals::LOOK_AGAIN_MS;
use super::plan_people::{ProfileKey, key_of};
use super::reread::{Seen, look_at};
use crate::domain::change_set::{COMPANY, ours};
use crate::domain::crm::ORIGINATOR;
use crate::domain::{CrmEntity, CrmValue, Fields, GroupNumber, PortalId, ProfileNumber, StayNumber, Subject};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::NewIntent;
use crate::store::problems::{self, NewProblem};
use crate::store::profiles::ProfileRow;
use crate::store::{StoreError, Tx, crm_index, crm_records, recreations, splits, stays};

pub(super) const DELETED: &str = "crm.deleted";
pub(super) const DUPLICATE_MARK: &str = "crm.duplicate_mark";

/// So often a record is made again by itself …
const MOST: i64 = 3;
/// … within this time; then people are asked, as of what is put back (product §2.6).
const WINDOW_MS: i64 = 24 * 3_600_000;

pub(super) async fn recreated(tx: &Tx, portal: PortalId, subjects: &[String], now: i64) -> Result<(), StoreError> {
    recreations::add(tx, portal, subjects, now, now - WINDOW_MS).await
}

/// These subjects have a record: it is not missed any more, and what stood beside the one before is none of them.
pub(super) async fn found_again(tx: &Tx, portal: PortalId, links: &[LinkRow]) -> Result<(), StoreError> {
    let subjects: Vec<String> = links.iter().map(|link| link.subject.clone()).collect();
    problems::over_all(tx, portal, &subjects, DELETED).await?;
    problems::over_all(tx, portal, &subjects, DUPLICATE_MARK).await
}

/// What is to become of a record that is found nowhere.
enum Fate {
    /// Made anew.
    Again,
    /// A person is told, or was.
    Left { told: bool },
}

impl Delivery {
    /// When what changed was last read: only a look after a deletion knows what a merge made of it.
    async fn looked_at(&self, entity: CrmEntity) -> Result<i64, SyncError> {
        Ok(crm_index::scan(self.db(), self.portal, entity).await?.looked_at)
    }

    async fn fates(&self, entity: CrmEntity, subjects: &[String]) -> Result<HashMap<String, Fate>, SyncError> {
        let ownership = &self.ground.terms.ownership;
        let again = if entity == CrmEntity::Deal { ownership.recreate_deals } else { ownership.recreate_people };
        let said = problems::states(self.db(), self.portal, subjects, DELETED).await?;
        let made = recreations::counts(self.db(), self.portal, subjects, self.now() - WINDOW_MS).await?;
        let fate = |subject: &String| match said.get(subject).map(String::as_str) {
            _ if again && made.get(subject).is_none_or(|times| *times < MOST) => Fate::Again,
            Some("retried") => Fate::Again,
            told => Fate::Left { told: told.is_some() },
        };
        Ok(subjects.iter().map(|subject| (subject.clone(), fate(subject))).collect())
    }

    /// The end of a subject's link: what follows is as for one that never had a record.
    fn plan_lost(&self, plan: &mut Plan, due: &Due, link: &LinkRow, fate: Option<&Fate>) {
        match fate {
            Some(Fate::Again) => {
                plan.unlinked.push(due.row.subject.clone());
                plan.recreated.push(due.row.subject.clone());
            }
            Some(Fate::Left { told: true }) => plan.dropped.push(due.pair()),
            Some(Fate::Left { told: false }) | None => {
                plan.dropped.push(due.pair());
                plan.problems.push(NewProblem {
                    hotel: due.subject.hotel(),
                    subject: due.row.subject.clone(),
                    cause: DELETED.to_owned(),
                    kind: "doubtful",
                    params: json!({"entity": link.entity.word(), "id": link.crm_id}),
                });
            }
        }
    }

    fn relink(&self, plan: &mut Plan, due: &Due, link: &LinkRow, crm_id: i64, origin: Origin) {
        plan.unlinked.push(due.row.subject.clone());
        // What people took to themselves of a deal is kept by its stay.
        if link.entity != CrmEntity::Deal {
            plan.followed.push((link.entity, (link.crm_id, crm_id)));
        }
        plan.links.push(LinkRow { crm_id, origin, marked: origin == Origin::Recovered, ..link.clone() });
        plan.read(link.entity, crm_id, due);
    }

    /// `marked`: deals that bear a stay's mark.
    pub(super) async fn plan_lost_deals(
        &self,
        plan: &mut Plan,
        lost: Vec<(Due, LinkRow, i64)>,
        marked: &HashMap<String, BTreeSet<i64>>,
    ) -> Result<(), SyncError> {
        if lost.is_empty() {
            return Ok(());
        }
        let subjects: Vec<String> = lost.iter().map(|(due, ..)| due.row.subject.clone()).collect();
        let fates = self.fates(CrmEntity::Deal, &subjects).await?;
        let looked_at = self.looked_at(CrmEntity::Deal).await?;
        for (due, link, gone_at) in lost {
            let others = marked.get(&due.row.subject).into_iter().flatten().copied().filter(|id| *id != link.crm_id);
            match others.collect::<Vec<_>>().as_slice() {
                _ if looked_at < gone_at => plan.later.push((due.row.id, self.now() + LOOK_AGAIN_MS)),
                [] => self.plan_lost(plan, &due, &link, fates.get(&due.row.subject)),
                [one] => self.relink(plan, &due, &link, *one, Origin::Recovered),
                several => plan.reject(&due, DUPLICATE_MARK, json!({"ids": several})),
            }
        }
        Ok(())
    }

    pub(super) async fn plan_lost_people(
        &self,
        plan: &mut Plan,
        lost: Vec<(Due, LinkRow, i64, ProfileRow)>,
    ) -> Result<(), SyncError> {
        if lost.is_empty() {
            return Ok(());
        }
        let (mut links, mut due) = (HashMap::new(), Vec::new());
        for (one, link, gone_at, row) in lost {
            if self.looked_at(link.entity).await? < gone_at {
                plan.later.push((one.row.id, self.now() + LOOK_AGAIN_MS));
                continue;
            }
            links.insert(one.row.subject.clone(), link);
            due.push((one, row));
        }
        let subjects: Vec<String> = links.keys().cloned().collect();
        let fates = self.fates(CrmEntity::Contact, &subjects).await?;
        let people = self.people_of(due).await?;
        let index = Found::load(self, &people).await?;
        for person in people {
            let Some(link) = links.get(&person.due.row.subject) else { continue };
            let pointed = match key_of(&person.due.subject) {
                Some(key) => self.pointed(&key, link).await?,
                None => None,
            };
            match (pointed, index.of(self, &person, true)) {
                (Some(id), _) => self.relink(plan, &person.due, link, id, Origin::Adopted),
                (None, Verdict::Is(id, origin)) => self.relink(plan, &person.due, link, id, origin),
                (None, Verdict::Twice(ids)) => plan.reject(&person.due, DUPLICATE_MARK, json!({"ids": ids})),
                (None, Verdict::New(doubts)) => {
                    plan.hint(&person.due.row.subject, link.entity, doubts);
                    self.plan_lost(plan, &person.due, link, fates.get(&person.due.row.subject));
                }
            }
        }
        Ok(())
    }

    /// Whom the person's deals name where they named the record that is gone: a merge turns them to the one that is left.
    async fn pointed(&self, key: &ProfileKey, link: &LinkRow) -> Result<Option<i64>, SyncError> {
        let naming = stays::naming(self.db(), self.portal, std::slice::from_ref(key)).await?;
        let named: Vec<String> =
            naming.into_iter().map(|(hotel, stay, ..)| Subject::Stay(hotel, stay).to_string()).collect();
        let deals = links::of_subjects(self.db(), self.portal, &named).await?;
        let ids: Vec<i64> = deals.values().map(|link| link.crm_id).collect();
        let records = crm_records::load(self.db(), self.portal, &self.key, CrmEntity::Deal, &ids).await?;
        let left: BTreeSet<i64> =
            records.values().filter(|deal| !deal.deleted).flat_map(|deal| turned_to(&deal.fields, link)).collect();
        match left.into_iter().collect::<Vec<_>>().as_slice() {
            [one] => Ok(Some(*one)),
            _ => Ok(None),
        }
    }

    /// Records of ours that stand for nobody: a subject whose record is gone may be one of them; beside a record that
    /// stands they are a copy that somebody must look at.
    pub(super) async fn strays(
        &self,
        tx: &Tx,
        entity: CrmEntity,
        seen: &[&Seen],
        intents: &mut Vec<NewIntent>,
        found: &mut Vec<NewProblem>,
    ) -> Result<(), SyncError> {
        let mut stray: HashMap<String, i64> = HashMap::new();
        for record in seen {
            let marks = marks(entity, &record.fields).into_iter().flat_map(|mark| self.subjects_of(entity, &mark));
            stray.extend(marks.map(|subject| (subject.to_string(), record.id)));
        }
        if stray.is_empty() {
            return Ok(());
        }
        let subjects: Vec<String> = stray.keys().cloned().collect();
        let linked = links::of_subjects(tx, self.portal, &subjects).await?;
        let ids: Vec<i64> = linked.values().map(|link| link.crm_id).collect();
        let gone = crm_records::deleted_among(tx, self.portal, entity, &ids).await?;
        let told = problems::states(tx, self.portal, &subjects, DUPLICATE_MARK).await?;
        let leaving = splits::of_subjects(tx, self.portal, &subjects).await?;
        for (subject, id) in stray {
            let stands = |link: &&LinkRow| link.entity == entity && link.origin != Origin::Detached;
            let Some(link) = linked.get(&subject).filter(stands) else { continue };
            // Its mark is about to be taken off.
            let off = leaving.get(&subject).and_then(|apart| apart.of(entity, id));
            if off.is_some_and(|row| !row.mark.is_empty()) {
                continue;
            }
            if gone.contains(&link.crm_id) {
                intents.push(look_at(entity, &subject, self.now()));
            } else if told.get(&subject).is_none_or(|state| state == "retried") {
                found.push(NewProblem {
                    hotel: subject.parse::<Subject>().ok().and_then(|subject| subject.hotel()),
                    subject,
                    cause: DUPLICATE_MARK.to_owned(),
                    kind: "doubtful",
                    params: json!({"entity": entity.word(), "ids": [link.crm_id, id]}),
                });
            }
        }
        Ok(())
    }

    /// A deal's mark may be a stay's or a group's: who has a record tells.
    fn subjects_of(&self, entity: CrmEntity, mark: &str) -> Vec<Subject> {
        let Some((code, number)) = mark.split_once(':') else { return Vec::new() };
        let Some(hotel) = self.ground.hotels.values().find(|hotel| hotel.code.as_str() == code) else {
            return Vec::new();
        };
        if entity != CrmEntity::Deal {
            return ProfileNumber::parse(number).map(|number| Subject::Profile(hotel.id, number)).into_iter().collect();
        }
        let stay = StayNumber::parse(number).map(|number| Subject::Stay(hotel.id, number));
        let group = GroupNumber::parse(number).map(|number| Subject::Group(hotel.id, number));
        stay.into_iter().chain(group).collect()
    }
}

/// For whom a record says that it stands.
fn marks(entity: CrmEntity, fields: &Fields) -> BTreeSet<String> {
    let text = |name: &str| match fields.get(name) {
        Some(CrmValue::Text(text)) => text.as_str(),
        _ => "",
    };
    let mut marks = BTreeSet::new();
    if text("originatorId") == ORIGINATOR {
        marks.insert(text("originId").to_owned());
    }
    if entity == CrmEntity::Deal {
        marks.insert(format!("{}:{}", text("UF_CRM_FB24_HOTEL"), text("UF_CRM_FB24_RESERVATION")));
    } else if let Some(CrmValue::Texts(profiles)) = fields.get("UF_CRM_FB24_PROFILE") {
        marks.extend(profiles.iter().cloned());
    }
    marks
}

/// Records that a deal names since it does not name `link`'s any more, which was our doing.
fn turned_to(deal: &Fields, link: &LinkRow) -> Vec<i64> {
    let field = if link.entity == CrmEntity::Company { COMPANY } else { "contactIds" };
    let ids = |name: &str| match deal.get(name) {
        Some(CrmValue::Ids(ids)) => ids.clone(),
        Some(CrmValue::Int(id)) if *id > 0 => vec![*id],
        _ => Vec::new(),
    };
    let (mine, now) = (ids(&ours(field)), ids(field));
    if !mine.contains(&link.crm_id) || now.contains(&link.crm_id) {
        return Vec::new();
    }
    now.into_iter().filter(|id| !mine.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_merge_shows_in_what_deals_name_instead_of_the_record_that_is_gone() {
        let link = |entity| LinkRow {
            subject: "profile:1:7".into(),
            entity,
            crm_id: 5,
            origin: Origin::Created,
            marked: true,
        };
        let deal = |mine: &[i64], now: &[i64]| -> Fields {
            [(ours("contactIds"), CrmValue::Ids(mine.to_vec())), ("contactIds".into(), CrmValue::Ids(now.to_vec()))]
                .into()
        };
        let contact = link(CrmEntity::Contact);
        assert_eq!(turned_to(&deal(&[5, 6], &[9, 6]), &contact), [9]);
        assert!(turned_to(&deal(&[5], &[5, 9]), &contact).is_empty(), "it is still named");
        assert!(turned_to(&deal(&[6], &[9]), &contact).is_empty(), "it never was");
        assert!(turned_to(&deal(&[5, 6], &[6]), &contact).is_empty());
        let company: Fields = [(ours(COMPANY), CrmValue::Int(5)), (COMPANY.into(), CrmValue::Int(8))].into();
        assert_eq!(turned_to(&company, &link(CrmEntity::Company)), [8]);
    }
}
