//! One person is erased (product §9): first nothing of him is held any more, in one transaction; then the portal is told the
//! ordinary way (what is desired of an erased person is an empty record); once it has confirmed, the act says what was
//! destroyed and what could not be reached. Who is erased is taken in no more: `domain::erasure`, by the number alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::decide::{RANK_CONTACT, RANK_DEAL, RANK_GROUP};
use super::engine::Engine;
use super::error::SyncError;
use super::events::PAYLOAD;
use super::intake::content_hash;
use super::lease::HeldLease;
use super::pins::holder;
use super::reread::look_at;
use super::{plan_groups, split};
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::mapping::Owner;
use crate::domain::{
    Change, CrmEntity, CrmValue, HotelId, Mapping, PortalId, Profile, ProfileNumber, StayNumber, Subject, erasure,
};
use crate::store::desk::search::{self, Filter, Whose};
use crate::store::erasures::{self, ErasureRow, Stage};
use crate::store::inbox::{self, Kept};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::{self, Intent, NewIntent};
use crate::store::profiles::{self, ProfileRow};
use crate::store::{
    StoreError, Tx, Via, crm_records, groups, hotels, mappings, merges, pins, problems, provenance, purge, stays,
};

/// How often it is looked whether the portal has confirmed.
const LOOK_MS: i64 = 10_000;
/// A deal's title is made of its guest's name.
const TITLE: &str = "title";
/// How long a record that he was taken off is waited for.
const PARTING_MS: i64 = 3_600_000;
const AT_ONCE: i64 = 20;
/// Rows of raw input opened at once.
const PAGE: i64 = 500;

/// What the act says of places that no erasure of ours reaches, whoever was erased.
const BEYOND: [&str; 3] = ["pms", "tasks_and_chats", "backups"];
/// So many requests of the support desk are named by one phone or e-mail.
const REQUESTS_NAMED: i64 = 200;

impl Engine {
    /// Asks for a person to be erased; `None`: nobody knows him.
    pub async fn erase_person(
        &self,
        portal: PortalId,
        hotel: HotelId,
        profile: &ProfileNumber,
        user_id: i64,
    ) -> Result<Option<ErasureRow>, SyncError> {
        let deps = &self.0.deps;
        let person = self.who(portal, hotel, profile).await?;
        let known = erasures::get(&deps.db, portal, hotel, &person.1).await?;
        if known.is_some() {
            return Ok(known);
        }
        let profile = person.1.clone();
        let person = [person];
        let key = deps.portals.key(portal).await?;
        if profiles::load(&deps.db, portal, &key, &person).await?.is_empty()
            && stays::naming(&deps.db, portal, &person).await?.is_empty()
        {
            return Ok(None);
        }
        let tx = deps.db.begin().await?;
        ask(&tx, portal, &person, user_id, false, deps.clock.now_ms()).await?;
        tx.commit().await?;
        self.wake();
        Ok(erasures::get(&deps.db, portal, hotel, &profile).await?)
    }

    /// Who that is by now: whoever the PMS merged into somebody is that one.
    pub(super) async fn who(
        &self,
        portal: PortalId,
        hotel: HotelId,
        profile: &ProfileNumber,
    ) -> Result<(HotelId, ProfileNumber), StoreError> {
        let key = (hotel, profile.clone());
        let merged = merges::of(&self.0.deps.db, portal, std::iter::once(&key)).await?;
        Ok(merged.get(&key).map_or(key, |merge| (hotel, merge.successor.clone())))
    }

    /// The erasure of a person, if anybody asked for it.
    pub async fn erasure(
        &self,
        portal: PortalId,
        hotel: HotelId,
        profile: &ProfileNumber,
    ) -> Result<Option<ErasureRow>, SyncError> {
        let own = erasures::get(&self.0.deps.db, portal, hotel, profile).await?;
        let (_, who) = self.who(portal, hotel, profile).await?;
        match erasures::get(&self.0.deps.db, portal, hotel, &who).await? {
            None => Ok(own),
            of_him => Ok(of_him),
        }
    }

    /// Goes on with what is due, under the lease of whoever decides: nothing of him is being decided meanwhile.
    pub(super) async fn erase_due(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        for row in erasures::due(&deps.db, portal, deps.clock.now_ms(), AT_ONCE).await? {
            match row.stage {
                Stage::Asked => self.forget(portal, key, lease, row).await?,
                Stage::Telling => self.conclude(portal, key, lease, row).await?,
                Stage::Done => {}
            }
        }
        Ok(())
    }

    /// Nothing of him is held any more but his number, and the portal is to be told.
    async fn forget(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
        mut row: ErasureRow,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let (hotel, now) = (row.hotel, deps.clock.now_ms());
        let inputs = self.inputs(portal, key, hotel, &row.profile).await?;
        let mapping = mappings::active(&deps.db, portal, hotel).await?.mapping;
        let known = (hotel, row.profile.clone());
        let requests = match profiles::load(&deps.db, portal, key, std::slice::from_ref(&known)).await?.remove(&known) {
            Some(held) => self.requests_of(portal, &held.facts).await?,
            None => BTreeSet::new(),
        };
        self.step("erase.read")?;
        let tx = deps.db.begin().await?;
        crm_records::hold(&tx, portal).await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("decide:{portal}")));
        }
        let person = (hotel, row.profile.clone());
        let subject = Subject::Profile(hotel, row.profile.clone()).to_string();
        // Who was just taken off a record is told from who stays there by what he is.
        if now - row.asked_at < PARTING_MS && !split::parting(&tx, portal, &subject).await?.is_empty() {
            erasures::advance(&tx, portal, &row, now + LOOK_MS).await?;
            return Ok(tx.commit().await?);
        }
        let held = profiles::load(&tx, portal, key, std::slice::from_ref(&person)).await?.remove(&person);
        // Of nothing that was there: a keyed hash of what he was would still tell him from others.
        let hash = key.hash("erased", subject.as_bytes());
        let stone = ProfileRow {
            hotel,
            facts: erasure::stone(row.profile.clone(), held.as_ref().map(|held| &held.facts)),
            hash: hash.clone(),
            source: held.as_ref().map(|held| held.source.clone()).unwrap_or_default(),
            pms_time: None,
            received_at: now,
            updated_at: now,
        };
        profiles::save(&tx, portal, key, &[stone]).await?;
        let his = his_stays(&tx, portal, &person).await?;
        let mut rows: Vec<_> = stays::load(&tx, portal, key, &his).await?.into_values().collect();
        let erased = BTreeSet::from([row.profile.clone()]);
        for stay in &mut rows {
            erasure::blank(&mut stay.facts, &erased);
            stay.hash.clone_from(&hash);
        }
        stays::save(&tx, portal, key, &rows).await?;
        let groups: Vec<String> = groups_of(&tx, portal, &his).await?;
        let inputs = drop_inputs(&tx, portal, key, inputs, &erased).await?;
        let told = purge::told_of(&tx, portal, &subject).await?;
        // What is remembered of a record that others share may have been his.
        let (others, holders) = beside(&tx, portal, key, &subject).await?;
        provenance::end(&tx, portal, &others).await?;
        pins::blank(&tx, portal, key, &holders).await?;
        let stays = subjects_of(&his);
        let subjects: Vec<String> = stays.iter().chain(&groups).cloned().collect();
        for problem in problems::of_subjects(&tx, portal, key, &subjects).await? {
            problems::redact(&tx, portal, key, problem).await?;
        }
        let deals = links::of_subjects(&tx, portal, &subjects).await?;
        let mut texts = forget_births(&tx, portal, key, &mapping, deals.values()).await?;
        texts.insert(TITLE.to_owned());
        provenance::forget(&tx, portal, key, &subjects, &texts, now).await?;
        pins::blank(&tx, portal, key, &subjects).await?;
        // Whatever is on its way for them is looked at anew after it.
        let intent = |subject: &String, rank| NewIntent {
            subject: subject.clone(),
            intent: Intent::Sync,
            priority: super::lane(Priority::Live),
            rank,
            not_before: 0,
            seen_at: now,
        };
        let mut intents = vec![intent(&subject, RANK_CONTACT)];
        intents.extend(groups.iter().map(|subject| intent(subject, RANK_GROUP)));
        intents.extend(stays.iter().map(|subject| intent(subject, RANK_DEAL)));
        outbox::add(&tx, portal, intents).await?;
        let told: BTreeMap<_, _> = told.into_iter().collect();
        // What the hotel calls a group is told by everybody in it.
        let named_groups: &[&str] = if groups.is_empty() { &[] } else { &["group_names"] };
        row.act = json!({
            "destroyed": {"profile": held.is_some(), "stays": rows.len(), "inputs": inputs, "told": told},
            "kept": ["stay_figures", "numbers", "request_log"],
            "not_reached": BEYOND.iter().chain(named_groups).map(|code| json!({"code": code})).collect::<Vec<_>>(),
        });
        if !requests.is_empty() {
            row.add(vec![("not_reached", json!({"code": "support_requests", "numbers": requests}))]);
        }
        row.stage = Stage::Telling;
        erasures::advance(&tx, portal, &row, now).await?;
        self.step("erase.forgotten")?;
        tx.commit().await?;
        self.step("erase.committed")?;
        self.wake();
        Ok(())
    }

    /// The portal has confirmed all of it: his record is nobody's of ours any more, and the act is written.
    async fn conclude(
        &self,
        portal: PortalId,
        key: &TenantKey,
        lease: &HeldLease,
        mut row: ErasureRow,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let (hotel, now) = (row.hotel, deps.clock.now_ms());
        let person = (hotel, row.profile.clone());
        let subject = Subject::Profile(hotel, row.profile.clone()).to_string();
        // While nothing moves, the hotel's whole input need not be opened once more.
        let waits = self.on_its_way(portal, &person, &subject).await?;
        if !waits.is_null() && row.act.get("on_its_way") == Some(&waits) {
            let tx = deps.db.begin().await?;
            if !lease.holds(&tx).await? {
                return Err(SyncError::Elsewhere(format!("decide:{portal}")));
            }
            erasures::advance(&tx, portal, &row, now + LOOK_MS).await?;
            return Ok(tx.commit().await?);
        }
        // What a read that had begun before brought in after.
        let inputs = self.inputs(portal, key, hotel, &row.profile).await?;
        let mapping = mappings::active(&deps.db, portal, hotel).await?.mapping;
        let of = hotels::by_id(&deps.db, portal, hotel).await?;
        let tx = deps.db.begin().await?;
        crm_records::hold(&tx, portal).await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("decide:{portal}")));
        }
        let his = his_stays(&tx, portal, &person).await?;
        let mut subjects = subjects_of(&his);
        subjects.extend(groups_of(&tx, portal, &his).await?);
        let deals = links::of_subjects(&tx, portal, &subjects).await?;
        subjects.push(subject.clone());
        let waits = waiting(&tx, portal, &subjects).await?;
        drop_inputs(&tx, portal, key, inputs, &BTreeSet::from([row.profile.clone()])).await?;
        if !waits.is_null() {
            row.set("on_its_way", waits);
            erasures::advance(&tx, portal, &row, now + LOOK_MS).await?;
            return Ok(tx.commit().await?);
        }
        row.set("on_its_way", Value::Null);
        let births = forget_births(&tx, portal, key, &mapping, deals.values()).await?;
        // What was on its way meanwhile told what stood before it.
        provenance::forget(&tx, portal, key, &subjects, &births, now).await?;
        pins::blank(&tx, portal, key, &subjects).await?;
        purge::told_of(&tx, portal, &subject).await?;
        let (others, holders) = beside(&tx, portal, key, &subject).await?;
        provenance::forget(&tx, portal, key, &others, &BTreeSet::new(), now).await?;
        pins::blank(&tx, portal, key, &holders).await?;
        if let Some(link) = links::of_subjects(&tx, portal, std::slice::from_ref(&subject)).await?.remove(&subject) {
            let mark = of.as_ref().map(|hotel| format!("{}:{}", hotel.code, row.profile)).unwrap_or_default();
            let said = self.let_go(&tx, portal, key, &mapping, &link, &mark).await?;
            row.add(said);
        }
        pins::end_forsaken(&tx, portal).await?;
        for (entity, id) in split::parting(&tx, portal, &subject).await? {
            row.add(vec![("not_reached", json!({"code": "shared_record", "entity": entity.word(), "id": id}))]);
        }
        for merge in merges::into(&tx, portal, std::iter::once(&person)).await? {
            let Some((entity, id)) = merge.left else { continue };
            if crm_records::deleted_among(&tx, portal, entity, &[id]).await?.is_empty() {
                row.add(vec![("not_reached", json!({"code": "merged_record", "entity": entity.word(), "id": id}))]);
            }
        }
        if !deals.is_empty() && !births.is_empty() {
            let ids: BTreeSet<i64> = deals.values().map(|link| link.crm_id).collect();
            row.add(vec![(
                "not_reached",
                json!({"code": "deal_texts", "entity": "deal", "ids": ids, "fields": births}),
            )]);
        }
        if let Some(of) = &of {
            let silent = plan_groups::silent(&tx, portal, key, of, &mapping, &deals).await?;
            if !silent.is_empty() {
                row.add(vec![("not_reached", json!({"code": "group_deals", "entity": "deal", "ids": silent}))]);
            }
        }
        (row.stage, row.done_at) = (Stage::Done, Some(now));
        erasures::advance(&tx, portal, &row, now).await?;
        tx.commit().await?;
        self.step("erase.concluded")?;
        tracing::info!(%portal, %hotel, "a person was erased");
        Ok(())
    }

    async fn on_its_way(
        &self,
        portal: PortalId,
        person: &(HotelId, ProfileNumber),
        subject: &str,
    ) -> Result<Value, StoreError> {
        let tx = self.0.deps.db.begin().await?;
        let his = his_stays(&tx, portal, person).await?;
        let mut subjects = subjects_of(&his);
        subjects.extend(groups_of(&tx, portal, &his).await?);
        subjects.push(subject.to_owned());
        let waits = waiting(&tx, portal, &subjects).await?;
        tx.rollback().await?;
        Ok(waits)
    }

    /// Requests of the support desk that bear a phone or an e-mail of his: what was written there, and its files, are the
    /// desk's to erase.
    async fn requests_of(&self, portal: PortalId, profile: &Profile) -> Result<BTreeSet<String>, StoreError> {
        let (db, mut found) = (&self.0.deps.db, BTreeSet::new());
        for desk in search::desks_of(db, portal).await? {
            let key = match self.0.deps.portals.request_key(desk).await {
                // Nothing there can be read any more.
                Err(StoreError::KeyDestroyed) => continue,
                key => key?,
            };
            let customer = (desk != portal).then_some(portal);
            let phones = profile.phones.get().into_iter().flatten().map(|entry| &entry.phone);
            let phones = phones.map(|phone| phone.e164.as_ref().unwrap_or(&phone.raw)).filter(|text| !text.is_empty());
            let by_phone = phones.map(|text| Filter {
                phone: Some(search::phone_hash(&key, text)),
                customer,
                ..Filter::default()
            });
            let emails = profile.emails.get().into_iter().flatten().filter(|email| !email.address.trim().is_empty());
            let by_email = emails.map(|email| Filter {
                email: Some(search::email_hash(&key, &email.address)),
                customer,
                ..Filter::default()
            });
            for filter in by_phone.chain(by_email).collect::<Vec<_>>() {
                let rows = search::list(db, Whose::Desk(desk), &filter, REQUESTS_NAMED).await?;
                found.extend(rows.into_iter().map(|row| row.number.to_string()));
            }
        }
        Ok(found)
    }

    /// The record that stood for him is not followed any more; answers what of it is empty, and what is not.
    async fn let_go(
        &self,
        tx: &Tx,
        portal: PortalId,
        key: &TenantKey,
        mapping: &Mapping,
        link: &LinkRow,
        mark: &str,
    ) -> Result<Vec<(&'static str, Value)>, StoreError> {
        let (entity, id) = (link.entity, link.crm_id);
        let records = crm_records::load(tx, portal, key, entity, &[id]).await?;
        let mut others: Vec<LinkRow> = links::of_records(tx, portal, entity, &[id]).await?;
        others.retain(|other| other.subject != link.subject);
        let shared = !others.is_empty();
        links::end(tx, portal, std::slice::from_ref(&link.subject)).await?;
        if !shared {
            crm_records::forget(tx, portal, entity, &[id]).await?;
        } else if link.origin != Origin::Adopted {
            // It was made for him and is theirs now: his name is none that stood there before us.
            links::inherited(tx, portal, entity, id, link.origin).await?;
            let now = self.0.deps.clock.now_ms();
            outbox::add(tx, portal, others.iter().map(|other| look_at(entity, &other.subject, now)).collect()).await?;
        }
        let Some(record) = records.get(&id).filter(|record| !record.deleted) else { return Ok(Vec::new()) };
        let of = |code| json!({"code": code, "entity": entity.word(), "id": id});
        if shared {
            return Ok(vec![("not_reached", of("shared_record"))]);
        }
        let stands = |field: &str| match record.fields.get(field) {
            Some(CrmValue::Text(text)) => !text.is_empty() && text != mark,
            value => value.is_some_and(|value| !value.is_empty()),
        };
        let ours = mapping.rules(entity).filter(|rule| rule.owner != Owner::Crm).map(|rule| rule.field.as_str());
        let (left, emptied): (BTreeSet<&str>, BTreeSet<&str>) = ours.partition(|field| stands(field));
        let mut said = vec![("emptied", json!({"entity": entity.word(), "id": id, "fields": emptied}))];
        if !left.is_empty() {
            let by_people = json!({"code": "fields_of_people", "entity": entity.word(), "id": id, "fields": left});
            said.push(("not_reached", by_people));
        }
        said.push(("not_reached", of("other_fields")));
        Ok(said)
    }

    /// Raw input of a hotel that names this profile, whatever became of it.
    pub(super) async fn inputs(
        &self,
        portal: PortalId,
        key: &TenantKey,
        hotel: HotelId,
        profile: &ProfileNumber,
    ) -> Result<Vec<(Kept, Change)>, SyncError> {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = inbox::of_hotel(&self.0.deps.db, portal, hotel, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.id;
            for kept in page {
                let plain = key.open(PAYLOAD, &kept.payload).map_err(StoreError::Crypto)?;
                let change = serde_json::from_slice::<Change>(&plain).ok();
                if let Some(change) = change.filter(|change| erasure::named(change).contains(&profile)) {
                    found.push((kept, change));
                }
            }
        }
    }
}

impl ErasureRow {
    fn set(&mut self, name: &str, value: Value) {
        if let Some(act) = self.act.as_object_mut() {
            act.insert(name.to_owned(), value);
        }
    }

    /// Adds to lists of the act.
    fn add(&mut self, said: Vec<(&'static str, Value)>) {
        for (name, value) in said {
            if let Some(list) = self.act.as_object_mut().map(|act| act.entry(name).or_insert_with(|| json!([]))) {
                list.as_array_mut().into_iter().for_each(|list| list.push(value.clone()));
            }
        }
    }
}

/// Asks for erasures. Whoever was merged into one of them is the same person, and has no record of his own.
pub(super) async fn ask(
    tx: &Tx,
    portal: PortalId,
    people: &[(HotelId, ProfileNumber)],
    user_id: i64,
    by_pms: bool,
    now: i64,
) -> Result<(), StoreError> {
    let merged = merges::into(tx, portal, people.iter()).await?;
    let merged: Vec<_> = merged.into_iter().map(|merge| (merge.hotel, merge.profile)).collect();
    let subjects: Vec<String> =
        merged.iter().map(|(hotel, number)| Subject::Profile(*hotel, number.clone()).to_string()).collect();
    links::end(tx, portal, &subjects).await?;
    erasures::ask(tx, portal, &[people, &merged].concat(), user_id, by_pms, now).await
}

/// Changes as far as they may be known: nothing of people who are erased.
pub(super) async fn allowed<R>(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    changes: Vec<(R, Change)>,
    hotel_of: impl Fn(&R) -> HotelId,
) -> Result<Vec<(R, Change)>, StoreError> {
    let via = via.into();
    let mut named: BTreeMap<HotelId, BTreeSet<&ProfileNumber>> = BTreeMap::new();
    for (row, change) in &changes {
        named.entry(hotel_of(row)).or_default().extend(erasure::named(change));
    }
    let mut erased = BTreeMap::new();
    for (hotel, numbers) in named {
        erased.insert(hotel, erasures::among(via, portal, hotel, &numbers).await?);
    }
    let none = BTreeSet::new();
    let left = |(row, change): (R, Change)| {
        let erased = erased.get(&hotel_of(&row)).unwrap_or(&none);
        Some((row, erasure::without(change, erased)?))
    };
    Ok(changes.into_iter().filter_map(left).collect())
}

/// What of these is not confirmed yet; `null`: nothing.
async fn waiting(tx: &Tx, portal: PortalId, subjects: &[String]) -> Result<Value, StoreError> {
    let open = outbox::states(tx, portal, subjects).await?;
    if open.is_empty() {
        return Ok(Value::Null);
    }
    let refused = open.values().filter(|(state, ..)| [outbox::REJECTED, outbox::FAILED].contains(state)).count();
    Ok(json!({"records": open.len(), "refused": refused}))
}

async fn his_stays(
    tx: &Tx,
    portal: PortalId,
    person: &(HotelId, ProfileNumber),
) -> Result<Vec<(HotelId, StayNumber)>, StoreError> {
    let naming = stays::naming(tx, portal, std::slice::from_ref(person)).await?;
    let stays: BTreeSet<_> = naming.into_iter().map(|(hotel, stay, ..)| (hotel, stay)).collect();
    Ok(stays.into_iter().collect())
}

async fn groups_of(tx: &Tx, portal: PortalId, his: &[(HotelId, StayNumber)]) -> Result<Vec<String>, StoreError> {
    let groups = groups::of_stays(tx, portal, his).await?;
    Ok(groups.into_iter().map(|(hotel, group)| Subject::Group(hotel, group).to_string()).collect())
}

fn subjects_of(stays: &[(HotelId, StayNumber)]) -> Vec<String> {
    stays.iter().map(|(hotel, stay)| Subject::Stay(*hotel, stay.clone()).to_string()).collect()
}

/// Who shares his record, and by whom people's fields of it are kept. Against what people's edits of it stand may be his
/// name: that is remembered no more.
async fn beside(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    subject: &String,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let Some(link) = links::of_subjects(tx, portal, std::slice::from_ref(subject)).await?.remove(subject) else {
        return Ok(Default::default());
    };
    let mut records =
        crm_records::load(tx, portal, key, link.entity, &[link.crm_id]).await?.into_values().collect::<Vec<_>>();
    for record in &mut records {
        record.putbacks.forgive();
        record.edits.blank();
    }
    crm_records::save(tx, portal, key, &records).await?;
    let others = links::of_records(tx, portal, link.entity, &[link.crm_id]).await?;
    let others = others.into_iter().map(|other| other.subject).filter(|other| other != subject).collect();
    Ok((others, vec![holder(link.entity, link.crm_id, subject)]))
}

/// What was decided goes; what waits keeps what may be known. Answers how many.
async fn drop_inputs(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    inputs: Vec<(Kept, Change)>,
    erased: &BTreeSet<ProfileNumber>,
) -> Result<usize, StoreError> {
    let (count, mut gone) = (inputs.len(), Vec::new());
    for (kept, change) in inputs {
        match erasure::without(change, erased).filter(|_| !kept.decided) {
            None => gone.push(kept.id),
            Some(left) => {
                let plain = serde_json::to_vec(&left).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
                inbox::rewrite(tx, portal, kept.id, key.seal(PAYLOAD, &plain)?, &content_hash(key, &left)?).await?;
            }
        }
    }
    inbox::forget(tx, portal, &gone).await?;
    Ok(count)
}

/// What deals were given at their birth and people own since is remembered no more, nor what was quarrelled over; answers
/// which fields.
async fn forget_births(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    mapping: &Mapping,
    deals: impl Iterator<Item = &LinkRow>,
) -> Result<BTreeSet<String>, StoreError> {
    let births = mapping.all_rules(CrmEntity::Deal).filter(|rule| rule.owner == Owner::Crm);
    let births: BTreeSet<String> = births.map(|rule| rule.field.clone()).collect();
    let ids: Vec<i64> = deals.map(|link| link.crm_id).collect();
    let mut records: Vec<_> = crm_records::load(tx, portal, key, CrmEntity::Deal, &ids).await?.into_values().collect();
    let tells =
        |field: &str| births.contains(field) || mapping.tells_of_guests(CrmEntity::Deal, field) || field == TITLE;
    for record in &mut records {
        record.fields.retain(|field, _| !births.contains(field));
        // What was fought over, and what people put in its place, may be his name. What tells nothing of him stays theirs.
        record.putbacks.forgive_of(tells);
        record.edits.forget(tells);
    }
    crm_records::save(tx, portal, key, &records).await?;
    Ok(births)
}
