//! Dates and stamps of the interface (facts §4): `DD.MM.YYYY`, optionally a time, a fraction and a `UTC±MM` suffix.
//!
//! The suffix is not the offset in force (facts §4, "The `UTC-60` suffix"), so it is kept as text and never used: every
//! wall clock is the hotel's own.

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Years a hotel can mean. Anything else is a slip of a finger or a filler.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;

/// A text that is no date of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    #[error("not a date")]
    Shape,
    #[error("a date outside 1900-2199")]
    Absurd,
}

/// A date as read: the day always, the time where the field carried one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub date: NaiveDate,
    pub time: Option<NaiveTime>,
    /// `UTC-60` and the like, as printed.
    pub suffix: Option<String>,
}

impl Stamp {
    /// Reads a field; `None` when it is empty.
    pub fn parse(text: &str) -> Result<Option<Self>, DateError> {
        let mut parts = text.split_whitespace();
        let Some(day) = parts.next() else { return Ok(None) };
        let date = parse_day(day)?;
        let (mut time, mut suffix) = (None, None);
        for part in parts {
            if suffix.is_none() && is_suffix(part) {
                suffix = Some(part.to_owned());
            } else if time.is_none() && suffix.is_none() {
                time = Some(parse_time(part)?);
            } else {
                return Err(DateError::Shape);
            }
        }
        // The zero of the Windows calendar stands where a record has no date.
        if date == NaiveDate::from_ymd_opt(1899, 12, 30).unwrap_or_default() {
            return Ok(None);
        }
        if !YEARS.contains(&date.year()) {
            return Err(DateError::Absurd);
        }
        Ok(Some(Self { date, time, suffix }))
    }

    /// The hotel's wall clock; midnight where the field carried no time.
    pub fn local(&self) -> NaiveDateTime {
        self.date.and_time(self.time.unwrap_or(NaiveTime::MIN))
    }
}

fn parse_day(text: &str) -> Result<NaiveDate, DateError> {
    let mut parts = text.split('.');
    let (Some(day), Some(month), Some(year), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(DateError::Shape);
    };
    if year.len() != 4 || !(1..=2).contains(&day.len()) || !(1..=2).contains(&month.len()) {
        return Err(DateError::Shape);
    }
    NaiveDate::from_ymd_opt(digits(year)?, digits(month)?, digits(day)?).ok_or(DateError::Shape)
}

fn parse_time(text: &str) -> Result<NaiveTime, DateError> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let (Some(hour), Some(minute)) = (parts.next(), parts.next()) else { return Err(DateError::Shape) };
    let second = parts.next().unwrap_or("0");
    if parts.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DateError::Shape);
    }
    let milli = format!("{fraction:0<3}");
    let milli = digits(milli.get(..3).unwrap_or("0"))?;
    NaiveTime::from_hms_milli_opt(digits(hour)?, digits(minute)?, digits(second)?, milli).ok_or(DateError::Shape)
}

fn is_suffix(text: &str) -> bool {
    text.strip_prefix("UTC").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-')))
}

fn digits<T: std::str::FromStr>(text: &str) -> Result<T, DateError> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DateError::Shape);
    }
    text.parse().map_err(|_| DateError::Shape)
}

/// How a stamp is written in a condition. Which of them a site understands is stated nowhere, so it is probed
/// (facts §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StampForm {
    /// `05.03.2026 09:50:00.000 UTC-180`, the suffix being the one this hotel prints.
    Full,
    /// `05.03.2026 09:50:00`.
    Seconds,
    /// `05.03.2026`: always understood; the day is read again and repeats are dropped on our side.
    Day,
}

impl StampForm {
    pub fn write(self, at: NaiveDateTime, suffix: Option<&str>) -> String {
        match self {
            Self::Full => {
                let mut text = at.format("%d.%m.%Y %H:%M:%S.000").to_string();
                if let Some(suffix) = suffix {
                    text.push(' ');
                    text.push_str(suffix);
                }
                text
            }
            Self::Seconds => at.format("%d.%m.%Y %H:%M:%S").to_string(),
            Self::Day => write_day(at.date()),
        }
    }
}

pub fn write_day(date: NaiveDate) -> String {
    date.format("%d.%m.%Y").to_string()
}

/// The instant a wall clock of the hotel means: the earlier of two in the autumn hour, the one after the gap in spring.
pub fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => at.with_timezone(&Utc),
        LocalResult::Ambiguous(earlier, later) => earlier.min(later).with_timezone(&Utc),
        LocalResult::None => {
            // Read with the offset in force before the gap, which lands behind it.
            let before = local - Duration::days(1);
            let shift = zone.from_local_datetime(&before).earliest().map(|at| before - at.naive_utc());
            Utc.from_utc_datetime(&(local - shift.unwrap_or_else(Duration::zero)))
        }
    }
}

/// The hotel's wall clock at an instant.
pub fn local(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").expect("test date")
    }

    #[test]
    fn s1_every_spelling_of_a_stamp_is_read() {
        for (text, local, suffix) in [
            ("12.03.2026", "2026-03-12 00:00:00", None),
            ("12.03.2026 00:00:00.000 UTC-180", "2026-03-12 00:00:00", Some("UTC-180")),
            ("13.07.2026 22:24:15.000 UTC-60", "2026-07-13 22:24:15", Some("UTC-60")),
            ("16.02.2015 12:27:00", "2015-02-16 12:27:00", None),
            (" 5.3.2026  9:05:07.25  UTC+0 ", "2026-03-05 09:05:07.25", Some("UTC+0")),
            ("05.03.2026 09:05", "2026-03-05 09:05:00", None),
        ] {
            let stamp = Stamp::parse(text).expect(text).expect(text);
            assert_eq!(stamp.local(), at(local), "{text}");
            assert_eq!(stamp.suffix.as_deref(), suffix, "{text}");
        }
    }

    #[test]
    fn s1_an_empty_date_is_none_and_an_absurd_one_an_error() {
        for text in ["", "  ", "30.12.1899 00:00:00.000 UTC-180"] {
            assert_eq!(Stamp::parse(text), Ok(None), "{text:?}");
        }
        for text in ["01.01.0001", "31.12.9999", "01.01.1899"] {
            assert_eq!(Stamp::parse(text), Err(DateError::Absurd), "{text}");
        }
        for text in [
            "2026-03-05",
            "31.02.2026",
            "05.03.26",
            "tomorrow",
            "05.03.2026 25:00:00",
            "05.03.2026 x",
            "1.1.2026 1:1:1 UTC-1 2",
            "٠٥.٠٣.٢٠٢٦",
            "-5.03.2026",
        ] {
            assert_eq!(Stamp::parse(text), Err(DateError::Shape), "{text}");
        }
    }

    #[test]
    fn s1_the_suffix_never_moves_a_clock() {
        let summer = Stamp::parse("13.07.2026 22:24:14.000 UTC-60").expect("read").expect("set");
        assert_eq!(instant(summer.local(), chrono_tz::Europe::Rome).naive_utc(), at("2026-07-13 20:24:14"));
        let moscow = Stamp::parse("05.03.2026 09:58:41.000 UTC-60").expect("read").expect("set");
        assert_eq!(instant(moscow.local(), chrono_tz::Europe::Moscow).naive_utc(), at("2026-03-05 06:58:41"));
    }

    #[test]
    fn s1_an_ambiguous_hour_is_the_earlier_one_and_a_gap_the_time_after() {
        let rome = chrono_tz::Europe::Rome;
        assert_eq!(instant(at("2026-10-25 02:30:00"), rome).naive_utc(), at("2026-10-25 00:30:00"));
        assert_eq!(instant(at("2026-03-29 02:30:00"), rome).naive_utc(), at("2026-03-29 01:30:00"));
    }

    proptest! {
        #[test]
        fn s1_what_is_written_is_read_back(seconds in 0i64..5_000_000_000, form in 0usize..3, suffix in proptest::option::of(-720i32..=720)) {
            let local = DateTime::from_timestamp(seconds, 0).expect("in range").naive_utc();
            let form = [StampForm::Full, StampForm::Seconds, StampForm::Day][form];
            let suffix = suffix.map(|minutes| format!("UTC{minutes:+}"));
            let read = Stamp::parse(&form.write(local, suffix.as_deref())).expect("ours").expect("set");
            prop_assert_eq!(read.date, local.date());
            if form != StampForm::Day {
                prop_assert_eq!(read.local(), local);
            }
        }

        #[test]
        fn s1_no_text_panics(text in "\\PC{0,40}") {
            let _ = Stamp::parse(&text);
        }
    }
}
