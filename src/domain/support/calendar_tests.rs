use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::calendar::*;
use super::holidays::{Holidays, Worked, Year};

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

pub fn hours(text: &str) -> Vec<Hours> {
    let ranges = text.split_whitespace().map(|range| range.split_once('-').expect("a range"));
    let minute = |text: &str| WallMinute::try_from(text.to_owned()).expect("a time");
    ranges.map(|(from, to)| Hours { from: minute(from), to: minute(to) }).collect()
}

pub fn every_day(text: &str) -> Week {
    let day = || hours(text);
    Week { mon: day(), tue: day(), wed: day(), thu: day(), fri: day(), sat: day(), sun: day() }
}

pub fn moscow() -> Calendar {
    Calendar::standard(Holidays::default())
}

fn russian_2026() -> Holidays {
    let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
    let off = ["2026-01-01", "2026-01-02", "2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09"];
    let worked = vec![Worked { day: day("2026-02-21"), like: Weekday::Mon }];
    let year = Year { year: 2026, working_days: 261 - 7 + 1, off: off.map(day).into(), worked };
    Holidays::checked([year]).expect("a year")
}

fn calendar(zone: Tz, week: Week) -> Calendar {
    Calendar::new(zone, week, Holidays::default()).expect("a calendar")
}

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

#[test]
fn s55_an_hour_on_friday_evening_ends_on_monday_morning() {
    // Friday, 17:30 in Moscow.
    let friday = at("2026-11-20T14:30:00Z");
    assert_eq!(moscow().add_working(friday, minutes(60)), Some(at("2026-11-23T06:30:00Z")));
    assert_eq!(moscow().add_working(friday, minutes(30)), Some(at("2026-11-20T15:00:00Z")), "the end is in time");
    assert_eq!(moscow().working_between(friday, at("2026-11-23T06:30:00Z")), minutes(60));
    assert_eq!(moscow().add_working(friday, TimeDelta::zero()), Some(friday));
    let sunday = at("2026-11-22T10:00:00Z");
    assert_eq!(moscow().add_working(sunday, minutes(1)), Some(at("2026-11-23T06:01:00Z")));
    assert_eq!(moscow().opens(sunday), Some(at("2026-11-23T06:00:00Z")));
    assert_eq!((moscow().opens(friday), moscow().is_open(friday)), (Some(friday), true));
    assert!(!moscow().is_open(sunday) && !moscow().is_open(at("2026-11-20T15:00:00Z")));
}

#[test]
fn s55_nobody_works_in_the_new_year_s_holidays_and_everybody_on_a_moved_day() {
    let calendar = Calendar::standard(russian_2026());
    // 31 December 2025, 17:00: an hour is left of the year, and its holidays end on the 12th.
    let eve = at("2025-12-31T14:00:00Z");
    assert_eq!(calendar.add_working(eve, minutes(120)), Some(at("2026-01-12T07:00:00Z")));
    assert_eq!(calendar.working_between(eve, at("2026-01-12T07:00:00Z")), minutes(120));
    assert!(calendar.is_open(at("2026-02-21T06:00:00Z")), "a Saturday like a Monday");
    assert_eq!(calendar.unknown_years(eve, at("2027-01-01T00:00:00Z")), [2025, 2027], "by the calendar's own clock");
}

/// Chatwoot 14009, Frappe Helpdesk 2212, osTicket 2131: only one range a day.
#[test]
fn s55_a_lunch_break_is_no_working_time() {
    let split = calendar(Tz::Europe__Moscow, every_day("09:00-13:00 14:00-18:00"));
    let noon = at("2026-11-23T09:30:00Z");
    assert_eq!(split.add_working(noon, minutes(60)), Some(at("2026-11-23T11:30:00Z")));
    assert!(!split.is_open(at("2026-11-23T10:30:00Z")));
    assert_eq!(split.working_between(noon, at("2026-11-24T09:30:00Z")), minutes(8 * 60));
}

#[test]
fn s55_an_hour_that_is_skipped_is_not_worked_and_one_that_is_repeated_is_worked_twice() {
    let berlin = calendar(Tz::Europe__Berlin, every_day("00:00-24:00"));
    let day = |from: &str, to: &str| berlin.working_between(at(from), at(to));
    assert_eq!(day("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), minutes(23 * 60));
    assert_eq!(day("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), minutes(25 * 60));
    let night = calendar(Tz::Europe__Berlin, every_day("02:15-02:45"));
    let spring = night.working_between(at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z"));
    let autumn = night.working_between(at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"));
    assert_eq!((spring, autumn), (minutes(0), minutes(60)));
    let office = calendar(Tz::Europe__Berlin, Week::standard());
    // Friday 17:00 to Monday 10:00 by the wall clock, with the change of clocks between.
    assert_eq!(office.add_working(at("2026-03-27T16:00:00Z"), minutes(120)), Some(at("2026-03-30T08:00:00Z")));
}

#[test]
fn s55_a_calendar_that_makes_no_sense_is_refused() {
    let refused = |change: fn(&mut Week)| {
        let mut week = Week::standard();
        change(&mut week);
        Calendar::new(Tz::UTC, week, Holidays::default()).expect_err("refused")
    };
    assert_eq!(refused(|week| *week = Week::default()), Flaw::NeverOpen);
    assert_eq!(refused(|week| week.sat = hours("18:00-09:00")), Flaw::Backwards(Weekday::Sat));
    assert_eq!(refused(|week| week.sat = hours("09:00-09:00")), Flaw::Backwards(Weekday::Sat));
    assert_eq!(refused(|week| week.tue = hours("09:00-13:00 12:00-18:00")), Flaw::Overlap(Weekday::Tue));
    assert_eq!(refused(|week| week.tue = hours("14:00-18:00 09:00-13:00")), Flaw::Overlap(Weekday::Tue));
    for wrong in ["9:00", "24:01", "09:60", "25:00", "", "09:00:00", "+9:00"] {
        assert!(WallMinute::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
    }
    assert_eq!(String::from(WallMinute::try_from("24:00".to_owned()).expect("the day's end")), "24:00");
    // A minute a week gives no answer within ten years, and an end to the search.
    let sundays = calendar(Tz::UTC, Week { sun: hours("10:00-10:01"), ..Week::default() });
    assert_eq!(sundays.add_working(at("2026-11-23T00:00:00Z"), minutes(9999)), None, "beyond the horizon");
}

/// Zones whose clocks change, by an hour, by half of one, at midnight or not at all, and one that skipped a day.
const CHANGES: [(Tz, &str); 9] = [
    (Tz::Europe__Moscow, "2026-12-31T12:00:00Z"),
    (Tz::Europe__Berlin, "2026-03-28T12:00:00Z"),
    (Tz::Europe__Berlin, "2026-10-24T12:00:00Z"),
    (Tz::America__New_York, "2026-11-01T00:00:00Z"),
    (Tz::Australia__Lord_Howe, "2026-04-04T00:00:00Z"),
    (Tz::America__Santiago, "2026-09-05T12:00:00Z"),
    (Tz::Asia__Beirut, "2026-03-28T12:00:00Z"),
    (Tz::Pacific__Apia, "2011-12-29T12:00:00Z"),
    (Tz::Asia__Kathmandu, "2027-12-31T00:00:00Z"),
];

pub fn calendars() -> impl Strategy<Value = (Reference, DateTime<Utc>)> {
    let day = prop_oneof![
        Just(""),
        Just("09:00-18:00"),
        Just("09:00-13:00 14:00-18:00"),
        Just("00:00-24:00"),
        Just("00:00-02:30 02:30-03:10 23:15-24:00"),
        Just("01:59-02:01 12:00-12:01"),
    ];
    let week = prop::collection::vec(day, 7).prop_filter("open", |days| days.iter().any(|day| !day.is_empty()));
    let near = (prop::sample::select(CHANGES.to_vec()), -1440_i64..1440);
    let off = prop::collection::btree_set(-2_i64..5, 0..3);
    (week, near, off).prop_map(|(days, ((zone, near), shift), off)| {
        let near = at(near) + TimeDelta::minutes(shift);
        let off = off.into_iter().map(|days| (near + TimeDelta::days(days)).date_naive()).collect();
        let ranges = days.iter().map(|day| ranges(day)).collect();
        (Reference { zone, days, ranges, off }, near)
    })
}

/// Working time said slowly: a minute is one, or it is not, by what the wall clock shows.
#[derive(Debug, Clone)]
pub struct Reference {
    zone: Tz,
    days: Vec<&'static str>,
    /// Minutes of the day, from Monday on.
    ranges: Vec<Vec<std::ops::Range<u32>>>,
    off: BTreeSet<NaiveDate>,
}

fn ranges(day: &str) -> Vec<std::ops::Range<u32>> {
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let minute = |text: &str| text.split_once(':').map(|(hour, minute)| number(hour) * 60 + number(minute));
    let range = |text: &str| text.split_once('-').and_then(|(from, to)| Some(minute(from)?..minute(to)?));
    day.split_whitespace().map(|text| range(text).expect("a range")).collect()
}

impl Reference {
    pub fn works(&self, minute: DateTime<Utc>) -> bool {
        let wall = minute.with_timezone(&self.zone);
        let weekday = usize::try_from(wall.weekday().num_days_from_monday()).expect("a weekday");
        let shown = wall.hour() * 60 + wall.minute();
        !self.off.contains(&wall.date_naive()) && self.ranges[weekday].iter().any(|range| range.contains(&shown))
    }

    pub fn calendar(&self) -> Calendar {
        let mut days = self.days.iter().map(|day| hours(day));
        let mut day = || days.next().expect("a day");
        let week = Week { mon: day(), tue: day(), wed: day(), thu: day(), fri: day(), sat: day(), sun: day() };
        let years: BTreeSet<i32> = self.off.iter().map(Datelike::year).collect();
        let year = |year: i32| {
            let first = NaiveDate::from_ymd_opt(year, 1, 1).expect("a date");
            let plain = |day: &NaiveDate| day.weekday().num_days_from_monday() < 5 && !self.off.contains(day);
            let working_days = first.iter_days().take_while(|day| day.year() == year).filter(plain).count();
            let off = self.off.iter().copied().filter(|day| day.year() == year).collect();
            Year { year, working_days, off, worked: Vec::new() }
        };
        let holidays = Holidays::checked(years.into_iter().map(year)).expect("years");
        Calendar::new(self.zone, week, holidays).expect("a calendar")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn s55_working_time_is_what_a_count_of_minutes_says(
        (reference, from) in calendars(),
        length in 0_i64..3 * 1440,
        amount in 1_i64..1440,
    ) {
        let calendar = reference.calendar();
        let worked: Vec<_> = (0..4 * 1440).map(|n| from + minutes(n)).map(|at| (at, reference.works(at))).collect();
        let upto = from + minutes(length);
        let counted = worked.iter().filter(|(at, works)| *works && *at < upto).count();
        prop_assert_eq!(calendar.working_between(from, upto), minutes(i64::try_from(counted).expect("a count")));
        prop_assert_eq!(calendar.working_between(upto, from), TimeDelta::zero());
        for (at, works) in worked.iter().step_by(7) {
            prop_assert_eq!(calendar.is_open(*at), *works, "{}", at);
        }
        let nth = worked.iter().filter(|(_, works)| *works).nth(usize::try_from(amount - 1).expect("a count"));
        if let Some((last, _)) = nth {
            prop_assert_eq!(calendar.add_working(from, minutes(amount)), Some(*last + minutes(1)));
        }
        let opens = worked.iter().find(|(_, works)| *works).map(|(at, _)| *at);
        if opens.is_some() {
            prop_assert_eq!(calendar.opens(from), opens);
        }
    }
}
