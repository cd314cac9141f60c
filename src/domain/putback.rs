//! How often people's edits of a field that follows the hotel were put back: a robot is not fought for ever (product §2.6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::crm::Fields;

/// So often a field is put back …
const MOST: i32 = 3;
/// … within this time; then it is a problem for people, and the field is left as it is until one of them decides.
const WINDOW_MS: i64 = 24 * 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    pub count: i32,
    pub since: i64,
}

/// Of one record, by field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PutBacks(BTreeMap<String, PutBack>);

impl PutBacks {
    /// Someone changed the field; `true`: once too often, just now.
    pub fn count(&mut self, field: &str, now: i64) -> bool {
        let held = self.0.entry(field.to_owned()).or_insert(PutBack { count: 0, since: now });
        if held.count > MOST {
            return false;
        }
        if now - held.since > WINDOW_MS {
            *held = PutBack { count: 0, since: now };
        }
        held.count += 1;
        held.count > MOST
    }

    /// The field is not written any more.
    pub fn contested(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|held| held.count > MOST)
    }

    /// What is left to write of what is desired.
    pub fn uncontested(&self, mut desired: Fields) -> Fields {
        desired.retain(|field, _| !self.contested(field));
        desired
    }

    /// Where the record holds what is desired again, the quarrel is over.
    pub fn settle(&mut self, desired: &Fields, held: &Fields) {
        self.0.retain(|field, put| {
            let agreed = desired.get(field).zip(held.get(field)).is_some_and(|(want, has)| want.same(has));
            put.count <= MOST || !agreed
        });
    }

    /// A person wants the hotel's values back.
    pub fn forgive(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CrmValue;

    #[test]
    fn s1_a_field_is_put_back_three_times_a_day_and_no_other_pays_for_it() {
        let mut puts = PutBacks::default();
        assert_eq!(
            [0, 1, 2, 3, 4].map(|hour| puts.count("room", hour * 3_600_000)),
            [false, false, false, true, false]
        );
        assert!(puts.contested("room") && !puts.contested("rate"));
        let fields: Fields = ["room", "rate"].map(|name| (name.to_owned(), CrmValue::Int(1))).into();
        assert_eq!(puts.uncontested(fields.clone()).into_keys().collect::<Vec<_>>(), ["rate"]);
        puts.settle(&fields, &[("room".to_owned(), CrmValue::Int(2))].into());
        assert!(puts.contested("room"), "the record still holds something else");
        puts.settle(&fields, &fields);
        assert!(!puts.contested("room"));
    }

    #[test]
    fn s1_four_edits_in_two_days_are_no_quarrel() {
        let mut puts = PutBacks::default();
        assert!(![0, 10, 20, 30, 40].map(|hour| puts.count("room", hour * 3_600_000)).contains(&true));
    }
}
