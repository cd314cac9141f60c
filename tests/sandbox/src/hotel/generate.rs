//! Fills a hotel: rooms, code tables, people, firms and reservations around the business date. Same seed, same hotel.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDate, NaiveDateTime};

use super::codes::codes;
use super::dice::Dice;
use super::model::{CustomField, Note, ProfileKind, Reservation, Room, Status};
use super::names;
use super::people::{awkward, firm, guest};
use super::relations::{financial_accounts, postings, relations};
use super::state::{Booking, HotelState};

/// How much to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    pub reservations: usize,
    pub guests: usize,
    pub companies: usize,
    pub rooms: usize,
    pub past_days: i64,
    pub future_days: i64,
    /// People who share a phone, phones in odd spellings, people without contacts.
    pub awkward: bool,
}

/// Code, name, standard price of a night in hundredths, share of rooms in percent.
pub const ROOM_TYPES: &[(&str, &str, i64, i64)] = &[
    ("STD", "Стандарт", 540_000, 34),
    ("TWN", "Стандарт, две кровати", 580_000, 20),
    ("DBL", "Улучшенный двухместный", 740_000, 24),
    ("JST", "Полулюкс", 1_150_000, 12),
    ("SUI", "Люкс", 1_890_000, 7),
    ("APT", "Апартаменты", 2_600_050, 3),
];
const NOTES: &[&str] = &[
    "Просит тихий номер.\nПриедет после 22:00 & без завтрака <уточнить>",
    "Вид на реку, если будет возможно",
    "Аллергия на перо: гипоаллергенная подушка",
    "Встреча на вокзале, табличка «Образец»",
    "Детская кроватка",
    "Счёт разделить: проживание — фирма, остальное — гость",
];
const COMMENTS: &[&str] =
    &["поздний заезд", "ранний заезд с 10:00", "VIP, цветы в номер", "оплата на месте", "повторный гость"];

fn rooms(count: usize) -> Vec<Room> {
    let share = |index: usize| {
        let mut at = i64::try_from(index * 100 / count.max(1)).unwrap_or_default();
        for (code, _, _, percent) in ROOM_TYPES {
            if at < *percent {
                return *code;
            }
            at -= percent;
        }
        "STD"
    };
    let per_floor = 20;
    let room = |index: usize| {
        let (floor, door) = (index / per_floor + 1, index % per_floor + 1);
        Room {
            number: format!("{floor}{door:02}"),
            room_type: share(index).to_owned(),
            floor: i64::try_from(floor).unwrap_or_default(),
        }
    };
    (0..count).map(room).collect()
}

/// Nights a room is taken, to hand out rooms without overlap.
#[derive(Default)]
struct Calendar(BTreeMap<String, Vec<(NaiveDate, NaiveDate)>>);

impl Calendar {
    fn take(&mut self, rooms: &[Room], room_type: &str, from: NaiveDate, to: NaiveDate, skip: usize) -> Option<String> {
        let of_type: Vec<&Room> = rooms.iter().filter(|r| r.room_type == room_type).collect();
        let turned = of_type.iter().cycle().skip(skip % of_type.len().max(1)).take(of_type.len());
        for room in turned {
            let taken = self.0.entry(room.number.clone()).or_default();
            if taken.iter().all(|(a, d)| to <= *a || *d <= from) {
                taken.push((from, to));
                return Some(room.number.clone());
            }
        }
        None
    }
}

/// What a reservation is to be, before it gets a number.
struct Draft {
    status: Status,
    arrival: NaiveDate,
    departure: NaiveDate,
    created: NaiveDateTime,
}

fn drafts(size: &Size, dice: &mut Dice, today: NaiveDate, now: NaiveDateTime) -> Vec<Draft> {
    let n = i64::try_from(size.reservations).unwrap_or_default();
    let rooms = i64::try_from(size.rooms).unwrap_or_default();
    let in_house = (n * 15 / 100).min(rooms * 75 / 100);
    let arrivals = (n * 35 / 1000).min(rooms * 18 / 100).max(i64::from(n > 5));
    let mut drafts = Vec::with_capacity(size.reservations);
    let nights = |dice: &mut Dice| {
        [1, 1, 2, 2, 2, 3, 3, 4, 5, 7, 10].get(usize::try_from(dice.range(0, 10)).unwrap_or(0)).copied().unwrap_or(1)
    };
    for i in 0..n {
        let nights = nights(dice);
        // Nearer days fill first.
        let horizon = dice.range(2, size.future_days.max(2));
        let ahead = dice.range(1, horizon);
        let back = dice.range(1, size.past_days.max(2));
        let (status, arrival) = match i {
            i if i < in_house => (Status::InHouse, today - Duration::days(dice.range(0, nights))),
            i if i < in_house + arrivals => (Status::Confirmed, today),
            _ => match dice.range(1, 1000) {
                1..=300 => (Status::CheckedOut, today - Duration::days(nights + back)),
                301..=410 => (Status::Cancelled, today + Duration::days(if dice.chance(60) { ahead } else { -back })),
                411..=440 => (Status::NoShow, today - Duration::days(back)),
                441..=480 => (Status::Offer, today + Duration::days(ahead)),
                481..=500 => (Status::Waitlisted, today + Duration::days(ahead)),
                501..=560 => (Status::Tentative, today + Duration::days(ahead)),
                _ => (Status::Confirmed, today + Duration::days(ahead)),
            },
        };
        let departure = arrival + Duration::days(nights);
        let before = Duration::days(dice.range(1, 60)) + Duration::seconds(dice.range(0, 80_000));
        let noon = arrival.and_hms_opt(12, 0, 0).unwrap_or(now);
        let created = (noon - before).min(now - Duration::hours(2) - Duration::seconds(dice.range(0, 500_000)));
        drafts.push(Draft { status, arrival, departure, created });
    }
    drafts.sort_by_key(|d| d.created);
    drafts
}

/// Fills `state` with everything of `size`.
pub fn fill(state: &mut HotelState, size: &Size, seed: u64) {
    let mut dice = Dice::new(seed);
    let (today, now) = (state.system_date, state.now());
    state.codes = codes();
    state.rooms = rooms(size.rooms);
    let long_ago = now - Duration::days(400);

    let companies = size.companies;
    for i in 0..companies {
        let index = i64::try_from(i).unwrap_or_default();
        firm(state, &mut dice, 60_001 + index, ProfileKind::Company, names::firm(i), index, long_ago);
    }
    let agents = companies.div_ceil(4).min(40);
    for i in 0..agents {
        let index = i64::try_from(i).unwrap_or_default();
        firm(state, &mut dice, 68_001 + index, ProfileKind::TravelAgent, names::agent(i), 500_000 + index, long_ago);
    }
    if companies > 0 {
        firm(state, &mut dice, 69_001, ProfileKind::Source, "Сайт гостиницы".into(), 600_001, long_ago);
    }

    let drafts = drafts(size, &mut dice, today, now);
    let mut calendar = Calendar::default();
    let mut next_guest = 0_i64;
    let mut number = 50_000_i64;
    let total_guests = i64::try_from(size.guests.max(usize::from(size.reservations > 0))).unwrap_or(1);
    let total = i64::try_from(drafts.len().max(1)).unwrap_or(1);
    for (position, draft) in drafts.iter().enumerate() {
        number += 1;
        // New guests are spread evenly over the reservations; in between old ones come back.
        let due = (i64::try_from(position).unwrap_or_default() + 1) * total_guests / total;
        let profile = if next_guest < due.max(1) {
            next_guest += 1;
            let p = guest(state, &mut dice, 70_000 + next_guest, next_guest, draft.created - Duration::seconds(40));
            state.profiles.insert(p.id, p);
            70_000 + next_guest
        } else {
            70_000 + dice.range(1, next_guest)
        };
        let r = reservation(state, &mut dice, &mut calendar, draft, number, profile);
        state.reservations.insert(number, r);
    }
    while next_guest < total_guests {
        next_guest += 1;
        let p = guest(state, &mut dice, 70_000 + next_guest, next_guest, long_ago);
        state.profiles.insert(p.id, p);
    }
    let small = size.reservations <= 5_000;
    relations(state, &mut dice, companies, agents, next_guest);
    if small {
        postings(state, today);
    }
    financial_accounts(state, companies, now);
    if size.awkward {
        awkward(state);
    }
}

fn reservation(
    state: &mut HotelState,
    dice: &mut Dice,
    calendar: &mut Calendar,
    draft: &Draft,
    number: i64,
    profile: i64,
) -> Reservation {
    let now = state.now();
    let weight = dice.range(0, 99);
    let mut at = weight;
    let (room_type, price) = ROOM_TYPES
        .iter()
        .find(|(_, _, _, percent)| {
            at -= percent;
            at < 0
        })
        .map_or(("STD", 540_000), |(code, _, price, _)| (*code, *price));
    let booking = Booking {
        profile,
        arrival: draft.arrival,
        departure: draft.departure,
        room_type: room_type.into(),
        adults: dice.range(1, 2),
        rate_code: dice.word(&["BAR", "BAR", "BB_STD", "PROMO"]).into(),
        rate: price + dice.range(-4, 6) * 10_000,
        status: draft.status,
    };
    let mut r = super::state::blank_reservation(number, &booking, draft.created);
    r.market = dice.word(&["IND", "IND", "LEI", "OTA"]).into();
    r.source = dice.word(&["TEL", "WEB", "WEB", "EML"]).into();
    r.channel = dice.word(&["DIR", "DIR", "OTA", "GDS"]).into();
    r.guarantee = dice.word(&["6PM", "CARD", "DEP"]).into();
    r.payment = dice.word(&["900", "910"]).into();
    if dice.chance(3) {
        r.currency = "EU".into();
        r.rate /= 100;
    }
    if dice.chance(15) {
        r.children.push(("JUN".into(), dice.range(1, 2)));
    }
    if dice.chance(12) {
        r.packages.push(("SPA".into(), 150_000, false));
    }
    if dice.chance(20) {
        r.comments[0] = dice.word(COMMENTS).into();
    }
    if dice.chance(22) {
        let id = state.next_id();
        r.notes.push(Note { id, category: "NF".into(), text: dice.word(NOTES).into(), guest_may_see: false });
    }
    if dice.chance(6) {
        let id = state.next_id();
        r.notes.push(Note {
            id, category: "RES".into(), text: "Добро пожаловать!".into(), guest_may_see: true
        });
    }
    if dice.chance(10) {
        r.crs_system = "OTA-DEMO".into();
        r.crs_number = format!("OD-{}", 100_000 + number);
    }
    let field = |name: &str, kind: &str, value: String| CustomField { name: name.into(), kind: kind.into(), value };
    r.custom = vec![
        field("B24_DEAL", "String", String::new()),
        field("PAX_BUS", "Integer", String::new()),
        field("FREETEXT1", "String", String::new()),
    ];
    if dice.chance(8) {
        r.custom.push(field("TRANSFER_AT", "Date", draft.arrival.format("%Y-%m-%dT13:40:00").to_string()));
    }
    let minutes = Duration::minutes(dice.range(0, 300));
    let clock =
        |day: NaiveDate, hour| day.and_hms_opt(hour, 0, 0).map(|at| (at + minutes).min(now - Duration::minutes(3)));
    let skip = usize::try_from(dice.range(0, 1_000)).unwrap_or_default();
    // A room is given early to some, at the latest on arrival.
    let early = matches!(r.status, Status::Confirmed) && (draft.arrival <= state.system_date || dice.chance(35));
    if early || matches!(r.status, Status::InHouse | Status::CheckedOut) {
        r.room = room_for(state, calendar, &mut r, skip);
    }
    match r.status {
        Status::InHouse => r.checked_in = clock(r.arrival, 14),
        Status::CheckedOut => {
            r.checked_in = clock(r.arrival, 14);
            r.checked_out = clock(r.departure, 7);
        }
        Status::Cancelled => r.status_before_cancel = Some(Status::Confirmed),
        Status::Tentative => r.option_date = Some(draft.arrival - Duration::days(2)),
        _ => {}
    }
    let latest = r.checked_out.or(r.checked_in).unwrap_or(draft.created + Duration::seconds(1));
    r.updated = latest.max(draft.created);
    r.reprice();
    r
}

/// A room of the booked type, else of any: an upgrade at the desk.
fn room_for(state: &HotelState, calendar: &mut Calendar, r: &mut Reservation, skip: usize) -> String {
    let tomorrow = state.system_date + Duration::days(1);
    let mut to = r.departure.max(r.arrival + Duration::days(1));
    if r.status == Status::InHouse {
        // Who leaves today has not left yet.
        to = to.max(tomorrow);
    }
    let others = ROOM_TYPES.iter().map(|(code, ..)| *code).filter(|code| *code != r.room_type);
    let types: Vec<String> = std::iter::once(r.room_type.clone()).chain(others.map(str::to_owned)).collect();
    for room_type in types {
        if let Some(room) = calendar.take(&state.rooms, &room_type, r.arrival, to, skip) {
            r.room_type = room_type;
            return room;
        }
    }
    if r.status == Status::InHouse {
        r.status = Status::Confirmed;
    }
    String::new()
}
