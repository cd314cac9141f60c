use std::collections::BTreeSet;

use chrono::DateTime;

use super::life::*;
use State::*;

fn reason() -> Reason {
    Reason::parse("the rate is still wrong").expect("a reason")
}

fn actions() -> [Action; 11] {
    [
        Action::Take,
        Action::Ask,
        Action::Resume,
        Action::Say,
        Action::Answer,
        Action::Confirm,
        Action::Close,
        Action::Dispute(reason()),
        Action::Withdraw(reason()),
        Action::CloseBySilence,
        Action::CloseOfGone,
    ]
}

fn triples() -> impl Iterator<Item = (State, Action, Role)> {
    State::ALL.into_iter().flat_map(|state| {
        actions().into_iter().flat_map(move |action| Role::ALL.map(|role| (state, action.clone(), role)))
    })
}

/// An action, who may, from where, and where to; none: it stays.
type Rule = (Action, Vec<Role>, Vec<State>, Option<State>);

/// The documents' own table. What is not here is refused.
fn documents() -> Vec<Rule> {
    use Role::*;
    let (desk, customer) = (vec![Operator, Manager], vec![Submitter, Representative]);
    let open = vec![Registered, InProgress, WaitingForCustomer, Answered, Completed];
    vec![
        (Action::Take, desk.clone(), vec![Registered], Some(InProgress)),
        (Action::Ask, desk.clone(), vec![InProgress], Some(WaitingForCustomer)),
        (Action::Resume, desk.clone(), vec![WaitingForCustomer], Some(InProgress)),
        (Action::Answer, desk.clone(), vec![InProgress, WaitingForCustomer], Some(Answered)),
        (Action::Say, customer.clone(), vec![WaitingForCustomer], Some(InProgress)),
        (Action::Say, customer.clone(), vec![Registered, InProgress, Answered, Completed], None),
        (Action::Say, desk, open.clone(), None),
        (Action::Confirm, vec![Submitter], vec![Answered], Some(Completed)),
        (Action::Close, vec![Representative], vec![Completed], Some(Closed)),
        (Action::Dispute(reason()), customer.clone(), vec![Answered, Completed], Some(InProgress)),
        (Action::Withdraw(reason()), customer, open.clone(), Some(Closed)),
        (Action::CloseOfGone, vec![Policy], open, Some(Closed)),
        (Action::CloseBySilence, vec![Policy], vec![WaitingForCustomer, Answered, Completed], Some(Closed)),
    ]
}

#[test]
fn s41_s43_s44_s45_s46_s47_e23_every_step_is_the_documents_and_all_else_is_refused() {
    let table = documents();
    for (state, action, role) in triples() {
        let said = table
            .iter()
            .find(|(what, roles, from, _)| *what == action && roles.contains(&role) && from.contains(&state));
        let wanted = said.map(|(_, _, _, to)| to.unwrap_or(state));
        let decided = decide(state, &action, role);
        assert_eq!(decided.ok().map(|step| step.to), wanted, "{state:?} {action:?} {role:?}: {decided:?}");
        if let Ok(step) = decided {
            assert_eq!((step.from, step.resolution.is_some()), (state, step.to == Closed));
        }
    }
}

#[test]
fn s43_s45_every_state_is_reached_and_none_but_these_close_a_request() {
    let mut reached = BTreeSet::from([Registered]);
    let mut closings = BTreeSet::new();
    loop {
        let before = reached.len();
        for (state, action, role) in triples().filter(|(state, ..)| reached.contains(state)).collect::<Vec<_>>() {
            if let Ok(step) = decide(state, &action, role) {
                reached.insert(step.to);
                if step.to == Closed {
                    closings.insert((state, role, format!("{:?}", step.resolution)));
                }
            }
        }
        if reached.len() == before {
            break;
        }
    }
    assert_eq!(reached, State::ALL.into());
    let mut wanted = BTreeSet::from([(Completed, Role::Representative, "Some(Confirmed)".to_owned())]);
    for state in [Registered, InProgress, WaitingForCustomer, Answered, Completed] {
        for role in [Role::Submitter, Role::Representative] {
            wanted.insert((state, role, "Some(Withdrawn)".to_owned()));
        }
    }
    for state in [WaitingForCustomer, Answered, Completed] {
        wanted.insert((state, Role::Policy, "Some(Policy)".to_owned()));
    }
    for state in [Registered, InProgress, WaitingForCustomer, Answered, Completed] {
        wanted.insert((state, Role::Policy, "Some(CustomerGone)".to_owned()));
    }
    assert_eq!(closings, wanted);
}

#[test]
fn s47_a_closed_request_takes_nothing_more_and_says_so() {
    for (_, action, role) in triples() {
        let refusal = decide(Closed, &action, role).expect_err("closed");
        assert!(matches!(refusal, Refusal::Closed | Refusal::NotForThisRole), "{action:?} {role:?} {refusal:?}");
    }
}

#[test]
fn s45_s46_one_click_in_both_roles_is_two_facts_with_their_own_times() {
    let at = DateTime::UNIX_EPOCH;
    let both = BTreeSet::from([Role::Submitter, Role::Representative]);
    let facts = click(Answered, &Action::Confirm, &both, at).expect("both");
    let told: Vec<_> = facts.iter().map(|fact| (fact.transition.to, fact.role, fact.at)).collect();
    assert_eq!(told, [(Completed, Role::Submitter, at), (Closed, Role::Representative, at)]);
    let submitter = click(Answered, &Action::Confirm, &[Role::Submitter].into(), at).expect("one");
    assert_eq!(submitter.iter().map(|fact| fact.transition.to).collect::<Vec<_>>(), [Completed]);
    let closed = click(Completed, &Action::Close, &[Role::Representative].into(), at).expect("one");
    assert_eq!(closed.iter().map(|fact| fact.transition.resolution).collect::<Vec<_>>(), [Some(Resolution::Confirmed)]);
    let representative = BTreeSet::from([Role::Representative]);
    assert_eq!(click(Answered, &Action::Confirm, &representative, at), Err(Refusal::NotForThisRole));
    assert_eq!(click(InProgress, &Action::Confirm, &both, at), Err(Refusal::NotAnsweredYet), "the telling refusal");
    assert_eq!(click(Answered, &Action::Confirm, &BTreeSet::new(), at), Err(Refusal::NotForThisRole));
}

#[test]
fn s44_s47_nobody_disputes_or_withdraws_without_words() {
    for text in ["", "  ", "…", "-", "\u{a0}!?"] {
        assert_eq!(Reason::parse(text), Err(Refusal::NoReason), "{text:?}");
    }
    assert_eq!(Reason::parse(" нет ").map(|reason| reason.as_str().to_owned()), Ok("нет".to_owned()));
}

/// FreeScout 4196: a customer's "Thank you" reopened tickets.
#[test]
fn s43_a_thank_you_reopens_nothing() {
    for state in [Answered, Completed] {
        let step = decide(state, &Action::Say, Role::Submitter).expect("a word");
        assert_eq!((step.to, step.resolution), (state, None));
    }
    assert_eq!(decide(Closed, &Action::Say, Role::Submitter), Err(Refusal::Closed));
}

#[test]
fn s43_states_have_words_of_their_own() {
    for state in State::ALL {
        assert_eq!(State::parse(state.word()), Some(state));
        assert_eq!(serde_json::to_value(state).ok(), Some(state.word().into()));
    }
    for resolution in Resolution::ALL {
        assert_eq!(Resolution::parse(resolution.word()), Some(resolution));
        assert_eq!(serde_json::to_value(resolution).ok(), Some(resolution.word().into()));
    }
}
