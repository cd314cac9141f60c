//! Inbox → state and outbox, one transaction a chunk. The deciding itself is `domain::decision`.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde_json::json;

use super::chunk::{self, Chunk};
use super::engine::Engine;
use super::error::SyncError;
use super::lease::HeldLease;
use crate::clock::wall_of;
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId, Turn};
use crate::store::inbox::InboxRow;
use crate::store::problems::NewProblem;
use crate::store::{StoreError, Tx, hotels, inbox, problems};

/// Each hotel's own day.
pub(super) type Days = HashMap<HotelId, NaiveDate>;

/// Rows in one transaction.
const CHUNK: i64 = 500;
/// How often a row that makes its transaction fail is tried.
const TRIES: i32 = 5;

/// `outbox.rank`: records before those that name them.
pub(super) const RANK_REREAD: i32 = 0;
pub(super) const RANK_COMPANY: i32 = 1;
pub(super) const RANK_CONTACT: i32 = 2;
pub(super) const RANK_GROUP: i32 = 3;
pub(super) const RANK_DEAL: i32 = 4;

/// Within an import whose turn it is comes first: tomorrow's arrivals do not wait for the guests of last month.
pub(super) fn rank_in(turn: Turn, rank: i32) -> i32 {
    let turns = match turn {
        Turn::Arriving => 0,
        Turn::InHouse => 1,
        Turn::Future => 2,
        Turn::History => 3,
    };
    turns * (RANK_DEAL + 1) + rank
}

impl Engine {
    /// Decides what waits in the inbox of a portal; answers how many rows.
    pub async fn decide(&self, portal: PortalId) -> Result<usize, SyncError> {
        let deps = &self.0.deps;
        let name = format!("decide:{portal}");
        let turn = self.turn(name.clone());
        let _turn = turn.lock().await;
        let key = match deps.portals.key(portal).await {
            Err(StoreError::KeyDestroyed) => {
                inbox::drop_all(&deps.db, portal).await?;
                return Ok(0);
            }
            key => key?,
        };
        let Some(lease) = HeldLease::take(&deps.db, &deps.clock, &name, &self.0.node, deps.lease).await? else {
            return Err(SyncError::Elsewhere(name));
        };
        let result = self.decide_all(portal, &key, &lease).await;
        lease.ended(&result).await;
        result
    }

    async fn decide_all(&self, portal: PortalId, key: &TenantKey, lease: &HeldLease) -> Result<usize, SyncError> {
        let now = self.0.deps.clock.now_ms();
        let hotels = hotels::list(&self.0.deps.db, portal).await?;
        let days = hotels.into_iter().map(|hotel| (hotel.id, wall_of(now, &hotel.timezone).date())).collect();
        let mut decided = 0;
        loop {
            let count = match self.decide_chunk(portal, key, lease, &days, CHUNK).await {
                Ok(count) => count,
                Err(SyncError::Store(error)) if !error.is_transient() => {
                    self.decide_singly(portal, key, lease, &days, error).await?
                }
                Err(error) => return Err(error),
            };
            decided += count;
            if count > 0 {
                self.wake();
            }
            // What comes in meanwhile waits for the next portion: a stream of events would never end this one.
            if i64::try_from(count).unwrap_or(CHUNK) < CHUNK {
                self.erase_due(portal, key, lease).await?;
                return Ok(decided);
            }
        }
    }

    async fn decide_chunk(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
        days: &Days,
        limit: i64,
    ) -> Result<usize, SyncError> {
        let deps = &self.0.deps;
        let now = deps.clock.now_ms();
        let tx = deps.db.begin().await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("decide:{portal}")));
        }
        let rows = inbox::claim(&tx, portal, now, limit).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let count = rows.len();
        let mut work = Chunk::new(portal, key, now, days);
        work.read(rows);
        work.decide(&tx).await?;
        self.step("decide.decided")?;
        work.write(&tx).await?;
        self.step("decide.written")?;
        tx.commit().await?;
        self.step("decide.committed")?;
        Ok(count)
    }

    /// One row makes the whole chunk fail: the others go on without it.
    async fn decide_singly(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
        days: &Days,
        cause: StoreError,
    ) -> Result<usize, SyncError> {
        tracing::warn!(%portal, error = %cause, "a chunk of the inbox could not be decided; its rows are tried one by one");
        let mut decided = 0;
        for _ in 0..CHUNK {
            match self.decide_chunk(portal, key, lease, days, 1).await {
                Ok(0) => break,
                Ok(count) => decided += count,
                Err(SyncError::Store(error)) if !error.is_transient() => {
                    self.set_aside(portal, key, &error).await?;
                    decided += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(decided)
    }

    async fn set_aside(&self, portal: PortalId, key: &TenantKey, error: &StoreError) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let now = deps.clock.now_ms();
        let tx = deps.db.begin().await?;
        let Some(row) = inbox::claim(&tx, portal, now, 1).await?.into_iter().next() else { return Ok(()) };
        if row.attempts + 1 < TRIES {
            drop(tx);
            inbox::postpone(&deps.db, portal, row.id, now + 10_000 * i64::from(row.attempts + 1)).await?;
            return Ok(());
        }
        keep_apart(&tx, portal, key, row, error, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A row that cannot be decided is kept apart, and told.
pub(super) async fn keep_apart(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    row: InboxRow,
    error: &StoreError,
    now: i64,
) -> Result<(), StoreError> {
    inbox::set_failed(tx, portal, &[row.id]).await?;
    let problem = NewProblem {
        hotel: (row.hotel.0 != 0).then_some(row.hotel),
        subject: row.subject,
        cause: chunk::FAILED.to_owned(),
        kind: "failed",
        params: json!({"error": error.to_string()}),
    };
    problems::raise(tx, portal, key, &[problem], now).await
}
