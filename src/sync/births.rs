//! People whose records are being made. One person under two profiles is found here before either has a record.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::matching::{Names, compare};

/// By outbox row; phones and e-mails as keyed hashes, the name as keyed tokens.
#[derive(Default)]
pub(super) struct Births {
    rows: HashMap<i64, (Vec<String>, BTreeSet<String>)>,
    by_hash: HashMap<String, Vec<i64>>,
    /// Rows whose outcome was not heard: the person may be there, or come yet.
    unheard: HashSet<i64>,
}

impl Births {
    /// Somebody without a phone and an e-mail cannot be told from others: he is nobody's twin.
    pub fn insert(&mut self, row: i64, hashes: Vec<String>, name: BTreeSet<String>) {
        self.remove(row);
        if hashes.is_empty() {
            return;
        }
        for hash in &hashes {
            self.by_hash.entry(hash.clone()).or_default().push(row);
        }
        self.rows.insert(row, (hashes, name));
    }

    pub fn remove(&mut self, row: i64) {
        let Some((hashes, _)) = self.rows.remove(&row) else { return };
        for hash in hashes {
            if let Some(rows) = self.by_hash.get_mut(&hash) {
                rows.retain(|other| *other != row);
                if rows.is_empty() {
                    self.by_hash.remove(&hash);
                }
            }
        }
    }

    /// No answer came: whoever looks like this one waits until that is settled.
    pub fn unheard(&mut self, row: i64) {
        self.unheard.insert(row);
    }

    pub fn is_unheard(&self, row: i64) -> bool {
        self.unheard.contains(&row)
    }

    /// The row's request is over.
    pub fn sent(&mut self, row: i64) {
        if !self.is_unheard(row) {
            self.remove(row);
        }
    }

    /// What was not heard is known now.
    pub fn settled(&mut self, row: i64) {
        self.unheard.remove(&row);
        self.remove(row);
    }

    /// Another row that makes a record of the same person: a phone or e-mail in common, and a compatible name.
    pub fn twin(&self, row: i64, hashes: &[String], name: &BTreeSet<String>) -> Option<i64> {
        let others = hashes.iter().filter_map(|hash| self.by_hash.get(hash)).flatten();
        others.copied().filter(|other| *other != row).find(|other| {
            self.rows.get(other).is_some_and(|(_, others_name)| compare(name, others_name) == Names::Compatible)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_twin_is_found_by_any_phone_or_email_and_a_compatible_name_until_he_is_removed() {
        let hashes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let name = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        let mut births = Births::default();
        births.insert(1, hashes(&["phone", "mail"]), name("l:petrova o:anna"));
        births.insert(2, hashes(&["phone"]), name("l:ivanov o:boris"));
        births.insert(3, hashes(&[]), name("l:petrova o:anna"));
        assert_eq!(births.twin(9, &hashes(&["other", "mail"]), &name("l:petrova o:anna")), Some(1));
        assert_eq!(
            births.twin(1, &hashes(&["phone", "mail"]), &name("l:petrova o:anna")),
            None,
            "nobody is his own twin"
        );
        assert_eq!(births.twin(9, &hashes(&["phone"]), &name("l:novak o:clara")), None);
        births.insert(1, hashes(&["new"]), name("l:petrova o:anna"));
        assert_eq!(births.twin(9, &hashes(&["mail"]), &name("l:petrova o:anna")), None, "said anew");
        births.unheard(1);
        births.sent(1);
        assert_eq!(births.twin(9, &hashes(&["new"]), &name("l:petrova o:anna")), Some(1), "may come yet");
        births.settled(1);
        assert_eq!(births.twin(9, &hashes(&["new"]), &name("l:petrova o:anna")), None);
    }
}
