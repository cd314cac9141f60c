//! The demo hotel as a source of canonical changes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{Days, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::book::{self, Booking, LEAD_DAYS};
use super::{KIND, desk, people};
use crate::clock::Clock;
use crate::domain::{Change, Currency, Entity, Observed, ProfileNumber};
use crate::fidelio::{Layer, Read, ReadReport, Sink, Source, SourceError};

/// Bookings handed over together, with everybody they name.
const LOT: usize = 100;
/// A booking is over within this long after its arrival.
const STAY_DAYS: u64 = 16;

/// A hotel of 60 rooms that lives by the clock.
pub struct Demo {
    pub(super) seed: u64,
    zone: Tz,
    currency: Currency,
    clock: Clock,
}

impl Demo {
    /// The same `site` is the same hotel for ever: a hotel that is connected again has the same people.
    pub fn new(site: &str, zone: Tz, currency: Currency, clock: Clock) -> Self {
        // FNV-1a, the same on every node and in every release.
        let seed = site
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { seed, zone, currency, clock }
    }

    fn now(&self) -> NaiveDateTime {
        self.clock.now().with_timezone(&self.zone).naive_local()
    }

    /// Those of whom the hotel tells something else than at `since`.
    pub(super) fn changed(&self, since: NaiveDateTime, now: NaiveDateTime) -> Vec<Booking> {
        let from = since.date().checked_sub_days(Days::new(STAY_DAYS)).unwrap_or(since.date());
        book::arriving(self.seed, from, last_arrival(now))
            .filter(|booking| booking.moments().iter().any(|moment| *moment > since && *moment <= now))
            .collect()
    }

    /// These bookings as the hotel holds them at `now`, each after everybody it names.
    pub(super) fn told(&self, bookings: &[Booking], now: NaiveDateTime) -> Vec<Change> {
        let mut named: BTreeSet<&ProfileNumber> = BTreeSet::new();
        let mut changes = Vec::new();
        for booking in bookings {
            let Some(stay) = desk::stay(self.seed, booking, &self.currency, now) else { continue };
            for number in desk::named(booking).filter(|number| named.insert(number)) {
                changes.extend(self.person(number));
            }
            let pms_time = stay.updated_at.get().copied();
            changes.push(self.change(Entity::Stay(Box::new(stay)), pms_time));
        }
        changes
    }

    fn person(&self, number: &ProfileNumber) -> Option<Change> {
        let profile = people::profile(self.seed, number)?;
        Some(self.change(Entity::Profile(Box::new(profile)), None))
    }

    fn change(&self, entity: Entity, pms_time: Option<NaiveDateTime>) -> Change {
        let observed = Observed { source: KIND.to_owned(), pms_time, received_at: self.clock.now() };
        Change { entity, observed }
    }

    async fn hand_over(
        &self,
        bookings: &[Booking],
        now: NaiveDateTime,
        position: Option<Value>,
        sink: &mut dyn Sink,
    ) -> Result<usize, SourceError> {
        let mut records = 0;
        let lots = bookings.len().div_ceil(LOT);
        for (at, lot) in bookings.chunks(LOT).enumerate() {
            let changes = self.told(lot, now);
            records += changes.len();
            sink.take(changes, position.clone().filter(|_| at + 1 == lots)).await?;
        }
        Ok(records)
    }
}

fn last_arrival(now: NaiveDateTime) -> NaiveDate {
    now.date().checked_add_days(Days::new(u64::from(LEAD_DAYS) + 1)).unwrap_or(NaiveDate::MAX)
}

#[async_trait]
impl Source for Demo {
    async fn read(&self, what: &Read, state: &Value, sink: &mut dyn Sink) -> Result<ReadReport, SourceError> {
        let now = self.now();
        let mut report = ReadReport::default();
        match what {
            Read::Changes => {
                let since = state.get("at").and_then(Value::as_str).and_then(|at| at.parse::<NaiveDateTime>().ok());
                let position = json!({ "at": now });
                match since {
                    // What was there before comes with an import, as at any hotel.
                    None => sink.take(Vec::new(), Some(position)).await?,
                    Some(since) => {
                        let changed = self.changed(since, now);
                        report.records = self.hand_over(&changed, now, Some(position), sink).await?;
                    }
                }
            }
            Read::Arrivals { from, to } => {
                let booked: Vec<Booking> = book::arriving(self.seed, *from, (*to).min(last_arrival(now)))
                    .filter(|booking| desk::status(booking, now).is_some())
                    .collect();
                report.records = self.hand_over(&booked, now, None, sink).await?;
            }
            Read::InHouse { from, to, on } => {
                let booked: Vec<Booking> = book::arriving(self.seed, *from, (*to).min(last_arrival(now)))
                    .filter(|booking| booking.departure() >= *on && desk::status(booking, now).is_some())
                    .collect();
                report.records = self.hand_over(&booked, now, None, sink).await?;
            }
            Read::Stays { numbers } => {
                let mut booked = Vec::new();
                for number in numbers {
                    match book::by_number(self.seed, number).filter(|found| desk::status(found, now).is_some()) {
                        Some(booking) => booked.push(booking),
                        None => report.missing.push(number.to_string()),
                    }
                }
                report.records = self.hand_over(&booked, now, None, sink).await?;
            }
            Read::Profiles { numbers } => {
                let mut found = Vec::new();
                for number in numbers {
                    match self.person(number) {
                        Some(change) => found.push(change),
                        None => report.missing.push(number.to_string()),
                    }
                }
                report.records = found.len();
                sink.take(found, None).await?;
            }
        }
        Ok(report)
    }

    async fn check(&self) -> Vec<Layer> {
        let today = self.now().date();
        let arrivals = book::arriving(self.seed, today, today).count();
        let layer = |name: &str, code: &str, params: Value| Layer {
            name: name.to_owned(),
            ok: true,
            code: code.to_owned(),
            params: params.as_object().cloned().unwrap_or_else(Map::new),
            ms: 0,
        };
        vec![
            layer("read", "ok", json!({ "rows": arrivals })),
            layer("clock", "ok", json!({ "business_date": today.to_string() })),
        ]
    }
}
