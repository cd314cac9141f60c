//! What the portal lets a user read, by his own token (product §7): asked once in a session.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use secrecy::SecretString;

use super::{Directory, PortalError};
use crate::bitrix::crm::{self, Entity};
use crate::bitrix::{Class, Priority};
use crate::domain::PortalId;

/// Answers kept at once; a session's few deals are asked again when there are more.
const KEPT: usize = 20_000;

/// `(session, deal)` → may he, and until when the answer counts.
#[derive(Default)]
pub(super) struct Readings(Mutex<HashMap<(u64, i64), (bool, i64)>>);

impl Readings {
    fn get(&self, session: u64, deal: i64, now: i64) -> Option<bool> {
        let readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.get(&(session, deal)).filter(|(_, until)| *until > now).map(|(may, _)| *may)
    }

    fn put(&self, session: u64, deal: i64, may: bool, until: i64, now: i64) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if readings.len() >= KEPT {
            readings.retain(|_, (_, until)| *until > now);
        }
        if readings.len() < KEPT {
            readings.insert((session, deal), (may, until));
        }
    }
}

impl Directory {
    /// Whether the portal lets this user read this deal. `until`: the end of his session.
    pub async fn user_reads_deal(
        &self,
        portal: PortalId,
        session: u64,
        access: &SecretString,
        until: i64,
        deal: i64,
    ) -> Result<bool, PortalError> {
        let now = self.now();
        if let Some(may) = self.0.readings.get(session, deal, now) {
            return Ok(may);
        }
        let client = self.client_as(portal, access.clone()).await?;
        let may = match client.call(Priority::Person, &crm::item_get(Entity::Deal, deal)).await {
            Ok(answer) => crm::item_of(&answer).is_some(),
            // No right, no such deal, an extranet user: it is not his to see, whichever it is.
            Err(error) if error.class == Class::Permanent => false,
            Err(error) if error.class == Class::Reauthorise => {
                return Err(PortalError::Unverified("the user's token has ended"));
            }
            Err(error) => return Err(error.into()),
        };
        self.0.readings.put(session, deal, may, until, now);
        Ok(may)
    }
}
