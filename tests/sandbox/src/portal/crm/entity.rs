//! CRM entities the portal knows.

/// Deal, contact or company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// `entityTypeId` 2.
    Deal,
    /// `entityTypeId` 3.
    Contact,
    /// `entityTypeId` 4.
    Company,
}

impl Entity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Deal, Self::Contact, Self::Company];

    /// By `entityTypeId`.
    pub fn by_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.id() == id)
    }

    /// By `deal`, `CONTACT` …
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.upper().eq_ignore_ascii_case(name))
    }

    /// `entityTypeId`.
    pub fn id(self) -> i64 {
        match self {
            Self::Deal => 2,
            Self::Contact => 3,
            Self::Company => 4,
        }
    }

    /// `DEAL`, as in event names.
    pub fn upper(self) -> &'static str {
        match self {
            Self::Deal => "DEAL",
            Self::Contact => "CONTACT",
            Self::Company => "COMPANY",
        }
    }

    /// Default title when none was given.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deal => "Сделка",
            Self::Contact => "Контакт",
            Self::Company => "Компания",
        }
    }
}
