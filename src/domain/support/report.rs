//! How a desk did over a time: volume, promises kept, what came back, what is left (issue of every morning's meeting).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::clock::{Reading, Standing};
use super::{Kind, Rating, State};

/// One request as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub kind: Kind,
    pub state: State,
    pub created_at: DateTime<Utc>,
    pub first_answer: Reading,
    pub solution: Reading,
    /// How often a solution was disputed.
    pub disputes: usize,
    pub rating: Option<Rating>,
    /// How long it stood in each of its states.
    pub times: BTreeMap<State, TimeDelta>,
}

/// What became of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Attainment {
    pub kept: u32,
    pub broken: u32,
    /// Its time is not over yet.
    pub open: u32,
}

impl Attainment {
    fn count(&mut self, reading: &Reading) {
        match (reading.breached, reading.standing) {
            (true, _) => self.broken += 1,
            (false, Standing::Stopped) => self.kept += 1,
            (false, _) => self.open += 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Volume {
    pub registered: u32,
    pub closed: u32,
    /// Requests whose solution was disputed at least once.
    pub reopened: u32,
    /// Requests that were answered at least once: what `reopened` is a part of.
    pub answered: u32,
    pub first_answer: Attainment,
    pub solution: Attainment,
    /// How many were rated by their customers …
    pub rated: u32,
    /// … and their scores together.
    pub scores: u32,
}

impl Volume {
    fn count(&mut self, case: &Case) {
        self.registered += 1;
        self.closed += u32::from(case.state == State::Closed);
        self.reopened += u32::from(case.disputes > 0);
        let solved = matches!(case.state, State::Answered | State::Completed | State::Closed);
        self.answered += u32::from(solved || case.disputes > 0);
        self.first_answer.count(&case.first_answer);
        self.solution.count(&case.solution);
        self.rated += u32::from(case.rating.is_some());
        self.scores += case.rating.map_or(0, |rating| u32::from(rating.score()));
    }
}

/// Open requests by the days since they came: below 1, 3, 7, 30, and older.
pub const AGES: [i64; 4] = [1, 3, 7, 30];

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    pub all: Volume,
    pub kinds: BTreeMap<Kind, Volume>,
    pub states: BTreeMap<State, u32>,
    /// How many requests stood in a state, and for how long together.
    pub times: BTreeMap<State, (u32, TimeDelta)>,
    /// By [`AGES`].
    pub backlog: [u32; AGES.len() + 1],
}

impl Report {
    pub fn count(&mut self, case: &Case, now: DateTime<Utc>) {
        self.all.count(case);
        self.kinds.entry(case.kind).or_default().count(case);
        *self.states.entry(case.state).or_default() += 1;
        for (state, time) in &case.times {
            let (count, sum) = self.times.entry(*state).or_default();
            *count += 1;
            *sum += *time;
        }
        if case.state != State::Closed {
            let age = now - case.created_at;
            let place = AGES.iter().position(|days| age < TimeDelta::days(*days)).unwrap_or(AGES.len());
            if let Some(count) = self.backlog.get_mut(place) {
                *count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(standing: Standing, breached: bool) -> Reading {
        Reading { standing, spent: TimeDelta::zero(), deadline: None, warn_at: None, breached }
    }

    fn case(state: State, days: i64, disputes: usize) -> Case {
        Case {
            kind: Kind::Incident,
            state,
            created_at: DateTime::UNIX_EPOCH - TimeDelta::days(days),
            first_answer: reading(Standing::Stopped, false),
            solution: reading(Standing::Running, false),
            disputes,
            rating: None,
            times: BTreeMap::from([(State::Registered, TimeDelta::hours(days))]),
        }
    }

    #[test]
    fn s19_a_report_counts_each_request_once_by_what_became_of_it() {
        let mut report = Report::default();
        let late =
            Case { solution: reading(Standing::Stopped, true), rating: Rating::new(4), ..case(State::Closed, 40, 2) };
        let paused = Case { first_answer: reading(Standing::Paused, false), ..case(State::WaitingForCustomer, 0, 0) };
        for case in [case(State::InProgress, 2, 1), case(State::Answered, 30, 0), late, paused] {
            report.count(&case, DateTime::UNIX_EPOCH);
        }
        let all = report.all;
        assert_eq!((all.registered, all.closed, all.answered, all.reopened), (4, 1, 3, 2));
        assert_eq!(all.first_answer, Attainment { kept: 3, broken: 0, open: 1 });
        assert_eq!(all.solution, Attainment { kept: 0, broken: 1, open: 3 });
        assert_eq!((all.rated, all.scores), (1, 4));
        assert_eq!(report.kinds, BTreeMap::from([(Kind::Incident, all)]));
        assert_eq!(report.backlog, [1, 1, 0, 0, 1], "what is closed is no backlog");
        assert_eq!(report.times, BTreeMap::from([(State::Registered, (4, TimeDelta::hours(72)))]));
        assert_eq!(report.states.values().sum::<u32>(), 4);
    }
}
