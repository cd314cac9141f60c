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
}
