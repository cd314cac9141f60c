//! What a portal's client needs of the store: the shared allowance and the request log.

use std::sync::Arc;

use async_trait::async_trait;

use crate::bitrix::{AllowanceStore, Error, LogEntry, MethodState, RequestLog, Take};
use crate::crypto::Keyring;
use crate::domain::PortalId;
use crate::store::limits::{self, Taken};
use crate::store::{Db, StoreError, request_log};
use crate::telemetry::metrics as names;

/// The allowance of one portal, in the database that all nodes share.
#[derive(Debug, Clone)]
pub struct PortalAllowance {
    pub db: Db,
    pub portal: PortalId,
}

fn failed(error: StoreError) -> Error {
    Error::store(error.to_string())
}

#[async_trait]
impl AllowanceStore for PortalAllowance {
    async fn take_request(&self, now: i64, burst: u32, per_second: u32) -> Result<Take, Error> {
        match limits::take(&self.db, self.portal, now, burst, per_second).await.map_err(failed)? {
            Taken::Granted { left } => {
                metrics::gauge!(names::RATE_BUCKET_TOKENS).set(f64::from(i32::try_from(left).unwrap_or(i32::MAX)));
                Ok(Take::Granted)
            }
            Taken::NotBefore(at) => {
                metrics::gauge!(names::RATE_BUCKET_TOKENS).set(0.0);
                Ok(Take::NotBefore(at))
            }
        }
    }

    async fn drain(&self, now: i64, burst: u32, per_second: u32) -> Result<(), Error> {
        limits::drain(&self.db, self.portal, now, burst, per_second).await.map_err(failed)
    }

    async fn methods(&self) -> Result<Vec<MethodState>, Error> {
        limits::methods(&self.db, self.portal).await.map_err(failed)
    }

    async fn save_method(&self, state: &MethodState) -> Result<(), Error> {
        limits::save_method(&self.db, self.portal, state).await.map_err(failed)
    }
}

/// The request log of one portal.
#[derive(Debug, Clone)]
pub struct PortalLog {
    pub db: Db,
    pub keyring: Arc<Keyring>,
    pub portal: PortalId,
}

#[async_trait]
impl RequestLog for PortalLog {
    async fn record(&self, entry: LogEntry) {
        if let Err(error) = request_log::insert(&self.db, &self.keyring, self.portal, &entry).await {
            // The request itself went well or badly all the same; its row must not decide that.
            tracing::error!(portal = %self.portal, %error, "a row of the request log could not be written");
        }
    }
}
