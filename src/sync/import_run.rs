//! Imports and what else reads a hotel window by window at work: one window of arrivals a step, under the hotel's lease, so
//! that polls come in between.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::json;

use super::answers::{ms, of_limits, of_portal};
use super::engine::Engine;
use super::error::SyncError;
use super::imports::{Cursor, reads};
use super::intake::{Intake, content_hash, known, subject_of};
use super::lease::HeldLease;
use super::strangers::{Guarded, REINSTALLED};
use crate::bitrix::{self, Class};
use crate::crypto::TenantKey;
use crate::domain::{Change, Entity, Mapping, PortalId};
use crate::fidelio::{Read, Sink, Source, SourceError};
use crate::store::hotels::{self, HotelRow};
use crate::store::imports;
use crate::store::jobs::{self, Family, IMPORTS, JobKind, JobRow, RECONCILIATIONS};
use crate::store::{Db, StoreError, links, mappings, sources, stays};

/// Failed reads in a row after which a job gives up and says why: with these waits some six hours, as long as a server's
/// maintenance by night.
const GIVE_UP: u32 = 32;
const WAIT_MS: i64 = 5_000;
const WAIT_MOST_MS: i64 = 15 * 60_000;
/// For so long empty windows are read one after another; then polls have their turn.
const EMPTY_FOR_MS: i64 = 2_000;

/// The kinds of records that an estimate counts.
const COUNTED: [&str; 3] = ["stay", "guest", "company"];

/// What of a window would be written: what is new or changed, of stays that the mapping carries over or that have a deal, and
/// whom these name.
struct Counting<'a> {
    db: &'a Db,
    key: &'a TenantKey,
    portal: PortalId,
    hotel: &'a HotelRow,
    mapping: &'a Mapping,
    met_any: bool,
    stays: BTreeSet<String>,
    named: BTreeSet<String>,
    /// New or changed ones, and whether they are companies.
    profiles: BTreeMap<String, bool>,
}

impl Counting<'_> {
    fn kinds(&self) -> [(&'static str, BTreeSet<&String>); 3] {
        let of = |wanted: bool| {
            let profiles = self.profiles.iter().filter(move |(_, company)| **company == wanted);
            profiles.map(|(number, _)| number).filter(|number| self.named.contains(*number)).collect()
        };
        let [stays, guests, companies] = COUNTED;
        [(stays, self.stays.iter().collect()), (guests, of(false)), (companies, of(true))]
    }

    async fn weigh(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.met_any |= !changes.is_empty();
        let known = known(self.db, self.portal, self.hotel.id, &changes).await?;
        let subjects: Vec<String> =
            changes.iter().map(|change| subject_of(self.hotel.id, change).to_string()).collect();
        let linked = links::of_subjects(self.db, self.portal, &subjects).await?;
        for (change, subject) in changes.into_iter().zip(subjects) {
            // What is known and not there yet is on its way, or was refused: it is to be written all the same.
            let stands = linked.contains_key(&subject);
            let news = !stands || known.get(&subject) != Some(&content_hash(self.key, &change)?);
            match change.entity {
                Entity::Stay(stay) => {
                    if !stands && !self.mapping.carries(&self.hotel.code, &stay) {
                        continue;
                    }
                    self.named.extend(stays::roles(&stay).into_iter().map(|(number, _)| number.to_string()));
                    if news {
                        self.stays.insert(stay.number.to_string());
                    }
                }
                Entity::Profile(profile) if news => {
                    let company = profile.kind.get().is_some_and(|kind| kind.is_company());
                    self.profiles.insert(profile.number.to_string(), company);
                }
                Entity::Profile(_) => {}
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for Counting<'_> {
    async fn take(&mut self, changes: Vec<Change>, _state: Option<serde_json::Value>) -> Result<(), SourceError> {
        self.weigh(changes).await.map_err(|error| SourceError::Sink(error.to_string()))
    }

    fn keeps(&self) -> bool {
        false
    }
}

impl Engine {
    /// One step of the portal's oldest import that can go on; `false`: there is none.
    pub async fn import_step(&self, portal: PortalId) -> Result<bool, SyncError> {
        self.job_step(portal, IMPORTS).await
    }

    /// The same of a reconciliation.
    pub async fn reconcile_step(&self, portal: PortalId) -> Result<bool, SyncError> {
        self.job_step(portal, RECONCILIATIONS).await
    }

    async fn job_step(&self, portal: PortalId, family: Family) -> Result<bool, SyncError> {
        let deps = &self.0.deps;
        let now = deps.clock.now_ms();
        let mut trouble = None;
        for job in jobs::unfinished(&deps.db, portal, family).await? {
            let cursor = match Cursor::of(&job) {
                Ok(cursor) => cursor,
                Err(error) => {
                    tracing::error!(%portal, job = %job.id, %error, "where a job stands cannot be read: it ends");
                    jobs::step(&deps.db, portal, &job.id, &["queued", "running"], "failed", now).await?;
                    continue;
                }
            };
            if cursor.not_before > now {
                continue;
            }
            if job.state == "queued" && !jobs::step(&deps.db, portal, &job.id, &["queued"], "running", now).await? {
                continue;
            }
            match Box::pin(self.import_window(portal, &job, cursor)).await {
                // What is read and waits to be sent keeps no other hotel from being read.
                Err(SyncError::Elsewhere(_)) | Ok(false) => {}
                // Neither does one hotel's trouble; it is told all the same.
                Ok(true) => return trouble.map_or(Ok(true), Err),
                Err(error @ SyncError::Stopped(_)) => return Err(error),
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        trouble.map_or(Ok(false), Err)
    }

    /// `false`: there was nothing to do for it now.
    async fn import_window(&self, portal: PortalId, job: &JobRow, cursor: Cursor) -> Result<bool, SyncError> {
        let windows = reads(job, &cursor);
        if cursor.window >= windows.len() {
            return match job.kind {
                JobKind::Import => self.finish_import(portal, job).await,
                JobKind::Estimate => self.finish_estimate(portal, job).await.map(|()| true),
                // Boxed, here and below: the step of an import need not have room for it.
                JobKind::Reconciliation => match Box::pin(self.compare_portal(portal, job, cursor)).await {
                    Err(SyncError::Portal { error, .. }) => self.portal_trouble(portal, job, error).await,
                    result => result,
                }
                .map(|()| true),
                // Reads no hotel.
                JobKind::Replay => Ok(false),
            };
        }
        let turn = self.turn(format!("hotel:{}", job.hotel));
        let Ok(_turn) = turn.try_lock() else { return Err(SyncError::Elsewhere(format!("hotel:{}", job.hotel))) };
        let lease = self.hotel_lease(job.hotel).await?;
        let work = Box::pin(self.import_under(portal, job, cursor, &windows, &lease));
        let result = self.unless_stopping(work).await.unwrap_or(Ok(()));
        lease.ended(&result).await;
        self.wake();
        result.map(|()| true)
    }

    async fn import_under(
        &self,
        portal: PortalId,
        job: &JobRow,
        mut cursor: Cursor,
        windows: &[Read],
        lease: &HeldLease,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let sources = sources::of_hotel(&deps.db, portal, &key, job.hotel).await?;
        let Some(row) = sources.into_iter().find(|row| row.kind != "fias") else {
            return self.fail_import(portal, job, cursor, "no_source").await;
        };
        // Whatever a person must look at first, an import must not pass by.
        if row.health.state == "stopped" {
            return self.fail_import(portal, job, cursor, &row.health.detail).await;
        }
        if job.kind == JobKind::Import && row.last_ok_at.is_none() {
            return self.follow_first(portal, job, cursor, row.id, key, lease).await;
        }
        let source = match (deps.sources)(&row) {
            Ok(source) => source,
            Err(error) => return self.put_off(portal, job, cursor, error).await,
        };
        let source = source.as_ref();
        match job.kind {
            JobKind::Import => {}
            JobKind::Replay => return Ok(()),
            JobKind::Estimate => return self.count(portal, job, cursor, source, &key, lease, windows).await,
            JobKind::Reconciliation => {
                return Box::pin(self.compare_hotel(portal, job, cursor, &row, &key, source, lease, windows)).await;
            }
        }
        let begun = deps.clock.now_ms();
        while let Some(what) = windows.get(cursor.window) {
            let mut intake = Intake::new(deps, lease, &key, portal, job.hotel, Self::import_priority());
            let read = self.read_guarded(source, what, &serde_json::Value::Null, &mut intake).await?;
            self.step("import.read")?;
            match read {
                Guarded::Strangers => return self.fail_import(portal, job, cursor, REINSTALLED).await,
                Guarded::Read(Err(error)) => return self.put_off(portal, job, cursor, error).await,
                Guarded::Read(Ok(report)) => self.unread(portal, &key, job.hotel, &report).await?,
            }
            (cursor.failures, cursor.not_before) = (0, 0);
            cursor.window += 1;
            let now = deps.clock.now_ms();
            let goes_on = jobs::advance(&deps.db, portal, &job.id, &json!(cursor), None, now).await?;
            // Windows that brought nothing need no step of their own; what was brought may be decided meanwhile.
            if !goes_on || intake.taken > 0 || now - begun >= EMPTY_FOR_MS || lease.lost() || self.stopping() {
                break;
            }
        }
        Ok(())
    }

    /// The first look at what changes sets the position that later ones go on from. It comes before the first window:
    /// what is booked between the two would be in neither.
    async fn follow_first(
        &self,
        portal: PortalId,
        job: &JobRow,
        cursor: Cursor,
        source: i64,
        key: TenantKey,
        lease: &HeldLease,
    ) -> Result<(), SyncError> {
        Box::pin(self.poll_under(portal, source, key.clone(), lease)).await?;
        match sources::by_id(&self.0.deps.db, portal, &key, source).await? {
            Some(row) if row.last_ok_at.is_none() && row.health.state != "stopped" => {
                let reason = format!("its changes: {}", row.health.detail);
                self.put_off(portal, job, cursor, SourceError::Unreachable(reason)).await
            }
            _ => Ok(()),
        }
    }

    /// A read failed: tried again later, or given up with its reason.
    pub(super) async fn put_off(
        &self,
        portal: PortalId,
        job: &JobRow,
        mut cursor: Cursor,
        error: SourceError,
    ) -> Result<(), SyncError> {
        match error {
            SourceError::Credentials => return self.fail_import(portal, job, cursor, "credentials").await,
            SourceError::Address(_) => return self.fail_import(portal, job, cursor, "address").await,
            _ => {}
        }
        cursor.failures += 1;
        if cursor.failures >= GIVE_UP {
            return self.fail_import(portal, job, cursor, "unreachable").await;
        }
        tracing::warn!(%portal, hotel = %job.hotel, %error, "a window of an import could not be read");
        self.wait(portal, job, cursor, 0).await
    }

    /// The same of a read that the portal refused. Limits and what concerns the whole portal are no fault of the job's.
    async fn portal_trouble(&self, portal: PortalId, job: &JobRow, error: bitrix::Error) -> Result<(), SyncError> {
        if of_portal(&error) || of_limits(&error) {
            return Err(SyncError::Portal { portal, error });
        }
        // It may have come on before.
        let Some(job) = jobs::get(&self.0.deps.db, portal, &job.id).await? else { return Ok(()) };
        let mut cursor = Cursor::of(&job)?;
        tracing::warn!(%portal, hotel = %job.hotel, %error, "a reconciliation could not read the portal");
        if error.class == Class::Permanent {
            return self.fail_import(portal, &job, cursor, "portal_refused").await;
        }
        cursor.failures += 1;
        if cursor.failures >= GIVE_UP {
            return self.fail_import(portal, &job, cursor, "portal_unreachable").await;
        }
        self.wait(portal, &job, cursor, ms(&error)).await
    }

    /// After its last failure a job waits the longer the more there were.
    async fn wait(&self, portal: PortalId, job: &JobRow, mut cursor: Cursor, at_least: i64) -> Result<(), SyncError> {
        let now = self.0.deps.clock.now_ms();
        let doubled = WAIT_MS << (cursor.failures.clamp(1, 16) - 1);
        cursor.not_before = now + doubled.min(WAIT_MOST_MS).max(at_least);
        jobs::advance(&self.0.deps.db, portal, &job.id, &json!(cursor), None, now).await?;
        Ok(())
    }

    /// Windows are read and forgotten, but for the numbers of what would be written.
    #[expect(clippy::too_many_arguments, reason = "what an import has at hand when it reads")]
    async fn count(
        &self,
        portal: PortalId,
        job: &JobRow,
        mut cursor: Cursor,
        source: &dyn Source,
        key: &TenantKey,
        lease: &HeldLease,
        windows: &[Read],
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let begun = deps.clock.now_ms();
        let Some(hotel) = hotels::by_id(&deps.db, portal, job.hotel).await? else { return Ok(()) };
        let mapping = mappings::active(&deps.db, portal, job.hotel).await?.mapping;
        while let Some(what) = windows.get(cursor.window) {
            let mut counting = Counting {
                db: &deps.db,
                key,
                portal,
                hotel: &hotel,
                mapping: &mapping,
                met_any: false,
                stays: BTreeSet::new(),
                named: BTreeSet::new(),
                profiles: BTreeMap::new(),
            };
            if let Err(error) = source.read(what, &serde_json::Value::Null, &mut counting).await {
                return self.put_off(portal, job, cursor, error).await;
            }
            self.step("estimate.read")?;
            (cursor.failures, cursor.not_before) = (0, 0);
            cursor.window += 1;
            let now = deps.clock.now_ms();
            let tx = deps.db.begin().await?;
            for (kind, numbers) in counting.kinds() {
                imports::met(&tx, portal, &job.id, kind, numbers.into_iter()).await?;
            }
            if !lease.holds(&tx).await? || !jobs::advance(&tx, portal, &job.id, &json!(cursor), None, now).await? {
                return Ok(());
            }
            tx.commit().await?;
            if counting.met_any || now - begun >= EMPTY_FOR_MS || self.stopping() {
                break;
            }
        }
        Ok(())
    }

    async fn finish_estimate(&self, portal: PortalId, job: &JobRow) -> Result<(), SyncError> {
        let (deps, db) = (&self.0.deps, &self.0.deps.db);
        let [stays, guests, companies] = COUNTED;
        let estimate = self.estimate(
            portal,
            imports::count_met(db, portal, &job.id, stays).await?,
            imports::count_met(db, portal, &job.id, guests).await?,
            imports::count_met(db, portal, &job.id, companies).await?,
            deps.portals.terms(portal).await.map(|terms| terms.can_import).unwrap_or(true),
        );
        let estimate = estimate.await;
        let now = deps.clock.now_ms();
        jobs::advance(db, portal, &job.id, &job.progress, Some(&json!(estimate)), now).await?;
        jobs::step(db, portal, &job.id, &["running"], "completed", now).await?;
        imports::forget_met(db, portal, &job.id).await?;
        Ok(())
    }

    /// All is read: what it was is known now; it is over when all of it was sent.
    async fn finish_import(&self, portal: PortalId, job: &JobRow) -> Result<bool, SyncError> {
        let deps = &self.0.deps;
        let (db, now) = (&deps.db, deps.clock.now_ms());
        if job.estimate.is_none() {
            let cursor = Cursor::of(job)?;
            let [stays, guests, companies] = self.brought(portal, job, cursor.stood).await?;
            let can_import = deps.portals.terms(portal).await?.can_import;
            let estimate = self.estimate(portal, stays, guests, companies, can_import).await;
            jobs::advance(db, portal, &job.id, &job.progress, Some(&json!(estimate)), now).await?;
        }
        let lane = super::lane(Self::import_priority());
        let cursor = Cursor::of(job)?;
        if imports::on_their_way(db, portal, job.hotel, lane).await? == 0 {
            let cursor = Cursor { ended: Some(self.ended(portal, job).await?), ..cursor };
            jobs::advance(db, portal, &job.id, &json!(cursor), None, now).await?;
            return Ok(jobs::step(db, portal, &job.id, &["running"], "completed", now).await?);
        }
        Ok(false)
    }

    pub(super) async fn fail_import(
        &self,
        portal: PortalId,
        job: &JobRow,
        mut cursor: Cursor,
        why: &str,
    ) -> Result<(), SyncError> {
        let (db, now) = (&self.0.deps.db, self.0.deps.clock.now_ms());
        cursor.failure = why.to_owned();
        jobs::advance(db, portal, &job.id, &json!(cursor), None, now).await?;
        jobs::step(db, portal, &job.id, &["running"], "failed", now).await?;
        imports::forget_met(db, portal, &job.id).await?;
        Ok(())
    }
}
