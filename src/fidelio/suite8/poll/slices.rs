//! Cutting a range of arrivals into questions a hotel can answer in time (facts §6.5: the interface has no paging).

use chrono::{Duration, NaiveDate};

/// Rows one answer should bring.
const TARGET: usize = 400;
/// Nights of a season fit into one answer of a small hotel; years without arrivals pass quickly.
const MAX_DAYS: i64 = 366;
/// Where numbers are halved while the highest one is unknown.
const NUMBERS: u64 = 1 << 24;

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    Days {
        from: NaiveDate,
        to: NaiveDate,
    },
    /// A day too large for one answer: reservations `from..to` of it, `to` open at the end.
    Numbers {
        day: NaiveDate,
        from: u64,
        to: Option<u64>,
    },
}

/// Walks a range of days, adapting to the hotel.
#[derive(Debug, Clone)]
pub struct Slicer {
    next: Option<NaiveDate>,
    to: NaiveDate,
    days: i64,
    /// Parts of the current day that are still to be read, last one first.
    parts: Vec<(u64, Option<u64>)>,
}

impl Slicer {
    pub fn new(from: NaiveDate, to: NaiveDate) -> Self {
        Self { next: (from <= to).then_some(from), to, days: 7, parts: Vec::new() }
    }

    /// The question to ask; the same one until [`Self::done`] or [`Self::too_much`].
    pub fn slice(&self) -> Option<Slice> {
        let from = self.next?;
        if let Some((low, high)) = self.parts.last() {
            return Some(Slice::Numbers { day: from, from: *low, to: *high });
        }
        let to = from.checked_add_signed(Duration::days(self.days - 1)).unwrap_or(self.to).min(self.to);
        Some(Slice::Days { from, to })
    }

    /// It was answered with `rows` rows. Answers the last day that is read whole now, if one is.
    pub fn done(&mut self, rows: usize) -> Option<NaiveDate> {
        let whole = match self.slice()? {
            Slice::Numbers { day, .. } => {
                self.parts.pop();
                if !self.parts.is_empty() {
                    return None;
                }
                day
            }
            Slice::Days { to, .. } => {
                if rows > 2 * TARGET {
                    self.days = (self.days / 2).max(1);
                } else if rows < TARGET / 2 {
                    let factor = if rows == 0 { 4 } else { 2 };
                    self.days = (self.days * factor).min(MAX_DAYS);
                }
                to
            }
        };
        self.next = whole.succ_opt().filter(|next| *next <= self.to);
        Some(whole)
    }

    /// It was too much for one answer; `false` when it cannot be cut further.
    pub fn too_much(&mut self) -> bool {
        match self.slice() {
            None => false,
            Some(Slice::Days { from, to }) if from < to => {
                // A slice at the end of the range may be shorter than the span.
                let length = to.signed_duration_since(from).num_days() + 1;
                self.days = (length / 2).max(1);
                true
            }
            Some(Slice::Days { .. }) => {
                self.parts = vec![(NUMBERS / 2, None), (0, Some(NUMBERS / 2))];
                true
            }
            Some(Slice::Numbers { from, to, .. }) => {
                let middle = match to {
                    Some(to) => from + (to - from) / 2,
                    None => from.saturating_mul(2).max(1),
                };
                if middle <= from || to.is_none() && from >= u64::from(u32::MAX) {
                    return false;
                }
                self.parts.pop();
                self.parts.extend([(middle, to), (from, Some(middle))]);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(offset: i64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 1).expect("date") + Duration::days(offset)
    }

    #[test]
    fn s1_a_day_too_large_is_read_by_numbers() {
        let mut slicer = Slicer::new(day(0), day(0));
        assert!(slicer.too_much());
        assert_eq!(slicer.slice(), Some(Slice::Numbers { day: day(0), from: 0, to: Some(NUMBERS / 2) }));
        assert!(slicer.too_much());
        assert_eq!(slicer.slice(), Some(Slice::Numbers { day: day(0), from: 0, to: Some(NUMBERS / 4) }));
        assert_eq!(slicer.done(9), None);
        assert_eq!(slicer.done(9), None);
        assert_eq!(slicer.slice(), Some(Slice::Numbers { day: day(0), from: NUMBERS / 2, to: None }));
        assert_eq!(slicer.done(9), Some(day(0)));
        assert_eq!(slicer.slice(), None);
    }

    #[test]
    fn s1_a_hotel_that_never_answers_is_given_up() {
        let mut slicer = Slicer::new(day(0), day(300));
        let mut tries = 0;
        while slicer.too_much() {
            tries += 1;
            assert!(tries < 100);
        }
    }

    proptest! {
        /// Whatever is too much and whatever comes back: each day is covered once, each number of a cut day too.
        #[test]
        fn s1_slices_cover_every_day_once(length in 0i64..200, fates in prop::collection::vec((any::<bool>(), 0usize..3000), 1..400)) {
            let mut slicer = Slicer::new(day(0), day(length));
            let mut next = day(0);
            let mut low = 0;
            let mut fates = fates.into_iter().chain(std::iter::repeat((false, 10)));
            while let Some(slice) = slicer.slice() {
                let (too_much, rows) = fates.next().expect("endless");
                if too_much && slicer.too_much() {
                    continue;
                }
                match slice {
                    Slice::Days { from, to } => {
                        prop_assert_eq!(from, next);
                        prop_assert!(to <= day(length));
                        next = to + Duration::days(1);
                    }
                    Slice::Numbers { day, from, to } => {
                        prop_assert_eq!(day, next);
                        prop_assert_eq!(from, low);
                        low = to.unwrap_or(0);
                        if to.is_none() {
                            next = day + Duration::days(1);
                        }
                    }
                }
                if let Some(whole) = slicer.done(rows) {
                    prop_assert_eq!(whole + Duration::days(1), next);
                }
            }
            prop_assert_eq!(next, day(length) + Duration::days(1));
        }
    }
}
