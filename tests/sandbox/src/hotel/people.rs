//! Guests and firms of the generated hotel.

use chrono::{Duration, NaiveDate, NaiveDateTime};

use super::dice::Dice;
use super::model::{Address, CommKind, Communication, Note, Profile, ProfileKind};
use super::names;
use super::state::HotelState;

pub fn blank_profile(id: i64, kind: ProfileKind, now: NaiveDateTime) -> Profile {
    Profile {
        id,
        kind,
        first_name: String::new(),
        name: String::new(),
        name2: String::new(),
        title: String::new(),
        birthday: None,
        gender: String::new(),
        language: String::new(),
        nationality: String::new(),
        vip: String::new(),
        active: true,
        no_mailing: false,
        no_emailing: false,
        communications: Vec::new(),
        addresses: Vec::new(),
        notes: Vec::new(),
        preferences: Vec::new(),
        memberships: Vec::new(),
        custom: Vec::new(),
        external_id: 0,
        privacy_removed: false,
        created: now,
        updated: now,
    }
}

/// `+7 900 000-00-01` and on: a range nobody should be reached in.
pub fn phone(index: i64) -> String {
    let n = index % 10_000_000;
    format!("+7 900 {:03}-{:02}-{:02}", n / 10_000, n / 100 % 100, n % 100)
}

/// One guest; `index` makes phone and mail unique.
pub fn guest(state: &mut HotelState, dice: &mut Dice, id: i64, index: i64, at: NaiveDateTime) -> Profile {
    let foreign = dice.chance(18);
    let person = names::person(dice, foreign);
    let mut p = blank_profile(id, ProfileKind::Individual, at);
    (p.first_name, p.name, p.name2) = (person.first, person.family, person.father);
    p.title = if person.gender == "F" { "Г-жа" } else { "Г-н" }.into();
    (p.gender, p.language, p.nationality) = (person.gender.into(), person.language.into(), person.country.into());
    p.birthday = NaiveDate::from_ymd_opt(1950, 1, 1).map(|d| d + Duration::days(dice.range(0, 19_000)));
    if dice.chance(6) {
        p.vip = dice.word(&["VIP1", "VIP2", "GOLD"]).into();
    }
    p.no_mailing = dice.chance(12);
    p.no_emailing = p.no_mailing;
    let mut reach = |kind, code: &str, value: String, primary| {
        let id = state.next_id();
        p.communications.push(Communication { id, kind, code: code.into(), value, primary });
    };
    if foreign {
        // The numbers British films use.
        if index < 1_000 {
            reach(CommKind::Telephone, "PBM", format!("+44 7700 900{index:03}"), true);
        }
    } else {
        reach(CommKind::Telephone, "PBM", phone(index), true);
        if dice.chance(8) {
            reach(
                CommKind::Telephone,
                "PHO",
                format!("8 (4822) {:02}-{:02}-{:02}", index / 10_000 % 100, index / 100 % 100, index % 100),
                false,
            );
        }
    }
    if foreign || dice.chance(80) {
        reach(CommKind::Email, "EPR", format!("{}.{index}@example.com", person.stem), true);
        if dice.chance(5) {
            reach(CommKind::Email, "EBD", format!("office.{index}@example.org"), false);
        }
    }
    if dice.chance(60) {
        let (street, city, zip) = names::address(dice);
        let (id, country) = (state.next_id(), p.nationality.clone());
        let address =
            Address { id, code: "ADR".into(), primary: true, street, city, zip, country, state: String::new() };
        p.addresses.push(address);
    }
    // Without the dice: whoever lived here before preferences did stays who he was.
    if index % 4 == 0 {
        p.preferences.push(("NSM".into(), "Номер для некурящих".into()));
    }
    if index % 8 == 0 {
        p.preferences.push(("PIL".into(), "Жёсткая подушка".into()));
    }
    if dice.chance(5) {
        let id = state.next_id();
        let text = "Предпочитает номер подальше от лифта".to_owned();
        p.notes.push(Note { id, category: "PRF".into(), text, guest_may_see: false });
    }
    p
}

pub fn firm(
    state: &mut HotelState,
    dice: &mut Dice,
    id: i64,
    kind: ProfileKind,
    name: String,
    index: i64,
    at: NaiveDateTime,
) {
    let mut p = blank_profile(id, kind, at);
    p.name = name;
    let (street, city, zip) = names::address(dice);
    let (address, phone_id, mail_id) = (state.next_id(), state.next_id(), state.next_id());
    p.addresses.push(Address {
        id: address,
        code: "BIL".into(),
        primary: true,
        street,
        city,
        zip,
        country: "RU".into(),
        state: String::new(),
    });
    let comm = |id, kind, code: &str, value| Communication { id, kind, code: code.into(), value, primary: true };
    p.communications.push(comm(phone_id, CommKind::Telephone, "PBS", phone(9_000_000 + index)));
    p.communications.push(comm(mail_id, CommKind::Email, "EBD", format!("firma.{index}@example.org")));
    state.profiles.insert(id, p);
}

/// What real hotels have: a family with one phone, odd spellings, people without any contact.
pub fn awkward(state: &mut HotelState) {
    let family = state.profiles.get(&70_003).and_then(|p| p.primary(CommKind::Telephone)).map(|c| c.value.clone());
    if let (Some(shared), Some(p)) = (family, state.profiles.get_mut(&70_004)) {
        p.communications.retain(|c| c.kind != CommKind::Telephone);
        p.set_primary(CommKind::Telephone, &shared, 90_001);
    }
    if let Some(p) = state.profiles.get_mut(&70_006) {
        p.communications.clear();
    }
    if let Some(p) = state.profiles.get_mut(&70_008) {
        p.set_primary(CommKind::Telephone, "8(900)0000008 спросить Веру", 90_002);
    }
    if let Some(p) = state.profiles.get_mut(&70_010) {
        p.name = "ПРОБНЫЙ-ОЧЕНЬДЛИННЫЙ ИЗ ОБРАЗЦА".into();
    }
    state.de_identify(70_012);
}
