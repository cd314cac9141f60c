//! Which of a specialist's words in a task go to the customer (issue of S-42): those behind one of the agreed words.
//! Everything else stays between colleagues.

/// What a message begins with to go to the customer, unless the support portal has other words.
pub const WORDS: [&str; 4] = ["Клиенту", "Ответ клиенту", "To customer", "To the customer"];

/// The customer's part of a message: what follows the word and its colon. `None`: it stays inside, or nothing is left.
pub fn to_customer<'a>(text: &'a str, words: &[impl AsRef<str>]) -> Option<&'a str> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '@' | '#' | '*'));
    let (head, rest) = text.split_once(':')?;
    let said = folded(head);
    let known = words.iter().map(|word| folded(word.as_ref())).any(|word| !word.is_empty() && word == said);
    Some(rest.trim()).filter(|rest| known && !rest.is_empty())
}

/// Whether a message can begin with this word at all.
pub fn is_word(word: &str) -> bool {
    word.chars().any(char::is_alphanumeric) && !word.contains([':', '\n']) && word.chars().count() <= 60
}

/// BB codes by which a task's editor marks words; what else stands in brackets is text.
const CODES: [&str; 15] =
    ["b", "i", "u", "s", "user", "url", "quote", "code", "size", "color", "p", "list", "*", "font", "center"];

/// What people read of a text with BB codes.
pub fn without_codes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('[') {
        out.push_str(before);
        let code = behind.split_once(']').filter(|(inside, _)| {
            let name = inside.strip_prefix('/').unwrap_or(inside);
            let name = name.split_once('=').map_or(name, |(name, _)| name);
            CODES.iter().any(|code| code.eq_ignore_ascii_case(name))
        });
        match code {
            Some((_, behind)) => rest = behind,
            None => {
                out.push('[');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

/// As people write it: small letters, «ё» as «е», one space between words.
fn folded(text: &str) -> String {
    let lower = text.to_lowercase().replace('ё', "е");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s42_only_what_is_addressed_to_the_customer_goes_there() {
        for (text, part) in [
            ("Клиенту: обновите страницу", Some("обновите страницу")),
            ("  @клиенту :\nобновите\nстраницу ", Some("обновите\nстраницу")),
            ("ОТВЕТ  КЛИЕНТУ: готово: проверьте", Some("готово: проверьте")),
            ("To the customer: done", Some("done")),
            ("Клиенту:", None),
            ("Клиенту обновите страницу", None),
            ("Не клиенту: он не поймёт", None),
            ("> Клиенту: обновите", None),
            ("Скажи клиенту: пусть ждёт", None),
            ("", None),
        ] {
            assert_eq!(to_customer(text, &WORDS), part, "{text:?}");
        }
        assert_eq!(to_customer("Гостю: привет", &["гостю"]), Some("привет"), "the portal's own word");
        assert_eq!(to_customer(": привет", &[""]), None, "an empty word lets nothing out");
    }

    #[test]
    fn s42_codes_of_the_editor_are_no_words() {
        let text = "[USER=5]Анна[/USER] [b]Клиенту:[/b] a[0] [url=http://x]тут[/url] [12] [ b] [";
        assert_eq!(without_codes(text), "Анна Клиенту: a[0] тут [12] [ b] [");
        assert!(is_word("Ответ клиенту") && !is_word(" ") && !is_word("a:b") && !is_word("…"));
    }
}
