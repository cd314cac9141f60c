//! What a person decides about a problem: once more, or leave it; about one, or about all of a cause, step by step.

use super::chunk::STATUS_REFUSED;
use super::decide::{RANK_CONTACT, RANK_DEAL, RANK_GROUP};
use super::engine::Engine;
use super::error::SyncError;
use super::events::PAYLOAD;
use super::lost::DELETED;
use super::reread::PUTBACK_STOPPED;
use super::strangers;
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::{Change, Entity, HotelId, Known, Observed, PortalId, Stay, StayStatus, Subject};
use crate::store::crm_records::{self, RecordRow};
use crate::store::desk::undelivered;
use crate::store::inbox::{InboxKind, NewRow};
use crate::store::outbox::{Intent, NewIntent};
use crate::store::problems::ProblemRow;
use crate::store::remedies::{self, Action, CauseRow, RemedyRow};
use crate::store::{StoreError, Tx, inbox, links, outbox, problems, source_reading, stays};

/// Problems in one transaction.
const STEP: i64 = 100;

/// What a person must look into record by record: a status that Fidelio alone knows, numbers that stand for somebody else,
/// records that people deleted (making thousands anew would set off the portal's robots for each).
const ONE_BY_ONE: [&str; 3] = [STATUS_REFUSED, strangers::CAUSE, DELETED];

/// Problems with one cause, and what people said of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseView {
    pub of: CauseRow,
    /// Under way.
    pub action: Option<Action>,
}

impl CauseView {
    /// Whether all of them may be tried again at once.
    pub fn may_retry_all(&self) -> bool {
        !ONE_BY_ONE.contains(&self.of.cause.as_str())
    }
}

impl Engine {
    /// Tries the problem's record again at once.
    pub async fn retry_problem(&self, portal: PortalId, id: i64) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let problem = problems::by_id(&deps.db, portal, &key, id).await?.ok_or(SyncError::NotFound)?;
        let tx = deps.db.begin().await?;
        crm_records::hold(&tx, portal).await?;
        self.retry_in(&tx, portal, &key, &problem, Priority::Person).await?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    /// `urgency`: of one that a person waits for, or of one among thousands, which keep the lanes they were in.
    async fn retry_in(
        &self,
        tx: &Tx,
        portal: PortalId,
        key: &TenantKey,
        problem: &ProblemRow,
        urgency: Priority,
    ) -> Result<(), SyncError> {
        let subjects = std::slice::from_ref(&problem.subject);
        if [PUTBACK_STOPPED, DELETED].contains(&problem.cause.as_str()) {
            for link in links::of_subjects(tx, portal, subjects).await?.into_values() {
                let held = crm_records::load(tx, portal, key, link.entity, &[link.crm_id]).await?;
                let mut records: Vec<RecordRow> = held.into_values().collect();
                for record in &mut records {
                    if problem.cause == PUTBACK_STOPPED {
                        record.putbacks.forgive();
                    } else {
                        // Somebody may have restored it meanwhile: it is looked at first.
                        record.doubt();
                    }
                }
                crm_records::save(tx, portal, key, &records).await?;
            }
        }
        if let (strangers::CAUSE, Some(hotel)) = (problem.cause.as_str(), problem.hotel) {
            source_reading::resume_hotel(tx, portal, hotel, strangers::REINSTALLED).await?;
            outbox::release_hotel(tx, portal, hotel).await?;
        }
        if problem.cause == STATUS_REFUSED {
            self.confirm_status(tx, portal, key, problem).await?;
        }
        if problem.cause == undelivered::CAUSE {
            undelivered::retry(tx, portal, &problem.subject, self.0.deps.clock.now_ms()).await?;
        }
        inbox::revive(tx, portal, &problem.subject).await?;
        if outbox::retry(tx, portal, &problem.subject, urgency == Priority::Person).await? == 0
            && let Some(rank) = problem.subject.parse().ok().as_ref().and_then(rank_of)
        {
            let intent = NewIntent {
                subject: problem.subject.clone(),
                intent: Intent::Sync,
                priority: super::lane(urgency),
                rank,
                not_before: 0,
                seen_at: self.0.deps.clock.now_ms(),
            };
            outbox::add(tx, portal, vec![intent]).await?;
        }
        problems::set_state(tx, portal, problem.id, "retried", "").await?;
        Ok(())
    }

    /// The refused status, as what a person says of the stay.
    async fn confirm_status(
        &self,
        tx: &Tx,
        portal: PortalId,
        key: &TenantKey,
        problem: &ProblemRow,
    ) -> Result<(), SyncError> {
        let Ok(Subject::Stay(hotel, number)) = problem.subject.parse() else { return Ok(()) };
        let Ok(status) = serde_json::from_value::<StayStatus>(problem.params.get("to").cloned().unwrap_or_default())
        else {
            return Ok(());
        };
        let id = (hotel, number.clone());
        let Some(held) = stays::load(tx, portal, key, std::slice::from_ref(&id)).await?.remove(&id) else {
            return Ok(());
        };
        let now = self.0.deps.clock.now();
        let mut said = Stay::new(number);
        said.status = Known::Is(status);
        let observed = Observed { source: held.source, pms_time: held.pms_time, received_at: now };
        let change = Change { entity: Entity::Stay(Box::new(said)), observed };
        let plain = serde_json::to_vec(&change).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
        let row = NewRow {
            hotel,
            kind: InboxKind::Confirmed,
            subject: problem.subject.clone(),
            priority: super::lane(Priority::Live),
            payload: key.seal(PAYLOAD, &plain).map_err(StoreError::Crypto)?,
            hash: held.hash,
        };
        inbox::add(tx, portal, vec![row], now.timestamp_millis()).await?;
        Ok(())
    }

    pub async fn dismiss_problem(&self, portal: PortalId, id: i64, note: &str) -> Result<(), SyncError> {
        let tx = self.0.deps.db.begin().await?;
        if !problems::set_state(&tx, portal, id, "dismissed", note).await? {
            return Err(SyncError::NotFound);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Problems by cause, with their numbers.
    pub async fn problem_causes(
        &self,
        portal: PortalId,
        state: &str,
        hotel: Option<HotelId>,
    ) -> Result<Vec<CauseView>, SyncError> {
        let db = &self.0.deps.db;
        let asked = remedies::open(db, portal).await?;
        let causes = remedies::causes(db, portal, state, hotel).await?;
        let view = |of: CauseRow| {
            let about = |remedy: &&RemedyRow| {
                (&remedy.kind, &remedy.cause) == (&of.kind, &of.cause)
                    && (remedy.hotel.is_none() || remedy.hotel == hotel)
            };
            let action = asked.iter().find(about).map(|remedy| remedy.action).filter(|_| state == "open");
            CauseView { of, action }
        };
        Ok(causes.into_iter().map(view).collect())
    }

    /// All open problems of a cause are tried again or put away; answers how many. It is done in steps, so that thousands
    /// neither make one long transaction nor stand before what is new.
    pub async fn remedy(
        &self,
        portal: PortalId,
        hotel: Option<HotelId>,
        (kind, cause): (&str, &str),
        (action, note): (Action, &str),
        by: i64,
    ) -> Result<i64, SyncError> {
        let deps = &self.0.deps;
        if action == Action::Retry && ONE_BY_ONE.contains(&cause) {
            return Err(SyncError::Conflict("cause_one_by_one"));
        }
        let causes = remedies::causes(&deps.db, portal, "open", hotel).await?;
        let found = causes.into_iter().find(|of| of.kind == kind && of.cause == cause).ok_or(SyncError::NotFound)?;
        let remedy = RemedyRow {
            hotel,
            kind: kind.to_owned(),
            cause: cause.to_owned(),
            action,
            note: note.to_owned(),
            asked_at: deps.clock.now_ms(),
        };
        remedies::ask(&deps.db, portal, &remedy, by).await?;
        self.wake();
        Ok(found.records)
    }

    /// The next step of what was said of all problems of a cause; `false`: nothing was.
    pub async fn remedy_step(&self, portal: PortalId) -> Result<bool, SyncError> {
        let deps = &self.0.deps;
        let Some(remedy) = remedies::open(&deps.db, portal).await?.into_iter().next() else { return Ok(false) };
        let key = deps.portals.key(portal).await?;
        let tx = deps.db.begin().await?;
        crm_records::hold(&tx, portal).await?;
        if !remedies::take(&tx, portal, &remedy).await? {
            return Ok(true);
        }
        let found = remedies::problems(&tx, portal, &key, &remedy, STEP).await?;
        match remedy.action {
            _ if found.is_empty() => remedies::end(&tx, portal, &remedy).await?,
            Action::Dismiss => {
                let ids: Vec<i64> = found.iter().map(|problem| problem.id).collect();
                remedies::dismiss(&tx, portal, &ids, &remedy.note).await?;
            }
            Action::Retry => {
                for problem in &found {
                    match self.retry_in(&tx, portal, &key, problem, Priority::Import).await {
                        Err(SyncError::Store(error @ (StoreError::Corrupt(_) | StoreError::Crypto(_)))) => {
                            tracing::warn!(%portal, problem = problem.id, %error, "a problem's record cannot be opened");
                            remedies::dismiss(&tx, portal, &[problem.id], "").await?;
                        }
                        done => done?,
                    }
                }
            }
        }
        tx.commit().await?;
        self.step("remedy.stepped")?;
        self.wake();
        Ok(true)
    }
}

/// Of subjects that a record stands for.
fn rank_of(subject: &Subject) -> Option<i32> {
    match subject {
        Subject::Stay(..) => Some(RANK_DEAL),
        Subject::Group(..) => Some(RANK_GROUP),
        Subject::Profile(..) => Some(RANK_CONTACT),
        Subject::Crm(..) | Subject::Note(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::RETRY_SECONDS;

    /// The schedule as a person writes it: `10 s, 1 min, 5 min, 30 min, 2 h, 6 h`.
    fn schedule(names: [&str; 3]) -> String {
        let [seconds, minutes, hours] = names;
        let one = |pause: &i64| match *pause {
            pause if pause % 3_600 == 0 => format!("{} {hours}", pause / 3_600),
            pause if pause % 60 == 0 => format!("{} {minutes}", pause / 60),
            pause => format!("{pause} {seconds}"),
        };
        RETRY_SECONDS.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn s1_the_published_schedule_of_tries_is_the_one_in_force() {
        let (en, ru) = (schedule(["s", "min", "h"]), schedule(["с", "мин", "ч"]));
        for (name, text, schedule) in [
            ("README.md", include_str!("../../README.md"), &en),
            ("docs/guide.en.md", include_str!("../../docs/guide.en.md"), &en),
            ("docs/guide.ru.md", include_str!("../../docs/guide.ru.md"), &ru),
        ] {
            let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(plain.contains(schedule.as_str()), "{name} does not say {schedule}");
        }
    }
}
