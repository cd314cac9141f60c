//! What one delivery of one portal knows while it runs: who it works for, and what of it is under way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::births::Births;
use super::engine::Engine;
use super::error::SyncError;
use super::ground::Ground;
use super::lease::HeldLease;
use super::people::{comm_keys, name_tokens};
use super::plan::Planned;
use super::refer::Found;
use crate::bitrix::multifield::{Stored, Way};
use crate::bitrix::{MomentForm, PortalClient, Priority};
use crate::crypto::TenantKey;
use crate::domain::{CrmEntity, PortalId};
use crate::store::{StoreError, Tx, crm_records, outbox};

/// How long a read of a record counts as its present state before a stage is moved or a phone changed.
const FRESH_MS: i64 = 10_000;

pub(super) struct Delivery {
    pub engine: Engine,
    pub portal: PortalId,
    pub key: TenantKey,
    pub client: PortalClient,
    pub ground: Ground,
    pub lease: Arc<HeldLease>,
    /// Nothing that it plans leaves: it waits for nobody.
    pub on_paper: bool,
    /// Results are recorded one after another, so that a deal and its guest never miss each other's news.
    recording: tokio::sync::Mutex<()>,
    lanes: Mutex<Lanes>,
}

#[derive(Default)]
pub(super) struct Lanes {
    pub flight: Flight,
    /// People being created.
    pub births: Births,
    /// Records to which a write of unknown outcome is open.
    pub open: HashSet<(CrmEntity, i64)>,
    /// Rows that wait for something in flight; looked at again when anything ends.
    pub waiting: HashSet<i64>,
    /// Records read a moment ago, with their phones and e-mails.
    fresh: HashMap<(CrmEntity, i64), (i64, Vec<Stored>)>,
    /// Deals that bear a CRS number, as looked up a moment ago.
    pub found: Found,
    pub imports: Imports,
    pub phones: Phones,
    /// How this portal reads a moment, once it was found out.
    pub moments: Option<MomentForm>,
    /// The matching index is whole.
    pub indexed: bool,
    pub footing: Footing,
}

/// What jobs under way work on.
#[derive(Default)]
pub(super) struct Flight {
    /// Outbox rows.
    pub rows: HashSet<i64>,
    /// Subjects being written.
    pub subjects: HashSet<String>,
    /// Records being written.
    pub records: HashSet<(CrmEntity, i64)>,
}

impl Flight {
    pub fn begin(&mut self, job: &[Planned]) {
        for write in job {
            self.rows.insert(write.row);
            self.subjects.insert(write.subject.to_string());
            if write.target != 0 {
                self.records.insert((write.entity, write.target));
            }
        }
    }

    pub fn end(&mut self, job: &[Planned]) {
        for write in job {
            self.rows.remove(&write.row);
            self.subjects.remove(&write.subject.to_string());
            self.records.remove(&(write.entity, write.target));
        }
    }
}

/// Whether history goes by import, where robots must not fire (product §2.9).
#[derive(Default)]
pub(super) struct Imports {
    /// The portal does not let us.
    pub refused: bool,
    /// Subjects whose import was refused together with others: each is sent alone.
    pub single: HashSet<String>,
}

impl Imports {
    pub fn take(&self, write: &Planned) -> bool {
        write.target == 0
            && write.priority >= super::lane(Priority::Import)
            && !self.refused
            && !self.single.contains(&write.subject.to_string())
    }
}

/// How phones and e-mails of a record are changed (facts §7.3), and how that is found out.
#[derive(Default)]
pub(super) struct Phones {
    pub way: Way,
    /// Subjects whose phones were written in a way not known to work.
    tried: HashSet<String>,
}

impl Phones {
    /// Whether what was just written proves nothing: it is read back.
    pub fn doubtful(&mut self, subject: &str) -> bool {
        self.way == Way::Unknown && {
            self.tried.insert(subject.to_owned());
            true
        }
    }

    /// A subject was looked at again: a try is known to have worked or not.
    pub fn learn(&mut self, subject: &str, worked: bool) {
        if self.way == Way::Unknown && self.tried.remove(subject) {
            self.way = if worked { Way::Item } else { Way::Old };
        }
    }
}

/// Whether the delivery still stands on what people said last.
#[derive(Default)]
pub(super) struct Footing {
    pub outdated: bool,
    pub looked_at: i64,
}

impl Delivery {
    pub async fn begin(engine: &Engine, portal: PortalId, lease: Arc<HeldLease>) -> Result<Self, SyncError> {
        let ground = Ground::read(engine, portal).await?;
        let delivery = Self::on(engine, portal, lease, ground).await?;
        delivery.remember_unheard().await?;
        Ok(delivery)
    }

    /// One that plans and never works.
    pub async fn on_paper(engine: &Engine, portal: PortalId, ground: Ground) -> Result<Self, SyncError> {
        let lease = HeldLease::none(&engine.0.deps.db, &engine.0.deps.clock);
        Ok(Self { on_paper: true, ..Self::on(engine, portal, Arc::new(lease), ground).await? })
    }

    async fn on(engine: &Engine, portal: PortalId, lease: Arc<HeldLease>, ground: Ground) -> Result<Self, SyncError> {
        let deps = &engine.0.deps;
        let (key, client) = (deps.portals.key(portal).await?, deps.portals.client(portal).await?);
        let terms = &ground.terms;
        let lanes = Lanes {
            imports: Imports { refused: !terms.can_import, ..Imports::default() },
            phones: Phones { way: terms.multifield, ..Phones::default() },
            footing: Footing { looked_at: deps.clock.now_ms(), ..Footing::default() },
            ..Lanes::default()
        };
        Ok(Self {
            engine: engine.clone(),
            portal,
            key,
            client,
            ground,
            lease,
            on_paper: false,
            recording: tokio::sync::Mutex::new(()),
            lanes: Mutex::new(lanes),
        })
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
                lanes.births.insert(row, hashes, name);
                lanes.births.unheard(row);
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

    /// A transaction that records what the portal said, or what was decided of its records.
    pub async fn recording(&self) -> Result<(tokio::sync::MutexGuard<'_, ()>, Tx), StoreError> {
        let turn = self.recording.lock().await;
        let tx = self.db().begin().await?;
        crm_records::hold(&tx, self.portal).await?;
        Ok((turn, tx))
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
