//! Whether a text seems to hold a second problem (S-30, E-17): a gentle hint for who writes it, who may be right all the same.
//! So it is given only where a second trouble is announced as one, or where troubles are listed.

use super::split::{mark, sentences};

/// What a sentence begins with that goes on to something else.
const OPENERS: &[&str] = &[
    "также",
    "а также",
    "кроме того",
    "помимо этого",
    "помимо того",
    "во-вторых",
    "второе",
    "и второе",
    "второй вопрос",
    "вторая проблема",
    "другой вопрос",
    "другая проблема",
    "отдельный вопрос",
    "отдельная проблема",
    "отдельно",
    "и еще",
    "еще вопрос",
    "еще проблема",
    "еще одна",
    "еще один",
    "еще одно",
    "еще не",
    "еще нет",
    "еще просьба",
    "а еще не",
    "а еще нет",
    "p s",
    "ps",
    "also",
    "and also",
    "another",
    "second",
    "secondly",
    "the second",
    "besides",
    "in addition",
    "additionally",
    "one more",
    "separately",
    "on another note",
    "a second",
    "there is another",
];

/// Beginnings of words that tell of a trouble or a wish.
const TROUBLES: &[&str] = &[
    "не работает",
    "не приход",
    "не откры",
    "не вид",
    "не виж",
    "не обнов",
    "не груз",
    "не созда",
    "не сохран",
    "не отправ",
    "не получ",
    "не могу",
    "не может",
    "не удает",
    "не появ",
    "не попад",
    "не переда",
    "нет ",
    "ошибк",
    "сбой",
    "завис",
    "пропа",
    "вылета",
    "хотел",
    "можно ли",
    "добавьте",
    "прошу ",
    "просьба",
    "error",
    "fail",
    "crash",
    "does not",
    "doesn't",
    "is not",
    "isn't",
    "not work",
    "can't",
    "cannot",
    "won't",
    "missing",
    "broken",
    "wrong",
    "unable",
    "could you",
    "please add",
];

/// Of the same trouble more is told.
const SAME: &[&str] =
    &["то же", "та же", "тот же", "те же", "такая же", "такой же", "такое же", "тоже ", "same ", "такие же"];

/// The place in [`sentences`] at which a second problem seems to begin.
pub fn second_problem(text: &str) -> Option<usize> {
    let mut troubles = 0;
    let mut listed = 0;
    for (place, sentence) in sentences(text).into_iter().enumerate() {
        let bare = sentence.trim_start();
        let item = mark(bare);
        let words = words(bare.get(item.unwrap_or(0)..).unwrap_or_default());
        let has = |stems: &[&str]| stems.iter().any(|stem| words.contains(&format!(" {stem}")));
        if !(has(TROUBLES) || sentence.trim_end().ends_with('?')) || has(SAME) {
            continue;
        }
        let announced = OPENERS.iter().any(|opener| words.starts_with(&format!(" {opener} ")));
        if (announced && troubles > 0) || (item.is_some() && listed > 0) {
            return Some(place);
        }
        troubles += 1;
        listed += usize::from(item.is_some());
    }
    None
}

/// Its words in small letters with a space around each, «ё» as «е».
fn words(sentence: &str) -> String {
    let lower = sentence.to_lowercase().replace('ё', "е").replace('’', "'");
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'').filter(|word| !word.is_empty());
    words.fold(" ".to_owned(), |line, word| line + word + " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s30_e17_a_second_problem_that_is_announced_or_listed_is_seen() {
        for (text, place) in [
            ("Не приходят брони. Кроме того, в карточке нет телефона.", 1),
            ("Не открывается вкладка. Скриншот во вложении. И ещё: не обновляются цены.", 2),
            ("1. Не приходят брони\n2. Нет телефона у гостя", 1),
            ("Добрый день!\n- ошибка при входе\n- не вижу сделок", 2),
            ("Bookings do not arrive, there is an error. Also, the guest tab doesn't open.", 1),
            ("The tab is broken. Thanks! Another question: could you add the phone?", 2),
            ("Нет броней за вчера. P.S. Можно ли добавить поле «Завтрак»?", 1),
        ] {
            assert_eq!(second_problem(text), Some(place), "{text}");
        }
    }

    #[test]
    fn s30_e17_one_problem_told_at_length_is_one() {
        for text in [
            "",
            "Не приходят брони.",
            "Не приходят брони. Нет ни одной за сегодня. Что делать? Помогите!",
            "Не приходят брони. Также прикладываю скриншот.",
            "Ошибка при входе. Ещё вчера всё работало, а сегодня не открывается.",
            "Ошибка при входе. Кроме того, у коллеги та же ошибка.",
            "Пропал интернет. Также интернета не было вчера.",
            "1. Открыл бронь\n2. Нажал «Сохранить»\n3. Вышла ошибка",
            "The tab fails with an error. Also, the same error is shown to my colleague.",
            "It fails. Besides the tab everything is fine.",
            "Кроме того, не приходят брони.",
            "- не приходят брони\n- версия 8.9\n- Москва",
        ] {
            assert_eq!(second_problem(text), None, "{text}");
        }
    }
}
