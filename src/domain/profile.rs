//! A profile of the PMS: a guest, or a company in one of its roles.

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::ids::ProfileNumber;
use super::known::facts;
use super::phone::Phone;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    Guest,
    Company,
    TravelAgent,
    Source,
    /// Employees, vendors, meeting planners: read, never carried to the portal as a guest.
    Other,
}

impl ProfileKind {
    /// Becomes a CRM company rather than a contact.
    pub fn is_company(self) -> bool {
        matches!(self, Self::Company | Self::TravelAgent | Self::Source)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneEntry {
    pub phone: Phone,
    /// The site's own type code (Suite 8: `PBM`, `PHO` …), empty where it gave none.
    pub kind: String,
    pub primary: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    pub address: String,
    pub kind: String,
    pub primary: bool,
}

/// What a guest likes, as the hotel keeps it for the next stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    /// The site's own code.
    pub code: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Address {
    pub street: Vec<String>,
    pub city: Option<String>,
    pub zip: Option<String>,
    pub state: Option<String>,
    /// ISO 3166 alpha-2.
    pub country: Option<String>,
}

facts! {
    /// What is known of one profile of one hotel. A company's name stands in `last_name`.
    pub struct Profile [number: ProfileNumber] {
        kind: ProfileKind,
        first_name: String,
        last_name: String,
        middle_name: String,
        title: String,
        birth_date: NaiveDate,
        gender: String,
        language: String,
        nationality: String,
        vip: String,
        phones: Vec<PhoneEntry>,
        emails: Vec<Email>,
        address: Address,
        preferences: Vec<Preference>,
        active: bool,
        no_mailing: bool,
        /// The PMS erased the person (Suite 8: `privacyRemoved`): personal data must go everywhere.
        privacy_removed: bool,
        created_at: NaiveDateTime,
        updated_at: NaiveDateTime,
    }
}

impl Profile {
    /// "Last First Middle", or the company's name.
    pub fn display_name(&self) -> String {
        [&self.last_name, &self.first_name, &self.middle_name]
            .into_iter()
            .filter_map(|part| part.get().map(String::as_str))
            .filter(|part| !part.trim().is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}
