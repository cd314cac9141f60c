//! Signs of life of a worker, for `/health/ready`: one that is dead or stands still gives none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::Clock;

/// Clones are the same pulse: the worker beats, readiness listens.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    allowed: i64,
    clock: Clock,
    at: AtomicI64,
}

impl Pulse {
    /// A pulse that may stay away for `allowed`, counted from now on.
    pub fn new(name: &'static str, allowed: Duration, clock: Clock) -> Self {
        let at = AtomicI64::new(clock.now_ms());
        Self(Arc::new(Inner { name, allowed: i64::try_from(allowed.as_millis()).unwrap_or(i64::MAX), clock, at }))
    }

    pub fn beat(&self) {
        self.0.at.store(self.0.clock.now_ms(), Ordering::Release);
    }

    pub fn name(&self) -> &'static str {
        self.0.name
    }

    pub fn is_still(&self) -> bool {
        self.0.clock.now_ms().saturating_sub(self.0.at.load(Ordering::Acquire)) > self.0.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_a_worker_without_a_sign_of_life_is_told_from_one_at_work() {
        let (clock, hand) = Clock::manual(chrono::DateTime::UNIX_EPOCH);
        let pulse = Pulse::new("engine", Duration::from_secs(30), clock);
        hand.advance(Duration::from_secs(30));
        assert!(!pulse.is_still());
        hand.advance(Duration::from_millis(1));
        assert!(pulse.is_still());
        pulse.clone().beat();
        assert!(!pulse.is_still());
    }
}
