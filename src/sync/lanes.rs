//! What one delivery of one portal knows while it runs: who it works for, and what of it is under way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::births::Births;
use super::engine::Engine;
use super::error::SyncError;
use super::ground::Ground;
use super::lease::HeldLease;
use super::people::{comm_keys, name_tokens};
use crate::bitrix::PortalClient;
use crate::bitrix::multifield::{Stored, Way};
use crate::crypto::TenantKey;
use crate::domain::{CrmEntity, PortalId};
use crate::store::outbox;

/// How long a read of a record counts as its present state before a stage is moved or a phone changed.
const FRESH_MS: i64 = 10_000;

pub(super) struct Delivery {
    pub engine: Engine,
    pub portal: PortalId,
    pub key: TenantKey,
    pub client: PortalClient,
    pub ground: Ground,
    pub lease: Arc<HeldLease>,
    /// Results are recorded one after another, so that a deal and its guest never miss each other's news.
    pub recording: tokio::sync::Mutex<()>,
    lanes: Mutex<Lanes>,
}

#[derive(Default)]
pub(super) struct Lanes {
    /// Outbox rows that a job in flight works on.
    pub rows: HashSet<i64>,
    /// Their subjects.
    pub subjects: HashSet<String>,
    /// Records that a write in flight goes to.
    pub records: HashSet<(CrmEntity, i64)>,
    /// People being created.
    pub people: Births,
    /// Rows among them whose outcome was not heard: the person may be there, or come yet.
    pub unheard: HashSet<i64>,
    /// Records to which a write of unknown outcome is open.
    pub open: HashSet<(CrmEntity, i64)>,
    /// Rows that wait for something in flight; looked at again when anything ends.
    pub waiting: HashSet<i64>,
    /// Records read a moment ago, with their phones and e-mails.
    fresh: HashMap<(CrmEntity, i64), (i64, Vec<Stored>)>,
    /// Subjects whose import was refused together with others: each is sent alone.
    pub single: HashSet<String>,
    pub no_import: bool,
    /// The matching index is whole.
    pub indexed: bool,
    pub way: Way,
    /// Subjects whose phones were written in a way not known to work.
    pub tried: HashSet<String>,
    /// The scan of what changed is under way.
    pub scanning: bool,
    /// People changed what is written by.
    pub outdated: bool,
    pub ground_at: i64,
}

impl Delivery {
    pub async fn begin(engine: &Engine, portal: PortalId, lease: Arc<HeldLease>) -> Result<Self, SyncError> {
        let deps = &engine.0.deps;
        let (key, client) = (deps.portals.key(portal).await?, deps.portals.client(portal).await?);
        let ground = Ground::read(engine, portal).await?;
        let terms = &ground.terms;
        let lanes = Lanes {
            no_import: !terms.can_import,
            way: terms.multifield,
            ground_at: deps.clock.now_ms(),
            ..Lanes::default()
        };
        let delivery = Self {
            engine: engine.clone(),
            portal,
            key,
            client,
            ground,
            lease,
            recording: tokio::sync::Mutex::new(()),
            lanes: Mutex::new(lanes),
        };
        delivery.remember_unheard().await?;
        Ok(delivery)
    }

    /// People whose creation was never answered: whoever looks like one of them waits until that is settled.
    async fn remember_unheard(&self) -> Result<(), SyncError> {
        for (row, entity, sealed) in outbox::open_creates(self.db(), self.portal).await? {
            let Some(entity) = CrmEntity::from_type_id(entity).filter(|entity| *entity != CrmEntity::Deal) else {
                continue;
            };
            let fields = self.open_write(&sealed)?.after;
            let hashes: Vec<String> = comm_keys(&self.key, &fields).into_iter().map(|(_, hash)| hash).collect();
            if !hashes.is_empty() {
                let name = name_tokens(&self.key, entity, &fields);
                let mut lanes = self.lanes();
                lanes.people.insert(row, hashes, name);
                lanes.unheard.insert(row);
            }
        }
        Ok(())
    }

    /// Which records are held because a write to them was not answered.
    pub async fn look_at_open(&self) -> Result<(), SyncError> {
        let open = outbox::open_targets(self.db(), self.portal).await?;
        self.lanes().open =
            open.into_iter().filter_map(|(entity, id)| Some((CrmEntity::from_type_id(entity)?, id))).collect();
        Ok(())
    }

    pub fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn db(&self) -> &crate::store::Db {
        &self.engine.0.deps.db
    }

    pub fn now(&self) -> i64 {
        self.engine.0.deps.clock.now_ms()
    }

    /// The phones and e-mails of a record as read a moment ago; `None`: it must be read first.
    pub fn fresh(&self, entity: CrmEntity, id: i64) -> Option<Vec<Stored>> {
        let now = self.now();
        self.lanes().fresh.get(&(entity, id)).filter(|(at, _)| now - at < FRESH_MS).map(|(_, stored)| stored.clone())
    }

    pub fn read_now(&self, entity: CrmEntity, id: i64, stored: Vec<Stored>) {
        let now = self.now();
        self.lanes().fresh.insert((entity, id), (now, stored));
    }

    pub fn stale(&self, entity: CrmEntity, id: i64) {
        self.lanes().fresh.remove(&(entity, id));
    }
}
