//! Which deal a booking's own comments name (product §2.14): the manager sold first and wrote the deal's number into the
//! booking.

/// Words that stand before the number of a deal, small.
const WORDS: [&str; 4] = ["сделка", "deal", "битрикс24", "bitrix24"];

/// The one deal that the comments name; `None` where they name none, or several.
pub fn deal_of(comments: &[String]) -> Option<i64> {
    let mut named: Vec<i64> = comments.iter().flat_map(|text| numbers(text)).collect();
    named.sort_unstable();
    named.dedup();
    match named.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

fn numbers(text: &str) -> Vec<i64> {
    let text = text.to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || "№#:-/,.;()[]".contains(c)).filter(|word| !word.is_empty()).collect();
    let follows = |pair: &[&str]| match pair {
        [word, number] if WORDS.contains(word) => number.parse::<i64>().ok().filter(|id| *id > 0),
        _ => None,
    };
    words.windows(2).filter_map(follows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_comment_names_a_deal_by_a_word_and_its_number() {
        let of = |texts: &[&str]| deal_of(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        for text in ["Сделка №1234", "deal 1234", "late arrival; Deal #1234.", "см. Bitrix24: сделка 1234, оплата 50%"]
        {
            assert_eq!(of(&[text]), Some(1234), "{text}");
        }
        assert_eq!(of(&["сделка 1234", "deal 1234"]), Some(1234));
        for texts in [&["deal 1", "deal 2"][..], &["1234"], &["дилер 12"], &["deal 0"], &["deal"], &[]] {
            assert_eq!(of(texts), None, "{texts:?}");
        }
    }
}
