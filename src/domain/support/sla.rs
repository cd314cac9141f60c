//! What is promised (S-19, E-14, decision 5): by kind of request, for everybody or for one customer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::Kind;

/// A working day of the published hours (S-55), in minutes: what the documents mean by "days".
pub const DAY: u32 = 9 * 60;
const HOUR: u32 = 60;

/// Working minutes; none: by agreement, no deadline until one is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    pub first_answer: Option<u32>,
    /// After a word of the customer.
    pub next_update: Option<u32>,
    pub solution: Option<u32>,
}

pub type Promises = BTreeMap<Kind, Promise>;

/// Says something of every kind: made by [`Sla::checked`] alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sla {
    promises: Promises,
    /// People are warned when so much of the time is used up.
    warn_percent: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Missing(Kind),
    /// Nobody can answer in no time.
    NoTime(Kind),
    /// The solution is due before the first answer.
    SolutionFirst(Kind),
    /// A warning comes within the time, not at its ends.
    Warning,
}

impl Sla {
    /// What is promised to everybody, or all that is wrong with it.
    pub fn checked(promises: Promises, warn_percent: u8) -> Result<Self, Vec<Flaw>> {
        let missing = Kind::ALL.into_iter().filter(|kind| !promises.contains_key(kind)).map(Flaw::Missing);
        let mut flaws: Vec<Flaw> = missing.chain(check(&promises)).collect();
        if !(1..=99).contains(&warn_percent) {
            flaws.push(Flaw::Warning);
        }
        if flaws.is_empty() { Ok(Self { promises, warn_percent }) } else { Err(flaws) }
    }

    pub fn warn_percent(&self) -> u8 {
        self.warn_percent
    }

    /// What holds for a request of this kind; what a customer's contract says of a kind stands for all of its clocks.
    pub fn promise(&self, kind: Kind, contract: &Promises) -> Promise {
        let none = Promise { first_answer: None, next_update: None, solution: None };
        contract.get(&kind).or_else(|| self.promises.get(&kind)).copied().unwrap_or(none)
    }
}

/// All that is wrong with promises, a customer's as well as everybody's.
pub fn check(promises: &Promises) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for (kind, promise) in promises {
        if [promise.first_answer, promise.next_update, promise.solution].contains(&Some(0)) {
            flaws.push(Flaw::NoTime(*kind));
        }
        if let (Some(answer), Some(solution)) = (promise.first_answer, promise.solution)
            && solution < answer
        {
            flaws.push(Flaw::SolutionFirst(*kind));
        }
    }
    flaws
}

impl Default for Sla {
    fn default() -> Self {
        let promise =
            |first_answer, solution| Promise { first_answer: Some(first_answer), next_update: None, solution };
        let promises = [
            (Kind::Problem, promise(HOUR, Some(8 * HOUR))),
            (Kind::Incident, promise(4 * HOUR, Some(3 * DAY))),
            (Kind::Service, promise(8 * HOUR, Some(5 * DAY))),
            (Kind::Development, promise(2 * DAY, None)),
            (Kind::Abuse, promise(DAY, Some(DAY))),
        ];
        Self { promises: promises.into(), warn_percent: 80 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s19_s27_e20_the_standard_promises_are_the_documents() {
        let sla = Sla::default();
        assert_eq!(Sla::checked(sla.promises.clone(), sla.warn_percent), Ok(sla.clone()));
        let told = Kind::ALL.map(|kind| {
            let promise = sla.promise(kind, &Promises::new());
            (kind.word(), promise.first_answer, promise.solution)
        });
        let wanted = [
            ("abuse", Some(540), Some(540)),
            ("development", Some(1080), None),
            ("service", Some(480), Some(2700)),
            ("incident", Some(240), Some(1620)),
            ("problem", Some(60), Some(480)),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn e14_a_contract_stands_for_the_kinds_it_names_and_no_other() {
        let sla = Sla::default();
        let promise = Promise { first_answer: Some(15), next_update: Some(60), solution: Some(120) };
        let contract = Promises::from([(Kind::Problem, promise)]);
        assert_eq!(sla.promise(Kind::Problem, &contract), promise);
        assert_eq!(sla.promise(Kind::Incident, &contract), sla.promise(Kind::Incident, &Promises::new()));
    }

    #[test]
    fn s19_promises_nobody_can_keep_are_refused() {
        let sla = Sla::default();
        let set = |promises: &mut Promises, answer, solution| {
            let promise = Promise { first_answer: Some(answer), next_update: None, solution: Some(solution) };
            promises.insert(Kind::Problem, promise);
        };
        let mut wrong = sla.promises.clone();
        wrong.remove(&Kind::Abuse);
        assert_eq!(Sla::checked(wrong, 80), Err(vec![Flaw::Missing(Kind::Abuse)]));
        let mut wrong = sla.promises.clone();
        set(&mut wrong, 0, 60);
        assert_eq!(Sla::checked(wrong.clone(), 80), Err(vec![Flaw::NoTime(Kind::Problem)]));
        set(&mut wrong, 61, 60);
        assert_eq!(Sla::checked(wrong, 80), Err(vec![Flaw::SolutionFirst(Kind::Problem)]));
        for warn in [0, 100] {
            assert_eq!(Sla::checked(sla.promises.clone(), warn), Err(vec![Flaw::Warning]));
        }
    }
}
