use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta};
use proptest::prelude::*;

use super::book::{self, Booking, ROOMS};
use super::{Demo, desk, people};
use crate::clock::Clock;
use crate::domain::{Currency, Entity, ProfileKind, Stay, StayStatus, Transition};
use crate::fidelio::Source;

fn first() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 11, 1).unwrap().and_hms_opt(0, 0, 0).unwrap()
}

fn moment(minutes: i64) -> NaiveDateTime {
    first() + TimeDelta::minutes(minutes)
}

fn demo(site: &str) -> Demo {
    Demo::new(site, chrono_tz::Europe::Moscow, Currency::parse("RUB").unwrap(), Clock::system())
}

/// What somebody holds who took everything that changed in these steps.
fn taken(demo: &Demo, steps: &[NaiveDateTime]) -> BTreeMap<String, Stay> {
    let mut held = BTreeMap::new();
    for pair in steps.windows(2) {
        for change in demo.told(&demo.changed(pair[0], pair[1]), pair[1]) {
            if let Entity::Stay(stay) = change.entity {
                held.insert(stay.number.to_string(), *stay);
            }
        }
    }
    held
}

fn month(seed: u64) -> Vec<Booking> {
    let day = first().date();
    book::arriving(seed, day, day.checked_add_days(Days::new(41)).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn s1_changes_add_up_in_whatever_steps_they_are_read(
        site in "[a-z]{1,8}",
        mut cuts in prop::collection::vec(0_i64..40 * 1_440, 2..8),
    ) {
        cuts.sort_unstable();
        let steps: Vec<_> = cuts.iter().copied().map(moment).collect();
        let whole = [steps[0], steps[steps.len() - 1]];
        prop_assert_eq!(taken(&demo(&site), &steps), taken(&demo(&site), &whole));
    }

    #[test]
    fn s1_a_room_never_holds_two_stays_in_a_night(seed in any::<u64>()) {
        let mut nights: BTreeSet<(u32, NaiveDate)> = BTreeSet::new();
        for booking in month(seed) {
            for night in 0..booking.nights {
                let night = booking.arrival + Days::new(night.into());
                prop_assert!(nights.insert((booking.room, night)), "room {} on {night}", booking.room);
            }
        }
        let share = nights.len() * 100 / (usize::try_from(ROOMS).unwrap() * 42);
        prop_assert!((55..=95).contains(&share), "{share} % of the rooms are booked");
    }

    #[test]
    fn s1_arrivals_spread_over_the_weeks_and_days(seed in any::<u64>()) {
        let mut arrivals: BTreeMap<NaiveDate, usize> = BTreeMap::new();
        for booking in month(seed) {
            *arrivals.entry(booking.arrival).or_default() += 1;
        }
        let days: Vec<usize> = (0..42).map(|day| *arrivals.get(&(first().date() + Days::new(day))).unwrap_or(&0)).collect();
        prop_assert!(days.iter().all(|count| *count <= 50), "{days:?}");
        prop_assert!(days.chunks(7).all(|week| (50..=170).contains(&week.iter().sum::<usize>())), "{days:?}");
    }

    #[test]
    fn s1_a_stay_takes_only_the_steps_that_a_hotels_day_knows(seed in any::<u64>()) {
        for booking in month(seed) {
            let mut moments = booking.moments();
            prop_assert!(moments.is_sorted(), "{moments:?}");
            prop_assert_eq!(desk::status(&booking, moments[0] - TimeDelta::seconds(1)), None);
            moments.dedup();
            let walk: Vec<StayStatus> =
                moments.iter().filter_map(|at| desk::status(&booking, *at)).collect();
            for pair in walk.windows(2) {
                let step = pair[0].step(pair[1]);
                prop_assert!(matches!(step, Transition::Same | Transition::Forward), "{walk:?}");
            }
            prop_assert_eq!(book::by_number(seed, &booking.number), Some(booking));
        }
    }

    #[test]
    fn s1_everybody_named_is_known_and_reached_by_nobody_real(seed in any::<u64>()) {
        let mut reached = BTreeMap::new();
        for booking in month(seed) {
            for number in desk::named(&booking) {
                let profile = people::profile(seed, number).expect("known");
                prop_assert!(!profile.display_name().is_empty());
                for email in profile.emails.get().into_iter().flatten() {
                    let real = !email.address.ends_with("@example.com") && !email.address.ends_with(".example");
                    prop_assert!(!real, "{}", email.address);
                    let holder = reached.entry(email.address.clone()).or_insert_with(|| number.clone());
                    prop_assert_eq!(&*holder, number);
                }
                for entry in profile.phones.get().into_iter().flatten() {
                    let fiction = ["+447700900", "+493023125", "+3363998", "+7495000"];
                    prop_assert!(fiction.iter().any(|range| entry.phone.raw.starts_with(range)), "{:?}", entry.phone);
                    // Ofcom's numbers for films are valid to nobody's table.
                    prop_assert!(entry.phone.e164.as_ref().is_none_or(|number| *number == entry.phone.raw));
                    let holder = reached.entry(entry.phone.raw.clone()).or_insert_with(|| number.clone());
                    prop_assert_eq!(&*holder, number);
                }
            }
        }
    }
}

#[test]
fn s1_a_hotel_has_everything_a_moderator_should_see() {
    let demo = demo("portal:1");
    let all = month(demo.seed);
    let now = moment(20 * 1_440 + 700);
    let stays: Vec<Stay> = demo
        .told(&all, now)
        .into_iter()
        .filter_map(|change| match change.entity {
            Entity::Stay(stay) => Some(*stay),
            Entity::Profile(_) => None,
        })
        .collect();
    for status in [
        StayStatus::Offer,
        StayStatus::Tentative,
        StayStatus::Confirmed,
        StayStatus::InHouse,
        StayStatus::CheckedOut,
        StayStatus::Cancelled,
        StayStatus::NoShow,
    ] {
        assert!(stays.iter().any(|stay| stay.status.get() == Some(&status)), "no {status:?}");
    }
    assert!(stays.iter().any(|stay| stay.group.get().is_some() && stay.company.get().is_some()));
    assert!(stays.iter().any(|stay| stay.companions.get().is_some_and(|all| !all.is_empty())));
    assert!(stays.iter().any(|stay| stay.notes.get().is_some_and(|notes| notes.iter().any(|n| n.category == "VIP"))));
    assert!(stays.iter().any(|stay| stay.travel_agent.get().is_some()));
    let companies = (9_001..9_010).filter_map(|n: u32| n.to_string().parse().ok());
    let kinds: Vec<_> =
        companies.filter_map(|number| people::profile(1, &number)).filter_map(|p| p.kind.get().copied()).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == ProfileKind::Company));
}

#[tokio::test]
async fn s1_the_check_answers_without_a_network() {
    let layers = demo("portal:1").check().await;
    assert_eq!(
        layers.iter().map(|layer| (layer.name.as_str(), layer.ok)).collect::<Vec<_>>(),
        [("read", true), ("clock", true)]
    );
}
