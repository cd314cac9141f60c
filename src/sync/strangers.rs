//! Reading a source under guard: as soon as a known number comes with somebody else, nothing more is taken before a sample
//! of known numbers was read. One card given to another guest is an edit; a hotel full of strangers is another hotel under
//! the old code, and is stopped (product §1).

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::engine::Engine;
use super::error::SyncError;
use super::intake::{Intake, Trust};
use super::lanes::Delivery;
use super::plan::{Due, Plan};
use crate::crypto::TenantKey;
use crate::domain::identity::{self, Likeness, Sample};
use crate::domain::{Change, CrmEntity, Entity, Fields, HotelId, PortalId};
use crate::fidelio::{Read, ReadReport, Sink, Source, SourceError};
use crate::store::crm_records::RecordRow;
use crate::store::links::{self, LinkRow, Origin};
use crate::store::problems::{self, NewProblem};
use crate::store::{StoreError, Tx, profiles, source_reading, stays};

/// Known numbers that are read again.
const SAMPLED: i64 = 12;

/// What ended longer ago a PMS may have purged, guests with it: that it is missing says nothing.
pub(super) const PURGED_AFTER: TimeDelta = TimeDelta::days(30);

/// The stable code of what happened: a link's health, an import's failure.
pub(super) const REINSTALLED: &str = "reinstalled";
pub(super) const CAUSE: &str = "pms.reinstalled";

/// What is on its way for a hotel that was stopped is not sent; a person's decision lets it go at once.
pub(super) const STOPPED_MS: i64 = 600_000;

/// How a guarded read ended.
pub(super) enum Guarded {
    Read(Result<ReadReport, SourceError>),
    /// Other people behind known numbers: the hotel's sources are stopped.
    Strangers,
}

/// Whether some known number among these changes stands for somebody else now.
pub(super) async fn any_stranger(
    db: &crate::store::Db,
    portal: PortalId,
    key: &TenantKey,
    hotel: HotelId,
    changes: &[&Change],
) -> Result<bool, StoreError> {
    let mut sample = Sample::default();
    compare(db, portal, key, hotel, changes, &mut sample).await?;
    Ok(sample.other > 0)
}

async fn compare(
    db: &crate::store::Db,
    portal: PortalId,
    key: &TenantKey,
    hotel: HotelId,
    changes: &[&Change],
    sample: &mut Sample,
) -> Result<(), StoreError> {
    let (mut people, mut bookings) = (HashMap::new(), HashMap::new());
    for change in changes {
        match &change.entity {
            Entity::Profile(profile) => drop(people.insert((hotel, profile.number.clone()), profile)),
            Entity::Stay(stay) => drop(bookings.insert((hotel, stay.number.clone()), stay)),
        }
    }
    let keys: Vec<_> = people.keys().cloned().collect();
    for (id, held) in profiles::load(db, portal, key, &keys).await? {
        sample.take(people.get(&id).map_or(Likeness::Unclear, |seen| identity::of_profiles(&held.facts, seen)));
    }
    let keys: Vec<_> = bookings.keys().cloned().collect();
    for (id, held) in stays::load(db, portal, key, &keys).await? {
        sample.take(bookings.get(&id).map_or(Likeness::Unclear, |seen| identity::of_stays(&held.facts, seen)));
    }
    Ok(())
}

fn of_late<N: ToString>(sampled: &[(N, bool)]) -> Vec<String> {
    sampled.iter().filter(|(_, of_late)| *of_late).map(|(number, _)| number.to_string()).collect()
}

/// Keeps what is read; nothing of it goes on.
#[derive(Default)]
pub(super) struct Glance(pub(super) Vec<Change>);

#[async_trait]
impl Sink for Glance {
    async fn take(&mut self, changes: Vec<Change>, _state: Option<Value>) -> Result<(), SourceError> {
        self.0.extend(changes);
        Ok(())
    }

    fn keeps(&self) -> bool {
        false
    }
}

impl Engine {
    /// Reads into the inbox unless the hotel turns out to be another one.
    pub(super) async fn read_guarded(
        &self,
        source: &dyn Source,
        what: &Read,
        state: &Value,
        intake: &mut Intake<'_>,
    ) -> Result<Guarded, SyncError> {
        let read = source.read(what, state, intake).await;
        let Trust::Met(lot) = std::mem::take(&mut intake.trust) else { return Ok(Guarded::Read(read)) };
        match self.sample(source, intake, lot).await {
            Err(Sampling::Source(error)) => return Ok(Guarded::Read(Err(error))),
            Err(Sampling::Store(error)) => return Err(error.into()),
            Ok(sample) if sample.is_another_hotel() => {
                tracing::warn!(portal = %intake.portal, hotel = %intake.hotel, ?sample, "known numbers came back with other people");
                self.stop_hotel(intake).await?;
                return Ok(Guarded::Strangers);
            }
            Ok(_) => {}
        }
        intake.trust = Trust::Settled;
        Ok(Guarded::Read(source.read(what, state, intake).await))
    }

    /// The lot that raised the alarm counts like what is asked for: of many known numbers a young installation has few.
    async fn sample(&self, source: &dyn Source, intake: &Intake<'_>, lot: Vec<Change>) -> Result<Sample, Sampling> {
        let (db, portal, hotel) = (&self.0.deps.db, intake.portal, intake.hotel);
        let since = (self.0.deps.clock.now() - PURGED_AFTER).date_naive();
        let people = profiles::sample(db, portal, hotel, since, SAMPLED).await?;
        let bookings = stays::sample(db, portal, hotel, since, SAMPLED).await?;
        let asked = [
            (of_late(&people), Read::Profiles { numbers: people.into_iter().map(|(number, _)| number).collect() }),
            (of_late(&bookings), Read::Stays { numbers: bookings.into_iter().map(|(number, _)| number).collect() }),
        ];
        let (mut sample, mut seen) = (Sample::default(), lot);
        for (of_late, what) in asked {
            let mut glance = Glance::default();
            let report = match source.read(&what, &Value::Null, &mut glance).await {
                Ok(report) => report,
                // The one area may be off; the other one tells.
                Err(SourceError::NotLicensed { .. }) => continue,
                Err(error) => return Err(Sampling::Source(error)),
            };
            let mut there: HashSet<String> = report.unreadable.into_iter().map(|record| record.number).collect();
            for change in glance.0 {
                // A reader may hand over more than it was asked for.
                let number = match (&change.entity, &what) {
                    (Entity::Profile(profile), Read::Profiles { numbers }) if numbers.contains(&profile.number) => {
                        profile.number.to_string()
                    }
                    (Entity::Stay(stay), Read::Stays { numbers }) if numbers.contains(&stay.number) => {
                        stay.number.to_string()
                    }
                    _ => continue,
                };
                there.insert(number);
                seen.push(change);
            }
            sample.missing += of_late.iter().filter(|number| !there.contains(*number)).count();
        }
        // A number that is in both counts once.
        compare(db, portal, &intake.key, hotel, &seen.iter().collect::<Vec<_>>(), &mut sample).await?;
        Ok(sample)
    }

    async fn stop_hotel(&self, intake: &Intake<'_>) -> Result<(), SyncError> {
        let tx = self.0.deps.db.begin().await?;
        source_reading::stop_hotel(&tx, intake.portal, intake.hotel, REINSTALLED).await?;
        problems::raise(&tx, intake.portal, &intake.key, &[stopped(intake.hotel)], self.0.deps.clock.now_ms()).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Delivery {
    /// Whether a record that was found by its mark (as after a reinstall of ours) is somebody else's. Then nothing of it is
    /// overwritten; a person looks at it.
    pub(super) fn is_stranger(
        &self,
        plan: &mut Plan,
        due: &Due,
        link: &LinkRow,
        record: &RecordRow,
        desired: &Fields,
    ) -> bool {
        // Once written, it is what the hotel says.
        if link.origin != Origin::Recovered || record.synced_at > 0 {
            return false;
        }
        let likeness = match link.entity {
            CrmEntity::Deal => identity::of_deals(&record.fields, desired),
            _ => identity::of_people(&record.fields, desired),
        };
        if let Some(hotel) = due.subject.hotel() {
            plan.marks.entry(hotel).or_default().take(likeness);
        }
        let other = likeness == Likeness::Other;
        if other {
            plan.strange.push((link.entity, link.crm_id));
            plan.reject(due, "crm.foreign_mark", json!({"entity": link.entity.word(), "id": link.crm_id}));
        }
        other
    }

    /// A hotel most of whose marks stand on other people's records is another hotel.
    pub(super) async fn stop_strangers(&self, tx: &Tx, plan: &mut Plan) -> Result<(), StoreError> {
        for (entity, id) in std::mem::take(&mut plan.strange) {
            links::forget(tx, self.portal, entity, &[id]).await?;
        }
        let marks = std::mem::take(&mut plan.marks);
        for (hotel, _) in marks.into_iter().filter(|(_, sample)| sample.is_another_hotel()) {
            source_reading::stop_hotel(tx, self.portal, hotel, REINSTALLED).await?;
            plan.problems.push(stopped(hotel));
            // Nor does anything else go out that was planned for it along with them.
            let (held, writes): (Vec<_>, Vec<_>) =
                std::mem::take(&mut plan.writes).into_iter().partition(|write| write.subject.hotel() == Some(hotel));
            plan.writes = writes;
            for write in held {
                self.lanes().births.remove(write.row);
                plan.later.push((write.row, self.now() + STOPPED_MS));
            }
        }
        Ok(())
    }

    /// Hotels that wait for a person: nothing is overwritten by what they said.
    pub(super) async fn stopped_hotels(&self) -> Result<HashSet<HotelId>, StoreError> {
        source_reading::stopped_hotels(self.db(), self.portal, REINSTALLED).await
    }
}

fn stopped(hotel: HotelId) -> NewProblem {
    NewProblem {
        hotel: Some(hotel),
        subject: format!("hotel:{hotel}"),
        cause: CAUSE.to_owned(),
        kind: "refused",
        params: json!({}),
    }
}

/// Why a sample could not be taken.
enum Sampling {
    Source(SourceError),
    Store(StoreError),
}

impl From<StoreError> for Sampling {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
