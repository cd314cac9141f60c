//! What a portal's people chose about their own edits and deletions (product §2.6, §2.7, §2.13, §2.14).

use serde::{Deserialize, Serialize};

use super::edits::Stance;
use super::mapping::Owner;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ownership {
    /// A field that follows the hotel gets the hotel's value back when somebody changed it.
    pub put_back: bool,
    /// The deal's timeline tells what was put back, and why.
    pub notes: bool,
    /// A deal that a person deleted is made again.
    pub recreate_deals: bool,
    /// The same of contacts and companies. Off as well: who deletes a guest may have been asked to by the guest.
    pub recreate_people: bool,
    /// A deal that a new booking names, by a comment or its CRS number, is attached to it instead of a new one being made.
    pub attach_by_reference: bool,
}

impl Default for Ownership {
    fn default() -> Self {
        Self { put_back: true, notes: true, recreate_deals: false, recreate_people: false, attach_by_reference: false }
    }
}

/// By these a record is known to be ours: nobody's opinion of them counts.
const IDENTITY: [&str; 3] = ["UF_CRM_FB24_HOTEL", "UF_CRM_FB24_RESERVATION", "UF_CRM_FB24_PROFILE"];

/// Whether a record is known by this field.
pub fn is_identity(field: &str) -> bool {
    IDENTITY.contains(&field) || field.starts_with("origin")
}

impl Ownership {
    pub fn stance(&self, field: &str, owner: Owner) -> Stance {
        match owner {
            _ if IDENTITY.contains(&field) => Stance::PutBack,
            Owner::Newest => Stance::Newest,
            _ if self.put_back => Stance::PutBack,
            _ => Stance::UntilNews,
        }
    }
}
