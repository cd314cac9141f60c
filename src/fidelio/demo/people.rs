//! Who stays: 16 guests a room, two by two, some firms and agents. A number tells who it is, whenever it is asked.

use chrono::NaiveDate;

use super::book::ROOMS;
use super::dice::Dice;
use super::names::{ABROAD, AGENTS, COMPANIES, Name, Nation, RUSSIA};
use crate::domain::profile::{Address, Preference};
use crate::domain::{Email, Known, Phone, PhoneEntry, Profile, ProfileKind, ProfileNumber};

/// A room's own guests come back to it; nobody sleeps in two rooms in one night.
const OF_ROOM: u32 = 16;
const FIRST_GUEST: u32 = 1_000;
const FIRST_COMPANY: u32 = 9_001;
const FIRST_AGENT: u32 = 9_501;

fn number(of: u32) -> Option<ProfileNumber> {
    ProfileNumber::parse(&of.to_string()).ok()
}

/// Two who travel together: who books, and who comes along.
pub(super) fn couple(room: u32, dice: &mut Dice) -> (Option<ProfileNumber>, Option<ProfileNumber>) {
    let first = FIRST_GUEST + room * OF_ROOM + 2 * dice.between(0, OF_ROOM / 2 - 1);
    (number(first), number(first + 1))
}

pub(super) fn company(dice: &mut Dice) -> Option<ProfileNumber> {
    number(FIRST_COMPANY + dice.between(1, count(COMPANIES)) - 1)
}

pub(super) fn agent(dice: &mut Dice) -> Option<ProfileNumber> {
    number(FIRST_AGENT + dice.between(1, count(AGENTS)) - 1)
}

fn count(firms: &[Name]) -> u32 {
    u32::try_from(firms.len()).unwrap_or_default()
}

/// `None`: the hotel has no such number.
pub(super) fn profile(seed: u64, asked: &ProfileNumber) -> Option<Profile> {
    let of: u32 = asked.as_str().parse().ok().filter(|of: &u32| of.to_string() == asked.as_str())?;
    let firm =
        |all: &[Name], first: u32| -> Option<Name> { all.get(usize::try_from(of.checked_sub(first)?).ok()?).copied() };
    if let Some(name) = firm(AGENTS, FIRST_AGENT) {
        return Some(organisation(asked, ProfileKind::TravelAgent, name));
    }
    if let Some(name) = firm(COMPANIES, FIRST_COMPANY) {
        return Some(organisation(asked, ProfileKind::Company, name));
    }
    let guest = of.checked_sub(FIRST_GUEST).filter(|guest| *guest < ROOMS * OF_ROOM)?;
    Some(person(seed, asked, guest))
}

fn organisation(asked: &ProfileNumber, kind: ProfileKind, (name, host): Name) -> Profile {
    let mut profile = Profile::new(asked.clone());
    profile.kind = Known::Is(kind);
    profile.last_name = Known::Is(name.to_owned());
    profile.emails = Known::Is(vec![email(format!("booking@{host}.example"))]);
    profile.active = Known::Is(true);
    profile
}

fn person(seed: u64, asked: &ProfileNumber, guest: u32) -> Profile {
    // Both of a couple have one name and one home.
    let mut home = Dice::new(seed, &[20, u64::from(guest / 2)]);
    let nation = nation(&mut home);
    let at = home.between(1, u32::try_from(nation.surnames.len()).unwrap_or(1)) - 1;
    let surname = usize::try_from(at).ok().and_then(|at| nation.surnames.get(at)).copied().unwrap_or_default();
    let first_is_man = home.percent(60);
    let man = first_is_man == guest.is_multiple_of(2);

    let mut dice = Dice::new(seed, &[21, u64::from(guest)]);
    let first: Name = dice.one_of(if man { nation.men } else { nation.women });
    let born =
        NaiveDate::from_yo_opt(1955 + i32::try_from(dice.between(0, 48)).unwrap_or_default(), dice.between(1, 365));
    let mut profile = Profile::new(asked.clone());
    profile.kind = Known::Is(ProfileKind::Guest);
    profile.last_name = Known::Is(if man { surname.0 } else { surname.1 }.to_owned());
    profile.first_name = Known::Is(first.0.to_owned());
    profile.gender = Known::Is(if man { "M" } else { "F" }.to_owned());
    profile.birth_date = born.into();
    profile.language = Known::Is(nation.language.to_owned());
    profile.nationality = Known::Is(nation.country.to_owned());
    profile.vip = if dice.percent(4) { Known::Is("VIP1".to_owned()) } else { Known::Empty };
    profile.phones = Known::Is(vec![PhoneEntry {
        phone: Phone::read(&phone(nation.country, guest), None),
        kind: "PBM".to_owned(),
        primary: true,
    }]);
    let address = email(format!("{}.{}.{guest}@example.com", first.1, surname.2));
    profile.emails = if dice.percent(70) { Known::Is(vec![address]) } else { Known::Empty };
    profile.address = Known::Is(Address {
        city: Some(nation.city.to_owned()),
        country: Some(nation.country.to_owned()),
        ..Address::default()
    });
    profile.no_mailing = Known::Is(dice.percent(25));
    profile.preferences = preferences(seed, guest);
    profile.active = Known::Is(true);
    profile
}

/// From the hotel's own list: its staff's words, whoever the guest is.
fn preferences(seed: u64, guest: u32) -> Known<Vec<Preference>> {
    const LIKED: [Name; 3] = [("NSM", "Номер для некурящих"), ("HFL", "Высокий этаж"), ("PIL", "Жёсткая подушка")];
    let mut dice = Dice::new(seed, &[22, u64::from(guest)]);
    let liked = LIKED.into_iter().filter(|_| dice.percent(12));
    let liked: Vec<Preference> =
        liked.map(|(code, text)| Preference { code: code.to_owned(), text: text.to_owned() }).collect();
    if liked.is_empty() { Known::Empty } else { Known::Is(liked) }
}

fn nation(dice: &mut Dice) -> Nation {
    if dice.percent(75) {
        return RUSSIA;
    }
    let at = usize::try_from(dice.between(1, 3)).unwrap_or_default().saturating_sub(1);
    ABROAD.get(at).copied().unwrap_or(RUSSIA)
}

/// Numbers that ring nowhere: those set aside for films (Ofcom 07700 900, Bundesnetzagentur 030 23125, Arcep 06 39 98),
/// and Moscow ones that begin with 0, as no subscriber's does.
fn phone(country: &str, guest: u32) -> String {
    match country {
        "GB" => format!("+447700900{guest:03}"),
        "DE" => format!("+493023125{guest:03}"),
        "FR" => format!("+3363998{guest:04}"),
        _ => format!("+7495000{guest:04}"),
    }
}

/// Names that never resolve (RFC 2606).
fn email(address: String) -> Email {
    Email { address, kind: String::new(), primary: true }
}
