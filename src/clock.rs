//! The one source of "now". Tests drive a manual clock; nothing in the product reads the system clock directly.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeZone, Utc};
use tokio::sync::watch;

/// A clock: the system's, or one that a test moves.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(watch::Receiver<i64>),
}

/// Moves a manual [`Clock`].
#[derive(Debug)]
pub struct ManualClock(watch::Sender<i64>);

impl Clock {
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until its handle moves it.
    pub fn manual(start: DateTime<Utc>) -> (Self, ManualClock) {
        let (tx, rx) = watch::channel(start.timestamp_millis());
        (Self(Source::Manual(rx)), ManualClock(tx))
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => Utc::now().timestamp_millis(),
            Source::Manual(rx) => *rx.borrow(),
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.now_ms()).single().unwrap_or_default()
    }

    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(duration).await,
            Source::Manual(rx) => {
                let wake = self.now_ms().saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
                let mut rx = rx.clone();
                // The handle is gone: nobody will move time any more, so nobody waits for it either.
                let _ = rx.wait_for(|now| *now >= wake).await;
            }
        }
    }
}

impl ManualClock {
    /// As when somebody sets the clock of the machine.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.send_replace(now.timestamp_millis());
    }

    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now = now.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)));
    }
}

/// A moment on the wall clock of a zone; one that is not known is UTC.
pub fn wall_of(ms: i64, zone: &str) -> NaiveDateTime {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default().with_timezone(&zone).naive_local()
}

/// A hotel's wall clock in its own zone. An hour that a change of the clocks skipped or repeated is read as the earlier
/// of its meanings; a zone that is not known is UTC.
pub fn wall(time: NaiveDateTime, zone: &str) -> DateTime<FixedOffset> {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    match zone.from_local_datetime(&time).earliest() {
        Some(time) => time.fixed_offset(),
        None => zone.from_utc_datetime(&time).fixed_offset(),
    }
}
