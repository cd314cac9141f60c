//! A hotel whose truth a test holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::NaiveDateTime;
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::domain::{
    Change, Currency, Email, Entity, Known, Money, Observed, Phone, PhoneEntry, Profile, ProfileKind, ProfileNumber,
    Stay, StayNumber, StayStatus,
};
use fidelio_bitrix24::fidelio::{Layer, Read, ReadReport, Sink, Source, SourceError};

/// What the hotel would answer.
#[derive(Default)]
pub struct Truth {
    pub stays: BTreeMap<String, Stay>,
    pub profiles: BTreeMap<String, Profile>,
    /// Profiles that changed, and that no booking names.
    pub unbooked: BTreeSet<ProfileNumber>,
    pub tick: u32,
    /// What a read reports besides.
    pub said: ReadReport,
    /// How every read ends, while it is set …
    pub trouble: Option<SourceError>,
    /// … every one that asks by number …
    pub trouble_by_number: Option<SourceError>,
    /// … every one that asks for arrivals …
    pub trouble_by_arrivals: Option<SourceError>,
    /// … and every one that asks for guests by number.
    pub trouble_with_guests: Option<SourceError>,
    /// What was asked, in order.
    pub asked: Vec<Read>,
}

#[derive(Clone)]
pub struct Hotel {
    pub truth: Arc<Mutex<Truth>>,
    clock: Clock,
}

impl Hotel {
    pub fn new(clock: Clock) -> Self {
        Self { truth: Arc::default(), clock }
    }
}

#[async_trait]
impl Source for Hotel {
    async fn read(&self, what: &Read, _: &serde_json::Value, sink: &mut dyn Sink) -> Result<ReadReport, SourceError> {
        let (stays, profiles, said) = {
            let mut truth = self.truth.lock().unwrap();
            truth.asked.push(what.clone());
            let by_number = matches!(what, Read::Profiles { .. } | Read::Stays { .. });
            let guests = matches!(what, Read::Profiles { .. });
            let trouble = [
                truth.trouble.clone(),
                truth.trouble_by_number.clone().filter(|_| by_number),
                truth.trouble_by_arrivals.clone().filter(|_| matches!(what, Read::Arrivals { .. })),
                truth.trouble_with_guests.clone().filter(|_| guests),
            ];
            if let Some(trouble) = trouble.into_iter().flatten().next() {
                return Err(trouble);
            }
            let mut said = truth.said.clone();
            if let Read::Stays { numbers } = what {
                let numbers = numbers.iter().map(ToString::to_string);
                said.missing = numbers.filter(|number| !truth.stays.contains_key(number)).collect();
            }
            let stays: Vec<Stay> = truth
                .stays
                .values()
                .filter(|stay| match what {
                    Read::Arrivals { from, to } => stay.arrival.get().is_some_and(|day| (from..=to).contains(&day)),
                    Read::InHouse { from, to, on } => {
                        stay.arrival.get().is_some_and(|day| (from..=to).contains(&day))
                            && stay.departure.get().is_some_and(|day| day >= on)
                    }
                    Read::Stays { numbers } => numbers.contains(&stay.number),
                    Read::Profiles { .. } => false,
                    Read::Changes => true,
                })
                .cloned()
                .collect();
            let mut named: BTreeSet<&ProfileNumber> = stays
                .iter()
                .flat_map(|stay| {
                    let partners = [&stay.company, &stay.travel_agent, &stay.source_profile];
                    stay.guests().into_iter().chain(partners.into_iter().filter_map(Known::get))
                })
                .collect();
            if let Read::Profiles { numbers } = what {
                named.extend(numbers);
            }
            if *what == Read::Changes {
                named.extend(&truth.unbooked);
            }
            let profiles: Vec<Profile> =
                truth.profiles.values().filter(|profile| named.contains(&profile.number)).cloned().collect();
            (stays, profiles, said)
        };
        let count = stays.len() + profiles.len();
        let at = |pms_time: Option<NaiveDateTime>| Observed {
            source: "suite8_xml".into(),
            pms_time,
            received_at: self.clock.now(),
        };
        let changes: Vec<Change> = stays
            .into_iter()
            .map(|stay| Change { observed: at(stay.updated_at.get().copied()), entity: Entity::Stay(Box::new(stay)) })
            .chain(profiles.into_iter().map(|profile| Change {
                observed: at(profile.updated_at.get().copied()),
                entity: Entity::Profile(Box::new(profile)),
            }))
            .collect();
        for chunk in changes.chunks(500) {
            sink.take(chunk.to_vec(), Some(serde_json::json!({"read": true}))).await?;
        }
        Ok(ReadReport { records: count, ..said })
    }

    async fn check(&self) -> Vec<Layer> {
        Vec::new()
    }
}

pub fn new_stay(number: &str) -> Stay {
    let mut stay = Stay::new(StayNumber::parse(number).unwrap());
    stay.status = Known::Is(StayStatus::Confirmed);
    stay.arrival = Known::Is("2026-11-22".parse().unwrap());
    stay.departure = Known::Is("2026-11-25".parse().unwrap());
    stay.room_type = Known::Is("DBL".into());
    stay.adults = Known::Is(2);
    stay.total = Known::Is(Money { amount: "30000".parse().unwrap(), currency: Currency::parse("RUB").unwrap() });
    stay
}

pub fn new_profile(number: &str) -> Profile {
    let mut profile = Profile::new(ProfileNumber::parse(number).unwrap());
    profile.kind = Known::Is(ProfileKind::Guest);
    profile.last_name = Known::Is(format!("Иванова{number}"));
    profile.first_name = Known::Is("Анна".into());
    profile.phones = Known::Is(vec![phone(&format!("+7900{:0>7}", number))]);
    profile.emails =
        Known::Is(vec![Email { address: format!("anna{number}@example.ru"), kind: String::new(), primary: true }]);
    profile
}

pub fn phone(number: &str) -> PhoneEntry {
    PhoneEntry { phone: Phone::read(number, Some("RU")), kind: "PBM".into(), primary: true }
}
