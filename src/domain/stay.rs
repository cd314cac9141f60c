//! A stay: one reservation of one hotel, from the offer to the check-out.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::ids::{ProfileNumber, StayNumber};
use super::known::{Known, facts};
use super::money::Money;
use super::status::StayStatus;

/// Another person of the stay: an accompanying guest, or who shares the room under an own reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    pub profile: ProfileNumber,
    pub name: String,
    /// The sharer's own reservation.
    pub stay: Option<StayNumber>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub number: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub number: Option<String>,
    pub category: String,
    pub text: String,
    pub guest_may_see: bool,
}

facts! {
    /// What is known of one stay. Dates are hotel-local calendar dates; `*_at` is the hotel's wall clock.
    pub struct Stay [number: StayNumber] {
        status: StayStatus,
        arrival: NaiveDate,
        departure: NaiveDate,
        booked_on: NaiveDate,
        option_until: NaiveDate,
        checked_in_at: NaiveDateTime,
        checked_out_at: NaiveDateTime,
        room: String,
        room_type: String,
        rooms: u16,
        adults: u16,
        /// Children by the hotel's age category.
        children: BTreeMap<String, u16>,
        rate: String,
        market: String,
        source: String,
        channel: String,
        guarantee: String,
        /// The whole stay.
        total: Money,
        /// What the folio still owes.
        balance: Money,
        /// What was paid by now.
        paid: Money,
        main_guest: ProfileNumber,
        companions: Vec<Companion>,
        sharers: Vec<Companion>,
        company: ProfileNumber,
        travel_agent: ProfileNumber,
        source_profile: ProfileNumber,
        booker: ProfileNumber,
        group: Group,
        party: Group,
        block: String,
        crs_number: String,
        comments: Vec<String>,
        notes: Vec<Note>,
        custom: BTreeMap<String, String>,
        privacy_removed: bool,
        created_at: NaiveDateTime,
        updated_at: NaiveDateTime,
    }
}

impl Stay {
    /// Nights between arrival and departure; a day use has none.
    pub fn nights(&self) -> Option<i64> {
        let (arrival, departure) = (self.arrival.get()?, self.departure.get()?);
        Some(departure.signed_duration_since(*arrival).num_days())
    }

    /// Those who travel together: the group, else the party.
    pub fn group_or_party(&self) -> &Known<Group> {
        if self.group.get().is_none() && self.party.get().is_some() { &self.party } else { &self.group }
    }

    /// Every profile this stay names, the main guest first, without repeats.
    pub fn guests(&self) -> Vec<&ProfileNumber> {
        let companions = self.companions.get().into_iter().flatten();
        let sharers = self.sharers.get().into_iter().flatten();
        let mut seen = Vec::new();
        for profile in self.main_guest.get().into_iter().chain(companions.chain(sharers).map(|c| &c.profile)) {
            if !seen.contains(&profile) {
                seen.push(profile);
            }
        }
        seen
    }
}
