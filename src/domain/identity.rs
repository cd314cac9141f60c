//! Whether a known number still stands for whom it stood (product §1): a PMS that was installed anew counts from one again,
//! and its numbers come back with other people.

use std::collections::BTreeSet;

use super::change_set::bare;
use super::crm::{CrmValue, Fields};
use super::known::Known;
use super::matching::{NameWords, Names, compare};
use super::profile::Profile;
use super::stay::Stay;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    Same,
    Other,
    /// Too little is known on one side, or what is known contradicts itself.
    Unclear,
}

fn both<T>(a: &Known<T>, b: &Known<T>, same: impl Fn(&T, &T) -> bool) -> Option<bool> {
    Some(same(a.get()?, b.get()?))
}

fn shares(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    a.intersection(b).next().is_some()
}

fn reached_at(profile: &Profile) -> BTreeSet<String> {
    let phones = profile.phones.get().into_iter().flatten().map(|entry| match &entry.phone.e164 {
        Some(number) => number.clone(),
        None => entry.phone.raw.chars().filter(char::is_ascii_digit).collect(),
    });
    let emails = profile.emails.get().into_iter().flatten().map(|email| email.address.trim().to_lowercase());
    phones.chain(emails).filter(|text| !text.is_empty()).collect()
}

fn name(profile: &Profile) -> BTreeSet<String> {
    let text = |fact: &Known<String>| fact.get().cloned().unwrap_or_default();
    let (first, middle) = (text(&profile.first_name), text(&profile.middle_name));
    NameWords::read(&text(&profile.last_name), &[&first, &middle]).tokens(str::to_owned)
}

/// People marry, move and change telephones, rarely all at once: another is who shares neither name, nor birthday, nor any
/// way to be reached.
pub fn of_profiles(held: &Profile, seen: &Profile) -> Likeness {
    if seen.privacy_removed.get() == Some(&true) {
        return Likeness::Unclear;
    }
    let born = both(&held.birth_date, &seen.birth_date, |a, b| a == b);
    if born == Some(true) || shares(&reached_at(held), &reached_at(seen)) {
        return Likeness::Same;
    }
    match compare(&name(held), &name(seen)) {
        Names::Compatible if born == Some(false) => Likeness::Unclear,
        Names::Compatible => Likeness::Same,
        Names::Unknown => Likeness::Unclear,
        Names::Different => Likeness::Other,
    }
}

/// A booking's guest and dates change; that it was made on another day for somebody else on other dates does not happen.
pub fn of_stays(held: &Stay, seen: &Stay) -> Likeness {
    let guest = both(&held.main_guest, &seen.main_guest, |a, b| a == b);
    let arrival = both(&held.arrival, &seen.arrival, |a, b| a == b);
    let booked = both(&held.created_at, &seen.created_at, |a, b| a == b)
        .or_else(|| both(&held.booked_on, &seen.booked_on, |a, b| a == b));
    match (booked, guest, arrival) {
        (Some(true), ..) => Likeness::Same,
        (Some(false), Some(false), Some(false)) => Likeness::Other,
        (None, Some(true), _) | (None, _, Some(true)) => Likeness::Same,
        _ => Likeness::Unclear,
    }
}

/// Whether the contact or company that bears a profile's mark is that profile's, by what stands in it.
pub fn of_people(held: &Fields, wanted: &Fields) -> Likeness {
    let reached = |fields: &Fields| -> BTreeSet<String> {
        let lists = ["PHONE", "EMAIL"].into_iter().filter_map(|name| match fields.get(name) {
            Some(CrmValue::Comms(comms)) => Some(comms.iter().map(bare).filter(|text| !text.is_empty())),
            _ => None,
        });
        lists.flatten().collect()
    };
    let text = |fields: &Fields, name: &str| match fields.get(name) {
        Some(CrmValue::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let name = |fields: &Fields| {
        // A company has a title, a contact has names.
        let last = format!("{} {}", text(fields, "lastName"), text(fields, "title"));
        NameWords::read(&last, &[&text(fields, "name"), &text(fields, "secondName")]).tokens(str::to_owned)
    };
    if agree(held, wanted, "birthdate") == Some(true) || shares(&reached(held), &reached(wanted)) {
        return Likeness::Same;
    }
    match compare(&name(held), &name(wanted)) {
        Names::Compatible => Likeness::Same,
        Names::Unknown => Likeness::Unclear,
        Names::Different => Likeness::Other,
    }
}

/// Whether the deal that bears a stay's mark is that stay's.
pub fn of_deals(held: &Fields, wanted: &Fields) -> Likeness {
    let booked = agree(held, wanted, "UF_CRM_FB24_BOOKED_ON");
    let arrival = agree(held, wanted, "UF_CRM_FB24_ARRIVAL");
    match (booked, arrival) {
        (Some(true), _) | (_, Some(true)) => Likeness::Same,
        (Some(false), Some(false)) => Likeness::Other,
        _ => Likeness::Unclear,
    }
}

fn agree(held: &Fields, wanted: &Fields, name: &str) -> Option<bool> {
    let value = |fields: &Fields| fields.get(name).filter(|value| !value.is_empty()).cloned();
    Some(value(held)?.same(&value(wanted)?))
}

/// What a sample of known numbers says of the PMS as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    pub same: usize,
    pub other: usize,
    /// Numbers of late that the PMS does not know. Old ones may be purged and do not count.
    pub missing: usize,
}

/// A PMS that has forgotten so many times more known numbers than it still knows has counted anew, even where some of
/// its new people are known by now.
const FORGOTTEN: usize = 3;

/// So many known numbers must be gone or be somebody else's: one card given to another guest is no new installation.
const ENOUGH: usize = 3;

impl Sample {
    pub fn take(&mut self, likeness: Likeness) {
        match likeness {
            Likeness::Same => self.same += 1,
            Likeness::Other => self.other += 1,
            Likeness::Unclear => {}
        }
    }

    pub fn is_another_hotel(&self) -> bool {
        self.other > 0
            && self.other + self.missing >= ENOUGH
            && (self.other > self.same || self.missing > FORGOTTEN * self.same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Phone, PhoneEntry, ProfileNumber, StayNumber};

    fn person(last: &str, first: &str, phone: &str, born: &str) -> Profile {
        let mut profile = Profile::new(ProfileNumber::parse("7").unwrap());
        profile.last_name = Known::Is(last.into());
        profile.first_name = Known::Is(first.into());
        if !phone.is_empty() {
            let phone = Phone::read(phone, Some("RU"));
            profile.phones = Known::Is(vec![PhoneEntry { phone, kind: String::new(), primary: true }]);
        }
        profile.birth_date = born.parse().map_or(Known::Empty, Known::Is);
        profile
    }

    #[test]
    fn s1_a_guest_who_changed_is_told_from_another_one() {
        let anna = person("Иванова", "Анна", "+79001112233", "1980-01-02");
        for (seen, likeness) in [
            (person("Ivanova", "Anna", "+79990000000", ""), Likeness::Same),
            (person("Петрова", "Анна", "+79990000000", "1980-01-02"), Likeness::Same),
            (person("Петрова", "Анна", "8 900 111-22-33", "1990-05-05"), Likeness::Same),
            (person("Иванова", "Анна", "+79990000000", "1990-05-05"), Likeness::Unclear),
            (person("", "", "", ""), Likeness::Unclear),
            (person("Иванова", "", "", ""), Likeness::Unclear),
            (person("Сидоров", "Пётр", "+79990000000", "1990-05-05"), Likeness::Other),
            (person("Сидоров", "Пётр", "", ""), Likeness::Other),
        ] {
            assert_eq!(of_profiles(&anna, &seen), likeness, "{seen:?}");
        }
        let mut erased = person("Сидоров", "Пётр", "", "");
        erased.privacy_removed = Known::Is(true);
        assert_eq!(of_profiles(&anna, &erased), Likeness::Unclear);
    }

    #[test]
    fn s1_a_booking_that_changed_is_told_from_another_one() {
        let stay = |guest: &str, arrival: &str, booked: &str| {
            let mut stay = Stay::new(StayNumber::parse("1").unwrap());
            stay.main_guest = Known::Is(ProfileNumber::parse(guest).unwrap());
            stay.arrival = Known::Is(arrival.parse().unwrap());
            stay.booked_on = booked.parse().map_or(Known::Absent, Known::Is);
            stay
        };
        let held = stay("7", "2026-11-22", "2026-10-01");
        assert_eq!(of_stays(&held, &stay("8", "2026-12-22", "2026-10-01")), Likeness::Same);
        assert_eq!(of_stays(&held, &stay("8", "2026-12-22", "2026-11-11")), Likeness::Other);
        assert_eq!(of_stays(&held, &stay("7", "2026-12-22", "2026-11-11")), Likeness::Unclear);
        assert_eq!(of_stays(&held, &stay("7", "2026-12-22", "")), Likeness::Same);
    }

    #[test]
    fn s1_a_mark_on_somebody_elses_record_is_seen() {
        let contact = |last: &str, phone: &str| -> Fields {
            let phone = crate::domain::crm::Comm { value_type: "WORK".into(), value: phone.into() };
            [
                ("lastName".to_owned(), CrmValue::Text(last.into())),
                ("name".to_owned(), CrmValue::Text("Анна".into())),
                ("PHONE".to_owned(), CrmValue::Comms([phone].into())),
            ]
            .into()
        };
        let anna = contact("Иванова", "+79001112233");
        assert_eq!(of_people(&anna, &contact("Петрова", "8 (900) 111-22-33")), Likeness::Same);
        assert_eq!(of_people(&anna, &contact("Ivanova", "+79995556677")), Likeness::Same);
        assert_eq!(of_people(&anna, &contact("Сидорова", "+79995556677")), Likeness::Other);
        let deal = |booked: &str, arrival: &str| -> Fields {
            [("UF_CRM_FB24_BOOKED_ON", booked), ("UF_CRM_FB24_ARRIVAL", arrival)]
                .map(|(name, day)| (name.to_owned(), CrmValue::Date(day.parse().unwrap())))
                .into()
        };
        let held = deal("2026-10-01", "2026-11-22");
        assert_eq!(of_deals(&held, &deal("2026-10-01", "2026-12-24")), Likeness::Same);
        assert_eq!(of_deals(&held, &deal("2026-11-20", "2026-12-24")), Likeness::Other);
        assert_eq!(of_deals(&held, &Fields::new()), Likeness::Unclear);
    }

    #[test]
    fn s1_one_card_given_to_another_is_no_new_installation() {
        let sample = |same, other, missing| Sample { same, other, missing }.is_another_hotel();
        assert!(!sample(9, 1, 2) && !sample(0, 1, 0) && !sample(3, 3, 9) && !sample(0, 0, 12));
        assert!(!sample(4, 1, 12), "some bookings of late may be deleted");
        assert!(sample(0, 3, 0) && sample(1, 8, 0) && sample(0, 1, 11) && sample(5, 1, 24));
    }
}
