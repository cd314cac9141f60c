//! The ten minutes over which a portal adds up the seconds that a method worked (facts §5), as its answers show them: what
//! is used, and when it comes back.

use std::collections::VecDeque;

const MINUTE_MS: i64 = 60_000;
/// A minute's seconds are forgotten together, so long after the minute began.
const MINUTES: i64 = 10;

/// A forecast of more waits than this is none.
const MOST_STEPS: usize = 20_000;
/// Seconds are told with a few digits.
const LEAST: f64 = 0.01;

/// Seconds by minute, the oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Window(VecDeque<(i64, f64)>);

fn minute(at: i64) -> i64 {
    at.div_euclid(MINUTE_MS)
}

fn forgotten_at(minute: i64) -> i64 {
    (minute + MINUTES) * MINUTE_MS
}

/// The oldest minute that counts, where the portal told when it is forgotten.
fn oldest(reset_at: i64) -> i64 {
    -(-reset_at).div_euclid(MINUTE_MS) - MINUTES
}

fn number(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

impl Window {
    /// Of what was used before nobody knows when: evenly, from the minute that is forgotten first.
    pub fn of(operating: f64, reset_at: i64, until: i64) -> Self {
        let first = oldest(reset_at);
        let last = minute(until).clamp(first, first + MINUTES - 1);
        let each = operating / number(last - first + 1);
        Self((first..=last).map(|minute| (minute, each)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Seconds that count now.
    pub fn used(&self, now: i64) -> f64 {
        self.0.iter().filter(|(minute, _)| forgotten_at(*minute) > now).map(|(_, seconds)| seconds).sum()
    }

    /// The portal said how much is used, and when the oldest of it is forgotten.
    pub fn told(&mut self, at: i64, operating: f64, reset_at: Option<i64>) {
        let first = reset_at.map_or(i64::MIN, oldest);
        self.0.retain(|(minute, _)| forgotten_at(*minute) > at && *minute >= first);
        let held = self.used(at);
        if operating > held {
            match reset_at {
                Some(reset_at) if self.0.is_empty() => *self = Self::of(operating, reset_at, at),
                _ => self.add(minute(at), operating - held),
            }
            return;
        }
        let mut over = held - operating;
        while over > 0.0 {
            let Some((_, seconds)) = self.0.front_mut() else { break };
            if *seconds > over {
                *seconds -= over;
                break;
            }
            over -= *seconds;
            self.0.pop_front();
        }
    }

    fn add(&mut self, minute: i64, seconds: f64) {
        match self.0.back_mut() {
            // The portal's clock and ours may differ by a little.
            Some((last, held)) if *last >= minute => *held += seconds,
            _ => self.0.push_back((minute, seconds)),
        }
    }

    /// When so many seconds more fit under the limit; what is more than the limit fits when nothing else counts.
    pub fn free_at(&self, now: i64, seconds: f64, limit: f64) -> i64 {
        let mut left = limit - self.used(now);
        let mut at = now;
        for (minute, back) in self.0.iter().filter(|(minute, _)| forgotten_at(*minute) > now) {
            if left + LEAST >= seconds {
                break;
            }
            left += back;
            at = forgotten_at(*minute);
        }
        at
    }

    /// When so many seconds of work will be done, at so many a second while they fit under the limit. `portion`: what one
    /// request takes.
    pub fn done_at(&self, now: i64, work: f64, limit: f64, pace: f64, portion: f64) -> i64 {
        let (mut window, mut at, mut left) = (self.clone(), now, work);
        let portion = portion.max(2.0 * LEAST);
        for _ in 0..MOST_STEPS {
            if left <= LEAST {
                return at;
            }
            window.0.retain(|(minute, _)| forgotten_at(*minute) > at);
            let room = limit - window.used(at);
            if room + LEAST < portion.min(left).min(limit) {
                at = window.free_at(at, portion.min(left), limit).max(at + 1);
                continue;
            }
            let until = (minute(at) + 1) * MINUTE_MS;
            let step = (pace * number(until - at) / 1_000.0).min(room).min(left);
            window.add(minute(at), step);
            left -= step;
            at = (at + millis(step / pace)).min(until).max(at + 1);
        }
        // So far ahead the limit's own speed is all that counts.
        at + millis(left * 600.0 / limit)
    }
}

fn millis(seconds: f64) -> i64 {
    let time = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: f64 = 456.0;

    /// What the portal itself counts: exact minutes.
    #[derive(Default)]
    struct Portal(VecDeque<(i64, f64)>);

    impl Portal {
        fn work(&mut self, at: i64, seconds: f64) -> (f64, i64) {
            self.0.push_back((minute(at), seconds));
            self.0.retain(|(minute, _)| forgotten_at(*minute) > at);
            let reset = self.0.front().map_or(at, |(minute, _)| forgotten_at(*minute));
            (self.0.iter().map(|(_, seconds)| seconds).sum(), reset)
        }
    }

    #[test]
    fn s1_what_a_minute_took_comes_back_together_when_it_is_forgotten() {
        let mut window = Window::default();
        window.told(30_000, 180.0, Some(600_000));
        window.told(90_000, 360.0, Some(600_000));
        assert!((window.used(599_999) - 360.0).abs() < 1e-9);
        assert!((window.used(600_000) - 180.0).abs() < 1e-9, "not a tenth of it: that minute was a busy one");
        assert_eq!(window.free_at(100_000, 96.0, LIMIT), 100_000);
        assert_eq!(window.free_at(100_000, 97.0, LIMIT), 600_000);
        assert_eq!(window.free_at(100_000, 300.0, LIMIT), 660_000);
        assert_eq!(window.free_at(100_000, 9_999.0, LIMIT), 660_000, "what never fits goes when nothing else counts");
    }

    #[test]
    fn s1_what_others_used_before_is_taken_to_be_even() {
        let mut window = Window::default();
        window.told(600_000, 480.0, Some(660_000));
        assert_eq!(window.free_at(600_000, 40.0, 480.0), 660_000);
        assert!((window.used(660_000) - 432.0).abs() < 1e-6);
        assert!((window.used(1_200_000)).abs() < 1e-9);
    }

    proptest! {
        /// Whatever was worked when, the window never shows less used than the portal counts, once it was told.
        #[test]
        fn s1_the_window_shows_what_the_portal_counts(work in proptest::collection::vec((0_i64..150_000, 0.1_f64..60.0), 1..60)) {
            let (mut window, mut portal, mut at) = (Window::default(), Portal::default(), 0);
            for (pause, seconds) in work {
                at += pause;
                let (operating, reset) = portal.work(at, seconds);
                window.told(at, operating, Some(reset));
                prop_assert!((window.used(at) - operating).abs() < 1e-6);
                // As time passes without an answer, too.
                for later in [at + 61_000, at + 400_000] {
                    let counts: f64 = portal.0.iter().filter(|(minute, _)| forgotten_at(*minute) > later).map(|(_, s)| s).sum();
                    prop_assert!((window.used(later) - counts).abs() < 1e-6, "{} {}", window.used(later), counts);
                }
                let free = window.free_at(at, 50.0, LIMIT);
                prop_assert!(free <= at + 600_000 && (free == at || LIMIT - window.used(free) + 0.02 >= 50.0));
            }
        }

        /// A forecast keeps to both: the pace, and the limit in any ten minutes.
        #[test]
        fn s1_a_forecast_is_neither_faster_than_the_limit_nor_idle(work in 1.0_f64..20_000.0, pace in 0.1_f64..4.0, used in 0.0_f64..456.0) {
            let window = Window::of(used, 660_000, 600_000);
            let seconds = number(window.done_at(600_000, work, LIMIT, pace, 30.0_f64.min(work)) - 600_000) / 1_000.0;
            let by_pace = work / pace;
            let by_limit = (work - (LIMIT - used)).max(0.0) / LIMIT * 600.0 - 600.0;
            prop_assert!(seconds + 1.0 >= by_pace.max(by_limit), "{seconds} {by_pace} {by_limit}");
            prop_assert!(seconds <= by_pace + (work / LIMIT + 2.0) * 600.0, "{seconds}");
        }
    }
}
