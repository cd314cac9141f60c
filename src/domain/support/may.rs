//! What somebody may do with a request now, so that a page offers what would not be refused and has no rules of its own.
//! Steps of the life are asked of it; what deeds beside it demand is said here as `support::act` does.

use std::collections::BTreeSet;

use chrono::DateTime;

use super::life::{Action, Reason, Role, State, click};

/// What a page can offer: a step of the life, or a deed beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    Choose,
    Confirm,
    Dispute,
    Close,
    Take,
    Answer,
    Ask,
    Resume,
    Say,
    Note,
    Offer,
    Agree,
    Assign,
    Split,
    Fix,
    Withdraw,
    Rate,
}

impl Act {
    pub const ALL: [Self; 17] = [
        Self::Choose,
        Self::Confirm,
        Self::Dispute,
        Self::Close,
        Self::Take,
        Self::Answer,
        Self::Ask,
        Self::Resume,
        Self::Say,
        Self::Note,
        Self::Offer,
        Self::Agree,
        Self::Assign,
        Self::Split,
        Self::Fix,
        Self::Withdraw,
        Self::Rate,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Choose => "choose",
            Self::Confirm => "confirm",
            Self::Dispute => "dispute",
            Self::Close => "close",
            Self::Take => "take",
            Self::Answer => "answer",
            Self::Ask => "ask",
            Self::Resume => "resume",
            Self::Say => "say",
            Self::Note => "note",
            Self::Offer => "offer",
            Self::Agree => "agree",
            Self::Assign => "assign",
            Self::Split => "split",
            Self::Withdraw => "withdraw",
            Self::Rate => "rate",
            Self::Fix => "fix",
        }
    }

    /// What it cannot be done without.
    pub fn needs(self) -> Option<&'static str> {
        match self {
            Self::Answer | Self::Ask | Self::Say | Self::Note => Some("text"),
            Self::Dispute | Self::Withdraw => Some("reason"),
            Self::Choose => Some("option"),
            Self::Offer => Some("options"),
            Self::Agree => Some("date"),
            Self::Assign => Some("person"),
            Self::Split => Some("sentences"),
            Self::Rate => Some("rating"),
            Self::Fix => Some("release"),
            Self::Confirm | Self::Close | Self::Take | Self::Resume => None,
        }
    }
}

/// A request as far as it decides what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stands {
    pub state: State,
    /// Options wait to be chosen from.
    pub offered: bool,
    pub sentences: usize,
    /// It has words, and nobody has rated it.
    pub unrated: bool,
}

pub fn may(stands: Stands, roles: &BTreeSet<Role>) -> Vec<Act> {
    Act::ALL.into_iter().filter(|act| allows(*act, stands, roles)).collect()
}

fn allows(act: Act, stands: Stands, roles: &BTreeSet<Role>) -> bool {
    let step = |action: Action| click(stands.state, &action, roles, DateTime::UNIX_EPOCH).is_ok();
    let said = || Reason::parse("x").ok();
    let desk = roles.iter().any(|role| role.is_desk());
    let customer = roles.iter().any(|role| role.is_customer());
    let open = stands.state != State::Closed;
    match act {
        Act::Confirm => step(Action::Confirm),
        Act::Dispute => said().is_some_and(|reason| step(Action::Dispute(reason))),
        Act::Close => step(Action::Close),
        Act::Take => step(Action::Take),
        Act::Answer => step(Action::Answer),
        Act::Ask => step(Action::Ask),
        Act::Resume => step(Action::Resume),
        Act::Say => step(Action::Say),
        Act::Withdraw => said().is_some_and(|reason| step(Action::Withdraw(reason))),
        Act::Choose => stands.offered && customer && step(Action::Say),
        Act::Note | Act::Fix => desk,
        // An offer asks, or is a word where the customer is waited for anyway: never before work began.
        Act::Offer => desk && open && stands.state != State::Registered,
        Act::Agree | Act::Assign => desk && open,
        Act::Split => desk && open && stands.sentences > 1,
        Act::Rate => customer && !open && stands.unrated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(state: State, roles: &[Role]) -> Vec<&'static str> {
        let stands = Stands { state, offered: true, sentences: 2, unrated: true };
        may(stands, &roles.iter().copied().collect()).into_iter().map(Act::word).collect()
    }

    #[test]
    fn s43_s47_everybody_is_offered_what_is_his_to_do_and_nothing_else() {
        use Role::{Operator, Representative, Submitter};
        assert_eq!(words(State::Registered, &[Submitter]), ["choose", "say", "withdraw"]);
        assert_eq!(words(State::Answered, &[Submitter]), ["choose", "confirm", "dispute", "say", "withdraw"]);
        assert_eq!(words(State::Completed, &[Representative]), ["choose", "dispute", "close", "say", "withdraw"]);
        assert_eq!(words(State::Registered, &[Operator]), ["take", "say", "note", "agree", "assign", "split", "fix"]);
        assert_eq!(
            words(State::WaitingForCustomer, &[Operator]),
            ["answer", "resume", "say", "note", "offer", "agree", "assign", "split", "fix"]
        );
        assert_eq!(words(State::Closed, &[Submitter, Representative]), ["rate"]);
        assert_eq!(words(State::Closed, &[Operator]), ["note", "fix"], "what is closed stays closed (S-31)");
        assert_eq!(words(State::Answered, &[]), [""; 0], "who is nothing to it is offered nothing");
        assert_eq!(words(State::Answered, &[Role::Policy]), [""; 0], "the policy is no person");
    }

    #[test]
    fn s30_a_single_sentence_is_not_split_and_nothing_is_chosen_where_nothing_was_offered() {
        let stands = Stands { state: State::InProgress, offered: false, sentences: 1, unrated: true };
        let roles = BTreeSet::from([Role::Submitter, Role::Operator]);
        let offered = may(stands, &roles);
        assert!(!offered.contains(&Act::Split) && !offered.contains(&Act::Choose), "{offered:?}");
    }
}
