//! Many numbers in few queries: neighbours as a range, the rest as a chain of equals, several queries in a message.

use crate::fidelio::suite8::conditions::{Cond, Op};

/// How much one message may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Numbers in one chain; each nests two elements deeper (facts §3).
    pub chain: usize,
    /// Queries in one message.
    pub queries: usize,
}

impl Shape {
    pub const WIDE: Self = Self { chain: 20, queries: 10 };
    /// One query, one number: what every server understands.
    pub const SINGLE: Self = Self { chain: 1, queries: 1 };
}

/// Numbers that are worth a range: so many at least, and at most this many strangers between two of them.
const RANGE_MIN: usize = 8;
const RANGE_GAP: u64 = 2;

/// One message: its conditions, and the numbers it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub conditions: Vec<Cond>,
    pub numbers: Vec<String>,
}

/// Cuts `numbers` into messages of at most `most` numbers each.
pub fn batches(key: &str, numbers: &[String], shape: Shape, most: usize) -> Vec<Batch> {
    let mut sorted: Vec<(u64, &String)> =
        numbers.iter().filter_map(|number| Some((number.parse().ok()?, number))).collect();
    sorted.sort_unstable();
    sorted.dedup_by_key(|(value, _)| *value);
    let mut queries: Vec<(Cond, Vec<String>)> = Vec::new();
    let mut loose: Vec<&String> = Vec::new();
    for run in runs(&sorted, most) {
        match (run.first(), run.last()) {
            (Some((low, _)), Some((high, _))) if run.len() >= RANGE_MIN && shape.chain > 1 => {
                let range = Cond::is(key, Op::Ge, low.to_string()).and(Cond::is(key, Op::Le, high.to_string()));
                queries.push((range, run.iter().map(|(_, number)| (*number).clone()).collect()));
            }
            _ => loose.extend(run.iter().map(|(_, number)| *number)),
        }
    }
    for chain in loose.chunks(shape.chain.max(1)) {
        let any = chain.iter().map(|number| Cond::is(key, Op::Eq, number.as_str())).collect();
        queries.push((Cond::Any(any), chain.iter().map(|number| (*number).clone()).collect()));
    }
    let mut batches: Vec<Batch> = Vec::new();
    for (cond, numbers) in queries {
        match batches.last_mut() {
            Some(batch) if batch.conditions.len() < shape.queries && batch.numbers.len() + numbers.len() <= most => {
                batch.conditions.push(cond);
                batch.numbers.extend(numbers);
            }
            _ => batches.push(Batch { conditions: vec![cond], numbers }),
        }
    }
    batches
}

/// Runs of near neighbours, none longer than `most`.
fn runs<'a, 'b>(sorted: &'a [(u64, &'b String)], most: usize) -> Vec<&'a [(u64, &'b String)]> {
    let chunks = sorted.chunk_by(|(a, _), (b, _)| b - a <= RANGE_GAP + 1);
    chunks.flat_map(|run| run.chunks(most.max(1))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::fidelio::suite8::conditions::Chain;

    fn covers(cond: &Cond, number: u64) -> bool {
        match cond {
            Cond::Is(simple) => {
                let value: u64 = simple.value.parse().expect("number");
                match simple.op {
                    Op::Ge => number >= value,
                    Op::Le => number <= value,
                    Op::Eq => number == value,
                    _ => false,
                }
            }
            Cond::All(parts) => parts.iter().all(|part| covers(part, number)),
            Cond::Any(parts) => parts.iter().any(|part| covers(part, number)),
        }
    }

    #[test]
    fn s1_a_hundred_scattered_numbers_cost_one_message() {
        let numbers: Vec<String> = (0..100).map(|i| (i * 1000).to_string()).collect();
        let batches = batches("ProfileID", &numbers, Shape::WIDE, 200);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].conditions.len(), 5);
    }

    #[test]
    fn s1_neighbours_are_one_range() {
        let numbers: Vec<String> = (500..700).map(|i: u32| i.to_string()).collect();
        let batches = batches("ProfileID", &numbers, Shape::WIDE, 200);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].conditions.len(), 1);
    }

    proptest! {
        #[test]
        fn s1_every_number_is_asked_for_once(numbers in prop::collection::btree_set(1u64..3000, 0..300), most in 1usize..250, single in any::<bool>()) {
            let shape = if single { Shape::SINGLE } else { Shape::WIDE };
            let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let mut asked = BTreeSet::new();
            for batch in batches("GuestNum", &texts, shape, most) {
                prop_assert!(batch.conditions.len() <= shape.queries);
                prop_assert!(batch.numbers.len() <= most.max(shape.chain));
                for cond in &batch.conditions {
                    prop_assert!(Chain::build(cond).is_ok());
                }
                for number in &batch.numbers {
                    let value: u64 = number.parse().expect("number");
                    prop_assert!(asked.insert(value));
                    prop_assert!(batch.conditions.iter().any(|cond| covers(cond, value)));
                }
            }
            prop_assert_eq!(asked, numbers);
        }
    }
}
