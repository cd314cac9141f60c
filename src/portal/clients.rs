//! Clients of portals: made from the row as it is now, kept while the row says the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use super::allowance::{PortalAllowance, PortalLog};
use super::settings::PortalSettings;
use super::tokens::{SystemTokens, UserToken};
use super::{Directory, PortalError, PortalStatus};
use crate::bitrix::{
    AllowanceStore, AppInfo, BOX_OPERATING_SECONDS, Error, LogEntry, MethodState, OPERATING_SECONDS, PortalAddress,
    PortalClient, RequestLog, Take, TokenSource,
};
use crate::domain::PortalId;
use crate::store::portals::{self, PortalRow};

/// Bursts and rates by plan (facts §5).
const CLOUD: (u32, u32) = (50, 2);
const ENTERPRISE: (u32, u32) = (250, 5);

/// Clients under the system pair, with what they were made from.
#[derive(Default)]
pub(super) struct Clients(Mutex<HashMap<PortalId, (PortalAddress, PortalClient)>>);

impl Clients {
    pub fn forget(&self, portal: PortalId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&portal);
    }
}

impl Directory {
    /// The portal's client under the system pair, if the portal may be called.
    pub async fn client(&self, portal: PortalId) -> Result<PortalClient, PortalError> {
        let row = portals::get(self.db(), portal).await?.ok_or(PortalError::Unknown)?;
        match PortalStatus::parse(&row.status) {
            Some(status) if status.callable() => self.client_of(&row),
            Some(status) => Err(PortalError::NotCallable(status.word())),
            None => Err(PortalError::NotCallable("unknown")),
        }
    }

    /// The portal's client under a user's own token, which is never stored or refreshed.
    pub async fn client_as(&self, portal: PortalId, access: SecretString) -> Result<PortalClient, PortalError> {
        let row = portals::get(self.db(), portal).await?.ok_or(PortalError::Unknown)?;
        let address = self.address(&row.member_id, &row.client_endpoint, Some(&row))?;
        Ok(self.build(address, Arc::new(UserToken(access)), Some(row.id)))
    }

    pub(super) fn client_of(&self, row: &PortalRow) -> Result<PortalClient, PortalError> {
        let address = self.address(&row.member_id, &row.client_endpoint, Some(row))?;
        let mut clients = self.0.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_of, client)) = clients.get(&row.id)
            && *made_of == address
        {
            return Ok(client.clone());
        }
        let tokens = Arc::new(SystemTokens { directory: self.clone(), portal: row.id });
        let client = self.build(address.clone(), tokens, Some(row.id));
        clients.insert(row.id, (address, client.clone()));
        Ok(client)
    }

    /// For somebody who is just being verified; the portal may not be known yet. `authority`: to be trusted for this
    /// client instead of the stored one, and nowhere else.
    pub(super) fn visitor_client(
        &self,
        info: &AppInfo,
        known: Option<&PortalRow>,
        access: SecretString,
        authority: Option<&str>,
    ) -> Result<PortalClient, PortalError> {
        let mut address = self.address(&info.member_id, info.client_endpoint.as_str(), known)?;
        if let Some(pem) = authority {
            address.ca_pem = Some(pem.to_owned());
        }
        let parts = &self.0.parts;
        let (allowance, log) = self.ports(known.map(|row| row.id));
        Ok(parts.bitrix.visitor(address, Arc::new(UserToken(access)), allowance, log, parts.clock.clone()))
    }

    fn address(
        &self,
        member_id: &str,
        endpoint: &str,
        known: Option<&PortalRow>,
    ) -> Result<PortalAddress, PortalError> {
        let settings = known.and_then(|row| PortalSettings::read(&row.settings)).unwrap_or_default();
        let (burst, per_second) = if settings.enterprise { ENTERPRISE } else { CLOUD };
        let edition = if known.is_some_and(|row| row.boxed) { BOX_OPERATING_SECONDS } else { OPERATING_SECONDS };
        let cap = settings.request_cap_seconds.unwrap_or(self.0.parts.config.bitrix.request_cap_seconds);
        Ok(PortalAddress {
            member_id: member_id.to_owned(),
            client_endpoint: Url::parse(endpoint)
                .map_err(|_| PortalError::Internal("the stored address is no URL".into()))?,
            ca_pem: self.0.parts.authorities.of(member_id).map(str::to_owned).or(settings.ca_pem),
            burst,
            per_second,
            operating_seconds: settings.operating_seconds.unwrap_or(edition),
            request_cap: Duration::from_secs(u64::from(cap)),
        })
    }

    fn build(&self, address: PortalAddress, tokens: Arc<dyn TokenSource>, known: Option<PortalId>) -> PortalClient {
        let parts = &self.0.parts;
        let (allowance, log) = self.ports(known);
        parts.bitrix.portal(address, tokens, allowance, log, parts.clock.clone())
    }

    fn ports(&self, known: Option<PortalId>) -> (Arc<dyn AllowanceStore>, Arc<dyn RequestLog>) {
        let parts = &self.0.parts;
        match known {
            Some(portal) => (
                Arc::new(PortalAllowance { db: parts.db.clone(), portal }),
                Arc::new(PortalLog { db: parts.db.clone(), keyring: parts.keyring.clone(), portal }),
            ),
            None => (Arc::new(Stranger), Arc::new(Stranger)),
        }
    }
}

/// A portal seen for the first time: it has no rows yet, and gets one request.
struct Stranger;

#[async_trait]
impl AllowanceStore for Stranger {
    async fn take_request(&self, _now: i64, _burst: u32, _per_second: u32) -> Result<Take, Error> {
        Ok(Take::Granted)
    }

    async fn drain(&self, _now: i64, _burst: u32, _per_second: u32) -> Result<(), Error> {
        Ok(())
    }

    async fn methods(&self) -> Result<Vec<MethodState>, Error> {
        Ok(Vec::new())
    }

    async fn save_method(&self, _: &MethodState) -> Result<(), Error> {
        Ok(())
    }
}

#[async_trait]
impl RequestLog for Stranger {
    async fn record(&self, _entry: LogEntry) {}
}
