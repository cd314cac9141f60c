//! Insert and update of profiles (facts §5.3, §5.4, §7).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Answered;
use super::answer::Refusal;
use super::model::{Address, CommKind, Communication, Profile, ProfileKind};
use super::request::Field;
use super::state::HotelState;
use super::writes::{day, fitting, number, write_note};

fn comm_kind(name: &str) -> Option<CommKind> {
    [CommKind::Telephone, CommKind::Email, CommKind::Fax, CommKind::Web].into_iter().find(|k| k.field() == name)
}

const ADDRESS: [&str; 10] =
    ["PrimaryAddr", "Address", "Street1", "Street2", "Street3", "City", "ZIP", "State", "CountryISO2", "CountryISO3"];

/// An element of one of several addresses; without `addData` it speaks of the primary one.
fn is_of_an_address(field: &Field) -> bool {
    ADDRESS.contains(&field.name.as_str()) && field.attribute("addData").is_some()
}

/// Attributed address: a negative `addData` names a new one, a known id changes it, `Address attr="DELETE"` removes it
/// (facts §5.4). `fresh`: the ids that new ones got.
fn write_address(
    state: &mut HotelState,
    p: &mut Profile,
    field: &Field,
    fresh: &mut BTreeMap<i64, i64>,
) -> Result<(), Refusal> {
    let unknown = || Refusal::unprocessable("Unknown address");
    let key: i64 = field.attribute("addData").and_then(|id| id.trim().parse().ok()).ok_or_else(unknown)?;
    let code = field.attribute("attr").unwrap_or_default();
    if field.name == "Address" {
        let before = p.addresses.len();
        p.addresses.retain(|address| address.id != key);
        return if code == "DELETE" && p.addresses.len() < before { Ok(()) } else { Err(unknown()) };
    }
    let id = match fresh.get(&key) {
        Some(id) => *id,
        None if key < 0 && code.is_empty() => {
            return Err(Refusal::invalid(&format!("Missing mandatory attribute attr for the {} element", field.name)));
        }
        None if key < 0 => {
            let id = state.next_id();
            fresh.insert(key, id);
            p.addresses.push(Address { id, code: code.to_owned(), ..Address::default() });
            id
        }
        None => key,
    };
    let primary = field.name == "PrimaryAddr" && field.text.trim().bytes().any(|b| matches!(b, b'1'..=b'9'));
    if primary {
        p.addresses.iter_mut().for_each(|address| address.primary = address.id == id);
    }
    let text = |limit| fitting(state, &field.name, &field.text, limit);
    let address = p.addresses.iter_mut().find(|address| address.id == id).ok_or_else(unknown)?;
    match field.name.as_str() {
        "Street1" => address.street = text(60)?,
        "City" => address.city = text(30)?,
        "ZIP" => address.zip = text(15)?,
        "CountryISO2" => address.country = text(2)?,
        // A state is looked up in its country, which must stand before it (facts §5.3).
        "State" if address.country.is_empty() => return Err(Refusal::unprocessable("State without a country")),
        "State" => address.state = text(30)?,
        _ => {}
    }
    Ok(())
}

fn write_addresses(fresh: &BTreeMap<i64, i64>, out: &mut String) {
    for (initial, id) in fresh.iter().rev() {
        let _ = write!(out, "<field name=\"Address\" initID=\"{initial}\" newID=\"{id}\"/>");
    }
}

pub fn update_profile(state: &mut HotelState, id: i64, fields: &[Field], rows: &mut String) -> Result<(), Refusal> {
    let Some(mut p) = state.profiles.get(&id).cloned() else { return Err(Refusal::new("NG", "Guest not found")) };
    let mut created = String::new();
    let mut merge_to = None;
    let mut fresh = BTreeMap::new();
    for field in fields {
        match field.name.as_str() {
            _ if is_of_an_address(field) => write_address(state, &mut p, field, &mut fresh)?,
            "MergeTo" => merge_to = Some(number(field)?),
            "Notes" => {
                let mut notes = std::mem::take(&mut p.notes);
                if let Some(note) = write_note(state, &mut notes, field)? {
                    let _ = write!(created, "<field name=\"Note\" newID=\"{note}\"/>");
                }
                p.notes = notes;
            }
            name if comm_kind(name).is_some() && field.attribute("attr").is_some() => {
                write_communication(state, &mut p, field, &mut created)?;
            }
            _ => write_profile_field(state, &mut p, field)?,
        }
    }
    write_addresses(&fresh, &mut created);
    if let Some(to) = merge_to {
        if !state.profiles.contains_key(&to) {
            return Err(Refusal::new("NG", "Guest not found"));
        }
        state.merge_profiles(id, to);
    } else {
        p.updated = state.now();
        state.profiles.insert(id, p);
    }
    let _ = write!(rows, "<row><fields><field name=\"ProfileID\">{id}</field>{created}</fields></row>");
    Ok(())
}

/// Attributed communication: `attr="DELETE"` removes, `addData` changes, else adds (facts §5.4).
fn write_communication(
    state: &mut HotelState,
    p: &mut Profile,
    field: &Field,
    out: &mut String,
) -> Result<(), Refusal> {
    let Some(kind) = comm_kind(&field.name) else { return Ok(()) };
    let code = field.attribute("attr").unwrap_or_default();
    let known: Option<i64> = field.attribute("addData").and_then(|id| id.parse().ok());
    if code == "DELETE" {
        p.communications.retain(|c| Some(c.id) != known);
        return Ok(());
    }
    let value = fitting(state, &field.name, &field.text, 60)?;
    let primary = field.attribute("Primary").map(|v| v == "1");
    if primary == Some(true) {
        p.communications.iter_mut().filter(|c| c.kind == kind).for_each(|c| c.primary = false);
    }
    if let Some(entry) = p.communications.iter_mut().find(|c| Some(c.id) == known) {
        entry.value = value;
        entry.code = code.to_owned();
        entry.primary = primary.unwrap_or(entry.primary);
        return Ok(());
    }
    let id = state.next_id();
    p.communications.push(Communication { id, kind, code: code.into(), value, primary: primary.unwrap_or_default() });
    let _ = write!(out, "<field name=\"Communication\" newID=\"{id}\"/>");
    Ok(())
}

fn write_profile_field(state: &mut HotelState, p: &mut Profile, field: &Field) -> Result<(), Refusal> {
    if let Some(kind) = comm_kind(&field.name) {
        let value = fitting(state, &field.name, &field.text, 60)?;
        let id = state.next_id();
        p.set_primary(kind, &value, id);
        return Ok(());
    }
    let text = |limit| fitting(state, &field.name, &field.text, limit);
    let mut address = |change: &mut dyn FnMut(&mut Address)| {
        if p.addresses.is_empty() {
            p.addresses.push(Address { code: "ADR".into(), primary: true, ..Address::default() });
        }
        if let Some(primary) = p.addresses.iter_mut().max_by_key(|a| a.primary) {
            change(primary);
        }
    };
    match field.name.as_str() {
        "GuestName" => p.name = text(35)?,
        "GuestFirstname" => p.first_name = text(35)?,
        "Name2" => p.name2 = text(35)?,
        "Title" => p.title = text(30)?,
        "Birthday" => p.birthday = Some(day(field)?),
        "Gender" => p.gender = text(1)?,
        "Language" => p.language = text(10)?,
        "NationalityISO2" => p.nationality = text(2)?,
        "VipCode" => p.vip = text(10)?,
        "DeleteCode" => p.active = number(field)? == 0,
        "NoMailing" => p.no_mailing = number(field)? != 0,
        "NoEMailing" => p.no_emailing = number(field)? != 0,
        "ProfileExternalID" => p.external_id = number(field)?,
        "City" => {
            let city = text(30)?;
            address(&mut |a| a.city.clone_from(&city));
        }
        "Street1" => {
            let street = text(60)?;
            address(&mut |a| a.street.clone_from(&street));
        }
        "ZIP" => {
            let zip = text(15)?;
            address(&mut |a| a.zip.clone_from(&zip));
        }
        "CountryISO2" => {
            let country = text(2)?;
            address(&mut |a| a.country.clone_from(&country));
        }
        "ProfileType" | "ProfileCategory" | "TryToMerge" | "TryToGlobalize" | "StorePrivateData" => {}
        "PrimaryAddr" | "Address" | "Street2" | "Street3" | "State" | "CountryISO3" | "AddressGreeting"
        | "LetterGreeting" => {}
        other => return Err(Refusal::invalid(&format!("Field {other} cannot be written"))),
    }
    Ok(())
}

pub fn insert_profile(state: &mut HotelState, fields: &[Field]) -> Result<Answered, Refusal> {
    let given = |name: &str| fields.iter().find(|f| f.name == name).map(|f| f.text.trim());
    let (Some(_), Some(category)) = (given("ProfileType"), given("ProfileCategory")) else {
        return Err(Refusal::invalid("ProfileType and ProfileCategory are mandatory"));
    };
    let external = given("ProfileExternalID").and_then(|id| id.parse::<i64>().ok()).filter(|id| *id != 0);
    // An external id that is known: the insert is ignored and the existing id returned (facts §5.3).
    if let Some(known) = external.and_then(|id| state.profiles.values().find(|p| p.external_id == id)) {
        return Ok(Answered::Inserted(format!("<ProfileID>{}</ProfileID>", known.id)));
    }
    let kind = match category {
        "1" => ProfileKind::Company,
        "2" => ProfileKind::TravelAgent,
        "3" => ProfileKind::Source,
        _ => ProfileKind::Individual,
    };
    let id = state.next_profile();
    let mut p = super::people::blank_profile(id, kind, state.now());
    let mut fresh = BTreeMap::new();
    for field in fields {
        if is_of_an_address(field) {
            write_address(state, &mut p, field, &mut fresh)?;
        } else {
            write_profile_field(state, &mut p, field)?;
        }
    }
    let mut answer = format!("<ProfileID>{id}</ProfileID>");
    // The address that was written without a number of its own.
    if let Some(implied) = p.addresses.iter_mut().find(|address| address.id == 0) {
        implied.id = state.next_id();
        fresh.insert(0, implied.id);
    }
    if !fresh.is_empty() {
        answer.push_str("<Addresses>");
        for (initial, id) in fresh.iter().rev() {
            let _ = write!(answer, "<Address initID=\"{initial}\" newID=\"{id}\"/>");
        }
        answer.push_str("</Addresses>");
    }
    state.profiles.insert(id, p);
    Ok(Answered::Inserted(answer))
}
