//! The three clocks of a request (S-19, S-41, E-16): first answer, next update, solution.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::clock::{Agreement, Clock, Reading, Standing, Target};
use super::life::{Action, Fact, Role, State};
use super::sla::Promise;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    first_answer: Clock,
    /// Runs while a word of the customer waits for one of ours. Before the first answer that one's clock says all there is to
    /// say, and after an answer it is the customer's turn to confirm or to dispute.
    next_update: Option<Clock>,
    solution: Clock,
    /// The solution's day, where people agreed on one.
    agreed: Option<Agreement>,
    /// Clocks of solutions that were disputed, the oldest first.
    disputed: Vec<Clock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readings {
    pub first_answer: Reading,
    pub next_update: Option<Reading>,
    pub solution: Reading,
}

impl Clocks {
    /// At the registration, whatever the hour (E-16).
    pub fn start(at: DateTime<Utc>) -> Self {
        let clock = Clock::start(at);
        Self { first_answer: clock.clone(), next_update: None, solution: clock, agreed: None, disputed: Vec::new() }
    }

    /// What a fact of the request's life makes of its clocks.
    pub fn note(&mut self, action: &Action, fact: &Fact) {
        let (step, at) = (fact.transition, fact.at);
        match (step.from, step.to) {
            (State::WaitingForCustomer, State::InProgress) => self.solution.resume(at),
            (_, State::WaitingForCustomer) => self.solution.pause(at),
            (_, State::Answered) => self.solution.stop(at),
            (_, State::Closed) => self.stop(at),
            _ => {}
        }
        match action {
            Action::Ask | Action::Answer => self.told(at),
            Action::Say if matches!(fact.role, Role::Operator | Role::Manager) => self.told(at),
            Action::Say if !matches!(step.to, State::Answered | State::Completed) => self.heard(at),
            Action::Dispute(_) => {
                self.disputed.push(std::mem::replace(&mut self.solution, Clock::start(at)));
                self.agreed = None;
                self.heard(at);
            }
            _ => {}
        }
    }

    fn told(&mut self, at: DateTime<Utc>) {
        self.first_answer.stop(at);
        if let Some(clock) = &mut self.next_update {
            clock.stop(at);
        }
    }

    fn heard(&mut self, at: DateTime<Utc>) {
        let answered = self.first_answer.standing() == Standing::Stopped;
        let waits = self.next_update.as_ref().is_some_and(|clock| clock.standing() != Standing::Stopped);
        if answered && !waits {
            self.next_update = Some(Clock::start(at));
        }
    }

    fn stop(&mut self, at: DateTime<Utc>) {
        self.told(at);
        self.solution.stop(at);
    }

    /// People agreed at `at` that it is solved by `on`.
    pub fn agree(&mut self, on: DateTime<Utc>, at: DateTime<Utc>) {
        self.agreed = Some(Agreement { on, at });
    }

    /// How often a solution was disputed.
    pub fn disputes(&self) -> usize {
        self.disputed.len()
    }

    pub fn read(&self, calendar: &Calendar, promise: Promise, warn_percent: u8, now: DateTime<Utc>) -> Readings {
        let within = |minutes: Option<u32>| minutes.map_or(Target::Open, Target::Within);
        let solution = self.agreed.map_or_else(|| within(promise.solution), Target::Agreed);
        let read = |clock: &Clock, target| clock.read(calendar, target, warn_percent, now);
        Readings {
            first_answer: read(&self.first_answer, within(promise.first_answer)),
            next_update: self.next_update.as_ref().map(|clock| read(clock, within(promise.next_update))),
            solution: read(&self.solution, solution),
        }
    }

    /// The solutions that were disputed, read by what was promised.
    pub fn read_disputed(&self, calendar: &Calendar, promise: Promise, now: DateTime<Utc>) -> Vec<Reading> {
        let target = promise.solution.map_or(Target::Open, Target::Within);
        self.disputed.iter().map(|clock| clock.read(calendar, target, 100, now)).collect()
    }
}
