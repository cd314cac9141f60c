//! What the engine shows an operator: how far behind it is, which links answer, how the tables grow.

use std::time::Duration;

use super::engine::Engine;
use crate::store::{StoreError, reconciliations, work};
use crate::telemetry::metrics as names;

fn number(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

fn seconds(ms: i64) -> f64 {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default()).as_secs_f64()
}

impl Engine {
    /// Cheap: asked with every look for portals to work on.
    pub(super) async fn gauges(&self) -> Result<(), StoreError> {
        let (db, now) = (&self.0.deps.db, self.0.deps.clock.now_ms());
        let ((_, inbox), (pending, outbox)) = work::backlog(db).await?;
        let lag = |oldest: Option<i64>| oldest.map_or(0.0, |at| seconds(now.saturating_sub(at)));
        metrics::gauge!(names::INBOX_LAG).set(lag(inbox));
        metrics::gauge!(names::OUTBOX_LAG).set(lag(outbox));
        metrics::gauge!(names::OUTBOX_PENDING).set(number(pending));
        for links in work::links(db).await? {
            let share = number(links.up) / number(links.all.max(1));
            metrics::gauge!(names::PMS_LINK_UP, "kind" => links.kind.clone()).set(share);
            if let Some(at) = links.last_record_at {
                metrics::gauge!(names::PMS_LAST_RECORD, "kind" => links.kind).set(seconds(at));
            }
        }
        Ok(())
    }

    /// Counts rows: once a minute is enough.
    pub(super) async fn table_gauges(&self) -> Result<(), StoreError> {
        for (table, rows) in work::table_rows(&self.0.deps.db).await? {
            metrics::gauge!(names::STORE_ROWS, "table" => table).set(number(rows));
        }
        let drift = reconciliations::outstanding(&self.0.deps.db).await?;
        metrics::gauge!(names::RECONCILIATION_DRIFT).set(number(drift));
        Ok(())
    }
}
