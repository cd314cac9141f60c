//! What comes in becomes a request at once (S-20, S-37, E-16): number, history and what leaves for its task in one transaction.

use std::ops::RangeInclusive;
use std::sync::PoisonError;

use chrono::Datelike;
use chrono_tz::Tz;
use serde_json::json;

use super::content::Content;
use super::gate::Gate;
use super::ledger::Ledger;
use super::outgoing::{News, Outgoing, Task};
use super::settings::Rules;
use super::terms::Terms;
use super::{Actor, Desk, DeskError, at, mask};
use crate::crypto::TenantKey;
use crate::domain::support::history::{EntryKind, Head};
use crate::domain::support::queue::{self, Choice};
use crate::domain::support::{Clocks, Kind, RequestNumber, Scope, State, Times};
use crate::domain::{Lang, PortalId};
use crate::store::desk::consents::{self, Consent};
use crate::store::desk::outbox::{self, Of};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::desk::{history, numbers};
use crate::store::{StoreError, Tx, keys};

/// Numbers are taken so many at a time: whoever registers waits for nobody's transaction.
const BLOCK: u32 = 8;
#[expect(clippy::reversed_empty_ranges, reason = "none are left")]
pub(super) const NO_NUMBERS: RangeInclusive<u32> = 1..=0;

/// A request as it comes in, by whatever channel.
#[derive(Debug, Clone)]
pub struct Submission {
    pub customer: Option<PortalId>,
    /// User of the customer's portal.
    pub submitter: Option<i64>,
    pub kind: Kind,
    pub scope: Scope,
    /// `app`, `form`, `mail`, `phone`, `crm_form`.
    pub channel: &'static str,
    pub app_version: String,
    pub lang: Lang,
    pub content: Content,
    /// Names this submission: another one of the same name is the same one.
    pub once: Option<String>,
    pub parent: Option<RequestNumber>,
    pub by: Actor,
    /// A link for the submitter is made with it.
    pub link: bool,
    pub consent: Option<Evidence>,
    /// Of a public form.
    pub gate: Option<Gate>,
}

/// What proves a consent.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub document_version: String,
    pub document_hash: String,
    pub form: String,
    pub proof: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub row: RequestRow,
    /// Of the link; none for one registered before.
    pub secret: Option<String>,
}

/// A request as it is about to be written: all that needs no transaction is done.
pub(super) struct Ready {
    submission: Submission,
    desk: PortalId,
    desk_key: TenantKey,
    key_portal: PortalId,
    key: TenantKey,
    terms: Terms,
    pub number: RequestNumber,
    once: Option<String>,
    secret: Option<String>,
    consent: Option<(TenantKey, Consent)>,
    now: i64,
}

/// Who is responsible, and why he is.
struct Chosen {
    user: Option<i64>,
    /// In which queue it was his turn.
    turn: Option<(String, i64)>,
    /// The queue had no room.
    overflow: bool,
}

impl Desk {
    /// Registers at this desk.
    pub async fn register(&self, desk: PortalId, submission: Submission) -> Result<Registered, DeskError> {
        if let Some(row) = self.registered(desk, submission.once.as_deref()).await? {
            return Ok(Registered { row, secret: None });
        }
        let once = submission.once.clone();
        let ready = self.prepare(desk, submission).await?;
        let tx = self.db().begin().await?;
        let Some(made) = self.enter(&tx, &ready).await? else {
            tx.rollback().await?;
            // The same submission came twice at once: the other one has it.
            let row = self.registered(desk, once.as_deref()).await?;
            let row = row.ok_or(StoreError::Corrupt("desk_request.number"))?;
            return Ok(Registered { row, secret: None });
        };
        tx.commit().await?;
        told(&made.row);
        Ok(made)
    }

    /// What a submission of this name became.
    pub(super) async fn registered(&self, desk: PortalId, once: Option<&str>) -> Result<Option<RequestRow>, DeskError> {
        let Some(once) = once else { return Ok(None) };
        Ok(requests::by_once(self.db(), desk, &once_hash(&self.key(desk).await?, once)).await?)
    }

    pub(super) async fn prepare(&self, desk: PortalId, mut submission: Submission) -> Result<Ready, DeskError> {
        let now = self.now();
        let desk_key = self.key(desk).await?;
        if submission.channel == "app" {
            mask_own(&mut submission.content);
        }
        let key_portal = submission.customer.unwrap_or(desk);
        let key = self.key(key_portal).await?;
        let terms = self.terms(desk, submission.customer).await?;
        let number = self.number(&terms.rules).await?;
        let consent = match &submission.consent {
            Some(evidence) => Some((self.consent_key(desk).await?, consent(number, evidence, now))),
            None => None,
        };
        let once = submission.once.as_ref().map(|once| once_hash(&desk_key, once));
        let secret = submission.link.then(super::links::secret);
        Ok(Ready { submission, desk, desk_key, key_portal, key, terms, number, once, secret, consent, now })
    }

    /// Writes it. `None`: the same submission was registered before, nothing must be committed.
    pub(super) async fn enter(&self, tx: &Tx, ready: &Ready) -> Result<Option<Registered>, DeskError> {
        let Ready { submission, desk, key_portal, key, terms, number, now, .. } = ready;
        let (desk, number, now) = (*desk, *number, *now);
        if let Some(gate) = &submission.gate {
            gate.pass(tx, now).await?;
        }
        let chosen = self.choose(tx, desk, &terms.rules, submission.kind).await?;
        let content = &submission.content;
        let mut row = RequestRow {
            id: 0,
            desk,
            customer: submission.customer,
            key_portal: *key_portal,
            number,
            kind: submission.kind,
            scope: submission.scope,
            priority: terms.rules.matrix.of(submission.kind, submission.scope),
            state: State::Registered,
            resolution: None,
            channel: submission.channel.to_owned(),
            app_version: submission.app_version.clone(),
            language: submission.lang.word().to_owned(),
            submitter: submission.submitter,
            assigned: chosen.user,
            parent: submission.parent,
            content: content.seal(key)?,
            clocks: Clocks::start(at(now)),
            told: String::new(),
            look_at: None,
            silence: None,
            erased_at: None,
            rating: None,
            fixed_in: None,
            live_at: None,
            times: Times::start(at(now)),
            revision: 1,
            head: Head::of(number),
            created_at: now,
            updated_at: now,
        };
        terms.watch(&mut row, now);
        let mut ledger = Ledger::new(row.head, now);
        let parent = submission.parent.map(|parent| parent.to_string());
        let said = json!({"action": "register", "roles": submission.by.roles, "user": submission.by.user,
            "channel": row.channel, "kind": row.kind, "scope": row.scope, "priority": row.priority, "parent": parent,
            "content": content});
        ledger.write(EntryKind::Action, false, &said);
        ledger.write(EntryKind::State, false, &json!({"from": null, "to": row.state}));
        ledger.write(EntryKind::Clock, true, &json!(row.clocks));
        row.head = ledger.head();

        let deadline = terms.deadline(row.kind, &row.clocks, now);
        let task = Outgoing::Open(Box::new(task(&row, content, terms.domain.clone(), deadline)));
        let mut first = vec![task];
        if chosen.overflow {
            first.push(terms.note(News::Overflow));
        }
        let mut leaves = self.to_trackers((desk, row.customer), &first, None)?;
        let link = ready.secret.as_ref().map(|secret| self.link_url(secret));
        leaves.extend(self.to_submitter(&row, content, &News::Registered { link })?);

        let hashes = content.hashes(&ready.desk_key);
        let Some(id) = requests::insert(tx, desk, &row, &hashes, ready.once.as_deref()).await? else { return Ok(None) };
        row.id = id;
        history::append(tx, desk, key, id, ledger.lines()).await?;
        outbox::add(tx, desk, Of { request: id, number, key_portal: *key_portal, key }, &leaves, now).await?;
        if let Some((queue, user)) = &chosen.turn {
            requests::set_turn(tx, desk, queue, *user).await?;
        }
        if let Some(secret) = &ready.secret {
            self.add_link(tx, &row, secret).await?;
        }
        if let Some((key, consent)) = &ready.consent {
            consents::add(tx, desk, key, consent).await?;
        }
        Ok(Some(Registered { row, secret: ready.secret.clone() }))
    }

    async fn consent_key(&self, desk: PortalId) -> Result<TenantKey, StoreError> {
        keys::obtain_for(self.db(), &self.0.keyring, desk, keys::CONSENT, self.now()).await
    }

    /// Read where it is written: of two requests that come at once the second sees the first.
    async fn choose(&self, tx: &Tx, desk: PortalId, rules: &Rules, kind: Kind) -> Result<Chosen, DeskError> {
        let manager = rules.settings.manager;
        let takes = |queue: &&super::settings::Queue| queue.kinds.is_empty() || queue.kinds.contains(&kind);
        let Some(queue) = rules.settings.queues.iter().find(takes) else {
            return Ok(Chosen { user: manager, turn: None, overflow: false });
        };
        let last = requests::last_turn(tx, desk, &queue.name).await?;
        let loads: std::collections::HashMap<i64, u32> = requests::loads(tx, desk).await?.into_iter().collect();
        let members: Vec<queue::Member<'_>> = queue
            .members
            .iter()
            .map(|member| queue::Member {
                user: member.user,
                cap: member.cap,
                load: loads.get(&member.user).copied().unwrap_or_default(),
                hours: &rules.calendar,
            })
            .collect();
        Ok(match queue::choose(&members, last, self.moment()) {
            Choice::To(user) => Chosen { user: Some(user), turn: Some((queue.name.clone(), user)), overflow: false },
            Choice::Overflow => Chosen { user: manager, turn: None, overflow: true },
        })
    }

    /// The next number of the desk's own year.
    async fn number(&self, rules: &Rules) -> Result<RequestNumber, DeskError> {
        let zone: Tz = rules.settings.zone.parse().unwrap_or(Tz::Europe__Moscow);
        let year = u16::try_from(self.moment().with_timezone(&zone).year()).unwrap_or_default();
        let kept = || {
            let mut numbers = self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            if numbers.0 == year { numbers.1.next() } else { None }
        };
        let serial = match kept() {
            Some(serial) => serial,
            None => {
                let (first, last) = numbers::take(self.db(), year, BLOCK).await?;
                let mut numbers = self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner);
                // Whoever took a block meanwhile loses the rest of his: numbers are unique, not gapless.
                *numbers = (year, first + 1..=last);
                first
            }
        };
        RequestNumber::new(year, serial).map_err(|_| DeskError::Store(StoreError::Corrupt("desk_number.last")))
    }
}

pub(super) fn told(row: &RequestRow) {
    tracing::info!(desk = row.desk.0, number = %row.number, channel = row.channel, "a request was registered");
}

fn once_hash(desk_key: &TenantKey, once: &str) -> String {
    desk_key.hash("desk.once", once.as_bytes())
}

/// What a page of ours filled in by itself may hold more than a person wants to tell.
fn mask_own(content: &mut Content) {
    content.subject = mask::secrets(&content.subject);
    content.description = mask::secrets(&content.description);
    content.conditions = mask::technical(&content.conditions);
    content.portal = mask::secrets(&content.portal);
    content.login = mask::secrets(&content.login);
}

fn task(
    row: &RequestRow,
    content: &Content,
    customer: Option<String>,
    deadline: Option<chrono::DateTime<chrono::Utc>>,
) -> Task {
    Task {
        title: row.number.title(&content.subject),
        kind: row.kind,
        scope: row.scope,
        priority: row.priority,
        deadline,
        responsible: row.assigned,
        channel: row.channel.clone(),
        app_version: row.app_version.clone(),
        customer,
        parent: row.parent,
        description: content.description.clone(),
        conditions: content.conditions.clone(),
        login: content.login.clone(),
        portal: content.portal.clone(),
        name: content.name.clone(),
        phone: content.phone.clone(),
        email: content.email.clone(),
    }
}

fn consent(number: RequestNumber, evidence: &Evidence, now: i64) -> Consent {
    Consent {
        number,
        document_version: evidence.document_version.clone(),
        document_hash: evidence.document_hash.clone(),
        form: evidence.form.clone(),
        evidence: evidence.proof.to_string().into_bytes(),
        at: now,
    }
}
