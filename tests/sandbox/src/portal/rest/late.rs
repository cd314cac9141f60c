//! Work done after its client was turned away.

use std::sync::Arc;

use super::call::Caller;
use super::incoming::Incoming;
use super::perform;
use crate::portal::state::{Shared, State};

/// Requests waiting for their late commit.
#[derive(Debug, Default)]
pub struct Late {
    waiting: Vec<(i64, Caller, Incoming)>,
    /// Late commits done.
    pub done: u64,
}

impl Late {
    /// Plans one, by the portal's clock.
    pub fn plan(state: &mut State, due_ms: i64, caller: Caller, incoming: Incoming) {
        state.late.waiting.push((due_ms, caller, incoming));
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn take_due(&mut self, now_ms: i64) -> Vec<(Caller, Incoming)> {
        let (due, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(due, ..)| *due <= now_ms);
        self.waiting = waiting;
        let due: Vec<(i64, Caller, Incoming)> = due;
        due.into_iter().map(|(_, caller, incoming)| (caller, incoming)).collect()
    }
}

/// Does whatever is due by the portal's clock, or everything.
pub fn settle(shared: &Shared, everything: bool) {
    let mut state = shared.lock();
    let now = if everything { i64::MAX } else { state.clock.now_ms() };
    for (caller, incoming) in state.late.take_due(now) {
        perform::all_at_once(&mut state, &caller, &incoming);
        state.late.done += 1;
    }
}

/// Runs until the portal stops.
pub async fn run(shared: Arc<Shared>) {
    loop {
        settle(&shared, false);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
