//! A reconciliation's look at the portal, under its lease and behind everything else: what records hold now against what the
//! portal confirmed, and what it confirmed against what the store would have it hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value, json};

use super::decide::{RANK_CONTACT, RANK_DEAL, RANK_GROUP};
use super::engine::Engine;
use super::error::SyncError;
use super::events::hint_of;
use super::imports::Cursor;
use super::lanes::Delivery;
use super::lost::DUPLICATE_MARK;
use super::plan::{Due, Plan};
use super::reconcile::{DELETED_IN_CRM, DIFFERS_IN_CRM, Duty, MISSING_IN_CRM, Phase, REJECTED, TWICE, UNKNOWN_IN_PMS};
use super::reread::{Applied, READ_MOST, Seen};
use crate::bitrix::Priority;
use crate::bitrix::crm::items;
use crate::domain::{CrmEntity, CrmValue, PortalId, StayNumber, Subject};
use crate::store::jobs::{self, JobRow};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::{self, Intent, NewIntent, OutboxRow};
use crate::store::problems::{self, NewProblem};
use crate::store::reconciled_days::{self, ByDay};
use crate::store::reconciliations::{self, DriftRow};
use crate::store::{Tx, crm_records, inbox, reconciled_lots, stays};

/// Stays or guests compared with the portal at once.
const LOT: i64 = 200;
/// How long a step holds the portal at most while nobody waits for it.
const TURN_MS: i64 = 5_000;
const PRIORITY: Priority = Priority::Reconciliation;

impl Engine {
    /// One step, in turn with deliveries: whoever has live changes to send goes first.
    pub(super) async fn compare_portal(&self, portal: PortalId, job: &JobRow, cursor: Cursor) -> Result<(), SyncError> {
        let turn = self.turn(format!("portal:{portal}"));
        let _turn = turn.lock().await;
        let lease = Arc::new(self.portal_lease(portal).await?);
        let result = match Delivery::begin(self, portal, lease.clone()).await {
            Ok(delivery) => delivery.compare(job, cursor).await,
            Err(error) => Err(error),
        };
        lease.ended(&result).await;
        self.wake();
        result
    }
}

/// One lot compared: what differs, and what goes the ordinary way because of it.
#[derive(Default)]
struct Found {
    drift: Vec<DriftRow>,
    days: ByDay,
    intents: Vec<NewIntent>,
    problems: Vec<NewProblem>,
}

impl Found {
    fn note(&mut self, subject: &str, cause: &str, arrival: Option<NaiveDate>, detail: Value) {
        self.drift.push(DriftRow { subject: subject.to_owned(), cause: cause.to_owned(), arrival, detail });
    }
}

impl Delivery {
    async fn compare(&self, job: &JobRow, mut cursor: Cursor) -> Result<(), SyncError> {
        let Some(hotel) = self.ground.hotels.get(&job.hotel) else {
            return self.engine.fail_import(self.portal, job, cursor, "no_source").await;
        };
        let code = hotel.code.to_string();
        self.index_first().await?;
        let begun = self.now();
        while !self.gives_way(begun).await? {
            let goes_on = match cursor.course.phase.clone() {
                Phase::Records(CrmEntity::Deal, after) => {
                    self.compare_deals(job, &mut cursor, &code, after, begun).await?
                }
                Phase::Records(entity, after) => self.compare_people(job, &mut cursor, entity, after).await?,
                Phase::Guests(after) => self.compare_guests(job, &mut cursor, &after).await?,
                Phase::Groups(after) => self.compare_groups(job, &mut cursor, &after).await?,
                Phase::Stays(after) => self.compare_stays(job, &mut cursor, &after).await?,
                Phase::Over => return self.end(job).await,
            };
            self.engine.step("reconcile.compared")?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Whether somebody else should have the portal now.
    async fn gives_way(&self, begun: i64) -> Result<bool, SyncError> {
        let live = (super::lane(Priority::Person), super::lane(Priority::Live));
        Ok(self.now() - begun >= TURN_MS
            || self.lease.lost()
            || self.engine.stopping()
            || !outbox::due(self.db(), self.portal, live, &[], self.now(), 1).await?.is_empty())
    }

    /// A mark that stands on one record again is no problem any more.
    async fn end(&self, job: &JobRow) -> Result<(), SyncError> {
        let told = problems::subjects(self.db(), self.portal, job.hotel, DUPLICATE_MARK).await?;
        let linked = links::of_subjects(self.db(), self.portal, &told).await?;
        let twice = reconciliations::of_cause(self.db(), self.portal, &job.id, TWICE).await?;
        let over: Vec<String> =
            told.into_iter().filter(|subject| linked.contains_key(subject) && !twice.contains(subject)).collect();
        let tx = self.db().begin().await?;
        problems::over_all(&tx, self.portal, &over, DUPLICATE_MARK).await?;
        tx.commit().await?;
        jobs::step(self.db(), self.portal, &job.id, &["running"], "completed", self.now()).await?;
        Ok(())
    }

    /// Deals of the hotel by fast listing; who is linked and not listed is looked for by id.
    async fn compare_deals(
        &self,
        job: &JobRow,
        cursor: &mut Cursor,
        code: &str,
        after: i64,
        begun: i64,
    ) -> Result<bool, SyncError> {
        let select = self.select(CrmEntity::Deal);
        let select: Vec<&str> = select.iter().map(String::as_str).collect();
        let mut filter = Map::from_iter([("=UF_CRM_FB24_HOTEL".to_owned(), json!(code))]);
        // By night the list is of deals that were touched lately: what nobody knows of is among them. Those that stand for
        // a stay of the night's turn are looked for by id.
        let scope = cursor.course.scope;
        if let Some(scope) = scope {
            let form = self.moments(PRIORITY).await.map_err(|error| self.trouble(error))?;
            let since = scope.leaving_since.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
            filter.insert(">=updatedTime".to_owned(), json!(form.since(since)));
        }
        let listing = items(super::wire(CrmEntity::Deal), &select, filter);
        let (mut pager, mut after) = (self.client.list_all(PRIORITY, listing).after(after), after);
        let tracked = self.tracked(CrmEntity::Deal);
        loop {
            let asked_at = self.now();
            let rows = pager.next().await.map_err(|error| self.trouble(error))?;
            let upto = if rows.is_some() { pager.position() } else { i64::MAX };
            let mut seen: Vec<Seen> =
                rows.iter().flatten().filter_map(|item| self.see(CrmEntity::Deal, item, &tracked)).collect();
            let listed: BTreeSet<i64> = seen.iter().map(|record| record.id).collect();
            let mut gone = Vec::new();
            // Any number of them may lie between two pages.
            loop {
                let span = (after, upto);
                let linked =
                    reconciled_lots::linked(self.db(), self.portal, job.hotel, scope, CrmEntity::Deal, span, READ_MOST)
                        .await?;
                let Some(last) = linked.last().copied() else { break };
                let unlisted = linked.into_iter().filter(|id| !listed.contains(id)).collect();
                let (more, missing) = self.find(CrmEntity::Deal, unlisted).await?;
                seen.extend(more);
                gone.extend(missing);
                after = last;
            }
            let mut found = Found::default();
            self.standing(job, &cursor.course.duty, &seen, &mut found).await?;
            cursor.course.count(&found.days);
            cursor.course.phase = match rows {
                Some(_) => Phase::Records(CrmEntity::Deal, upto),
                None => Phase::Records(CrmEntity::Contact, 0),
            };
            let goes_on = self.keep_records(job, cursor, CrmEntity::Deal, seen, gone, asked_at, found).await?;
            if rows.is_none() || !goes_on || self.gives_way(begun).await? {
                return Ok(goes_on);
            }
            after = upto;
        }
    }

    /// Deals of stays, by day of arrival, and those that stand for nobody although they bear a mark of the hotel's.
    async fn standing(&self, job: &JobRow, duty: &Duty, seen: &[Seen], found: &mut Found) -> Result<(), SyncError> {
        let text = |record: &Seen, name: &str| match record.fields.get(name) {
            Some(CrmValue::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let ids: Vec<i64> = seen.iter().map(|record| record.id).collect();
        let linked = links::of_records(self.db(), self.portal, CrmEntity::Deal, &ids).await?;
        self.count_days(job, seen, &linked, found).await?;
        let linked: BTreeSet<i64> = linked.iter().map(|link| link.crm_id).collect();
        let marked: HashMap<String, (&Seen, StayNumber)> = seen
            .iter()
            .filter(|record| !linked.contains(&record.id))
            .filter_map(|record| {
                let number = StayNumber::parse(&text(record, "UF_CRM_FB24_RESERVATION")?).ok()?;
                Some((Subject::Stay(job.hotel, number.clone()).to_string(), (record, number)))
            })
            .collect();
        let subjects: Vec<String> = marked.keys().cloned().collect();
        let owners = links::of_subjects(self.db(), self.portal, &subjects).await?;
        let ids: Vec<i64> = owners.values().map(|link| link.crm_id).collect();
        let deleted = crm_records::deleted_among(self.db(), self.portal, CrmEntity::Deal, &ids).await?;
        let undecided = inbox::undecided_hashes(self.db(), self.portal, &subjects).await?;
        let numbers: Vec<String> = marked.values().map(|(_, number)| number.to_string()).collect();
        let known = stays::hashes(self.db(), self.portal, job.hotel, &numbers).await?;
        for (subject, (record, number)) in marked {
            let arrival = said_arrival(record);
            match owners.get(&subject) {
                // What became of a record that is gone is looked for elsewhere; a detached stay has none.
                Some(owner)
                    if deleted.contains(&owner.crm_id)
                        || owner.crm_id == record.id
                        || owner.origin == Origin::Detached => {}
                Some(owner) => {
                    let ids = json!({"entity": "deal", "ids": [owner.crm_id, record.id]});
                    found.note(&subject, TWICE, arrival, ids);
                }
                // The hotel's windows were read before: it would have been met.
                None if covers(job, arrival)
                    && duty.covers(arrival)
                    && !known.contains_key(number.as_str())
                    && !undecided.contains_key(&subject) =>
                {
                    found.note(&subject, UNKNOWN_IN_PMS, arrival, json!({"entity": "deal", "id": record.id}));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Each deal once, on the day that it says, else on the day of its stay; those of groups nowhere.
    async fn count_days(
        &self,
        job: &JobRow,
        seen: &[Seen],
        linked: &[LinkRow],
        found: &mut Found,
    ) -> Result<(), SyncError> {
        let stay_of = |link: &LinkRow| match link.subject.parse() {
            Ok(Subject::Stay(hotel, number)) if hotel == job.hotel => Some((link.crm_id, number.to_string())),
            _ => None,
        };
        let stays: BTreeMap<i64, String> = linked.iter().filter_map(stay_of).collect();
        let numbers: Vec<String> = stays.values().cloned().collect();
        let arrivals = reconciled_lots::arrivals(self.db(), self.portal, job.hotel, &numbers).await?;
        for record in seen {
            let Some(number) = stays.get(&record.id) else { continue };
            let day = said_arrival(record).or_else(|| arrivals.get(number).copied());
            if let Some(day) = day.filter(|day| covers(job, Some(*day))) {
                found.days.entry(day).or_default().crm += 1;
            }
        }
        Ok(())
    }

    /// Guests' or companies' records, by the ids that stand for somebody of the hotel.
    async fn compare_people(
        &self,
        job: &JobRow,
        cursor: &mut Cursor,
        entity: CrmEntity,
        after: i64,
    ) -> Result<bool, SyncError> {
        let (scope, span) = (cursor.course.scope, (after, i64::MAX));
        let ids = reconciled_lots::linked(self.db(), self.portal, job.hotel, scope, entity, span, READ_MOST).await?;
        cursor.course.phase = match (ids.last(), entity) {
            (Some(last), _) => Phase::Records(entity, *last),
            (None, CrmEntity::Contact) => Phase::Records(CrmEntity::Company, 0),
            (None, _) => Phase::Guests(String::new()),
        };
        let asked_at = self.now();
        let (seen, gone) = self.find(entity, ids.into_iter().collect()).await?;
        self.keep_records(job, cursor, entity, seen, gone, asked_at, Found::default()).await
    }

    /// Records by id, at most [`READ_MOST`], and those that are not there.
    async fn find(&self, entity: CrmEntity, ids: BTreeSet<i64>) -> Result<(Vec<Seen>, Vec<i64>), SyncError> {
        let (mut seen, mut gone) = (Vec::new(), Vec::new());
        if ids.is_empty() {
            return Ok((seen, gone));
        }
        let wanted = BTreeMap::from([(entity, ids)]);
        for (_, more, missing) in self.look_up(PRIORITY, &wanted).await.map_err(|error| self.trouble(error))? {
            seen.extend(more);
            gone.extend(missing);
        }
        Ok((seen, gone))
    }

    /// Takes over what records hold, as every look at them does, and notes what that changed.
    #[expect(clippy::too_many_arguments, reason = "one look at records and what came of it")]
    async fn keep_records(
        &self,
        job: &JobRow,
        cursor: &Cursor,
        entity: CrmEntity,
        seen: Vec<Seen>,
        gone: Vec<i64>,
        asked_at: i64,
        mut found: Found,
    ) -> Result<bool, SyncError> {
        let (_recording, tx) = self.recording().await?;
        let ids = seen.iter().map(|record| record.id).chain(gone.iter().copied());
        let news = self.told_of(&tx, entity, ids).await?;
        let Applied { ours, deleted, .. } = self.apply_in(&tx, entity, seen, &gone, asked_at).await?;
        let mut differing: Vec<(Subject, &str, i64)> = Vec::new();
        for (cause, records) in [(DIFFERS_IN_CRM, ours), (DELETED_IN_CRM, deleted)] {
            for (id, subjects) in records.into_iter().filter(|(id, _)| !news.contains(id)) {
                let subjects = subjects.iter().filter_map(|subject| subject.parse::<Subject>().ok());
                let of_hotel = subjects.filter(|subject| subject.hotel() == Some(job.hotel));
                differing.extend(of_hotel.map(|subject| (subject, cause, id)));
            }
        }
        let stay = |subject: &Subject| match subject {
            Subject::Stay(_, number) => Some(number.to_string()),
            _ => None,
        };
        let numbers: Vec<String> = differing.iter().filter_map(|(subject, ..)| stay(subject)).collect();
        let arrivals = reconciled_lots::arrivals(self.db(), self.portal, job.hotel, &numbers).await?;
        for (subject, cause, id) in differing {
            let arrival = stay(&subject).and_then(|number| arrivals.get(&number).copied());
            found.note(&subject.to_string(), cause, arrival, json!({"entity": entity.word(), "id": id}));
        }
        self.keep(tx, job, cursor, found).await
    }

    /// Of these records, those that the portal has told us of and nobody has looked at yet.
    async fn told_of(
        &self,
        tx: &Tx,
        entity: CrmEntity,
        ids: impl Iterator<Item = i64>,
    ) -> Result<BTreeSet<i64>, SyncError> {
        let hints: HashMap<String, i64> = ids
            .flat_map(|id| {
                let told = [false, true].map(|gone| hint_of(entity.type_id(), id, gone));
                told.into_iter().map(move |hint| (hint, id))
            })
            .collect();
        let subjects: Vec<String> = hints.keys().cloned().collect();
        let undecided = inbox::undecided_hashes(tx, self.portal, &subjects).await?;
        let looks = outbox::states(tx, self.portal, &subjects).await?;
        Ok(undecided.keys().chain(looks.keys()).filter_map(|hint| hints.get(hint).copied()).collect())
    }

    async fn compare_guests(&self, job: &JobRow, cursor: &mut Cursor, after: &str) -> Result<bool, SyncError> {
        let numbers =
            reconciled_lots::profiles_after(self.db(), self.portal, job.hotel, cursor.course.scope, after, LOT).await?;
        cursor.course.phase = numbers.last().map_or(Phase::Groups(String::new()), |last| Phase::Guests(last.clone()));
        let subjects: Vec<String> = numbers.iter().map(|number| format!("profile:{}:{number}", job.hotel)).collect();
        let mut plan = Plan::default();
        self.plan_people(&mut plan, dues(&subjects)).await?;
        self.keep_plan(job, cursor, plan, RANK_CONTACT, &HashMap::new()).await
    }

    async fn compare_groups(&self, job: &JobRow, cursor: &mut Cursor, after: &str) -> Result<bool, SyncError> {
        let lot = match self.ground.groups.contains_key(&job.hotel) {
            true => {
                reconciled_lots::groups_after(self.db(), self.portal, job.hotel, cursor.course.scope, after, LOT)
                    .await?
            }
            false => Vec::new(),
        };
        cursor.course.phase = lot.last().map_or(Phase::Stays(String::new()), |last| Phase::Groups(last.to_string()));
        let subjects: Vec<String> = lot.into_iter().map(|group| Subject::Group(job.hotel, group).to_string()).collect();
        let mut plan = Plan::default();
        self.plan_deals(&mut plan, dues(&subjects)).await?;
        self.keep_plan(job, cursor, plan, RANK_GROUP, &HashMap::new()).await
    }

    async fn compare_stays(&self, job: &JobRow, cursor: &mut Cursor, after: &str) -> Result<bool, SyncError> {
        let lot =
            reconciled_lots::stays_after(self.db(), self.portal, job.hotel, cursor.course.scope, after, LOT).await?;
        cursor.course.phase = lot.last().map_or(Phase::Over, |(last, _)| Phase::Stays(last.clone()));
        let arrivals: HashMap<String, NaiveDate> = lot
            .iter()
            .filter_map(|(number, arrival)| Some((format!("stay:{}:{number}", job.hotel), (*arrival)?)))
            .collect();
        let subjects: Vec<String> = lot.iter().map(|(number, _)| format!("stay:{}:{number}", job.hotel)).collect();
        let mut plan = Plan::default();
        self.plan_deals(&mut plan, dues(&subjects)).await?;
        self.keep_plan(job, cursor, plan, RANK_DEAL, &arrivals).await
    }

    /// What a delivery would do if it were asked to: what it would make is missing, what it would write differs.
    async fn keep_plan(
        &self,
        job: &JobRow,
        cursor: &Cursor,
        plan: Plan,
        rank: i32,
        arrivals: &HashMap<String, NaiveDate>,
    ) -> Result<bool, SyncError> {
        let mut causes: BTreeMap<String, &str> = BTreeMap::new();
        for write in &plan.writes {
            let cause = if write.target == 0 { MISSING_IN_CRM } else { DIFFERS_IN_CRM };
            causes.insert(write.subject.to_string(), cause);
        }
        for (_, subject) in &plan.read_for {
            causes.insert(subject.clone(), DIFFERS_IN_CRM);
        }
        for link in &plan.links {
            causes.insert(link.subject.clone(), MISSING_IN_CRM);
        }
        let twice: Vec<NewProblem> =
            plan.problems.into_iter().filter(|problem| problem.cause == DUPLICATE_MARK).collect();
        let told = twice.iter().map(|problem| problem.subject.clone());
        let subjects: Vec<String> = causes.keys().cloned().chain(told).collect();
        let tx = self.db().begin().await?;
        let rows = outbox::states(&tx, self.portal, &subjects).await?;
        // What is on its way is no drift.
        let on_its_way = |subject: &str| matches!(rows.get(subject), Some((outbox::WAITING | outbox::SENT, ..)));
        let undecided = inbox::undecided_hashes(&tx, self.portal, &subjects).await?;
        let now = self.now();
        let mut found = Found::default();
        for (subject, cause) in causes {
            if on_its_way(&subject) || undecided.contains_key(&subject) {
                continue;
            }
            let arrival = arrivals.get(&subject).copied();
            // Sent once more it would be refused once more: whoever sees to the problem has it tried again.
            if rows.contains_key(&subject) {
                found.note(&subject, REJECTED, arrival, json!({}));
                continue;
            }
            found.note(&subject, cause, arrival, json!({}));
            found.intents.push(NewIntent {
                subject,
                intent: Intent::Sync,
                priority: super::lane(PRIORITY),
                rank,
                not_before: 0,
                seen_at: now,
            });
        }
        for problem in twice.into_iter().filter(|problem| !on_its_way(&problem.subject)) {
            let arrival = arrivals.get(&problem.subject).copied();
            found.note(&problem.subject, TWICE, arrival, problem.params.clone());
            found.problems.push(problem);
        }
        self.keep(tx, job, cursor, found).await
    }

    async fn keep(&self, tx: Tx, job: &JobRow, cursor: &Cursor, found: Found) -> Result<bool, SyncError> {
        if !self.lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("portal:{}", self.portal)));
        }
        let now = self.now();
        reconciliations::note(&tx, self.portal, &job.id, &found.drift, now).await?;
        reconciled_days::add(&tx, self.portal, &job.id, &found.days).await?;
        outbox::add(&tx, self.portal, found.intents).await?;
        problems::raise(&tx, self.portal, &self.key, &found.problems, now).await?;
        // What came on has no failures in a row.
        let cursor = Cursor { failures: 0, not_before: 0, ..cursor.clone() };
        if !jobs::advance(&tx, self.portal, &job.id, &json!(cursor), None, now).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    fn trouble(&self, error: crate::bitrix::Error) -> SyncError {
        SyncError::Portal { portal: self.portal, error }
    }
}

/// When a deal says that its stay begins.
fn said_arrival(record: &Seen) -> Option<NaiveDate> {
    match record.fields.get("UF_CRM_FB24_ARRIVAL") {
        Some(CrmValue::Date(day)) => Some(*day),
        _ => None,
    }
}

/// Whether the hotel's own windows have covered this day of arrival.
fn covers(job: &JobRow, arrival: Option<NaiveDate>) -> bool {
    arrival.is_some_and(|day| (job.from..=job.to).contains(&day))
}

/// As if these were due: what would be planned for them now.
fn dues(subjects: &[String]) -> Vec<Due> {
    subjects
        .iter()
        .filter_map(|subject| {
            let row = OutboxRow::imagined(subject.clone(), super::lane(PRIORITY));
            Some(Due { subject: subject.parse().ok()?, row })
        })
        .collect()
}
