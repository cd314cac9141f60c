//! A request's state and its card's column (E-19). By default the kind of a column tells: a queue is new, work in progress is work,
//! done is answered. A desk may name a column for a state; then that column stands for it.

use std::collections::BTreeMap;

use super::life::State;
use super::task_moves::TaskState;

/// What Kaiten calls the type of a column, and the state of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Queue,
    InProgress,
    Done,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub id: i64,
    pub stage: Stage,
}

/// Columns that a desk named.
pub type Named = BTreeMap<State, i64>;

/// The board as it stands, and what the desk made of it.
#[derive(Debug, Clone, Copy)]
pub struct Board<'a> {
    pub columns: &'a [Column],
    pub named: &'a Named,
}

/// What a state is in a card: of two states in one column it must be the same.
pub fn stands_for(state: State) -> TaskState {
    match state {
        State::Registered => TaskState::Waiting,
        State::InProgress | State::WaitingForCustomer => TaskState::InProgress,
        State::Answered | State::Completed | State::Closed => TaskState::Completed,
    }
}

impl Board<'_> {
    /// What a card in this column says; `own`: as the card itself tells.
    pub fn seen(&self, column: i64, own: Stage) -> TaskState {
        if let Some((state, _)) = self.named.iter().find(|(_, named)| **named == column) {
            return stands_for(*state);
        }
        let known = self.columns.iter().find(|known| known.id == column).map(|known| known.stage);
        match known.filter(|stage| *stage != Stage::Unknown).unwrap_or(own) {
            Stage::Queue => TaskState::Waiting,
            Stage::InProgress => TaskState::InProgress,
            Stage::Done => TaskState::Completed,
            Stage::Unknown => TaskState::Unknown,
        }
    }

    /// The first column that says so.
    fn first(&self, wanted: TaskState) -> Option<i64> {
        let waits = self.named.get(&State::WaitingForCustomer);
        let says = |column: &&Column| self.seen(column.id, column.stage) == wanted && Some(&column.id) != waits;
        self.columns.iter().find(says).map(|column| column.id)
    }

    /// Where a card of this state is made; `None`: where Kaiten puts it.
    pub fn begins(&self, state: State) -> Option<i64> {
        self.named.get(&state).copied().or_else(|| self.first(stands_for(state)))
    }

    /// Where the card goes when its request has come to this state; `None`: it stays.
    pub fn follow(&self, state: State, column: i64, own: Stage) -> Option<i64> {
        if let Some(named) = self.named.get(&state) {
            return (*named != column).then_some(*named);
        }
        let here = self.seen(column, own);
        // What says the same already is left where people put it; but nobody waits for the customer any more.
        let waited = state == State::InProgress && self.named.get(&State::WaitingForCustomer) == Some(&column);
        match state {
            State::Registered | State::WaitingForCustomer => None,
            _ if here == stands_for(state) && !waited => None,
            _ => self.first(stands_for(state)).filter(|to| *to != column),
        }
    }
}

/// States whose columns cannot both be this one: it would say two things.
pub fn contradictions(named: &Named) -> Vec<State> {
    let said = |state: &State, column: &i64| {
        named.iter().any(|(other, at)| at == column && stands_for(*other) != stands_for(*state))
    };
    named.iter().filter(|(state, column)| **column <= 0 || said(state, column)).map(|(state, _)| *state).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::life::{Role, click};
    use super::super::task_moves::heard;
    use super::*;

    const COLUMNS: [Column; 5] = [
        Column { id: 1, stage: Stage::Queue },
        Column { id: 2, stage: Stage::InProgress },
        Column { id: 3, stage: Stage::InProgress },
        Column { id: 4, stage: Stage::Done },
        Column { id: 5, stage: Stage::Done },
    ];

    #[test]
    fn e19_columns_follow_their_kind_where_nobody_named_any() {
        let (named, own) = (Named::new(), Stage::Unknown);
        let board = Board { columns: &COLUMNS, named: &named };
        assert_eq!((board.begins(State::Registered), board.begins(State::Closed)), (Some(1), Some(4)));
        assert_eq!(board.follow(State::InProgress, 1, own), Some(2));
        assert_eq!(board.follow(State::InProgress, 3, own), None, "people's own column of the same kind");
        assert_eq!(board.follow(State::WaitingForCustomer, 2, own), None);
        assert_eq!(board.follow(State::Answered, 3, own), Some(4));
        assert_eq!(board.follow(State::Closed, 5, own), None);
        assert_eq!(board.follow(State::InProgress, 5, own), Some(2), "a dispute");
        assert_eq!(board.seen(99, Stage::Done), TaskState::Completed, "another board: the card tells by itself");
        assert_eq!(board.seen(99, own), TaskState::Unknown);
        let none = Board { columns: &[], named: &named };
        assert_eq!((none.begins(State::Registered), none.follow(State::Closed, 7, own)), (None, None));
    }

    #[test]
    fn e19_a_named_column_stands_for_its_state() {
        let named = Named::from([(State::WaitingForCustomer, 3), (State::Answered, 2), (State::Closed, 5)]);
        let (board, own) = (Board { columns: &COLUMNS, named: &named }, Stage::Unknown);
        assert_eq!(board.follow(State::WaitingForCustomer, 1, own), Some(3));
        assert_eq!(board.seen(2, Stage::InProgress), TaskState::Completed, "named, whatever its kind");
        assert_eq!(board.follow(State::Completed, 2, own), None);
        assert_eq!(board.follow(State::Closed, 2, own), Some(5));
        let waits = Named::from([(State::WaitingForCustomer, 3)]);
        let board = Board { columns: &COLUMNS, named: &waits };
        assert_eq!(board.follow(State::InProgress, 3, own), Some(2), "nobody waits any more");
        assert_eq!(contradictions(&named), []);
        let wrong =
            Named::from([(State::Registered, 0), (State::InProgress, 2), (State::Closed, 2), (State::Completed, 4)]);
        assert_eq!(contradictions(&wrong), [State::Registered, State::InProgress, State::Closed]);
    }

    #[test]
    fn e19_whatever_either_side_does_card_and_request_come_to_rest() {
        let maps = [
            Named::new(),
            Named::from([(State::WaitingForCustomer, 3), (State::Answered, 2), (State::Closed, 5)]),
            Named::from([(State::Registered, 4), (State::Answered, 1)]),
        ];
        let roles = BTreeSet::from([Role::Operator]);
        for named in &maps {
            let board = Board { columns: &COLUMNS, named };
            for (state, column) in State::ALL.into_iter().flat_map(|state| COLUMNS.map(|column| (state, column.id))) {
                let (mut state, mut column, mut known, mut say) = (state, column, None, true);
                for round in 0.. {
                    assert!(round < 4, "{named:?} {state:?} {column} go on for ever");
                    if std::mem::take(&mut say) {
                        column = board.follow(state, column, Stage::Unknown).unwrap_or(column);
                    }
                    let now = (board.seen(column, Stage::Unknown), None);
                    for action in heard(known, now, state) {
                        let facts = click(state, &action, &roles, chrono::DateTime::UNIX_EPOCH);
                        if let Some(fact) = facts.ok().and_then(|facts| facts.last().cloned()) {
                            (state, say) = (fact.transition.to, true);
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
}
