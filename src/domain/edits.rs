//! What people changed of what the hotel says too, and whose value stands (product §2.7).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::change_set::{alike, lost};
use super::crm::{CrmValue, Fields};

/// What becomes of a person's value in a field that the hotel fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// The hotel's value is put back at once.
    PutBack,
    /// It stays until the hotel has another value.
    UntilNews,
    /// It stays until the hotel has another value that is later than it.
    Newest,
    /// The field is people's until they release it.
    Theirs,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Edit {
    /// By the portal's clock.
    at: i64,
    /// The hotel's value that it stands against.
    over: CrmValue,
}

/// Of one record, by field: only where a person's value stands. Holds values of guests: sealed where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Edits(BTreeMap<String, Edit>);

impl Edits {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A person put `theirs` where the hotel's value `over` stood. What stood there was perhaps a person's own: then the
    /// hotel's value is the one known before.
    pub fn edited(&mut self, field: &str, over: &CrmValue, theirs: &CrmValue, at: i64) {
        let edit = self.0.entry(field.to_owned()).or_insert_with(|| Edit { at, over: over.clone() });
        edit.at = edit.at.max(at);
        self.seen(field, theirs);
    }

    /// Where the hotel's value is back there is nothing to decide.
    pub fn seen(&mut self, field: &str, now: &CrmValue) {
        if self.0.get(field).is_some_and(|edit| holds(now, &edit.over)) {
            self.0.remove(field);
        }
    }

    /// Leaves of what is desired what is to be written. A value of the hotel that came too late stays too late, whatever
    /// else the hotel changes later.
    ///
    /// `hotel_at`: when the hotel's value was made, by a clock as right as the portal's. A tie leaves the portal's.
    pub fn standing(&mut self, mut desired: Fields, stance: impl Fn(&str) -> Stance, hotel_at: i64) -> Fields {
        desired.retain(|field, want| {
            let Some(edit) = self.0.get_mut(field) else { return true };
            let stance = stance(field);
            let stands = match stance {
                Stance::PutBack => false,
                Stance::UntilNews => alike(want, &edit.over),
                Stance::Newest => alike(want, &edit.over) || hotel_at <= edit.at,
                Stance::Theirs => return false,
            };
            if stands {
                edit.over = want.clone();
            }
            !stands
        });
        desired
    }

    /// What people changed of these fields is remembered no more.
    pub fn forget(&mut self, of: impl Fn(&str) -> bool) {
        self.0.retain(|field, _| !of(field));
    }

    /// Against what they stand is remembered no more; they stand all the same.
    pub fn blank(&mut self) {
        self.0.values_mut().for_each(|edit| edit.over = CrmValue::Empty);
    }

    /// These fields hold the hotel's values.
    pub fn settle<'f>(&mut self, fields: impl IntoIterator<Item = &'f String>) {
        for field in fields {
            self.0.remove(field);
        }
    }
}

/// Of a list that is shared, the hotel's part.
fn holds(now: &CrmValue, hotels: &CrmValue) -> bool {
    match hotels {
        CrmValue::Ids(_) | CrmValue::Texts(_) | CrmValue::Comms(_) => !lost(hotels, hotels, now),
        single => alike(single, now),
    }
}

#[cfg(test)]
#[path = "edits_tests.rs"]
mod tests;
