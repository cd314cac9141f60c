//! What people do with a request: decided by `domain::support::life`, written as one transaction. Of two nodes that act at once
//! one decides anew on what the other made of it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::attach::MOST_BYTES;
use super::content::Content;
use super::outgoing::{News, Outgoing, Side};
use super::step::Step;
use super::terms::Terms;
use super::{Actor, Desk, DeskError, at};
use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::domain::support::history::EntryKind;
use crate::domain::support::life::{self, Action};
use crate::domain::support::{Rating, Release, Role, State};
use crate::store::desk::links::{self, Link};
use crate::store::desk::outbox::{self, NewRow, Of};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::desk::{files, history, limits, offers};
use crate::store::idempotency::KEPT_MS;
use crate::store::{StoreError, Tx};
use crate::telemetry::metrics as names;

/// Tries to act on a request that somebody else acts on.
pub(super) const TRIES: usize = 8;
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
    /// The release that fixes it is named, or is there.
    Fix(Release),
    Live(Release),
    /// The customer says what he thinks of a closed request.
    Rate {
        rating: Rating,
        text: Option<String>,
    },
    /// Its task or card is there no more, or again.
    Task {
        id: i64,
        gone: bool,
    },
    Card {
        id: i64,
        gone: bool,
    },
    /// Of the post: a robot answered a letter of ours, one came back, a letter's file is not kept. Said in the task where
    /// somebody should know.
    Post {
        what: &'static str,
        text: String,
        /// Of the desk among itself.
        internal: bool,
        told: bool,
    },
    /// A link of one role, of which only the hash is kept.
    Link {
        role: Role,
        hash: String,
        until: i64,
    },
    /// Every link ends.
    Unlink,
    /// A file that is whole in the store of files.
    File {
        id: i64,
        name: String,
        mime: &'static str,
        length: u64,
        /// Of the desk among itself.
        internal: bool,
    },
}

/// One of our letters came back.
const BOUNCED: &str = "bounce";

impl Desk {
    /// What a verified person of a portal is to this request (product §7).
    pub async fn actor(
        &self,
        row: &RequestRow,
        portal: PortalId,
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
            if self.represents(row.desk, portal, user, admin).await? {
                is.insert(Role::Representative);
            }
        }
        Ok(Actor { roles: is, user: Some(user), via: None })
    }

    /// Whether somebody of a customer's portal represents it at this desk.
    pub async fn represents(
        &self,
        desk: PortalId,
        customer: PortalId,
        user: i64,
        admin: bool,
    ) -> Result<bool, DeskError> {
        let terms = self.terms(desk, Some(customer)).await?;
        let named = terms.rules.representatives(terms.member.as_deref().unwrap_or_default());
        Ok(named.contains(&user) || (named.is_empty() && admin))
    }

    /// Does it, on the request as it stands; answers what it became.
    pub async fn act(&self, who: &Actor, row: &RequestRow, deed: &Deed) -> Result<RequestRow, DeskError> {
        self.act_once(who, row, deed, None).await
    }

    /// The same for a deed that has a name: of one name the first is done, whatever became of its answer.
    pub async fn act_once(
        &self,
        who: &Actor,
        row: &RequestRow,
        deed: &Deed,
        once: Option<&str>,
    ) -> Result<RequestRow, DeskError> {
        let mut row = row.clone();
        let key = self.key_if_any(row.key_portal).await?.ok_or(DeskError::Refused(life::Refusal::Closed))?;
        let once = match once {
            Some(once) => Some(self.deed_name(&row, once).await?),
            None => None,
        };
        for _ in 0..TRIES {
            // Its words are gone for good, perhaps since it was read: nothing more can be written of it.
            if row.erased_at.is_some() {
                return Err(DeskError::Refused(life::Refusal::Closed));
            }
            let now = self.now().max(row.updated_at);
            if let Some(once) = &once
                && limits::is_spent(self.db(), once, now).await?
            {
                return requests::by_id(self.db(), row.desk, row.id).await?.ok_or(DeskError::NotFound);
            }
            let terms = self.terms(row.desk, row.customer).await?;
            let mut step = Step::new(&row, now);
            step.judge(&terms, now);
            Box::pin(self.decide(who, &mut step, deed, &terms, &key, now)).await?;
            step.end(&row, &terms, now);
            let late = step.late;
            if let Some(done) = Box::pin(self.write(who, &key, step, deed, once.as_deref(), now)).await? {
                metrics::counter!(names::SUPPORT_SLA_BREACHES).increment(late);
                return Ok(done);
            }
            row = requests::by_id(self.db(), row.desk, row.id).await?.ok_or(DeskError::NotFound)?;
        }
        Err(DeskError::Conflict("request_busy"))
    }

    async fn deed_name(&self, row: &RequestRow, once: &str) -> Result<String, DeskError> {
        let name = format!("{} {once}", row.number);
        Ok(format!("deed:{}", self.key(row.desk).await?.hash("desk.once", name.as_bytes())))
    }

    /// What a deed adds to the step.
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
            Deed::Fix(release) => {
                desk_only(who)?;
                // Named again, it is told nobody again.
                step.row.live_at = step.row.live_at.filter(|_| step.row.fixed_in == Some(*release));
                step.row.fixed_in = Some(*release);
                step.leaves.push(terms.note(News::Fixed { release: release.to_string() }));
                let role = who.at_the_desk().roles.into_iter().next();
                let said = json!({"action": "fix", "role": role, "user": who.user, "text": release.to_string()});
                step.ledger.write(EntryKind::Action, false, &said);
            }
            Deed::Live(release) => {
                if !who.roles.contains(&Role::Policy) {
                    return Err(DeskError::Forbidden);
                }
                if step.row.fixed_in != Some(*release) || step.row.live_at.replace(now).is_some() {
                    return Err(DeskError::Conflict("request_busy"));
                }
                let release = release.to_string();
                step.ledger.write(
                    EntryKind::Action,
                    false,
                    &json!({"action": "live", "role": Role::Policy, "text": release}),
                );
                step.leaves.push(terms.note(News::Live { release: release.clone() }));
                step.news.push(News::Live { release });
            }
            Deed::Rate { rating, text } => {
                let role = who.roles.iter().find(|role| role.is_customer()).ok_or(DeskError::Forbidden)?;
                if step.row.state != State::Closed {
                    return Err(DeskError::Conflict("not_closed"));
                }
                if step.row.rating.replace(*rating).is_some() {
                    return Err(DeskError::Conflict("rated"));
                }
                let said = json!({"action": "rate", "role": role, "user": who.user, "score": rating, "text": text});
                step.ledger.write(EntryKind::Action, false, &said);
                let words = [Some(rating.shown()), text.clone()].into_iter().flatten().collect::<Vec<_>>().join("\n");
                step.leaves.push(Outgoing::Say { from: Side::Customer, text: words, internal: false });
            }
            Deed::Link { role, .. } => {
                desk_only(who)?;
                let said = json!({"action": "link", "user": who.user, "role": role});
                step.ledger.write(EntryKind::Action, true, &said);
            }
            Deed::Unlink => {
                desk_only(who)?;
                step.ledger.write(EntryKind::Action, true, &json!({"action": "unlink", "user": who.user}));
            }
            Deed::Post { what, text, internal, told } => {
                step.ledger.write(EntryKind::Message, *internal, &json!({"action": what, "text": text}));
                // Whom nothing reaches nobody closes for his silence.
                if *what == BOUNCED {
                    step.row.silence = None;
                }
                if *told {
                    step.leaves.push(Outgoing::Say { from: Side::Desk, text: text.clone(), internal: true });
                }
            }
            Deed::File { id, name, mime, length, internal } => {
                // Others may have been handed in while this one was on its way.
                let (_, bytes) = files::held(self.db(), step.row.desk, step.row.id).await?;
                if bytes.saturating_add(*length) > MOST_BYTES {
                    return Err(DeskError::Conflict("files_full"));
                }
                let said = json!({"action": "file", "user": who.user, "file": id, "name": name, "mime": mime, "length": length});
                step.ledger.write(EntryKind::File, *internal, &said);
                match internal {
                    true => desk_only(who)?,
                    false => step.walk(who, &Action::Say, None, terms, now)?,
                }
                let from = if who.is_desk() { Side::Desk } else { Side::Customer };
                let (name, length, internal) = (name.clone(), *length, *internal);
                step.leaves.push(Outgoing::File { from, name, length, internal });
            }
            Deed::Task { id, gone } => {
                desk_only(who)?;
                let action = if *gone { "task_gone" } else { "task_back" };
                step.ledger.write(EntryKind::Action, true, &json!({"action": action, "task": id}));
            }
            Deed::Card { id, gone } => {
                desk_only(who)?;
                let action = if *gone { "card_gone" } else { "card_back" };
                step.ledger.write(EntryKind::Action, true, &json!({"action": action, "card": id}));
            }
        }
        Ok(())
    }

    /// What leaves by these deeds for tasks, cards and the submitter.
    pub(super) fn leaving(&self, who: &Actor, key: &TenantKey, step: &Step) -> Result<Vec<NewRow>, DeskError> {
        let mut rows = self.to_trackers((step.row.desk, step.row.customer), &step.leaves, who.via)?;
        if who.is_desk() || who.roles.contains(&Role::Policy) {
            let content = Content::of(&step.row, Some(key))?.unwrap_or_default();
            for news in &step.news {
                rows.extend(self.to_submitter(&step.row, &content, news)?);
            }
        }
        Ok(rows)
    }

    /// One transaction; `None`: somebody changed the request meanwhile, or did the same, and nothing was written.
    async fn write(
        &self,
        who: &Actor,
        key: &TenantKey,
        step: Step,
        deed: &Deed,
        once: Option<&str>,
        now: i64,
    ) -> Result<Option<RequestRow>, DeskError> {
        let tx = self.db().begin().await?;
        let done = self.write_in(&tx, who, key, step, now).await?;
        let first = match once {
            Some(once) => limits::spend(&tx, once, now + KEPT_MS, now).await?,
            None => true,
        };
        if let Some(row) = &done
            && first
            && beside(&tx, key, row, deed, now).await?
        {
            tx.commit().await?;
            return Ok(done);
        }
        tx.rollback().await?;
        Ok(None)
    }

    /// What deeds made of a request. `None`: somebody changed it meanwhile, nothing must be committed.
    pub(super) async fn write_in(
        &self,
        tx: &Tx,
        who: &Actor,
        key: &TenantKey,
        step: Step,
        now: i64,
    ) -> Result<Option<RequestRow>, DeskError> {
        let rows = self.leaving(who, key, &step)?;
        let Step { mut row, ledger, .. } = step;
        if !requests::save(tx, row.desk, &row, now).await? {
            return Ok(None);
        }
        history::append(tx, row.desk, key, row.id, ledger.lines()).await?;
        let of = Of { request: row.id, number: row.number, key_portal: row.key_portal, key };
        outbox::add(tx, row.desk, of, &rows, now).await?;
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
        Deed::Link { role, hash, until } => {
            let link = Link { desk: row.desk, request: row.id, role: *role, expires_at: *until };
            links::add(tx, row.desk, hash, &link, now).await.map(|()| true)
        }
        Deed::Unlink => links::revoke(tx, row.desk, row.id, now).await.map(|_| true),
        Deed::File { id, mime, length, .. } => files::keep(tx, row.desk, *id, mime, *length).await,
        _ => Ok(true),
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
