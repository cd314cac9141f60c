//! One chunk of the inbox: what it says, what that makes of what we hold, what the portal may have to be told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{TimeZone, Utc};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::attach::Binding;
use super::decide::{Days, RANK_COMPANY, RANK_CONTACT, RANK_DEAL, RANK_GROUP};
use super::erase::{allowed, ask};
use super::events::{CrmEvent, PAYLOAD};
use super::pins::PinWish;
use super::pms_merges::Gone;
use super::split::SplitWish;
use super::touched::{Touched, intent, touch};
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::decision::{Held, Reading, Verdict, decide_profile, decide_stay};
use crate::domain::{
    Change, Entity, GroupNumber, HotelId, PortalId, ProfileNumber, Stay, StayNumber, StayStatus, Subject, Turn,
    erasure, group, history,
};
use crate::store::inbox::{InboxKind, InboxRow};
use crate::store::outbox::NewIntent;
use crate::store::problems::NewProblem;
use crate::store::profiles::ProfileRow;
use crate::store::stay_steps::StepRow;
use crate::store::stays::{Role, StayRow};
use crate::store::{StoreError, Tx, inbox, links, merges, outbox, problems, profiles, stay_steps, stays};

/// A status that no hotel's day knows from where the stay is.
pub(super) const STATUS_REFUSED: &str = "status.refused";
/// What came in made its transaction fail, again and again.
pub(super) const FAILED: &str = "inbox.failed";
/// What came in cannot be opened, or is not of this release.
const UNREADABLE: &str = "inbox.unreadable";

pub(super) struct Chunk<'a> {
    pub(super) portal: PortalId,
    pub(super) key: &'a TenantKey,
    pub(super) now: i64,
    days: &'a Days,
    /// It is a replay.
    pub(super) again: bool,
    pub(super) changes: Vec<(InboxRow, Change)>,
    pub(super) events: Vec<(InboxRow, CrmEvent)>,
    bindings: Vec<(InboxRow, Binding)>,
    pins: Vec<(InboxRow, PinWish)>,
    splits: Vec<(InboxRow, SplitWish)>,
    gone: Vec<(InboxRow, Gone)>,
    /// What came of profiles that are there again.
    pub(super) merged: Vec<NewIntent>,
    failed: Vec<i64>,
    /// Rows of a replay that could not be decided when they came.
    recovered: Vec<i64>,
    problems: Vec<NewProblem>,
    /// Subjects of which the hotel's word could be read and decided.
    worked_in: Vec<String>,
    /// Stays whose status is in order.
    settled: Vec<String>,
    stays: BTreeMap<(HotelId, StayNumber), StayRow>,
    steps: Vec<StepRow>,
    profiles: BTreeMap<(HotelId, ProfileNumber), ProfileRow>,
    touched_stays: BTreeMap<(HotelId, StayNumber), Touched>,
    touched_profiles: BTreeMap<(HotelId, ProfileNumber), Touched>,
    /// Groups whose stays changed, and those that a stay has left.
    touched_groups: BTreeMap<(HotelId, GroupNumber), Touched>,
    /// Who was the main guest of a finished stay and is no more.
    left: BTreeMap<(HotelId, ProfileNumber), Touched>,
    /// Who was the main guest of a stay, and who is instead.
    moved: BTreeSet<(HotelId, ProfileNumber, ProfileNumber)>,
}

impl<'a> Chunk<'a> {
    pub fn new(portal: PortalId, key: &'a TenantKey, now: i64, days: &'a Days) -> Self {
        Self {
            portal,
            key,
            now,
            days,
            again: false,
            changes: Vec::new(),
            events: Vec::new(),
            bindings: Vec::new(),
            pins: Vec::new(),
            splits: Vec::new(),
            gone: Vec::new(),
            merged: Vec::new(),
            failed: Vec::new(),
            recovered: Vec::new(),
            problems: Vec::new(),
            worked_in: Vec::new(),
            settled: Vec::new(),
            stays: BTreeMap::new(),
            steps: Vec::new(),
            profiles: BTreeMap::new(),
            touched_stays: BTreeMap::new(),
            touched_profiles: BTreeMap::new(),
            touched_groups: BTreeMap::new(),
            left: BTreeMap::new(),
            moved: BTreeSet::new(),
        }
    }

    /// Of input that came before, to be decided once more behind everything else.
    pub fn again(portal: PortalId, key: &'a TenantKey, now: i64, days: &'a Days) -> Self {
        Self { again: true, ..Self::new(portal, key, now, days) }
    }

    /// Each row with whether it could be decided when it came.
    pub fn read_again(&mut self, rows: Vec<(InboxRow, bool)>) {
        self.recovered = rows.iter().filter(|(_, decided)| !decided).map(|(row, _)| row.id).collect();
        let priority = super::lane(Priority::Reconciliation);
        self.read(rows.into_iter().map(|(row, _)| InboxRow { priority, received_at: self.now, ..row }).collect());
        self.recovered.retain(|id| !self.failed.contains(id));
    }

    /// Records that differ from before.
    pub fn changed(&self) -> i64 {
        let changed = |touched: &&Touched| touched.changed;
        let stays = self.touched_stays.values().filter(changed).count();
        i64::try_from(stays + self.touched_profiles.values().filter(changed).count()).unwrap_or_default()
    }

    /// Rows that could not be read.
    pub fn unread(&self) -> i64 {
        i64::try_from(self.failed.len()).unwrap_or_default()
    }

    pub fn read(&mut self, rows: Vec<InboxRow>) {
        for row in rows {
            let plain = match self.key.open(PAYLOAD, &row.payload) {
                Ok(plain) => plain,
                Err(_) => {
                    self.unreadable(row);
                    continue;
                }
            };
            let readable = match row.kind {
                InboxKind::Event | InboxKind::Found => take(&plain, &row, &mut self.events),
                InboxKind::Binding => take(&plain, &row, &mut self.bindings),
                InboxKind::Pin => take(&plain, &row, &mut self.pins),
                InboxKind::Split => take(&plain, &row, &mut self.splits),
                InboxKind::Gone => take(&plain, &row, &mut self.gone),
                InboxKind::Stay | InboxKind::Profile | InboxKind::Confirmed => take(&plain, &row, &mut self.changes),
            };
            if !readable {
                self.unreadable(row);
            }
        }
    }

    fn unreadable(&mut self, row: InboxRow) {
        self.failed.push(row.id);
        // It was told when it came.
        if self.again {
            return;
        }
        self.problems.push(NewProblem {
            hotel: (row.hotel.0 != 0).then_some(row.hotel),
            subject: row.subject,
            cause: UNREADABLE.to_owned(),
            kind: "failed",
            params: json!({}),
        });
    }

    pub async fn decide(&mut self, tx: &Tx) -> Result<(), StoreError> {
        let ordered = |(row, change): &(InboxRow, Change)| Some((row.hotel, erasure::ordered(change)?.clone()));
        let orders: Vec<(HotelId, ProfileNumber)> = self.changes.iter().filter_map(ordered).collect();
        ask(tx, self.portal, &orders, 0, true, self.now).await?;
        let changes = std::mem::take(&mut self.changes);
        self.changes = allowed(tx, self.portal, changes, |row| row.hotel).await?;
        self.follow_merges(tx).await?;
        let (mut stay_keys, mut profile_keys) = (Vec::new(), Vec::new());
        for (row, change) in &self.changes {
            match &change.entity {
                Entity::Stay(stay) => stay_keys.push((row.hotel, stay.number.clone())),
                Entity::Profile(profile) => profile_keys.push((row.hotel, profile.number.clone())),
            }
        }
        self.stays = stays::load(tx, self.portal, self.key, &stay_keys).await?.into_iter().collect();
        self.profiles = profiles::load(tx, self.portal, self.key, &profile_keys).await?.into_iter().collect();
        for (row, change) in std::mem::take(&mut self.changes) {
            if !self.again || self.recovered.contains(&row.id) {
                self.worked_in.push(row.subject.clone());
            }
            let reading = match row.kind {
                _ if self.recovered.contains(&row.id) => Reading::Belated,
                _ if self.again => Reading::Replay { last: self.is_last(&row, &change) },
                InboxKind::Confirmed => Reading::Confirmed,
                _ if row.priority >= super::lane(Priority::Reconciliation) => Reading::Reconciled,
                _ if row.priority >= super::lane(Priority::Import) => Reading::Import,
                _ => Reading::Live,
            };
            match change.entity {
                Entity::Stay(stay) => self.take_stay(&row, *stay, &change.observed, reading),
                Entity::Profile(profile) => self.take_profile(&row, *profile, &change.observed, reading),
            }
        }
        Ok(())
    }

    /// Whether it is the very word that is held.
    fn is_last(&self, row: &InboxRow, change: &Change) -> bool {
        let (received_at, pms_time) = (change.observed.received_at.timestamp_millis(), change.observed.pms_time);
        let held = match &change.entity {
            Entity::Stay(stay) => {
                let held = self.stays.get(&(row.hotel, stay.number.clone()));
                held.map(|held| (&held.hash, held.received_at, held.pms_time))
            }
            Entity::Profile(profile) => {
                let held = self.profiles.get(&(row.hotel, profile.number.clone()));
                held.map(|held| (&held.hash, held.received_at, held.pms_time))
            }
        };
        held == Some((&row.hash, received_at, pms_time))
    }

    fn take_stay(&mut self, row: &InboxRow, stay: Stay, observed: &crate::domain::Observed, reading: Reading) {
        let key = (row.hotel, stay.number.clone());
        let before = self.stays.get(&key);
        let held = before.map(|row| Held {
            facts: row.facts.clone(),
            pms_time: row.pms_time,
            received_at: Utc.timestamp_millis_opt(row.received_at).single().unwrap_or_default(),
        });
        let Verdict::Takes { facts, refused } = decide_stay(held.as_ref(), stay, observed, reading) else { return };
        if self.again && before.is_some_and(|before| before.facts == facts) {
            return;
        }
        self.problems.retain(|told| told.cause != STATUS_REFUSED || told.subject != row.subject);
        match refused {
            Some(step) => self.problems.push(NewProblem {
                hotel: Some(row.hotel),
                subject: row.subject.clone(),
                cause: STATUS_REFUSED.to_owned(),
                kind: "refused",
                params: json!({"from": step.from.word(), "to": step.to.word()}),
            }),
            None if before.is_some() => self.settled.push(row.subject.clone()),
            None => {}
        }
        let steps = before.map(|before| history::steps(&before.facts, &facts)).unwrap_or_default();
        self.steps.extend(steps.into_iter().map(|step| StepRow {
            hotel: row.hotel,
            stay: facts.number.clone(),
            step,
            pms_time: observed.pms_time,
            received_at: observed.received_at.timestamp_millis(),
        }));
        let changed = before.is_none_or(|before| before.facts != facts);
        let finished = |status: Option<&StayStatus>| status == Some(&StayStatus::CheckedOut);
        let others = changed
            && (finished(facts.status.get()) || before.is_some_and(|before| finished(before.facts.status.get())));
        let guests = before.and_then(|before| before.facts.main_guest.get()).zip(facts.main_guest.get());
        if let Some((from, to)) = guests.filter(|(from, to)| from != to) {
            self.moved.insert((row.hotel, from.clone(), to.clone()));
        }
        let left = before
            .filter(|before| finished(before.facts.status.get()) && before.facts.main_guest != facts.main_guest)
            .and_then(|before| before.facts.main_guest.get().cloned());
        if let Some(guest) = left {
            let turn = self.turn(row, None);
            touch(&mut self.left, (row.hotel, guest), Touched::by(row, turn, true, true));
        }
        let groups = [before.and_then(|before| group::number(&before.facts)), group::number(&facts)];
        self.stays.insert(
            key.clone(),
            StayRow {
                hotel: row.hotel,
                facts,
                hash: row.hash.clone(),
                source: observed.source.clone(),
                pms_time: observed.pms_time,
                received_at: observed.received_at.timestamp_millis(),
                updated_at: self.now,
            },
        );
        let turn = self.turn(row, self.stays.get(&key).map(|stay| &stay.facts));
        for group in groups.into_iter().flatten().filter(|_| changed) {
            touch(&mut self.touched_groups, (row.hotel, group), Touched::by(row, turn, true, false));
        }
        touch(&mut self.touched_stays, key, Touched::by(row, turn, changed, others));
    }

    fn take_profile(
        &mut self,
        row: &InboxRow,
        profile: crate::domain::Profile,
        observed: &crate::domain::Observed,
        reading: Reading,
    ) {
        let key = (row.hotel, profile.number.clone());
        let before = self.profiles.get(&key);
        let held = before.map(|row| Held {
            facts: row.facts.clone(),
            pms_time: row.pms_time,
            received_at: Utc.timestamp_millis_opt(row.received_at).single().unwrap_or_default(),
        });
        let Verdict::Takes { facts, .. } = decide_profile(held.as_ref(), profile, observed, reading) else { return };
        if self.again && before.is_some_and(|before| before.facts == facts) {
            return;
        }
        let changed = before.is_none_or(|before| before.facts != facts);
        let renamed = before.is_none_or(|before| before.facts.display_name() != facts.display_name());
        self.profiles.insert(
            key.clone(),
            ProfileRow {
                hotel: row.hotel,
                facts,
                hash: row.hash.clone(),
                source: observed.source.clone(),
                pms_time: observed.pms_time,
                received_at: observed.received_at.timestamp_millis(),
                updated_at: self.now,
            },
        );
        let turn = self.turn(row, None);
        touch(&mut self.touched_profiles, key, Touched::by(row, turn, changed, renamed));
    }

    /// Profiles of an import come with the first of the stays that name them.
    async fn turns(
        &self,
        tx: &Tx,
        profiles: &[(HotelId, ProfileNumber)],
    ) -> Result<HashMap<(HotelId, ProfileNumber), Turn>, StoreError> {
        let import = |key: &&(HotelId, ProfileNumber)| {
            self.touched_profiles.get(*key).is_some_and(|touched| touched.priority >= super::lane(Priority::Import))
        };
        let imported: Vec<(HotelId, ProfileNumber)> = profiles.iter().filter(import).cloned().collect();
        let mut turns = HashMap::new();
        for (hotel, profile, arrival, departure) in stays::days_of(tx, self.portal, &imported).await? {
            let Some(today) = self.days.get(&hotel) else { continue };
            let turn = Turn::between(arrival, departure, *today);
            turns.entry((hotel, profile)).and_modify(|held: &mut Turn| *held = turn.min(*held)).or_insert(turn);
        }
        Ok(turns)
    }

    /// A profile that no stay of an import needs sooner comes with history.
    fn turn(&self, row: &InboxRow, stay: Option<&Stay>) -> Turn {
        if row.priority < super::lane(Priority::Import) {
            return Turn::Arriving;
        }
        let today = self.days.get(&row.hotel).copied();
        stay.zip(today).map_or(Turn::History, |(stay, today)| Turn::of(stay, today))
    }

    pub async fn write(&mut self, tx: &Tx) -> Result<(), StoreError> {
        let stays: Vec<StayRow> = self.touched_stays.keys().filter_map(|key| self.stays.get(key)).cloned().collect();
        let profiles: Vec<ProfileRow> =
            self.touched_profiles.keys().filter_map(|key| self.profiles.get(key)).cloned().collect();
        stays::save(tx, self.portal, self.key, &stays).await?;
        stay_steps::add(tx, self.portal, &self.steps).await?;
        profiles::save(tx, self.portal, self.key, &profiles).await?;
        let mut intents = self.stay_intents(tx, &stays).await?;
        intents.extend(self.profile_intents(tx).await?);
        intents.extend(self.event_intents(tx).await?);
        let (bound, refused) = self.bind(tx, &self.bindings).await?;
        intents.extend(bound);
        intents.extend(self.pin(tx, &self.pins).await?);
        intents.extend(self.split(tx, &self.splits).await?);
        merges::left(tx, self.portal, &self.moved, self.now).await?;
        intents.append(&mut self.merged);
        intents.extend(self.merge(tx, &self.gone).await?);
        self.problems.extend(refused);
        outbox::add(tx, self.portal, intents).await?;
        inbox::set_failed(tx, self.portal, &self.failed).await?;
        inbox::set_decided(tx, self.portal, &self.recovered).await?;
        problems::over_all(tx, self.portal, &self.settled, STATUS_REFUSED).await?;
        for cause in [FAILED, UNREADABLE] {
            problems::over_all(tx, self.portal, &self.worked_in, cause).await?;
        }
        problems::raise(tx, self.portal, self.key, &self.problems, self.now).await
    }

    async fn stay_intents(&self, tx: &Tx, stays: &[StayRow]) -> Result<Vec<NewIntent>, StoreError> {
        let group = |((hotel, number), touched): (&(HotelId, GroupNumber), &Touched)| {
            intent(&Subject::Group(*hotel, number.clone()), *touched, RANK_GROUP)
        };
        let mut intents: Vec<NewIntent> = self.touched_groups.iter().map(group).collect();
        let mut named: HashMap<Subject, (Touched, i32, bool)> = HashMap::new();
        for stay in stays {
            let Some(touched) = self.touched_stays.get(&(stay.hotel, stay.facts.number.clone())) else { continue };
            if !touched.changed {
                continue;
            }
            intents.push(intent(&Subject::Stay(stay.hotel, stay.facts.number.clone()), *touched, RANK_DEAL));
            for (profile, role) in stays::roles(&stay.facts) {
                let rank = if role.is_person() { RANK_CONTACT } else { RANK_COMPANY };
                let totals = touched.others && role == Role::Guest;
                let entry = named.entry(Subject::Profile(stay.hotel, profile)).or_insert((*touched, rank, false));
                entry.0.turn = entry.0.turn.min(touched.turn);
                entry.2 |= totals;
            }
        }
        for ((hotel, guest), touched) in &self.left {
            let subject = Subject::Profile(*hotel, guest.clone());
            named.entry(subject).or_insert((*touched, RANK_CONTACT, true)).2 = true;
        }
        // Known people who have no record yet, and guests whose finished stays changed.
        let subjects: Vec<String> = named.keys().map(ToString::to_string).collect();
        let linked = links::of_subjects(tx, self.portal, &subjects).await?;
        let known = self.known_profiles(tx, named.keys()).await?;
        for (subject, (touched, rank, totals)) in named {
            if known.contains(&subject) && (totals || !linked.contains_key(&subject.to_string())) {
                intents.push(intent(&subject, touched, rank));
            }
        }
        Ok(intents)
    }

    async fn known_profiles<'s>(
        &self,
        tx: &Tx,
        subjects: impl Iterator<Item = &'s Subject>,
    ) -> Result<HashSet<Subject>, StoreError> {
        let mut hotels: HashMap<HotelId, Vec<String>> = HashMap::new();
        for subject in subjects {
            if let Subject::Profile(hotel, number) = subject {
                hotels.entry(*hotel).or_default().push(number.to_string());
            }
        }
        let mut known = HashSet::new();
        for (hotel, numbers) in hotels {
            for number in profiles::hashes(tx, self.portal, hotel, &numbers).await?.into_keys() {
                if let Ok(number) = ProfileNumber::parse(&number) {
                    known.insert(Subject::Profile(hotel, number));
                }
            }
        }
        Ok(known)
    }

    async fn profile_intents(&self, tx: &Tx) -> Result<Vec<NewIntent>, StoreError> {
        let changed: Vec<(HotelId, ProfileNumber)> =
            self.touched_profiles.iter().filter(|(_, touched)| touched.changed).map(|(key, _)| key.clone()).collect();
        let subjects: Vec<String> =
            changed.iter().map(|(hotel, number)| Subject::Profile(*hotel, number.clone()).to_string()).collect();
        let linked = links::of_subjects(tx, self.portal, &subjects).await?;
        let naming = stays::naming(tx, self.portal, &changed).await?;
        let turns = self.turns(tx, &changed).await?;
        let mut roles: HashMap<(HotelId, ProfileNumber), Role> = HashMap::new();
        let mut intents = Vec::new();
        let mut retitled: Vec<(Subject, Touched)> = Vec::new();
        for (hotel, stay, profile, role) in naming {
            let key = (hotel, profile);
            if let Some(touched) = self.touched_profiles.get(&key).filter(|touched| touched.others) {
                retitled.push((Subject::Stay(hotel, stay), *touched));
            }
            roles.entry(key).or_insert(role);
        }
        for key in changed {
            let subject = Subject::Profile(key.0, key.1.clone());
            let role = roles.get(&key);
            // People nobody books for stay in the hotel: thousands of profiles have no stay with us.
            if role.is_none() && !linked.contains_key(&subject.to_string()) {
                continue;
            }
            let rank = if role.is_none_or(|role| role.is_person()) { RANK_CONTACT } else { RANK_COMPANY };
            if let Some(touched) = self.touched_profiles.get(&key) {
                let turn = turns.get(&key).copied().unwrap_or(touched.turn);
                intents.push(intent(&subject, Touched { turn, ..*touched }, rank));
            }
        }
        let stays: Vec<String> = retitled.iter().map(|(subject, _)| subject.to_string()).collect();
        let deals = links::of_subjects(tx, self.portal, &stays).await?;
        for (subject, touched) in retitled {
            // A stay without a deal waits in the outbox anyway; a live one may be waiting for just this guest.
            let live = touched.priority <= super::lane(Priority::Live);
            if live || deals.contains_key(&subject.to_string()) {
                intents.push(intent(&subject, touched, RANK_DEAL));
            }
        }
        Ok(intents)
    }
}

/// Whether a row could be read; then it is taken.
fn take<T: DeserializeOwned>(plain: &[u8], row: &InboxRow, into: &mut Vec<(InboxRow, T)>) -> bool {
    let read = serde_json::from_slice(plain);
    read.map(|said| into.push((row.clone(), said))).is_ok()
}
