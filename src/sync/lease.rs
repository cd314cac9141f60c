//! A lease held for as long as something works under it: renewed by itself, given back at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::error::SyncError;
use crate::clock::Clock;
use crate::store::leases::{self, Lease};
use crate::store::{Db, StoreError, Tx};

pub struct HeldLease {
    lease: Lease,
    /// Until when the last renewal holds; 0 when it was lost.
    until: Arc<AtomicI64>,
    length: i64,
    renewing: JoinHandle<()>,
    db: Db,
    clock: Clock,
}

impl HeldLease {
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
        let Some(lease) = leases::acquire(db, name, node, now, now + length).await? else { return Ok(None) };
        let until = Arc::new(AtomicI64::new(lease.until));
        let renewing = tokio::spawn(renew(db.clone(), clock.clone(), lease.clone(), until.clone(), length));
        Ok(Some(Self { lease, until, length, renewing, db: db.clone(), clock: clock.clone() }))
    }

    /// One that is held by nobody: whatever asks for it before it writes is refused.
    pub fn none(db: &Db, clock: &Clock) -> Self {
        let lease = Lease { name: String::new(), owner: String::new(), fence: -1, until: 0 };
        let renewing = tokio::spawn(std::future::ready(()));
        Self { lease, until: Arc::default(), length: 0, renewing, db: db.clone(), clock: clock.clone() }
    }

    /// Whether nothing can leave under it.
    pub fn is_nobodys(&self) -> bool {
        self.lease.fence < 0
    }

    pub fn fence(&self) -> i64 {
        self.lease.fence
    }

    pub fn lost(&self) -> bool {
        self.until.load(Ordering::Acquire) <= self.clock.now_ms()
    }

    /// Whether a request may start: the lease is ours in the database too, with at least 5 s left (product §2.1);
    /// shorter leases of a test deployment keep a quarter.
    pub async fn may_start(&self, tx: &Tx) -> Result<bool, StoreError> {
        let margin = 5_000.min(self.length / 4);
        leases::holds(tx, &self.lease, self.clock.now_ms() + margin).await
    }

    /// Whether it is still ours, asked inside the transaction that acts on it.
    pub async fn holds(&self, tx: &Tx) -> Result<bool, StoreError> {
        leases::holds(tx, &self.lease, self.clock.now_ms()).await
    }

    /// Gives it back at the end of the work, whichever way it ended. A test's crash leaves it as a crash does.
    pub async fn ended<T>(&self, result: &Result<T, SyncError>) {
        self.renewing.abort();
        if matches!(result, Err(SyncError::Stopped(_))) {
            return;
        }
        if let Err(error) = leases::release(&self.db, &self.lease).await {
            tracing::warn!(lease = self.lease.name, %error, "a lease could not be given back; it runs out by itself");
        }
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn renew(db: Db, clock: Clock, lease: Lease, until: Arc<AtomicI64>, length: i64) {
    let pause = Duration::from_millis(u64::try_from(length / 3).unwrap_or(1_000));
    loop {
        clock.sleep(pause).await;
        let now = clock.now_ms();
        match leases::renew(&db, &lease, now, now + length).await {
            Ok(true) => until.store(now + length, Ordering::Release),
            // It ran out in between: whoever works under it must not go on, even if nobody else came.
            Ok(false) => {
                until.store(0, Ordering::Release);
                return;
            }
            Err(error) => tracing::warn!(lease = lease.name, %error, "a lease could not be renewed"),
        }
    }
}
