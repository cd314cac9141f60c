//! The query type `Profile` (facts §5.3, §5.4).

use super::answer::{Row, date_time, stay_date};
use super::conditions::{Sort, Value};
use super::model::{Address, CommKind, Profile};
use super::reservations::{write_custom, write_notes};
use super::state::HotelState;

/// The server's own order of fields.
pub const FIELDS: &[&str] = &[
    "GuestFirstname",
    "GuestName",
    "Name2",
    "ProfileID",
    "ProfileType",
    "ProfileCategory",
    "Title",
    "AddressGreeting",
    "LetterGreeting",
    "Birthday",
    "City",
    "Email",
    "Fax",
    "Street1",
    "Street2",
    "Street3",
    "Telephone",
    "Communication",
    "ZIP",
    "State",
    "DeleteCode",
    "CountryISO2",
    "CountryISO3",
    "Gender",
    "NationalityISO2",
    "NationalityISO3",
    "Language",
    "VipCode",
    "ProfileGlobalID",
    "CentralSyncTime",
    "CreditStatus",
    "CreditReason",
    "CreditStatusChangeTime",
    "BirthPlace",
    "Department",
    "Position",
    "ProfileExternalID",
    "NoMailing",
    "NoEMailing",
    "Notes",
    "Addresses",
    "Communications",
    "Membership",
    "ProfileAttribute",
    "ProfilePreferences",
    "GuestComment",
    "LinkedProfile",
    "CustomField",
    "Guest3rdPartyID",
    "IncludeNotCommited",
    "LastUpdateTime",
    "CreationTime",
];

pub const ALIASES: &[(&str, &str)] = &[("NotesList", "Notes"), ("PrimaryAddr", "Addresses"), ("Address", "Addresses")];

const ADDRESS_FIELDS: &[&str] =
    &["Street1", "Street2", "Street3", "City", "ZIP", "State", "CountryISO2", "CountryISO3"];
const COMM_FIELDS: &[(&str, CommKind)] = &[
    ("Email", CommKind::Email),
    ("Telephone", CommKind::Telephone),
    ("Fax", CommKind::Fax),
    ("Communication", CommKind::Web),
];

pub fn condition(name: &str) -> Option<(&'static str, Sort)> {
    const NAMES: &[(&str, Sort)] = &[
        ("ProfileID", Sort::Number),
        ("GuestFirstname", Sort::Text),
        ("GuestName", Sort::Text),
        ("Name2", Sort::Text),
        ("ProfileType", Sort::Number),
        ("ProfileCategory", Sort::Number),
        ("City", Sort::Text),
        ("ZIP", Sort::Text),
        ("EMail", Sort::Text),
        ("ProfileGlobalID", Sort::Number),
        ("ProfileExternalID", Sort::Number),
        ("Membership", Sort::Text),
        ("MembershipType", Sort::Text),
        ("IncludeNotCommited", Sort::Number),
        ("LastUpdateTime", Sort::Time),
        ("CreationTime", Sort::Time),
    ];
    NAMES.iter().find(|(known, _)| *known == name).copied()
}

pub fn value<'a>(p: &'a Profile, name: &str) -> Value<'a> {
    let address = |read: fn(&Address) -> &String| Value::Text(p.primary_address().map_or("", |a| read(a)));
    match name {
        "ProfileID" => Value::Number(p.id),
        "GuestFirstname" => Value::Text(&p.first_name),
        "GuestName" => Value::Text(&p.name),
        "Name2" => Value::Text(&p.name2),
        "ProfileType" => Value::Number(p.kind.type_code()),
        "ProfileCategory" => Value::Number(p.kind.category_code()),
        "City" => address(|a| &a.city),
        "ZIP" => address(|a| &a.zip),
        "EMail" => {
            let mails = p.communications.iter().filter(|c| c.kind == CommKind::Email);
            Value::Texts(mails.map(|c| c.value.as_str()).collect())
        }
        "ProfileExternalID" => Value::Number(p.external_id),
        "Membership" => Value::Texts(p.memberships.iter().map(|(_, card)| card.as_str()).collect()),
        "MembershipType" => Value::Texts(p.memberships.iter().map(|(kind, _)| kind.as_str()).collect()),
        // A condition that only switches de-identification texts on.
        "IncludeNotCommited" => Value::Number(1),
        "LastUpdateTime" => Value::Time(Some(p.updated)),
        "CreationTime" => Value::Time(Some(p.created)),
        _ => Value::Number(0),
    }
}

/// ISO alpha-3 of the countries this hotel knows.
pub fn iso3(iso2: &str) -> &'static str {
    match iso2 {
        "RU" => "RUS",
        "BY" => "BLR",
        "KZ" => "KAZ",
        "DE" => "DEU",
        "IT" => "ITA",
        "FR" => "FRA",
        "GB" => "GBR",
        "US" => "USA",
        "TR" => "TUR",
        "CN" => "CHN",
        _ => "",
    }
}

fn address_field<'a>(address: &'a Address, name: &str) -> &'a str {
    match name {
        "Street1" => &address.street,
        "City" => &address.city,
        "ZIP" => &address.zip,
        "State" => &address.state,
        "CountryISO2" => &address.country,
        "CountryISO3" => iso3(&address.country),
        _ => "",
    }
}

/// How a profile row is written: the requested fields and what they switch on together.
#[derive(Debug, Clone)]
pub struct Plan {
    pub fields: Vec<&'static str>,
    pub with_privacy: bool,
}

pub fn write(state: &HotelState, p: &Profile, plan: &Plan, row: &mut Row<'_>) {
    for name in &plan.fields {
        field(state, p, &plan.fields, name, row);
    }
    if p.privacy_removed && plan.with_privacy {
        row.field("privacyMessage", "Profile information no longer available");
        row.field("privacyRemoved", "Yes");
    }
}

fn field(state: &HotelState, p: &Profile, fields: &[&'static str], name: &str, row: &mut Row<'_>) {
    let knobs = &state.knobs;
    let flag = i64::from;
    match name {
        "GuestFirstname" => row.field(name, &p.first_name),
        "GuestName" => row.field(name, &p.name),
        "Name2" => row.field(name, &p.name2),
        "ProfileID" => row.number(name, p.id),
        "ProfileType" => row.number(name, p.kind.type_code()),
        "ProfileCategory" => row.number(name, p.kind.category_code()),
        "Title" => row.field(name, &p.title),
        "Birthday" => row.field(name, p.birthday.map(|d| stay_date(d, p.id, knobs)).unwrap_or_default()),
        "DeleteCode" => row.number(name, flag(!p.active)),
        "Gender" => row.field(name, &p.gender),
        "NationalityISO2" => row.field(name, &p.nationality),
        "NationalityISO3" => row.field(name, iso3(&p.nationality)),
        "Language" => row.field(name, &p.language),
        "VipCode" => row.field(name, &p.vip),
        "ProfileGlobalID" => row.number(name, 0),
        "ProfileExternalID" => row.number(name, p.external_id),
        "NoMailing" => row.number(name, flag(p.no_mailing)),
        "NoEMailing" => row.number(name, flag(p.no_emailing)),
        "LastUpdateTime" => row.field(name, date_time(p.updated, knobs)),
        "CreationTime" => row.field(name, date_time(p.created, knobs)),
        "Notes" => write_notes(&p.notes, knobs.dirty_notes, row),
        "CustomField" => write_custom(state, &p.custom, row),
        "Addresses" => addresses(p, fields, row),
        "Communications" => communications(p, fields, row),
        "Membership" => {
            p.memberships.iter().for_each(|(kind, card)| row.with(name, &[("attr", "1"), ("Type", kind)], card));
        }
        "ProfilePreferences" => {
            p.preferences.iter().for_each(|(short, long)| row.with("ProfilePreference", &[("attr", short)], long));
        }
        "ProfileAttribute" | "GuestComment" | "LinkedProfile" | "Guest3rdPartyID" | "IncludeNotCommited" => {}
        _ if ADDRESS_FIELDS.contains(&name) => {
            row.field(name, p.primary_address().map_or("", |a| address_field(a, name)));
        }
        _ => match COMM_FIELDS.iter().find(|(known, _)| *known == name) {
            Some((_, kind)) => row.field(name, p.primary(*kind).map_or("", |c| &c.value)),
            // Known to the server, empty in this hotel.
            None => row.field(name, ""),
        },
    }
}

/// Attributed address fields, grouped by address; only those that were asked for.
fn addresses(p: &Profile, fields: &[&'static str], row: &mut Row<'_>) {
    for address in &p.addresses {
        let id = address.id.to_string();
        let attributes = [("attr", &*address.code), ("addData", &*id)];
        row.with("PrimaryAddr", &attributes, if address.primary { "1" } else { "0" });
        for name in ADDRESS_FIELDS.iter().filter(|name| fields.contains(name)) {
            row.with(name, &attributes, address_field(address, name));
        }
    }
}

/// Attributed phones, mails …: the switch works only together with the role's own field (facts §5.4).
fn communications(p: &Profile, fields: &[&'static str], row: &mut Row<'_>) {
    for (name, kind) in COMM_FIELDS.iter().filter(|(name, _)| fields.contains(name)) {
        for c in p.communications.iter().filter(|c| c.kind == *kind) {
            let (comm_type, role) = kind.numbers();
            let (id, comm_type, role) = (c.id.to_string(), comm_type.to_string(), role.to_string());
            let primary = if c.primary { "1" } else { "0" };
            let attributes = [
                ("attr", &*c.code),
                ("addData", &*id),
                ("CommType", &*comm_type),
                ("PhoneRole", &*role),
                ("Primary", primary),
            ];
            row.with(name, &attributes, &c.value);
        }
    }
}
