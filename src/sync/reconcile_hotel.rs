//! A reconciliation's look at the hotel: its windows of arrivals and who is in house since long, one a step, compared with
//! the store as they are read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use super::imports::Cursor;
use super::intake::Intake;
use super::lease::HeldLease;
use super::missing::{MISSING, problems_of};
use super::reconcile::{DIFFERS_IN_STORE, Duty, MISSING_IN_STORE, UNKNOWN_IN_PMS};
use super::strangers::{Guarded, PURGED_AFTER, REINSTALLED};
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::{Change, Entity, Known, PortalId, ProfileNumber, StayNumber, Subject};
use crate::fidelio::{Read, Source};
use crate::store::jobs::{self, JobRow};
use crate::store::problems;
use crate::store::reconciled_days::{self, ByDay};
use crate::store::reconciliations::{self, Arriving, DriftRow};
use crate::store::sources::SourceRow;

/// What changed so lately is news that a poll brings, whatever the clocks and the overlap of its windows.
const NEWS: TimeDelta = TimeDelta::minutes(20);
/// For so long windows that find nothing are read one after another; then polls have their turn.
const TURN_MS: i64 = 2_000;

/// What an intake notes for a reconciliation.
pub struct Audit {
    pub job: String,
    /// Stays met, by number; and when those arrive that are the store's business.
    pub met: BTreeMap<String, Option<NaiveDate>>,
    news_since: NaiveDateTime,
    duty: Duty,
    /// Whom the stays name that are taken in.
    named: BTreeSet<ProfileNumber>,
}

impl Audit {
    fn new(job: &JobRow, cursor: &Cursor, row: &SourceRow, now: DateTime<Utc>) -> Self {
        let zone: chrono_tz::Tz = row.site.timezone.parse().unwrap_or(chrono_tz::UTC);
        let news_since = (now - NEWS).with_timezone(&zone).naive_local();
        let (job, duty) = (job.id.clone(), cursor.course.duty.clone());
        Self { job, met: BTreeMap::new(), news_since, duty, named: BTreeSet::new() }
    }

    /// What was read together; people may come before the stays that name them.
    pub fn meet(&mut self, changes: &[Change], known: impl Fn(&Change) -> bool) {
        for change in changes {
            let Entity::Stay(stay) = &change.entity else { continue };
            let takes = self.takes(known(change), change);
            self.met.insert(stay.number.to_string(), stay.arrival.get().copied().filter(|_| takes));
            if takes {
                let partners = [&stay.company, &stay.travel_agent, &stay.source_profile];
                let named = stay.guests().into_iter().chain(partners.into_iter().filter_map(Known::get));
                self.named.extend(named.cloned());
            }
        }
    }

    /// Whether it is taken in at all: what the store knows, what it has to know, and whom that names.
    pub fn takes(&self, known: bool, change: &Change) -> bool {
        known
            || match &change.entity {
                Entity::Stay(stay) => self.duty.knows(stay),
                Entity::Profile(profile) => self.named.contains(&profile.number),
            }
    }

    /// What of it is drift; `known`: the store has it, otherwise.
    pub fn drift(&self, subject: &str, known: bool, change: &Change) -> Option<DriftRow> {
        let lately = change.observed.pms_time.is_some_and(|at| at > self.news_since);
        let arrival = match &change.entity {
            Entity::Stay(stay) => stay.arrival.get().copied(),
            Entity::Profile(_) => None,
        };
        let cause = if known { DIFFERS_IN_STORE } else { MISSING_IN_STORE };
        (!lately).then(|| DriftRow { subject: subject.to_owned(), cause: cause.to_owned(), arrival, detail: json!({}) })
    }
}

impl Engine {
    /// Reads windows and compares them; what the hotel says otherwise is in the inbox afterwards.
    #[expect(clippy::too_many_arguments, reason = "what an import has at hand when it reads")]
    pub(super) async fn compare_hotel(
        &self,
        portal: PortalId,
        job: &JobRow,
        mut cursor: Cursor,
        row: &SourceRow,
        key: &TenantKey,
        source: &dyn Source,
        lease: &HeldLease,
        windows: &[Read],
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let begun = deps.clock.now_ms();
        while let Some(what) = windows.get(cursor.window) {
            // Of whoever is in house what differs is found; who is missing, and the figures of the day, come with arrivals.
            let window = match what {
                Read::Arrivals { from, to } => Some((*from, *to)),
                _ => None,
            };
            let intake = Intake::new(deps, lease, key, portal, job.hotel, Priority::Reconciliation);
            let audit = Some(Audit::new(job, &cursor, row, deps.clock.now()));
            let mut intake = Intake { audit, ..intake };
            let Some(unread) = self.compare_read(portal, job, &cursor, source, what, &mut intake).await? else {
                return Ok(());
            };
            let since = (deps.clock.now() - PURGED_AFTER).date_naive();
            let held = match window {
                Some(window) => reconciliations::arriving(&deps.db, portal, job.hotel, window, since).await?,
                None => Vec::new(),
            };
            let met = intake.audit.as_ref().map(|audit| audit.met.clone()).unwrap_or_default();
            let absent: Vec<&Arriving> = held
                .iter()
                .filter(|stay| stay.of_late && !met.contains_key(&stay.number) && !unread.contains(&stay.number))
                .collect();
            // Asked for by number: what moved to another day is there.
            let numbers: Vec<_> = absent.iter().filter_map(|stay| StayNumber::parse(&stay.number).ok()).collect();
            let mut gone = BTreeSet::new();
            if !numbers.is_empty() {
                let what = Read::Stays { numbers };
                let Some(missing) = self.compare_read(portal, job, &cursor, source, &what, &mut intake).await? else {
                    return Ok(());
                };
                gone = missing;
            }
            let gone: Vec<&Arriving> = absent.into_iter().filter(|stay| gone.contains(&stay.number)).collect();
            self.step("reconcile.read")?;
            (cursor.failures, cursor.not_before) = (0, 0);
            cursor.window += 1;
            let mut days = ByDay::new();
            for day in met.values().flatten().filter(|_| window.is_some()) {
                days.entry(*day).or_default().pms += 1;
            }
            for day in held.iter().filter_map(|stay| stay.arrival) {
                days.entry(day).or_default().store += 1;
            }
            cursor.course.count(&days);
            if !self.keep_window(portal, job, &cursor, key, lease, &gone, &days).await? {
                break;
            }
            if intake.taken > 0 || deps.clock.now_ms() - begun >= TURN_MS || lease.lost() || self.stopping() {
                break;
            }
        }
        Ok(())
    }

    /// One read; answers the stays it could not tell of: not understood, or not there. `None`: it ended the step.
    async fn compare_read(
        &self,
        portal: PortalId,
        job: &JobRow,
        cursor: &Cursor,
        source: &dyn Source,
        what: &Read,
        intake: &mut Intake<'_>,
    ) -> Result<Option<BTreeSet<String>>, SyncError> {
        let key = intake.key.clone();
        match self.read_guarded(source, what, &serde_json::Value::Null, intake).await? {
            Guarded::Strangers => self.fail_import(portal, job, cursor.clone(), REINSTALLED).await.map(|()| None),
            Guarded::Read(Err(error)) => self.put_off(portal, job, cursor.clone(), error).await.map(|()| None),
            Guarded::Read(Ok(report)) => {
                self.unread(portal, &key, job.hotel, &report).await?;
                Ok(Some(match what {
                    Read::Stays { .. } => report.missing.into_iter().collect(),
                    _ => report.unreadable.into_iter().map(|record| record.number).collect(),
                }))
            }
        }
    }

    /// Records what a window came to. Reservations that the hotel does not know are told to people: nothing else is done.
    #[expect(clippy::too_many_arguments, reason = "one window and what came of it")]
    async fn keep_window(
        &self,
        portal: PortalId,
        job: &JobRow,
        cursor: &Cursor,
        key: &TenantKey,
        lease: &HeldLease,
        gone: &[&Arriving],
        days: &ByDay,
    ) -> Result<bool, SyncError> {
        let (db, now) = (&self.0.deps.db, self.0.deps.clock.now_ms());
        let subject = |stay: &Arriving| {
            StayNumber::parse(&stay.number).ok().map(|number| Subject::Stay(job.hotel, number).to_string())
        };
        let drift: Vec<DriftRow> = gone
            .iter()
            .filter_map(|stay| {
                let (subject, cause) = (subject(stay)?, UNKNOWN_IN_PMS.to_owned());
                Some(DriftRow { subject, cause, arrival: stay.arrival, detail: json!({}) })
            })
            .collect();
        let told: BTreeSet<String> = match gone {
            [] => BTreeSet::new(),
            _ => problems::subjects(db, portal, job.hotel, MISSING).await?.into_iter().collect(),
        };
        let news: Vec<String> = gone
            .iter()
            .filter(|stay| subject(stay).is_some_and(|subject| !told.contains(&subject)))
            .map(|stay| stay.number.clone())
            .collect();
        let tx = db.begin().await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("hotel:{}", job.hotel)));
        }
        reconciliations::note(&tx, portal, &job.id, &drift, now).await?;
        reconciled_days::add(&tx, portal, &job.id, days).await?;
        problems::raise(&tx, portal, key, &problems_of(job.hotel, &news), now).await?;
        if !jobs::advance(&tx, portal, &job.id, &json!(cursor), None, now).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }
}
