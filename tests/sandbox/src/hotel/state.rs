//! The hotel's state and what its people do: book, check in, check out, cancel, change, close the day.

use std::collections::{BTreeMap, VecDeque};

use chrono::{Duration, NaiveDate, NaiveDateTime, Timelike as _, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::knobs::Knobs;
use super::model::{Codes, Note, Posting, Profile, Reservation, Room, Status};

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

    fn change<T>(
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

    pub fn book(&mut self, booking: Booking) -> Result<i64, DeskError> {
        if booking.departure < booking.arrival {
            return Err(DeskError::Dates);
        }
        let number = self.next_reservation();
        let now = self.now();
        let half_built = Duration::from_std(self.knobs.half_built).unwrap_or_default();
        let mut reservation = blank_reservation(number, &booking, now);
        if !half_built.is_zero() {
            reservation.complete_at = Some(now + half_built);
            reservation.updated = now + half_built;
        }
        reservation.reprice();
        self.reservations.insert(number, reservation);
        self.note_happening("booked", number, booking.room_type);
        Ok(number)
    }

    /// A room of that type nobody holds on those nights.
    pub fn free_room(&self, room_type: &str, from: NaiveDate, to: NaiveDate, except: i64) -> Option<String> {
        let taken: std::collections::BTreeSet<&str> = self
            .reservations
            .values()
            .filter(|r| r.number != except && r.status.holds_room() && !r.room.is_empty())
            .filter(|r| {
                // Who should have left and has not still holds the room today.
                let still_here = r.status == Status::InHouse && from <= self.system_date;
                let overlaps = r.arrival < to.max(from + Duration::days(1)) && (from < r.departure || still_here);
                r.status != Status::CheckedOut && overlaps
            })
            .map(|r| r.room.as_str())
            .collect();
        let mut free =
            self.rooms.iter().filter(|room| room.room_type == room_type && !taken.contains(room.number.as_str()));
        free.next().map(|room| room.number.clone())
    }

    pub fn check_in(&mut self, number: i64) -> Result<(), DeskError> {
        let now = self.now();
        let r = self.reservation(number)?;
        if !matches!(
            r.status,
            Status::Confirmed | Status::Tentative | Status::NoShow | Status::Waitlisted | Status::Offer
        ) {
            return Err(DeskError::WrongStatus { number, status: r.status });
        }
        let somebody = |o: &Reservation| {
            o.room == r.room
                && o.number != number
                && o.status == Status::InHouse
                && (r.share == 0 || o.share != r.share)
        };
        let room = if r.room.is_empty() || self.reservations.values().any(somebody) {
            // The booked type is gone: any other one is an upgrade.
            let others = super::generate::ROOM_TYPES.iter().map(|(code, ..)| *code);
            let mut types = std::iter::once(r.room_type.as_str()).chain(others);
            let room = types.find_map(|code| self.free_room(code, r.arrival, r.departure, number));
            room.ok_or_else(|| DeskError::NoRoom(r.room_type.clone()))?
        } else {
            r.room.clone()
        };
        let room_type = self.rooms.iter().find(|known| known.number == room).map(|known| known.room_type.clone());
        self.change(number, |r| {
            r.status = Status::InHouse;
            r.checked_in = Some(now);
            r.room.clone_from(&room);
            if let Some(room_type) = room_type {
                r.room_type = room_type;
            }
            Ok(())
        })?;
        self.note_happening("checked_in", number, room);
        Ok(())
    }

    fn step(
        &mut self,
        number: i64,
        from: &[Status],
        what: &'static str,
        change: impl FnOnce(&mut Reservation),
    ) -> Result<(), DeskError> {
        self.change(number, |r| {
            if !from.contains(&r.status) {
                return Err(DeskError::WrongStatus { number, status: r.status });
            }
            change(r);
            Ok(())
        })?;
        let room = self.reservation(number)?.room.clone();
        self.note_happening(what, number, room);
        Ok(())
    }

    pub fn check_out(&mut self, number: i64) -> Result<(), DeskError> {
        let (now, today) = (self.now(), self.system_date);
        self.step(number, &[Status::InHouse], "checked_out", |r| {
            r.status = Status::CheckedOut;
            r.checked_out = Some(now);
            r.departure = r.departure.min(today).max(r.arrival);
        })
    }

    pub fn cancel(&mut self, number: i64) -> Result<(), DeskError> {
        let from = [Status::Confirmed, Status::Tentative, Status::Waitlisted, Status::Offer, Status::NoShow];
        self.step(number, &from, "cancelled", |r| {
            r.status_before_cancel = Some(r.status);
            r.status = Status::Cancelled;
        })
    }

    pub fn no_show(&mut self, number: i64) -> Result<(), DeskError> {
        self.step(number, &[Status::Confirmed, Status::Tentative], "no_show", |r| r.status = Status::NoShow)
    }

    pub fn reinstate(&mut self, number: i64) -> Result<(), DeskError> {
        self.step(number, &[Status::Cancelled, Status::NoShow], "reinstated", |r| {
            r.status = r.status_before_cancel.take().unwrap_or(Status::Confirmed);
        })
    }

    pub fn undo_check_in(&mut self, number: i64) -> Result<(), DeskError> {
        self.step(number, &[Status::InHouse], "check_in_undone", |r| {
            r.status = Status::Confirmed;
            r.checked_in = None;
        })
    }

    pub fn undo_check_out(&mut self, number: i64) -> Result<(), DeskError> {
        self.step(number, &[Status::CheckedOut], "check_out_undone", |r| {
            r.status = Status::InHouse;
            r.checked_out = None;
        })
    }

    /// Other dates; the price follows.
    pub fn change_dates(&mut self, number: i64, arrival: NaiveDate, departure: NaiveDate) -> Result<(), DeskError> {
        if departure < arrival {
            return Err(DeskError::Dates);
        }
        let r = self.reservation(number)?;
        let room = (!r.room.is_empty() && r.status != Status::InHouse)
            .then(|| self.free_room(&r.room_type, arrival, departure, number).unwrap_or_default());
        self.change(number, |r| {
            (r.arrival, r.departure) = (arrival, departure);
            if let Some(room) = room {
                r.room = room;
            }
            r.reprice();
            Ok(())
        })?;
        self.note_happening("dates", number, format!("{} – {}", arrival.format("%d.%m"), departure.format("%d.%m")));
        Ok(())
    }

    pub fn move_room(&mut self, number: i64, room: &str) -> Result<(), DeskError> {
        let room_type = self.rooms.iter().find(|r| r.number == room).map(|r| r.room_type.clone());
        self.change(number, |r| {
            room.clone_into(&mut r.room);
            if let Some(room_type) = room_type {
                r.room_type = room_type;
            }
            Ok(())
        })?;
        self.note_happening("moved", number, room.to_owned());
        Ok(())
    }

    /// A note in the reservation; whether its `LastUpdateTime` moves is a knob (facts §6).
    pub fn add_note(&mut self, number: i64, category: &str, text: &str, guest_may_see: bool) -> Result<i64, DeskError> {
        let id = self.next_id();
        let touch = self.knobs.notes_touch;
        let before = self.reservation(number)?.updated;
        self.change(number, |r| {
            r.notes.push(Note { id, category: category.into(), text: text.into(), guest_may_see });
            Ok(())
        })?;
        if !touch && let Some(r) = self.reservations.get_mut(&number) {
            r.updated = before;
        }
        self.note_happening("note", number, text.to_owned());
        Ok(id)
    }

    /// Closes the day: no-shows are set, the business date rolls. Returns how many did not come.
    pub fn night_audit(&mut self) -> usize {
        let today = self.system_date;
        let late: Vec<i64> = self
            .reservations
            .values()
            .filter(|r| {
                !r.financial_account && r.arrival <= today && matches!(r.status, Status::Confirmed | Status::Tentative)
            })
            .map(|r| r.number)
            .collect();
        for number in &late {
            // Only bookings are listed, so the step cannot be refused.
            let _ = self.no_show(*number);
        }
        self.system_date = today + Duration::days(1);
        late.len()
    }

    /// Replaces one profile by another in every reservation; the source goes inactive (facts §6: no trail is left).
    pub fn merge_profiles(&mut self, from: i64, to: i64) {
        let now = self.now();
        for r in self.reservations.values_mut().filter(|r| r.profile == from) {
            r.profile = to;
            r.updated = now;
        }
        self.edit_profile(from, |p| p.active = false);
        self.edit_profile(to, |_| {});
    }

    /// Removes the person's data (facts §6: `privacyRemoved`).
    pub fn de_identify(&mut self, id: i64) {
        self.edit_profile(id, |p| {
            for text in [&mut p.first_name, &mut p.name, &mut p.name2, &mut p.title, &mut p.gender, &mut p.nationality]
            {
                text.clear();
            }
            p.birthday = None;
            p.communications.clear();
            p.addresses.clear();
            p.notes.clear();
            p.custom.clear();
            p.privacy_removed = true;
        });
        let now = self.now();
        for r in self.reservations.values_mut().filter(|r| r.profile == id) {
            r.updated = now;
        }
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

impl HotelState {
    /// A new person and a confirmed reservation for them; the room type goes round.
    pub fn book_new_guest(&mut self, in_days: i64, nights: i64) -> Result<i64, DeskError> {
        let id = self.next_profile();
        let mut dice = super::dice::Dice::new(id.unsigned_abs());
        let profile = super::generate::guest(self, &mut dice, id, id - 70_000, self.now());
        self.profiles.insert(id, profile);
        let (room_type, _, rate, _) =
            dice.pick(super::generate::ROOM_TYPES).copied().unwrap_or(("STD", "", 540_000, 0));
        let arrival = self.system_date + Duration::days(in_days);
        self.book(Booking {
            profile: id,
            arrival,
            departure: arrival + Duration::days(nights),
            room_type: room_type.into(),
            adults: dice.range(1, 2),
            rate_code: "BAR".into(),
            rate,
            status: Status::Confirmed,
        })
    }
}
