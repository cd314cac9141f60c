//! What the hotel's people do: book, check in, check out, cancel, change, close the day.

use chrono::{Duration, NaiveDate};

use super::model::{Note, Reservation, Status};
use super::state::{Booking, DeskError, HotelState, blank_reservation};

impl HotelState {
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

    /// Replaces one profile by another in every reservation; the source goes inactive or away (facts §6: no trail is left).
    pub fn merge_profiles(&mut self, from: i64, to: i64) {
        let now = self.now();
        for r in self.reservations.values_mut().filter(|r| r.profile == from) {
            r.profile = to;
            r.updated = now;
        }
        if self.knobs.merges_remove {
            self.profiles.remove(&from);
        } else {
            self.edit_profile(from, |p| p.active = false);
        }
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

    /// A new person and a confirmed reservation for them; the room type goes round.
    pub fn book_new_guest(&mut self, in_days: i64, nights: i64) -> Result<i64, DeskError> {
        let id = self.next_profile();
        let mut dice = super::dice::Dice::new(id.unsigned_abs());
        let profile = super::people::guest(self, &mut dice, id, id - 70_000, self.now());
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
