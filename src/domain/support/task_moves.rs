//! A request's state and its task's status move each other (S-39, S-43…S-45), and neither answers its own echo.
//!
//! From the task only a status that differs from the last one seen means anything, and nothing it says leads to a state
//! that the task must follow: what a specialist did is answered by "already". To the task a state is said once, as a move
//! from wherever the task stands: a specialist who then moves it elsewhere is not fought.

use super::life::{Action, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskState {
    Waiting,
    InProgress,
    /// Done as the specialist says; its creator is to look at it.
    Supposed,
    Completed,
    Deferred,
    /// One that we do not know: it means nothing.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskMove {
    Start,
    Complete,
    Renew,
    Approve,
}

/// A status and when it was taken, as the portal tells it (ms).
pub type Seen = (TaskState, Option<i64>);

/// What the desk does when the task has moved, in order. `known`: as it was last seen, or left by a move of ours.
pub fn heard(known: Option<Seen>, now: Seen, state: State) -> Vec<Action> {
    if known == Some(now) {
        return vec![];
    }
    let began = matches!(now.0, TaskState::InProgress | TaskState::Supposed | TaskState::Completed);
    let done = matches!(now.0, TaskState::Supposed | TaskState::Completed);
    let mut actions = Vec::new();
    if began && state == State::Registered {
        actions.push(Action::Take);
    }
    if done && matches!(state, State::Registered | State::InProgress | State::WaitingForCustomer) {
        actions.push(Action::Answer);
    }
    actions
}

/// How the task follows when its request has come to this state.
pub fn follow(state: State, task: TaskState) -> Option<TaskMove> {
    use TaskState::{Completed, Deferred, InProgress, Supposed, Waiting};
    match (state, task) {
        (State::InProgress, Supposed | Completed) => Some(TaskMove::Renew),
        (State::InProgress, Waiting | Deferred) => Some(TaskMove::Start),
        (State::Answered | State::Completed | State::Closed, Waiting | InProgress | Deferred) => {
            Some(TaskMove::Complete)
        }
        // The customer's word is what its creator waits for.
        (State::Completed | State::Closed, Supposed) => Some(TaskMove::Approve),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::life::{Reason, Role, click};
    use super::*;

    const TASKS: [TaskState; 6] = [
        TaskState::Waiting,
        TaskState::InProgress,
        TaskState::Supposed,
        TaskState::Completed,
        TaskState::Deferred,
        TaskState::Unknown,
    ];

    /// What the portal makes of a move, by its rules (facts §8); our token is the task's creator.
    fn moved(by: TaskMove, from: TaskState) -> TaskState {
        match (by, from) {
            (TaskMove::Start, _) => TaskState::InProgress,
            (TaskMove::Complete | TaskMove::Approve, _) => TaskState::Completed,
            (TaskMove::Renew, _) => TaskState::Waiting,
        }
    }

    fn act(state: State, action: &Action) -> Option<State> {
        let facts = click(state, action, &BTreeSet::from([Role::Operator]), chrono::DateTime::UNIX_EPOCH).ok()?;
        facts.last().map(|fact| fact.transition.to)
    }

    #[test]
    fn s43_a_specialist_who_completes_the_task_has_answered() {
        let done = (TaskState::Supposed, Some(2));
        assert_eq!(heard(Some((TaskState::InProgress, Some(1))), done, State::InProgress), [Action::Answer]);
        assert_eq!(heard(None, done, State::Registered), [Action::Take, Action::Answer]);
        assert_eq!(heard(Some(done), done, State::InProgress), [], "seen before a dispute, it says nothing again");
        let again = (TaskState::Supposed, Some(3));
        assert_eq!(heard(Some(done), again, State::InProgress), [Action::Answer], "completed once more");
        assert_eq!(heard(None, (TaskState::Unknown, Some(9)), State::InProgress), []);
    }

    #[test]
    fn s44_s45_the_task_follows_a_dispute_a_confirmation_and_a_withdrawal() {
        assert_eq!(follow(State::InProgress, TaskState::Supposed), Some(TaskMove::Renew));
        assert_eq!(follow(State::InProgress, TaskState::Completed), Some(TaskMove::Renew));
        assert_eq!(follow(State::Completed, TaskState::Supposed), Some(TaskMove::Approve));
        assert_eq!(follow(State::Closed, TaskState::InProgress), Some(TaskMove::Complete));
        assert_eq!(follow(State::Closed, TaskState::Completed), None);
        assert_eq!(follow(State::WaitingForCustomer, TaskState::InProgress), None);
    }

    #[test]
    fn s39_whatever_either_side_does_the_two_come_to_rest() {
        for state in State::ALL {
            for task in TASKS {
                // The request came to its state, the task follows, and is seen again.
                let (mut state, mut task, mut at) = (state, task, 0);
                let mut known = Some((task, Some(at)));
                let mut say = true;
                for round in 0.. {
                    assert!(round < 4, "{state:?} and {task:?} go on for ever");
                    if std::mem::take(&mut say)
                        && let Some(by) = follow(state, task)
                    {
                        (task, at) = (moved(by, task), at + 1);
                        // The worst case: the answer was lost, and the move is seen as if a person had made it.
                    }
                    let now = (task, Some(at));
                    for action in heard(known, now, state) {
                        if let Some(to) = act(state, &action) {
                            (state, say) = (to, true);
                        }
                    }
                    if known == Some(now) && !say {
                        break;
                    }
                    known = Some(now);
                }
            }
        }
    }

    #[test]
    fn s44_a_dispute_is_not_undone_by_the_status_it_disputes() {
        let seen = (TaskState::Completed, Some(5));
        let roles = BTreeSet::from([Role::Submitter]);
        let reason = Reason::parse("не помогло").expect("a reason");
        let facts = click(State::Answered, &Action::Dispute(reason), &roles, chrono::DateTime::UNIX_EPOCH);
        let state = facts.expect("disputed")[0].transition.to;
        assert_eq!(heard(Some(seen), seen, state), [], "the task is read before it is renewed");
    }
}
