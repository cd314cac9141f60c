//! A stay and a deal that people join or part (product §2.14). What they say goes the way of everything: an inbox row,
//! decided into the link, delivered as the deal's fields.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::chunk::Chunk;
use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::lost::DELETED;
use super::plan::{Due, Plan};
use super::plan_people::planned;
use super::reread::look_at;
use crate::domain::crm::ORIGINATOR;
use crate::domain::{CrmEntity, CrmValue, Fields, PortalId, StayNumber, Subject};
use crate::store::crm_records::{self, RecordRow};
use crate::store::hotels::HotelRow;
use crate::store::inbox::{self, InboxKind, InboxRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::{self, Intent, NewIntent};
use crate::store::problems::{self, NewProblem};
use crate::store::{Db, StoreError, Tx, pins};

/// A deal that was to be attached cannot be.
pub(super) const REFUSED: &str = "attach.refused";

/// After so long a binding that had to wait is looked at again.
const WAIT_MS: i64 = 1_000;

/// What a person says of a stay's deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Binding {
    Attach {
        deal: i64,
    },
    /// The stay has no deal until somebody says otherwise.
    Detach,
    /// A deal of its own, after all.
    New,
}

/// How a stay and a deal stand to each other now.
enum Standing {
    Free,
    /// Nothing to do.
    So,
    Against(&'static str),
}

async fn standing(db: &Db, portal: PortalId, subject: &str, binding: Binding) -> Result<Standing, StoreError> {
    let names = [subject.to_owned()];
    let own = links::of_subjects(db, portal, &names).await?.remove(subject);
    let detached = own.as_ref().is_some_and(|link| link.origin == Origin::Detached);
    let mut deal = own.filter(|link| link.origin != Origin::Detached).map(|link| link.crm_id);
    if let Some(id) = deal {
        deal = (!crm_records::deleted_among(db, portal, CrmEntity::Deal, &[id]).await?.contains(&id)).then_some(id);
    }
    Ok(match (binding, deal) {
        (Binding::Attach { deal: wanted }, Some(deal)) if deal == wanted => Standing::So,
        (Binding::Attach { .. } | Binding::New, Some(_)) => Standing::Against("stay_has_deal"),
        (Binding::Attach { deal }, None) => {
            let others = links::of_records(db, portal, CrmEntity::Deal, &[deal]).await?;
            let taken = others.iter().any(|link| link.origin != Origin::Detached && link.subject != subject);
            if taken { Standing::Against("deal_has_stay") } else { Standing::Free }
        }
        (Binding::Detach, None) if detached => Standing::So,
        (Binding::Detach, None) => Standing::Against("stay_without_deal"),
        (Binding::Detach, Some(_)) | (Binding::New, None) => Standing::Free,
    })
}

impl Engine {
    /// Takes down what a person says of a stay's deal; [`SyncError::Conflict`] where it cannot be.
    pub async fn bind(
        &self,
        portal: PortalId,
        hotel: &HotelRow,
        number: &StayNumber,
        binding: Binding,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        // A demo hotel's bookings are nobody's (product §4).
        if hotel.settings.demo {
            return Err(SyncError::Conflict("attach_demo"));
        }
        let subject = Subject::Stay(hotel.id, number.clone()).to_string();
        match standing(&deps.db, portal, &subject, binding).await? {
            Standing::Against(code) => return Err(SyncError::Conflict(code)),
            Standing::So => return Ok(()),
            Standing::Free => {}
        }
        self.wish(portal, hotel.id, InboxKind::Binding, subject, &binding).await?;
        Ok(())
    }
}

impl Chunk<'_> {
    /// In order: the last word counts. What stands against it by now was said at the same moment by somebody else.
    pub(super) async fn bind(
        &self,
        tx: &Tx,
        bindings: &[(InboxRow, Binding)],
    ) -> Result<(Vec<NewIntent>, Vec<NewProblem>), StoreError> {
        let (mut intents, mut refused) = (Vec::new(), Vec::new());
        let mut waiting: HashSet<&str> = HashSet::new();
        for (row, binding) in bindings {
            let subjects = [row.subject.clone()];
            let held = links::of_subjects(tx, self.portal, &subjects).await?.remove(&row.subject);
            if waiting.contains(row.subject.as_str())
                || outbox::is_being_made(tx, self.portal, &row.subject).await?
                || self.is_being_cleaned(tx, *binding, &row.subject, held.as_ref(), &mut intents).await?
            {
                waiting.insert(&row.subject);
                inbox::leave(tx, self.portal, row.id, self.now + WAIT_MS).await?;
                continue;
            }
            let mut own = held.as_ref().filter(|held| held.origin != Origin::Detached).map(|held| held.crm_id);
            if let Some(id) = own {
                let gone = crm_records::deleted_among(tx, self.portal, CrmEntity::Deal, &[id]).await?;
                own = (!gone.contains(&id)).then_some(id);
            }
            let link = |crm_id, origin| LinkRow {
                subject: row.subject.clone(),
                entity: CrmEntity::Deal,
                crm_id,
                origin,
                marked: false,
            };
            match *binding {
                Binding::Attach { deal } if own.is_some() => {
                    if own != Some(deal) {
                        refused.push(refusal(&row.subject, deal, "stay_has_deal"));
                    }
                    continue;
                }
                Binding::New if own.is_some() => continue,
                Binding::Attach { deal } => {
                    let others = links::of_records(tx, self.portal, CrmEntity::Deal, &[deal]).await?;
                    if others.iter().any(|link| link.origin != Origin::Detached && link.subject != row.subject) {
                        refused.push(refusal(&row.subject, deal, "deal_has_stay"));
                        continue;
                    }
                    links::put(tx, self.portal, &link(deal, Origin::Attached), self.now).await?;
                    // It was not followed until now.
                    crm_records::forget(tx, self.portal, CrmEntity::Deal, &[deal]).await?;
                }
                Binding::Detach => {
                    let deal = held.filter(|held| held.origin != Origin::Detached).map_or(0, |held| held.crm_id);
                    links::put(tx, self.portal, &link(deal, Origin::Detached), self.now).await?;
                }
                Binding::New => links::end(tx, self.portal, &subjects).await?,
            }
            pins::end(tx, self.portal, &subjects).await?;
            for cause in [DELETED, REFUSED] {
                problems::over(tx, self.portal, &row.subject, cause).await?;
            }
            let intent = if matches!(binding, Binding::New) { Intent::Own } else { Intent::Sync };
            intents.push(NewIntent { intent, ..look_at(CrmEntity::Deal, &row.subject, self.now) });
        }
        Ok((intents, refused))
    }

    /// Whether a deal that the binding is about, or that the stay was taken off, still bears a detached stay's marks.
    async fn is_being_cleaned(
        &self,
        tx: &Tx,
        binding: Binding,
        subject: &str,
        held: Option<&LinkRow>,
        intents: &mut Vec<NewIntent>,
    ) -> Result<bool, StoreError> {
        let wanted = match binding {
            Binding::Attach { deal } => deal,
            Binding::New => 0,
            Binding::Detach => return Ok(false),
        };
        let mut dirty: Vec<LinkRow> = held.filter(|held| held.crm_id != wanted).cloned().into_iter().collect();
        if wanted != 0 {
            let others = links::of_records(tx, self.portal, CrmEntity::Deal, &[wanted]).await?;
            dirty.extend(others.into_iter().filter(|link| link.subject != subject));
        }
        dirty.retain(|link| link.origin == Origin::Detached && link.crm_id != 0);
        let subjects: Vec<String> = dirty.into_iter().map(|link| link.subject).collect();
        let states = outbox::states(tx, self.portal, &subjects).await?;
        let mut cleaned = true;
        for subject in subjects {
            match states.get(&subject) {
                // The portal does not take it: nothing to wait for.
                Some((outbox::REJECTED | outbox::FAILED, ..)) => continue,
                Some(_) => {}
                None => intents.push(look_at(CrmEntity::Deal, &subject, self.now)),
            }
            cleaned = false;
        }
        Ok(!cleaned)
    }
}

pub(super) fn refusal(subject: &str, deal: i64, why: &str) -> NewProblem {
    NewProblem {
        hotel: subject.parse::<Subject>().ok().and_then(|subject| subject.hotel()),
        subject: subject.to_owned(),
        cause: REFUSED.to_owned(),
        kind: "doubtful",
        params: json!({"id": deal, "why": why}),
    }
}

pub(super) fn text<'f>(fields: &'f Fields, name: &str) -> &'f str {
    match fields.get(name) {
        Some(CrmValue::Text(text)) => text,
        _ => "",
    }
}

/// Whether a deal says that it stands for another stay than `mark`'s.
pub(super) fn is_anothers(fields: &Fields, mark: &str) -> bool {
    let (hotel, number) = (text(fields, "UF_CRM_FB24_HOTEL"), text(fields, "UF_CRM_FB24_RESERVATION"));
    let named = !number.is_empty() && format!("{hotel}:{number}") != mark;
    let marked = text(fields, "originatorId") == ORIGINATOR && text(fields, "originId") != mark;
    named || marked
}

impl Delivery {
    /// An attached deal that turns out to be another stay's is let go before anything is written to it.
    pub(super) fn is_refused(
        &self,
        plan: &mut Plan,
        due: &Due,
        link: &LinkRow,
        record: &RecordRow,
        mark: &str,
    ) -> bool {
        let refused = link.origin.attached() && record.synced_at == 0 && is_anothers(&record.fields, mark);
        if refused {
            self.let_go(plan, due, link, "deal_has_stay");
        }
        refused
    }

    fn let_go(&self, plan: &mut Plan, due: &Due, link: &LinkRow, why: &str) {
        plan.problems.push(refusal(&due.row.subject, link.crm_id, why));
        plan.unlinked.push(due.row.subject.clone());
        // Whom a booking named wrongly gets a deal of his own; whom a person named, that person looks after.
        if link.origin == Origin::Attached {
            plan.links.push(LinkRow { crm_id: 0, origin: Origin::Detached, ..link.clone() });
            plan.dropped.push(due.pair());
        }
    }

    /// A stay that was taken off its deal: the deal keeps its content and loses what says whose it is.
    pub(super) fn plan_detached(
        &self,
        plan: &mut Plan,
        due: &Due,
        link: &LinkRow,
        record: Option<&RecordRow>,
        mark: &str,
    ) {
        let deal = CrmEntity::Deal;
        if link.crm_id == 0 {
            plan.dropped.push(due.pair());
            return;
        }
        let Some(record) = record else {
            plan.read(deal, link.crm_id, due);
            return;
        };
        if self.lanes().flight.records.contains(&(deal, record.crm_id)) {
            self.lanes().waiting.insert(due.row.id);
            return;
        }
        let mut desired = Fields::new();
        let (hotel, number) =
            (text(&record.fields, "UF_CRM_FB24_HOTEL"), text(&record.fields, "UF_CRM_FB24_RESERVATION"));
        // It may be another stay's by now.
        if format!("{hotel}:{number}") == mark {
            desired.extend(
                ["UF_CRM_FB24_HOTEL", "UF_CRM_FB24_RESERVATION"].map(|name| (name.to_owned(), CrmValue::Empty)),
            );
        }
        if text(&record.fields, "originatorId") == ORIGINATOR && text(&record.fields, "originId") == mark {
            desired.extend(["originatorId", "originId"].map(|name| (name.to_owned(), CrmValue::Empty)));
        }
        let set = crate::domain::change_set::change_set(&desired, &record.fields);
        if record.deleted || set.is_empty() {
            plan.unlinked.push(due.row.subject.clone());
            plan.links.push(LinkRow { crm_id: 0, ..link.clone() });
            plan.dropped.push(due.pair());
            return;
        }
        plan.writes.push(planned(due, deal, record.crm_id, set.write, Vec::new(), set.after, String::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_deal_bears_another_stay_by_its_fields_or_by_our_mark() {
        let deal = |of: &[(&str, &str)]| -> Fields {
            of.iter().map(|(name, value)| ((*name).to_owned(), CrmValue::Text((*value).to_owned()))).collect()
        };
        let free = deal(&[("originatorId", "another CRM"), ("originId", "GRAND:9")]);
        let own = deal(&[("UF_CRM_FB24_HOTEL", "GRAND"), ("UF_CRM_FB24_RESERVATION", "1")]);
        let copied = deal(&[("UF_CRM_FB24_HOTEL", "GRAND"), ("UF_CRM_FB24_RESERVATION", "9")]);
        let marked = deal(&[("originatorId", ORIGINATOR), ("originId", "GRAND:9")]);
        let verdicts = [free, own, copied, marked].map(|fields| is_anothers(&fields, "GRAND:1"));
        assert_eq!(verdicts, [false, false, true, true]);
    }
}
