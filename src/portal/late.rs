//! An installation event that cannot be verified when it comes: the OAuth host or the portal does not answer, or its
//! caller's address owes too many refusals, which an address that many share may owe for somebody else.
//!
//! Bitrix24 sends it once. A hotel that installs by script has no page that would come again by itself, so the event
//! waits, sealed under the master key, and is tried again until its access token has ended. The product's rules stand:
//! the tokens of an event serve to verify it and for nothing else, and nothing is known, shown or called on the strength
//! of an event that is not verified yet. Strangers can fill the waiting room, so it is small; whoever finds it full is
//! told so, and installs by opening the app.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::verify::{Presented, plausible_member};
use super::{Directory, PortalError};
use crate::bitrix::{Class, PortalEvent};
use crate::crypto::CryptoError;
use crate::store::late_installs::{self, LateInstall};

const CONTEXT: &str = "late_install.event";

/// An access token lives an hour: after that nothing is left to verify.
const WAITS_MS: i64 = 3_600_000;
const AGAIN_MS: i64 = 20_000;
/// Of one portal, and of all.
const OF_ONE: i64 = 4;
const OF_ALL: i64 = 256;
/// Of all, while those count that come from callers who were refused too often: the rest stays for outages.
const OF_REFUSED: i64 = 128;
const AT_ONCE: i64 = 16;

/// What an installation event brings; nothing of it is believed yet.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub member_id: String,
    domain: String,
    server_endpoint: String,
    pub language: String,
    pub access: SecretString,
    pub refresh: Option<SecretString>,
    pub application_token: Option<SecretString>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    m: String,
    d: String,
    s: String,
    l: String,
    a: String,
    r: Option<String>,
    t: Option<String>,
}

impl Arrival {
    /// `None`: it has no access token, so nothing can ever verify it.
    pub fn of(event: &PortalEvent) -> Option<Self> {
        let auth = &event.auth;
        Some(Self {
            member_id: auth.member_id.clone(),
            domain: auth.domain.clone(),
            server_endpoint: auth.server_endpoint.clone(),
            language: event.data.text("LANGUAGE_ID").unwrap_or_default().to_owned(),
            access: auth.access_token.clone()?,
            refresh: auth.refresh_token.clone(),
            application_token: auth.application_token.clone(),
        })
    }

    pub fn presented(&self, from: Option<IpAddr>) -> Presented<'_> {
        Presented {
            access: &self.access,
            member_id: &self.member_id,
            domain: &self.domain,
            server_endpoint: &self.server_endpoint,
            authority: None,
            from,
        }
    }

    fn seal(&self, directory: &Directory) -> Result<Vec<u8>, PortalError> {
        let secret = |secret: &Option<SecretString>| secret.as_ref().map(|text| text.expose_secret().to_owned());
        let wire = Wire {
            m: self.member_id.clone(),
            d: self.domain.clone(),
            s: self.server_endpoint.clone(),
            l: self.language.clone(),
            a: self.access.expose_secret().to_owned(),
            r: secret(&self.refresh),
            t: secret(&self.application_token),
        };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&wire).map_err(|_| CryptoError::Sealing)?);
        Ok(directory.0.parts.keyring.seal(CONTEXT, &plain)?)
    }

    fn open(directory: &Directory, sealed: &[u8]) -> Result<Self, PortalError> {
        let plain = zeroize::Zeroizing::new(directory.0.parts.keyring.open(CONTEXT, sealed)?);
        let wire: Wire = serde_json::from_slice(&plain).map_err(|_| CryptoError::Damaged(CONTEXT))?;
        Ok(Self {
            member_id: wire.m,
            domain: wire.d,
            server_endpoint: wire.s,
            language: wire.l,
            access: SecretString::from(wire.a),
            refresh: wire.r.map(SecretString::from),
            application_token: wire.t.map(SecretString::from),
        })
    }
}

/// Whether a later try may end otherwise.
fn passes(error: &PortalError) -> bool {
    match error {
        // Its admin may name the authority meanwhile, or renew the certificate.
        PortalError::Unreachable(_) | PortalError::Untrusted(_) | PortalError::TooMany => true,
        PortalError::Bitrix(error) => matches!(error.class, Class::Retry { .. }),
        _ => false,
    }
}

impl Directory {
    /// Takes an installation event: at once where it can be verified, else when it can.
    pub(super) async fn install_arrived(&self, event: &PortalEvent, from: Option<IpAddr>) -> Result<(), PortalError> {
        let arrival = Arrival::of(event).ok_or(PortalError::Unverified("there is no token"))?;
        let received_at = self.now();
        match self.installed_by(&arrival, received_at, from).await {
            Err(error) if passes(&error) && plausible_member(&arrival.member_id) => {
                let sealed = arrival.seal(self)?;
                let due = self.now().saturating_add(AGAIN_MS);
                let room = if matches!(error, PortalError::TooMany) { OF_REFUSED } else { OF_ALL };
                if !late_installs::keep(self.db(), &arrival.member_id, sealed, received_at, due, OF_ONE, room).await? {
                    return Err(error);
                }
                tracing::warn!(%error, "an installation event cannot be verified now; it is kept for an hour");
                Ok(())
            }
            done => done,
        }
    }

    /// Tries those that wait; answers how many came to an end.
    pub(super) async fn late_installs(&self) -> Result<usize, PortalError> {
        if late_installs::due(self.db(), self.now(), 1).await?.is_empty() {
            return Ok(0);
        }
        let trying = async {
            // Listed under the lease: what another node has just tried is not tried again.
            let due = late_installs::due(self.db(), self.now(), AT_ONCE).await?;
            let tried = futures_util::future::join_all(due.iter().map(|late| self.late_install(late))).await;
            tried.into_iter().try_fold(0, |ended, tried| Ok(ended + usize::from(tried?)))
        };
        Ok(self.under_lease("late_installs", Box::pin(trying)).await?.unwrap_or(0))
    }

    /// `true`: it needs no further try.
    async fn late_install(&self, late: &LateInstall) -> Result<bool, PortalError> {
        let tried = match Arrival::open(self, &late.event_sealed) {
            Ok(arrival) => self.installed_by(&arrival, late.received_at, None).await,
            Err(error) => Err(error),
        };
        let now = self.now();
        match tried {
            Err(error)
                if (passes(&error) || matches!(error, PortalError::Store(_)))
                    && now.saturating_sub(late.received_at) < WAITS_MS =>
            {
                late_installs::postpone(self.db(), late.id, now.saturating_add(AGAIN_MS)).await?;
                return Ok(false);
            }
            Err(error) => tracing::warn!(%error, "an installation event that had waited came to nothing"),
            Ok(()) => tracing::info!("an installation event that had waited was verified"),
        }
        late_installs::delete(self.db(), late.id).await?;
        Ok(true)
    }
}
