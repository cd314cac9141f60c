//! The two limits of facts §5: a leaky bucket per source address and operating seconds per method.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::options::{Edition, LimitOptions};

#[derive(Debug, Default)]
struct Bucket {
    level: f64,
    at_ms: i64,
}

/// How often the limits said no, and how full they are.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct LimitCounts {
    /// 503 `QUERY_LIMIT_EXCEEDED`.
    pub bucket_rejections: u64,
    /// `OPERATION_TIME_LIMIT`, alone or inside a batch.
    pub operating_rejections: u64,
    /// HTTP requests that drew from the bucket.
    pub admitted: u64,
    /// Highest level the bucket reached.
    pub peak: f64,
}

/// State of both limits.
#[derive(Debug, Default)]
pub struct Limits {
    buckets: HashMap<IpAddr, Bucket>,
    operating: HashMap<String, VecDeque<(i64, u64)>>,
    blocked: HashMap<String, i64>,
    /// Counters.
    pub counts: LimitCounts,
}

const MINUTES: i64 = 10;

impl Limits {
    /// Takes one request's drop; `false` means rejected.
    pub fn admit(&mut self, options: &LimitOptions, edition: Edition, source: IpAddr, now_ms: i64) -> bool {
        let (threshold, drain) = match edition {
            Edition::Enterprise => (250.0, 5.0),
            _ => (50.0, 2.0),
        };
        let threshold = options.bucket.unwrap_or(threshold);
        let drain = options.drain.unwrap_or(drain);
        let bucket = self.buckets.entry(source).or_insert(Bucket { level: 0.0, at_ms: now_ms });
        let seconds = ms_to_seconds(now_ms - bucket.at_ms);
        bucket.level = (bucket.level - seconds.max(0.0) * drain).max(0.0);
        bucket.at_ms = now_ms;
        if options.enforced && bucket.level + 1.0 > threshold + 1e-9 {
            self.counts.bucket_rejections += 1;
            return false;
        }
        bucket.level += 1.0;
        self.counts.admitted += 1;
        self.counts.peak = self.counts.peak.max(bucket.level);
        true
    }

    /// Sets a source's level, as if someone else had used the bucket.
    pub fn fill(&mut self, source: IpAddr, level: f64, now_ms: i64) {
        self.buckets.insert(source, Bucket { level, at_ms: now_ms });
    }

    /// Whether a method may run; checked before the call.
    pub fn may_run(&mut self, options: &LimitOptions, edition: Edition, key: &str, now_ms: i64) -> bool {
        if self.blocked.get(key).is_some_and(|until| *until > now_ms) {
            self.counts.operating_rejections += 1;
            return false;
        }
        if !options.enforced || edition == Edition::Box {
            return true;
        }
        let (used, _) = self.used(key, now_ms);
        let over = used > u64::try_from(options.operating.as_millis()).unwrap_or(u64::MAX);
        if over {
            self.counts.operating_rejections += 1;
        }
        !over
    }

    /// Blocks a method until a moment, as if its seconds were used up by others.
    pub fn block(&mut self, key: &str, until_ms: i64) {
        self.blocked.insert(key.to_owned(), until_ms);
    }

    /// Adds a call's time; returns seconds used in the window and the unix second when the oldest part leaves it.
    pub fn charge(&mut self, key: &str, ms: u64, now_ms: i64) -> (f64, i64) {
        let minute = now_ms.div_euclid(60_000);
        let buckets = self.operating.entry(key.to_owned()).or_default();
        match buckets.back_mut() {
            Some((at, used)) if *at == minute => *used += ms,
            _ => buckets.push_back((minute, ms)),
        }
        let (used, reset) = self.used(key, now_ms);
        (ms_to_seconds(i64::try_from(used).unwrap_or(i64::MAX)), reset)
    }

    fn used(&mut self, key: &str, now_ms: i64) -> (u64, i64) {
        let minute = now_ms.div_euclid(60_000);
        let Some(buckets) = self.operating.get_mut(key) else { return (0, (minute + MINUTES) * 60) };
        while buckets.front().is_some_and(|(at, _)| *at + MINUTES <= minute) {
            buckets.pop_front();
        }
        let oldest = buckets.front().map_or(minute, |(at, _)| *at);
        (buckets.iter().map(|(_, used)| used).sum(), (oldest + MINUTES) * 60)
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "milliseconds of a test run fit a double")]
fn ms_to_seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn bucket_takes_fifty_then_two_a_second() {
        let (mut limits, options) = (Limits::default(), LimitOptions::default());
        let mut go = |ms| limits.admit(&options, Edition::Cloud, HERE, ms);
        assert_eq!((0..60).filter(|_| go(0)).count(), 50);
        assert!(!go(499));
        assert!(go(1000) && go(1000) && !go(1000));
        assert!(
            limits.admit(&options, Edition::Cloud, IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), 1000),
            "another source"
        );
        assert_eq!(limits.counts.bucket_rejections, 12);
        let mut limits = Limits::default();
        assert_eq!((0..300).filter(|_| limits.admit(&options, Edition::Enterprise, HERE, 0)).count(), 250);
    }

    #[test]
    fn operating_counts_ten_one_minute_buckets() {
        let options = LimitOptions { operating: Duration::from_secs(10), ..LimitOptions::default() };
        let mut limits = Limits::default();
        let start = 600_000;
        assert_eq!(limits.charge("m", 6000, start), (6.0, 1200));
        assert!(limits.may_run(&options, Edition::Cloud, "m", start));
        limits.charge("m", 5000, start + 60_000);
        assert!(!limits.may_run(&options, Edition::Cloud, "m", start + 61_000), "11 s used");
        assert!(limits.may_run(&options, Edition::Cloud, "other", start + 61_000));
        assert!(limits.may_run(&options, Edition::Cloud, "m", start + 600_000), "the first minute has left the window");
        assert!(limits.may_run(&options, Edition::Box, "m", start + 61_000));
    }
}
