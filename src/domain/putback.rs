//! How often people's edits of a field that follows the hotel were put back: a robot is not fought for ever (product §2.6).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::change_set::{ChangeSet, alike, change_set, ours};
use super::crm::{CrmValue, Fields};

/// So often a field is put back …
const MOST: usize = 3;
/// … within this time; then it is a problem for people, and the value is not put back until one of them decides, the
/// hotel has another value, or this time has passed since it was last put back.
const WINDOW_MS: i64 = 24 * 3_600_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PutBack {
    /// When it was put back; within the last [`WINDOW_MS`] at each edit.
    #[serde(default)]
    times: Vec<i64>,
    /// It was changed once too often.
    #[serde(default)]
    quarrel: bool,
    /// The hotel's value that is fought over.
    over: CrmValue,
    /// What the others put in its place last.
    theirs: CrmValue,
}

impl PutBack {
    fn stopped(&self, now: i64) -> bool {
        self.quarrel && self.times.last().is_some_and(|last| now - last <= WINDOW_MS)
    }

    /// Whether the quarrel is over this value.
    fn is_over(&self, desired: &CrmValue) -> bool {
        match (&self.over, desired) {
            (CrmValue::Texts(over), CrmValue::Texts(desired)) => desired.is_subset(over),
            (over, desired) => alike(over, desired),
        }
    }
}

fn one(field: &str, value: &CrmValue) -> Fields {
    [(field.to_owned(), value.clone())].into()
}

/// So many notes a record's timeline gets within [`WINDOW_MS`].
const NOTES: usize = 3;

/// Of one record, by field. Holds values of guests: sealed where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PutBacks {
    by_field: BTreeMap<String, PutBack>,
    /// Fields put back of which nobody was told yet.
    owed: BTreeSet<String>,
    /// When people were told.
    told: Vec<i64>,
}

impl PutBacks {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// People are told of what is about to take a value of theirs away. What the hotel says anew is no put-back.
    pub fn owe(&mut self, set: &ChangeSet, held: &Fields) {
        let is_back = |(field, want): &(&String, &CrmValue)| {
            let stands = held.get(*field).unwrap_or(&CrmValue::Empty);
            self.by_field.get(*field).is_some_and(|put| alike(&put.theirs, stands) && put.is_over(want))
        };
        // Of phones and e-mails it is our part of them that is fought over.
        let comms = set.comms.iter().filter_map(|(field, _)| Some((field, set.after.get(&ours(field))?)));
        let back: Vec<String> = set.write.iter().chain(comms).filter(is_back).map(|(field, _)| field.clone()).collect();
        self.owed.extend(back);
    }

    pub fn owed(&self) -> &BTreeSet<String> {
        &self.owed
    }

    pub fn may_tell(&self, now: i64) -> bool {
        self.told.iter().filter(|at| now - **at <= WINDOW_MS).count() < NOTES
    }

    pub fn told(&mut self, now: i64) {
        self.forget_notes();
        self.told.retain(|at| now - *at <= WINDOW_MS);
        self.told.push(now);
    }

    pub fn forget_notes(&mut self) {
        self.owed.clear();
    }

    /// Whether any field's quarrel went so far that people were told.
    pub fn quarrels(&self) -> bool {
        self.by_field.values().any(|put| put.quarrel)
    }

    /// Someone changed the field from `held` to `theirs`; `true`: once too often, just now. Whoever gives the hotel its
    /// value back ends the quarrel.
    pub fn count(&mut self, field: &str, held: &CrmValue, theirs: &CrmValue, now: i64) -> bool {
        let given_back = |put: &PutBack| change_set(&one(field, &put.over), &one(field, theirs)).is_empty();
        if self.by_field.get(field).is_some_and(|put| put.quarrel && given_back(put)) {
            self.by_field.remove(field);
            return false;
        }
        let begin = || PutBack { times: Vec::new(), quarrel: false, over: held.clone(), theirs: theirs.clone() };
        let put = self.by_field.entry(field.to_owned()).or_insert_with(begin);
        // What the record held was either the others' own value, or one of ours that was written since.
        let another = !alike(held, &put.theirs) && !put.is_over(held);
        if another {
            *put = begin();
        }
        put.theirs = theirs.clone();
        put.quarrel = put.stopped(now);
        if put.quarrel {
            return false;
        }
        put.times.retain(|at| now - at <= WINDOW_MS);
        put.quarrel = put.times.len() >= MOST;
        if !put.quarrel {
            put.times.push(now);
        }
        put.quarrel
    }

    /// The field is not put back any more.
    pub fn stopped(&self, field: &str, now: i64) -> bool {
        self.by_field.get(field).is_some_and(|put| put.stopped(now))
    }

    /// What is left to write of what is desired: a value that was not fought over is news, and is written.
    pub fn uncontested(&self, mut desired: Fields, now: i64) -> Fields {
        desired
            .retain(|field, want| !self.by_field.get(field).is_some_and(|put| put.stopped(now) && put.is_over(want)));
        desired
    }

    /// Where the record holds what is desired again, the quarrel is over.
    pub fn settle(&mut self, desired: &Fields, held: &Fields) {
        self.by_field.retain(|field, put| {
            let agreed = desired.get(field).is_some_and(|want| change_set(&one(field, want), held).is_empty());
            !put.quarrel || !agreed
        });
    }

    /// A person wants the hotel's values back.
    pub fn forgive(&mut self) {
        self.by_field.clear();
    }

    /// The same of some fields.
    pub fn forgive_of(&mut self, of: impl Fn(&str) -> bool) {
        self.by_field.retain(|field, _| !of(field));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn text(value: &str) -> CrmValue {
        CrmValue::Text(value.to_owned())
    }

    fn fields(of: &[(&str, &str)]) -> Fields {
        of.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
    }

    /// A robot that changes the hotel's value at these hours; when it was once too often.
    fn fight(puts: &mut PutBacks, ours: &str, hours: &[i64]) -> Vec<bool> {
        hours.iter().map(|hour| puts.count("room", &text(ours), &text("robot"), hour * HOUR)).collect()
    }

    fn left(puts: &PutBacks, room: &str, hour: i64) -> Vec<String> {
        puts.uncontested(fields(&[("room", room), ("rate", "1")]), hour * HOUR).into_keys().collect()
    }

    #[test]
    fn s1_a_field_is_put_back_three_times_a_day_and_no_other_pays_for_it() {
        let mut puts = PutBacks::default();
        assert_eq!(fight(&mut puts, "101", &[0, 1, 2, 3]), [false, false, false, true]);
        assert!(!puts.count("room", &text("robot"), &text("another"), 4 * HOUR), "told once");
        assert!(puts.stopped("room", 4 * HOUR) && !puts.stopped("rate", 4 * HOUR));
        assert_eq!(left(&puts, "101", 4), ["rate"]);
        let desired = fields(&[("room", "101")]);
        puts.settle(&desired, &fields(&[("room", "robot")]));
        assert!(puts.stopped("room", 4 * HOUR), "the record still holds something else");
        assert!(puts.quarrels());
        puts.settle(&desired, &desired);
        assert!(!puts.stopped("room", 4 * HOUR) && !puts.quarrels());
    }

    #[test]
    fn s1_whoever_gives_the_hotel_its_value_back_ends_the_quarrel() {
        let mut puts = PutBacks::default();
        fight(&mut puts, "101", &[0, 1, 2, 3]);
        assert!(!puts.count("room", &text("robot"), &text("102"), 4 * HOUR) && puts.quarrels());
        assert!(!puts.count("room", &text("102"), &text("101"), 5 * HOUR) && !puts.quarrels());
        assert_eq!(
            fight(&mut puts, "101", &[6, 7, 8, 9]),
            [false, false, false, true],
            "the next one begins from nothing"
        );
    }

    #[test]
    fn s1_four_edits_in_two_days_are_no_quarrel() {
        assert!(!fight(&mut PutBacks::default(), "101", &[0, 10, 20, 30, 40]).contains(&true));
    }

    #[test]
    fn s1_three_times_are_counted_over_the_last_day_whenever_the_first_one_was() {
        assert_eq!(
            fight(&mut PutBacks::default(), "101", &[0, 22, 23, 25, 26]),
            [false, false, false, false, true],
            "those of 22, 23 and 25 are one day's, although another had begun at 0"
        );
    }

    #[test]
    fn s1_a_new_value_of_the_hotel_is_written_and_its_quarrel_begins_anew() {
        let mut puts = PutBacks::default();
        fight(&mut puts, "101", &[0, 0, 0, 0]);
        puts.count("room", &text("robot"), &text("another"), 0);
        assert_eq!(
            (left(&puts, "101", 1), left(&puts, "205", 1)),
            (vec!["rate".into()], vec!["rate".into(), "room".into()])
        );
        assert_eq!(fight(&mut puts, "205", &[1, 1, 1, 1]), [false, false, false, true]);
        assert_eq!(
            (left(&puts, "205", 2), left(&puts, "101", 2)),
            (vec!["rate".into()], vec!["rate".into(), "room".into()])
        );
    }

    #[test]
    fn s1_a_quarrel_ends_a_day_after_the_last_time() {
        let mut puts = PutBacks::default();
        fight(&mut puts, "101", &[0, 1, 2, 3]);
        assert!(!fight(&mut puts, "101", &[26])[0]);
        assert_eq!(
            (left(&puts, "101", 26), left(&puts, "101", 27)),
            (vec!["rate".into()], vec!["rate".into(), "room".into()])
        );
        assert_eq!(fight(&mut puts, "101", &[27, 28, 29, 30]), [false, false, false, true]);
    }

    #[test]
    fn s1_people_are_told_of_what_was_put_back_three_times_a_day_and_not_of_the_hotels_news() {
        let mut puts = PutBacks::default();
        puts.count("room", &text("101"), &text("by hand"), 0);
        let (held, back) = (fields(&[("room", "by hand"), ("rate", "1")]), fields(&[("room", "101"), ("rate", "2")]));
        let written = |write: Fields| ChangeSet { write, ..ChangeSet::default() };
        puts.owe(&written(fields(&[("room", "205")])), &held);
        assert!(puts.owed().is_empty(), "the hotel's news");
        puts.owe(&written(back), &held);
        assert_eq!(puts.owed().iter().collect::<Vec<_>>(), ["room"]);
        for hour in 0..3 {
            assert!(puts.may_tell(hour * HOUR));
            puts.told(hour * HOUR);
            assert!(puts.owed().is_empty());
        }
        assert!(!puts.may_tell(24 * HOUR) && puts.may_tell(25 * HOUR));
    }

    #[test]
    fn s1_edits_faster_than_we_put_back_are_one_quarrel() {
        let mut puts = PutBacks::default();
        let values = ["101", "a", "b", "c", "d"].map(text);
        let told: Vec<bool> = values.windows(2).map(|pair| puts.count("room", &pair[0], &pair[1], 0)).collect();
        assert_eq!(told, [false, false, false, true]);
        assert_eq!(left(&puts, "101", 0), ["rate"]);
    }
}
