//! What the fields of a record should hold, written down again from the contract and the sandbox hotel's own state.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use fb24_sandbox::hotel::HotelState;
use fb24_sandbox::hotel::model::{CommKind, Profile, ProfileKind, Reservation, Status};
use fb24_sandbox::portal::Record;

/// Who answers for what is made (`Admin::connect`).
const OWNER: i64 = 1;
pub const ORIGINATOR: &str = "fidelio-bitrix24";
const PROFILE: &str = "UF_CRM_FB24_PROFILE";

/// What one field should hold.
#[derive(Debug)]
pub enum Want {
    Text(String),
    Int(i64),
    Date(Option<NaiveDate>),
    /// Hundredths and currency.
    Money(Option<(i64, String)>),
    /// The first, and all.
    Ids(Vec<i64>),
    /// Phones and e-mails in their bare form.
    Comms(BTreeSet<String>),
    Marks(BTreeSet<String>),
    Something,
}

pub type Wants = Vec<(&'static str, Want)>;

/// Letters small; of a number only its digits, and a Russian trunk 8 is the country's 7.
fn bare(value: &str) -> String {
    if value.contains('@') {
        return value.trim().to_lowercase();
    }
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix('8') {
        Some(rest) if rest.len() == 10 => format!("7{rest}"),
        _ => digits,
    }
}

pub fn bares<'a>(values: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    values.into_iter().map(|value| bare(value)).collect()
}

/// The portal's stage of a status, after the contract's table.
pub fn stage(status: Status) -> &'static str {
    match status {
        Status::Offer => "FB24_OFFER",
        Status::Tentative => "FB24_TENTATIVE",
        Status::Waitlisted => "FB24_WAITLIST",
        Status::Confirmed => "FB24_CONFIRMED",
        Status::InHouse => "FB24_IN_HOUSE",
        Status::CheckedOut => "WON",
        Status::Cancelled => "LOSE",
        Status::NoShow => "FB24_NO_SHOW",
    }
}

fn iso(currency: &str) -> String {
    match currency {
        "РУБ" => "RUB",
        "EU" => "EUR",
        "ДОЛ" => "USD",
        other => other,
    }
    .to_owned()
}

fn hundredths(text: &str) -> Option<i64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let cents: i64 = format!("{part:0<2}").get(..2)?.parse().ok()?;
    let rest_is_nothing = part.chars().skip(2).all(|digit| digit == '0');
    rest_is_nothing.then_some(whole.parse::<i64>().ok()? * 100 + cents)
}

fn ids(record: &Record, name: &str) -> Vec<i64> {
    let list = record.fields.get(name).and_then(|value| value.as_array().cloned()).unwrap_or_default();
    list.iter().filter_map(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok())).collect()
}

pub fn marks(record: &Record) -> BTreeSet<String> {
    let list = record.fields.get(PROFILE).and_then(|value| value.as_array().cloned()).unwrap_or_default();
    list.iter().filter_map(|mark| mark.as_str().map(str::to_owned)).collect()
}

/// Whether the field holds what it should.
pub fn agrees(record: &Record, name: &str, want: &Want) -> bool {
    let text = record.text(name);
    match want {
        Want::Text(want) => text == *want,
        Want::Int(want) => record.int(name) == *want,
        Want::Date(None) => text.is_empty(),
        Want::Date(Some(want)) => text.starts_with(&want.to_string()),
        Want::Money(None) => text.is_empty(),
        Want::Money(Some((amount, currency))) if name == "opportunity" => {
            hundredths(&text) == Some(*amount) && record.text("currencyId") == *currency
        }
        Want::Money(Some((amount, currency))) => {
            text.split_once('|').is_some_and(|(held, of)| hundredths(held) == Some(*amount) && of == currency)
        }
        Want::Ids(want) => {
            let held = ids(record, name);
            held.first() == want.first()
                && held.iter().collect::<BTreeSet<_>>() == want.iter().collect()
                && held.len() == want.len()
        }
        Want::Comms(want) => {
            let held = record.multi(name);
            bares(&held) == *want && held.len() == want.len()
        }
        Want::Marks(want) => marks(record) == *want,
        Want::Something => !text.is_empty(),
    }
}

pub fn told(record: &Record, name: &str) -> String {
    match name {
        "PHONE" | "EMAIL" => format!("{:?}", record.multi(name)),
        "opportunity" => format!("{} {}", record.text(name), record.text("currencyId")),
        _ => record.fields.get(name).map(ToString::to_string).unwrap_or_default(),
    }
}

/// Everybody whom a stay names and who sleeps there: the main guest first.
pub fn sleepers(state: &HotelState, stay: &Reservation) -> Vec<i64> {
    let shares = |other: &&Reservation| stay.share != 0 && other.share == stay.share && other.number != stay.number;
    let sharers = state.reservations.values().filter(shares).map(|other| other.profile);
    let mut all = Vec::new();
    for id in std::iter::once(stay.profile).chain(stay.companions.iter().copied()).chain(sharers) {
        let person = state.profiles.get(&id).is_some_and(|p| p.kind == ProfileKind::Individual && !p.privacy_removed);
        if person && !all.contains(&id) {
            all.push(id);
        }
    }
    all
}

/// The firms a stay names; its deal belongs to the first.
pub fn firms(state: &HotelState, stay: &Reservation) -> Vec<i64> {
    let firm = |id: &i64| state.profiles.get(id).is_some_and(|p| p.kind != ProfileKind::Individual);
    [stay.company, stay.agent, stay.source_profile].into_iter().filter(firm).collect()
}

/// What a guest's finished stays add up to; of several currencies that of most stays counts, of equals the first by its code.
fn totals(state: &HotelState, guest: i64) -> (i64, i64, Option<(i64, String)>, Option<NaiveDate>) {
    let theirs =
        |stay: &&Reservation| stay.profile == guest && stay.status == Status::CheckedOut && !stay.financial_account;
    let stays: Vec<&Reservation> = state.reservations.values().filter(theirs).collect();
    let mut paid: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for stay in &stays {
        let sum = paid.entry(iso(&stay.currency)).or_default();
        *sum = (sum.0 + 1, sum.1 + stay.total);
    }
    let most = paid.into_iter().rev().max_by_key(|(_, (count, _))| *count);
    (
        i64::try_from(stays.len()).unwrap_or_default(),
        stays.iter().map(|stay| stay.nights()).sum(),
        most.map(|(currency, (_, sum))| (sum, currency)),
        stays.iter().map(|stay| stay.departure).max(),
    )
}

fn title(state: &HotelState, stay: &Reservation) -> String {
    let guest = state.profiles.get(&stay.profile).map(Profile::display_name).unwrap_or_default();
    let (from, to) = (stay.arrival.format("%d.%m.%Y"), stay.departure.format("%d.%m.%Y"));
    let text = format!("{guest} · {from} – {to} · №{}", stay.number);
    text.trim_start_matches([' ', '·']).to_owned()
}

pub fn deal_wants(state: &HotelState, stay: &Reservation, code: &str) -> Wants {
    let text = |text: &str| Want::Text(text.trim().to_owned());
    let children = stay.children.iter().map(|(_, count)| count).sum();
    let comments: Vec<&str> = stay.comments.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    // Who belongs to no group may belong to a party.
    let named = |id, names: &BTreeMap<i64, String>| (id != 0).then(|| names.get(&id).cloned().unwrap_or_default());
    let group = named(stay.group, &state.groups).or_else(|| named(stay.party, &state.parties)).unwrap_or_default();
    vec![
        ("originatorId", text(ORIGINATOR)),
        ("originId", Want::Text(format!("{code}:{}", stay.number))),
        ("assignedById", Want::Int(OWNER)),
        ("title", Want::Text(title(state, stay))),
        ("UF_CRM_FB24_HOTEL", text(code)),
        ("UF_CRM_FB24_RESERVATION", Want::Text(stay.number.to_string())),
        ("UF_CRM_FB24_STATUS", text(stay.status.word())),
        ("UF_CRM_FB24_ARRIVAL", Want::Date(Some(stay.arrival))),
        ("UF_CRM_FB24_DEPARTURE", Want::Date(Some(stay.departure))),
        ("UF_CRM_FB24_NIGHTS", Want::Int(stay.nights())),
        ("UF_CRM_FB24_ROOM", text(&stay.room)),
        ("UF_CRM_FB24_ROOM_TYPE", text(&stay.room_type)),
        ("UF_CRM_FB24_RATE", text(&stay.rate_code)),
        ("UF_CRM_FB24_ADULTS", Want::Int(stay.adults)),
        ("UF_CRM_FB24_CHILDREN", Want::Int(children)),
        ("UF_CRM_FB24_GUARANTEE", text(&stay.guarantee)),
        ("UF_CRM_FB24_SOURCE", text(&stay.source)),
        ("UF_CRM_FB24_MARKET", text(&stay.market)),
        ("UF_CRM_FB24_CHANNEL", text(&stay.channel)),
        ("UF_CRM_FB24_GROUP", text(&group)),
        ("UF_CRM_FB24_BOOKED_ON", Want::Date(Some(stay.created.date()))),
        // The interface does not tell it.
        ("UF_CRM_FB24_BALANCE", Want::Money(None)),
        ("UF_CRM_FB24_SYNCED_AT", Want::Something),
        ("opportunity", Want::Money(Some((stay.total, iso(&stay.currency))))),
        ("isManualOpportunity", text("Y")),
        ("begindate", Want::Date(Some(stay.arrival))),
        ("closedate", Want::Date(Some(stay.departure))),
        ("comments", Want::Text(comments.join(" / "))),
    ]
}

fn comms(profile: &Profile, kind: CommKind) -> BTreeSet<String> {
    bares(profile.communications.iter().filter(|entry| entry.kind == kind).map(|entry| &entry.value))
}

pub fn person_wants(state: &HotelState, profile: &Profile, code: &str) -> Wants {
    let text = |text: &str| Want::Text(text.trim().to_owned());
    let mark = format!("{code}:{}", profile.id);
    let mut wants = vec![
        ("originatorId", text(ORIGINATOR)),
        ("originId", text(&mark)),
        ("assignedById", Want::Int(OWNER)),
        ("opened", text("Y")),
        (PROFILE, Want::Marks(BTreeSet::from([mark]))),
        ("PHONE", Want::Comms(comms(profile, CommKind::Telephone))),
        ("EMAIL", Want::Comms(comms(profile, CommKind::Email))),
    ];
    if profile.kind != ProfileKind::Individual {
        wants.push(("title", text(&profile.name)));
        return wants;
    }
    let (stays, nights, revenue, last) = totals(state, profile.id);
    wants.extend([
        ("name", text(&profile.first_name)),
        ("lastName", text(&profile.name)),
        ("secondName", text(&profile.name2)),
        ("birthdate", Want::Date(profile.birthday)),
        ("UF_CRM_FB24_VIP", text(&profile.vip)),
        ("UF_CRM_FB24_LANGUAGE", text(&profile.language)),
        ("UF_CRM_FB24_NATIONALITY", text(&profile.nationality)),
        ("UF_CRM_FB24_STAYS", Want::Int(stays)),
        ("UF_CRM_FB24_NIGHTS", Want::Int(nights)),
        ("UF_CRM_FB24_REVENUE", Want::Money(revenue)),
        ("UF_CRM_FB24_LAST_STAY", Want::Date(last)),
    ]);
    wants
}
