//! The worker: looks every second whether anything is to be sent, asked for or read.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::look::ASK_EVERY_MS;
use super::{CHANNEL, CardError, CardTracker, TARGET};
use crate::store::StoreError;
use crate::store::desk::{cards, outbox};
use crate::telemetry::Pulse;

const LOOK_EVERY: Duration = Duration::from_secs(1);

impl CardTracker {
    /// Whether it is at work.
    pub fn pulse(&self) -> Pulse {
        self.0.pulse.clone()
    }

    /// Works until told to stop; what is under way is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut not_before = i64::MIN;
        while !stop.is_cancelled() {
            self.0.pulse.beat();
            if self.clock().now_ms() >= not_before {
                let pause = self.once().await;
                not_before = self.clock().now_ms().saturating_add(pause);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.clock().sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Answers for how long nothing is to be tried, in milliseconds.
    async fn once(&self) -> i64 {
        let result = match self.wanted().await {
            Ok(true) => self.visit().await,
            Ok(false) => return 0,
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(_) => 0,
            Err(CardError::Elsewhere) => 5_000,
            Err(CardError::Kaiten(error)) => {
                tracing::warn!(%error, "Kaiten takes no cards now");
                i64::try_from(error.after.as_millis()).unwrap_or(60_000).clamp(1_000, 300_000)
            }
            Err(error) => {
                tracing::warn!(%error, "cards could not be worked on");
                30_000
            }
        }
    }

    async fn wanted(&self) -> Result<bool, StoreError> {
        let (db, now) = (self.db(), self.clock().now_ms());
        Ok(outbox::next_at(db, CHANNEL, TARGET).await?.is_some_and(|at| at <= now)
            || now - cards::watermark(db, &self.0.deps.board).await?.asked_at >= ASK_EVERY_MS
            || !cards::due(db, now, 1).await?.is_empty())
    }
}
