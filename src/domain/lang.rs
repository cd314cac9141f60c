//! The two languages a person is spoken to in.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    #[default]
    Ru,
    En,
}

impl Lang {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ru => "ru",
            Self::En => "en",
        }
    }

    /// Bitrix24's `LANG` or `LANGUAGE_ID`.
    pub fn of_portal(code: &str) -> Self {
        let code = code.trim().to_ascii_lowercase();
        let primary = code.split(['-', '_', ';']).next().unwrap_or_default();
        // Portals of these countries are run in Russian where their own language is not ours.
        if matches!(primary, "" | "ru" | "by" | "be" | "kz" | "kk" | "ua" | "uk") { Self::Ru } else { Self::En }
    }

    /// The first range of an `Accept-Language` that we know; Russian when none is named.
    pub fn of_header(value: &str) -> Self {
        value
            .split(',')
            .map(|range| range.trim().to_ascii_lowercase())
            .find_map(|range| {
                if range.starts_with("ru") {
                    Some(Self::Ru)
                } else if range.starts_with("en") {
                    Some(Self::En)
                } else {
                    None
                }
            })
            .unwrap_or_default()
    }

    pub fn pick<'a>(self, ru: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ru => ru,
            Self::En => en,
        }
    }
}
