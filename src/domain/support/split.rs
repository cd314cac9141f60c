//! One request, one problem (S-30, S-31, E-17): a text in sentences, and the new request made of those that an operator chose.

use std::collections::BTreeSet;

use super::number::RequestNumber;

/// A line this long was broken by whoever typed or sent it, not by what it says.
const WRAPPED: usize = 60;

/// Words before a dot that ends no sentence, besides single letters (initials, «т. е.», "e.g.").
const SHORTENED: &[&str] = &[
    "гг", "ул", "кв", "стр", "руб", "коп", "тыс", "млн", "млрд", "им", "см", "напр", "др", "пр", "тел", "доб", "каб",
    "эт", "корп", "моб", "рис", "mr", "mrs", "ms", "dr", "no", "vs", "etc", "approx", "inc", "ltd",
];

/// The sentences of a text with the space behind them: together they are the text.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(end) = first_end(rest) {
        let Some((sentence, behind)) = rest.split_at_checked(end) else { break };
        found.push(sentence);
        rest = behind;
    }
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

/// Where the second sentence begins.
fn first_end(text: &str) -> Option<usize> {
    let lead = text.len() - text.trim_start().len();
    // Whatever looks like the end of a sentence belongs to the mark of a list here: "1. ".
    let body = lead + mark(text.get(lead..)?).map_or(0, |mark| mark + 1);
    let spaces = text.char_indices().filter(|(at, c)| *at >= body && c.is_whitespace());
    let mut past = body;
    for (at, _) in spaces {
        if at < past {
            continue;
        }
        let (before, after) = text.split_at_checked(at)?;
        let next = after.trim_start();
        past = text.len() - next.len();
        let space = after.strip_suffix(next).unwrap_or_default();
        if !next.is_empty() && (ends_by_stop(before, next) || ends_by_line(before, space, next)) {
            return Some(past);
        }
    }
    None
}

fn ends_by_stop(before: &str, next: &str) -> bool {
    let bare = before.trim_end_matches(['"', '\'', '»', '”', ')', ']']);
    let stop = bare.chars().next_back();
    let goes_on = next.starts_with(char::is_lowercase);
    match stop {
        Some('!' | '?') => true,
        Some('…') => !goes_on,
        Some('.') => !goes_on && !is_shortened(bare.trim_end_matches('.')),
        _ => false,
    }
}

fn is_shortened(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    word.chars().count() == 1 || SHORTENED.contains(&word.to_lowercase().as_str())
}

fn ends_by_line(before: &str, space: &str, next: &str) -> bool {
    let short = || before.rsplit('\n').next().is_some_and(|line| line.chars().count() < WRAPPED);
    let begins = next.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
    match space.matches('\n').count() {
        0 => false,
        1 => mark(next).is_some() || (begins && short()),
        _ => true,
    }
}

/// How long the mark of a list is that the text begins with: `- `, `• `, `1. `, `2) `.
pub(super) fn mark(text: &str) -> Option<usize> {
    let spaced = |rest: &str| rest.starts_with([' ', '\t', '\u{a0}']);
    let behind = if let Some(rest) = text.strip_prefix(['-', '–', '—', '•', '*', '·']) {
        rest
    } else {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = text.len() - rest.len();
        rest.strip_prefix(['.', ')']).filter(|_| (1..=2).contains(&digits))?
    };
    spaced(behind).then_some(text.len() - behind.len())
}

/// What an operator takes out of a request: places in [`sentences`], ids of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    pub sentences: BTreeSet<usize>,
    pub files: BTreeSet<i64>,
}

/// A new request made of a part of its parent, which keeps its own words: they are on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    pub parent: RequestNumber,
    pub text: String,
    pub files: BTreeSet<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NothingChosen,
    /// The child would be the parent again.
    NothingLeft,
    NoSuchSentence(usize),
    NoSuchFile(i64),
}

pub fn child(parent: RequestNumber, text: &str, files: &BTreeSet<i64>, chosen: &Chosen) -> Result<Child, Refusal> {
    let sentences = sentences(text);
    if let Some(stranger) = chosen.sentences.iter().find(|place| **place >= sentences.len()) {
        return Err(Refusal::NoSuchSentence(*stranger));
    }
    if let Some(stranger) = chosen.files.difference(files).next() {
        return Err(Refusal::NoSuchFile(*stranger));
    }
    if chosen.sentences.is_empty() && chosen.files.is_empty() {
        return Err(Refusal::NothingChosen);
    }
    if chosen.sentences.len() == sentences.len() {
        return Err(Refusal::NothingLeft);
    }
    let taken = sentences.iter().enumerate().filter(|(place, _)| chosen.sentences.contains(place));
    let text: String = taken.map(|(_, sentence)| *sentence).collect();
    Ok(Child { parent, text: text.trim().to_owned(), files: chosen.files.clone() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(str::trim).collect()
    }

    #[test]
    fn s31_a_text_is_cut_where_a_reader_would() {
        for (text, wanted) in [
            ("", vec![]),
            ("Нет броней", vec!["Нет броней"]),
            ("Нет броней. Что делать?", vec!["Нет броней.", "Что делать?"]),
            ("No stays! why? Please help...", vec!["No stays!", "why?", "Please help..."]),
            (
                "Гость И. И. Иванов из г. Казань, ул. Ленина. Нет сделки.",
                vec!["Гость И. И. Иванов из г. Казань, ул. Ленина.", "Нет сделки."],
            ),
            (
                "Цена 1 500 руб. Наличными, т. е. сразу, и т. д. и т. п.",
                vec!["Цена 1 500 руб. Наличными, т. е. сразу, и т. д. и т. п."],
            ),
            ("Версия 8.9.1 на fb.example.com. Раньше 8.9.", vec!["Версия 8.9.1 на fb.example.com.", "Раньше 8.9."]),
            ("Он сказал «нет». Я жду (третий день). Жду…", vec!["Он сказал «нет».", "Я жду (третий день).", "Жду…"]),
            ("Room 101. Then 102.", vec!["Room 101.", "Then 102."]),
            ("See e.g. Mr. Smith, no. 5. he waits.", vec!["See e.g. Mr. Smith, no. 5. he waits."]),
            ("1. Нет телефона\n2) Нет почты\n- и даты", vec!["1. Нет телефона", "2) Нет почты", "- и даты"]),
            ("Не работает\nНет телефона\nи почты", vec!["Не работает", "Нет телефона\nи почты"]),
            (
                "Сегодня с самого утра не приходят новые бронирования из программы\nFidelio, и так весь день",
                vec!["Сегодня с самого утра не приходят новые бронирования из программы\nFidelio, и так весь день"],
            ),
            ("добрый день\n\nнет броней", vec!["добрый день", "нет броней"]),
        ] {
            assert_eq!(cut(text), wanted, "{text}");
        }
    }

    #[test]
    fn s30_s31_e17_a_child_is_what_was_chosen_and_leaves_something() {
        let parent = RequestNumber::new(2026, 7).expect("a number");
        let (text, files) = ("Нет броней. Нет телефона! Спасибо.", BTreeSet::from([1, 2]));
        let part = |sentences: &[usize], files_chosen: &[i64]| {
            let chosen = Chosen {
                sentences: sentences.iter().copied().collect(),
                files: files_chosen.iter().copied().collect(),
            };
            child(parent, text, &files, &chosen).map(|child| (child.text, child.files.into_iter().collect::<Vec<_>>()))
        };
        assert_eq!(part(&[1], &[2]), Ok(("Нет телефона!".to_owned(), vec![2])));
        assert_eq!(part(&[0, 2], &[]), Ok(("Нет броней. Спасибо.".to_owned(), vec![])));
        assert_eq!(part(&[], &[1]), Ok((String::new(), vec![1])));
        assert_eq!(part(&[], &[]), Err(Refusal::NothingChosen));
        assert_eq!(part(&[0, 1, 2], &[]), Err(Refusal::NothingLeft));
        assert_eq!(part(&[0, 3], &[]), Err(Refusal::NoSuchSentence(3)));
        assert_eq!(part(&[0], &[3]), Err(Refusal::NoSuchFile(3)), "another request's file");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn s31_no_letter_of_a_text_is_lost(text in "([а-яА-Яa-zA-Z0-9.!?…»\" \n-]|\u{a0}|🙂){0,80}") {
            let cut = sentences(&text);
            prop_assert_eq!(cut.concat(), text.as_str());
            prop_assert!(cut.iter().all(|sentence| !sentence.is_empty()));
        }
    }
}
