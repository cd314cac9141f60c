//! Vectors written from the facts: the text of a request → the rows of the answer.

mod conditions;
mod envelope;
mod rows;
mod writing;

use chrono::{NaiveDate, NaiveDateTime};

use super::model::{CommKind, Communication, Status};
use super::request::{Node, parse};
use super::{Booking, Hotel, HotelOptions, Knobs};

/// A hotel on 5 March 2026, 10:30, with one guest and one booking (numbers of the facts' samples).
pub async fn demo(knobs: Knobs) -> Hotel {
    let options = HotelOptions { now: Some(at(5, 10, 30)), knobs, ..HotelOptions::empty() };
    let hotel = Hotel::start(options);
    hotel.with(|s| {
        let mut p = super::people::blank_profile(70412, super::model::ProfileKind::Individual, at(1, 18, 20));
        (p.first_name, p.name, p.language) = ("Вера".into(), "Пробная".into(), "RU".into());
        let comm = |id, kind, code: &str, value: &str, primary| Communication {
            id,
            kind,
            code: code.into(),
            value: value.into(),
            primary,
        };
        p.communications = vec![
            comm(91001, CommKind::Email, "EPR", "vera.probnaya@example.com", true),
            comm(91002, CommKind::Email, "EBD", "office@example.org", false),
            comm(91003, CommKind::Telephone, "PBM", "+7 900 000-00-01", true),
        ];
        p.addresses.push(super::model::Address {
            id: 81001,
            code: "ADR".into(),
            primary: true,
            street: "ул. Образцовая, 7".into(),
            city: "Тверь".into(),
            zip: "170000".into(),
            state: String::new(),
            country: "RU".into(),
        });
        s.profiles.insert(p.id, p);
        book(s, 50117, 12, 15, Status::Confirmed);
    });
    hotel
}

/// `DD.03.2026 HH:MM:00`.
pub fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
    march(day).and_hms_opt(hour, minute, 0).unwrap()
}

pub fn march(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
}

/// A reservation of profile 70412 under a number of one's choice.
pub fn book(s: &mut super::HotelState, number: i64, from: u32, to: u32, status: Status) {
    let booking = Booking {
        profile: 70412,
        arrival: march(from),
        departure: march(to),
        room_type: "DBL".into(),
        adults: 2,
        rate_code: "BB_STD".into(),
        rate: 740_000,
        status,
    };
    let mut r = super::state::blank_reservation(number, &booking, at(5, 9, 58));
    r.reprice();
    s.reservations.insert(number, r);
}

/// A query with the right credentials.
pub fn query(inner: &str) -> String {
    envelope(&format!("<query {inner}"))
}

pub fn envelope(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><fidelio Version=\"1.1.0\">\
         <request ID=\"r-1\" UserName=\"B24SYNC\" Password=\"sandbox-5\">{inner}</request></fidelio>"
    )
}

/// `<conditions>` with one simple condition.
pub fn only(name: &str, operation: &str, value: &str) -> String {
    format!("<conditions><condition name=\"{name}\" operation=\"{operation}\">{value}</condition></conditions>")
}

pub fn fields(names: &[&str]) -> String {
    let all: String = names.iter().map(|n| format!("<field name=\"{n}\"/>")).collect();
    format!("<fields>{all}</fields>")
}

/// A `Reservation` query.
pub fn reservations(conditions: &str, names: &[&str]) -> String {
    query(&format!("ReqType=\"Reservation\" Name=\"q\">{conditions}{}</query>", fields(names)))
}

pub fn profiles(conditions: &str, names: &[&str]) -> String {
    query(&format!("ReqType=\"Profile\" Name=\"q\">{conditions}{}</query>", fields(names)))
}

pub async fn send(hotel: &Hotel, body: impl Into<reqwest::Body>) -> reqwest::Response {
    client().post(hotel.url()).body(body).send().await.unwrap()
}

pub fn client() -> reqwest::Client {
    // A second call finds the provider installed already: that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub async fn ask(hotel: &Hotel, body: &str) -> Node {
    let text = send(hotel, body.to_owned()).await.text().await.unwrap();
    parse(&text).unwrap_or_else(|e| panic!("{e:?}: {text}"))
}

/// Status of an answer.
pub fn status(answer: &Node) -> String {
    answer.child("response").and_then(|r| r.attribute("Status")).unwrap_or_default().to_owned()
}

/// Rows of the first response element, each a list of fields.
pub fn rows(answer: &Node) -> Vec<Vec<Node>> {
    let response = answer.child("response").unwrap();
    let rows = response.children.first().and_then(|q| q.child("rows"));
    let of_row = |row: &Node| row.child("fields").map(|f| f.children.clone()).unwrap_or_default();
    rows.into_iter().flat_map(|r| &r.children).map(of_row).collect()
}

/// The unattributed value of a field in a row.
pub fn plain(row: &[Node], name: &str) -> Option<String> {
    let bare = |f: &&Node| f.attribute("name") == Some(name) && f.attributes.len() == 1;
    row.iter().find(bare).map(|f| f.text.clone())
}

/// The values of one field over all rows.
pub fn column(answer: &Node, name: &str) -> Vec<String> {
    rows(answer).iter().filter_map(|row| plain(row, name)).collect()
}
