//! What the outbox, links and problems speak of: one stay, one profile, one group, or one record of the portal.

use std::fmt;
use std::str::FromStr;

use super::crm::CrmEntity;
use super::ids::{GroupNumber, HotelId, IdError, ProfileNumber, StayNumber};

/// Written `stay:<hotel id>:<number>`, `profile:<hotel id>:<number>`, `group:<hotel id>:<number>`, `crm:<entity type id>:<id>`, `note:<entity type id>:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    Stay(HotelId, StayNumber),
    Profile(HotelId, ProfileNumber),
    /// A group or party that has a deal of its own.
    Group(HotelId, GroupNumber),
    Crm(CrmEntity, i64),
    /// What a record's timeline is to be told.
    Note(CrmEntity, i64),
}

impl Subject {
    /// The hotel a stay, a profile or a group belongs to.
    pub fn hotel(&self) -> Option<HotelId> {
        match self {
            Self::Stay(hotel, _) | Self::Profile(hotel, _) | Self::Group(hotel, _) => Some(*hotel),
            Self::Crm(..) | Self::Note(..) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stay(hotel, number) => write!(f, "stay:{hotel}:{number}"),
            Self::Profile(hotel, number) => write!(f, "profile:{hotel}:{number}"),
            Self::Group(hotel, number) => write!(f, "group:{hotel}:{number}"),
            Self::Crm(entity, id) => write!(f, "crm:{}:{id}", entity.type_id()),
            Self::Note(entity, id) => write!(f, "note:{}:{id}", entity.type_id()),
        }
    }
}

impl FromStr for Subject {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = || IdError { kind: "subject", rule: "stay:…, profile:… or crm:…" };
        let mut parts = text.splitn(3, ':');
        let (Some(kind), Some(first), Some(second)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad());
        };
        match kind {
            "stay" => Ok(Self::Stay(HotelId(first.parse().map_err(|_| bad())?), second.parse()?)),
            "profile" => Ok(Self::Profile(HotelId(first.parse().map_err(|_| bad())?), second.parse()?)),
            "group" => Ok(Self::Group(HotelId(first.parse().map_err(|_| bad())?), second.parse()?)),
            "crm" => {
                let entity = first.parse().ok().and_then(CrmEntity::from_type_id).ok_or_else(bad)?;
                Ok(Self::Crm(entity, second.parse().map_err(|_| bad())?))
            }
            "note" => {
                let entity = first.parse().ok().and_then(CrmEntity::from_type_id).ok_or_else(bad)?;
                Ok(Self::Note(entity, second.parse().map_err(|_| bad())?))
            }
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_subjects_survive_being_written() {
        for text in ["stay:7:50117", "profile:7:A-1", "group:7:G5", "crm:2:15", "note:2:15", "note:3:15"] {
            assert_eq!(text.parse::<Subject>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "stay:7", "stay:x:1", "crm:9:1", "crm:2:x", "deal:1:2"] {
            assert!(bad.parse::<Subject>().is_err(), "{bad}");
        }
    }
}
