//! The Suite 8 source over real sockets, against the emulated hotel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fb24_sandbox::hotel::{
    ConditionTimes, DateSpelling, EmptySpelling, Fault, Hotel, HotelOptions, Knobs, Packing, Status, TextEncoding,
    UnknownField,
};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::domain::{Change, Currency, Entity, Known, Profile, Stay};
use fidelio_bitrix24::fidelio::suite8::{Settings, Suite8};
use fidelio_bitrix24::fidelio::{Read, ReadReport, Sink, Source, SourceError};
use fidelio_bitrix24::net::Guard;
use secrecy::SecretString;
use serde_json::Value;

pub mod check;
mod faults;
mod hostile;
mod polling;
mod reading;

/// What the taker has on disk.
#[derive(Default)]
pub struct Disk {
    pub stays: BTreeMap<String, Stay>,
    pub profiles: BTreeMap<String, Profile>,
    /// Numbers in the order they were taken.
    pub order: Vec<String>,
    pub largest: usize,
    pub state: Value,
    /// Refuses to take anything more after so many lots.
    pub full_after: Option<usize>,
}

#[async_trait]
impl Sink for Disk {
    async fn take(&mut self, changes: Vec<Change>, state: Option<Value>) -> Result<(), SourceError> {
        if let Some(left) = &mut self.full_after {
            if *left == 0 {
                return Err(SourceError::Sink("full".into()));
            }
            *left -= 1;
        }
        self.largest = self.largest.max(changes.len());
        for change in changes {
            match change.entity {
                Entity::Stay(stay) => {
                    self.order.push(format!("stay {}", stay.number));
                    self.stays.insert(stay.number.to_string(), *stay);
                }
                Entity::Profile(profile) => {
                    self.order.push(format!("profile {}", profile.number));
                    let number = profile.number.to_string();
                    // What a record does not say clears nothing.
                    let erased = self.profiles.get(&number).is_some_and(|own| own.privacy_removed == Known::Is(true));
                    let own = self.profiles.entry(number).insert_entry(*profile).into_mut();
                    if erased && own.privacy_removed == Known::Absent {
                        own.privacy_removed = Known::Is(true);
                    }
                }
            }
        }
        if let Some(state) = state {
            self.state = state;
        }
        Ok(())
    }
}

/// A hotel, a source that reads it, and what was taken.
pub struct Desk {
    pub hotel: Hotel,
    pub source: Arc<Suite8>,
    pub disk: Disk,
}

pub fn settings(hotel: &Hotel) -> Settings {
    let mut settings = Settings::new(
        hotel.url().parse().expect("url"),
        hotel.username(),
        SecretString::from(hotel.password()),
        chrono_tz::Europe::Moscow,
        Currency::parse("RUB").expect("iso"),
    );
    settings.settle = Duration::ZERO;
    settings.timeout = Duration::from_secs(20);
    settings
}

pub fn source(settings: Settings) -> Suite8 {
    let guard = Guard::parse(&["*=127.0.0.0/8".to_owned()]).expect("guard");
    Suite8::new(settings, "m", guard, Clock::system()).expect("source")
}

impl Desk {
    pub fn open(options: HotelOptions) -> Self {
        Self::open_with(options, |_| {})
    }

    pub fn open_with(options: HotelOptions, change: impl FnOnce(&mut Settings)) -> Self {
        let hotel = Hotel::start(options);
        let mut settings = settings(&hotel);
        change(&mut settings);
        Self { source: Arc::new(source(settings)), hotel, disk: Disk::default() }
    }

    pub async fn read(&mut self, what: Read) -> Result<ReadReport, SourceError> {
        let state = self.disk.state.clone();
        self.disk.order.clear();
        self.source.read(&what, &state, &mut self.disk).await
    }

    pub async fn poll(&mut self) -> ReadReport {
        self.read(Read::Changes).await.expect("polled")
    }

    /// A new process: what is only in memory is gone.
    pub fn restart(&mut self) {
        self.source = Arc::new(source(settings(&self.hotel)));
    }

    /// Everything the hotel has, as the source should have told it.
    pub fn assert_complete(&self) {
        self.hotel.with(|truth| {
            let expected: Vec<String> =
                truth.reservations.values().filter(|r| !r.financial_account).map(|r| r.number.to_string()).collect();
            let mut got: Vec<String> = self.disk.stays.keys().cloned().collect();
            got.sort_by_key(|number| number.parse::<i64>().expect("number"));
            assert_eq!(got, expected);
            for (number, stay) in &self.disk.stays {
                let own = &truth.reservations[&number.parse::<i64>().expect("number")];
                assert_eq!(stay.status.get().map(|status| status.word()), Some(own.status.word()), "{number}");
                assert_eq!(stay.arrival, Known::Is(own.arrival));
                assert_eq!(stay.departure, Known::Is(own.departure));
                for guest in stay.guests() {
                    assert!(self.disk.profiles.contains_key(guest.as_str()), "{number} names {guest}");
                }
            }
        });
    }
}

/// Every arrival the emulated hotel has, and some years around.
pub fn wide() -> Read {
    let today = chrono::Utc::now().date_naive();
    Read::Arrivals { from: today - chrono::Duration::days(400), to: today + chrono::Duration::days(800) }
}
