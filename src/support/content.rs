//! What a request says (S-12, S-22…S-24, S-32…S-36): sealed as one document, found by three keyed hashes.

use serde::{Deserialize, Serialize};

use crate::crypto::TenantKey;
use crate::domain::support::complete::{self, Item, Told};
use crate::domain::{Known, Lang};
use crate::store::StoreError;
use crate::store::desk::requests::{Hashes, RequestRow};
pub use crate::store::desk::search::{email_hash, login_hash, phone_hash};

const CONTENT: &str = "desk_request.content";

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    pub subject: String,
    pub description: String,
    /// Page, versions, last errors, ids of operations.
    pub conditions: String,
    /// Of the affected user.
    pub login: String,
    /// Link of the portal where it happened.
    pub portal: String,
    /// The submitter.
    pub name: String,
    pub phone: String,
    pub email: String,
    /// Somebody said that there is no picture.
    pub no_picture: bool,
    /// Id of the letter it came by: ours answer it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub letter: String,
}

impl Content {
    pub fn seal(&self, key: &TenantKey) -> Result<Vec<u8>, StoreError> {
        let text = serde_json::to_vec(self).map_err(|_| StoreError::Corrupt("desk_request.content_sealed"))?;
        Ok(key.seal(CONTENT, &text)?)
    }

    fn open(key: &TenantKey, sealed: &[u8]) -> Result<Self, StoreError> {
        let text = key.open(CONTENT, sealed)?;
        serde_json::from_slice(&text).map_err(|_| StoreError::Corrupt("desk_request.content_sealed"))
    }

    /// What a request says; nothing where its words or its key are gone.
    pub fn of(row: &RequestRow, key: Option<&TenantKey>) -> Result<Option<Self>, StoreError> {
        let key = key.filter(|_| row.erased_at.is_none());
        key.map(|key| Self::open(key, &row.content)).transpose()
    }

    /// What it still lacks (decision 3).
    pub fn missing(&self) -> Vec<Item> {
        complete::missing(Told {
            subject: &self.subject,
            description: &self.description,
            conditions: &self.conditions,
            login: &self.login,
            portal: &self.portal,
            pictures: if self.no_picture { &Known::Empty } else { &Known::Absent },
        })
    }

    pub fn hashes(&self, key: &TenantKey) -> Hashes {
        let some =
            |hash: fn(&TenantKey, &str) -> String, text: &str| (!text.trim().is_empty()).then(|| hash(key, text));
        Hashes {
            phone: some(phone_hash, &self.phone),
            email: some(email_hash, &self.email),
            login: some(login_hash, &self.login),
        }
    }
}

/// The subject of a request that came without one.
pub fn call_back_subject(lang: Lang) -> &'static str {
    lang.pick("Обратный звонок", "Call back")
}
