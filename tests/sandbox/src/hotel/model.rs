//! The truth of the hotel: rooms, people, reservations. What the interface tells of it is in `query`.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

/// Where a reservation stands. The interface spreads this over state, status and reason (facts §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Offer,
    Tentative,
    Waitlisted,
    Confirmed,
    InHouse,
    CheckedOut,
    Cancelled,
    NoShow,
}

impl Status {
    pub const ALL: [Self; 8] = [
        Self::Offer,
        Self::Tentative,
        Self::Waitlisted,
        Self::Confirmed,
        Self::InHouse,
        Self::CheckedOut,
        Self::Cancelled,
        Self::NoShow,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Tentative => "tentative",
            Self::Waitlisted => "waitlisted",
            Self::Confirmed => "confirmed",
            Self::InHouse => "in_house",
            Self::CheckedOut => "checked_out",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// Takes a room on its nights.
    pub fn holds_room(self) -> bool {
        matches!(self, Self::Tentative | Self::Confirmed | Self::InHouse | Self::CheckedOut)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub id: i64,
    pub category: String,
    pub text: String,
    pub guest_may_see: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    pub name: String,
    /// `String`, `Integer`, `Date` …
    pub kind: String,
    pub value: String,
}

/// One reservation, or a financial account: the same query returns both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    pub number: i64,
    pub financial_account: bool,
    pub status: Status,
    pub status_before_cancel: Option<Status>,
    pub option_date: Option<NaiveDate>,
    pub arrival: NaiveDate,
    pub departure: NaiveDate,
    pub checked_in: Option<NaiveDateTime>,
    pub checked_out: Option<NaiveDateTime>,
    /// Main guest.
    pub profile: i64,
    pub room_type: String,
    pub room: String,
    pub rooms: i64,
    pub adults: i64,
    /// Children by age category.
    pub children: Vec<(String, i64)>,
    pub rate_code: String,
    /// A night's price in hundredths.
    pub rate: i64,
    /// The whole stay in hundredths.
    pub total: i64,
    pub currency: String,
    pub market: String,
    pub source: String,
    pub channel: String,
    pub payment: String,
    pub guarantee: String,
    pub policy: String,
    pub company: i64,
    pub agent: i64,
    pub source_profile: i64,
    pub booker: i64,
    pub group: i64,
    pub block: String,
    pub crs_system: String,
    pub crs_number: String,
    pub comments: [String; 2],
    pub notes: Vec<Note>,
    /// Accompanying guests: profile numbers.
    pub companions: Vec<i64>,
    /// Reservations that share the room; 0 = none.
    pub share: i64,
    pub party: i64,
    pub attributes: Vec<(String, String)>,
    pub preferences: Vec<(String, String)>,
    /// Code, price in hundredths, included in the rate.
    pub packages: Vec<(String, i64, bool)>,
    pub custom: Vec<CustomField>,
    pub created: NaiveDateTime,
    pub updated: NaiveDateTime,
    /// Until then the record is half-built: the server writes a new one in two steps (facts §6.7).
    pub complete_at: Option<NaiveDateTime>,
}

impl Reservation {
    pub fn nights(&self) -> i64 {
        (self.departure - self.arrival).num_days()
    }

    /// Price of the stay from its nightly rate and packages.
    pub fn reprice(&mut self) {
        let packages: i64 = self.packages.iter().filter(|(_, _, included)| !included).map(|(_, price, _)| price).sum();
        self.total = self.rate.saturating_mul(self.nights().max(1)).saturating_add(packages);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    Company,
    TravelAgent,
    Source,
    Individual,
}

impl ProfileKind {
    /// `ProfileType`: 1 company, 2 individual.
    pub fn type_code(self) -> i64 {
        if self == Self::Individual { 2 } else { 1 }
    }

    /// `ProfileCategory`: 1 company, 2 travel agent, 3 source, 4 individual.
    pub fn category_code(self) -> i64 {
        match self {
            Self::Company => 1,
            Self::TravelAgent => 2,
            Self::Source => 3,
            Self::Individual => 4,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommKind {
    Telephone,
    Email,
    Fax,
    /// Home page: the field is called `Communication`.
    Web,
}

impl CommKind {
    pub fn field(self) -> &'static str {
        match self {
            Self::Telephone => "Telephone",
            Self::Email => "Email",
            Self::Fax => "Fax",
            Self::Web => "Communication",
        }
    }

    /// Numbers the real server adds; only e-mail's `1`/`0` is known, the others are guesses (facts E6).
    pub fn numbers(self) -> (i64, i64) {
        match self {
            Self::Telephone => (0, 1),
            Self::Email => (1, 0),
            Self::Fax => (0, 3),
            Self::Web => (2, 0),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Communication {
    pub id: i64,
    pub kind: CommKind,
    /// The site's type code: `PBM`, `PHO`, `EPR`, `EBD`, `WEB` …
    pub code: String,
    pub value: String,
    pub primary: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    pub id: i64,
    /// `ADR`, `BIL` …
    pub code: String,
    pub primary: bool,
    pub street: String,
    pub city: String,
    pub zip: String,
    pub state: String,
    /// ISO 3166 alpha-2.
    pub country: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub id: i64,
    pub kind: ProfileKind,
    pub first_name: String,
    /// Family name, or the company's name.
    pub name: String,
    pub name2: String,
    pub title: String,
    pub birthday: Option<NaiveDate>,
    pub gender: String,
    pub language: String,
    pub nationality: String,
    pub vip: String,
    pub active: bool,
    pub no_mailing: bool,
    pub no_emailing: bool,
    pub communications: Vec<Communication>,
    pub addresses: Vec<Address>,
    pub notes: Vec<Note>,
    pub preferences: Vec<(String, String)>,
    pub memberships: Vec<(String, String)>,
    pub custom: Vec<CustomField>,
    pub external_id: i64,
    /// De-identified: the person asked to be forgotten.
    pub privacy_removed: bool,
    pub created: NaiveDateTime,
    pub updated: NaiveDateTime,
}

impl Profile {
    pub fn display_name(&self) -> String {
        [self.name.as_str(), self.first_name.as_str(), self.name2.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The primary entry of a kind, else its first.
    pub fn primary(&self, kind: CommKind) -> Option<&Communication> {
        let mut of_kind = self.communications.iter().filter(|c| c.kind == kind);
        let first = of_kind.clone().next();
        of_kind.find(|c| c.primary).or(first)
    }

    pub fn primary_address(&self) -> Option<&Address> {
        self.addresses.iter().find(|a| a.primary).or_else(|| self.addresses.first())
    }

    /// Sets the primary value of a kind, or adds it.
    pub fn set_primary(&mut self, kind: CommKind, value: &str, new_id: i64) {
        let known = self.primary(kind).map(|c| c.id);
        match self.communications.iter_mut().find(|c| Some(c.id) == known) {
            Some(entry) => entry.value = value.to_owned(),
            None => {
                let code = match kind {
                    CommKind::Telephone => "PBM",
                    CommKind::Email => "EPR",
                    CommKind::Fax => "FAX",
                    CommKind::Web => "WEB",
                };
                self.communications.push(Communication {
                    id: new_id,
                    kind,
                    code: code.into(),
                    value: value.into(),
                    primary: true,
                });
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    pub id: i64,
    pub reservation: i64,
    pub profile: i64,
    pub department: String,
    /// 1 debit, 3 credit.
    pub department_type: i64,
    /// Hundredths; a payment's sign is a knob.
    pub price: i64,
    pub quantity: i64,
    pub description: String,
    pub date: NaiveDate,
    pub currency: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub number: String,
    pub room_type: String,
    pub floor: i64,
}

/// A row of one of the code tables: field name → value.
pub type CodeRow = Vec<(&'static str, String)>;

/// Code tables by query type (`CurrencyList`, `RoomType`, `Market` …).
pub type Codes = BTreeMap<&'static str, Vec<CodeRow>>;
