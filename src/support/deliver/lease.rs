//! The lease of one delivery, renewed while a request runs.

use std::time::Duration;

use crate::clock::Clock;
use crate::store::leases::{self, Lease};
use crate::store::{Db, StoreError, Tx};

pub(in crate::support) struct Held {
    db: Db,
    clock: Clock,
    lease: Lease,
    length: i64,
}

impl Held {
    /// `None`: another node holds it.
    pub async fn take(
        db: &Db,
        clock: &Clock,
        name: &str,
        node: &str,
        length: Duration,
    ) -> Result<Option<Self>, StoreError> {
        let length = i64::try_from(length.as_millis()).unwrap_or(20_000);
        let now = clock.now_ms();
        let lease = leases::acquire(db, name, node, now, now + length).await?;
        Ok(lease.map(|lease| Self { db: db.clone(), clock: clock.clone(), lease, length }))
    }

    pub fn fence(&self) -> i64 {
        self.lease.fence
    }

    /// Whether a request may start: ours for 5 s more (product §2.1); shorter leases of a test deployment keep a quarter.
    pub async fn may_start(&self, tx: &Tx) -> Result<bool, StoreError> {
        leases::holds(tx, &self.lease, self.clock.now_ms() + self.margin()).await
    }

    /// By when a request that may start now has left, or never leaves: before the lease and its hold can end.
    pub fn leave_by(&self, now: i64) -> i64 {
        now + self.margin() * 4 / 5
    }

    fn margin(&self) -> i64 {
        5_000.min(self.length / 4)
    }

    pub async fn renew(&self) -> Result<bool, StoreError> {
        let now = self.clock.now_ms();
        leases::renew(&self.db, &self.lease, now, now + self.length).await
    }

    /// Renews the lease while the work goes on. `None`: it was lost, and the work is cut off; whoever has it now decides what
    /// became of what had left.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let pause = Duration::from_millis(u64::try_from(self.length / 3).unwrap_or(1_000));
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                () = self.clock.sleep(pause) => match self.renew().await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => tracing::warn!(lease = self.lease.name, %error, "a lease could not be renewed"),
                }
            }
        }
    }

    pub async fn release(&self) {
        if let Err(error) = leases::release(&self.db, &self.lease).await {
            tracing::warn!(lease = self.lease.name, %error, "a lease could not be given back; it runs out by itself");
        }
    }
}
