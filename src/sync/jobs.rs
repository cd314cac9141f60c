//! The requests of a delivery that are under way, and the scan beside them.

use tokio::task::{Id, JoinSet};

use super::error::SyncError;
use crate::bitrix::Error;

/// How a job ended.
pub(super) enum Ended {
    /// So many records were confirmed.
    Went(usize),
    /// The portal as a whole did not take it.
    Refused(Error),
}

pub(super) type Finished = Result<Ended, SyncError>;

#[derive(Default)]
pub(super) struct Jobs {
    set: JoinSet<Finished>,
    scan: Option<Id>,
}

impl Jobs {
    pub fn spawn(&mut self, job: impl Future<Output = Finished> + Send + 'static) {
        self.set.spawn(job);
    }

    pub fn spawn_scan(&mut self, scan: impl Future<Output = Finished> + Send + 'static) {
        self.scan = Some(self.set.spawn(scan).id());
    }

    pub fn scanning(&self) -> bool {
        self.scan.is_some()
    }

    /// Jobs beside a scan, which brings nothing to send and takes nobody's place.
    pub fn busy(&self) -> usize {
        self.set.len().saturating_sub(usize::from(self.scanning()))
    }

    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// The next one that ends; dropped while it waits, it loses none.
    pub async fn next(&mut self) -> Option<Finished> {
        let ended = self.set.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(|error| error.id(), |(id, _)| *id);
        if self.scan == Some(id) {
            self.scan = None;
        }
        // A job that panicked leaves its rows as sent: they are settled like any unknown outcome.
        Some(ended.map_or(Err(SyncError::Panicked), |(_, finished)| finished))
    }
}
