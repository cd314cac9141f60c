//! The desk's JSON interface under `/_sandbox/hotel`: what the page shows, and its buttons.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration as Wait;

use actix_web::{HttpResponse, web};
use chrono::{Duration, NaiveDate};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::money;
use super::model::{CommKind, Profile, Reservation, Status};
use super::server::Shared;
use super::state::{Booking, DeskError, HotelState};
use super::{Fault, generate};

/// Days the room rack shows.
const RACK_DAYS: i64 = 14;

pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::scope("/_sandbox/hotel")
            .route("/state", web::get().to(state))
            .route("/stays", web::get().to(search))
            .route("/stays", web::post().to(book))
            .route("/stays/{number}", web::get().to(one))
            .route("/stays/{number}/{action}", web::post().to(act))
            .route("/day", web::post().to(day))
            .route("/tick", web::post().to(tick))
            .route("/audit", web::post().to(audit))
            .route("/knobs", web::get().to(knobs))
            .route("/knobs", web::put().to(set_knobs))
            .route("/faults", web::post().to(fault))
            .route("/faults", web::delete().to(clear_faults))
            .route("/requests", web::get().to(requests)),
    );
}

fn with<T>(shared: &Shared, look: impl FnOnce(&mut HotelState) -> T) -> T {
    look(&mut shared.state.lock().unwrap_or_else(PoisonError::into_inner))
}

fn answer(body: &Value) -> HttpResponse {
    // The portal's start page asks from its own port.
    HttpResponse::Ok().insert_header(("Access-Control-Allow-Origin", "*")).json(body)
}

fn refused(error: &DeskError) -> HttpResponse {
    let code = match error {
        DeskError::NoReservation(_) => "no_reservation",
        DeskError::WrongStatus { .. } => "wrong_status",
        DeskError::NoRoom(_) => "no_room",
        DeskError::Dates => "dates",
    };
    HttpResponse::Conflict().json(json!({"code": code, "detail": error.to_string()}))
}

/// A stay as the desk shows it.
pub fn stay(state: &HotelState, r: &Reservation) -> Value {
    let guest = state.profiles.get(&r.profile);
    let reach = |kind| guest.and_then(|p| p.primary(kind)).map(|c| c.value.clone()).unwrap_or_default();
    let named = |id: &i64| state.profiles.get(id).map(Profile::display_name);
    json!({
        "number": r.number,
        "status": r.status,
        "guest": guest.map(Profile::display_name).unwrap_or_default(),
        "profile": r.profile,
        "vip": guest.map(|p| p.vip.clone()).unwrap_or_default(),
        "phone": reach(CommKind::Telephone),
        "email": reach(CommKind::Email),
        "arrival": r.arrival,
        "departure": r.departure,
        "nights": r.nights(),
        "room": r.room,
        "room_type": r.room_type,
        "adults": r.adults,
        "children": r.children.iter().map(|(_, n)| n).sum::<i64>(),
        "rate_code": r.rate_code,
        "total": money(r.total),
        "currency": r.currency,
        "company": named(&r.company),
        "agent": named(&r.agent),
        "group": state.groups.get(&r.group),
        "companions": r.companions.iter().filter_map(named).collect::<Vec<_>>(),
        "share": r.share != 0,
        "notes": r.notes.iter().map(|n| n.text.clone()).collect::<Vec<_>>(),
        "comment": r.comments[0],
        "updated": r.updated,
    })
}

fn rooms(state: &HotelState) -> Vec<Value> {
    let today = state.system_date;
    let room = |room: &super::model::Room| {
        let here: Vec<&Reservation> = state
            .reservations
            .values()
            .filter(|r| r.room == room.number && r.status.holds_room() && r.status != Status::CheckedOut)
            .collect();
        let living = here.iter().find(|r| r.status == Status::InHouse);
        let coming = here.iter().find(|r| r.arrival == today && r.status != Status::InHouse);
        let what = match (living, coming) {
            (Some(r), _) if r.departure <= today => "departure",
            (Some(_), _) => "occupied",
            (None, Some(_)) => "arrival",
            (None, None) => "free",
        };
        json!({
            "number": room.number, "type": room.room_type, "floor": room.floor, "state": what,
            "stay": living.or(coming).map(|r| r.number),
        })
    };
    state.rooms.iter().map(room).collect()
}

/// Stays with a room that touch the rack's window.
fn bars(state: &HotelState) -> Vec<Value> {
    let (from, to) = (state.system_date - Duration::days(2), state.system_date + Duration::days(RACK_DAYS - 2));
    let shown = |r: &&Reservation| {
        !r.room.is_empty() && r.status.holds_room() && r.arrival < to && r.departure.max(r.arrival) >= from
    };
    let bar = |r: &Reservation| {
        let guest = state.profiles.get(&r.profile).map(|p| p.name.clone()).unwrap_or_default();
        json!({"room": r.room, "number": r.number, "arrival": r.arrival, "departure": r.departure,
               "status": r.status, "guest": guest})
    };
    state.reservations.values().filter(shown).map(bar).collect()
}

async fn state(shared: web::Data<Shared>) -> HttpResponse {
    let seen = {
        let seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.last();
        json!({"count": seen.len(), "last_at": last.map(|s| s.at), "last": last.map(|s| s.types.join(", ")),
               "last_status": last.map(|s| s.status.clone())})
    };
    let body = with(&shared, |s| {
        let today = s.system_date;
        let list = |of: &dyn Fn(&Reservation) -> bool| -> Vec<Value> {
            s.reservations.values().filter(|r| !r.financial_account && of(r)).map(|r| stay(s, r)).collect()
        };
        let booked = |r: &Reservation| matches!(r.status, Status::Confirmed | Status::Tentative);
        let arrivals = list(&|r| r.arrival == today && booked(r));
        let departures = list(&|r| r.departure <= today && r.status == Status::InHouse);
        let in_house = list(&|r| r.status == Status::InHouse);
        let upcoming = list(&|r| booked(r) && r.arrival > today && r.arrival <= today + Duration::days(RACK_DAYS));
        let occupied =
            rooms(s).iter().filter(|r| r.get("state").is_some_and(|s| s == "occupied" || s == "departure")).count();
        json!({
            "hotel": {"code": s.code, "name": s.name, "timezone": s.zone.name(), "username": s.user,
                      "password": s.password, "vendor": s.vendor, "currency": "RUB", "path": super::PATH},
            "today": today, "now": s.now(), "speed_ms": shared.speed.load(Ordering::SeqCst),
            "rack_from": today - Duration::days(2), "rack_days": RACK_DAYS,
            "counts": {"rooms": s.rooms.len(), "occupied": occupied, "arrivals": arrivals.len(),
                       "departures": departures.len(), "in_house": in_house.len(),
                       "reservations": s.reservations.values().filter(|r| !r.financial_account).count(),
                       "guests": s.profiles.len()},
            "room_types": generate::ROOM_TYPES.iter().map(|(code, name, price, _)| json!({"code": code, "name": name, "price": money(*price)})).collect::<Vec<_>>(),
            "rooms": rooms(s), "bars": bars(s),
            "arrivals": arrivals, "departures": departures, "in_house": in_house, "upcoming": upcoming,
            "journal": s.journal.iter().take(60).collect::<Vec<_>>(), "requests": seen,
        })
    });
    answer(&body)
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    query: String,
}

/// By number, guest or room; empty = the latest touched.
async fn search(shared: web::Data<Shared>, asked: web::Query<Search>) -> HttpResponse {
    let needle = asked.query.trim().to_lowercase();
    let items = with(&shared, |s| {
        let mut found: Vec<&Reservation> = s
            .reservations
            .values()
            .filter(|r| !r.financial_account)
            .filter(|r| {
                let guest =
                    || s.profiles.get(&r.profile).is_some_and(|p| p.display_name().to_lowercase().contains(&needle));
                needle.is_empty() || r.number.to_string() == needle || r.room == needle || guest()
            })
            .collect();
        found.sort_by_key(|r| std::cmp::Reverse(r.updated));
        found.into_iter().take(50).map(|r| stay(s, r)).collect::<Vec<_>>()
    });
    answer(&json!({"items": items}))
}

async fn one(shared: web::Data<Shared>, number: web::Path<i64>) -> HttpResponse {
    with(&shared, |s| match s.reservation(*number) {
        Ok(r) => answer(&stay(s, r)),
        Err(error) => refused(&error),
    })
}

#[derive(Deserialize)]
struct NewBooking {
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    email: String,
    arrival: NaiveDate,
    departure: NaiveDate,
    #[serde(default)]
    room_type: String,
    #[serde(default)]
    adults: Option<i64>,
    #[serde(default)]
    status: Option<Status>,
}

async fn book(shared: web::Data<Shared>, wanted: web::Json<NewBooking>) -> HttpResponse {
    let wanted = wanted.into_inner();
    let booked = with(&shared, |s| {
        let id = s.next_profile();
        let mut profile =
            super::people::guest(s, &mut super::dice::Dice::new(id.unsigned_abs()), id, id - 70_000, s.now());
        if !wanted.last_name.trim().is_empty() {
            profile.name = wanted.last_name.trim().to_owned();
            profile.first_name = wanted.first_name.trim().to_owned();
            profile.name2.clear();
        }
        for (kind, value) in [(CommKind::Telephone, &wanted.phone), (CommKind::Email, &wanted.email)] {
            if !value.trim().is_empty() {
                let id = s.next_id();
                profile.set_primary(kind, value.trim(), id);
            }
        }
        let known = generate::ROOM_TYPES.iter().find(|(code, ..)| *code == wanted.room_type);
        let (code, _, rate, _) = known.copied().unwrap_or(("STD", "", 540_000, 0));
        let booking = Booking {
            profile: id,
            arrival: wanted.arrival,
            departure: wanted.departure,
            room_type: code.into(),
            adults: wanted.adults.unwrap_or(1).clamp(1, 9),
            rate_code: "BAR".into(),
            rate,
            status: wanted.status.unwrap_or(Status::Confirmed),
        };
        s.profiles.insert(id, profile);
        let number = s.book(booking);
        if number.is_err() {
            s.profiles.remove(&id);
        }
        number
    });
    match booked {
        Ok(number) => answer(&json!({"number": number})),
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize, Default)]
struct Details {
    arrival: Option<NaiveDate>,
    departure: Option<NaiveDate>,
    room: Option<String>,
    text: Option<String>,
}

async fn act(shared: web::Data<Shared>, path: web::Path<(i64, String)>, body: web::Bytes) -> HttpResponse {
    let (number, action) = path.into_inner();
    let details: Details = if body.is_empty() {
        Details::default()
    } else {
        match serde_json::from_slice(&body) {
            Ok(details) => details,
            Err(error) => return HttpResponse::BadRequest().json(json!({"code": "json", "detail": error.to_string()})),
        }
    };
    let done = with(&shared, |s| match action.as_str() {
        "check-in" => s.check_in(number),
        "check-out" => s.check_out(number),
        "cancel" => s.cancel(number),
        "no-show" => s.no_show(number),
        "reinstate" => s.reinstate(number),
        "undo-check-in" => s.undo_check_in(number),
        "undo-check-out" => s.undo_check_out(number),
        "dates" => s.reservation(number).map(|r| (r.arrival, r.departure)).and_then(|(arrival, departure)| {
            s.change_dates(number, details.arrival.unwrap_or(arrival), details.departure.unwrap_or(departure))
        }),
        "room" => s.move_room(number, details.room.as_deref().unwrap_or_default()),
        "note" => s.add_note(number, "NF", details.text.as_deref().unwrap_or_default(), false).map(|_| ()),
        _ => Err(DeskError::NoReservation(number)),
    });
    match done {
        Ok(()) => with(&shared, |s| s.reservation(number).map_or_else(|e| refused(&e), |r| answer(&stay(s, r)))),
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize)]
struct Speed {
    /// One event every so many milliseconds; 0 stops the day.
    speed_ms: u64,
}

async fn day(shared: web::Data<Shared>, speed: web::Json<Speed>) -> HttpResponse {
    shared.speed.store(speed.speed_ms, Ordering::SeqCst);
    answer(&json!({"speed_ms": speed.speed_ms}))
}

async fn tick(shared: web::Data<Shared>) -> HttpResponse {
    answer(&json!({"number": shared.tick()}))
}

async fn audit(shared: web::Data<Shared>) -> HttpResponse {
    let (no_shows, today) = with(&shared, |s| (s.night_audit(), s.system_date));
    answer(&json!({"no_shows": no_shows, "today": today}))
}

async fn knobs(shared: web::Data<Shared>) -> HttpResponse {
    with(&shared, |s| HttpResponse::Ok().json(&s.knobs))
}

/// Only what is named changes.
async fn set_knobs(shared: web::Data<Shared>, wanted: web::Json<Value>) -> HttpResponse {
    let wanted = wanted.into_inner();
    with(&shared, |s| {
        let merged = serde_json::to_value(&s.knobs).and_then(|mut all| {
            if let (Some(all), Value::Object(wanted)) = (all.as_object_mut(), wanted) {
                all.extend(wanted);
            }
            serde_json::from_value(all)
        });
        match merged {
            Ok(knobs) => {
                s.knobs = knobs;
                HttpResponse::Ok().json(&s.knobs)
            }
            Err(error) => {
                HttpResponse::UnprocessableEntity().json(json!({"code": "knob", "detail": error.to_string()}))
            }
        }
    })
}

#[derive(Deserialize)]
struct PlannedFault {
    fault: Fault,
    only: Option<String>,
    #[serde(default)]
    always: bool,
}

async fn fault(shared: web::Data<Shared>, planned: web::Json<PlannedFault>) -> HttpResponse {
    let planned = planned.into_inner();
    match (planned.only, planned.always) {
        (_, true) => shared.faults.always(planned.fault),
        (Some(only), false) => shared.faults.push_for(&only, planned.fault),
        (None, false) => shared.faults.push(planned.fault),
    }
    answer(&json!({"ok": true}))
}

async fn clear_faults(shared: web::Data<Shared>) -> HttpResponse {
    shared.faults.clear();
    answer(&json!({"ok": true}))
}

async fn requests(shared: web::Data<Shared>) -> HttpResponse {
    let seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let latest: Vec<_> = seen.iter().rev().take(50).collect();
    answer(&json!({"count": seen.len(), "items": latest}))
}

/// Lets the day go on at the chosen speed, for as long as the server runs.
pub async fn live(shared: Shared) {
    let mut waited = 0_u64;
    loop {
        actix_web::rt::time::sleep(Wait::from_millis(200)).await;
        let speed = shared.speed.load(Ordering::SeqCst);
        waited = if speed == 0 { 0 } else { waited + 200 };
        if speed > 0 && waited >= speed {
            waited = 0;
            shared.tick();
        }
    }
}
