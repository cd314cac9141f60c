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
        let margin = 5_000.min(self.length / 4);
        leases::holds(tx, &self.lease, self.clock.now_ms() + margin).await
    }

    pub async fn renew(&self) -> Result<bool, StoreError> {
        let now = self.clock.now_ms();
        leases::renew(&self.db, &self.lease, now, now + self.length).await
    }

    /// Carries on to its end what must not be cut off. If the lease is lost meanwhile, whoever has it decides what became
    /// of it: our fence settles nothing any more.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let pause = Duration::from_millis(u64::try_from(self.length / 3).unwrap_or(1_000));
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = self.clock.sleep(pause) => {
                    if let Err(error) = self.renew().await {
                        tracing::warn!(lease = self.lease.name, %error, "a lease could not be renewed");
                    }
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
