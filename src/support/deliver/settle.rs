//! Rows whose outcome was never heard: once they cannot be carried out any more, the portal is asked what became of them.

use super::send::{CLOCKS_MS, mark};
use super::{DeliverError, Round, xml_id};
use crate::bitrix::Error;
use crate::store::desk::outbox::{OutboxRow, Outcome};
use crate::support::outgoing::Outgoing;

impl Round {
    /// Answers whether the row is over, or may go again.
    pub(super) async fn settle(&self, row: &OutboxRow) -> Result<bool, DeliverError> {
        let what = match self.open(row).await? {
            Ok(what) => what,
            Err(outcome) => return self.record(row, &outcome, None).await,
        };
        let portal = |error: Error| DeliverError::Portal { portal: self.target, error };
        let again = || Outcome::Again { not_before: self.now(), cause: "not_carried_out".into() };
        let (outcome, made) = match (what, self.task_of(row).await?) {
            (Outgoing::Open(_), None) => {
                let found = self.tasks.find(&row.number.to_string(), &xml_id(row.number)).await.map_err(portal)?;
                if found.len() > 1 {
                    tracing::warn!(portal = %self.target, number = %row.number, tasks = found.len(), "several tasks bear one number");
                }
                // The oldest one: a copy that somebody made of it is younger.
                found.first().map_or_else(|| (again(), None), |task| (Outcome::Done, Some(task.id)))
            }
            (Outgoing::Say { .. }, Some(task)) => {
                let Some(task) = self.read(row, task).await? else { return Ok(true) };
                let since = row.sent_at - CLOCKS_MS;
                let found = self.tasks.find_said(task.talk(), &mark(row), since).await.map_err(portal)?;
                (if found.is_some() { Outcome::Done } else { again() }, None)
            }
            // A move or a change is made from what is read then: once more is no second time.
            _ => (again(), None),
        };
        self.record(row, &outcome, made).await?;
        self.step("desk.settled")?;
        Ok(true)
    }
}
