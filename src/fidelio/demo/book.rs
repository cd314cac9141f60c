//! What is booked: each room's time is cut into fortnights, and the stays of each follow from the seed alone. Any day can
//! be looked at without the days before it.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::dice::Dice;
use super::names::GROUPS;
use super::people;
use crate::domain::stay::Group;
use crate::domain::{ProfileNumber, StayNumber, StayStatus};

pub(super) const ROOMS: u32 = 60;
const ROOMS_OF_FLOOR: u32 = 12;
/// No stay crosses its end, so no two of a room can meet.
const FORTNIGHT: u32 = 14;
/// Nobody books further ahead.
pub(super) const LEAD_DAYS: u32 = 60;
/// Rooms of a floor that a group takes, for so many nights.
const GROUP_ROOMS: u32 = 6;
const GROUP_NIGHTS: u32 = 3;

/// How a booking ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// When the guest comes and goes.
    Stayed {
        check_in: NaiveDateTime,
        check_out: NaiveDateTime,
    },
    Cancelled(NaiveDateTime),
    /// When the night audit closes it.
    NoShow(NaiveDateTime),
}

/// One booking with everything that will ever happen to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Booking {
    pub number: StayNumber,
    /// 0 … 59.
    pub room: u32,
    pub arrival: NaiveDate,
    pub nights: u32,
    pub booked_at: NaiveDateTime,
    /// What it is until it is confirmed.
    pub begins: StayStatus,
    pub confirmed_at: NaiveDateTime,
    /// The desk gives it a room.
    pub assigned_at: NaiveDateTime,
    pub end: End,
    pub guest: ProfileNumber,
    pub companion: Option<ProfileNumber>,
    pub company: Option<ProfileNumber>,
    pub agent: Option<ProfileNumber>,
    pub group: Option<Group>,
    /// For everything else that is said of it.
    pub luck: u64,
}

impl Booking {
    pub fn departure(&self) -> NaiveDate {
        later(self.arrival, self.nights)
    }

    /// Moments at which what the hotel tells of it changes, in their order.
    pub fn moments(&self) -> Vec<NaiveDateTime> {
        let mut moments = vec![self.booked_at, self.confirmed_at];
        match self.end {
            End::Stayed { check_in, check_out } => moments.extend([self.assigned_at, check_in, check_out]),
            End::NoShow(at) => moments.extend([self.assigned_at, at]),
            // It may never get so far.
            End::Cancelled(at) => moments.extend([self.assigned_at.min(at), at]),
        }
        moments
    }
}

fn later(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(days.into())).unwrap_or(NaiveDate::MAX)
}

fn at(day: NaiveDate, minutes: u32) -> NaiveDateTime {
    day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes.into())
}

pub(super) fn room_name(room: u32) -> String {
    (100 * (2 + room / ROOMS_OF_FLOOR) + 1 + room % ROOMS_OF_FLOOR).to_string()
}

/// Rooms begin their fortnights on different days, so that no day is everybody's arrival; those of a group on one.
fn shift(room: u32) -> i32 {
    let (floor, door) = (room / ROOMS_OF_FLOOR, room % ROOMS_OF_FLOOR);
    let days = if door < GROUP_ROOMS { 3 * floor } else { 5 * room + floor };
    i32::try_from(days % FORTNIGHT).unwrap_or_default()
}

fn fortnight(day: NaiveDate, room: u32) -> i32 {
    (day.num_days_from_ce() + shift(room)).div_euclid(14)
}

fn first_day(part: i32, room: u32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(part.checked_mul(14)? - shift(room))
}

/// Every booking whose arrival lies within `from..=to`.
pub(super) fn arriving(seed: u64, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = Booking> {
    let of = move |room| (fortnight(from, room)..=fortnight(to, room)).flat_map(move |part| of_room(seed, part, room));
    (0..ROOMS).flat_map(of).filter(move |booking| (from..=to).contains(&booking.arrival))
}

/// The booking of this number, if there is or will be one.
pub(super) fn by_number(seed: u64, number: &StayNumber) -> Option<Booking> {
    let mut parts = number.as_str().split('-');
    let part: i32 = parts.next()?.parse().ok()?;
    let name: u32 = parts.next()?.parse().ok()?;
    let room = (name / 100).checked_sub(2)? * ROOMS_OF_FLOOR + (name % 100).checked_sub(1)?;
    if room >= ROOMS {
        return None;
    }
    of_room(seed, part, room).into_iter().find(|booking| booking.number == *number)
}

/// One room's stays of one fortnight.
pub(super) fn of_room(seed: u64, part: i32, room: u32) -> Vec<Booking> {
    let Some(first) = first_day(part, room) else { return Vec::new() };
    let key = u64::from(part.unsigned_abs());
    let mut dice = Dice::new(seed, &[1, key, room.into()]);
    let mut found = Vec::new();
    let mut day = 0;
    let group = group(seed, part, room);
    loop {
        let is_groups = day == 0 && group.is_some();
        let nights = if is_groups {
            GROUP_NIGHTS
        } else {
            day += dice.one_of(&[0, 0, 1, 2]);
            dice.one_of(&[1, 2, 2, 3, 3, 4, 5, 7]).min(FORTNIGHT.saturating_sub(day))
        };
        if nights == 0 {
            return found;
        }
        let luck = Dice::new(seed, &[2, key, room.into(), u64::from(day)]);
        let turn = found.len() + 1;
        let number = StayNumber::parse(&format!("{part}-{}-{turn}", room_name(room)));
        let group = group.clone().filter(|_| is_groups);
        if let Ok(number) = number
            && let Some(booking) = booking(luck, number, room, later(first, day), nights, group)
        {
            found.push(booking);
        }
        day += nights;
    }
}

/// Who takes half a floor for the first nights of a fortnight.
fn group(seed: u64, part: i32, room: u32) -> Option<Group> {
    let floor = room / ROOMS_OF_FLOOR;
    let mut dice = Dice::new(seed, &[3, u64::from(part.unsigned_abs()), floor.into()]);
    (dice.percent(25) && room % ROOMS_OF_FLOOR < GROUP_ROOMS)
        .then(|| Group { number: format!("G{part}-{}", floor + 2), name: dice.one_of(GROUPS).to_owned() })
}

fn booking(
    mut dice: Dice,
    number: StayNumber,
    room: u32,
    arrival: NaiveDate,
    nights: u32,
    group: Option<Group>,
) -> Option<Booking> {
    let lead = if group.is_some() { LEAD_DAYS } else { dice.one_of(&[1, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45]) };
    let booked_on = arrival.checked_sub_days(Days::new(lead.into()))?;
    let booked_at = at(booked_on, dice.between(9 * 60, 20 * 60));
    let begins = match dice.between(1, 100) {
        1..=10 if lead > 2 => StayStatus::Offer,
        11..=18 if lead > 2 => StayStatus::Tentative,
        _ => StayStatus::Confirmed,
    };
    let confirmed_at = match begins {
        StayStatus::Confirmed => booked_at,
        _ => booked_at + TimeDelta::minutes(dice.between(90, (lead - 1) * 24 * 60).into()),
    };
    let until_arrival = u32::try_from((at(arrival, 0) - confirmed_at).num_minutes()).unwrap_or_default();
    let end = match dice.between(1, 100) {
        1..=8 if group.is_none() => {
            End::Cancelled(confirmed_at + TimeDelta::minutes(dice.between(30, until_arrival.max(30)).into()))
        }
        9..=11 if group.is_none() => End::NoShow(at(later(arrival, 1), 3 * 60)),
        _ => End::Stayed {
            check_in: at(arrival, dice.between(14 * 60, 22 * 60)),
            check_out: at(later(arrival, nights), dice.between(7 * 60, 12 * 60)),
        },
    };
    let (guest, companion) = people::couple(room, &mut dice);
    let business = group.is_some() || dice.percent(25);
    Some(Booking {
        number,
        room,
        arrival,
        nights,
        booked_at,
        begins,
        confirmed_at,
        assigned_at: at(arrival, 8 * 60).max(confirmed_at),
        end,
        guest: guest?,
        companion: companion.filter(|_| room % ROOMS_OF_FLOOR > 2 && dice.percent(60)),
        company: if business { people::company(&mut dice) } else { None },
        agent: if dice.percent(20) { people::agent(&mut dice) } else { None },
        group,
        luck: u64::from(dice.between(0, u32::MAX)),
    })
}
