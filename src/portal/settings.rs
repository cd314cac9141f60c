//! What a portal's admin chose, and what set-up learned. JSON in `portal.settings`; unknown members are kept out,
//! absent ones have defaults, so that an older or newer row is always readable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bitrix::MomentForm;
pub use crate::domain::OwnerRule;
use crate::domain::{Ownership, StayStatus};

/// The deal pipeline stays live in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pipeline {
    pub category_id: i64,
    /// Made and marked by us: then its stages are ours to add.
    pub own: bool,
}

/// How this portal takes changes of phones and e-mails (facts §7.3, "Disputed").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MultifieldMode {
    #[default]
    Unknown,
    /// `crm.item.update` changes and deletes.
    Item,
    /// `crm.item.update` only adds: the older methods change and delete.
    Legacy,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PortalSettings {
    pub owner_rule: OwnerRule,
    pub ownership: Ownership,
    pub pipeline: Option<Pipeline>,
    /// Full stage ids (`C<n>:…`) by status.
    pub stages: BTreeMap<StayStatus, String>,
    pub request_cap_seconds: Option<u32>,
    /// Seconds a method may work within ten minutes, where the portal's admin set another limit than its edition's.
    pub operating_seconds: Option<u32>,
    pub enterprise: bool,
    pub ca_pem: Option<String>,
    /// Currencies of the portal as it last told them; empty: not told yet.
    pub currencies: Vec<String>,
    /// Whether `crm.item.batchImport` is allowed to the system user.
    pub can_import: bool,
    pub multifield_mode: MultifieldMode,
    /// How moments are written into filters; `None`: not tried yet.
    pub moments: Option<MomentForm>,
    /// Methods this portal lacks (old boxes), by name.
    pub missing_methods: Vec<String>,
    /// Since when a pipeline of ours is being made (ms): until the request cap has passed its outcome is unknown,
    /// and until its stages stand its default stages are ours to remove.
    pub pipeline_started_at: Option<i64>,
    /// Read by later releases and by other rooms; kept as it is.
    #[serde(flatten)]
    pub features: BTreeMap<String, serde_json::Value>,
}

impl PortalSettings {
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn write(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_settings_survive_a_round_and_keep_what_they_do_not_know() {
        let text = r#"{"owner_rule":{"kind":"per_hotel","hotels":{"GRAND":7}},"stages":{"in_house":"C5:FB24_IN_HOUSE"},
            "later":{"x":1}}"#;
        let read = PortalSettings::read(text).expect("readable");
        assert_eq!(read.stages.get(&StayStatus::InHouse).map(String::as_str), Some("C5:FB24_IN_HOUSE"));
        assert!(read.features.contains_key("later"));
        let again = PortalSettings::read(&read.write().expect("written")).expect("readable");
        assert_eq!(again, read);
        assert_eq!(PortalSettings::read("{}"), Some(PortalSettings::default()));
    }
}
