//! What was read of a task or card becomes one transaction: how far it was read, what that makes of the request, and what leaves of it.
//! A crash before it leaves everything to be read again, one after it nothing.

use serde_json::json;

use super::act::Deed;
use super::outgoing::{News, Outgoing, Tell};
use super::step::Step;
use super::terms::Terms;
use super::{Actor, Desk, DeskError};
use crate::crypto::TenantKey;
use crate::domain::{Lang, PortalId};
use crate::store::desk::cards::{self, KnownCard};
use crate::store::desk::heard::{self, Heard};
use crate::store::desk::history;
use crate::store::desk::outbox::{self, Channel, NewRow, Of};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::problems::{self, NewProblem};
use crate::store::{StoreError, Tx};
use crate::telemetry::metrics as names;

/// The problems of a task and of a card that people deleted.
const TASK_GONE: &str = "desk.task_gone";
const CARD_GONE: &str = "desk.card_gone";

/// Where something was heard: how far it was read before, and is now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read<'a> {
    Task(&'a Heard, &'a Heard),
    Card(&'a KnownCard, &'a KnownCard),
}

impl Read<'_> {
    fn channel(self) -> Channel {
        match self {
            Self::Task(..) => Channel::Task,
            Self::Card(..) => Channel::Kaiten,
        }
    }

    fn target(self, desk: PortalId) -> PortalId {
        match self {
            Self::Task(..) => desk,
            Self::Card(..) => PortalId(0),
        }
    }

    /// Where its being there changed: whether it is gone.
    fn gone(self) -> Option<bool> {
        let (before, now) = match self {
            Self::Task(known, next) => (known.gone, next.gone),
            Self::Card(known, next) => (known.gone, next.gone),
        };
        (before != now).then_some(now)
    }

    fn problem(self) -> (&'static str, serde_json::Value) {
        match self {
            Self::Task(_, next) => (TASK_GONE, json!({"task": next.task})),
            Self::Card(_, next) => (CARD_GONE, json!({"card": next.card})),
        }
    }

    async fn save(self, tx: &Tx, desk: PortalId) -> Result<bool, StoreError> {
        match self {
            Self::Task(_, next) => heard::save(tx, desk, next).await,
            Self::Card(_, next) => cards::save(tx, desk, next).await,
        }
    }
}

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

    /// Does what was understood, on the request as it stood when the task or card was read. `None`: somebody was first, with
    /// the request or with its task; nothing was written, and it is read again.
    pub(super) async fn hear(
        &self,
        row: &RequestRow,
        from: Read<'_>,
        what: &Understood,
    ) -> Result<Option<RequestRow>, DeskError> {
        let key = self.key(row.key_portal).await?;
        let now = self.now().max(row.updated_at);
        let terms = self.terms(row.desk, row.customer).await?;
        let mut step = Step::new(row, now);
        if !what.deeds.is_empty() {
            step.judge(&terms, now);
        }
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
            rows.push(said.row(from.channel(), from.target(row.desk))?);
        }
        if from.gone() == Some(true) {
            rows.extend(tell_gone(row, &terms)?);
        }
        // Made before the transaction: a key that is new is written by itself.
        let own = match from.gone() {
            Some(gone) => Some((self.0.directory.key(row.desk).await?, gone)),
            None => None,
        };
        let Step { row: mut done, ledger, late, .. } = step;
        let tx = self.db().begin().await?;
        let ours = from.save(&tx, row.desk).await?
            && (what.deeds.is_empty() || requests::save(&tx, row.desk, &done, now).await?);
        if !ours {
            tx.rollback().await?;
            return Ok(None);
        }
        history::append(&tx, row.desk, &key, row.id, ledger.lines()).await?;
        let of = Of { request: row.id, number: row.number, key_portal: row.key_portal, key: &key };
        outbox::add(&tx, row.desk, of, &rows, now).await?;
        if let Some((own, gone)) = own {
            problem(&tx, &own, row, (from, gone), now).await?;
        }
        tx.commit().await?;
        metrics::counter!(names::SUPPORT_SLA_BREACHES).increment(late);
        if !what.deeds.is_empty() {
            done.revision += 1;
            done.updated_at = now;
        }
        Ok(Some(done))
    }
}

async fn problem(
    tx: &Tx,
    key: &TenantKey,
    row: &RequestRow,
    (from, gone): (Read<'_>, bool),
    now: i64,
) -> Result<(), StoreError> {
    let subject = format!("request:{}", row.number);
    let (cause, mut params) = from.problem();
    if !gone {
        return problems::over(tx, row.desk, &subject, cause).await;
    }
    if let Some(params) = params.as_object_mut() {
        params.insert("number".to_owned(), json!(row.number));
    }
    let problem = NewProblem { hotel: None, subject, cause: cause.to_owned(), kind: "doubtful", params };
    problems::raise(tx, row.desk, key, &[problem], now).await
}

/// Who answers for the request learns that its task is gone.
fn tell_gone(row: &RequestRow, terms: &Terms) -> Result<Vec<NewRow>, StoreError> {
    let mut named: Vec<i64> = row.assigned.into_iter().chain(terms.rules.settings.manager).collect();
    named.dedup();
    let tell = |user| {
        let lang = Lang::Ru.word().to_owned();
        Outgoing::Tell(Tell {
            user: Some(user),
            email: None,
            lang,
            subject: String::new(),
            letter: String::new(),
            news: News::TaskGone,
        })
        .row(Channel::Notice, row.desk)
    };
    named.into_iter().map(tell).collect()
}
