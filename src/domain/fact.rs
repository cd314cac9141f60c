//! Facts by name, as mappings and title templates speak of them, and their values for one stay or one guest.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::crm::{Comm, CrmValue};
use super::ids::HotelCode;
use super::known::Known;
use super::money::Money;
use super::profile::Profile;
use super::stay::Stay;
use super::totals::GuestTotals;

macro_rules! fact_names {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// One fact of a stay, or of the profile behind a contact or company.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Fact { $(#[serde(rename = $name)] $variant),* }

        impl Fact {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn by_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

fact_names! {
    Hotel = "hotel", Number = "number", Status = "status", Guest = "guest", Arrival = "arrival", Departure = "departure",
    Nights = "nights", Room = "room", RoomType = "room_type", Rate = "rate", Adults = "adults", Children = "children",
    Guarantee = "guarantee", Source = "source", Market = "market", Channel = "channel", Group = "group",
    BookedOn = "booked_on", Balance = "balance", Paid = "paid", Total = "total", Block = "block", CrsNumber = "crs_number",
    Comments = "comments", Rooms = "rooms",
    FirstName = "first_name", LastName = "last_name", MiddleName = "middle_name", BirthDate = "birth_date",
    Phones = "phones", Emails = "emails", Vip = "vip", Language = "language", Nationality = "nationality",
    Stays = "stays", StayNights = "stay_nights", Revenue = "revenue", LastStay = "last_stay",
}

impl Fact {
    /// Whether it is counted by us over several stays: no record of the hotel says it.
    pub fn adds_up(self) -> bool {
        matches!(self, Self::Stays | Self::StayNights | Self::Revenue | Self::LastStay)
    }

    /// Whether it may name a guest or tell of him.
    pub fn tells_of_guests(self) -> bool {
        matches!(
            self,
            Self::Guest
                | Self::Group
                | Self::Block
                | Self::Comments
                | Self::FirstName
                | Self::LastName
                | Self::MiddleName
                | Self::BirthDate
                | Self::Phones
                | Self::Emails
                | Self::Vip
                | Self::Language
                | Self::Nationality
        )
    }
}

/// The longest text a field of the portal is given (a deal's title holds 255 characters).
const TEXT_MAX: usize = 255;

/// Text as the portal keeps it: without control characters and outer blanks, bounded.
pub fn tidy(text: &str, max: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.trim().chars().take(max).collect::<String>().trim_end().to_owned()
}

fn text(fact: &Known<String>) -> Option<CrmValue> {
    value(fact, |text| CrmValue::Text(tidy(text, TEXT_MAX)))
}

fn value<T>(fact: &Known<T>, make: impl FnOnce(&T) -> CrmValue) -> Option<CrmValue> {
    match fact {
        Known::Absent => None,
        Known::Empty => Some(CrmValue::Empty),
        Known::Is(known) => Some(make(known)),
    }
}

fn money(fact: &Known<Money>) -> Option<CrmValue> {
    value(fact, |money| CrmValue::Money(Money { amount: money.amount.normalize(), currency: money.currency.clone() }))
}

/// The value of a stay's fact; `None` where nobody has told it, so that it is left alone in the portal.
pub fn of_stay(fact: Fact, hotel: &HotelCode, stay: &Stay, guest: &str) -> Option<CrmValue> {
    match fact {
        Fact::Hotel => Some(CrmValue::Text(hotel.to_string())),
        Fact::Number => Some(CrmValue::Text(stay.number.to_string())),
        Fact::Status => value(&stay.status, |status| CrmValue::Text(status.word().to_owned())),
        Fact::Guest => Some(CrmValue::Text(tidy(guest, TEXT_MAX))),
        Fact::Arrival => value(&stay.arrival, |date| CrmValue::Date(*date)),
        Fact::Departure => value(&stay.departure, |date| CrmValue::Date(*date)),
        Fact::Nights => stay.nights().map(CrmValue::Int),
        Fact::Room => text(&stay.room),
        Fact::RoomType => text(&stay.room_type),
        Fact::Rate => text(&stay.rate),
        Fact::Rooms => value(&stay.rooms, |count| CrmValue::Int(i64::from(*count))),
        Fact::Adults => value(&stay.adults, |count| CrmValue::Int(i64::from(*count))),
        Fact::Children => {
            value(&stay.children, |ages| CrmValue::Int(ages.values().map(|count| i64::from(*count)).sum()))
        }
        Fact::Guarantee => text(&stay.guarantee),
        Fact::Source => text(&stay.source),
        Fact::Market => text(&stay.market),
        Fact::Channel => text(&stay.channel),
        Fact::Group => value(stay.group_or_party(), |group| {
            let name = if group.name.trim().is_empty() { &group.number } else { &group.name };
            CrmValue::Text(tidy(name, TEXT_MAX))
        }),
        Fact::BookedOn => value(&stay.booked_on, |date| CrmValue::Date(*date)),
        Fact::Balance => money(&stay.balance),
        Fact::Paid => money(&stay.paid),
        Fact::Total => money(&stay.total),
        Fact::Block => text(&stay.block),
        Fact::CrsNumber => text(&stay.crs_number),
        Fact::Comments => value(&stay.comments, |lines| CrmValue::Text(tidy(&lines.join(" / "), 2_000))),
        _ => None,
    }
}

/// The value of a profile's fact.
pub fn of_profile(fact: Fact, profile: &Profile, totals: &GuestTotals) -> Option<CrmValue> {
    match fact {
        Fact::FirstName => text(&profile.first_name),
        Fact::LastName => text(&profile.last_name),
        Fact::MiddleName => text(&profile.middle_name),
        Fact::BirthDate => value(&profile.birth_date, |date| CrmValue::Date(*date)),
        Fact::Vip => text(&profile.vip),
        Fact::Language => text(&profile.language),
        Fact::Nationality => text(&profile.nationality),
        Fact::Phones => value(&profile.phones, |phones| {
            CrmValue::Comms(
                phones
                    .iter()
                    .filter(|entry| !entry.phone.raw.is_empty())
                    .map(|entry| Comm {
                        value_type: phone_type(&entry.kind).to_owned(),
                        value: entry.phone.e164.clone().unwrap_or_else(|| tidy(&entry.phone.raw, 100)),
                    })
                    .collect::<BTreeSet<_>>(),
            )
        }),
        Fact::Emails => value(&profile.emails, |emails| {
            CrmValue::Comms(
                emails
                    .iter()
                    .map(|email| tidy(&email.address, 200))
                    .filter(|address| !address.is_empty())
                    .map(|value| Comm { value_type: "WORK".to_owned(), value })
                    .collect::<BTreeSet<_>>(),
            )
        }),
        Fact::Stays => Some(CrmValue::Int(totals.stays)),
        Fact::StayNights => Some(CrmValue::Int(totals.nights)),
        // A check-out that was undone leaves no sum behind.
        Fact::Revenue => Some(totals.main_revenue().map_or(CrmValue::Empty, |money| {
            CrmValue::Money(Money { amount: money.amount.normalize(), currency: money.currency })
        })),
        Fact::LastStay => Some(totals.last_stay.map_or(CrmValue::Empty, CrmValue::Date)),
        _ => None,
    }
}

/// The portal's type of a phone by the site's own code: `PBM` and the like are mobiles, a fax is a fax.
fn phone_type(kind: &str) -> &'static str {
    let kind = kind.to_ascii_uppercase();
    if kind.contains("FAX") {
        "FAX"
    } else if kind.contains("MOB") || kind == "PBM" || kind == "CELL" {
        "MOBILE"
    } else if kind.contains("HOM") || kind == "PHO" {
        "HOME"
    } else {
        "WORK"
    }
}

/// A fact in a title: dates as people read them.
pub fn spoken(value: Option<CrmValue>) -> String {
    match value {
        Some(CrmValue::Text(text)) => text,
        Some(CrmValue::Int(number)) => number.to_string(),
        Some(CrmValue::Date(date)) => date.format("%d.%m.%Y").to_string(),
        Some(CrmValue::Money(money)) => format!("{} {}", money.amount, money.currency),
        _ => String::new(),
    }
}
