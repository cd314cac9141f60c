//! How long the portal takes for one row of each kind of write: kept per portal for as long as the process lives, learnt
//! from answers and from requests that were not answered in time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::writes::CommandKind;
use crate::bitrix::Timing;
use crate::domain::PortalId;

/// The share of the newest answer.
const NEWEST: f64 = 0.3;
/// Imports under way at once (see `deliver`): their durations overlap.
const ABREAST: f64 = 3.0;
/// Seconds a method may work in ten minutes (facts §5), less what is kept back.
const OPERATING: f64 = 456.0;
const OPERATING_WINDOW: f64 = 600.0;

#[derive(Debug, Default)]
pub(super) struct Speeds(Mutex<HashMap<(PortalId, CommandKind), Speed>>);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Speed {
    /// Seconds of a request.
    row: f64,
    /// Of the method's operating limit.
    operating_row: f64,
    /// Its counter as last told.
    operating: f64,
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
}

/// The first answer counts whole, each further one for a part.
fn smooth(held: f64, new: f64) -> f64 {
    if held > 0.0 { (1.0 - NEWEST) * held + NEWEST * new } else { new }
}

impl Speeds {
    fn with<T>(&self, portal: PortalId, kind: CommandKind, change: impl FnOnce(&mut Speed) -> T) -> T {
        let mut speeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(speeds.entry((portal, kind)).or_default())
    }

    /// A command of so many rows was answered.
    pub fn answered(&self, portal: PortalId, kind: CommandKind, rows: usize, timing: &Timing) {
        self.with(portal, kind, |speed| {
            if let Some(seconds) = timing.duration {
                speed.row = smooth(speed.row, seconds / number(rows));
            }
            if let Some(counted) = timing.operating {
                let grown = counted - speed.operating;
                if speed.operating > 0.0 && grown > 0.0 {
                    speed.operating_row = smooth(speed.operating_row, grown / number(rows));
                }
                speed.operating = counted;
            }
        });
    }

    /// A request of so many rows was not answered within this time: the next one must be smaller.
    pub fn unanswered(&self, portal: PortalId, kinds: &[CommandKind], rows: usize, seconds: f64) {
        for kind in kinds {
            self.with(portal, *kind, |speed| speed.row = speed.row.max(seconds / number(rows)));
        }
    }

    /// Seconds one row takes; 0 while nothing is known.
    pub fn row(&self, portal: PortalId, kind: CommandKind) -> f64 {
        self.with(portal, kind, |speed| speed.row)
    }

    /// Seconds that so many rows take the portal; `None` while nothing is known.
    pub fn seconds(&self, portal: PortalId, kind: CommandKind, rows: i64) -> Option<f64> {
        let speed = self.with(portal, kind, |speed| *speed);
        let rows = f64::from(i32::try_from(rows.max(0)).unwrap_or(i32::MAX));
        let operating = rows * speed.operating_row;
        // What fits under the limit costs no waiting; beyond it the method works at the limit's own speed.
        let limited = if operating > OPERATING { operating * OPERATING_WINDOW / OPERATING } else { 0.0 };
        (speed.row > 0.0).then(|| (rows * speed.row / ABREAST).max(limited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: PortalId = PortalId(1);
    const KIND: CommandKind = CommandKind::Import;

    fn took(duration: f64, operating: f64) -> Timing {
        Timing { duration: Some(duration), operating: Some(operating), ..Timing::default() }
    }

    #[test]
    fn s48_a_request_that_was_not_answered_makes_the_next_one_smaller() {
        let speeds = Speeds::default();
        speeds.answered(HERE, KIND, 20, &took(0.2, 0.2));
        assert!((speeds.row(HERE, KIND) - 0.01).abs() < 1e-9);
        speeds.unanswered(HERE, &[KIND, CommandKind::Update], 1_000, 60.0);
        assert!((speeds.row(HERE, KIND) - 0.06).abs() < 1e-9, "1,000 rows were too many for 60 s");
        speeds.unanswered(HERE, &[KIND], 1_000, 0.1);
        assert!((speeds.row(HERE, KIND) - 0.06).abs() < 1e-9, "a connection that broke at once says nothing");
        assert!((speeds.row(HERE, CommandKind::Update) - 0.06).abs() < 1e-9);
        assert!(speeds.row(PortalId(2), KIND) < 1e-9, "another portal is another");
    }

    #[test]
    fn s1_an_estimate_goes_by_what_the_portal_took_and_by_its_limit() {
        let speeds = Speeds::default();
        assert_eq!(speeds.seconds(HERE, KIND, 1_000), None);
        speeds.answered(HERE, KIND, 20, &took(0.6, 0.6));
        assert_eq!(speeds.seconds(HERE, KIND, 1_000).map(f64::round), Some(10.0));
        speeds.answered(HERE, KIND, 20, &took(0.6, 1.2));
        assert_eq!(speeds.seconds(HERE, KIND, 1_000).map(f64::round), Some(10.0), "30 s of 456");
        assert_eq!(speeds.seconds(HERE, KIND, 100_000).map(f64::round), Some((3_000.0_f64 * 600.0 / 456.0).round()));
    }
}
