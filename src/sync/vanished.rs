//! Guests whom stays have left, looked for in the PMS: one who is there was only booked out, one who is gone or inactive may
//! have been merged (facts Suite 8 §6, product §2.13). Asked are only these, a few with each poll, and twice: the hotel may be
//! working on them. Of whom is gone, the stays that we know are read again, so that all of them tell who took him over. Then
//! the inbox is told; what becomes of it is decided there ([`super::pms_merges`]).

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::engine::Engine;
use super::error::SyncError;
use super::events::PAYLOAD;
use super::intake::Intake;
use super::lease::HeldLease;
use super::pms_merges::Gone;
use super::strangers::{Glance, Guarded};
use crate::bitrix::Priority;
use crate::crypto::TenantKey;
use crate::domain::{Entity, HotelId, ProfileNumber, StayNumber, Subject, merging};
use crate::fidelio::{Read, ReadReport, Source};
use crate::store::inbox::{self, InboxKind, NewRow};
use crate::store::merges;
use crate::store::problems::{self, NewProblem};
use crate::store::sources::SourceRow;
use crate::store::stays::{self, Role};
use crate::store::{StoreError, Tx};

/// Guests that one poll looks for.
const LOT: i64 = 20;
/// So many at once are no merges of a clerk: another property answers, a filter was set, or an old backup was restored.
const MOST: usize = 8;
/// The second look at who was not there, so much later at least.
const AGAIN_MS: i64 = 60_000;
/// After a look that failed.
const LATER_MS: i64 = 600_000;
/// Stays that are read again at once. Whoever has more is left alone.
const STAYS: usize = 200;

const MANY: &str = "pms.merged_many";

/// What a look says of whom it was for.
#[derive(Default)]
struct Seen {
    there: Vec<ProfileNumber>,
    gone: Vec<ProfileNumber>,
    /// Nothing could be read of them.
    unclear: Vec<ProfileNumber>,
}

fn seen(asked: &[ProfileNumber], glance: &Glance, report: &ReadReport) -> Seen {
    let told: HashMap<&ProfileNumber, bool> = glance
        .0
        .iter()
        .filter_map(|change| match &change.entity {
            Entity::Profile(profile) => Some((&profile.number, merging::is_there(profile))),
            Entity::Stay(_) => None,
        })
        .collect();
    let odd: BTreeSet<&str> = report.unreadable.iter().map(|record| record.number.as_str()).collect();
    let nameless = report.unnamed > 0 || odd.contains("");
    let mut seen = Seen::default();
    for number in asked {
        match told.get(number) {
            Some(true) => seen.there.push(number.clone()),
            Some(false) => seen.gone.push(number.clone()),
            None if nameless || odd.contains(number.as_str()) => seen.unclear.push(number.clone()),
            None => seen.gone.push(number.clone()),
        }
    }
    seen
}

fn whole(hotel: HotelId) -> String {
    format!("hotel:{hotel}")
}

impl Engine {
    /// Looks for the next few; the hotel's lease is held.
    pub(super) async fn look_for_vanished(
        &self,
        row: &SourceRow,
        key: &TenantKey,
        lease: &HeldLease,
        reader: &dyn Source,
    ) -> Result<(), SyncError> {
        let (db, now) = (&self.0.deps.db, self.0.deps.clock.now_ms());
        let due = merges::to_look_for(db, row.portal, row.hotel, now, LOT).await?;
        if due.is_empty() {
            return Ok(());
        }
        let asked: Vec<ProfileNumber> = due.iter().map(|(number, _)| number.clone()).collect();
        let mut glance = Glance::default();
        let read = reader.read(&Read::Profiles { numbers: asked.clone() }, &row.state, &mut glance).await;
        let seen = match read {
            Ok(report) => seen(&asked, &glance, &report),
            Err(error) => {
                tracing::warn!(portal = %row.portal, hotel = %row.hotel, %error, "guests could not be looked for");
                return Ok(merges::put_off(db, row.portal, row.hotel, &asked, now + LATER_MS).await?);
            }
        };
        let told = problems::states(db, row.portal, &[whole(row.hotel)], MANY).await?;
        let stopped = told.values().any(|state| state == "open");
        let again: BTreeSet<&ProfileNumber> =
            due.iter().filter(|(_, again)| *again).map(|(number, _)| number).collect();
        let (twice, once): (Vec<_>, Vec<_>) = seen.gone.iter().cloned().partition(|number| again.contains(number));
        let tx = db.begin().await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("hotel:{}", row.hotel)));
        }
        if stopped || seen.gone.len() > MOST {
            self.too_many(&tx, row, key, seen.gone.len(), stopped).await?;
            return Ok(tx.commit().await?);
        }
        merges::let_be(&tx, row.portal, row.hotel, &seen.there).await?;
        merges::looked(&tx, row.portal, row.hotel, &once, (1, now + AGAIN_MS)).await?;
        let further: Vec<ProfileNumber> = seen.unclear.into_iter().chain(twice.iter().cloned()).collect();
        merges::looked(&tx, row.portal, row.hotel, &further, (1, now + LATER_MS)).await?;
        tx.commit().await?;
        if twice.is_empty() {
            return Ok(());
        }
        self.tell_gone(row, key, lease, reader, twice).await
    }

    /// Nothing is done but said, until a person says that it is in order.
    async fn too_many(
        &self,
        tx: &Tx,
        row: &SourceRow,
        key: &TenantKey,
        count: usize,
        said: bool,
    ) -> Result<(), StoreError> {
        merges::let_all_be(tx, row.portal, row.hotel).await?;
        if said {
            return Ok(());
        }
        let problem = NewProblem {
            hotel: Some(row.hotel),
            subject: whole(row.hotel),
            cause: MANY.to_owned(),
            kind: "doubtful",
            params: json!({"count": count}),
        };
        problems::raise(tx, row.portal, key, &[problem], self.0.deps.clock.now_ms()).await
    }

    async fn tell_gone(
        &self,
        row: &SourceRow,
        key: &TenantKey,
        lease: &HeldLease,
        reader: &dyn Source,
        gone: Vec<ProfileNumber>,
    ) -> Result<(), SyncError> {
        let deps = &self.0.deps;
        let keys: Vec<_> = gone.iter().map(|number| (row.hotel, number.clone())).collect();
        let mut held: HashMap<ProfileNumber, BTreeSet<StayNumber>> = HashMap::new();
        for (_, stay, profile, role) in stays::naming(&deps.db, row.portal, &keys).await? {
            if role == Role::Guest {
                held.entry(profile).or_default().insert(stay);
            }
        }
        let few = |number: &ProfileNumber| held.get(number).is_none_or(|stays| stays.len() <= STAYS);
        let (gone, many): (Vec<_>, Vec<_>) = gone.into_iter().partition(few);
        let mut numbers: Vec<StayNumber> = Vec::new();
        let mut told: Vec<ProfileNumber> = Vec::new();
        for number in gone {
            let its = held.get(&number).into_iter().flatten();
            if numbers.is_empty() || numbers.len() + its.clone().count() <= STAYS {
                numbers.extend(its.cloned());
                told.push(number);
            }
        }
        let mut missing: BTreeSet<StayNumber> = BTreeSet::new();
        if !numbers.is_empty() {
            let mut intake = Intake::new(deps, lease, key, row.portal, row.hotel, Priority::Live);
            match self.read_guarded(reader, &Read::Stays { numbers }, &row.state, &mut intake).await? {
                Guarded::Strangers => return Ok(()),
                Guarded::Read(Ok(report)) => {
                    self.unread(row.portal, key, row.hotel, &report).await?;
                    missing = report.missing.iter().filter_map(|number| StayNumber::parse(number).ok()).collect();
                }
                Guarded::Read(Err(error)) => {
                    tracing::warn!(portal = %row.portal, hotel = %row.hotel, %error, "stays of a guest who is gone could not be read");
                    return Ok(());
                }
            }
        }
        self.step("poll.vanished")?;
        let mut rows = Vec::new();
        for number in &told {
            let its = held.get(number).into_iter().flatten();
            let gone = Gone { missing: its.filter(|stay| missing.contains(*stay)).cloned().collect() };
            let plain = serde_json::to_vec(&gone).map_err(|_| StoreError::Corrupt(PAYLOAD))?;
            rows.push(NewRow {
                hotel: row.hotel,
                kind: InboxKind::Gone,
                subject: Subject::Profile(row.hotel, number.clone()).to_string(),
                // Behind the stays that were just read, in their lane.
                priority: super::lane(Priority::Live),
                payload: key.seal(PAYLOAD, &plain).map_err(StoreError::Crypto)?,
                hash: String::new(),
            });
        }
        let tx = deps.db.begin().await?;
        if !lease.holds(&tx).await? {
            return Err(SyncError::Elsewhere(format!("hotel:{}", row.hotel)));
        }
        merges::let_be(&tx, row.portal, row.hotel, &many).await?;
        merges::looked(&tx, row.portal, row.hotel, &told, (2, deps.clock.now_ms())).await?;
        inbox::add(&tx, row.portal, rows, deps.clock.now_ms()).await?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Change, Known, Observed, Profile};
    use crate::fidelio::{RecordKind, Unread};

    #[test]
    fn s3_who_cannot_be_read_is_not_gone() {
        let number = |text: &str| ProfileNumber::parse(text).expect("a number");
        let profile = |text: &str, active| {
            let profile = Profile { active, ..Profile::new(number(text)) };
            let observed = Observed { source: "x".into(), pms_time: None, received_at: chrono::DateTime::UNIX_EPOCH };
            Change { entity: Entity::Profile(Box::new(profile)), observed }
        };
        let told =
            Glance(vec![profile("1", Known::Absent), profile("2", Known::Is(false)), profile("3", Known::Is(true))]);
        let asked: Vec<ProfileNumber> = ["1", "2", "3", "4", "5"].map(number).into();
        let unread = |text: &str| Unread { kind: RecordKind::Profile, number: text.into(), why: "x".into() };
        let mut report = ReadReport { unreadable: vec![unread("5")], ..ReadReport::default() };
        let of = |report: &ReadReport| {
            let seen = seen(&asked, &told, report);
            [seen.there, seen.gone, seen.unclear]
                .map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        };
        assert_eq!(of(&report), ["1,3", "2,4", "5"]);
        report.unnamed = 1;
        assert_eq!(of(&report), ["1,3", "2", "4,5"], "any of them may be the one without a number");
    }
}
