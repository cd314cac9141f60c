//! What a chunk of the inbox did to a record, and what the outbox has to know of it.

use std::collections::BTreeMap;

use super::decide::rank_in;
use crate::domain::{Subject, Turn};
use crate::store::inbox::InboxRow;
use crate::store::outbox::{Intent, NewIntent};

/// What became of a record in this chunk.
#[derive(Clone, Copy)]
pub(super) struct Touched {
    pub priority: i32,
    /// Within an import: whose turn it is.
    pub turn: Turn,
    pub seen_at: i64,
    /// The facts differ from before.
    pub changed: bool,
    /// A profile's name (in deals' titles), or a finished stay's figures (in guests' totals), differ.
    pub others: bool,
}

impl Touched {
    pub fn by(row: &InboxRow, turn: Turn, changed: bool, others: bool) -> Self {
        Self { priority: row.priority, turn, seen_at: row.received_at, changed, others }
    }
}

pub(super) fn touch<K: Ord>(map: &mut BTreeMap<K, Touched>, key: K, new: Touched) {
    map.entry(key)
        .and_modify(|held| {
            held.priority = held.priority.min(new.priority);
            held.turn = held.turn.min(new.turn);
            held.seen_at = held.seen_at.min(new.seen_at);
            held.changed |= new.changed;
            held.others |= new.others;
        })
        .or_insert(new);
}

pub(super) fn intent(subject: &Subject, touched: Touched, rank: i32) -> NewIntent {
    NewIntent {
        subject: subject.to_string(),
        intent: Intent::Sync,
        priority: touched.priority,
        rank: rank_in(touched.turn, rank),
        not_before: 0,
        seen_at: touched.seen_at,
    }
}
