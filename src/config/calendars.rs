//! The years that `config/calendars/` holds.

use ::config::{Config, File, FileFormat};

use super::ConfigError;
use crate::domain::support::Holidays;
use crate::domain::support::holidays::Year;

const RUSSIA: [&str; 3] = [
    include_str!("../../config/calendars/ru-2025.toml"),
    include_str!("../../config/calendars/ru-2026.toml"),
    include_str!("../../config/calendars/ru-2027.toml"),
];

/// Russian public holidays and moved working days, checked.
pub fn russia() -> Result<Holidays, ConfigError> {
    let years = RUSSIA.iter().map(|text| read(text)).collect::<Result<Vec<Year>, _>>()?;
    Holidays::checked(years).map_err(|flaw| ConfigError::File(flaw.to_string()))
}

fn read(text: &str) -> Result<Year, ConfigError> {
    let source = File::from_str(text, FileFormat::Toml);
    let file = Config::builder().add_source(source).build();
    file.and_then(Config::try_deserialize).map_err(|error| ConfigError::File(error.to_string()))
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, Weekday};

    use super::*;
    use crate::domain::support::holidays::Day;

    #[test]
    fn s55_the_russian_years_add_up_to_the_official_calendar() {
        let holidays = russia().expect("the files of this release");
        let date = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let day = |text: &str| holidays.day(date(text));
        assert_eq!(day("2025-11-01"), Day::Like(Weekday::Mon), "a Saturday that is worked");
        for off in ["2025-12-31", "2026-01-09", "2026-05-11", "2026-12-31", "2027-02-22"] {
            assert_eq!(day(off), Day::Off, "{off}");
        }
        for plain in ["2026-01-12", "2026-02-24", "2026-05-12", "2026-11-03"] {
            assert_eq!(day(plain), Day::Plain, "{plain}");
        }
        assert!(holidays.unknown(date("2025-01-01"), date("2027-12-31")).is_empty());
    }

    #[test]
    fn s55_a_file_with_a_stranger_s_key_or_day_is_refused() {
        let file = |rest: &str| read(&format!("year = 2026\nworking_days = 247\noff = []\nworked = []\n{rest}"));
        assert!(file("").is_ok() && file("days = []").is_err());
        assert!(read("year = 2026\nworking_days = 247\noff = [\"2026-02-30\"]\nworked = []").is_err());
    }
}
