//! Insert, update and command: as far as write-back and the desk need them (facts §7).
//! A message is atomic: everything is tried on a copy, which replaces the truth only when all of it worked.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::Answered;
use super::answer::{Refusal, escape};
use super::conditions::parse_time;
use super::knobs::OverLength;
use super::model::{Note, Posting, Reservation, Status};
use super::profile_writes::{insert_profile, update_profile};
use super::query::{check_right, matching_profiles, targets};
use super::request::{Field, Kind, Node, Operation, Request};
use super::state::{Booking, DeskError, HotelState};

impl From<DeskError> for Refusal {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::NoReservation(number) => Self::new("NG", &format!("Guest not found\nGuestNum={number}")),
            other => Self::unprocessable(&other.to_string()),
        }
    }
}

pub fn apply(state: &mut HotelState, request: &Request, operation: &Operation) -> Result<Answered, Refusal> {
    check_right(state, &operation.what)?;
    match (operation.kind, operation.what.as_str()) {
        (Kind::Update, "Reservation") => {
            let numbers = one_or_batch(state, targets(state, request, operation)?)?;
            let mut rows = String::new();
            for number in numbers {
                update_reservation(state, number, &operation.fields, &mut rows)?;
            }
            Ok(Answered::Updated(rows))
        }
        (Kind::Update, "Profile") => {
            let ids = one_or_batch(state, matching_profiles(state, operation)?)?;
            let mut rows = String::new();
            for id in ids {
                update_profile(state, id, &operation.fields, &mut rows)?;
            }
            Ok(Answered::Updated(rows))
        }
        (Kind::Insert, "Profile") => insert_profile(state, &operation.fields),
        (Kind::Insert, "Reservation") => insert_reservation(state, &operation.fields),
        (Kind::Insert, "Note") => insert_note(state, &operation.fields),
        (Kind::Command, what) => command(state, what, &operation.node),
        (_, what) => Err(Refusal::invalid(&format!("Unsupported request type <{what}>"))),
    }
}

fn one_or_batch(state: &HotelState, hit: Vec<i64>) -> Result<Vec<i64>, Refusal> {
    match hit.len() {
        0 => Err(Refusal::new("NG", "Guest not found")),
        1 => Ok(hit),
        _ if state.knobs.batch_updates => Ok(hit),
        _ => Err(Refusal::denied("Batch update is not allowed")),
    }
}

/// Text within the documented length, cut or refused as the site does it (facts §10.10).
pub fn fitting(state: &HotelState, name: &str, text: &str, limit: usize) -> Result<String, Refusal> {
    let length = text.chars().count();
    if length <= limit {
        return Ok(text.to_owned());
    }
    match state.knobs.over_length {
        OverLength::Cut => Ok(text.chars().take(limit).collect()),
        OverLength::Refuse => Err(Refusal::unprocessable(&format!(
            "ORA-12899: value too large for column \"{name}\" (actual: {length}, maximum: {limit})"
        ))),
    }
}

pub fn day(field: &Field) -> Result<NaiveDate, Refusal> {
    let unreadable = || Refusal::unprocessable(&format!("Invalid date in {}", field.name));
    parse_time(&field.text).map(|(day, _, _)| day).ok_or_else(unreadable)
}

pub fn number(field: &Field) -> Result<i64, Refusal> {
    field.text.trim().parse().map_err(|_| Refusal::unprocessable(&format!("Invalid number in {}", field.name)))
}

/// A decimal amount as hundredths.
fn amount(name: &str, text: &str) -> Result<i64, Refusal> {
    let unreadable = || Refusal::unprocessable(&format!("Invalid amount in {name}"));
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let part = format!("{part:0<2}");
    let units: i64 = whole.parse().map_err(|_| unreadable())?;
    let rest: i64 = part.get(..2).ok_or_else(unreadable)?.parse().map_err(|_| unreadable())?;
    let signed = if whole.starts_with('-') { -rest } else { rest };
    units.checked_mul(100).and_then(|h| h.checked_add(signed)).ok_or_else(unreadable)
}

/// Adds, changes or deletes a note; returns the id of a new one.
pub fn write_note(state: &mut HotelState, notes: &mut Vec<Note>, field: &Field) -> Result<Option<i64>, Refusal> {
    let id: Option<i64> = field.attribute("noteID").and_then(|id| id.parse().ok());
    if let Some(id) = id {
        if field.attribute("Delete") == Some("1") {
            notes.retain(|n| n.id != id);
        } else if let Some(note) = notes.iter_mut().find(|n| n.id == id) {
            note.text.clone_from(&field.text);
        }
        return Ok(None);
    }
    let category = field
        .attribute("attr")
        .ok_or_else(|| Refusal::invalid("Missing mandatory attribute attr for the Notes element"))?;
    if !note_category_exists(state, category) {
        return Err(Refusal::unprocessable(&format!("Unknown note category {category}")));
    }
    let id = state.next_id();
    let guest_may_see = field.attribute("addData") == Some("1");
    notes.push(Note { id, category: category.to_owned(), text: field.text.clone(), guest_may_see });
    Ok(Some(id))
}

fn note_category_exists(state: &HotelState, code: &str) -> bool {
    let rows = state.codes.get("NoteCategory");
    rows.into_iter().flatten().any(|row| row.contains(&("NoteCategoryShortDescription", code.to_owned())))
}

fn update_reservation(state: &mut HotelState, n: i64, fields: &[Field], rows: &mut String) -> Result<(), Refusal> {
    let mut r = state.reservation(n)?.clone();
    let mut new_notes = Vec::new();
    for field in fields {
        if field.name == "Notes" {
            let mut notes = std::mem::take(&mut r.notes);
            new_notes.extend(write_note(state, &mut notes, field)?);
            r.notes = notes;
        } else {
            write_reservation_field(state, &mut r, field)?;
        }
    }
    let before = state.reservation(n)?;
    let touched = state.knobs.notes_touch || fields.iter().any(|f| f.name != "Notes");
    r.updated = if touched { state.now() } else { before.updated };
    if (r.arrival, r.departure, r.rate) != (before.arrival, before.departure, before.rate) {
        r.reprice();
    }
    state.reservations.insert(n, r);
    rows.push_str("<row><fields>");
    let _ = write!(rows, "<field name=\"GuestNum\">{n}</field>");
    for id in new_notes {
        let _ = write!(rows, "<field name=\"Note\" newID=\"{id}\"/>");
    }
    rows.push_str("</fields></row>");
    Ok(())
}

fn write_reservation_field(state: &HotelState, r: &mut Reservation, field: &Field) -> Result<(), Refusal> {
    let text = |limit| fitting(state, &field.name, &field.text, limit);
    match field.name.as_str() {
        "GuestArrival" => r.arrival = day(field)?,
        "GuestDeparture" => r.departure = day(field)?,
        "OptionDate" => r.option_date = Some(day(field)?),
        "ProfileID" => r.profile = number(field)?,
        "RoomType" => r.room_type = text(5)?,
        "RoomNum" => r.room = text(10)?,
        "NoOfRooms" => r.rooms = number(field)?,
        "NoOfAdults" => r.adults = number(field)?,
        "RateCode" => r.rate_code = text(30)?,
        "RateValue" => r.rate = amount(&field.name, &field.text)?,
        "CurrencyCode" => r.currency = text(10)?,
        "MarketCode" => r.market = text(10)?,
        "SourceCode" => r.source = text(10)?,
        "ChannelCode" => r.channel = text(10)?,
        "PaymentMethod" => r.payment = text(10)?,
        "Guarantee" => r.guarantee = text(10)?,
        "Policy" => r.policy = text(60)?,
        "CompanyID" => r.company = number(field)?,
        "TravelAgentID" => r.agent = number(field)?,
        "SourceID" => r.source_profile = number(field)?,
        "BookerID" => r.booker = number(field)?,
        "GroupID" => r.group = number(field)?,
        "CrsSystem" => r.crs_system = text(30)?,
        "CrsResNumber" => r.crs_number = text(30)?,
        "ReservationComment1" => r.comments[0] = text(100)?,
        "ReservationComment2" => r.comments[1] = text(100)?,
        "AccompanyingGuest" if field.attribute("addData") == Some("DELETE") => {
            let gone = number(field)?;
            r.companions.retain(|id| *id != gone);
        }
        "AccompanyingGuest" => r.companions.push(number(field)?),
        "CustomField" => {
            let wanted = field.attribute("attr").unwrap_or_default();
            match r.custom.iter_mut().find(|c| c.name == wanted) {
                Some(custom) => custom.value.clone_from(&field.text),
                None => return Err(Refusal::unprocessable(&format!("Unknown custom field {wanted}"))),
            }
        }
        "Waitlist" if field.text.trim() == "1" => r.status = Status::Waitlisted,
        other => return Err(Refusal::invalid(&format!("Field {other} cannot be written"))),
    }
    Ok(())
}

fn insert_reservation(state: &mut HotelState, fields: &[Field]) -> Result<Answered, Refusal> {
    let find = |name: &str| {
        let missing = || Refusal::invalid(&format!("Missing mandatory field {name}"));
        fields.iter().find(|f| f.name == name).ok_or_else(missing)
    };
    let booking = Booking {
        profile: number(find("ProfileID")?)?,
        arrival: day(find("GuestArrival")?)?,
        departure: day(find("GuestDeparture")?)?,
        room_type: find("RoomType")?.text.clone(),
        adults: 1,
        rate_code: "BAR".into(),
        rate: 0,
        status: Status::Confirmed,
    };
    let number = state.book(booking)?;
    let mut r = state.reservation(number)?.clone();
    for field in fields.iter().filter(|f| f.name != "Notes") {
        write_reservation_field(state, &mut r, field)?;
    }
    r.reprice();
    state.reservations.insert(number, r);
    Ok(Answered::Inserted(format!("<GuestNum>{number}</GuestNum>")))
}

fn insert_note(state: &mut HotelState, fields: &[Field]) -> Result<Answered, Refusal> {
    let find = |name: &str| {
        let missing = || Refusal::invalid(&format!("Missing mandatory field {name}"));
        fields.iter().find(|f| f.name == name).ok_or_else(missing)
    };
    let (table, target) = (find("NoteTableLinkedTo")?.text.trim(), number(find("NoteTableID")?)?);
    let (category, text) = (find("NoteCategoryCode")?.text.trim(), &find("NoteDescription")?.text);
    let guest_may_see = find("NoteGuestViewable")?.text.trim() == "1";
    if !note_category_exists(state, category) {
        return Err(Refusal::unprocessable(&format!("Unknown note category {category}")));
    }
    let id = match table {
        "Reservation" | "Reservations" => state.add_note(target, category, text, guest_may_see)?,
        "Profile" => {
            let id = state.next_id();
            let note = Note { id, category: category.into(), text: text.clone(), guest_may_see };
            if !state.edit_profile(target, |p| p.notes.push(note)) {
                return Err(Refusal::new("NG", "Guest not found"));
            }
            id
        }
        other => return Err(Refusal::unprocessable(&format!("Notes are not linked to {}", escape(other)))),
    };
    Ok(Answered::Inserted(format!("<NoteID>{id}</NoteID>")))
}

fn command(state: &mut HotelState, what: &str, node: &Node) -> Result<Answered, Refusal> {
    let Some(body) = node.children.first() else { return Err(Refusal::invalid("Empty command")) };
    let guest = |node: &Node| -> Result<i64, Refusal> {
        let text = node.child_text("GuestNum").ok_or_else(|| Refusal::unprocessable("GuestNum is empty"))?;
        text.parse().map_err(|_| Refusal::unprocessable("GuestNum is not a number"))
    };
    match what {
        "cancel" => state.cancel(guest(body)?)?,
        "checkIn" | "checkOut" => {
            let room = body.child_text("RoomNumber").unwrap_or_default();
            let wanted = if what == "checkIn" { Status::Confirmed } else { Status::InHouse };
            let due = |r: &&Reservation| r.room == room && r.status == wanted;
            let found = state.reservations.values().filter(due).min_by_key(|r| r.arrival).map(|r| r.number);
            let number = found.ok_or_else(|| Refusal::new("IA", &format!("No account for room {room}")))?;
            if what == "checkIn" { state.check_in(number)? } else { state.check_out(number)? }
        }
        "post" => {
            for posting in body.children.iter().filter(|c| c.name == "crm_posting") {
                let number = guest(posting)?;
                let (profile, currency) = state.reservation(number).map(|r| (r.profile, r.currency.clone()))?;
                let id = state.next_id();
                state.postings.push(Posting {
                    id,
                    reservation: number,
                    profile,
                    department: posting.child_text("DepartmentCode").unwrap_or_default().to_owned(),
                    department_type: 1,
                    price: amount("Price", posting.child_text("Price").unwrap_or_default())?,
                    quantity: posting.child_text("Quantity").and_then(|q| q.parse().ok()).unwrap_or(1),
                    description: posting.child_text("Description").unwrap_or_default().to_owned(),
                    date: state.system_date,
                    currency,
                });
            }
        }
        other => return Err(Refusal::invalid(&format!("Unsupported command <{other}>"))),
    }
    Ok(Answered::Done)
}
