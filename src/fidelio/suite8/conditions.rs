//! Conditions of a query (facts §3): a right-nested chain, one simple condition and at most one link a level.
//!
//! `A AND (B OR C)` can be said, `(A OR B) AND C` only by turning it round, `(A OR B) AND (C OR D)` not at all. The
//! builder offers what the grammar can say; what it cannot say is refused before it reaches a hotel.

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Neq,
}

impl Op {
    pub fn word(self) -> &'static str {
        match self {
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Eq => "eq",
            Self::Neq => "neq",
        }
    }
}

/// How a level joins what follows. `NOT` exists in the interface and reads two ways, so it is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    And,
    Or,
}

impl Join {
    pub fn word(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simple {
    pub name: String,
    pub op: Op,
    pub value: String,
}

/// A condition as a person thinks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cond {
    Is(Simple),
    All(Vec<Cond>),
    Any(Vec<Cond>),
}

impl Cond {
    pub fn is(name: &str, op: Op, value: impl Into<String>) -> Self {
        Self::Is(Simple { name: name.to_owned(), op, value: value.into() })
    }

    /// This and `other`.
    pub fn and(self, other: Self) -> Self {
        Self::All(vec![self, other])
    }
}

/// A condition as the interface can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub first: Simple,
    pub rest: Option<(Join, Box<Chain>)>,
}

/// Why a condition cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CondError {
    #[error("a condition of nothing")]
    Empty,
    #[error("the interface has no way to say this condition; ask it as several queries")]
    TwoBranches,
    #[error("a condition nested too deeply")]
    TooDeep,
    #[error("a field's name is letters and digits")]
    Name,
}

/// Levels of one chain; each costs the server two nested elements.
pub const MAX_LEVELS: usize = 64;

impl Chain {
    pub fn build(cond: &Cond) -> Result<Self, CondError> {
        let chain = Self::of(cond, MAX_LEVELS)?;
        if chain.len() > MAX_LEVELS {
            return Err(CondError::TooDeep);
        }
        Ok(chain)
    }

    fn of(cond: &Cond, room: usize) -> Result<Self, CondError> {
        if room == 0 {
            return Err(CondError::TooDeep);
        }
        match cond {
            Cond::Is(simple) => {
                if simple.name.is_empty() || !simple.name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    return Err(CondError::Name);
                }
                Ok(Self { first: simple.clone(), rest: None })
            }
            Cond::All(parts) => Self::joined(parts, Join::And, room - 1),
            Cond::Any(parts) => Self::joined(parts, Join::Or, room - 1),
        }
    }

    /// `a op b op c`, where at most one part may itself branch the other way: it goes last.
    fn joined(parts: &[Cond], join: Join, room: usize) -> Result<Self, CondError> {
        let mut chains = parts.iter().map(|part| Self::of(part, room)).collect::<Result<Vec<_>, _>>()?;
        chains.sort_by_key(|chain| !chain.is_only(join));
        let mut whole = chains.pop().ok_or(CondError::Empty)?;
        while let Some(chain) = chains.pop() {
            whole = chain.followed_by(join, whole)?;
        }
        Ok(whole)
    }

    /// Every link of it is `join`, so that it can stand before another part.
    fn is_only(&self, join: Join) -> bool {
        self.rest.as_ref().is_none_or(|(own, rest)| *own == join && rest.is_only(join))
    }

    fn followed_by(self, join: Join, next: Self) -> Result<Self, CondError> {
        match self.rest {
            None => Ok(Self { first: self.first, rest: Some((join, Box::new(next))) }),
            Some((own, rest)) if own == join => {
                Ok(Self { first: self.first, rest: Some((join, Box::new(rest.followed_by(join, next)?))) })
            }
            Some(_) => Err(CondError::TwoBranches),
        }
    }

    pub fn len(&self) -> usize {
        1 + self.rest.as_ref().map_or(0, |(_, rest)| rest.len())
    }

    pub fn is_empty(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(name: &str) -> Cond {
        Cond::is(name, Op::Eq, "1")
    }

    /// The truth of a condition and of its chain, field by field.
    fn holds(cond: &Cond, truth: &dyn Fn(&str) -> bool) -> bool {
        match cond {
            Cond::Is(simple) => truth(&simple.name),
            Cond::All(parts) => parts.iter().all(|part| holds(part, truth)),
            Cond::Any(parts) => parts.iter().any(|part| holds(part, truth)),
        }
    }

    fn chain_holds(chain: &Chain, truth: &dyn Fn(&str) -> bool) -> bool {
        let first = truth(&chain.first.name);
        match &chain.rest {
            None => first,
            Some((Join::And, rest)) => first && chain_holds(rest, truth),
            Some((Join::Or, rest)) => first || chain_holds(rest, truth),
        }
    }

    #[test]
    fn s1_a_chain_nests_to_the_right() {
        let chain = Chain::build(&is("A").and(Cond::Any(vec![is("B"), is("C")]))).expect("sayable");
        assert_eq!(chain.first.name, "A");
        let (join, rest) = chain.rest.expect("linked");
        assert_eq!(join, Join::And);
        assert_eq!((rest.first.name.as_str(), rest.len()), ("B", 2));
    }

    #[test]
    fn s1_what_the_grammar_cannot_say_is_refused() {
        let either = |a, b| Cond::Any(vec![is(a), is(b)]);
        assert_eq!(Chain::build(&either("A", "B").and(either("C", "D"))), Err(CondError::TwoBranches));
        assert_eq!(Chain::build(&Cond::All(vec![])), Err(CondError::Empty));
        assert_eq!(Chain::build(&is("A\" /><x")), Err(CondError::Name));
        assert_eq!(Chain::build(&Cond::Any((0..65).map(|_| is("A")).collect())), Err(CondError::TooDeep));
        let mut deep = is("A");
        for _ in 0..10_000 {
            deep = Cond::All(vec![deep]);
        }
        assert_eq!(Chain::build(&deep), Err(CondError::TooDeep));
        // Taken apart by hand: the drop of so deep a tree would recurse.
        while let Cond::All(mut parts) = deep {
            deep = parts.pop().expect("one part");
        }
    }

    fn cond() -> impl Strategy<Value = Cond> {
        let leaf = prop::sample::select(vec!["A", "B", "C", "D"]).prop_map(is);
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(Cond::All),
                prop::collection::vec(inner, 1..4).prop_map(Cond::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn s1_a_chain_means_what_its_condition_means(cond in cond()) {
            if let Ok(chain) = Chain::build(&cond) {
                for bits in 0u8..16 {
                    let truth = |name: &str| bits >> (name.as_bytes()[0] - b'A') & 1 == 1;
                    prop_assert_eq!(holds(&cond, &truth), chain_holds(&chain, &truth));
                }
            }
        }
    }
}
