//! How urgent a request is: its kind by its scope (S-38, E-20, decision 4), by a table that the support portal edits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::{Kind, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    Normal,
    High,
    Critical,
}

impl Priority {
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.word() == word)
    }
}

/// What a table says against the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing is said of this pair.
    Missing(Kind, Scope),
    /// Less urgent than the same kind where it reaches fewer people.
    WiderIsLower(Kind, Scope),
    /// Less urgent than a less severe kind of the same scope.
    SevererIsLower(Kind, Scope),
}

/// Says something of every pair: made by [`PriorityMatrix::checked`] alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PriorityMatrix(Table);

pub type Table = BTreeMap<Kind, BTreeMap<Scope, Priority>>;

impl PriorityMatrix {
    /// The table, or all that is wrong with it.
    pub fn checked(table: Table) -> Result<Self, Vec<Flaw>> {
        let at = |kind: Kind, scope: Scope| table.get(&kind).and_then(|row| row.get(&scope)).copied();
        let pairs = || Kind::ALL.into_iter().flat_map(|kind| Scope::ALL.map(|scope| (kind, scope)));
        let missing = pairs().filter(|(kind, scope)| at(*kind, *scope).is_none());
        let mut flaws: Vec<Flaw> = missing.map(|(kind, scope)| Flaw::Missing(kind, scope)).collect();
        for (kind, scope) in pairs() {
            let Some(own) = at(kind, scope) else { continue };
            let above = |narrower: Scope| narrower < scope && at(kind, narrower) > Some(own);
            if Scope::ALL.into_iter().any(above) {
                flaws.push(Flaw::WiderIsLower(kind, scope));
            }
            let above = |milder: Kind| milder < kind && at(milder, scope) > Some(own);
            if Kind::RANKED.contains(&kind) && Kind::RANKED.into_iter().any(above) {
                flaws.push(Flaw::SevererIsLower(kind, scope));
            }
        }
        if flaws.is_empty() { Ok(Self(table)) } else { Err(flaws) }
    }

    pub fn of(&self, kind: Kind, scope: Scope) -> Priority {
        self.0.get(&kind).and_then(|row| row.get(&scope)).copied().unwrap_or(Priority::Normal)
    }
}

impl Default for PriorityMatrix {
    fn default() -> Self {
        use Priority::{Critical, High, Low, Normal};
        let row = |kind, priorities: [Priority; 3]| (kind, Scope::ALL.into_iter().zip(priorities).collect());
        Self(
            [
                row(Kind::Problem, [High, Critical, Critical]),
                row(Kind::Incident, [Normal, High, High]),
                row(Kind::Service, [Low, Normal, Normal]),
                row(Kind::Development, [Low, Low, Normal]),
                row(Kind::Abuse, [High, High, High]),
            ]
            .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(kind: Kind, scope: Scope, priority: Option<Priority>) -> Result<PriorityMatrix, Vec<Flaw>> {
        let mut table = PriorityMatrix::default().0;
        let row = table.get_mut(&kind).expect("a row");
        match priority {
            Some(priority) => row.insert(scope, priority),
            None => row.remove(&scope),
        };
        PriorityMatrix::checked(table)
    }

    #[test]
    fn s38_e20_the_standard_table_says_something_of_every_pair_and_nothing_against_the_documents() {
        let standard = PriorityMatrix::default();
        assert_eq!(PriorityMatrix::checked(standard.0.clone()), Ok(standard.clone()));
        assert_eq!(standard.of(Kind::Problem, Scope::Hotel), Priority::Critical);
        assert_eq!(standard.of(Kind::Development, Scope::User), Priority::Low);
        let written = serde_json::to_value(&standard).expect("a table");
        assert_eq!(written["incident"]["department"], "high");
        let read: Table = serde_json::from_value(written).expect("a table");
        assert_eq!(PriorityMatrix::checked(read), Ok(standard));
    }

    #[test]
    fn s14_s38_a_table_with_a_gap_or_a_severer_trouble_behind_a_milder_one_is_refused() {
        let refused = changed(Kind::Service, Scope::User, None);
        assert_eq!(refused, Err(vec![Flaw::Missing(Kind::Service, Scope::User)]));
        let refused = changed(Kind::Problem, Scope::Hotel, Some(Priority::Low));
        let flaws =
            [Flaw::WiderIsLower(Kind::Problem, Scope::Hotel), Flaw::SevererIsLower(Kind::Problem, Scope::Hotel)];
        assert_eq!(refused, Err(flaws.into()));
        assert!(changed(Kind::Problem, Scope::Hotel, Some(Priority::Critical)).is_ok());
        assert!(changed(Kind::Abuse, Scope::User, Some(Priority::Critical)).is_err(), "wider is lower");
        assert!(changed(Kind::Abuse, Scope::Hotel, Some(Priority::Critical)).is_ok(), "abuse has no rank");
    }
}
