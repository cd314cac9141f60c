//! A row of `Profile` → a guest or a company.

use crate::domain::profile::{Address, Preference};
use crate::domain::{Email, Known, Phone, PhoneEntry, Profile, ProfileKind, ProfileNumber};

use super::{Context, Record, Unreadable};
use crate::fidelio::suite8::fields::{CREATED, PROFILE, UPDATED};
use crate::fidelio::suite8::values;
use crate::fidelio::suite8::xml::{Field, Row};

/// Reads one row; the second part names facts left out.
pub fn profile(row: &Row, context: &Context<'_>) -> Result<(Profile, Vec<String>), Unreadable> {
    let mut record = Record::new(row, &PROFILE, context)?;
    let number = ProfileNumber::parse(&record.number).map_err(|_| record.unreadable("ProfileID: not a number"))?;
    let mut profile = Profile::new(number);
    let record = &mut record;
    profile.updated_at = record.stamp(UPDATED).map(|stamp| stamp.local());
    profile.created_at = record.stamp(CREATED).map(|stamp| stamp.local());
    if record.privacy_removed() {
        // Not an update to blanks: an order to erase.
        profile.privacy_removed = Known::Is(true);
        return Ok((profile, std::mem::take(&mut record.remarks)));
    }
    profile.kind = kind(record);
    profile.first_name = record.text("GuestFirstname");
    profile.last_name = record.text("GuestName");
    profile.middle_name = record.text("Name2");
    profile.title = record.text("Title");
    profile.birth_date = record.stamp("Birthday").map(|stamp| stamp.date);
    profile.gender = record.text("Gender");
    profile.language = record.text("Language");
    profile.nationality = record.text("NationalityISO2");
    profile.vip = record.text("VipCode");
    profile.active = known_flag(record, "DeleteCode").map(|deleted| !deleted);
    profile.no_mailing = known_flag(record, "NoMailing");
    profile.address = address(record);
    profile.phones = phones(record, profile.address.get().and_then(|address| address.country.as_deref()));
    profile.emails = emails(record);
    profile.preferences = preferences(record);
    Ok((profile, std::mem::take(&mut record.remarks)))
}

/// `ProfileCategory` says it; an employee's profile is none of ours whatever its category.
fn kind(record: &mut Record<'_>) -> Known<ProfileKind> {
    let kind = record.value("ProfileType", values::count);
    let category = record.value("ProfileCategory", values::count);
    match (kind.get(), category.get()) {
        (Some(3), _) => Known::Is(ProfileKind::Other),
        (_, Some(1)) => Known::Is(ProfileKind::Company),
        (_, Some(2)) => Known::Is(ProfileKind::TravelAgent),
        (_, Some(3)) => Known::Is(ProfileKind::Source),
        (_, Some(4)) => Known::Is(ProfileKind::Guest),
        (_, Some(5 | 6)) => Known::Is(ProfileKind::Other),
        (Some(1), None) => Known::Is(ProfileKind::Company),
        (Some(2), None) => Known::Is(ProfileKind::Guest),
        (None, None) => Known::Absent,
        _ => {
            record.remark("ProfileCategory", "unknown");
            Known::Absent
        }
    }
}

fn known_flag(record: &Record<'_>, name: &str) -> Known<bool> {
    record.single(name).map_or(Known::Absent, |text| values::flag(text).into())
}

/// The primary address: the unattributed elements, else the entry marked as primary.
fn address(record: &Record<'_>) -> Known<Address> {
    const PARTS: [&str; 7] = ["Street1", "Street2", "Street3", "City", "ZIP", "State", "CountryISO2"];
    let primary = record
        .entries("PrimaryAddr")
        .find(|field| values::flag(&field.text) == Some(true))
        .and_then(|field| field.attribute("addData"));
    let plain = PARTS.into_iter().any(|name| record.single(name).is_some());
    let part = |name: &'static str| -> Option<String> {
        if plain {
            return record.single(name).and_then(values::text);
        }
        let entry = record.entries(name).find(|field| primary.is_some() && field.attribute("addData") == primary);
        entry.and_then(|field| values::text(&field.text))
    };
    if !plain && primary.is_none() {
        return Known::Absent;
    }
    let [street1, street2, street3, city, zip, state, country] = PARTS.map(part);
    let street: Vec<String> = [street1, street2, street3].into_iter().flatten().collect();
    let country = country.map(|code| code.to_ascii_uppercase());
    let address = Address { street, city, zip, state, country };
    if address == Address::default() { Known::Empty } else { Known::Is(address) }
}

/// One value of a role with its site code.
struct Entry {
    text: String,
    kind: String,
    primary: bool,
}

/// The list of a role: attributed entries, and the unattributed primary value where no entry repeats it.
fn entries(record: &Record<'_>, name: &'static str) -> Option<Vec<Entry>> {
    let plain = record.single(name);
    let read = |field: &Field| {
        Some(Entry {
            text: values::text(&field.text)?,
            kind: field.attribute("attr").unwrap_or_default().to_owned(),
            primary: field.attribute("Primary").and_then(values::flag) == Some(true),
        })
    };
    let mut list: Vec<Entry> = record.entries(name).filter_map(read).collect();
    if list.is_empty() && plain.is_none() {
        return None;
    }
    if let Some(main) = plain.and_then(values::text) {
        let marked = list.iter().any(|entry| entry.primary);
        match list.iter_mut().find(|entry| entry.text == main) {
            Some(entry) => entry.primary |= !marked,
            None => list.insert(0, Entry { text: main, kind: String::new(), primary: !marked }),
        }
    }
    // The primary one first, the rest in the hotel's order.
    list.sort_by_key(|entry| !entry.primary);
    Some(list)
}

fn phones(record: &Record<'_>, country: Option<&str>) -> Known<Vec<PhoneEntry>> {
    let Some(list) = entries(record, "Telephone") else { return Known::Absent };
    let read = |text: &str| {
        // A number without a country code is of the guest's country, else of the hotel's.
        let own = Phone::read(text, country.or(record.context.country));
        if own.e164.is_some() { own } else { Phone::read(text, record.context.country) }
    };
    let mut phones: Vec<PhoneEntry> = Vec::new();
    for entry in list {
        let phone = read(&entry.text);
        let known = |own: &PhoneEntry| match (&own.phone.e164, &phone.e164) {
            (Some(a), Some(b)) => a == b,
            _ => own.phone.raw == phone.raw,
        };
        if !phones.iter().any(known) {
            phones.push(PhoneEntry { phone, kind: entry.kind, primary: entry.primary });
        }
    }
    if phones.is_empty() { Known::Empty } else { Known::Is(phones) }
}

fn emails(record: &mut Record<'_>) -> Known<Vec<Email>> {
    let Some(list) = entries(record, "Email") else { return Known::Absent };
    let mut emails: Vec<Email> = Vec::new();
    for entry in list {
        // People keep several addresses in one field.
        for address in entry.text.split([';', ',', ' ', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
            if !looks_like_email(address) {
                record.remarks.push("Email: not an address".to_owned());
            } else if !emails.iter().any(|own| own.address.eq_ignore_ascii_case(address)) {
                let primary = entry.primary && emails.iter().all(|own| !own.primary);
                emails.push(Email { address: address.to_owned(), kind: entry.kind.clone(), primary });
            }
        }
    }
    if emails.is_empty() { Known::Empty } else { Known::Is(emails) }
}

/// Entries bear their code as `attr` and the long text as their own (facts §5.3).
fn preferences(record: &Record<'_>) -> Known<Vec<Preference>> {
    let read = |field: &Field| {
        let code = field.attribute("attr").unwrap_or_default().trim().to_owned();
        let text = values::text(&field.text).unwrap_or_else(|| code.clone());
        (!text.is_empty()).then_some(Preference { code, text })
    };
    record.list("ProfilePreferences", record.entries("ProfilePreference").filter_map(read).collect())
}

fn looks_like_email(text: &str) -> bool {
    text.len() <= 254
        && text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && host.contains('.')
                && !host.contains('@')
                && !host.starts_with('.')
                && !host.ends_with('.')
        })
}
