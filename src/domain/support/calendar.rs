//! Working time (S-55, decision 5): hours by weekday in one time zone, days off, and how much of it lies between two moments.
//!
//! A minute is working time when the wall clock shows it within the day's hours: an hour that a change of clocks skips is not
//! worked, and one that it repeats is worked twice.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc, Weekday,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::holidays::{Day, Holidays};

const DAY_MINUTES: u16 = 24 * 60;

/// A deadline further away is none: a calendar may be closed for years.
const HORIZON_DAYS: usize = 10 * 366;

/// A minute of the day as the wall clock shows it; `24:00` is its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WallMinute(u16);

impl WallMinute {
    pub fn new(hour: u16, minute: u16) -> Option<Self> {
        let minutes = hour.checked_mul(60)?.checked_add(minute)?;
        (minute < 60 && minutes <= DAY_MINUTES).then_some(Self(minutes))
    }

    fn of(time: NaiveTime) -> Self {
        Self(u16::try_from(time.num_seconds_from_midnight() / 60).unwrap_or(DAY_MINUTES))
    }
}

impl TryFrom<String> for WallMinute {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once(':')
            .filter(|(hour, minute)| digits(hour) && digits(minute))
            .and_then(|(hour, minute)| Self::new(hour.parse().ok()?, minute.parse().ok()?))
            .ok_or("a time of day is HH:MM, at most 24:00")
    }
}

impl From<WallMinute> for String {
    fn from(minute: WallMinute) -> Self {
        format!("{:02}:{:02}", minute.0 / 60, minute.0 % 60)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    pub from: WallMinute,
    pub to: WallMinute,
}

impl Hours {
    fn contain(self, minute: WallMinute) -> bool {
        self.from <= minute && minute < self.to
    }
}

/// Any number of ranges a day: a lunch break parts two.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Week {
    pub mon: Vec<Hours>,
    pub tue: Vec<Hours>,
    pub wed: Vec<Hours>,
    pub thu: Vec<Hours>,
    pub fri: Vec<Hours>,
    pub sat: Vec<Hours>,
    pub sun: Vec<Hours>,
}

const WEEKDAYS: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

impl Week {
    /// The published support hours (S-55).
    pub fn standard() -> Self {
        let (from, to) = (WallMinute(9 * 60), WallMinute(18 * 60));
        let day = || vec![Hours { from, to }];
        Self { mon: day(), tue: day(), wed: day(), thu: day(), fri: day(), ..Self::default() }
    }

    pub fn of(&self, day: Weekday) -> &[Hours] {
        match day {
            Weekday::Mon => &self.mon,
            Weekday::Tue => &self.tue,
            Weekday::Wed => &self.wed,
            Weekday::Thu => &self.thu,
            Weekday::Fri => &self.fri,
            Weekday::Sat => &self.sat,
            Weekday::Sun => &self.sun,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is never open: no clock would ever end.
    NeverOpen,
    /// A range ends before it begins.
    Backwards(Weekday),
    /// Two ranges overlap, or stand in the wrong order.
    Overlap(Weekday),
}

/// From `from` up to `to`, which is not of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct Calendar {
    zone: Tz,
    week: Week,
    holidays: Holidays,
}

impl Calendar {
    pub fn new(zone: Tz, week: Week, holidays: Holidays) -> Result<Self, Flaw> {
        for day in WEEKDAYS {
            let hours = week.of(day);
            if hours.iter().any(|hours| hours.from >= hours.to) {
                return Err(Flaw::Backwards(day));
            }
            if !hours.is_sorted_by(|a, b| a.to <= b.from) {
                return Err(Flaw::Overlap(day));
            }
        }
        if WEEKDAYS.into_iter().all(|day| week.of(day).is_empty()) {
            return Err(Flaw::NeverOpen);
        }
        Ok(Self { zone, week, holidays })
    }

    /// The published hours in Moscow (S-55).
    pub fn standard(holidays: Holidays) -> Self {
        Self { zone: Tz::Europe__Moscow, week: Week::standard(), holidays }
    }

    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone);
        let minute = WallMinute::of(local.time());
        self.hours(local.date_naive()).iter().any(|hours| hours.contain(minute))
    }

    /// The first moment, not before `from`, at which so much working time has gone by since `from`.
    pub fn add_working(&self, from: DateTime<Utc>, amount: TimeDelta) -> Option<DateTime<Utc>> {
        if amount <= TimeDelta::zero() {
            return Some(from);
        }
        let mut left = amount;
        for day in self.local(from).iter_days().take(HORIZON_DAYS) {
            for span in self.spans(day) {
                let begin = span.from.max(from);
                let length = span.to - begin;
                if left <= length {
                    return begin.checked_add_signed(left);
                }
                left -= length.max(TimeDelta::zero());
            }
        }
        None
    }

    /// The working time from `a` to `b`; none where `b` is not later.
    pub fn working_between(&self, a: DateTime<Utc>, b: DateTime<Utc>) -> TimeDelta {
        let last = self.local(b);
        let days = self.local(a).iter_days().take_while(|day| *day <= last);
        let spans = days.flat_map(|day| self.spans(day));
        spans.map(|span| (span.to.min(b) - span.from.max(a)).max(TimeDelta::zero())).sum()
    }

    /// The first moment, not before `at`, at which it is open.
    pub fn opens(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let days = self.local(at).iter_days().take(HORIZON_DAYS);
        days.flat_map(|day| self.spans(day)).find(|span| span.to > at).map(|span| span.from.max(at))
    }

    /// Years up to `to` of which no holiday is known: their weekdays count as working days.
    pub fn unknown_years(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<i32> {
        self.holidays.unknown(self.local(from), self.local(to))
    }

    fn local(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    fn hours(&self, day: NaiveDate) -> &[Hours] {
        match self.holidays.day(day) {
            Day::Plain => self.week.of(day.weekday()),
            Day::Like(weekday) => self.week.of(weekday),
            Day::Off => &[],
        }
    }

    fn spans(&self, day: NaiveDate) -> Vec<Span> {
        let hours = self.hours(day);
        if hours.is_empty() {
            return Vec::new();
        }
        let midnight = day.and_time(NaiveTime::MIN);
        let offset = |days: i64| {
            let near = midnight.checked_add_signed(TimeDelta::days(days))?;
            Some(self.zone.offset_from_utc_datetime(&near).fix().local_minus_utc())
        };
        // Whatever the zone, the local day lies between these two in UTC.
        match (offset(-1), offset(2)) {
            (Some(before), Some(after)) if before == after => {
                let utc = |minute: WallMinute| moment(midnight, i64::from(minute.0) * 60 - i64::from(before));
                hours.iter().filter_map(|hours| Some(Span { from: utc(hours.from)?, to: utc(hours.to)? })).collect()
            }
            _ => self.spans_by_the_minute(midnight, hours),
        }
    }

    /// Around a change of clocks.
    fn spans_by_the_minute(&self, midnight: NaiveDateTime, hours: &[Hours]) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for minute in -i64::from(DAY_MINUTES)..2 * i64::from(DAY_MINUTES) {
            let (Some(from), Some(to)) = (moment(midnight, minute * 60), moment(midnight, (minute + 1) * 60)) else {
                continue;
            };
            let shown = from.with_timezone(&self.zone).naive_local();
            let worked = shown.date() == midnight.date()
                && hours.iter().any(|hours| hours.contain(WallMinute::of(shown.time())));
            match spans.last_mut() {
                Some(last) if worked && last.to == from => last.to = to,
                _ if worked => spans.push(Span { from, to }),
                _ => {}
            }
        }
        spans
    }
}

fn moment(midnight: NaiveDateTime, seconds: i64) -> Option<DateTime<Utc>> {
    midnight.checked_add_signed(TimeDelta::seconds(seconds)).map(|at| at.and_utc())
}
