//! Records of a source on their way to the inbox: what has not changed costs nothing; what has is on disk, together
//! with the source's position, before the source goes on.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use super::engine::Deps;
use super::erase::allowed;
use super::error::SyncError;
use super::events::PAYLOAD;
use super::lease::HeldLease;
use super::reconcile_hotel::Audit;
use super::strangers::any_stranger;
use crate::bitrix::Priority;
use crate::clock::Clock;
use crate::crypto::TenantKey;
use crate::domain::{Change, Entity, HotelId, PortalId, Subject};
use crate::fidelio::{Sink, SourceError};
use crate::store::inbox::{InboxKind, NewRow};
use crate::store::{Db, StoreError, inbox, profiles, reconciliations, source_reading, stays};

/// Takes the records of one read of one source.
pub struct Intake<'a> {
    pub db: &'a Db,
    pub clock: &'a Clock,
    pub lease: &'a HeldLease,
    pub key: TenantKey,
    pub portal: PortalId,
    pub hotel: HotelId,
    pub priority: Priority,
    /// The source's position to move, and the version of its configuration; only a read of changes moves one.
    pub position: Option<(i64, i64)>,
    /// Records that were new or changed.
    pub taken: usize,
    pub trust: Trust,
    /// Records that were told as not understood, once they were asked for.
    pub unread: Option<HashSet<String>>,
    /// Somebody wants to know what was not as it should be.
    pub audit: Option<Audit>,
}

/// Whether known numbers are believed to stand for whom they stood.
#[derive(Default)]
pub enum Trust {
    /// As long as nobody else comes with one.
    #[default]
    Watching,
    /// Somebody else came: nothing of that lot was kept but what it said.
    Met(Vec<Change>),
    /// It was looked into.
    Settled,
}

impl<'a> Intake<'a> {
    pub fn new(
        deps: &'a Deps,
        lease: &'a HeldLease,
        key: &TenantKey,
        portal: PortalId,
        hotel: HotelId,
        priority: Priority,
    ) -> Self {
        Self {
            db: &deps.db,
            clock: &deps.clock,
            lease,
            key: key.clone(),
            portal,
            hotel,
            priority,
            position: None,
            taken: 0,
            trust: Trust::default(),
            unread: None,
            audit: None,
        }
    }
}

/// The keyed hash of what a record says, apart from when it was touched.
pub fn content_hash(key: &TenantKey, change: &Change) -> Result<String, StoreError> {
    let mut facts = match &change.entity {
        Entity::Stay(stay) => serde_json::to_value(stay),
        Entity::Profile(profile) => serde_json::to_value(profile),
    }
    .map_err(|_| StoreError::Corrupt(PAYLOAD))?;
    if let Some(facts) = facts.as_object_mut() {
        facts.shift_remove("updated_at");
    }
    Ok(key.hash("content", facts.to_string().as_bytes()))
}

pub(super) fn subject_of(hotel: HotelId, change: &Change) -> Subject {
    match &change.entity {
        Entity::Stay(stay) => Subject::Stay(hotel, stay.number.clone()),
        Entity::Profile(profile) => Subject::Profile(hotel, profile.number.clone()),
    }
}

/// The content last taken in, by subject: what waits undecided, else what was decided.
pub(super) async fn known(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    changes: &[Change],
) -> Result<HashMap<String, String>, StoreError> {
    let (mut stay_numbers, mut profile_numbers, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match &change.entity {
            Entity::Stay(stay) => stay_numbers.push(stay.number.to_string()),
            Entity::Profile(profile) => profile_numbers.push(profile.number.to_string()),
        }
        subjects.push(subject_of(hotel, change).to_string());
    }
    // First: what is decided between the two looks is found by the second.
    let undecided = inbox::undecided_hashes(db, portal, &subjects).await?;
    let mut known: HashMap<String, String> = HashMap::new();
    for (number, hash) in stays::hashes(db, portal, hotel, &stay_numbers).await? {
        known.insert(format!("stay:{hotel}:{number}"), hash);
    }
    for (number, hash) in profiles::hashes(db, portal, hotel, &profile_numbers).await? {
        known.insert(format!("profile:{hotel}:{number}"), hash);
    }
    known.extend(undecided);
    Ok(known)
}

impl Intake<'_> {
    async fn keep(&mut self, changes: Vec<Change>, state: Option<serde_json::Value>) -> Result<(), SyncError> {
        let changes = changes.into_iter().map(|change| (self.hotel, change)).collect();
        let changes = allowed(self.db, self.portal, changes, |hotel| *hotel).await?;
        let changes: Vec<Change> = changes.into_iter().map(|(_, change)| change).collect();
        let mut known = known(self.db, self.portal, self.hotel, &changes).await?;
        let understood = self.understood(&changes).await?;
        if let Some(audit) = &mut self.audit {
            audit.meet(&changes, |change| known.contains_key(&subject_of(self.hotel, change).to_string()));
        }
        let (mut fresh, mut drift) = (Vec::new(), Vec::new());
        for change in changes {
            let hash = content_hash(&self.key, &change)?;
            let subject = subject_of(self.hotel, &change).to_string();
            let held = known.get(&subject);
            if let Some(audit) = &self.audit {
                if !audit.takes(held.is_some(), &change) {
                    continue;
                }
                if held != Some(&hash) {
                    drift.extend(audit.drift(&subject, held.is_some(), &change));
                }
            }
            if held != Some(&hash) {
                known.insert(subject.clone(), hash.clone());
                fresh.push((subject, hash, change));
            }
        }
        if !matches!(self.trust, Trust::Settled) {
            let changes: Vec<&Change> = fresh.iter().map(|(.., change)| change).collect();
            if any_stranger(self.db, self.portal, &self.key, self.hotel, &changes).await? {
                self.trust = Trust::Met(fresh.into_iter().map(|(.., change)| change).collect());
                return Err(SyncError::Conflict("somebody else came with a known number"));
            }
        }
        let mut rows = Vec::with_capacity(fresh.len());
        for (subject, hash, change) in fresh {
            let plain = serde_json::to_vec(&change).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
            rows.push(NewRow {
                hotel: self.hotel,
                kind: match change.entity {
                    Entity::Stay(_) => InboxKind::Stay,
                    Entity::Profile(_) => InboxKind::Profile,
                },
                subject,
                priority: super::lane(self.priority),
                payload: self.key.seal(PAYLOAD, &plain).map_err(StoreError::Crypto)?,
                hash,
            });
        }
        if rows.is_empty() && understood.is_empty() && state.is_none() {
            return Ok(());
        }
        let count = rows.len();
        let tx = self.db.begin().await?;
        if !self.lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("hotel:{}", self.hotel)));
        }
        inbox::add(&tx, self.portal, rows, self.clock.now_ms()).await?;
        if let Some(audit) = &self.audit {
            reconciliations::note(&tx, self.portal, &audit.job, &drift, self.clock.now_ms()).await?;
        }
        self.over(&tx, &understood).await?;
        if let (Some((source, version)), Some(state)) = (self.position, state)
            && !source_reading::advance(&tx, self.portal, source, version, &state).await?
        {
            return Err(SyncError::Conflict("the source was changed while it was read"));
        }
        tx.commit().await?;
        self.taken += count;
        Ok(())
    }
}

#[async_trait]
impl Sink for Intake<'_> {
    async fn take(&mut self, changes: Vec<Change>, state: Option<serde_json::Value>) -> Result<(), SourceError> {
        self.keep(changes, state).await.map_err(|error| SourceError::Sink(error.to_string()))
    }
}
