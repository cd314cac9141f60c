//! Fills a hotel: rooms, code tables, people, firms and reservations around the business date. Same seed, same hotel.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDate, NaiveDateTime};

use super::dice::Dice;
use super::model::{
    Address, CodeRow, Codes, CommKind, Communication, CustomField, Note, Posting, Profile, ProfileKind, Reservation,
    Room, Status,
};
use super::names;
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
const MARKETS: &[(&str, &str)] = &[
    ("IND", "Индивидуальные"),
    ("COR", "Корпоративные"),
    ("GRP", "Группы"),
    ("OTA", "Онлайн-агентства"),
    ("LEI", "Отдых"),
];
const SOURCES: &[(&str, &str)] =
    &[("TEL", "Телефон"), ("WEB", "Сайт"), ("EML", "Почта"), ("WLK", "С улицы"), ("AGT", "Агентство")];
const CHANNELS: &[(&str, &str)] = &[("DIR", "Прямой"), ("OTA", "Онлайн-агентство"), ("GDS", "GDS"), ("CRM", "CRM")];
const RATES: &[(&str, &str)] = &[
    ("BAR", "Открытый тариф"),
    ("BB_STD", "Завтрак включён"),
    ("CORP", "Корпоративный"),
    ("PROMO", "Акция"),
    ("GROUP", "Групповой"),
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

fn codes() -> Codes {
    let mut tables: BTreeMap<&'static str, Vec<CodeRow>> = BTreeMap::new();
    let row =
        |cells: &[(&'static str, &str)]| -> CodeRow { cells.iter().map(|(n, v)| (*n, (*v).to_owned())).collect() };
    let currencies = [("РУБ", "Российский рубль", "RUB"), ("EU", "Евро", "EUR"), ("ДОЛ", "Доллар США", "USD")];
    let rows = currencies.map(|(code, name, iso)| {
        row(&[
            ("CurrencyShortdesc", code),
            ("CurrencyName", name),
            ("CurrencyISO3", iso),
            ("CurrencyDigits", "2"),
            ("CurrencyDepartment", "900"),
        ])
    });
    tables.insert("CurrencyList", rows.to_vec());
    let countries = [
        ("RU", "Россия"),
        ("BY", "Беларусь"),
        ("KZ", "Казахстан"),
        ("DE", "Германия"),
        ("IT", "Италия"),
        ("FR", "Франция"),
        ("GB", "Великобритания"),
        ("US", "США"),
        ("TR", "Турция"),
        ("CN", "Китай"),
    ];
    let rows = countries.map(|(code, name)| {
        row(&[
            ("CountryISO2", code),
            ("CountryISO3", super::profiles::iso3(code)),
            ("CountryShortdesc", code),
            ("CountryName", name),
            ("CountryNationality", name),
        ])
    });
    tables.insert("Country", rows.to_vec());
    let categories = [
        ("1", "NF", "Для стойки", "Reservations"),
        ("2", "RES", "Бронирование", "Reservations"),
        ("3", "PRF", "О госте", "Profile"),
    ];
    let rows = categories.map(|(id, code, name, table)| {
        row(&[
            ("NoteCategoryID", id),
            ("NoteCategoryShortDescription", code),
            ("NoteCategoryLongDescription", name),
            ("NoteCategoryTableLinkedTo", table),
        ])
    });
    tables.insert("NoteCategory", rows.to_vec());
    let rows = ROOM_TYPES.iter().map(|(code, name, _, _)| {
        row(&[
            ("RoomTypeShortDesc", *code),
            ("RoomTypeLongDesc", *name),
            ("RoomTypeDefaultPAX", "2"),
            ("RoomTypeMaxPAX", "3"),
            ("RoomTypeSuite", if *code == "SUI" { "1" } else { "0" }),
        ])
    });
    tables.insert("RoomType", rows.collect());
    let mut simple = |what, id: &'static str, code: &'static str, name: &'static str, entries: &[(&str, &str)]| {
        let rows = entries
            .iter()
            .enumerate()
            .map(|(i, (short, long))| row(&[(id, (i + 1).to_string().as_str()), (code, *short), (name, *long)]));
        tables.insert(what, rows.collect());
    };
    simple("Market", "MarketID", "MarketShortdesc", "MarketName", MARKETS);
    simple("Source", "SourceID", "SourceCode", "SourceName", SOURCES);
    simple("Channel", "ChannelID", "ChannelCode", "ChannelName", CHANNELS);
    simple("RateList", "RateID", "RateCode", "RateName", RATES);
    let departments = [
        ("100", "Проживание"),
        ("410", "Мини-бар"),
        ("500", "Ресторан"),
        ("900", "Оплата картой"),
        ("910", "Наличные"),
    ];
    simple("Department", "DepartmentType", "DepartmentCode", "DepartmentName", &departments);
    tables
}

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

pub fn blank_profile(id: i64, kind: ProfileKind, now: NaiveDateTime) -> Profile {
    Profile {
        id,
        kind,
        first_name: String::new(),
        name: String::new(),
        name2: String::new(),
        title: String::new(),
        birthday: None,
        gender: String::new(),
        language: String::new(),
        nationality: String::new(),
        vip: String::new(),
        active: true,
        no_mailing: false,
        no_emailing: false,
        communications: Vec::new(),
        addresses: Vec::new(),
        notes: Vec::new(),
        preferences: Vec::new(),
        memberships: Vec::new(),
        custom: Vec::new(),
        external_id: 0,
        privacy_removed: false,
        created: now,
        updated: now,
    }
}

/// `+7 900 000-00-01` and on: a range nobody should be reached in.
pub fn phone(index: i64) -> String {
    let n = index % 10_000_000;
    format!("+7 900 {:03}-{:02}-{:02}", n / 10_000, n / 100 % 100, n % 100)
}

/// One guest; `index` makes phone and mail unique.
pub fn guest(state: &mut HotelState, dice: &mut Dice, id: i64, index: i64, at: NaiveDateTime) -> Profile {
    let foreign = dice.chance(18);
    let person = names::person(dice, foreign);
    let mut p = blank_profile(id, ProfileKind::Individual, at);
    (p.first_name, p.name, p.name2) = (person.first, person.family, person.father);
    p.title = if person.gender == "F" { "Г-жа" } else { "Г-н" }.into();
    (p.gender, p.language, p.nationality) = (person.gender.into(), person.language.into(), person.country.into());
    p.birthday = NaiveDate::from_ymd_opt(1950, 1, 1).map(|d| d + Duration::days(dice.range(0, 19_000)));
    if dice.chance(6) {
        p.vip = dice.word(&["VIP1", "VIP2", "GOLD"]).into();
    }
    p.no_mailing = dice.chance(12);
    p.no_emailing = p.no_mailing;
    let mut reach = |kind, code: &str, value: String, primary| {
        let id = state.next_id();
        p.communications.push(Communication { id, kind, code: code.into(), value, primary });
    };
    if foreign {
        // The numbers British films use.
        if index < 1_000 {
            reach(CommKind::Telephone, "PBM", format!("+44 7700 900{index:03}"), true);
        }
    } else {
        reach(CommKind::Telephone, "PBM", phone(index), true);
        if dice.chance(8) {
            reach(
                CommKind::Telephone,
                "PHO",
                format!("8 (4822) 00-{:02}-{:02}", index / 100 % 100, index % 100),
                false,
            );
        }
    }
    if foreign || dice.chance(80) {
        reach(CommKind::Email, "EPR", format!("{}.{index}@example.com", person.stem), true);
        if dice.chance(5) {
            reach(CommKind::Email, "EBD", format!("office.{index}@example.org"), false);
        }
    }
    if dice.chance(60) {
        let (street, city, zip) = names::address(dice);
        let (id, country) = (state.next_id(), p.nationality.clone());
        let address =
            Address { id, code: "ADR".into(), primary: true, street, city, zip, country, state: String::new() };
        p.addresses.push(address);
    }
    if dice.chance(5) {
        let id = state.next_id();
        let text = "Предпочитает номер подальше от лифта".to_owned();
        p.notes.push(Note { id, category: "PRF".into(), text, guest_may_see: false });
    }
    p
}

fn firm(
    state: &mut HotelState,
    dice: &mut Dice,
    id: i64,
    kind: ProfileKind,
    name: String,
    index: i64,
    at: NaiveDateTime,
) {
    let mut p = blank_profile(id, kind, at);
    p.name = name;
    let (street, city, zip) = names::address(dice);
    let (address, phone_id, mail_id) = (state.next_id(), state.next_id(), state.next_id());
    p.addresses.push(Address {
        id: address,
        code: "BIL".into(),
        primary: true,
        street,
        city,
        zip,
        country: "RU".into(),
        state: String::new(),
    });
    let comm = |id, kind, code: &str, value| Communication { id, kind, code: code.into(), value, primary: true };
    p.communications.push(comm(phone_id, CommKind::Telephone, "PBS", phone(9_000_000 + index)));
    p.communications.push(comm(mail_id, CommKind::Email, "EBD", format!("firma.{index}@example.org")));
    state.profiles.insert(id, p);
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

/// Firms, agents, accompanying guests, shares, groups and parties.
fn relations(state: &mut HotelState, dice: &mut Dice, companies: usize, agents: usize, guests: i64) {
    let companies = i64::try_from(companies).unwrap_or_default();
    let agents = i64::try_from(agents).unwrap_or_default();
    let numbers: Vec<i64> = state.reservations.keys().copied().collect();
    for number in &numbers {
        let Some(r) = state.reservations.get_mut(number) else { continue };
        if companies > 0 && dice.chance(18) {
            r.company = 60_000 + dice.range(1, companies);
            r.market = "COR".into();
            r.rate_code = "CORP".into();
        } else if agents > 0 && dice.chance(14) {
            r.agent = 68_000 + dice.range(1, agents);
            r.source = "AGT".into();
        } else if companies > 0 && dice.chance(10) {
            r.source_profile = 69_001;
        }
        if r.adults > 1 && dice.chance(40) && guests > 1 {
            let companion = 70_000 + dice.range(1, guests);
            if companion != r.profile {
                r.companions.push(companion);
            }
        }
    }
    // Two reservations in one room.
    let sharing = (numbers.len() / 40).min(150);
    let candidates: Vec<i64> = state
        .reservations
        .values()
        .filter(|r| matches!(r.status, Status::Confirmed | Status::InHouse) && r.nights() > 0)
        .map(|r| r.number)
        .collect();
    for pair in candidates.chunks_exact(2).step_by(3).take(sharing) {
        let &[first, second] = pair else { continue };
        let Some(host) = state.reservations.get(&first).cloned() else { continue };
        let Some(r) = state.reservations.get_mut(&second) else { continue };
        if r.profile == host.profile || r.status != host.status {
            continue;
        }
        (r.arrival, r.departure, r.room_type, r.room) =
            (host.arrival, host.departure, host.room_type.clone(), host.room.clone());
        r.checked_in = host.checked_in;
        r.share = first;
        r.reprice();
        if let Some(host) = state.reservations.get_mut(&first) {
            host.share = first;
        }
    }
    for (index, name) in ["Конференция «Макет-2026»", "Хор «Пробный»", "Команда «Образец»"].into_iter().enumerate()
    {
        let id = 400 + i64::try_from(index).unwrap_or_default();
        state.groups.insert(id, name.into());
        let members = candidates.iter().rev().skip(index * 9).take(7);
        for number in members {
            if let Some(r) = state.reservations.get_mut(number) {
                r.group = id;
                r.market = "GRP".into();
            }
        }
    }
    state.parties.insert(310, "Свадьба Пробных".into());
    for number in candidates.iter().skip(5).step_by(7).take(4) {
        if let Some(r) = state.reservations.get_mut(number) {
            r.party = 310;
        }
    }
}

/// Charges of every night spent and payments of who left.
fn postings(state: &mut HotelState, today: NaiveDate) {
    let lived: Vec<Reservation> = state
        .reservations
        .values()
        .filter(|r| matches!(r.status, Status::InHouse | Status::CheckedOut))
        .cloned()
        .collect();
    for r in lived {
        let posting = |id, department: &str, kind, price, description: &str, date| Posting {
            id,
            reservation: r.number,
            profile: r.profile,
            department: department.into(),
            department_type: kind,
            price,
            quantity: 1,
            description: description.into(),
            date,
            currency: r.currency.clone(),
        };
        for night in r.arrival.iter_days().take_while(|day| *day < r.departure && *day < today) {
            let id = state.next_id();
            state.postings.push(posting(id, "100", 1, r.rate, "Проживание", night));
        }
        if r.status == Status::CheckedOut {
            let id = state.next_id();
            state.postings.push(posting(id, "900", 3, r.total, "Оплата картой", r.departure));
        }
    }
}

/// Accounts without a stay, which the reservation query returns all the same (facts §5.1).
fn financial_accounts(state: &mut HotelState, companies: usize, now: NaiveDateTime) {
    let count = i64::try_from(companies.min(6)).unwrap_or_default();
    for index in 1..=count {
        let booking = Booking {
            profile: 60_000 + index,
            arrival: state.system_date - Duration::days(200),
            departure: state.system_date + Duration::days(165),
            room_type: String::new(),
            adults: 0,
            rate_code: String::new(),
            rate: 0,
            status: Status::Confirmed,
        };
        let mut account = super::state::blank_reservation(9_000 + index, &booking, now - Duration::days(200));
        account.financial_account = true;
        account.updated = now - Duration::hours(index);
        state.reservations.insert(account.number, account);
    }
}

/// What real hotels have: a family with one phone, odd spellings, people without any contact.
fn awkward(state: &mut HotelState) {
    let family = state.profiles.get(&70_003).and_then(|p| p.primary(CommKind::Telephone)).map(|c| c.value.clone());
    if let (Some(shared), Some(p)) = (family, state.profiles.get_mut(&70_004)) {
        p.communications.retain(|c| c.kind != CommKind::Telephone);
        p.set_primary(CommKind::Telephone, &shared, 90_001);
    }
    if let Some(p) = state.profiles.get_mut(&70_006) {
        p.communications.clear();
    }
    if let Some(p) = state.profiles.get_mut(&70_008) {
        p.set_primary(CommKind::Telephone, "8(900)0000008 спросить Веру", 90_002);
    }
    if let Some(p) = state.profiles.get_mut(&70_010) {
        p.name = "ПРОБНЫЙ-ОЧЕНЬДЛИННЫЙ ИЗ ОБРАЗЦА".into();
    }
    state.de_identify(70_012);
}
