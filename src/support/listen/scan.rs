//! Events get lost (facts §6.3): the latest tasks of a desk are looked through, and what was not read since it changed is to be
//! read. A look takes a few requests at most; one that did not come to its end goes on from there.

use std::collections::HashMap;

use super::round::active_at;
use super::{ListenError, Round};
use crate::bitrix::Priority;
use crate::store::desk::heard::{self, Heard, Hearing};

/// Titles of requests' tasks begin so (contract, "Marks left in Bitrix24").
const TITLE: &str = "[FB-";
const PAGE: usize = 50;
/// Requests of one look.
const PAGES: usize = 4;
/// A change may become visible later than one that was made after it.
const OVERLAP_MS: i64 = 120_000;
/// The portal's times are whole seconds: what was read in the second of a change may lack another change of that second.
const SETTLE_MS: i64 = 2_000;
/// A task that nobody told of is read again after this: a deletion shows in no list.
const UNREAD_MS: i64 = 24 * 3_600_000;
const UNREAD: i64 = 20;

impl Round {
    pub(super) async fn scan(&self) -> Result<u64, ListenError> {
        let mut hearing = heard::hearing(self.db(), self.desk).await?;
        let result = self.look(&mut hearing).await;
        // A portal that refuses is asked no more often for that.
        hearing.scanned_at = self.now();
        heard::set_hearing(self.db(), self.desk, hearing).await?;
        let hinted = result?;
        Ok(hinted + heard::hint_unread(self.db(), self.desk, self.now() - UNREAD_MS, UNREAD).await?)
    }

    async fn look(&self, hearing: &mut Hearing) -> Result<u64, ListenError> {
        let tasks = self.tasks(Priority::Reconciliation);
        let mut hinted = 0;
        for _ in 0..PAGES {
            self.still_ours().await?;
            let start = usize::try_from(hearing.place).unwrap_or_default();
            let page = tasks.latest(TITLE, start).await.map_err(|error| self.failed(error))?;
            self.step("scan.read")?;
            let ids: Vec<i64> = page.iter().map(|task| task.id).collect();
            let known = heard::of_tasks(self.db(), self.desk, &ids).await?;
            let known: HashMap<i64, Heard> = known.into_iter().map(|heard| (heard.task, heard)).collect();
            let stale =
                page.iter().filter(|task| known.get(&task.id).is_some_and(|heard| lags(heard, active_at(task))));
            let stale: Vec<i64> = stale.map(|task| task.id).collect();
            hinted += heard::hint_all(self.db(), self.desk, &stale).await?;
            if start == 0 {
                hearing.newest = page.iter().map(active_at).max().unwrap_or_default();
            }
            let oldest = page.iter().map(active_at).min().unwrap_or_default();
            if page.len() < PAGE || oldest < hearing.seen_to - OVERLAP_MS {
                hearing.seen_to = hearing.seen_to.max(hearing.newest);
                (hearing.place, hearing.newest) = (0, 0);
                break;
            }
            hearing.place += i64::try_from(page.len()).unwrap_or_default();
        }
        Ok(hinted)
    }
}

/// Whether a task changed since it was read, or in the very second of it. What is to be read anyway needs no other hint.
fn lags(heard: &Heard, active: i64) -> bool {
    let settled = heard.read_at >= heard.active_seen_at + SETTLE_MS;
    heard.hints == heard.heeded && (heard.active_at != active || !settled)
}
