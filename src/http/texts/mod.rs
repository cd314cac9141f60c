//! Sentences for people, in Russian and English, by stable code. The one place where the server's words stand.
//!
//! A sentence may hold `{name}`: the finding's own number or name of that name takes its place.

mod en;
mod ru;

use super::lang::Lang;

/// A title and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    pub title: &'static str,
    pub hint: &'static str,
}

/// Every text of one language.
pub(crate) struct Texts {
    /// What is wrong with one member of a body.
    pub(crate) fields: &'static [(&'static str, &'static str)],
    /// Why the present state of something forbids an action.
    pub(crate) conflicts: &'static [(&'static str, &'static str)],
    /// Findings of the layered connection check.
    pub(crate) layers: &'static [(&'static str, &'static str)],
    /// What is the matter with a link to a hotel, or with an import of it.
    pub(crate) health: &'static [(&'static str, &'static str)],
    /// Causes in the error inbox: title, hint.
    pub(crate) causes: &'static [(&'static str, &'static str, &'static str)],
    /// What an act of erasure says of places and kinds of data.
    pub(crate) acts: &'static [(&'static str, &'static str)],
    /// Causes of drift: title, what becomes of it.
    pub(crate) drifts: &'static [(&'static str, &'static str, &'static str)],
    /// What an installation lacks.
    pub(crate) lacks: &'static [(&'static str, &'static str)],
}

fn texts(lang: Lang) -> &'static Texts {
    match lang {
        Lang::Ru => &ru::TEXTS,
        Lang::En => &en::TEXTS,
    }
}

fn find(table: &'static [(&'static str, &'static str)], code: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// Why a member cannot be taken.
pub fn field(lang: Lang, code: &str, params: &[(&'static str, String)]) -> String {
    let text = find(texts(lang).fields, code).unwrap_or(match lang {
        Lang::Ru => "Недопустимое значение.",
        Lang::En => "This value cannot be taken.",
    });
    fill(text, |name| params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
}

/// Why the present state of something forbids an action.
pub fn conflict(lang: Lang, code: &str) -> &'static str {
    find(texts(lang).conflicts, code).unwrap_or(match lang {
        Lang::Ru => "Сейчас это действие невозможно.",
        Lang::En => "This cannot be done now.",
    })
}

/// The sentence of one layer of the connection check: the layer's own for this code, else the code's.
pub fn layer(lang: Lang, name: &str, code: &str, params: &serde_json::Map<String, serde_json::Value>) -> String {
    let layers = texts(lang).layers;
    let Some(text) = find(layers, &format!("{name}.{code}")).or_else(|| find(layers, code)) else {
        return match lang {
            Lang::Ru => format!("Проверка закончилась кодом «{code}»."),
            Lang::En => format!("The check ended with the code \"{code}\"."),
        };
    };
    fill(text, |name| params.get(name).map(|value| plain(lang, value)))
}

/// Puts values where their names stand; one that is not known leaves a dash, never its name.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |filled, part| match part.split_once('}') {
        Some((name, rest)) => filled + value(name).as_deref().unwrap_or("—") + rest,
        None => filled + "{" + part,
    })
}

/// A value as a person of the language reads it.
fn plain(lang: Lang, value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "—".to_owned(),
        Value::String(text) => match text.parse::<chrono::NaiveDate>() {
            Ok(date) => date.format(lang.pick("%d.%m.%Y", "%-d %b %Y")).to_string(),
            Err(_) => text.clone(),
        },
        Value::Array(items) => items.iter().map(|item| plain(lang, item)).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What is the matter with a link to a hotel. A code may carry names behind a colon, such as the areas that a licence
/// does not cover.
pub fn health(lang: Lang, code: &str) -> String {
    let (code, names) = code.split_once(':').unwrap_or((code, ""));
    let names = names.replace(',', ", ");
    find(texts(lang).health, code).map_or_else(|| code.to_owned(), |text| text.replace("{names}", &names))
}

/// What happened to a record, and what to do about it.
pub fn cause(lang: Lang, code: &str) -> Advice {
    let found = texts(lang).causes.iter().find(|(known, ..)| *known == code);
    found.map_or_else(
        || match lang {
            Lang::Ru => Advice {
                title: "Запись не удалось передать",
                hint: "Посмотрите подробности и повторите; если не помогло, напишите в поддержку.",
            },
            Lang::En => Advice {
                title: "The record could not be carried over",
                hint: "Look at the details and retry; if that does not help, write to support.",
            },
        },
        |(_, title, hint)| Advice { title, hint },
    )
}

/// What an act of erasure says; nothing of a code of another release.
pub fn act(lang: Lang, code: &str) -> &'static str {
    find(texts(lang).acts, code).unwrap_or_default()
}

/// What a reconciliation found, and what becomes of it.
pub fn drift(lang: Lang, cause: &str) -> Advice {
    let found = texts(lang).drifts.iter().find(|(known, ..)| *known == cause);
    found.map_or(Advice { title: "", hint: "" }, |(_, title, hint)| Advice { title, hint })
}

/// What an installation lacks and who can give it.
pub fn lack(lang: Lang, code: &str) -> Option<&'static str> {
    find(texts(lang).lacks, code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect()
    }

    fn same(a: &[(&str, &str)], b: &[(&str, &str)]) {
        let codes = |table: &[(&str, &str)]| table.iter().map(|(code, _)| (*code).to_owned()).collect::<Vec<_>>();
        assert_eq!(codes(a), codes(b));
        assert_eq!(codes(a).iter().collect::<BTreeSet<_>>().len(), a.len(), "a code stands twice");
        for ((code, ru), (_, en)) in a.iter().zip(b) {
            assert!(!ru.trim().is_empty() && !en.trim().is_empty(), "{code}");
            assert_eq!(placeholders(ru), placeholders(en), "{code}");
            assert!(en.is_ascii() || !en.chars().any(|c| ('а'..='я').contains(&c)), "{code}: Russian in English");
        }
    }

    #[test]
    fn s49_every_code_speaks_both_languages() {
        let (ru, en) = (texts(Lang::Ru), texts(Lang::En));
        same(ru.fields, en.fields);
        same(ru.conflicts, en.conflicts);
        same(ru.layers, en.layers);
        same(ru.health, en.health);
        same(ru.lacks, en.lacks);
        same(ru.acts, en.acts);
        for (ru, en) in [(ru.causes, en.causes), (ru.drifts, en.drifts)] {
            let titles = |texts: &'static [(&str, &str, &str)]| texts.iter().map(|(code, title, _)| (*code, *title));
            same(&titles(ru).collect::<Vec<_>>(), &titles(en).collect::<Vec<_>>());
            let hints = |texts: &'static [(&str, &str, &str)]| texts.iter().map(|(code, _, hint)| (*code, *hint));
            same(&hints(ru).collect::<Vec<_>>(), &hints(en).collect::<Vec<_>>());
        }
    }

    #[test]
    fn s49_numbers_take_their_places() {
        assert_eq!(field(Lang::En, "too_long", &[("max", "5".into())]), "At most 5 characters.");
        assert_eq!(field(Lang::Ru, "no such code", &[]), "Недопустимое значение.");
        let params = serde_json::json!({"host": "pms.example", "lacking": ["Profile", "Notes"], "status": 404});
        let params = params.as_object().expect("an object");
        assert_eq!(
            layer(Lang::En, "licence", "lacking", params),
            "Licence or rights do not cover: Profile, Notes. The rest works."
        );
        assert_eq!(
            layer(Lang::En, "tcp", "no_connection", params).split(". ").next(),
            Some("No connection to pms.example:—")
        );
        assert!(
            layer(Lang::Ru, "dns", "ok", params).contains("найдено")
                && layer(Lang::Ru, "tcp", "ok", params).contains("открыт")
        );
        let clock = serde_json::json!({"business_date": "2026-11-05"});
        let clock = clock.as_object().expect("an object");
        assert!(layer(Lang::Ru, "clock", "ok", clock).ends_with("рабочая дата — 05.11.2026."));
        assert!(layer(Lang::En, "clock", "ok", clock).ends_with("business date is 5 Nov 2026."));
        assert!(health(Lang::En, "not_licensed:Profile,Notes").contains("Profile, Notes"));
    }
}
