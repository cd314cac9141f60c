//! What kind of value a fact is, a step gives and a field of the portal takes.

use std::collections::BTreeSet;

use crate::domain::StayStatus;
use crate::domain::crm::{CrmEntity, Kind};
use crate::domain::fact::Fact;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    Text,
    Integer,
    Number,
    Date,
    Money,
    Phones,
    Emails,
    /// One of a list of the portal; what goes there are ids of its items.
    Choice,
}

impl Shape {
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Date => "date",
            Self::Money => "money",
            Self::Phones => "phones",
            Self::Emails => "emails",
            Self::Choice => "choice",
        }
    }

    pub fn is_scalar(self) -> bool {
        !matches!(self, Self::Phones | Self::Emails | Self::Choice)
    }

    /// How such a field is read back.
    pub fn kind(self) -> Kind {
        match self {
            Self::Text | Self::Choice => Kind::Text,
            Self::Integer => Kind::Int,
            Self::Number => Kind::Amount,
            Self::Date => Kind::Date,
            Self::Money => Kind::Money,
            Self::Phones | Self::Emails => Kind::Comms,
        }
    }
}

/// What is known of a value before there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yield {
    pub shape: Shape,
    /// Characters of the longest text.
    pub longest: usize,
    /// All it can be, where that is known.
    pub words: Option<BTreeSet<String>>,
}

impl Yield {
    pub fn of(shape: Shape) -> Self {
        // The longest decimal, with its currency.
        Self { shape, longest: 40, words: None }
    }

    pub fn text(longest: usize) -> Self {
        Self { shape: Shape::Text, longest: longest.min(super::transform::TEXT_MAX), words: None }
    }

    pub fn of_fact(fact: Fact) -> Self {
        match fact.shape() {
            Shape::Text => {
                let longest = match fact {
                    Fact::Hotel => 16,
                    Fact::Number => 32,
                    Fact::Status => 11,
                    Fact::Comments => 2_000,
                    _ => 255,
                };
                let words = StayStatus::ALL.iter().map(|status| status.word().to_owned());
                Self { words: (fact == Fact::Status).then(|| words.collect()), ..Self::text(longest) }
            }
            shape => Self::of(shape),
        }
    }
}

impl Fact {
    pub fn shape(self) -> Shape {
        match self {
            Self::Arrival | Self::Departure | Self::BookedOn | Self::BirthDate | Self::LastStay => Shape::Date,
            Self::Nights | Self::Rooms | Self::Adults | Self::Children | Self::Stays | Self::StayNights => {
                Shape::Integer
            }
            Self::Balance | Self::Paid | Self::Total | Self::Revenue => Shape::Money,
            Self::Phones => Shape::Phones,
            Self::Emails => Shape::Emails,
            _ => Shape::Text,
        }
    }

    /// Whether a group has it: what its stays add up to.
    pub fn is_of_group(self) -> bool {
        matches!(
            self,
            Self::Hotel
                | Self::Number
                | Self::Group
                | Self::Arrival
                | Self::Departure
                | Self::Nights
                | Self::Rooms
                | Self::Adults
                | Self::Children
                | Self::Total
        )
    }

    /// Whether records of this kind have it.
    pub fn is_of(self, entity: CrmEntity) -> bool {
        let profile = matches!(
            self,
            Self::FirstName
                | Self::LastName
                | Self::MiddleName
                | Self::BirthDate
                | Self::Phones
                | Self::Emails
                | Self::Vip
                | Self::Language
                | Self::Nationality
                | Self::Stays
                | Self::StayNights
                | Self::Revenue
                | Self::LastStay
        );
        profile != (entity == CrmEntity::Deal)
    }
}
