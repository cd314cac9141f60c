//! What people do with a request: decided by `domain::support::life`, written as one transaction. Of two nodes that act at once
//! one decides anew on what the other made of it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::content::Content;
use super::ledger::Ledger;
use super::outgoing::{News, Outgoing, Side};
use super::terms::Terms;
use super::{Actor, Desk, DeskError, at};
use crate::crypto::TenantKey;
use crate::domain::support::history::EntryKind;
use crate::domain::support::life::{self, Action, Fact};
use crate::domain::support::{Role, State};
use crate::store::desk::outbox::{self, NewRow, Of};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::desk::{history, offers};
use crate::store::{StoreError, Tx};

/// Tries to act on a request that somebody else acts on.
const TRIES: usize = 8;
/// A day that is agreed on lies at most so far ahead: every reading of the clock counts the working days until then.
const AGREED_WITHIN: TimeDelta = TimeDelta::days(731);

/// What somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A step of its life, with words where there are any.
    Step {
        action: Action,
        text: Option<String>,
    },
    /// Of the desk among itself.
    Note(String),
    /// Resolutions to choose from; being asked, the customer is waited for.
    Offer {
        options: Vec<String>,
        text: Option<String>,
    },
    Choose {
        offer: i32,
        option: i32,
    },
    Assign(i64),
    /// People agreed on the solution's day.
    Agree(DateTime<Utc>),
    /// Its task is there no more, or again.
    Task {
        id: i64,
        gone: bool,
    },
}

/// What deeds make of a request, before it is written.
pub(super) struct Step {
    pub row: RequestRow,
    pub ledger: Ledger,
    pub leaves: Vec<Outgoing>,
    pub news: Vec<News>,
}

impl Desk {
    /// What a verified person of a portal is to this request (product §7).
    pub async fn actor(
        &self,
        row: &RequestRow,
        portal: crate::domain::PortalId,
        user: i64,
        admin: bool,
        roles: &BTreeSet<crate::portal::Role>,
    ) -> Result<Actor, DeskError> {
        let mut is = BTreeSet::new();
        if portal == row.desk {
            if admin || roles.contains(&crate::portal::Role::SupportManager) {
                is.insert(Role::Manager);
            }
            if roles.contains(&crate::portal::Role::SupportOperator) {
                is.insert(Role::Operator);
            }
        }
        if row.customer == Some(portal) {
            if row.submitter == Some(user) && user > 0 {
                is.insert(Role::Submitter);
            }
            let terms = self.terms(row.desk, row.customer).await?;
            let named = terms.rules.representatives(terms.member.as_deref().unwrap_or_default());
            if named.contains(&user) || (named.is_empty() && admin) {
                is.insert(Role::Representative);
            }
        }
        Ok(Actor { roles: is, user: Some(user), via: None })
    }

    /// Does it, on the request as it stands; answers what it became.
    pub async fn act(&self, who: &Actor, row: &RequestRow, deed: &Deed) -> Result<RequestRow, DeskError> {
        let mut row = row.clone();
        let key = self.key(row.key_portal).await?;
        for _ in 0..TRIES {
            let now = self.now().max(row.updated_at);
            let terms = self.terms(row.desk, row.customer).await?;
            let mut step = Step::new(&row, now);
            self.decide(who, &mut step, deed, &terms, &key, now).await?;
            step.end(&row, &terms, now);
            if let Some(done) = self.write(who, &key, step, deed, now).await? {
                return Ok(done);
            }
            row = requests::by_id(self.db(), row.desk, row.id).await?.ok_or(DeskError::NotFound)?;
        }
        Err(DeskError::Conflict("request_busy"))
    }

    pub(super) async fn decide(
        &self,
        who: &Actor,
        step: &mut Step,
        deed: &Deed,
        terms: &Terms,
        key: &TenantKey,
        now: i64,
    ) -> Result<(), DeskError> {
        match deed {
            Deed::Step { action, text } => step.walk(who, action, text.as_deref(), terms, now)?,
            Deed::Note(text) => {
                desk_only(who)?;
                step.ledger.write(EntryKind::Message, true, &json!({"action": "note", "user": who.user, "text": text}));
                step.leaves.push(Outgoing::Say { from: Side::Desk, text: text.clone(), internal: true });
            }
            Deed::Offer { options, text } => {
                desk_only(who)?;
                // Whoever represents the customer too offers as the desk.
                let who = &who.at_the_desk();
                let said = json!({"action": "offer", "user": who.user, "text": text, "options": options});
                step.ledger.write(EntryKind::Action, false, &said);
                let action = if step.row.state == State::InProgress { Action::Ask } else { Action::Say };
                if step.row.state == State::Closed || step.row.state == State::Registered {
                    life::click(step.row.state, &Action::Ask, &who.roles, at(now))?;
                }
                let words = offered(text.as_deref(), options);
                step.walk(who, &action, Some(&words), terms, now)?;
            }
            Deed::Choose { offer, option } => {
                if !who.is_customer() {
                    return Err(DeskError::Forbidden);
                }
                let known = offers::of_request(self.db(), step.row.desk, Some(key), step.row.id).await?;
                let known = known.into_iter().find(|known| known.offer == *offer);
                let known = known.ok_or_else(|| DeskError::Invalid("/offer".into(), "no_such_offer"))?;
                let place = usize::try_from(*option).ok();
                let words = place.and_then(|place| known.options.get(place));
                let words = words.ok_or_else(|| DeskError::Invalid("/option".into(), "no_such_option"))?.clone();
                if known.chosen.is_some() {
                    return Err(DeskError::Conflict("option_chosen"));
                }
                let said =
                    json!({"action": "choose", "user": who.user, "offer": offer, "option": option, "text": words});
                step.ledger.write(EntryKind::Action, false, &said);
                step.walk(who, &Action::Say, Some(&words), terms, now)?;
            }
            Deed::Assign(user) => {
                desk_only(who)?;
                open(&step.row)?;
                step.row.assigned = Some(*user);
                step.ledger.write(EntryKind::Action, true, &json!({"action": "assign", "user": who.user, "to": user}));
                step.leaves.push(Outgoing::Assign { responsible: Some(*user) });
            }
            Deed::Agree(on) => {
                desk_only(who)?;
                open(&step.row)?;
                if on.timestamp_millis() <= now {
                    return Err(DeskError::Invalid("/deadline".into(), "past"));
                }
                if *on > at(now) + AGREED_WITHIN {
                    return Err(DeskError::Invalid("/deadline".into(), "too_far"));
                }
                step.row.clocks.agree(*on, at(now));
                step.ledger.write(EntryKind::Action, false, &json!({"action": "agree", "user": who.user, "on": on}));
            }
            Deed::Task { id, gone } => {
                desk_only(who)?;
                let action = if *gone { "task_gone" } else { "task_back" };
                step.ledger.write(EntryKind::Action, true, &json!({"action": action, "task": id}));
            }
        }
        Ok(())
    }

    /// What leaves by these deeds for tasks, cards and the submitter.
    pub(super) fn leaving(&self, who: &Actor, key: &TenantKey, step: &Step) -> Result<Vec<NewRow>, DeskError> {
        let mut rows = self.to_trackers((step.row.desk, step.row.customer), &step.leaves, who.via)?;
        if who.is_desk() || who.roles.contains(&Role::Policy) {
            let email = Content::open(key, &step.row.content)?.email;
            for news in &step.news {
                rows.extend(self.to_submitter(&step.row, &email, news)?);
            }
        }
        Ok(rows)
    }

    /// One transaction; `None`: somebody changed the request meanwhile, nothing was written.
    async fn write(
        &self,
        who: &Actor,
        key: &TenantKey,
        step: Step,
        deed: &Deed,
        now: i64,
    ) -> Result<Option<RequestRow>, DeskError> {
        let rows = self.leaving(who, key, &step)?;
        let Step { mut row, ledger, .. } = step;
        let tx = self.db().begin().await?;
        if !requests::save(&tx, row.desk, &row, now).await? || !beside(&tx, key, &row, deed, now).await? {
            tx.rollback().await?;
            return Ok(None);
        }
        history::append(&tx, row.desk, key, row.id, ledger.lines()).await?;
        let of = Of { request: row.id, number: row.number, key_portal: row.key_portal, key };
        outbox::add(&tx, row.desk, of, &rows, now).await?;
        tx.commit().await?;
        row.revision += 1;
        row.updated_at = now;
        Ok(Some(row))
    }
}

/// What a deed writes besides the request; `false`: somebody was first.
async fn beside(tx: &Tx, key: &TenantKey, row: &RequestRow, deed: &Deed, now: i64) -> Result<bool, StoreError> {
    match deed {
        Deed::Offer { options, .. } => offers::add(tx, row.desk, key, row.id, options, now).await.map(|_| true),
        Deed::Choose { offer, option } => offers::choose(tx, row.desk, row.id, *offer, *option, now).await,
        _ => Ok(true),
    }
}

impl Step {
    pub fn new(row: &RequestRow, now: i64) -> Self {
        Self { row: row.clone(), ledger: Ledger::new(row.head, now), leaves: Vec::new(), news: Vec::new() }
    }

    /// What follows from the deeds for clocks and deadlines; `before`: as the request was.
    pub fn end(&mut self, before: &RequestRow, terms: &Terms, now: i64) {
        let old = terms.deadline(before.kind, &before.clocks, now);
        let new = terms.deadline(self.row.kind, &self.row.clocks, now);
        if old != new && !self.leaves.iter().any(|leaves| matches!(leaves, Outgoing::State { .. })) {
            self.leaves.push(Outgoing::Deadline { deadline: new });
        }
        if self.row.clocks != before.clocks {
            self.ledger.write(EntryKind::Clock, true, &json!(self.row.clocks));
        }
        terms.watch(&mut self.row, now);
        self.row.head = self.ledger.head();
    }

    /// A step of its life, and what is told of it.
    fn walk(
        &mut self,
        who: &Actor,
        action: &Action,
        text: Option<&str>,
        terms: &Terms,
        now: i64,
    ) -> Result<(), DeskError> {
        let facts = life::click(self.row.state, action, &who.roles, at(now))?;
        for (nth, fact) in facts.into_iter().enumerate() {
            // The second of two facts is the closing by the same click.
            let action = if nth == 0 { action } else { &Action::Close };
            self.take(who, action, &fact, text, terms, now);
        }
        Ok(())
    }

    fn take(&mut self, who: &Actor, action: &Action, fact: &Fact, text: Option<&str>, terms: &Terms, now: i64) {
        self.ledger.fact(who, action, fact, text);
        self.row.clocks.note(action, fact);
        self.row.state = fact.transition.to;
        self.row.resolution = fact.transition.resolution.or(self.row.resolution);
        let desk = matches!(fact.role, Role::Operator | Role::Manager);
        if let Some(text) = text {
            let from = if desk { Side::Desk } else { Side::Customer };
            self.leaves.push(Outgoing::Say { from, text: text.to_owned(), internal: false });
            if desk {
                self.news.push(News::Said { text: text.to_owned() });
            }
        }
        if fact.transition.from != fact.transition.to {
            let reason = super::ledger::reason(action).map(str::to_owned);
            let deadline = terms.deadline(self.row.kind, &self.row.clocks, now);
            let (state, resolution) = (self.row.state, self.row.resolution);
            self.leaves.push(Outgoing::State { state, resolution, reason, deadline });
            self.news.push(News::Moved { state });
        }
    }
}

fn desk_only(who: &Actor) -> Result<(), DeskError> {
    if who.is_desk() { Ok(()) } else { Err(DeskError::Forbidden) }
}

fn open(row: &RequestRow) -> Result<(), DeskError> {
    if row.state == State::Closed { Err(DeskError::Refused(life::Refusal::Closed)) } else { Ok(()) }
}

fn offered(text: Option<&str>, options: &[String]) -> String {
    let listed = options.iter().enumerate().map(|(n, option)| format!("{}. {option}", n + 1));
    text.map(str::to_owned).into_iter().chain(listed).collect::<Vec<_>>().join("\n")
}
