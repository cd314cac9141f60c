//! The end of a request's words (152-ФЗ): after their term, or because the person wants it. Its number, its state, its times and
//! the chain that proves its history stay; they tell of nobody.

use serde_json::{Value, json};

use super::act::{Deed, TRIES};
use super::ledger::Ledger;
use super::outgoing::Outgoing;
use super::silence::policy;
use super::{Actor, Desk, DeskError};
use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::domain::support::history::EntryKind;
use crate::domain::support::life::{Action, Reason};
use crate::domain::support::{Role, State};
use crate::store::StoreError;
use crate::store::desk::outbox::{Kind, OutboxRow};
use crate::store::desk::remotes::{self, Remote};
use crate::store::desk::requests::{self, Hashes, RequestRow};
use crate::store::desk::{consents, erase, history, outbox};
use crate::store::idempotency;

const DAY_MS: i64 = 86_400_000;
/// Requests in one go.
const STEP: i64 = 100;
/// Of one person in one answer: whoever has more is asked for again.
pub const OF_A_PERSON: i64 = 500;

/// What was destroyed of one request. It names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    pub number: String,
    /// It was open: it is withdrawn by this.
    pub withdrawn: bool,
    /// Entries of its history whose words went.
    pub entries: u64,
    pub files: u64,
    pub links: u64,
    /// Evidence of consents: it is kept to its own term.
    pub consents_kept: i64,
    /// Tasks and cards that hold what was written there, and that nobody can reach from here.
    pub remotes: Vec<Remote>,
}

/// What became of one of a person's requests.
enum Ended {
    Now(Box<Erased>),
    /// By somebody else.
    Before,
    /// It never stood still: it is asked for again.
    Not,
}

impl Desk {
    /// Takes the words of requests whose term is over, and evidence of consents after theirs; answers how many.
    pub(super) async fn sweep_terms(&self) -> Result<usize, DeskError> {
        let mut gone = 0;
        for desk in requests::desks_to_erase(self.db()).await? {
            let retention = self.rules(desk).await?.settings.retention;
            let before = |days: u32| self.now().saturating_sub(i64::from(days) * DAY_MS);
            for row in requests::to_erase(self.db(), desk, before(retention.requests_days), STEP).await? {
                gone += usize::from(Box::pin(self.erase(&policy(), &row, "term")).await?.is_some());
            }
            consents::purge(self.db(), desk, before(retention.consents_days), STEP).await?;
        }
        Ok(gone)
    }

    /// What this desk holds of a person, found by phone, e-mail or login: for himself.
    pub async fn export_person(&self, who: &Actor, desk: PortalId, hashes: &Hashes) -> Result<Value, DeskError> {
        let mut requests = Vec::new();
        for row in requests::of_person(self.db(), desk, hashes, OF_A_PERSON).await? {
            let whole = self.whole(who, &row).await?;
            let files = whole.files.iter().map(|file| json!({"name": file.name, "length": file.length}));
            requests.push(json!({
                "number": row.number,
                "state": row.state,
                "created_at": super::at(row.created_at),
                "content": whole.content,
                "files": files.collect::<Vec<_>>(),
                "history": self.export(who, &row).await?,
            }));
        }
        Ok(json!({"requests": requests}))
    }

    /// Takes the words of everything this desk holds of a person; what is open of him is withdrawn by it.
    /// Says, too, whether there may be more.
    pub async fn erase_person(
        &self,
        who: &Actor,
        desk: PortalId,
        hashes: &Hashes,
    ) -> Result<(Vec<Erased>, bool), DeskError> {
        let found = requests::of_person(self.db(), desk, hashes, OF_A_PERSON).await?;
        let mut more = i64::try_from(found.len()).unwrap_or(i64::MAX) >= OF_A_PERSON;
        let mut gone = Vec::new();
        for row in found {
            match Box::pin(self.erase_for_good(who, row)).await? {
                Ended::Now(erased) => gone.push(*erased),
                Ended::Before => {}
                Ended::Not => more = true,
            }
        }
        Ok((gone, more))
    }

    /// People and clocks move requests all the time: what moved is read again.
    async fn erase_for_good(&self, who: &Actor, mut row: RequestRow) -> Result<Ended, DeskError> {
        for _ in 0..TRIES {
            match self.erase(who, &row, "person").await {
                Ok(Some(erased)) => return Ok(Ended::Now(Box::new(erased))),
                Ok(None) | Err(DeskError::Refused(_) | DeskError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            match requests::by_id(self.db(), row.desk, row.id).await? {
                Some(now) if now.erased_at.is_none() => row = now,
                _ => return Ok(Ended::Before),
            }
        }
        Ok(Ended::Not)
    }

    /// `None`: somebody was first.
    async fn erase(&self, who: &Actor, row: &RequestRow, why: &str) -> Result<Option<Erased>, DeskError> {
        let withdrawn = row.state != State::Closed;
        let mut row = row.clone();
        if withdrawn {
            let his = Actor { roles: [Role::Submitter].into(), ..Actor::default() };
            let action = Action::Withdraw(Reason::parse("152-ФЗ")?);
            row = self.act(&his, &row, &Deed::Step { action, text: None }).await?;
        }
        let now = self.now().max(row.updated_at);
        let remotes = remotes::of_request(self.db(), row.desk, row.id).await?;
        let mut ledger = Ledger::new(row.head, now);
        ledger.write(EntryKind::Action, false, &json!({"action": "erase", "user": who.user, "why": why}));
        row.head = ledger.head();
        let key = self.key_if_any(row.key_portal).await?;
        let wordless = match &key {
            Some(key) => wordless(key, &outbox::of_request(self.db(), row.desk, row.id).await?)?,
            None => Vec::new(),
        };
        let tx = self.db().begin().await?;
        let Some(counts) = erase::request(&tx, &row, now).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        for (id, payload) in wordless {
            outbox::reword(&tx, row.desk, id, payload).await?;
        }
        // Answers that are kept for whoever asks twice hold the request's page. What was done once is known by other means, too.
        for portal in [Some(row.desk), row.customer].into_iter().flatten() {
            idempotency::forget_requests(&tx, portal).await?;
        }
        match key {
            Some(key) => history::append(&tx, row.desk, &key, row.id, ledger.lines()).await?,
            None => {
                for line in ledger.lines() {
                    history::append_bare(&tx, row.desk, row.id, line.entry.clone()).await?;
                }
            }
        }
        tx.commit().await?;
        tracing::info!(desk = %row.desk, number = %row.number, why, "a request's words were erased");
        let erase::Counts { entries, files, links, consents_kept } = counts;
        let number = row.number.to_string();
        Ok(Some(Erased { number, withdrawn, entries, files, links, consents_kept, remotes }))
    }
}

/// Where a request stands, as its task and card are told it: without a person's reason, which is his words.
fn wordless(key: &TenantKey, rows: &[OutboxRow]) -> Result<Vec<(i64, Vec<u8>)>, DeskError> {
    let mut reworded = Vec::new();
    for row in rows.iter().filter(|row| row.kind == Kind::State) {
        if let Ok(Outgoing::State { state, resolution, reason: Some(_), deadline }) =
            serde_json::from_slice(&row.open(key)?)
        {
            let told = Outgoing::State { state, resolution, reason: None, deadline };
            let payload = serde_json::to_vec(&told).map_err(|_| StoreError::Corrupt("desk_outbox.payload"))?;
            reworded.push((row.id, OutboxRow::seal(key, &payload)?));
        }
    }
    Ok(reworded)
}
