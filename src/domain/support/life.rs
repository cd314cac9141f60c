//! The life of a request (decisions 1 and 2; S-41, S-43…S-47, E-23): who may do what from where, and nothing besides.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Registered,
    InProgress,
    WaitingForCustomer,
    /// The answer is delivered and waits to be confirmed.
    Answered,
    /// The submitter confirmed.
    Completed,
    Closed,
}

impl State {
    pub const ALL: [Self; 6] =
        [Self::Registered, Self::InProgress, Self::WaitingForCustomer, Self::Answered, Self::Completed, Self::Closed];

    /// His silence holds it up.
    pub fn is_the_customers(self) -> bool {
        matches!(self, Self::WaitingForCustomer | Self::Answered | Self::Completed)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::InProgress => "in_progress",
            Self::WaitingForCustomer => "waiting_for_customer",
            Self::Answered => "answered",
            Self::Completed => "completed",
            Self::Closed => "closed",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Submitter,
    /// Of the customer; perhaps not who submitted (S-46).
    Representative,
    Operator,
    Manager,
    /// What the support portal's admin has turned on, not a person.
    Policy,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Submitter, Self::Representative, Self::Operator, Self::Manager, Self::Policy];

    pub fn is_customer(self) -> bool {
        matches!(self, Self::Submitter | Self::Representative)
    }

    pub fn is_desk(self) -> bool {
        matches!(self, Self::Operator | Self::Manager)
    }
}

/// Why somebody disputes or withdraws, in his words: there is none without words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        if text.chars().any(char::is_alphanumeric) { Ok(Self(text.to_owned())) } else { Err(Refusal::NoReason) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Work begins.
    Take,
    /// The customer is asked for more.
    Ask,
    /// The desk goes on without waiting: what was asked for came by phone, or is not needed.
    Resume,
    /// A word, from either side.
    Say,
    /// The answer is delivered.
    Answer,
    Confirm,
    Close,
    Dispute(Reason),
    Withdraw(Reason),
    /// Nobody answered for as long as the policy says, nor to its reminders (`silence`).
    CloseBySilence,
    /// The customer's end is proven and his words are erased: nobody is left to confirm or to withdraw.
    CloseOfGone,
}

/// How a request came to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    Confirmed,
    Withdrawn,
    Policy,
    CustomerGone,
}

impl Resolution {
    pub const ALL: [Self; 4] = [Self::Confirmed, Self::Withdrawn, Self::Policy, Self::CustomerGone];

    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Withdrawn => "withdrawn",
            Self::Policy => "policy",
            Self::CustomerGone => "customer_gone",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| resolution.word() == word)
    }
}

/// What became of an action; `from` and `to` are the same where nothing moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub from: State,
    pub to: State,
    /// Of a request that is closed by it.
    pub resolution: Option<Resolution>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// Nobody in this role may do it, wherever the request stands.
    NotForThisRole,
    /// What is closed stays closed: whoever has more to say opens a new request (S-31).
    Closed,
    NotTakenYet,
    AlreadyTaken,
    NothingWasAsked,
    AlreadyAsked,
    NotAnsweredYet,
    AlreadyAnswered,
    NotConfirmedYet,
    AlreadyConfirmed,
    /// It is not the customer's turn: his silence means nothing.
    NotTheCustomersTurn,
    NoReason,
}

/// What one action of one role makes of a request.
pub fn decide(state: State, action: &Action, role: Role) -> Result<Transition, Refusal> {
    use State::{Answered, Closed, Completed, InProgress, Registered, WaitingForCustomer};
    if !may_ever(action, role) {
        return Err(Refusal::NotForThisRole);
    }
    let mut resolution = None;
    let to = match (action, state) {
        (_, Closed) => return Err(Refusal::Closed),
        (Action::Take, Registered) => InProgress,
        (Action::Take, _) => return Err(Refusal::AlreadyTaken),

        (Action::Ask | Action::Answer, Registered) => return Err(Refusal::NotTakenYet),
        (Action::Ask | Action::Answer, Answered | Completed) => return Err(Refusal::AlreadyAnswered),
        (Action::Ask, InProgress) => WaitingForCustomer,
        (Action::Ask, WaitingForCustomer) => return Err(Refusal::AlreadyAsked),
        (Action::Answer, InProgress | WaitingForCustomer) => Answered,

        (Action::Resume, WaitingForCustomer) => InProgress,
        (Action::Resume, _) => return Err(Refusal::NothingWasAsked),
        // A word reopens nothing: a "thank you" is no dispute.
        (Action::Say, WaitingForCustomer) if role.is_customer() => InProgress,
        (Action::Say, _) => state,

        (Action::Confirm, Answered) => Completed,
        (Action::Confirm, Completed) => return Err(Refusal::AlreadyConfirmed),
        (Action::Dispute(_), Answered | Completed) => InProgress,
        (Action::Confirm | Action::Dispute(_), _) => return Err(Refusal::NotAnsweredYet),

        (Action::Close, Completed) => {
            resolution = Some(Resolution::Confirmed);
            Closed
        }
        (Action::Close, _) => return Err(Refusal::NotConfirmedYet),
        (Action::Withdraw(_), _) => {
            resolution = Some(Resolution::Withdrawn);
            Closed
        }
        (Action::CloseBySilence, WaitingForCustomer | Answered | Completed) => {
            resolution = Some(Resolution::Policy);
            Closed
        }
        (Action::CloseBySilence, _) => return Err(Refusal::NotTheCustomersTurn),
        (Action::CloseOfGone, _) => {
            resolution = Some(Resolution::CustomerGone);
            Closed
        }
    };
    Ok(Transition { from: state, to, resolution })
}

fn may_ever(action: &Action, role: Role) -> bool {
    match action {
        Action::Take | Action::Ask | Action::Resume | Action::Answer => role.is_desk(),
        Action::Say => role.is_desk() || role.is_customer(),
        Action::Confirm => role == Role::Submitter,
        Action::Close => role == Role::Representative,
        Action::Dispute(_) | Action::Withdraw(_) => role.is_customer(),
        Action::CloseBySilence | Action::CloseOfGone => role == Role::Policy,
    }
}

/// What is written of a transition: every one has its own role and its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    pub transition: Transition,
    pub role: Role,
    pub at: DateTime<Utc>,
}

/// What one click of a person makes of a request, in all his roles: who submitted it and represents the customer too confirms
/// and closes at once, which are two facts.
pub fn click(state: State, action: &Action, roles: &BTreeSet<Role>, at: DateTime<Utc>) -> Result<Vec<Fact>, Refusal> {
    let first = one(state, action, roles, at)?;
    let mut facts = vec![first];
    if *action == Action::Confirm
        && let Ok(second) = one(first.transition.to, &Action::Close, roles, at)
    {
        facts.push(second);
    }
    Ok(facts)
}

fn one(state: State, action: &Action, roles: &BTreeSet<Role>, at: DateTime<Utc>) -> Result<Fact, Refusal> {
    let mut refusal = Refusal::NotForThisRole;
    for role in roles.iter().copied() {
        match decide(state, action, role) {
            Ok(transition) => return Ok(Fact { transition, role, at }),
            Err(Refusal::NotForThisRole) => {}
            Err(said) => refusal = said,
        }
    }
    Err(refusal)
}
