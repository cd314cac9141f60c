//! The two languages a person is spoken to in.

use actix_web::HttpMessage;
use actix_web::http::header::ACCEPT_LANGUAGE;
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

    /// Bitrix24's `LANG`, `LANGUAGE_ID`, or one language range of `Accept-Language`.
    pub fn of_portal(code: &str) -> Self {
        let code = code.trim().to_ascii_lowercase();
        let primary = code.split(['-', '_', ';']).next().unwrap_or_default();
        // Portals of these countries are run in Russian where their own language is not ours.
        if matches!(primary, "" | "ru" | "by" | "be" | "kz" | "kk" | "ua" | "uk") { Self::Ru } else { Self::En }
    }

    /// The first range we know; Russian when none is named.
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

    /// The language of this request: the session's (left there by the extractor), else the browser's.
    pub fn of_request(req: &impl HttpMessage) -> Self {
        if let Some(lang) = req.extensions().get::<Self>() {
            return *lang;
        }
        req.headers()
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .map(Self::of_header)
            .unwrap_or_default()
    }

    pub fn pick<'a>(self, ru: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ru => ru,
            Self::En => en,
        }
    }
}
