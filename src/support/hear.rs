//! What was read of a task becomes one transaction: how far it was read, what that makes of the request, and what leaves of it.
//! A crash before it leaves everything to be read again, one after it nothing.

use serde_json::json;

use super::act::{Deed, Step};
use super::outgoing::{News, Outgoing, Tell};
use super::terms::Terms;
use super::{Actor, Desk, DeskError};
use crate::crypto::TenantKey;
use crate::domain::{Lang, PortalId};
use crate::store::desk::heard::{self, Heard};
use crate::store::desk::history;
use crate::store::desk::outbox::{self, Channel, NewRow, Of};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::problems::{self, NewProblem};
use crate::store::{StoreError, Tx};

/// The problem of a task that people deleted.
const TASK_GONE: &str = "desk.task_gone";

/// What was understood of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Understood {
    pub deeds: Vec<(Actor, Deed)>,
    /// Told in the task, to whoever wrote there.
    pub replies: Vec<String>,
}

impl Desk {
    /// A task of this portal may have changed; whose it is, and how, is read later.
    pub async fn task_may_have_changed(&self, portal: PortalId, task: i64) -> Result<(), StoreError> {
        heard::hint(self.db(), portal, task).await.map(drop)
    }

    /// Does what was understood, on the request as it stood when the task was read. `None`: somebody was first, with the
    /// request or with its task; nothing was written, and it is read again.
    pub(super) async fn hear(
        &self,
        row: &RequestRow,
        known: &Heard,
        heard: &Heard,
        what: &Understood,
    ) -> Result<Option<RequestRow>, DeskError> {
        let key = self.key(row.key_portal).await?;
        let now = self.now().max(row.updated_at);
        let terms = self.terms(row.desk, row.customer).await?;
        let mut step = Step::new(row, now);
        for (who, deed) in &what.deeds {
            self.decide(who, &mut step, deed, &terms, &key, now).await?;
        }
        let mut rows = Vec::new();
        if let Some((who, _)) = what.deeds.first() {
            step.end(row, &terms, now);
            rows = self.leaving(who, &key, &step)?;
        }
        for text in &what.replies {
            let said = Outgoing::Say { from: super::outgoing::Side::Desk, text: text.clone(), internal: true };
            rows.push(said.row(Channel::Task, row.desk)?);
        }
        if heard.gone && !known.gone {
            rows.extend(tell_gone(row, &terms)?);
        }
        // Made before the transaction: a key that is new is written by itself.
        let own = if heard.gone == known.gone { None } else { Some(self.0.directory.key(row.desk).await?) };
        let Step { row: mut done, ledger, .. } = step;
        let tx = self.db().begin().await?;
        let ours = heard::save(&tx, row.desk, heard).await?
            && (what.deeds.is_empty() || requests::save(&tx, row.desk, &done, now).await?);
        if !ours {
            tx.rollback().await?;
            return Ok(None);
        }
        history::append(&tx, row.desk, &key, row.id, ledger.lines()).await?;
        let of = Of { request: row.id, number: row.number, key_portal: row.key_portal, key: &key };
        outbox::add(&tx, row.desk, of, &rows, now).await?;
        if let Some(own) = own {
            problem(&tx, &own, row, heard, now).await?;
        }
        tx.commit().await?;
        if !what.deeds.is_empty() {
            done.revision += 1;
            done.updated_at = now;
        }
        Ok(Some(done))
    }
}

async fn problem(tx: &Tx, key: &TenantKey, row: &RequestRow, heard: &Heard, now: i64) -> Result<(), StoreError> {
    let subject = format!("request:{}", row.number);
    if !heard.gone {
        return problems::over(tx, row.desk, &subject, TASK_GONE).await;
    }
    let params = json!({"number": row.number, "task": heard.task});
    let problem = NewProblem { hotel: None, subject, cause: TASK_GONE.to_owned(), kind: "doubtful", params };
    problems::raise(tx, row.desk, key, &[problem], now).await
}

/// Who answers for the request learns that its task is gone.
fn tell_gone(row: &RequestRow, terms: &Terms) -> Result<Vec<NewRow>, StoreError> {
    let mut named: Vec<i64> = row.assigned.into_iter().chain(terms.rules.settings.manager).collect();
    named.dedup();
    let tell = |user| {
        let lang = Lang::Ru.word().to_owned();
        Outgoing::Tell(Tell { user: Some(user), email: None, lang, news: News::TaskGone })
            .row(Channel::Notice, row.desk)
    };
    named.into_iter().map(tell).collect()
}
