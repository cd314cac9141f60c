//! The operating limit: seconds a method may work within ten minutes, per portal (facts §5). A method near its end is
//! paused before the portal bans it; a banned one is paused until its reset.

use std::collections::HashMap;

use super::call::Timing;

/// The cloud's limit, in seconds.
pub const OPERATING_SECONDS: u32 = 480;

/// A box has none until its admin turns one on; then it is this, unless he chose another (facts §5).
pub const BOX_OPERATING_SECONDS: u32 = 420;

/// Of the limit, how much is used before a method is paused.
const USABLE: f64 = 0.95;

/// A ban without a known reset, and the least wait after any ban (facts §3.3).
const LEAST_BAN_MS: i64 = 10_000;
const BLIND_BAN_MS: i64 = 60_000;

/// The limit is counted in ten buckets of a minute each: at a reset the oldest one is forgotten.
const BUCKET_MS: i64 = 60_000;
const BUCKETS: f64 = 10.0;

/// How far `operating` moves before it is written down.
const SAVE_STEP: f64 = 10.0;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Method {
    pub operating: f64,
    /// Milliseconds; 0: unknown.
    pub reset_at: i64,
    pub blocked_until: i64,
    /// Seconds one command takes, smoothed.
    cost: f64,
    /// Whether the cost comes from the counter itself.
    measured: bool,
    saved: f64,
}

/// What must be written down for other nodes and for after a restart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Changed {
    pub method: String,
    pub operating: f64,
    pub reset_at: i64,
    pub blocked_until: i64,
}

#[derive(Debug)]
pub(super) struct Methods {
    limit: f64,
    known: HashMap<String, Method>,
}

impl Method {
    /// What is still counted now: after a reset one minute's bucket after another is forgotten.
    fn counted(&self, now: i64) -> f64 {
        if self.reset_at == 0 || now < self.reset_at {
            return self.operating;
        }
        let forgotten = u32::try_from(1 + (now - self.reset_at) / BUCKET_MS).unwrap_or(u32::MAX);
        self.operating * (1.0 - f64::from(forgotten) / BUCKETS).max(0.0)
    }
}

impl Methods {
    pub(super) fn new(limit: f64) -> Self {
        Self { limit, known: HashMap::new() }
    }

    /// The portal's plan or its admin's word changed it.
    pub(super) fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
    }

    pub(super) fn load(&mut self, rows: Vec<(String, f64, i64, i64)>) {
        for (method, operating, reset_at, blocked_until) in rows {
            let entry = self.known.entry(method).or_default();
            *entry = Method { operating, reset_at, blocked_until, saved: operating, ..*entry };
        }
    }

    /// Until when the method may not be called; `None`: it may.
    pub(super) fn blocked_until(&self, method: &str, now: i64) -> Option<i64> {
        self.known.get(method).map(|known| known.blocked_until).filter(|until| *until > now)
    }

    /// Whether `already` further commands of this method and one more fit under the limit, by what one took so far.
    /// Otherwise: when to ask again.
    pub(super) fn admit(&self, method: &str, already: u32, now: i64) -> Result<(), i64> {
        let Some(known) = self.known.get(method) else { return Ok(()) };
        if known.blocked_until > now {
            return Err(known.blocked_until);
        }
        let planned = known.counted(now) + known.cost * f64::from(already);
        // The first one always goes: whatever it costs, only the portal's answer can show that time has passed.
        if already > 0 && planned + known.cost > self.limit * USABLE {
            return Err(if known.reset_at > now { known.reset_at } else { now + LEAST_BAN_MS });
        }
        Ok(())
    }

    /// Learns from an answer. Something to save comes back when it matters to others.
    pub(super) fn answered(&mut self, method: &str, timing: &Timing, now: i64) -> Option<Changed> {
        let operating = timing.operating?;
        let limit = self.limit;
        let known = self.known.entry(method.to_owned()).or_default();
        // What the counter grew by is what a command costs; before it is known, how long one took.
        let grown = operating - known.operating;
        if known.operating > 0.0 && grown > 0.0 {
            known.cost = if known.measured { known.cost * 0.8 + grown * 0.2 } else { grown };
            known.measured = true;
        } else if let (false, Some(duration)) = (known.measured, timing.duration) {
            known.cost = known.cost.max(duration);
        }
        known.operating = operating;
        known.reset_at = timing.operating_reset_at.map_or(known.reset_at, |seconds| seconds.saturating_mul(1000));
        let near_the_end = operating >= limit * USABLE;
        if near_the_end {
            known.blocked_until = if known.reset_at > now { known.reset_at } else { now + BLIND_BAN_MS };
        }
        let moved = (operating - known.saved).abs() >= SAVE_STEP;
        (near_the_end || moved).then(|| known.changed(method))
    }

    /// The portal banned the method: its answer carries no moment, the last good one may have (facts §5).
    pub(super) fn banned(&mut self, method: &str, now: i64) -> Changed {
        let known = self.known.entry(method.to_owned()).or_default();
        let until = if known.reset_at > now { known.reset_at } else { now + BLIND_BAN_MS };
        known.blocked_until = until.max(now + LEAST_BAN_MS);
        known.changed(method)
    }
}

impl Method {
    fn changed(&mut self, method: &str) -> Changed {
        self.saved = self.operating;
        Changed {
            method: method.to_owned(),
            operating: self.operating,
            reset_at: self.reset_at,
            blocked_until: self.blocked_until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(operating: f64, reset_at: i64, duration: f64) -> Timing {
        Timing {
            operating: Some(operating),
            operating_reset_at: Some(reset_at),
            duration: Some(duration),
            ..Timing::default()
        }
    }

    #[test]
    fn s48_a_method_pauses_before_the_ban_and_only_that_method() {
        let mut methods = Methods::new(480.0);
        assert_eq!(methods.answered("a", &timing(5.0, 600, 0.1), 1_000), None, "small moves are not written down");
        let saved = methods.answered("a", &timing(456.0, 600, 0.1), 1_000).expect("saved");
        assert_eq!((saved.blocked_until, saved.reset_at), (600_000, 600_000));
        assert_eq!(methods.blocked_until("a", 599_999), Some(600_000));
        assert_eq!(methods.blocked_until("a", 600_000), None);
        assert_eq!(methods.blocked_until("b", 1_000), None);
        assert_eq!(methods.admit("a", 0, 599_999), Err(600_000));
        assert_eq!(methods.admit("a", 0, 600_000), Ok(()));
        assert_eq!(methods.admit("b", 49, 1_000), Ok(()));
    }

    #[test]
    fn s48_a_batch_takes_no_more_commands_than_fit_under_the_limit() {
        let mut methods = Methods::new(480.0);
        methods.answered("import", &timing(444.0, 600, 0.1), 0);
        methods.answered("import", &timing(446.0, 600, 0.1), 0);
        assert_eq!((0..50).take_while(|n| methods.admit("import", *n, 0).is_ok()).count(), 5, "446 + 5 × 2 ≤ 456");
        assert_eq!(methods.admit("import", 6, 0), Err(600_000));
        // One minute's bucket is forgotten at the reset: a tenth of what was counted.
        assert!((0..50).take_while(|n| methods.admit("import", *n, 600_000).is_ok()).count() >= 27);
    }

    #[test]
    fn s48_a_ban_lasts_until_the_reset_known_from_the_last_answer() {
        let mut methods = Methods::new(480.0);
        assert_eq!(methods.banned("x", 1_000).blocked_until, 61_000, "no reset known");
        methods.answered("a", &timing(300.0, 100, 0.5), 1_000);
        assert_eq!(methods.banned("a", 1_000).blocked_until, 100_000);
        assert_eq!(methods.banned("a", 99_000).blocked_until, 109_000, "never less than ten seconds");
        let mut other = Methods::new(480.0);
        other.load(vec![("a".into(), 300.0, 100_000, 109_000)]);
        assert_eq!(other.blocked_until("a", 100_000), Some(109_000), "another node knows");
    }
}
