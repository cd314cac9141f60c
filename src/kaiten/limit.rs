//! Kaiten takes five requests a second of one token (facts A4). A turn is given only when the fifth request before it is more than
//! a second old, and none while an answer said to wait.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

use super::error::Error;

/// A second, and a little for clocks.
const WINDOW_MS: i64 = 1_050;
/// A longer wait is said to whoever asks, who has a lease to look after.
const WAIT_MS: i64 = 2_000;
/// No answer keeps us away for longer.
const LONGEST_MS: i64 = 300_000;

pub(super) struct Limit {
    clock: Clock,
    /// `None`: as many as are wanted.
    per_window: Option<usize>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: VecDeque<i64>,
    not_before: i64,
}

impl Limit {
    pub fn new(clock: Clock, per_window: Option<usize>) -> Self {
        Self { clock, per_window, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds until a request may leave.
    fn wait(&self) -> i64 {
        let (now, mut state) = (self.clock.now_ms(), self.state());
        // A clock that was set back would make us wait for it.
        if state.sent.back().is_some_and(|last| *last > now + WINDOW_MS) {
            state.sent.clear();
        }
        while state.sent.front().is_some_and(|sent| *sent <= now - WINDOW_MS) {
            state.sent.pop_front();
        }
        let full = self.per_window.is_some_and(|most| state.sent.len() >= most.max(1));
        let room = state.sent.front().filter(|_| full).map_or(0, |oldest| oldest + WINDOW_MS - now);
        room.max(state.not_before.min(now + LONGEST_MS) - now).max(0)
    }

    pub async fn turn(&self) -> Result<(), Error> {
        loop {
            match self.wait() {
                0 => return Ok(()),
                wait if wait > WAIT_MS => return Err(Error::allowance(millis(wait))),
                wait => self.clock.sleep(millis(wait)).await,
            }
        }
    }

    /// A request leaves now.
    pub fn leaves(&self) {
        let now = self.clock.now_ms();
        self.state().sent.push_back(now);
    }

    /// It is over: somewhere between it arrived.
    pub fn is_over(&self) {
        let now = self.clock.now_ms();
        if let Some(last) = self.state().sent.back_mut() {
            *last = now;
        }
    }

    /// As if all of a second were just used.
    pub fn fill(&self) {
        let now = self.clock.now_ms();
        self.state().sent = std::iter::repeat_n(now, self.per_window.unwrap_or_default()).collect();
    }

    /// Nothing may leave for so long.
    pub fn hold(&self, after: Duration) {
        let after = i64::try_from(after.as_millis()).unwrap_or(LONGEST_MS).min(LONGEST_MS);
        let until = self.clock.now_ms() + after;
        let mut state = self.state();
        state.not_before = state.not_before.max(until);
    }

    /// How long a reset means, of which it is nowhere said whether it is a moment or a number of seconds [facts: INF].
    pub fn reset(&self, value: &str) -> Option<Duration> {
        let value: f64 = value.trim().parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)?;
        let seconds = if value >= 1e12 {
            value / 1_000.0 - self.seconds()
        } else if value >= 1e9 {
            value - self.seconds()
        } else {
            value
        };
        Some(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::ZERO))
    }

    fn seconds(&self) -> f64 {
        Duration::from_millis(u64::try_from(self.clock.now_ms()).unwrap_or_default()).as_secs_f64()
    }
}

fn millis(wait: i64) -> Duration {
    Duration::from_millis(u64::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn e19_no_window_of_a_second_holds_more_than_its_requests() {
        let (clock, hand) = Clock::manual(DateTime::from_timestamp(1_790_000_000, 0).expect("a moment"));
        let limit = Limit::new(clock.clone(), Some(5));
        let mut sent = Vec::new();
        for _ in 0..400 {
            if limit.wait() == 0 {
                limit.leaves();
                sent.push(clock.now_ms());
            }
            hand.advance(Duration::from_millis(37));
        }
        assert!(sent.len() >= 60, "it is used up: {}", sent.len());
        for window in sent.windows(6) {
            assert!(window[5] - window[0] > 1_000, "{window:?}");
        }
    }

    #[tokio::test]
    async fn e19_what_an_answer_says_of_waiting_is_kept_and_no_longer_than_is_sane() {
        let (clock, hand) = Clock::manual(DateTime::from_timestamp(1_790_000_000, 0).expect("a moment"));
        let limit = Limit::new(clock, Some(5));
        let reset = |value: &str| limit.reset(value).map(|after| after.as_secs());
        assert_eq!((reset("7"), reset("1790000007"), reset("1790000007000")), (Some(7), Some(7), Some(7)));
        assert_eq!((reset("1789999999"), reset("soon"), reset("-1")), (Some(0), None, None));
        limit.hold(Duration::from_secs(7));
        let refused = limit.turn().await.expect_err("not yet");
        assert_eq!(refused, Error::allowance(Duration::from_secs(7)));
        hand.advance(Duration::from_secs(7));
        assert_eq!(limit.turn().await, Ok(()));
        limit.hold(Duration::from_secs(90_000));
        assert_eq!(limit.wait(), LONGEST_MS);
    }
}
