//! What is behind a write, for the provenance of its fields: the hotel's words, and the call that carried it (product §2.11).

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::domain::fact::{Fact, of_profile, of_stay};
use crate::domain::{CrmEntity, CrmValue, Fields, GuestTotals, HotelCode, Mapping};
use crate::store::profiles::ProfileRow;
use crate::store::provenance::{Answer, Call, Told};
use crate::store::stays::StayRow;

/// The field that no rule writes, and whose fact is known all the same.
pub(super) const STAGE: (&str, Fact) = ("stageId", Fact::Status);

/// What the hotel's record said, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Words {
    pms_time: Option<NaiveDateTime>,
    received_at: i64,
    /// Facts of which the mapping made another value, by field.
    #[serde(default)]
    values: BTreeMap<String, CrmValue>,
    /// Fields that no single record says.
    #[serde(default)]
    not_of: Vec<String>,
}

/// One write's calls: phones and e-mails may take a second one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Carried {
    pub at: i64,
    pub methods: Vec<String>,
}

impl Words {
    /// Of a stay or group, for the deal's fields that are written.
    pub fn of_stay(mapping: &Mapping, hotel: &HotelCode, row: &StayRow, guest: &str, write: &Fields) -> Self {
        let rules = mapping.rules(CrmEntity::Deal).map(|rule| (rule.field.as_str(), rule.from));
        // What tells of a guest is not kept a second time: his erasure looks where he is named now.
        let kept = rules.chain([STAGE]).filter(|(field, _)| !mapping.tells_of_guests(CrmEntity::Deal, field));
        let said = kept.filter_map(|(field, fact)| another(field, of_stay(fact, hotel, &row.facts, guest)?, write));
        Self { pms_time: row.pms_time, received_at: row.received_at, values: said.collect(), not_of: Vec::new() }
    }

    /// Of the profile that speaks for a contact or company.
    pub fn of_profile(mapping: &Mapping, entity: CrmEntity, row: &ProfileRow, write: &Fields) -> Self {
        let nobody = GuestTotals::default();
        let (sums, own): (Vec<_>, Vec<_>) = mapping.rules(entity).partition(|rule| rule.from.adds_up());
        let said = own
            .into_iter()
            .filter_map(|rule| another(&rule.field, of_profile(rule.from, &row.facts, &nobody)?, write))
            .collect();
        let not_of =
            sums.into_iter().map(|rule| rule.field.clone()).filter(|field| write.contains_key(field)).collect();
        Self { pms_time: row.pms_time, received_at: row.received_at, values: said, not_of }
    }

    pub fn told(&self, field: &str) -> Option<Told> {
        let (pms_time, received_at) = (self.pms_time, self.received_at);
        let told = || Told { pms_time, received_at, value: self.values.get(field).cloned() };
        (!self.not_of.iter().any(|other| other == field)).then(told)
    }
}

/// The hotel's value where another one is written.
fn another(field: &str, said: CrmValue, write: &Fields) -> Option<(String, CrmValue)> {
    write.get(field).filter(|written| **written != said).map(|_| (field.to_owned(), said))
}

impl Carried {
    /// The call of one field; `comm`: a phone or an e-mail.
    pub fn call(&self, comm: bool, answer: Answer) -> Option<Call> {
        let method = if comm { self.methods.last() } else { self.methods.first() };
        Some(Call { method: method?.clone(), sent_at: self.at, answer })
    }
}
