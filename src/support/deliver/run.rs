//! The worker: every portal with something due gets a task of its own, so that a slow one delays no other.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{DeliverError, TaskDelivery};
use crate::domain::PortalId;
use crate::store::StoreError;
use crate::store::desk::outbox::{self, Channel};
use crate::telemetry::Pulse;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Portals delivered to at once.
const AT_ONCE: usize = 256;

type Ended = ((Channel, PortalId), Result<usize, DeliverError>);

impl TaskDelivery {
    /// Whether it is at work.
    pub fn pulse(&self) -> Pulse {
        self.0.pulse.clone()
    }

    /// Delivers until told to stop; what is under way is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut under_way: JoinSet<Ended> = JoinSet::new();
        let mut pauses: HashMap<(Channel, PortalId), i64> = HashMap::new();
        while !stop.is_cancelled() {
            self.0.pulse.beat();
            if let Err(error) = self.begin(&mut under_way, &mut pauses).await {
                tracing::error!(%error, "what leaves for tasks cannot be read");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.deps.clock.sleep(LOOK_EVERY) => {}
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
        pauses: &mut HashMap<(Channel, PortalId), i64>,
    ) -> Result<(), StoreError> {
        let (db, now) = (&self.0.deps.db, self.0.deps.clock.now_ms());
        pauses.retain(|_, until| *until > now);
        for (channel, target) in outbox::targets(db).await? {
            let job = (channel, target);
            // Cards have a worker of their own.
            if channel == Channel::Kaiten
                || pauses.contains_key(&job)
                || under_way.len() >= AT_ONCE
                || self.busy().contains(&job)
            {
                continue;
            }
            if outbox::next_at(db, channel, target).await?.is_none_or(|at| at > now) {
                continue;
            }
            let delivery = self.clone();
            under_way.spawn(async move { (job, delivery.deliver(channel, target).await) });
        }
        Ok(())
    }

    fn ended(&self, ended: Result<Ended, tokio::task::JoinError>, pauses: &mut HashMap<(Channel, PortalId), i64>) {
        // A panic was logged where it happened; its row is held, its lease runs out.
        let Ok((job, result)) = ended else { return };
        let pause = match result {
            // What is due and cannot go waits for what is held before it.
            Ok(0) => 1_000,
            Ok(_) => return,
            Err(DeliverError::Elsewhere(_)) => 5_000,
            Err(DeliverError::Portal { error, .. }) => {
                tracing::warn!(portal = %job.1, %error, "the portal takes no tasks now");
                let after = error.retry_after().and_then(|after| i64::try_from(after.as_millis()).ok());
                after.unwrap_or(60_000).clamp(1_000, 300_000)
            }
            Err(error) => {
                tracing::warn!(portal = %job.1, %error, "nothing could be delivered to tasks");
                30_000
            }
        };
        pauses.insert(job, self.0.deps.clock.now_ms().saturating_add(pause));
    }
}
