//! How long a request stood in each of its states, by the clock on the wall: where work waits is seen by it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::life::{State, Transition};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Times {
    /// Since when it stands where it does; none: nobody kept it then.
    since: Option<DateTime<Utc>>,
    /// What is over, in seconds.
    spent: BTreeMap<State, i64>,
}

impl Times {
    pub fn start(at: DateTime<Utc>) -> Self {
        Self { since: Some(at), spent: BTreeMap::new() }
    }

    pub fn note(&mut self, step: Transition, at: DateTime<Utc>) {
        if step.from == step.to {
            return;
        }
        if let Some(since) = self.since.replace(at) {
            *self.spent.entry(step.from).or_default() += (at - since).num_seconds().max(0);
        }
    }

    /// Of the states it has stood in; what is closed stands nowhere any more.
    pub fn read(&self, state: State, now: DateTime<Utc>) -> BTreeMap<State, TimeDelta> {
        let mut read: BTreeMap<State, TimeDelta> =
            self.spent.iter().map(|(state, seconds)| (*state, TimeDelta::seconds(*seconds))).collect();
        if let Some(since) = self.since.filter(|_| state != State::Closed) {
            *read.entry(state).or_default() += (now - since).max(TimeDelta::zero());
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(from: State, to: State) -> Transition {
        Transition { from, to, resolution: None }
    }

    #[test]
    fn s19_each_state_has_the_time_it_was_stood_in_however_often() {
        use State::{Closed, InProgress, Registered, WaitingForCustomer};
        let at = |hours: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let mut times = Times::start(at(0));
        for (from, to, hour) in [
            (Registered, InProgress, 2),
            // A word moves nothing.
            (InProgress, InProgress, 3),
            (InProgress, WaitingForCustomer, 5),
            (WaitingForCustomer, InProgress, 29),
            (InProgress, Closed, 30),
        ] {
            times.note(step(from, to), at(hour));
        }
        let hours =
            |read: BTreeMap<State, TimeDelta>| read.into_values().map(|time| time.num_hours()).collect::<Vec<_>>();
        assert_eq!(hours(times.read(Closed, at(99))), [2, 4, 24]);
        let open = Times::start(at(0)).read(Registered, at(7));
        assert_eq!(open, BTreeMap::from([(Registered, TimeDelta::hours(7))]));
        assert_eq!(Times::default().read(InProgress, at(7)), BTreeMap::new(), "nobody kept it then");
    }

    proptest! {
        #[test]
        fn s19_no_time_is_lost_or_counted_twice(steps in prop::collection::vec((0..6_usize, 0..100_000_i64), 0..20)) {
            let mut at = DateTime::UNIX_EPOCH;
            let (mut times, mut state) = (Times::start(at), State::Registered);
            for (to, seconds) in steps {
                at += TimeDelta::seconds(seconds);
                let to = State::ALL[to % 5];
                times.note(step(state, to), at);
                state = to;
            }
            let sum: TimeDelta = times.read(state, at).into_values().sum();
            prop_assert_eq!(sum, at - DateTime::UNIX_EPOCH);
        }
    }
}
