//! Whether a profile and a contact are one person (product §2.8): the same phone or e-mail and a compatible name.

use std::collections::BTreeSet;

/// A person's name as words that can be compared in whatever order and script they were written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameWords {
    /// Normalised words of the surname (or of a company's name).
    pub last: BTreeSet<String>,
    /// Normalised words of the other names.
    pub other: BTreeSet<String>,
}

impl NameWords {
    pub fn read(last: &str, others: &[&str]) -> Self {
        Self { last: words(last).into_iter().collect(), other: others.iter().flat_map(|text| words(text)).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.last.is_empty() && self.other.is_empty()
    }

    /// As keyed hashes, for an index that holds no names: `l:` surname, `o:` other, `i:` initial of an other one.
    pub fn tokens(&self, hash: impl Fn(&str) -> String) -> BTreeSet<String> {
        let initials: BTreeSet<String> =
            self.other.iter().filter_map(|word| word.chars().next()).map(String::from).collect();
        self.last
            .iter()
            .map(|word| format!("l:{}", hash(word)))
            .chain(self.other.iter().filter(|word| word.chars().count() > 1).map(|word| format!("o:{}", hash(word))))
            .chain(initials.iter().map(|letter| format!("i:{}", hash(letter))))
            .collect()
    }
}

/// Lower case, Cyrillic in Latin letters, nothing but letters; spellings that differ between hotels' habits meet.
fn words(text: &str) -> Vec<String> {
    let mut latin = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match transliterate(c) {
            Some(letters) => latin.push_str(letters),
            None if c.is_alphanumeric() => latin.push(c),
            None => latin.push(' '),
        }
    }
    latin
        .split_whitespace()
        .map(|word| {
            let word =
                ["iy", "yy", "ii", "ij"].iter().find_map(|end| word.strip_suffix(end).map(|stem| format!("{stem}y")));
            word.unwrap_or_default()
        })
        .zip(latin.split_whitespace())
        .map(|(folded, word)| if folded.is_empty() { word.to_owned() } else { folded })
        .map(|word| word.replace("ks", "x").replace("yu", "iu").replace("ya", "ia").replace("ye", "e"))
        .collect()
}

fn transliterate(c: char) -> Option<&'static str> {
    Some(match c {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' | 'ы' => "y",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ю' => "iu",
        'я' => "ia",
        _ => return None,
    })
}

/// How two names stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Compatible,
    /// One of them is missing: neither for nor against.
    Unknown,
    Different,
}

/// Compares [`NameWords::tokens`]. A surname must be shared (wherever it was typed) and the other names must not
/// contradict: a shared one, a matching initial, or none on one side. A couple with one phone is two people.
pub fn compare(a: &BTreeSet<String>, b: &BTreeSet<String>) -> Names {
    let part = |set: &BTreeSet<String>, kind: &str| -> BTreeSet<String> {
        set.iter().filter_map(|token| token.strip_prefix(kind)).map(str::to_owned).collect()
    };
    let (a_last, a_other, a_initial) = (part(a, "l:"), part(a, "o:"), part(a, "i:"));
    let (b_last, b_other, b_initial) = (part(b, "l:"), part(b, "o:"), part(b, "i:"));
    let a_words: BTreeSet<_> = a_last.union(&a_other).cloned().collect();
    let b_words: BTreeSet<_> = b_last.union(&b_other).cloned().collect();
    if a_words.is_empty() || b_words.is_empty() {
        return Names::Unknown;
    }
    let shared = a_words.intersection(&b_words).count();
    let surname = a_last.intersection(&b_words).next().or_else(|| b_last.intersection(&a_words).next()).is_some();
    if !surname {
        return Names::Different;
    }
    if shared >= 2 {
        return Names::Compatible;
    }
    let one_side_silent = a_initial.is_empty() || b_initial.is_empty();
    if one_side_silent {
        // "Ivanov" alone may be anyone of that family; a company has but one name.
        let both_silent = a_initial.is_empty() && b_initial.is_empty();
        return if both_silent && a_last == b_last { Names::Compatible } else { Names::Unknown };
    }
    let only_initials = a_other.is_empty() || b_other.is_empty();
    if only_initials && a_initial.intersection(&b_initial).next().is_some() {
        Names::Compatible
    } else {
        Names::Different
    }
}

/// A contact or company that shares a phone or an e-mail with the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub crm_id: i64,
    pub name: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Nobody shares a number or an address.
    Nobody,
    Adopt(i64),
    /// Not certain: a new record is made, and people are told which ones to look at.
    Doubtful(Vec<i64>, Doubt),
}

/// Why somebody is not taken for the one he looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The number or address is shared, the name is another, or there is none.
    OtherName,
    /// Several records fit alike.
    Several,
}

impl Doubt {
    pub fn word(self) -> &'static str {
        match self {
            Self::OtherName => "other_name",
            Self::Several => "several",
        }
    }
}

/// Adopts only on exactly one record with a compatible name.
pub fn choose(name: &BTreeSet<String>, candidates: &[Candidate]) -> Match {
    let compatible: Vec<i64> = candidates
        .iter()
        .filter(|candidate| compare(name, &candidate.name) == Names::Compatible)
        .map(|candidate| candidate.crm_id)
        .collect();
    match (compatible.as_slice(), candidates.is_empty()) {
        (_, true) => Match::Nobody,
        ([one], false) => Match::Adopt(*one),
        ([], false) => {
            let all = candidates.iter().map(|candidate| candidate.crm_id).collect();
            Match::Doubtful(all, Doubt::OtherName)
        }
        (several, false) => Match::Doubtful(several.to_vec(), Doubt::Several),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(last: &str, first: &str, middle: &str) -> BTreeSet<String> {
        NameWords::read(last, &[first, middle]).tokens(str::to_owned)
    }

    #[test]
    fn s1_spellings_of_one_name_meet_and_relatives_do_not() {
        let anna = name("Иванова", "Анна", "Сергеевна");
        assert_eq!(compare(&anna, &name("IVANOVA", "ANNA", "")), Names::Compatible);
        assert_eq!(compare(&anna, &name("Анна", "Иванова", "")), Names::Compatible, "typed the other way round");
        assert_eq!(compare(&anna, &name("Иванова", "А.", "")), Names::Compatible);
        assert_eq!(compare(&anna, &name("Иванова", "Мария", "")), Names::Different);
        assert_eq!(compare(&anna, &name("Петрова", "Анна", "")), Names::Different);
        assert_eq!(compare(&anna, &name("Иванова", "", "")), Names::Unknown);
        assert_eq!(compare(&anna, &BTreeSet::new()), Names::Unknown);
        assert_eq!(compare(&name("Дмитрий", "Юрий", ""), &name("Dmitry", "Yury", "")), Names::Compatible);
        assert_eq!(compare(&name("ООО Ромашка", "", ""), &name("ООО «Ромашка»", "", "")), Names::Compatible);
    }

    #[test]
    fn s1_only_one_certain_match_is_adopted() {
        let anna = name("Иванова", "Анна", "");
        let person = |crm_id, last: &str, first: &str| Candidate { crm_id, name: name(last, first, "") };
        assert_eq!(choose(&anna, &[]), Match::Nobody);
        assert_eq!(choose(&anna, &[person(1, "Ivanova", "Anna")]), Match::Adopt(1));
        assert_eq!(choose(&anna, &[person(1, "Ivanova", "Anna"), person(2, "Иванов", "Пётр")]), Match::Adopt(1));
        assert_eq!(
            choose(&anna, &[person(1, "Ivanova", "Anna"), person(2, "Иванова", "Анна")]),
            Match::Doubtful(vec![1, 2], Doubt::Several)
        );
        assert_eq!(choose(&anna, &[person(2, "Иванов", "Пётр")]), Match::Doubtful(vec![2], Doubt::OtherName));
    }
}
