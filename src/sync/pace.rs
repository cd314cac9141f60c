//! When a source is looked at next, decided from how long nothing happened there.
//!
//! A wait is at most a tenth of the quiet before it, so a busy hotel is read at the set pace and a sleeping one is left
//! alone, while a change never waits longer than [`LONGEST_WAIT`] for the look that sees it.

use std::time::Duration;

/// A quiet hotel is looked at this many times less often at most...
const STRETCH: u32 = 4;
/// ...and never less often than this, unless the set pace itself is slower.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest pause between tries at a source that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The wait after a look that found the source well; `pace` is `pms.poll_seconds`.
pub(super) fn wait(pace: Duration, quiet: Duration) -> Duration {
    let most = pace.saturating_mul(STRETCH).min(LONGEST_WAIT).max(pace);
    (quiet / 10).clamp(pace, most)
}

/// The pause after `failures` failed looks in a row: doubled each time.
pub(super) fn back_off(pace: Duration, failures: i32) -> Duration {
    let doublings = u32::try_from(failures.clamp(1, 16)).unwrap_or(1) - 1;
    pace.saturating_mul(1 << doublings).min(LONGEST_PAUSE.max(pace))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn s1_a_quiet_hotel_is_looked_at_less_often_and_a_busy_one_at_the_set_pace() {
        for (pace, quiet, expected) in [
            (15, 0, 15),
            (15, 150, 15),
            (15, 300, 30),
            (15, 86_400, 60),
            (2, 40, 4),
            (2, 86_400, 8),
            // A pace that is slow already is kept.
            (120, 0, 120),
            (120, 86_400, 120),
        ] {
            assert_eq!(wait(seconds(pace), seconds(quiet)), seconds(expected), "{pace} {quiet}");
        }
    }

    #[test]
    fn s1_trouble_backs_off_and_is_never_tried_faster_than_the_pace() {
        let pauses: Vec<u64> = (1..=8).map(|failures| back_off(seconds(15), failures).as_secs()).collect();
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300, 300]);
        assert_eq!(back_off(seconds(600), 3), seconds(600));
        assert_eq!(back_off(seconds(15), i32::MAX), seconds(300));
    }

    proptest! {
        #[test]
        fn s1_no_wait_is_longer_than_a_tenth_of_the_quiet_or_a_minute(pace in 1u64..60, quiet in 0u64..200_000) {
            let wait = wait(seconds(pace), seconds(quiet));
            prop_assert!(wait >= seconds(pace) && wait <= seconds(60));
            prop_assert!(wait == seconds(pace) || wait * 10 <= seconds(quiet));
        }
    }
}
