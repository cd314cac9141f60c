//! A position in the stream of changes: the highest stamp the server gave, and what was seen just below it.
//!
//! Stamps are the hotel's wall clock with a resolution of a second, so windows overlap and what was seen is skipped
//! (facts §6.7). A record may change again within the second of its stamp: what bore the newest stamp of all when it was
//! read is read once more when that second must be over. Of our own clock only differences count.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDateTime};
use serde::{Deserialize, Serialize};

/// Changes remembered at most; beyond it the oldest are forgotten, which costs a repeated read and nothing else.
const SEEN_CAP: usize = 2000;
/// The resolution of stamps.
const SECOND_MS: i64 = 1000;

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
    /// Numbers of `seen` whose second may not have been over when they were read, and our time of that in milliseconds.
    #[serde(default)]
    pub open: BTreeMap<String, i64>,
}

/// When a window was looked at, and how far it went.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The PMS's clock, as well as it is known.
    pub now: NaiveDateTime,
    /// What is younger may be half-built and waits.
    pub settle: Duration,
    /// Where the window ended, if it did not reach the present.
    pub to: Option<NaiveDateTime>,
    /// Our time when it was asked for, in milliseconds.
    pub at_ms: i64,
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
        Self { high, seen: BTreeMap::new(), open: BTreeMap::new() }
    }

    /// Where the next window begins. `server_now` only ever lowers it: a PMS clock that once ran ahead must not hide
    /// what happens before it.
    pub fn from(&self, server_now: NaiveDateTime, overlap: Duration) -> NaiveDateTime {
        self.high.min(server_now) - overlap
    }

    /// Sorts out a window's rows.
    pub fn sift(&self, rows: Vec<Sighting>, look: &Look) -> Sifted {
        let Look { now, settle, to, at_ms } = *look;
        let mut sifted = Sifted::default();
        let newest = rows.iter().filter_map(|row| row.stamp).max();
        // `high` may be where a cut window ended, which no record ever bore.
        let last = self.seen.values().max().filter(|last| to.is_none_or(|to| **last < to));
        sifted.went_back = rows.iter().all(|row| row.stamp.is_some())
            && last.is_some_and(|last| newest.is_none_or(|newest| newest < *last));
        for row in rows {
            match row.stamp {
                Some(stamp) if self.seen.get(&row.number) == Some(&stamp) => {
                    if self.open.get(&row.number).is_some_and(|read| !(0..SECOND_MS).contains(&(at_ms - read))) {
                        sifted.due.push(row);
                    }
                }
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

    /// Records of a batch were read at our time `at_ms` and handed over. Called in the order of `Sifted::due`, so nothing
    /// below `high` is unread.
    pub fn delivered(&mut self, rows: &[Sighting], overlap: Duration, at_ms: i64) {
        let newest = rows.iter().filter_map(|row| row.stamp).max();
        let high = newest.map_or(self.high, |newest| newest.max(self.high));
        for row in rows {
            let Some(stamp) = row.stamp else { continue };
            let again = self.seen.get(&row.number) == Some(&stamp);
            let over = self.open.get(&row.number).is_none_or(|read| at_ms - read >= SECOND_MS);
            if stamp >= high && !(again && over) {
                self.open.insert(row.number.clone(), at_ms);
            } else {
                self.open.remove(&row.number);
            }
            self.pass(row, stamp);
        }
        self.forget(overlap);
    }

    /// Records are left to the import.
    pub fn passed(&mut self, rows: &[Sighting], overlap: Duration) {
        for row in rows {
            if let Some(stamp) = row.stamp {
                self.pass(row, stamp);
            }
        }
        self.forget(overlap);
    }

    fn pass(&mut self, row: &Sighting, stamp: NaiveDateTime) {
        self.high = self.high.max(stamp);
        self.seen.insert(row.number.clone(), stamp);
    }

    fn forget(&mut self, overlap: Duration) {
        let floor = self.high - overlap;
        self.seen.retain(|_, stamp| *stamp >= floor);
        if self.seen.len() > SEEN_CAP {
            let mut stamps: Vec<NaiveDateTime> = self.seen.values().copied().collect();
            stamps.sort_unstable();
            let keep = stamps.get(stamps.len() - SEEN_CAP).copied().unwrap_or(floor);
            self.seen.retain(|_, stamp| *stamp > keep);
        }
        self.open.retain(|number, _| self.seen.contains_key(number));
    }

    /// Follows the PMS back.
    pub fn back_to(&mut self, newest: Option<NaiveDateTime>, window_from: NaiveDateTime) {
        self.high = newest.unwrap_or(window_from);
        self.seen.retain(|_, stamp| *stamp <= self.high);
        self.open.retain(|number, _| self.seen.contains_key(number));
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

    fn look(seconds: i64, settle: Duration) -> Look {
        Look { now: at(seconds), settle, to: None, at_ms: seconds * 1000 }
    }

    const OVERLAP: Duration = Duration::minutes(10);
    const SETTLE: Duration = Duration::seconds(3);

    #[test]
    fn s1_a_young_change_waits_and_a_seen_one_is_skipped() {
        let mut mark = Mark::at(at(0));
        let sifted = mark.sift(vec![seen("1", 100), seen("2", 99), seen("3", 90)], &look(101, SETTLE));
        assert_eq!(sifted.due, [seen("3", 90)]);
        assert_eq!(sifted.settles_in, Some(1));
        mark.delivered(&sifted.due, OVERLAP, 101_000);
        let sifted = mark.sift(vec![seen("1", 100), seen("2", 99), seen("4", 90)], &look(104, SETTLE));
        assert_eq!(sifted.due, [seen("4", 90), seen("2", 99), seen("1", 100)]);
        assert_eq!(sifted.settles_in, None);
    }

    #[test]
    fn s1_only_what_bore_the_newest_stamp_is_read_twice_and_only_when_its_second_is_over() {
        let mut mark = Mark::at(at(0));
        let rows = || vec![seen("1", 100), seen("2", 99)];
        let look = |at_ms: i64| Look { at_ms, ..look(at_ms / 1000, Duration::zero()) };
        mark.delivered(&[seen("2", 99), seen("1", 100)], OVERLAP, 100_400);
        assert_eq!(mark.sift(rows(), &look(100_900)).due, []);
        let sifted = mark.sift(rows(), &look(101_400));
        assert_eq!(sifted.due, [seen("1", 100)], "the second of the other was over when it was read");
        mark.delivered(&sifted.due, OVERLAP, 101_500);
        assert_eq!(mark.sift(rows(), &look(200_000)).due, []);
        assert!(mark.open.is_empty());
        // A clock of ours that was put back costs one more read, nothing else.
        mark.delivered(&[seen("3", 201)], OVERLAP, 201_000);
        assert_eq!(mark.sift(vec![seen("3", 201)], &look(150_000)).due, [seen("3", 201)]);
    }

    #[test]
    fn s1_a_window_cut_short_by_a_slow_hotel_is_no_restored_backup() {
        let mut mark = Mark::at(at(0));
        mark.delivered(&[seen("1", 100)], OVERLAP, 100_000);
        // The window ended later than the newest change; nothing was in the rest of it.
        mark.high = at(400);
        assert!(!mark.sift(vec![seen("1", 100)], &look(500, SETTLE)).went_back);
        // What lies behind the end of a window says nothing.
        assert!(!mark.sift(vec![], &Look { to: Some(at(90)), ..look(500, SETTLE) }).went_back);
        assert!(mark.sift(vec![], &look(500, SETTLE)).went_back);
    }

    #[test]
    fn s1_what_is_left_to_the_import_is_not_read() {
        let mut mark = Mark::at(at(0));
        mark.passed(&[seen("1", 100)], OVERLAP);
        assert_eq!(mark.sift(vec![seen("1", 100)], &look(200, SETTLE)).due, []);
    }

    #[test]
    fn s1_a_restored_pms_is_noticed() {
        let mut mark = Mark::at(at(0));
        mark.passed(&[seen("1", 100)], OVERLAP);
        let sift = |mark: &Mark, rows| mark.sift(rows, &look(200, SETTLE));
        assert!(!sift(&mark, vec![seen("1", 100)]).went_back);
        assert!(!sift(&mark, vec![seen("1", 150)]).went_back);
        assert!(sift(&mark, vec![]).went_back);
        let sifted = sift(&mark, vec![seen("1", 40)]);
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
        mark.delivered(&rows, OVERLAP, 0);
        assert!(mark.seen.len() <= SEEN_CAP && mark.open.len() <= SEEN_CAP);
        assert!(mark.seen.contains_key("4999"));
    }

    /// A PMS: the last change of each record, in milliseconds of its own clock.
    struct Truth(BTreeMap<String, i64>);

    impl Truth {
        fn at(edits: &[(u8, i64)], now_ms: i64) -> Self {
            Self(edits.iter().filter(|(_, when)| *when <= now_ms).map(|(n, when)| (n.to_string(), *when)).collect())
        }

        fn window(&self, from: NaiveDateTime) -> Vec<Sighting> {
            let rows = self.0.iter().map(|(number, when)| seen(number, when.div_euclid(1000)));
            rows.filter(|row| row.stamp >= Some(from)).collect()
        }
    }

    proptest! {
        /// Whatever changes when, however often within a second, whenever we look and whatever the PMS's clock says: of
        /// each record the last change is handed over.
        #[test]
        fn s1_no_change_is_lost_between_windows(
            edits in prop::collection::vec((0u8..3, 0i64..4000), 1..40),
            scale in prop::sample::select(vec![1, 1, 7, 1000]),
            looks in prop::collection::vec(0i64..4000, 1..20),
            settle in 0i64..4,
            wrong_by in -5i64..5,
            crash in prop::collection::vec(any::<bool>(), 20),
        ) {
            let mut edits: Vec<(u8, i64)> = edits.into_iter().map(|(number, when)| (number, when * scale)).collect();
            edits.sort_by_key(|(_, when)| *when);
            let end = 4000 * scale;
            let mut looks: Vec<i64> = looks.into_iter().map(|look| look * scale).collect();
            // Looks may be cut short by a crash; the last ones are whole.
            looks.extend([end + 10_000, end + 20_000, end + 30_000]);
            looks.sort_unstable();
            // One after the other: a look ends 300 ms after it began.
            looks.dedup_by(|next, look| *next - *look <= 300);
            let mut mark = Mark::at(at(-1));
            let mut got = BTreeMap::new();
            for (index, now) in looks.into_iter().enumerate() {
                let server = at(now.div_euclid(1000));
                let truth = Truth::at(&edits, now);
                let rows = truth.window(mark.from(server, OVERLAP));
                let guess = server + Duration::seconds(wrong_by);
                let look = Look { now: guess, settle: Duration::seconds(settle), to: None, at_ms: now };
                let sifted = mark.sift(rows, &look);
                prop_assert!(!sifted.went_back);
                for lot in sifted.due.chunks(2) {
                    // Read a little after the window was.
                    let read = Truth::at(&edits, now + 300);
                    for row in lot {
                        got.insert(row.number.clone(), read.0.get(&row.number).copied());
                    }
                    mark.delivered(lot, OVERLAP, now + 300);
                    if now < end && crash.get(index).copied().unwrap_or(false) {
                        break;
                    }
                }
            }
            let last: BTreeMap<String, Option<i64>> = Truth::at(&edits, i64::MAX).0.into_iter().map(|(n, when)| (n, Some(when))).collect();
            prop_assert_eq!(got, last);
        }
    }
}
