//! A position in the stream of changes: the highest stamp the server gave, and what was seen just below it.
//!
//! Stamps are the hotel's wall clock with a resolution of a second, so windows overlap and what was seen is skipped
//! (facts §6.7). Our own clock decides nothing here.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDateTime};
use serde::{Deserialize, Serialize};

/// Changes remembered at most; beyond it the oldest are forgotten, which costs a repeated read and nothing else.
const SEEN_CAP: usize = 2000;

/// A changed record as a window shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub number: String,
    /// `None` where the hotel does not return the stamp.
    pub stamp: Option<NaiveDateTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub high: NaiveDateTime,
    /// Number → stamp of what was handed over, not older than the overlap.
    #[serde(default)]
    pub seen: BTreeMap<String, NaiveDateTime>,
}

/// What a window means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sifted {
    /// To be read now, oldest change first.
    pub due: Vec<Sighting>,
    /// Too young: seconds until the oldest of them has settled.
    pub settles_in: Option<i64>,
    /// The newest change known is no longer there: the PMS was restored, or its clock set back.
    pub went_back: bool,
}

impl Mark {
    pub fn at(high: NaiveDateTime) -> Self {
        Self { high, seen: BTreeMap::new() }
    }

    /// Where the next window begins. `server_now` only ever lowers it: a PMS clock that once ran ahead must not hide
    /// what happens before it.
    pub fn from(&self, server_now: NaiveDateTime, overlap: Duration) -> NaiveDateTime {
        self.high.min(server_now) - overlap
    }

    /// Sorts out a window's rows. `now` is the PMS's clock as well as it is known; what is younger than `settle` may be
    /// half-built and waits.
    pub fn sift(&self, rows: Vec<Sighting>, now: NaiveDateTime, settle: Duration) -> Sifted {
        let mut sifted = Sifted::default();
        let newest = rows.iter().filter_map(|row| row.stamp).max();
        sifted.went_back = !self.seen.is_empty()
            && rows.iter().all(|row| row.stamp.is_some())
            && newest.is_none_or(|newest| newest < self.high);
        for row in rows {
            match row.stamp {
                Some(stamp) if self.seen.get(&row.number) == Some(&stamp) => {}
                Some(stamp) if !settle.is_zero() && now - stamp < settle => {
                    let left = (settle - (now - stamp)).num_seconds().max(1);
                    sifted.settles_in = Some(sifted.settles_in.map_or(left, |other: i64| other.min(left)));
                }
                _ => sifted.due.push(row),
            }
        }
        sifted.due.sort_by(|a, b| (a.stamp, &a.number).cmp(&(b.stamp, &b.number)));
        sifted
    }

    /// Records of a batch were handed over. Called in the order of `Sifted::due`, so nothing below `high` is open.
    pub fn delivered<'a>(&mut self, rows: impl IntoIterator<Item = &'a Sighting>, overlap: Duration) {
        for row in rows {
            if let Some(stamp) = row.stamp {
                self.high = self.high.max(stamp);
                self.seen.insert(row.number.clone(), stamp);
            }
        }
        let floor = self.high - overlap;
        self.seen.retain(|_, stamp| *stamp >= floor);
        if self.seen.len() > SEEN_CAP {
            let mut stamps: Vec<NaiveDateTime> = self.seen.values().copied().collect();
            stamps.sort_unstable();
            let keep = stamps.get(stamps.len() - SEEN_CAP).copied().unwrap_or(floor);
            self.seen.retain(|_, stamp| *stamp > keep);
        }
    }

    /// Follows the PMS back.
    pub fn back_to(&mut self, newest: Option<NaiveDateTime>, window_from: NaiveDateTime) {
        self.high = newest.unwrap_or(window_from);
        self.seen.retain(|_, stamp| *stamp <= self.high);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> NaiveDateTime {
        chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("time").naive_utc()
    }

    fn seen(number: &str, seconds: i64) -> Sighting {
        Sighting { number: number.into(), stamp: Some(at(seconds)) }
    }

    const OVERLAP: Duration = Duration::minutes(10);
    const SETTLE: Duration = Duration::seconds(3);

    #[test]
    fn s1_a_young_change_waits_and_a_seen_one_is_skipped() {
        let mut mark = Mark::at(at(0));
        let sifted = mark.sift(vec![seen("1", 100), seen("2", 99), seen("3", 90)], at(101), SETTLE);
        assert_eq!(sifted.due, [seen("3", 90)]);
        assert_eq!(sifted.settles_in, Some(1));
        mark.delivered(&sifted.due, OVERLAP);
        let sifted = mark.sift(vec![seen("1", 100), seen("2", 99), seen("3", 90)], at(104), SETTLE);
        assert_eq!(sifted.due, [seen("2", 99), seen("1", 100)]);
        assert_eq!(sifted.settles_in, None);
    }

    #[test]
    fn s1_a_restored_pms_is_noticed() {
        let mut mark = Mark::at(at(0));
        mark.delivered(&[seen("1", 100)], OVERLAP);
        assert!(!mark.sift(vec![seen("1", 100)], at(200), SETTLE).went_back);
        assert!(!mark.sift(vec![seen("1", 150)], at(200), SETTLE).went_back);
        assert!(mark.sift(vec![], at(200), SETTLE).went_back);
        let sifted = mark.sift(vec![seen("1", 40)], at(200), SETTLE);
        assert!(sifted.went_back);
        assert_eq!(sifted.due, [seen("1", 40)]);
        mark.back_to(Some(at(40)), at(-500));
        assert_eq!(mark.high, at(40));
    }

    #[test]
    fn s1_a_clock_that_ran_ahead_hides_nothing() {
        let mark = Mark::at(at(86_400));
        assert_eq!(mark.from(at(0), OVERLAP), at(-600));
        assert_eq!(mark.from(at(90_000), OVERLAP), at(85_800));
    }

    #[test]
    fn s1_what_is_remembered_is_bounded() {
        let mut mark = Mark::at(at(0));
        let rows: Vec<_> = (0..5000).map(|i| seen(&i.to_string(), i / 10)).collect();
        mark.delivered(&rows, OVERLAP);
        assert!(mark.seen.len() <= SEEN_CAP);
        assert!(mark.seen.contains_key("4999"));
    }

    proptest! {
        /// Whatever changes when, and whenever we look: each record's last change is handed over.
        #[test]
        fn s1_no_change_is_lost_between_windows(
            edits in prop::collection::vec((0u8..6, 0i64..4000), 1..40),
            looks in prop::collection::vec(0i64..4000, 1..20),
            crash in prop::collection::vec(any::<bool>(), 20),
        ) {
            let mut edits = edits;
            edits.sort_by_key(|(_, when)| *when);
            let mut looks = looks;
            looks.extend([4003, 4100]);
            looks.sort_unstable();
            let mut mark = Mark::at(at(-1));
            let mut got = BTreeMap::new();
            for (index, now) in looks.into_iter().enumerate() {
                let from = mark.from(at(now), OVERLAP);
                let mut truth = BTreeMap::new();
                for (number, when) in edits.iter().filter(|(_, when)| *when <= now) {
                    truth.insert(number.to_string(), at(*when));
                }
                let rows = truth.into_iter().filter(|(_, stamp)| *stamp >= from)
                    .map(|(number, stamp)| Sighting { number, stamp: Some(stamp) }).collect();
                let sifted = mark.sift(rows, at(now), SETTLE);
                prop_assert!(!sifted.went_back);
                for lot in sifted.due.chunks(2) {
                    for row in lot {
                        got.insert(row.number.clone(), row.stamp);
                    }
                    mark.delivered(lot, OVERLAP);
                    if crash.get(index).copied().unwrap_or(false) {
                        break;
                    }
                }
            }
            let mut last = BTreeMap::new();
            for (number, when) in edits {
                last.insert(number.to_string(), Some(at(when)));
            }
            // The last look may have been cut short by a crash; one more closes it.
            let from = mark.from(at(4200), OVERLAP);
            let rows = last.iter().filter(|(_, stamp)| **stamp >= Some(from))
                .map(|(number, stamp)| Sighting { number: number.clone(), stamp: *stamp }).collect();
            for row in mark.sift(rows, at(4200), SETTLE).due {
                got.insert(row.number, row.stamp);
            }
            prop_assert_eq!(got, last);
        }
    }
}
