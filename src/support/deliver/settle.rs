//! Rows whose outcome was never heard: once they cannot be carried out any more, the portal is asked what became of them.

use super::send::{mark, since};
use super::{DeliverError, Round, xml_id};
use crate::store::desk::outbox::{OutboxRow, Outcome};
use crate::support::outgoing::Outgoing;

impl Round {
    /// Answers whether the row is over, or may go again.
    pub(super) async fn settle(&self, row: &OutboxRow) -> Result<bool, DeliverError> {
        let what = match self.open(row).await? {
            Ok(what) => what,
            Err(outcome) => return self.record(row, &outcome, None).await,
        };
        let again = || Outcome::Again { not_before: self.now(), cause: "not_carried_out".into(), counts: true };
        let (outcome, made) = match (what, self.task_of(row).await?) {
            (Outgoing::Open(_), None) => {
                let found = self.tasks.find(&row.number.to_string(), &xml_id(row.number)).await;
                let found = match self.looked(row, found).await? {
                    Ok(found) => found,
                    Err(over) => return Ok(over),
                };
                if found.len() > 1 {
                    tracing::warn!(portal = %self.target, number = %row.number, tasks = found.len(), "several tasks bear one number");
                }
                // The oldest one: a copy that somebody made of it is younger.
                found.first().map_or_else(|| (again(), None), |task| (Outcome::Done, Some(task.id)))
            }
            (Outgoing::Say { .. } | Outgoing::Note { .. }, Some(task)) => {
                let task = match self.read(row, task).await? {
                    Ok(task) => task,
                    Err(over) => return Ok(over),
                };
                let found = self.tasks.find_said(task.talk(), &mark(row), since(row)).await;
                match self.looked(row, found).await? {
                    Ok(found) => (if found.is_some() { Outcome::Done } else { again() }, None),
                    Err(over) => return Ok(over),
                }
            }
            // A move or a change is made from what is read then: once more is no second time.
            _ => (again(), None),
        };
        self.record(row, &outcome, made).await?;
        self.step("desk.settled")?;
        Ok(true)
    }
}
