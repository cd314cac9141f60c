//! Telephone numbers as people type them, and the one form they are compared in.

use serde::{Deserialize, Serialize};

/// A phone as the source wrote it, with its E.164 form where it can be read as a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    pub raw: String,
    pub e164: Option<String>,
}

impl Phone {
    /// Reads `raw` with `country` (ISO 3166 alpha-2) as the default for numbers without a country code.
    pub fn read(raw: &str, country: Option<&str>) -> Self {
        let trimmed = raw.trim();
        let region = country.and_then(|code| code.parse::<phonenumber::country::Id>().ok());
        let e164 = phonenumber::parse(region, trimmed)
            .ok()
            .filter(phonenumber::is_valid)
            .map(|number| number.format().mode(phonenumber::Mode::E164).to_string());
        Self { raw: trimmed.to_owned(), e164 }
    }
}

/// Whether numbers can be read by this country's rules (ISO 3166 alpha-2).
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && code.parse::<phonenumber::country::Id>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_russian_spellings_meet_in_one_number() {
        for raw in ["+7 495 123-45-67", "8 (495) 123-45-67", "84951234567", " 8-495-1234567 "] {
            assert_eq!(Phone::read(raw, Some("RU")).e164.as_deref(), Some("+74951234567"), "{raw}");
        }
        assert_eq!(Phone::read("extension 12", Some("RU")).e164, None);
        assert_eq!(Phone::read("", None).e164, None);
    }
}
