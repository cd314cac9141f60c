//! The query type `Reservation`: which rows match, and how a row is written (facts §5.1, §5.2, §5.4).

use chrono::NaiveDateTime;

use super::answer::{Row, date_time, money, stay_date};
use super::conditions::{Sort, Value};
use super::knobs::Licence;
use super::model::{Note, Profile, Reservation, Status};
use super::state::HotelState;

/// The server's own order of fields; multi-element fields stand by their request name.
pub const FIELDS: &[&str] = &[
    "ProfileID",
    "GuestFirstname",
    "GuestName",
    "Name2",
    "GuestNum",
    "ReservationType",
    "ReservationState",
    "ReservationStatus",
    "NoAvailReason",
    "ResStatusPriorCXL",
    "OptionDate",
    "GuestArrival",
    "GuestDeparture",
    "CheckinDateTime",
    "CheckoutDateTime",
    "RoomType",
    "RoomNum",
    "NoOfRooms",
    "NoOfAdults",
    "RateCode",
    "RateValue",
    "ForeignRateValue",
    "TotalStay",
    "ForeignTotalStay",
    "NetRoomRevenue",
    "CurrencyCode",
    "MarketCode",
    "SourceCode",
    "ChannelCode",
    "PaymentMethod",
    "Guarantee",
    "Policy",
    "CompanyID",
    "CompanyName",
    "TravelAgentID",
    "TravelAgentName",
    "SourceID",
    "SourceName",
    "BookerID",
    "BookerName",
    "GroupID",
    "GroupName",
    "BlockCode",
    "CrsSystem",
    "CrsResNumber",
    "ReservationComment1",
    "ReservationComment2",
    "HasShare",
    "PartyID",
    "PartyName",
    "BedReservation",
    "Child",
    "Package",
    "AccompanyingGuests",
    "Share",
    "PartyReservation",
    "PartyMember",
    "Notes",
    "ReservationAttribute",
    "ReservationPreferences",
    "CustomField",
    "Hints",
    "Guest3rdPartyID",
    "ReservationDetails",
    "DetailDate",
    "LastUpdateTime",
    "CreationTime",
];

/// Other names under which a field may be asked for, or which change how one is written.
pub const ALIASES: &[(&str, &str)] = &[("NotesList", "Notes"), ("PackageCode", "Package")];

pub fn condition(name: &str) -> Option<(&'static str, Sort)> {
    const NAMES: &[(&str, Sort)] = &[
        ("GuestNum", Sort::Number),
        ("ReservationState", Sort::Number),
        ("ReservationStatus", Sort::Number),
        ("GuestArrival", Sort::Date),
        ("GuestDeparture", Sort::Date),
        ("ProfileID", Sort::Number),
        ("GuestFirstname", Sort::Text),
        ("GuestName", Sort::Text),
        ("RoomType", Sort::Text),
        ("RoomNum", Sort::Text),
        ("CompanyID", Sort::Number),
        ("TravelAgentID", Sort::Number),
        ("SourceID", Sort::Number),
        ("BookerID", Sort::Number),
        ("PartyID", Sort::Number),
        ("CrsSystem", Sort::Text),
        ("CrsResNumber", Sort::Text),
        ("AccompanyingGuest", Sort::Number),
        ("AccompanyingGuestLastName", Sort::Text),
        ("AccompanyingGuestFirstName", Sort::Text),
        ("ShareID", Sort::Number),
        ("LastUpdateTime", Sort::Time),
        ("CreationTime", Sort::Time),
    ];
    NAMES.iter().find(|(known, _)| *known == name).copied()
}

/// Not yet complete: the second write step is still to come.
fn half_built(state: &HotelState, r: &Reservation) -> bool {
    r.complete_at.is_some_and(|at| state.now() < at)
}

/// `LastUpdateTime` as the server shows it now.
fn updated(state: &HotelState, r: &Reservation) -> NaiveDateTime {
    if half_built(state, r) { r.created } else { r.updated }
}

/// `ReservationState` of versions from 1.1.0 on. A guest who came before today has 0, not 1.
pub fn state_code(state: &HotelState, r: &Reservation) -> i64 {
    match r.status {
        Status::Cancelled => 3,
        Status::NoShow => 4,
        Status::Offer => 5,
        Status::CheckedOut => 2,
        Status::InHouse if r.checked_in.is_some_and(|at| at.date() == state.system_date) => 1,
        _ => 0,
    }
}

/// `ReservationStatus`: 0 tentative, 1 definitive, 3 not affecting availability.
pub fn status_code(status: Status) -> i64 {
    match status {
        Status::Tentative => 0,
        Status::Offer | Status::Waitlisted | Status::Cancelled | Status::NoShow => 3,
        Status::Confirmed | Status::InHouse | Status::CheckedOut => 1,
    }
}

/// `NoAvailReason`: 1 waitlist, 2 offer, 3 cancelled, 4 no show.
pub fn reason_code(status: Status) -> i64 {
    match status {
        Status::Waitlisted => 1,
        Status::Offer => 2,
        Status::Cancelled => 3,
        Status::NoShow => 4,
        _ => 0,
    }
}

fn left_today(state: &HotelState, r: &Reservation) -> bool {
    r.checked_out.is_some_and(|at| at.date() == state.system_date)
}

/// The status condition of versions before 1.1.0; -1 matches nothing.
fn old_status(state: &HotelState, r: &Reservation) -> i64 {
    match (r.status, state_code(state, r)) {
        (Status::Cancelled, _) => 3,
        (Status::NoShow, _) => 4,
        (Status::CheckedOut, _) if left_today(state, r) => 2,
        (Status::CheckedOut, _) => -1,
        (_, 1) => 1,
        _ => 0,
    }
}

pub fn value<'a>(state: &'a HotelState, r: &'a Reservation, knows_state: bool, name: &str) -> Value<'a> {
    let main = || state.profiles.get(&r.profile);
    let companions = |read: fn(&Profile) -> &str| {
        Value::Texts(r.companions.iter().filter_map(|id| state.profiles.get(id)).map(read).collect())
    };
    match name {
        "GuestNum" => Value::Number(r.number),
        // As a condition, state 2 finds only today's check-outs (facts §5.2).
        "ReservationState" if r.status == Status::CheckedOut && !left_today(state, r) => Value::Number(-1),
        "ReservationState" => Value::Number(state_code(state, r)),
        "ReservationStatus" if knows_state => Value::Number(status_code(r.status)),
        "ReservationStatus" => Value::Number(old_status(state, r)),
        "GuestArrival" => Value::Date(Some(r.arrival)),
        "GuestDeparture" => Value::Date(Some(r.departure)),
        "ProfileID" => Value::Number(r.profile),
        "GuestFirstname" => Value::Text(main().map_or("", |p| &p.first_name)),
        "GuestName" => Value::Text(main().map_or("", |p| &p.name)),
        "RoomType" => Value::Text(&r.room_type),
        "RoomNum" => Value::Text(&r.room),
        "CompanyID" => Value::Number(r.company),
        "TravelAgentID" => Value::Number(r.agent),
        "SourceID" => Value::Number(r.source_profile),
        "BookerID" => Value::Number(r.booker),
        "PartyID" => Value::Number(r.party),
        "CrsSystem" => Value::Text(&r.crs_system),
        "CrsResNumber" => Value::Text(&r.crs_number),
        "AccompanyingGuest" => Value::Numbers(r.companions.clone()),
        "AccompanyingGuestLastName" => companions(|p| &p.name),
        "AccompanyingGuestFirstName" => companions(|p| &p.first_name),
        "ShareID" => Value::Number(r.share),
        "LastUpdateTime" => Value::Time(Some(updated(state, r))),
        "CreationTime" => Value::Time(Some(r.created)),
        _ => Value::Number(-1),
    }
}

/// Whether a query without a state condition returns it on a site that hides what is over.
pub fn active(state: &HotelState, r: &Reservation) -> bool {
    match r.status {
        Status::Cancelled | Status::NoShow | Status::Offer => false,
        Status::CheckedOut => left_today(state, r),
        _ => true,
    }
}

/// Notes with their attributes, after an empty unattributed one as the real server sends it.
pub fn write_notes(notes: &[Note], dirty: bool, row: &mut Row<'_>) {
    row.field("Notes", "");
    for note in notes {
        let viewable = if note.guest_may_see { "1" } else { "0" };
        let mut text = note.text.clone();
        if dirty {
            text.push('\u{1}');
        }
        let id = note.id.to_string();
        row.with("Notes", &[("attr", &note.category), ("addData", viewable), ("noteID", &id)], &text);
    }
}

pub fn write_custom(state: &HotelState, fields: &[super::model::CustomField], row: &mut Row<'_>) {
    for field in fields {
        let mut text = field.value.clone();
        if field.kind == "Date"
            && let Ok(at) = NaiveDateTime::parse_from_str(&field.value, "%Y-%m-%dT%H:%M:%S")
        {
            text = date_time(at, &state.knobs);
        }
        row.with("CustomField", &[("attr", &field.name), ("addData", &field.kind)], &text);
    }
}

fn names(state: &HotelState, profile: i64) -> (&str, &str, &str) {
    state.profiles.get(&profile).map_or(("", "", ""), |p| (&p.name, &p.name2, &p.first_name))
}

/// One row. `detail` is the night of a row multiplied by `ReservationDetails` + `DetailDate`.
pub fn write(state: &HotelState, r: &Reservation, fields: &[&'static str], night: i64, row: &mut Row<'_>) {
    let half = half_built(state, r);
    let main = state.profiles.get(&r.profile);
    for name in fields {
        field(state, r, main, half, night, name, row);
    }
    if main.is_some_and(|p| p.privacy_removed) {
        row.field("privacyMessage", "Profile information no longer available");
        row.field("privacyRemoved", "Yes");
    }
}

fn field(
    state: &HotelState,
    r: &Reservation,
    main: Option<&Profile>,
    half: bool,
    night: i64,
    name: &str,
    row: &mut Row<'_>,
) {
    let knobs = &state.knobs;
    let built = |text: &str| if half { String::new() } else { text.to_owned() };
    let amount = |hundredths: i64| if half { String::new() } else { money(hundredths) };
    let named = |id: i64| state.profiles.get(&id).map(Profile::display_name).unwrap_or_default();
    let time = |at: Option<NaiveDateTime>| at.map(|at| date_time(at, knobs)).unwrap_or_default();
    match name {
        "ProfileID" => row.number(name, r.profile),
        "GuestFirstname" => row.field(name, main.map_or("", |p| &p.first_name)),
        "GuestName" => row.field(name, main.map_or("", |p| &p.name)),
        "Name2" => row.field(name, main.map_or("", |p| &p.name2)),
        "GuestNum" => row.number(name, r.number),
        "ReservationType" => row.field(name, if r.financial_account { "FA" } else { "RES" }),
        "ReservationState" => row.number(name, state_code(state, r)),
        "ReservationStatus" => row.number(name, status_code(r.status)),
        "NoAvailReason" => row.number(name, reason_code(r.status)),
        "ResStatusPriorCXL" => {
            row.field(name, r.status_before_cancel.map(|s| status_code(s).to_string()).unwrap_or_default());
        }
        "OptionDate" => row.field(name, r.option_date.map(|d| stay_date(d, r.number, knobs)).unwrap_or_default()),
        "GuestArrival" => row.field(name, stay_date(r.arrival, r.number, knobs)),
        "GuestDeparture" => row.field(name, stay_date(r.departure, r.number, knobs)),
        "CheckinDateTime" => row.field(name, time(r.checked_in)),
        "CheckoutDateTime" => row.field(name, time(r.checked_out)),
        "RoomType" => row.field(name, built(&r.room_type)),
        "RoomNum" => row.field(name, built(&r.room)),
        "NoOfRooms" => row.number(name, r.rooms),
        "NoOfAdults" => row.number(name, r.adults),
        "RateCode" => row.field(name, built(&r.rate_code)),
        "RateValue" | "ForeignRateValue" => row.field(name, amount(r.rate)),
        "TotalStay" | "ForeignTotalStay" | "NetRoomRevenue" => row.field(name, amount(r.total)),
        "CurrencyCode" => row.field(name, &r.currency),
        "MarketCode" => row.field(name, built(&r.market)),
        "SourceCode" => row.field(name, built(&r.source)),
        "ChannelCode" => row.field(name, built(&r.channel)),
        "PaymentMethod" => row.field(name, built(&r.payment)),
        "Guarantee" => row.field(name, built(&r.guarantee)),
        "Policy" => row.field(name, built(&r.policy)),
        "CompanyID" => row.number(name, r.company),
        "CompanyName" => row.field(name, named(r.company)),
        "TravelAgentID" => row.number(name, r.agent),
        "TravelAgentName" => row.field(name, named(r.agent)),
        "SourceID" => row.number(name, r.source_profile),
        "SourceName" => row.field(name, named(r.source_profile)),
        "BookerID" => row.number(name, r.booker),
        "BookerName" => row.field(name, named(r.booker)),
        "GroupID" => row.number(name, r.group),
        "GroupName" => row.field(name, state.groups.get(&r.group).map_or("", String::as_str)),
        "BlockCode" => row.field(name, &r.block),
        "CrsSystem" => row.field(name, &r.crs_system),
        "CrsResNumber" => row.field(name, &r.crs_number),
        "ReservationComment1" => row.field(name, built(&r.comments[0])),
        "ReservationComment2" => row.field(name, built(&r.comments[1])),
        "HasShare" => row.number(name, i64::from(r.share != 0)),
        "PartyID" => row.number(name, r.party),
        "PartyName" => row.field(name, state.parties.get(&r.party).map_or("", String::as_str)),
        "BedReservation" => row.number(name, 0),
        "DetailDate" => row.field(name, stay_date(r.arrival + chrono::Duration::days(night), r.number, knobs)),
        "LastUpdateTime" => row.field(name, date_time(updated(state, r), knobs)),
        "CreationTime" => row.field(name, date_time(r.created, knobs)),
        _ if half => {}
        _ => several(state, r, name, row),
    }
}

/// Fields with any number of elements; without entries they are simply absent (facts §2.4).
fn several(state: &HotelState, r: &Reservation, name: &str, row: &mut Row<'_>) {
    match name {
        "Child" => r.children.iter().for_each(|(code, n)| row.with("Child", &[("attr", code)], &n.to_string())),
        "Package" => {
            for (code, price, included) in &r.packages {
                let included = if *included { "1" } else { "0" };
                row.with("Package", &[("attr", code), ("Included", included)], &money(*price));
            }
        }
        "AccompanyingGuests" => {
            for id in &r.companions {
                let (last, second, first) = names(state, *id);
                let attributes = [("name1", last), ("name2", second), ("name3", first), ("BedGuestNum", "0")];
                row.with("AccompanyingGuest", &attributes, &id.to_string());
            }
        }
        "Share" if r.share != 0 => {
            for other in state.reservations.values().filter(|o| o.share == r.share && o.number != r.number) {
                let (last, second, first) = names(state, other.profile);
                let profile = other.profile.to_string();
                let attributes = [("profileID", &*profile), ("name1", last), ("name2", second), ("name3", first)];
                row.with("Share", &attributes, &other.number.to_string());
            }
        }
        "PartyReservation" | "PartyMember" if r.party != 0 => {
            for other in state.reservations.values().filter(|o| o.party == r.party && o.number != r.number) {
                if name == "PartyReservation" {
                    row.number(name, other.number);
                    continue;
                }
                let (last, second, first) = names(state, other.profile);
                let reservation = other.number.to_string();
                let attributes = [("resID", &*reservation), ("name1", last), ("name2", second), ("name3", first)];
                row.with(name, &attributes, &other.profile.to_string());
            }
        }
        "Notes" => write_notes(&r.notes, state.knobs.dirty_notes, row),
        "ReservationAttribute" => {
            r.attributes.iter().for_each(|(kind, code)| row.with(name, &[("attr", kind)], code));
        }
        "ReservationPreferences" => {
            let entries = r.preferences.iter();
            entries.for_each(|(short, long)| row.with("ReservationPreference", &[("attr", short)], long));
        }
        "CustomField" => write_custom(state, &r.custom, row),
        "Guest3rdPartyID" if state.knobs.licences.contains(&Licence::Crs) && !r.crs_number.is_empty() => {
            row.with(name, &[("attr", &r.crs_system)], &r.crs_number);
        }
        _ => {}
    }
}
