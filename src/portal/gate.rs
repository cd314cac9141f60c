//! What an event must show to be let in: the application token of its portal, compared in constant time (facts §1.7).
//!
//! The token travels through every user's browser. It lets an event in; it proves nothing destructive (product §7).

use std::collections::HashMap;
use std::sync::RwLock;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::verify::plausible_member;
use super::{Directory, PortalError, PortalStatus};
use crate::bitrix::PortalEvent;
use crate::domain::PortalId;
use crate::store::portals;

pub(super) const APPLICATION_TOKEN: &str = "portal.application_token";

/// How long another node may not notice a change. Long enough for a storm of events to cost one look.
const FRESH_MS: i64 = 2_000;

/// Portals by `member_id`, as events need them.
#[derive(Default)]
pub(super) struct GateCache(RwLock<HashMap<String, Entry>>);

#[derive(Clone)]
pub(super) struct Entry {
    portal: PortalId,
    status: PortalStatus,
    token: Option<SecretString>,
    read_at: i64,
}

/// An event that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    pub portal: PortalId,
    pub status: PortalStatus,
}

impl GateCache {
    fn get(&self, member_id: &str, now: i64) -> Option<Entry> {
        let cache = self.0.read().ok()?;
        cache.get(member_id).filter(|entry| (0..FRESH_MS).contains(&now.saturating_sub(entry.read_at))).cloned()
    }

    fn put(&self, member_id: &str, entry: Entry) {
        if let Ok(mut cache) = self.0.write() {
            cache.insert(member_id.to_owned(), entry);
        }
    }

    pub fn forget(&self, portal: PortalId) {
        if let Ok(mut cache) = self.0.write() {
            cache.retain(|_, entry| entry.portal != portal);
        }
    }
}

impl Directory {
    pub(super) async fn stored_application_token(&self, member_id: &str) -> Result<Option<SecretString>, PortalError> {
        let Some(row) = portals::by_member(self.db(), member_id).await? else { return Ok(None) };
        match portals::application_token(self.db(), row.id).await? {
            Some(sealed) => Ok(Some(self.open_token(APPLICATION_TOKEN, &sealed)?)),
            None => Ok(None),
        }
    }

    /// Lets an event in, or answers [`PortalError::Unverified`] for a stranger. Nothing is written either way.
    pub async fn admit(&self, event: &PortalEvent) -> Result<Admitted, PortalError> {
        let refused = PortalError::Unverified("the event's application token is not this portal's");
        let Some(presented) = event.auth.application_token.as_ref() else { return Err(refused) };
        let entry = self.gate_entry(&event.auth.member_id).await?.ok_or(PortalError::Unverified("unknown portal"))?;
        let Some(stored) = entry.token else { return Err(refused) };
        if !bool::from(stored.expose_secret().as_bytes().ct_eq(presented.expose_secret().as_bytes())) {
            return Err(refused);
        }
        Ok(Admitted { portal: entry.portal, status: entry.status })
    }

    pub(super) async fn gate_entry(&self, member_id: &str) -> Result<Option<Entry>, PortalError> {
        if !plausible_member(member_id) {
            return Ok(None);
        }
        let now = self.now();
        if let Some(entry) = self.0.gate.get(member_id, now) {
            return Ok(Some(entry));
        }
        // Unknown members are not cached: a flood of made-up ones must not grow the table.
        let Some(row) = portals::by_member(self.db(), member_id).await? else { return Ok(None) };
        let token = match portals::application_token(self.db(), row.id).await? {
            Some(sealed) => Some(self.open_token(APPLICATION_TOKEN, &sealed)?),
            None => None,
        };
        let status = PortalStatus::parse(&row.status).ok_or(crate::store::StoreError::Corrupt("portal.status"))?;
        let entry = Entry { portal: row.id, status, token, read_at: now };
        self.0.gate.put(member_id, entry.clone());
        Ok(Some(entry))
    }
}
