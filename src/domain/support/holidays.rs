//! A country's days off and worked days off, year by year (S-55): data with a sum that proves it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

/// One year as its file says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Year {
    pub year: i32,
    /// Of the official calendar for a week of five days.
    pub working_days: usize,
    /// Days on which nobody works; of Saturdays and Sundays the holidays, for desks that are open on others.
    pub off: Vec<NaiveDate>,
    /// Saturdays and Sundays that are worked, and by which day's hours.
    pub worked: Vec<Worked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worked {
    pub day: NaiveDate,
    pub like: Weekday,
}

/// A day that a desk decides on itself, before what the country's calendar says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnDay {
    pub day: NaiveDate,
    /// Worked by this weekday's hours; none: a day off.
    #[serde(default)]
    pub like: Option<Weekday>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("the year {0} is there twice")]
    YearTwice(i32),
    #[error("{0} is of another year")]
    OtherYear(NaiveDate),
    #[error("{0} is there twice")]
    DayTwice(NaiveDate),
    #[error("{0} is neither a Saturday nor a Sunday worked by another day's hours")]
    NotWorked(NaiveDate),
    #[error("{year} has {has} working days by its file and {official} by the official calendar")]
    Sum { year: i32, has: usize, official: usize },
}

/// What one day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// As its weekday.
    Plain,
    Off,
    /// By the hours of this weekday.
    Like(Weekday),
}

/// Years that proved right. Of any other year nothing is known: its weekdays are taken for working days, and people are told
/// ([`Holidays::unknown`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holidays {
    years: BTreeSet<i32>,
    days: BTreeMap<NaiveDate, Day>,
}

impl Holidays {
    pub fn checked(years: impl IntoIterator<Item = Year>) -> Result<Self, Flaw> {
        let mut all = Self::default();
        for year in years {
            if !all.years.insert(year.year) {
                return Err(Flaw::YearTwice(year.year));
            }
            all.add(&year)?;
        }
        Ok(all)
    }

    fn add(&mut self, year: &Year) -> Result<(), Flaw> {
        let off = year.off.iter().map(|day| (*day, Day::Off));
        for (date, day) in off.chain(year.worked.iter().map(|worked| (worked.day, Day::Like(worked.like)))) {
            match day {
                _ if date.year() != year.year => return Err(Flaw::OtherYear(date)),
                Day::Like(like) if !is_weekend(date.weekday()) || is_weekend(like) => {
                    return Err(Flaw::NotWorked(date));
                }
                _ => {}
            }
            if self.days.insert(date, day).is_some() {
                return Err(Flaw::DayTwice(date));
            }
        }
        let days = NaiveDate::from_ymd_opt(year.year, 1, 1).into_iter().flat_map(|first| first.iter_days());
        let worked = |date: NaiveDate| match self.day(date) {
            Day::Plain => !is_weekend(date.weekday()),
            Day::Off => false,
            Day::Like(_) => true,
        };
        let has = days.take_while(|day| day.year() == year.year).filter(|day| worked(*day)).count();
        if has == year.working_days {
            Ok(())
        } else {
            Err(Flaw::Sum { year: year.year, has, official: year.working_days })
        }
    }

    pub fn day(&self, date: NaiveDate) -> Day {
        self.days.get(&date).copied().unwrap_or(Day::Plain)
    }

    /// The same with a desk's own days.
    #[must_use]
    pub fn with(&self, own: &[OwnDay]) -> Self {
        let mut all = self.clone();
        all.days.extend(own.iter().map(|own| (own.day, own.like.map_or(Day::Off, Day::Like))));
        all
    }

    /// Every day that is not as its weekday, in order.
    pub fn days(&self) -> impl Iterator<Item = OwnDay> + '_ {
        self.days.iter().filter_map(|(day, is)| match is {
            Day::Plain => None,
            Day::Off => Some(OwnDay { day: *day, like: None }),
            Day::Like(like) => Some(OwnDay { day: *day, like: Some(*like) }),
        })
    }

    /// Years of which the days off are known.
    pub fn years(&self) -> impl Iterator<Item = i32> + '_ {
        self.years.iter().copied()
    }

    /// Years within these of which no holiday is known.
    pub fn unknown(&self, from: NaiveDate, to: NaiveDate) -> Vec<i32> {
        (from.year()..=to.year()).filter(|year| !self.years.contains(year)).collect()
    }
}

fn is_weekend(day: Weekday) -> bool {
    matches!(day, Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn year() -> Year {
        let worked = Worked { day: date("2027-02-20"), like: Weekday::Mon };
        Year { year: 2027, working_days: 260, off: vec![date("2027-02-22"), date("2027-02-23")], worked: vec![worked] }
    }

    #[test]
    fn s55_a_year_that_does_not_add_up_is_refused() {
        assert!(Holidays::checked([year()]).is_ok());
        let refused = |change: fn(&mut Year)| {
            let mut wrong = year();
            change(&mut wrong);
            Holidays::checked([wrong]).expect_err("refused")
        };
        let forgotten = refused(|year| year.off.truncate(1));
        assert_eq!(forgotten, Flaw::Sum { year: 2027, has: 261, official: 260 });
        assert_eq!(refused(|year| year.off.push(date("2027-02-23"))), Flaw::DayTwice(date("2027-02-23")));
        assert_eq!(refused(|year| year.off.push(date("2026-02-23"))), Flaw::OtherYear(date("2026-02-23")));
        assert_eq!(refused(|year| year.off.push(date("2027-02-20"))), Flaw::DayTwice(date("2027-02-20")));
        let monday = |year: &mut Year| year.worked.push(Worked { day: date("2027-03-01"), like: Weekday::Mon });
        assert_eq!(refused(monday), Flaw::NotWorked(date("2027-03-01")));
        let sunday = |year: &mut Year| year.worked.push(Worked { day: date("2027-02-27"), like: Weekday::Sun });
        assert_eq!(refused(sunday), Flaw::NotWorked(date("2027-02-27")));
        assert_eq!(Holidays::checked([year(), year()]), Err(Flaw::YearTwice(2027)));
    }

    #[test]
    fn s55_a_desk_s_own_day_comes_before_the_country_s() {
        let published = Holidays::checked([year()]).expect("a year");
        let own = |day, like| OwnDay { day: date(day), like };
        let both = published.with(&[own("2027-02-23", Some(Weekday::Tue)), own("2028-03-01", None)]);
        assert_eq!(both.day(date("2027-02-23")), Day::Like(Weekday::Tue), "worked, whatever the country does");
        assert_eq!(both.day(date("2028-03-01")), Day::Off);
        assert_eq!(both.day(date("2027-02-22")), published.day(date("2027-02-22")));
        assert_eq!(both.unknown(date("2027-01-01"), date("2028-12-31")), [2028], "one day is no published year");
        let days: Vec<_> = published.days().map(|own| (own.day.to_string(), own.like)).collect();
        let told = [("2027-02-20", Some(Weekday::Mon)), ("2027-02-22", None), ("2027-02-23", None)];
        assert_eq!(days, told.map(|(day, like)| (day.to_owned(), like)));
        assert_eq!(published.years().collect::<Vec<_>>(), [2027]);
    }

    #[test]
    fn s55_a_year_nobody_published_is_told() {
        let holidays = Holidays::checked([year()]).expect("a year");
        assert_eq!(holidays.unknown(date("2026-12-31"), date("2028-01-01")), [2026, 2028]);
        assert!(holidays.unknown(date("2027-01-01"), date("2027-12-31")).is_empty());
        assert_eq!(holidays.day(date("2028-02-23")), Day::Plain, "a weekday like any other");
    }
}
