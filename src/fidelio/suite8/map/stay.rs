//! A row of `Reservation` → a stay.

use std::collections::BTreeMap;

use crate::domain::stay::{Companion, Group, Note};
use crate::domain::{Known, Money, ProfileNumber, Stay, StayNumber};

use super::status::{Signs, status};
use super::{Context, Record, Unreadable, entry_name};
use crate::fidelio::suite8::dates::{DateError, Stamp};
use crate::fidelio::suite8::fields::{CREATED, RESERVATION, UPDATED};
use crate::fidelio::suite8::values;
use crate::fidelio::suite8::xml::Row;

/// What a row turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    Stay {
        stay: Box<Stay>,
        /// Facts left out: `field: reason`.
        remarks: Vec<String>,
    },
    /// Financial accounts come in the same answer and are no stays (facts §5.1).
    FinancialAccount,
}

/// Reads one row.
pub fn stay(row: &Row, context: &Context<'_>) -> Result<Read, Unreadable> {
    let mut record = Record::new(row, &RESERVATION, context)?;
    if record.single("ReservationType").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("FA")) {
        return Ok(Read::FinancialAccount);
    }
    let number = StayNumber::parse(&record.number).map_err(|_| record.unreadable("GuestNum: not a number"))?;
    let mut stay = Stay::new(number);
    let erased = record.privacy_removed();
    life(&mut record, &mut stay, erased)?;
    let record = &mut record;
    stay.room = record.text("RoomNum");
    stay.room_type = record.text("RoomType");
    stay.rooms = record.value("NoOfRooms", values::count);
    stay.adults = record.value("NoOfAdults", values::count);
    stay.children = children(record);
    stay.rate = record.text("RateCode");
    stay.market = record.text("MarketCode");
    stay.source = record.text("SourceCode");
    stay.channel = record.text("ChannelCode");
    stay.guarantee = record.text("Guarantee");
    stay.total = total(record);
    stay.main_guest = profile(record, "ProfileID");
    stay.company = profile(record, "CompanyID");
    stay.travel_agent = profile(record, "TravelAgentID");
    stay.source_profile = profile(record, "SourceID");
    stay.booker = profile(record, "BookerID");
    stay.group = group(record, "GroupID", "GroupName");
    stay.party = group(record, "PartyID", "PartyName");
    stay.block = record.text("BlockCode");
    stay.crs_number = record.text("CrsResNumber");
    stay.custom = custom(record);
    if erased {
        stay.privacy_removed = Known::Is(true);
    } else {
        stay.companions = companions(record);
        stay.sharers = sharers(record);
        stay.comments = comments(record);
        stay.notes = notes(record);
    }
    Ok(Read::Stay { stay: Box::new(stay), remarks: std::mem::take(&mut record.remarks) })
}

/// Dates and status.
fn life(record: &mut Record<'_>, stay: &mut Stay, erased: bool) -> Result<(), Unreadable> {
    let (arrival, departure) = (record.date("GuestArrival")?, record.date("GuestDeparture")?);
    match (arrival, departure) {
        (Some(arrival), Some(departure)) if departure < arrival => {
            return Err(record.unreadable("GuestDeparture: before the arrival"));
        }
        (Some(arrival), Some(departure)) => {
            stay.arrival = Known::Is(arrival);
            stay.departure = Known::Is(departure);
        }
        // An erased guest's row may carry nothing else; the erasure must not be lost over it.
        _ if erased => {}
        _ => return Err(record.unreadable("GuestArrival, GuestDeparture: missing")),
    }
    let time = |name: &str| -> Result<Option<Stamp>, Unreadable> {
        let read: Result<_, DateError> = record.single(name).map_or(Ok(None), Stamp::parse);
        read.map_err(|error| record.unreadable(format!("{name}: {error}")))
    };
    let (checked_in, checked_out) = (time("CheckinDateTime")?, time("CheckoutDateTime")?);
    let number = |name: &str| -> Result<Option<u16>, Unreadable> {
        let read = record.single(name).map_or(Ok(None), values::count);
        read.map_err(|error| record.unreadable(format!("{name}: {error}")))
    };
    let signs = Signs {
        state: number("ReservationState")?,
        status: number("ReservationStatus")?,
        reason: number("NoAvailReason")?,
        checked_in: checked_in.is_some(),
        checked_out: checked_out.is_some(),
    };
    match status(signs) {
        Ok(status) => stay.status = Known::Is(status),
        Err(_) if erased => {}
        Err(unknown) => {
            let digit = |sign: Option<u16>| sign.map_or("-".to_owned(), |sign| sign.to_string());
            return Err(record.unreadable(format!(
                "status: {unknown} (state {}, status {}, reason {}, checked in {}, checked out {})",
                digit(signs.state),
                digit(signs.status),
                digit(signs.reason),
                signs.checked_in,
                signs.checked_out
            )));
        }
    }
    if record.single("CheckinDateTime").is_some() {
        stay.checked_in_at = checked_in.map(|stamp| stamp.local()).into();
    }
    if record.single("CheckoutDateTime").is_some() {
        stay.checked_out_at = checked_out.map(|stamp| stamp.local()).into();
    }
    stay.option_until = record.stamp("OptionDate").map(|stamp| stamp.date);
    let created = record.stamp(CREATED);
    stay.booked_on = created.clone().map(|stamp| stamp.date);
    stay.created_at = created.map(|stamp| stamp.local());
    stay.updated_at = record.stamp(UPDATED).map(|stamp| stamp.local());
    Ok(())
}

fn profile(record: &mut Record<'_>, name: &str) -> Known<ProfileNumber> {
    record.value(name, |text| match values::id(text)? {
        None => Ok(None),
        Some(id) => ProfileNumber::parse(&id).map(Some).map_err(|_| values::NotANumber),
    })
}

fn children(record: &mut Record<'_>) -> Known<BTreeMap<String, u16>> {
    let mut children = BTreeMap::new();
    for field in record.all("Child") {
        let category = field.attribute("attr").unwrap_or_default();
        match values::count(&field.text) {
            Ok(Some(count)) if count > 0 => {
                children.insert(category.to_owned(), count);
            }
            Ok(_) => {}
            Err(error) => record.remarks.push(format!("Child: {error}")),
        }
    }
    match (children.is_empty(), record.asked("Child")) {
        (false, _) => Known::Is(children),
        (true, true) => Known::Empty,
        (true, false) => Known::Absent,
    }
}

/// The whole stay's price. `ForeignTotalStay` is in the currency of the reservation where that is not the hotel's own.
fn total(record: &mut Record<'_>) -> Known<Money> {
    let code = record.single("CurrencyCode").and_then(values::text);
    let currency = match &code {
        None => Some(record.context.currency.clone()),
        Some(code) => (record.context.currencies)(code),
    };
    let local = record.value("TotalStay", values::amount);
    let foreign = record.value("ForeignTotalStay", values::amount);
    let is_foreign = currency.as_ref().is_some_and(|currency| currency != record.context.currency);
    let amount = match foreign {
        Known::Is(amount) if is_foreign && !amount.is_zero() => Known::Is(amount),
        _ => local,
    };
    match (amount, currency) {
        (Known::Is(amount), Some(currency)) => Known::Is(Money { amount, currency }),
        (Known::Is(_), None) => {
            record.remark("TotalStay", "its currency is not in the hotel's list");
            Known::Absent
        }
        (Known::Empty, _) => Known::Empty,
        (Known::Absent, _) => Known::Absent,
    }
}

fn group(record: &mut Record<'_>, id: &str, name: &str) -> Known<Group> {
    let name = record.single(name).and_then(values::text).unwrap_or_default();
    record.value(id, values::id).map(|number| Group { number, name })
}

fn custom(record: &mut Record<'_>) -> Known<BTreeMap<String, String>> {
    let mut custom = BTreeMap::new();
    for field in record.entries("CustomField") {
        if let (Some(name), Some(value)) = (field.attribute("attr"), values::text(&field.text)) {
            custom.insert(name.to_owned(), value);
        }
    }
    match (custom.is_empty(), record.asked("CustomField")) {
        (false, _) => Known::Is(custom),
        (true, true) => Known::Empty,
        (true, false) => Known::Absent,
    }
}

fn companions(record: &mut Record<'_>) -> Known<Vec<Companion>> {
    let mut companions = Vec::new();
    for field in record.all("AccompanyingGuest") {
        match values::id(&field.text).map(|id| id.and_then(|id| ProfileNumber::parse(&id).ok())) {
            Ok(Some(profile)) => companions.push(Companion { profile, name: entry_name(field), stay: None }),
            Ok(None) => {}
            Err(error) => record.remarks.push(format!("AccompanyingGuest: {error}")),
        }
    }
    record.list("AccompanyingGuests", companions)
}

/// Who shares the room under an own reservation.
fn sharers(record: &mut Record<'_>) -> Known<Vec<Companion>> {
    let mut sharers = Vec::new();
    for field in record.all("Share") {
        let stay = values::id(&field.text).ok().flatten().and_then(|id| StayNumber::parse(&id).ok());
        let profile = field.attribute("profileID").and_then(|id| values::id(id).ok().flatten());
        match (stay, profile.and_then(|id| ProfileNumber::parse(&id).ok())) {
            (None, None) => {}
            (stay, Some(profile)) => sharers.push(Companion { profile, name: entry_name(field), stay }),
            (Some(_), None) => record.remarks.push("Share: no profile".to_owned()),
        }
    }
    record.list("Share", sharers)
}

fn comments(record: &mut Record<'_>) -> Known<Vec<String>> {
    let both = [record.text("ReservationComment1"), record.text("ReservationComment2")];
    if both.iter().all(Known::is_absent) {
        return Known::Absent;
    }
    let texts: Vec<String> = both.into_iter().filter_map(|text| text.get().cloned()).collect();
    if texts.is_empty() { Known::Empty } else { Known::Is(texts) }
}

/// An unattributed `Notes` is the summary of the list and mostly empty; it counts only when it is all there is.
fn notes(record: &mut Record<'_>) -> Known<Vec<Note>> {
    let entries = record.entries("Notes").filter_map(|field| {
        Some(Note {
            number: field.attribute("noteID").map(str::to_owned),
            category: field.attribute("attr").unwrap_or_default().to_owned(),
            text: values::text(&field.text)?,
            guest_may_see: field.attribute("addData").and_then(values::flag) == Some(true),
        })
    });
    let mut notes: Vec<Note> = entries.collect();
    if notes.is_empty() {
        let summary = record.single("Notes").and_then(values::text);
        notes.extend(summary.map(|text| Note { number: None, category: String::new(), text, guest_may_see: false }));
    }
    record.list("Notes", notes)
}
