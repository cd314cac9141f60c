//! The short-lived token a frame page is handed: sealed, so that any node can open it and no node stores it.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::lang::Lang;
use crate::crypto::{CryptoError, Keyring};
use crate::domain::PortalId;
use crate::portal::{Grant, Role};

/// A session ends after this at the latest, and no later than the user's own access token (product §7).
pub const MAX_SECONDS: i64 = 900;

const CONTEXT: &str = "http.session";

/// What a session says. Roles are those of its beginning: a change of roles ends every session of the portal.
#[derive(Debug, Clone)]
pub struct Session {
    pub portal: PortalId,
    pub generation: i64,
    pub user_id: i64,
    pub admin: bool,
    pub roles: BTreeSet<Role>,
    pub grants: BTreeSet<Grant>,
    pub lang: Lang,
    /// The user's own token, to ask the portal what he may read. Never stored, never refreshed.
    pub access: SecretString,
    /// Milliseconds since the epoch.
    pub expires_at: i64,
    /// Names this session in caches.
    pub nonce: u64,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    p: i64,
    g: i64,
    u: i64,
    a: bool,
    r: BTreeSet<Role>,
    x: BTreeSet<Grant>,
    l: Lang,
    t: String,
    e: i64,
    n: u64,
}

impl Session {
    pub fn seal(&self, ring: &Keyring) -> Result<String, CryptoError> {
        let wire = Wire {
            p: self.portal.0,
            g: self.generation,
            u: self.user_id,
            a: self.admin,
            r: self.roles.clone(),
            x: self.grants.clone(),
            l: self.lang,
            t: self.access.expose_secret().to_owned(),
            e: self.expires_at,
            n: self.nonce,
        };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&wire).map_err(|_| CryptoError::Sealing)?);
        Ok(URL_SAFE_NO_PAD.encode(ring.seal(CONTEXT, &plain)?))
    }

    /// `None`: not one of ours, changed, or run out.
    pub fn open(ring: &Keyring, token: &str, now: i64) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let plain = zeroize::Zeroizing::new(ring.open(CONTEXT, &sealed).ok()?);
        let wire: Wire = serde_json::from_slice(&plain).ok()?;
        (wire.e > now).then_some(Self {
            portal: PortalId(wire.p),
            generation: wire.g,
            user_id: wire.u,
            admin: wire.a,
            roles: wire.r,
            grants: wire.x,
            lang: wire.l,
            access: SecretString::from(wire.t),
            expires_at: wire.e,
            nonce: wire.n,
        })
    }
}
