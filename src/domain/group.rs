//! A group or party as its stays tell of it: all that its own deal can hold (decision 0008). The PMS tells of a group only
//! what each of its reservations repeats.

use super::ids::{GroupNumber, StayNumber};
use super::known::Known;
use super::money::Money;
use super::status::StayStatus;
use super::stay::{Group, Stay};
use super::totals::Earnings;

/// The group of a stay, else its party; none, too, where its number is nothing that a mark can hold.
pub fn number(stay: &Stay) -> Option<GroupNumber> {
    let of = |kind: char, group: &Known<Group>| GroupNumber::parse(&format!("{kind}{}", group.get()?.number)).ok();
    if stay.group.get().is_some() { of('G', &stay.group) } else { of('P', &stay.party) }
}

/// Whether it is known that the stay is in no group.
pub fn is_alone(stay: &Stay) -> bool {
    *stay.group_or_party() == Known::Empty
}

/// All carried stays of a group that somebody comes for as one, dates from the first arrival to the last departure; `None`:
/// nobody comes. Of the same stays in another order it makes the same.
pub fn together<'a>(
    number: &GroupNumber,
    stays: impl IntoIterator<Item = &'a Stay>,
    carried: impl Fn(&Stay) -> bool,
) -> Option<Stay> {
    let comes = |stay: &&Stay| !matches!(stay.status.get(), Some(StayStatus::Cancelled | StayStatus::NoShow));
    let mut stays: Vec<&Stay> = stays.into_iter().collect();
    // Where one of them has no name it was taken out, and may tell of somebody who is erased; he need not come.
    let nameless =
        stays.iter().any(|stay| stay.group_or_party().get().is_none_or(|group| group.name.trim().is_empty()));
    stays.retain(|stay| comes(stay) && carried(stay));
    stays.sort_by_key(|stay| (stay.updated_at.get().copied(), stay.number.clone()));
    let newest = stays.last()?.group_or_party().get()?;
    let name = if nameless { String::new() } else { newest.name.clone() };
    let mut one = Stay::new(StayNumber::parse(number.as_str()).ok()?);
    one.group = Known::Is(Group { number: newest.number.clone(), name });
    one.arrival = told(stays.iter().filter_map(|stay| stay.arrival.get().copied()).min());
    one.departure = told(stays.iter().filter_map(|stay| stay.departure.get().copied()).max());
    one.rooms = Known::Is(stays.iter().map(|stay| stay.rooms.get().copied().unwrap_or(1)).fold(0, u16::saturating_add));
    one.adults = told(stays.iter().filter_map(|stay| stay.adults.get().copied()).reduce(u16::saturating_add));
    one.children = told(stays.iter().filter_map(|stay| stay.children.get().cloned()).reduce(|mut all, some| {
        for (age, count) in some {
            let sum = all.entry(age).or_default();
            *sum = sum.saturating_add(count);
        }
        all
    }));
    let mut earnings = Earnings::default();
    stays
        .iter()
        .filter_map(|stay| stay.total.get())
        .for_each(|Money { amount, currency }| earnings.add(currency, 1, *amount));
    one.total = told(earnings.main());
    Some(one)
}

fn told<T>(value: Option<T>) -> Known<T> {
    value.map_or(Known::Absent, Known::Is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn stay(number: &str, name: &str, days: (&str, &str), total: &str, at: u32) -> Stay {
        let mut stay = Stay::new(StayNumber::parse(number).unwrap());
        stay.status = Known::Is(StayStatus::Confirmed);
        stay.group = Known::Is(Group { number: "5".into(), name: name.into() });
        (stay.arrival, stay.departure) = (Known::Is(days.0.parse().unwrap()), Known::Is(days.1.parse().unwrap()));
        let (amount, currency) = total.split_once(' ').unwrap();
        stay.total = Known::Is(Money { amount: amount.parse().unwrap(), currency: Currency::parse(currency).unwrap() });
        stay.adults = Known::Is(2);
        stay.children = Known::Is([("A".to_owned(), 1)].into());
        let day: chrono::NaiveDate = "2026-11-20".parse().unwrap();
        stay.updated_at = Known::Is(day.and_hms_opt(at, 0, 0).unwrap());
        stay
    }

    fn all(stays: &[Stay]) -> Option<Stay> {
        let number = GroupNumber::parse("G5").unwrap();
        let forth = together(&number, stays, |_| true);
        assert_eq!(forth, together(&number, stays.iter().rev(), |_| true), "in whatever order they come");
        forth
    }

    #[test]
    fn s1_a_group_is_summed_over_the_stays_that_name_it_currencies_apart() {
        let mut two = stay("2", "Forum 2026", ("2026-11-22", "2026-11-27"), "70.50 RUB", 12);
        two.rooms = Known::Is(3);
        let one = stay("1", "Forum", ("2026-11-21", "2026-11-24"), "100 RUB", 10);
        let abroad = stay("3", "Forum", ("2026-11-22", "2026-11-23"), "900 EUR", 11);
        let mut gone = stay("4", "Old name", ("2026-11-01", "2026-12-30"), "5 RUB", 13);
        gone.status = Known::Is(StayStatus::Cancelled);
        let sum = all(&[one.clone(), two, abroad, gone.clone()]).expect("a group");
        assert_eq!((sum.number.as_str(), &sum.group.get().unwrap().name), ("G5", &"Forum 2026".to_owned()));
        assert_eq!(sum.arrival, Known::Is("2026-11-21".parse().unwrap()));
        assert_eq!(sum.departure, Known::Is("2026-11-27".parse().unwrap()));
        assert_eq!((&sum.rooms, &sum.adults), (&Known::Is(5), &Known::Is(6)));
        assert_eq!(sum.children.get().and_then(|ages| ages.get("A")), Some(&3));
        let total = sum.total.get().map(|money| format!("{} {}", money.amount, money.currency));
        assert_eq!(total.as_deref(), Some("170.50 RUB"), "most of them are paid in it");
        assert_eq!(sum.status, Known::Absent, "its stage is people's");
        assert_eq!(all(&[gone]), None, "nobody comes");
        let erased = stay("6", "", ("2026-11-22", "2026-11-23"), "1 RUB", 9);
        assert_eq!(
            all(&[one.clone(), erased.clone()]).unwrap().group.get().unwrap().name,
            "",
            "an erased guest's party"
        );
        let mut cancelled = erased;
        cancelled.status = Known::Is(StayStatus::Cancelled);
        assert_eq!(all(&[one.clone(), cancelled.clone()]).unwrap().group.get().unwrap().name, "", "nor if he is away");
        let number = GroupNumber::parse("G5").unwrap();
        let carried = together(&number, &[one, cancelled], |stay| stay.number.as_str() == "1").expect("one comes");
        assert_eq!(carried.group.get().unwrap().name, "", "nor if his stay is not carried");
    }

    #[test]
    fn s1_a_group_and_a_party_of_one_number_are_two() {
        let mut stay = stay("1", "x", ("2026-11-22", "2026-11-23"), "1 RUB", 9);
        assert_eq!(number(&stay).unwrap().as_str(), "G5");
        (stay.party, stay.group) = (stay.group.clone(), Known::Empty);
        assert_eq!((number(&stay).unwrap().as_str(), is_alone(&stay)), ("P5", false));
        stay.party = Known::Is(Group { number: "a b:c".into(), name: "x".into() });
        assert_eq!(number(&stay), None);
        stay.party = Known::Absent;
        assert!(is_alone(&stay));
    }
}
