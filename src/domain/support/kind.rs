//! What a request is about (S-13…S-16, S-27) and how far its trouble reaches.

use serde::{Deserialize, Serialize};

/// By severity, the severest last; an abuse report stands beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody reports a violation; its clock is a day, whatever it reaches.
    Abuse,
    /// An improvement is wanted («запрос на развитие»).
    Development,
    /// Information is wanted («запрос на обслуживание»).
    Service,
    /// A failure for one user («инцидент»).
    Incident,
    /// A failure that stopped work or made the app unusable («проблема»): not ITIL's meaning.
    Problem,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Abuse, Self::Development, Self::Service, Self::Incident, Self::Problem];

    /// Those that stand in an order of severity, the least severe first (decision 4).
    pub const RANKED: [Self; 4] = [Self::Development, Self::Service, Self::Incident, Self::Problem];

    pub fn word(self) -> &'static str {
        match self {
            Self::Abuse => "abuse",
            Self::Development => "development",
            Self::Service => "service",
            Self::Incident => "incident",
            Self::Problem => "problem",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Whom the trouble reaches, the fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    User,
    Department,
    Hotel,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::User, Self::Department, Self::Hotel];

    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Department => "department",
            Self::Hotel => "hotel",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_s14_s15_s16_s27_every_kind_and_scope_has_a_word_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.word()), Some(kind));
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.word().into()));
        }
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.word()), Some(scope));
            assert_eq!(serde_json::to_value(scope).ok(), Some(scope.word().into()));
        }
        assert_eq!((Kind::parse("Problem"), Scope::parse("")), (None, None));
        assert!(Kind::RANKED.is_sorted() && Scope::ALL.is_sorted());
    }
}
