//! What must not travel in a report of a problem (S-36, product §5): secrets wherever they stand, and people's phones and
//! e-mails in what is filled in by itself.

/// Names behind which a secret follows.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "пароль",
    "secret",
    "token",
    "access_token",
    "refresh_token",
    "auth_id",
    "refresh_id",
    "api_key",
    "apikey",
    "authorization",
    "bearer",
    "client_secret",
    "application_token",
];

const MASKED: &str = "***";

/// Nobody writes so long a word of letters and digits mixed: it is a token.
const OPAQUE: usize = 24;

/// What ends a value within a word, and stays.
const ENDS: [char; 8] = ['&', '?', ',', ';', '"', '\'', '{', '}'];

const COLONS: [char; 2] = [':', '='];

/// A text with its secrets masked.
pub fn secrets(text: &str) -> String {
    words(&addresses(text), |word, behind| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        behind || bare.starts_with("fb24_") || is_opaque(bare)
    })
}

/// The same, and e-mail addresses and phone numbers besides.
pub fn technical(text: &str) -> String {
    words(&phones(&secrets(text)), |word, _| is_email(word))
}

/// Addresses without who signs in by them and without the key of a portal's incoming webhook (`/rest/<user>/<key>/`).
fn addresses(text: &str) -> String {
    let masked = |word: &str| -> Option<String> {
        let (scheme, rest) = word.split_once("://")?;
        let (host, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        let host = match host.rsplit_once('@') {
            Some((_, host)) => format!("{MASKED}@{host}"),
            None => host.to_owned(),
        };
        let mut parts: Vec<&str> = path.split('/').collect();
        if let Some(at) = parts.iter().position(|part| *part == "rest")
            && parts.get(at + 1).is_some_and(|user| !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit()))
            && let Some(key) = parts.get_mut(at + 2).filter(|key| !key.is_empty() && !key.contains('.'))
        {
            *key = MASKED;
        }
        Some(format!("{scheme}://{host}{}", parts.join("/")))
    };
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let bare = word.trim_end();
            masked(bare)
                .map_or_else(|| word.to_owned(), |safe| format!("{safe}{}", word.get(bare.len()..).unwrap_or_default()))
        })
        .collect()
}

/// Runs of digits with what people write between them, ten digits and more: `8 (916) 123-45-67`. A moment is none.
fn phones(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let mut word_before = false;
    let flush = |out: &mut String, run: &mut String, glued: bool| {
        let bare = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        let digits = bare.chars().filter(char::is_ascii_digit).count();
        if digits >= 10 && !glued && !dated(bare) {
            out.push_str(MASKED);
            out.push_str(run.get(bare.len()..).unwrap_or_default());
        } else {
            out.push_str(run);
        }
        run.clear();
    };
    for c in text.chars() {
        let part = c.is_ascii_digit() || (!run.is_empty() && "() -.\u{a0}\u{2011}".contains(c));
        let begins = run.is_empty() && "+(".contains(c);
        if part || begins {
            run.push(c);
            continue;
        }
        // Digits of a longer word are a number of something.
        let goes_on = run.ends_with(|last: char| last.is_ascii_digit()) && (c.is_alphabetic() || "_:/=".contains(c));
        flush(&mut out, &mut run, word_before || goes_on);
        word_before = c.is_alphanumeric() || "_:/=#".contains(c);
        out.push(c);
    }
    flush(&mut out, &mut run, word_before);
    out
}

/// A day stands in it, `2026-11-23` or `23.11.2026`.
fn dated(run: &str) -> bool {
    let pieces = || run.split(|c: char| !c.is_ascii_digit() && c != '-' && c != '.').filter(|piece| piece.len() >= 10);
    let is_day = |piece: &str, form: &str| {
        let day = piece.get(..10).unwrap_or_default();
        chrono::NaiveDate::parse_from_str(day, form).is_ok()
    };
    pieces().any(|piece| is_day(piece, "%Y-%m-%d") || is_day(piece, "%d.%m.%Y"))
}

/// Every word by itself, white space as it is; `hide` is also told whether a secret's name stands before it.
fn words(text: &str, hide: impl Fn(&str, bool) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut behind = false;
    // `the password of the entrance: …`: what is named stands behind the colon.
    let mut until_colon = false;
    while !rest.is_empty() {
        let space = rest.len() - rest.trim_start().len();
        let (blank, after) = rest.split_at_checked(space).unwrap_or((rest, ""));
        out.push_str(blank);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (word, next) = after.split_at_checked(end).unwrap_or((after, ""));
        rest = next;
        if word.is_empty() {
            continue;
        }
        if until_colon {
            out.push_str(word);
            behind = word.ends_with(COLONS);
            until_colon = !behind;
            continue;
        }
        // `name=value` and `name:value` in parts, as in an address's query.
        let mut parts = Vec::new();
        for part in word.split_inclusive(ENDS) {
            match part.find(['=', ':']).filter(|at| is_name(part.get(..*at).unwrap_or_default())) {
                Some(at) => {
                    let (name, value) = part.split_at_checked(at + 1).unwrap_or((part, ""));
                    parts.push(name.to_owned());
                    behind = value.is_empty();
                    if !behind {
                        let tail = value.trim_end_matches(|c: char| c.is_alphanumeric() || "-_.~+/%*".contains(c));
                        let kept = value.chars().last().filter(|_| tail.len() == value.len());
                        parts.push(MASKED.to_owned());
                        parts.extend(kept.map(String::from));
                    }
                }
                None if is_name(part) => {
                    parts.push(part.to_owned());
                    until_colon = named_further_on(rest);
                    behind = !until_colon;
                }
                // What only parts a name from its value.
                None if behind && part.chars().all(|c| !c.is_alphanumeric()) => parts.push(part.to_owned()),
                None if hide(part, behind) => {
                    parts.push(MASKED.to_owned());
                    parts.extend(part.chars().last().filter(|last| ENDS.contains(last)).map(String::from));
                    // `password word: …`: either may be it.
                    behind = behind && part.ends_with(COLONS);
                }
                None => {
                    parts.push(part.to_owned());
                    behind = false;
                }
            }
        }
        out.push_str(&parts.concat());
    }
    out
}

/// Whether a few plain words lead to a colon.
fn named_further_on(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().take(4).collect();
    let colon = words.iter().position(|word| word.ends_with(COLONS));
    let plain = |word: &&str| word.trim_end_matches(COLONS).chars().all(char::is_alphabetic);
    colon.is_some_and(|at| at > 0 && words.iter().take(at + 1).all(|word| plain(word) && word.chars().count() > 1))
}

fn is_name(text: &str) -> bool {
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric() && c != '_').to_lowercase();
    NAMES.contains(&bare.as_str())
}

fn is_opaque(word: &str) -> bool {
    word.len() >= OPAQUE
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_+/=.".contains(c))
        && word.chars().any(|c| c.is_ascii_digit())
        && word.chars().any(|c| c.is_ascii_alphabetic())
        && !word.contains("//")
        && uuid::Uuid::try_parse(word).is_err()
        && word.matches('.').count() < 3
        && word.matches('/').count() < 2
}

fn is_email(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    bare.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s34_s36_secrets_are_masked_wherever_they_stand() {
        for (text, masked) in [
            ("Не приходят брони с 10:30 на https://hotel.bitrix24.ru/crm/deal/7/", None),
            ("пароль: qwerty", Some("пароль: ***")),
            ("password=qwerty, дальше", Some("password=***, дальше")),
            ("пароль от входа: qwerty", Some("пароль от входа: ***")),
            ("пароль администратора портала: qwerty", Some("пароль администратора портала: ***")),
            ("пароль портала: qwerty, верно", Some("пароль *** ***, верно")),
            ("Authorization: Bearer abc", Some("Authorization: Bearer ***")),
            ("GET /x?auth_id=abc&id=7", Some("GET /x?auth_id=***&id=7")),
            ("ключ fb24_0123_4567", Some("ключ ***")),
            ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", Some("***")),
            ("операция 7b1c2a3e-0b43-4b6e-9d5e-1f2a3b4c5d6e", None),
            ("{\"token\":\"abc\"}", Some("{\"token\":\"***\"}")),
        ] {
            assert_eq!(secrets(text), masked.unwrap_or(text), "{text}");
        }
    }

    #[test]
    fn s34_s36_addresses_keep_neither_who_signs_in_nor_a_webhooks_key() {
        for (text, masked) in [
            ("https://user:pass@host.example/x y", "https://***@host.example/x y"),
            (
                "см. https://hotel.bitrix24.ru/rest/1/abcdefgh12345678/crm.deal.list",
                "см. https://hotel.bitrix24.ru/rest/1/***/crm.deal.list",
            ),
            ("https://hotel.bitrix24.ru/rest/crm.deal.list", "https://hotel.bitrix24.ru/rest/crm.deal.list"),
        ] {
            assert_eq!(secrets(text), masked, "{text}");
        }
    }

    #[test]
    fn s34_s36_phones_are_masked_however_they_are_written() {
        for (text, masked) in [
            ("звонил +7 916 123-45-67 утром", "звонил *** утром"),
            ("8 (916) 123-45-67, просил", "***, просил"),
            ("+7(916)1234567", "***"),
            ("бронь 50042, профиль 70034", "бронь 50042, профиль 70034"),
            ("2026-11-23 10:00:05 и 23.11.2026 10:00", "2026-11-23 10:00:05 и 23.11.2026 10:00"),
            (
                "op 7b1c2a3e-0b43-4b6e-9d5e-1f2a3b4c5d6e id=1234567890123",
                "op 7b1c2a3e-0b43-4b6e-9d5e-1f2a3b4c5d6e id=1234567890123",
            ),
        ] {
            assert_eq!(technical(text), masked, "{text}");
        }
    }

    #[test]
    fn s34_s36_guests_are_masked_in_what_fills_itself_in() {
        assert_eq!(
            technical("guest anna@example.com, +79161234567 at 2026-11-23T10:00:00Z"),
            "guest ***, *** at 2026-11-23T10:00:00Z"
        );
        assert_eq!(secrets("мой номер +79161234567"), "мой номер +79161234567", "a person's own words are his");
    }
}
