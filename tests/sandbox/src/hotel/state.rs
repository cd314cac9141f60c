//! The hotel's state and what its people do: book, check in, check out, cancel, change, close the day.

use std::collections::{BTreeMap, VecDeque};

use chrono::{Duration, NaiveDate, NaiveDateTime, Timelike as _, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::knobs::Knobs;
use super::model::{Codes, Posting, Profile, Reservation, Room, Status};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeskError {
    #[error("there is no reservation {0}")]
    NoReservation(i64),
    #[error("reservation {number} is {status:?}: this cannot be done")]
    WrongStatus { number: i64, status: Status },
    #[error("no free room of type {0}")]
    NoRoom(String),
    #[error("departure before arrival")]
    Dates,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HotelClock {
    Real { skew: Duration },
    Fixed(NaiveDateTime),
}

/// What happened, for the desk's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Happening {
    pub at: NaiveDateTime,
    pub what: &'static str,
    pub number: i64,
    pub guest: String,
    pub detail: String,
}

/// What a new booking needs; the rest has defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    pub profile: i64,
    pub arrival: NaiveDate,
    pub departure: NaiveDate,
    pub room_type: String,
    pub adults: i64,
    pub rate_code: String,
    /// A night's price in hundredths.
    pub rate: i64,
    pub status: Status,
}

#[derive(Debug, Clone)]
pub struct HotelState {
    pub code: String,
    pub name: String,
    pub zone: Tz,
    pub user: String,
    pub password: String,
    pub vendor: Option<String>,
    pub knobs: Knobs,
    /// The business date; it rolls at night audit, not at midnight.
    pub system_date: NaiveDate,
    pub reservations: BTreeMap<i64, Reservation>,
    pub profiles: BTreeMap<i64, Profile>,
    pub groups: BTreeMap<i64, String>,
    pub parties: BTreeMap<i64, String>,
    pub postings: Vec<Posting>,
    pub rooms: Vec<Room>,
    pub codes: Codes,
    pub journal: VecDeque<Happening>,
    clock: HotelClock,
    last_id: i64,
}

impl HotelState {
    pub fn new(zone: Tz, today: Option<NaiveDate>) -> Self {
        let now = Utc::now().with_timezone(&zone).naive_local();
        Self {
            code: "GRAND".into(),
            name: "Гранд Образец".into(),
            zone,
            user: "B24SYNC".into(),
            password: "sandbox-5".into(),
            vendor: None,
            knobs: Knobs::default(),
            system_date: today.unwrap_or_else(|| now.date()),
            reservations: BTreeMap::new(),
            profiles: BTreeMap::new(),
            groups: BTreeMap::new(),
            parties: BTreeMap::new(),
            postings: Vec::new(),
            rooms: Vec::new(),
            codes: Codes::new(),
            journal: VecDeque::new(),
            clock: HotelClock::Real { skew: Duration::zero() },
            last_id: 100_000,
        }
    }

    /// The hotel server's wall clock, whole seconds.
    pub fn now(&self) -> NaiveDateTime {
        let now = match self.clock {
            HotelClock::Real { skew } => Utc::now().with_timezone(&self.zone).naive_local() + skew,
            HotelClock::Fixed(at) => at,
        };
        now.with_nanosecond(0).unwrap_or(now)
    }

    /// What the web server in front says the time is; `None`: this machine's.
    pub fn http_date(&self) -> Option<String> {
        let at = self.now().and_local_timezone(self.zone).earliest().filter(|_| self.knobs.own_date)?;
        Some(at.with_timezone(&Utc).format("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// Stops the clock at `at`; [`HotelState::advance`] moves it.
    pub fn set_clock(&mut self, at: NaiveDateTime) {
        self.clock = HotelClock::Fixed(at);
    }

    /// The real clock, wrong by `skew`.
    pub fn set_skew(&mut self, skew: Duration) {
        self.clock = HotelClock::Real { skew };
    }

    pub fn advance(&mut self, by: Duration) {
        self.clock = match self.clock {
            HotelClock::Fixed(at) => HotelClock::Fixed(at + by),
            HotelClock::Real { skew } => HotelClock::Real { skew: skew + by },
        };
    }

    /// The next number for notes, communications, addresses and postings.
    pub fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub fn next_reservation(&self) -> i64 {
        self.reservations.last_key_value().map_or(50_001, |(last, _)| last + 1)
    }

    pub fn next_profile(&self) -> i64 {
        self.profiles.last_key_value().map_or(70_001, |(last, _)| last + 1)
    }

    pub fn reservation(&self, number: i64) -> Result<&Reservation, DeskError> {
        self.reservations.get(&number).ok_or(DeskError::NoReservation(number))
    }

    pub fn change<T>(
        &mut self,
        number: i64,
        change: impl FnOnce(&mut Reservation) -> Result<T, DeskError>,
    ) -> Result<T, DeskError> {
        let now = self.now();
        let reservation = self.reservations.get_mut(&number).ok_or(DeskError::NoReservation(number))?;
        let done = change(reservation)?;
        reservation.updated = now;
        reservation.complete_at = None;
        Ok(done)
    }

    pub fn note_happening(&mut self, what: &'static str, number: i64, detail: String) {
        let guest = self.reservations.get(&number).and_then(|r| self.profiles.get(&r.profile));
        let guest = guest.map(Profile::display_name).unwrap_or_default();
        self.journal.push_front(Happening { at: self.now(), what, number, guest, detail });
        self.journal.truncate(200);
    }

    /// Any change by hand; `LastUpdateTime` moves.
    pub fn edit(&mut self, number: i64, change: impl FnOnce(&mut Reservation)) -> Result<(), DeskError> {
        self.change(number, |r| {
            change(r);
            Ok(())
        })
    }

    pub fn edit_profile(&mut self, id: i64, change: impl FnOnce(&mut Profile)) -> bool {
        let now = self.now();
        let Some(profile) = self.profiles.get_mut(&id) else { return false };
        change(profile);
        profile.updated = now;
        true
    }
}

pub fn blank_reservation(number: i64, booking: &Booking, now: NaiveDateTime) -> Reservation {
    Reservation {
        number,
        financial_account: false,
        status: booking.status,
        status_before_cancel: None,
        option_date: None,
        arrival: booking.arrival,
        departure: booking.departure,
        checked_in: None,
        checked_out: None,
        profile: booking.profile,
        room_type: booking.room_type.clone(),
        room: String::new(),
        rooms: 1,
        adults: booking.adults,
        children: Vec::new(),
        rate_code: booking.rate_code.clone(),
        rate: booking.rate,
        total: 0,
        currency: "РУБ".into(),
        market: "IND".into(),
        source: "TEL".into(),
        channel: "DIR".into(),
        payment: "CASH".into(),
        guarantee: "6PM".into(),
        policy: String::new(),
        company: 0,
        agent: 0,
        source_profile: 0,
        booker: 0,
        group: 0,
        block: String::new(),
        crs_system: String::new(),
        crs_number: String::new(),
        comments: [String::new(), String::new()],
        notes: Vec::new(),
        companions: Vec::new(),
        share: 0,
        party: 0,
        attributes: Vec::new(),
        preferences: Vec::new(),
        packages: Vec::new(),
        custom: Vec::new(),
        created: now,
        updated: now,
        complete_at: None,
    }
}
