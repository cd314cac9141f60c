//! The worker: every desk with something to be read gets a task of its own, so that a slow portal delays no other.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{DeliverError, ListenError, TaskListener};
use crate::domain::PortalId;
use crate::store::StoreError;
use crate::store::desk::heard;
use crate::telemetry::Pulse;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is asked which desks were not looked through for long.
const ASK_EVERY_MS: i64 = 10_000;
const SCAN_EVERY_MS: i64 = 60_000;
/// Portals visited at once.
const AT_ONCE: usize = 64;

type Ended = (PortalId, Result<(), ListenError>);

impl TaskListener {
    /// Whether it is at work.
    pub fn pulse(&self) -> Pulse {
        self.0.pulse.clone()
    }

    /// Listens until told to stop; what is under way is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut under_way: JoinSet<Ended> = JoinSet::new();
        let mut pauses: HashMap<PortalId, i64> = HashMap::new();
        let mut asked = i64::MIN;
        while !stop.is_cancelled() {
            self.0.pulse.beat();
            if let Err(error) = self.begin(&mut under_way, &mut pauses, &mut asked).await {
                tracing::error!(%error, "which tasks are to be read cannot be told");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.clock.sleep(LOOK_EVERY) => {}
            }
            while let Some(ended) = under_way.try_join_next() {
                self.ended(ended, &mut pauses);
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn begin(
        &self,
        under_way: &mut JoinSet<Ended>,
        pauses: &mut HashMap<PortalId, i64>,
        asked: &mut i64,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now_ms();
        pauses.retain(|_, until| *until > now);
        let mut scans = Vec::new();
        if now.saturating_sub(*asked) >= ASK_EVERY_MS {
            *asked = now;
            scans = heard::desks_to_scan(&self.0.db, now - SCAN_EVERY_MS).await?;
        }
        let mut desks = heard::desks_due(&self.0.db, now).await?;
        desks.extend(scans.iter().copied().filter(|desk| !desks.contains(desk)).collect::<Vec<_>>());
        for desk in desks {
            if pauses.contains_key(&desk) || under_way.len() >= AT_ONCE || self.busy().contains(&desk) {
                continue;
            }
            let (listener, scan) = (self.clone(), scans.contains(&desk));
            under_way.spawn(async move {
                let scanned = if scan { listener.scan(desk).await.map(drop) } else { Ok(()) };
                let heard = match scanned {
                    Ok(()) => listener.listen(desk).await.map(drop),
                    error => error,
                };
                (desk, heard)
            });
        }
        Ok(())
    }

    fn ended(&self, ended: Result<Ended, tokio::task::JoinError>, pauses: &mut HashMap<PortalId, i64>) {
        // A panic was logged where it happened; the lease runs out, and what was not read is still due.
        let Ok((desk, result)) = ended else { return };
        let pause = match result {
            Ok(()) => return,
            Err(ListenError::Portal(DeliverError::Elsewhere(_))) => 5_000,
            Err(ListenError::Portal(DeliverError::Portal { error, .. })) => {
                tracing::warn!(portal = %desk, %error, "the portal's tasks cannot be read now");
                let after = error.retry_after().and_then(|after| i64::try_from(after.as_millis()).ok());
                after.unwrap_or(60_000).clamp(1_000, 300_000)
            }
            Err(error) => {
                tracing::warn!(portal = %desk, %error, "tasks could not be read");
                30_000
            }
        };
        pauses.insert(desk, self.0.clock.now_ms().saturating_add(pause));
    }
}
