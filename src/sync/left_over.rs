//! What a merge of the PMS leaves over in the portal: the record of the one who is no more. It keeps what it says of him, for
//! people who make one of both; our mark, his number and the figures that his successor's record shows now are taken off it,
//! by a write of his own row, because nobody stands for it any more.

use std::collections::{BTreeSet, HashMap};

use super::error::SyncError;
use super::lanes::Delivery;
use super::plan::{Due, Plan, Planned};
use super::plan_deals::LOOK_AGAIN_MS;
use super::plan_people::{ProfileKey, key_of, planned};
use super::split::Leaving;
use crate::clock::wall_of;
use crate::domain::change_set::change_set;
use crate::domain::crm::CrmEntity;
use crate::domain::fact::{self, Fact};
use crate::domain::mapping::Owner;
use crate::domain::{CrmValue, Fields, GuestTotals, Lang, Profile, ProfileNumber, Subject};
use crate::store::links::{self, LinkRow};
use crate::store::merges::{self, MergeRow};
use crate::store::profiles::ProfileRow;
use crate::store::splits::{self, SplitRow};
use crate::store::{crm_records, outbox};

/// Figures of finished stays, which are his successor's.
const FIGURES: [Fact; 4] = [Fact::Stays, Fact::StayNights, Fact::Revenue, Fact::LastStay];

impl Delivery {
    /// Plans what is left over of these; answers those who are planned as ever.
    pub(super) async fn plan_left_over(&self, plan: &mut Plan, due: Vec<Due>) -> Result<Vec<Due>, SyncError> {
        let subjects: Vec<String> = due.iter().map(|due| due.row.subject.clone()).collect();
        let mut apart = splits::of_subjects(self.db(), self.portal, &subjects).await?;
        let mut others = Vec::new();
        for due in due {
            let rows = apart.remove(&due.row.subject).map(|apart| apart.records).unwrap_or_default();
            let mut taken = false;
            for row in rows.into_iter().filter(|row| row.asked_by == splits::PMS && !row.mark.is_empty()) {
                if !taken {
                    taken = self.plan_leaving(plan, &due, row).await?;
                }
            }
            if !taken {
                others.push(due);
            }
        }
        Ok(others)
    }

    /// Whether the row has to do with that first.
    async fn plan_leaving(&self, plan: &mut Plan, due: &Due, row: SplitRow) -> Result<bool, SyncError> {
        let (entity, id) = (row.entity, row.crm_id);
        // Whoever stands for it writes it.
        if !links::of_records(self.db(), self.portal, entity, &[id]).await?.is_empty() {
            return Ok(false);
        }
        let held = crm_records::load(self.db(), self.portal, &self.key, entity, &[id]).await?;
        let Some(record) = held.get(&id).filter(|record| !record.deleted) else {
            plan.cleaned.push(row);
            return Ok(false);
        };
        let (flying, open) = {
            let lanes = self.lanes();
            (lanes.flight.records.contains(&(entity, id)), lanes.open.contains(&(entity, id)))
        };
        if flying {
            self.lanes().waiting.insert(due.row.id);
            return Ok(true);
        }
        if open {
            plan.later.push((due.row.id, self.now() + LOOK_AGAIN_MS));
            return Ok(true);
        }
        let leaving = Leaving::of(row);
        let known = leaving.known(&record.fields);
        let mut desired = self.figures_off(due, entity, &record.fields);
        desired.insert("UF_CRM_FB24_PROFILE".to_owned(), CrmValue::Texts(BTreeSet::new()));
        if leaving.marked(&record.fields) {
            desired.extend(["originatorId", "originId"].map(|name| (name.to_owned(), CrmValue::Empty)));
        }
        let set = change_set(&desired, &known);
        plan.decided(due, record, record.clone());
        if set.is_empty() {
            plan.parted.push((entity, id));
            return Ok(false);
        }
        let write = planned(due, entity, id, set.write, set.comms, set.after, String::new());
        let version = key_of(&due.subject).and_then(|(hotel, _)| self.ground.mappings.get(&hotel));
        plan.writes.push(Planned { version: version.map_or(0, |active| active.version), ..write });
        Ok(true)
    }

    fn figures_off(&self, due: &Due, entity: CrmEntity, held: &Fields) -> Fields {
        let Some(active) = key_of(&due.subject).and_then(|(hotel, _)| self.ground.mappings.get(&hotel)) else {
            return Fields::new();
        };
        let (nobody, none) = (ProfileNumber::parse("0").map(Profile::new), GuestTotals::default());
        let rules =
            active.mapping.rules(entity).filter(|rule| rule.owner != Owner::Crm && FIGURES.contains(&rule.from));
        let stands = |field: &String| held.get(field).is_some_and(|value| !value.is_empty());
        rules
            .filter(|rule| stands(&rule.field))
            .map(|rule| {
                let value =
                    nobody.as_ref().ok().and_then(|nobody| rule.value(&|of| fact::of_profile(of, nobody, &none)));
                (rule.field.clone(), value.unwrap_or(CrmValue::Empty))
            })
            .collect()
    }

    /// Who of these the PMS merged into somebody.
    pub(super) async fn merged(
        &self,
        people: impl Iterator<Item = &ProfileKey>,
    ) -> Result<HashMap<ProfileKey, MergeRow>, SyncError> {
        Ok(merges::of(self.db(), self.portal, people).await?)
    }

    /// Nobody is looked for or made for him any more: his record is his successor's.
    pub(super) async fn plan_merged(
        &self,
        plan: &mut Plan,
        due: &Due,
        own: Option<&LinkRow>,
        merge: &MergeRow,
    ) -> Result<(), SyncError> {
        let heir = Subject::Profile(merge.hotel, merge.successor.clone()).to_string();
        let link = links::of_subjects(self.db(), self.portal, std::slice::from_ref(&heir)).await?.remove(&heir);
        let link = link.filter(|link| own.is_none_or(|own| (own.entity, own.crm_id) != (link.entity, link.crm_id)));
        let waits = outbox::states(self.db(), self.portal, std::slice::from_ref(&heir)).await?;
        match link {
            Some(link) => {
                let gone = crm_records::deleted_among(self.db(), self.portal, link.entity, &[link.crm_id]).await?;
                if own.is_some() {
                    plan.unlinked.push(due.row.subject.clone());
                }
                if gone.is_empty() {
                    let (entity, crm_id) = (link.entity, link.crm_id);
                    plan.links.push(LinkRow { subject: due.row.subject.clone(), marked: false, ..link });
                    plan.read(entity, crm_id, due);
                } else {
                    plan.dropped.push(due.pair());
                }
            }
            None if waits.get(&heir).is_some_and(|(state, ..)| *state == outbox::WAITING || *state == outbox::SENT) => {
                plan.later.push((due.row.id, self.now() + LOOK_AGAIN_MS));
            }
            None => {
                if own.is_some() {
                    plan.unlinked.push(due.row.subject.clone());
                }
                plan.dropped.push(due.pair());
            }
        }
        Ok(())
    }
}

impl Delivery {
    /// What both timelines are told of whom the PMS merged, or has again; `own`: the record that stands for him now.
    pub(super) fn sentence_of_merge(
        &self,
        row: &SplitRow,
        here: bool,
        merge: Option<&MergeRow>,
        own: Option<i64>,
    ) -> Option<String> {
        let (hotel, number) = row.subject.parse().ok().as_ref().and_then(key_of)?;
        let hotel = self.ground.hotels.get(&hotel)?;
        // The moment makes it one of its kind, by which it is found again.
        let at = wall_of(row.asked_at, &hotel.timezone).format("%d.%m.%Y %H:%M:%S");
        let whose = |number: &ProfileNumber| format!("{}:{number}", hotel.code);
        let (who, into) = (whose(&number), merge.map(|merge| whose(&merge.successor)));
        let (off, now) = (row.crm_id, own.unwrap_or_default());
        let what = match (self.ground.terms.lang, into, here) {
            (Lang::Ru, Some(into), false) => format!(
                "профиль {who} объединён в Fidelio с профилем {into}, его проживания и итоги теперь в записи № {now}. \
                 Здесь ничего не удалено: объедините обе записи на портале"
            ),
            (Lang::Ru, Some(into), true) => format!(
                "профиль {who} объединён в Fidelio с профилем {into}, его проживания и итоги теперь здесь. Прежняя \
                 запись — № {off}: объедините обе записи на портале"
            ),
            (Lang::Ru, None, false) => {
                format!("профиль {who} снова отдельный в Fidelio, его проживания и итоги больше не здесь")
            }
            (Lang::Ru, None, true) => {
                format!("профиль {who} снова отдельный в Fidelio и отделён от записи № {off}")
            }
            (Lang::En, Some(into), false) => format!(
                "profile {who} was merged into {into} in Fidelio; its stays and figures are in record {now} now. Nothing \
                 was deleted here: merge both records in the portal"
            ),
            (Lang::En, Some(into), true) => format!(
                "profile {who} was merged into {into} in Fidelio; its stays and figures are here now. Its former record \
                 is {off}: merge both records in the portal"
            ),
            (Lang::En, None, false) => {
                format!("profile {who} is one of its own in Fidelio again; its stays and figures are here no more")
            }
            (Lang::En, None, true) => {
                format!("profile {who} is one of its own in Fidelio again and was taken off record {off}")
            }
        };
        Some(format!("Fidelio: {what}. {at}"))
    }
}

/// Whether this is the mark of one who is no more: the one who stays puts his own in its place.
pub(super) fn is_stale_mark<'p>(
    held: &Fields,
    hotel_of: impl Fn(&ProfileKey) -> Option<String>,
    merged: impl Iterator<Item = &'p ProfileKey>,
) -> bool {
    let Some(CrmValue::Text(mark)) = held.get("originId") else { return false };
    merged.into_iter().any(|key| hotel_of(key).is_some_and(|code| format!("{code}:{}", key.1) == *mark))
}

impl Leaving {
    fn of(row: SplitRow) -> Self {
        Self::from(vec![(row, None::<ProfileRow>)])
    }
}
