//! Reading what changed at a hotel's source: one look at a time per hotel, whatever node makes it.

use std::time::Duration;

use super::engine::Engine;
use super::error::SyncError;
use super::intake::Intake;
use super::lease::HeldLease;
use super::strangers::{Guarded, REINSTALLED};
use super::{findings, pace};
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId};
use crate::fidelio::{Read, ReadReport, SourceError};
use crate::store::hotels;
use crate::store::source_reading::{self, Health, Looked};
use crate::store::sources::{self, SourceRow};

impl Engine {
    /// The hotel's lease: polls and imports of one hotel never run side by side (one request in flight per hotel).
    pub(super) async fn hotel_lease(&self, hotel: HotelId) -> Result<HeldLease, SyncError> {
        let deps = &self.0.deps;
        let name = format!("hotel:{hotel}");
        HeldLease::take(&deps.db, &deps.clock, &name, &self.0.node, deps.lease).await?.ok_or(SyncError::Elsewhere(name))
    }

    /// Reads what changed at one source; answers how many records were new.
    pub async fn poll_source(&self, portal: PortalId, source: i64) -> Result<usize, SyncError> {
        let deps = &self.0.deps;
        let key = deps.portals.key(portal).await?;
        let row = sources::by_id(&deps.db, portal, &key, source).await?.ok_or(SyncError::NotFound)?;
        let turn = self.turn(format!("hotel:{}", row.hotel));
        let Ok(_turn) = turn.try_lock() else { return Err(SyncError::Elsewhere(format!("hotel:{}", row.hotel))) };
        let lease = self.hotel_lease(row.hotel).await?;
        // Told to stop: what was handed over by then is on disk, the rest is read again.
        let work = self.poll_under(portal, source, key, &lease);
        let result = self.unless_stopping(work).await.unwrap_or(Ok(0));
        lease.ended(&result).await;
        result
    }

    pub(super) async fn poll_under(
        &self,
        portal: PortalId,
        source: i64,
        key: TenantKey,
        lease: &HeldLease,
    ) -> Result<usize, SyncError> {
        let deps = &self.0.deps;
        // Read again under the lease: another node may have moved the position meanwhile.
        let row = sources::by_id(&deps.db, portal, &key, source).await?.ok_or(SyncError::NotFound)?;
        // Stopped between being found due and now.
        if (row.health.state.as_str(), row.health.detail.as_str()) == ("stopped", REINSTALLED) {
            return Ok(0);
        }
        let intake = Intake::new(deps, lease, &key, portal, row.hotel, Priority::Live);
        let mut intake = Intake { position: Some((row.id, row.version)), ..intake };
        let reader = (deps.sources)(&row);
        let read = match &reader {
            Ok(reader) => self.read_guarded(reader.as_ref(), &Read::Changes, &row.state, &mut intake).await?,
            Err(error) => Guarded::Read(Err(error.clone())),
        };
        let taken = intake.taken;
        self.step("poll.read")?;
        let Guarded::Read(read) = read else { return Ok(taken) };
        if let Ok(report) = &read {
            self.unread(portal, &key, row.hotel, report).await?;
            self.measured(portal, row.hotel, report).await?;
        }
        let looked = self.looked(&row, &read, taken);
        source_reading::looked(&deps.db, portal, row.id, row.version, &looked).await?;
        if taken > 0 {
            self.wake();
        }
        match (&reader, read) {
            // Only then: whatever comes of it, what was read counts as looked at.
            (Ok(reader), Ok(_)) => {
                self.look_for_known(&row, &key, lease, reader.as_ref()).await?;
                self.look_for_vanished(&row, &key, lease, reader.as_ref()).await?;
            }
            (_, Err(error)) => {
                tracing::warn!(%portal, hotel = %row.hotel, %error, "a hotel's source could not be read")
            }
            (Err(_), Ok(_)) => {}
        }
        Ok(taken)
    }

    /// Keeps what the hotel's clock is off; what changes within this much is the measuring's own.
    async fn measured(&self, portal: PortalId, hotel: HotelId, report: &ReadReport) -> Result<(), SyncError> {
        const NOISE_MS: u64 = 2_000;
        let db = &self.0.deps.db;
        if let (Some(ahead), Some(held)) = (report.clock_ahead_ms, hotels::by_id(db, portal, hotel).await?)
            && ahead.abs_diff(held.clock_ahead_ms) >= NOISE_MS
        {
            hotels::set_clock(db, portal, hotel, ahead).await?;
        }
        Ok(())
    }

    fn looked(&self, row: &SourceRow, read: &Result<ReadReport, SourceError>, taken: usize) -> Looked {
        let (now, pace) = (self.0.deps.clock.now_ms(), self.0.deps.poll);
        let in_ms = |pause: Duration| now + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
        let health = |state: &str, detail: &str| Health { state: state.to_owned(), detail: detail.to_owned() };
        match read {
            Ok(report) => {
                // The first answer and the first after trouble count too: somebody is watching then.
                let active = taken > 0 || row.health.state != "ok";
                let since = if active { now } else { row.active_at };
                let quiet = Duration::from_millis(u64::try_from(now - since).unwrap_or_default());
                let wait = pace::wait(pace, quiet);
                Looked {
                    health: health("ok", &not_licensed(&report.not_licensed)),
                    notes: findings::notes(&row.notes, &report.notes, now),
                    at: now,
                    ok: true,
                    records: taken > 0,
                    active,
                    next_poll_at: in_ms(report.next_in.map_or(wait, |wish| wish.min(wait))),
                    failures: 0,
                }
            }
            Err(error) => {
                let failures = row.failures.saturating_add(1);
                let pause = pace::back_off(pace, failures);
                let (state, detail, pause) = match error {
                    // More tries would lock the account: a person must look first.
                    SourceError::Credentials => ("stopped", "credentials".to_owned(), pause),
                    SourceError::Address(_) => ("stopped", "address".to_owned(), pause),
                    SourceError::NotLicensed { area } => {
                        ("failing", not_licensed(std::slice::from_ref(area)), pace::back_off(pace, i32::MAX))
                    }
                    SourceError::Unreachable(_) => ("failing", "unreachable".to_owned(), pause),
                    SourceError::Unreadable(_) => ("failing", "unreadable".to_owned(), pause),
                    SourceError::Refused { .. } => ("failing", "refused".to_owned(), pause),
                    SourceError::Sink(_) => ("failing", "internal".to_owned(), pause),
                };
                Looked {
                    health: health(state, &detail),
                    notes: row.notes.clone(),
                    at: now,
                    ok: false,
                    records: taken > 0,
                    active: false,
                    next_poll_at: in_ms(pause),
                    failures,
                }
            }
        }
    }
}

fn not_licensed(areas: &[String]) -> String {
    if areas.is_empty() { String::new() } else { format!("not_licensed:{}", areas.join(",")) }
}
