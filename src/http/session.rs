//! The short-lived token a frame page is handed: sealed, so that any node can open it and no node stores it.

use std::collections::BTreeSet;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use serde_json::{Value, json};

use super::api::body::Body;
use super::lang::{self, Lang};
use super::problem::{Kind, Problem};
use super::{HttpState, peer};
use crate::crypto::{CryptoError, Keyring};
use crate::domain::PortalId;
use crate::portal::{Grant, Opened, PortalStatus, Role};

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

/// A session and the block that tells a page of it.
pub struct Begun {
    pub roles: BTreeSet<Role>,
    pub block: Value,
}

/// A session for somebody just verified.
pub async fn begin(state: &HttpState, opened: &Opened, access: &SecretString, lang: Lang) -> Result<Begun, Problem> {
    let now = state.clock.now_ms();
    let (portal, user) = (&opened.portal, &opened.user);
    let (roles, grants) = state.directory.roles_of(portal.id, user.user_id).await?;
    let expires_at = user.expires_at.min(now.saturating_add(MAX_SECONDS * 1000));
    if expires_at <= now {
        return Err(Kind::Unverified.into());
    }
    let session = Session {
        portal: portal.id,
        generation: portal.generation,
        user_id: user.user_id,
        admin: user.admin,
        roles: roles.clone(),
        grants,
        lang,
        access: access.clone(),
        expires_at,
        nonce: rand::random(),
    };
    let token = session.seal(&state.keyring).map_err(|error| {
        tracing::error!(%error, "a session could not be sealed");
        Problem::from(Kind::Internal)
    })?;
    let block = json!({
        "page": "none",
        "session": token,
        "expires_in": expires_at.saturating_sub(now) / 1000,
        "portal": {"domain": portal.domain, "member_id": portal.member_id},
        "user": {"id": user.user_id, "admin": user.admin, "roles": roles},
        "lang": lang.word(),
        "placement": {"code": "DEFAULT", "options": {}},
        "version": env!("CARGO_PKG_VERSION"),
    });
    Ok(Begun { roles, block })
}

/// `POST /api/v1/session {auth_id, domain}`: a page that has been open for long goes on under a fresh token of its
/// user. Verified again like a frame; `domain` is only compared with the pinned host's answer, never called.
pub async fn renew(state: Data<HttpState>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let body = Body::read(&request, payload).await?;
    let text = |key: &str| body.value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (auth_id, domain) = (text("auth_id"), text("domain"));
    let mut problem: Option<Problem> = None;
    for (pointer, value) in [("/auth_id", &auth_id), ("/domain", &domain)] {
        if value.is_empty() || value.len() > 512 {
            problem = Some(problem.unwrap_or_else(|| Kind::Validation.into()).and_field(
                pointer,
                "required",
                "Нужно значение",
                "A value is needed",
            ));
        }
    }
    if let Some(problem) = problem {
        return Err(problem);
    }
    let access = SecretString::from(auth_id);
    let opened =
        match state.directory.reopen(&access, &domain, peer::of(&request, &state.config.http.trusted_proxies)).await {
            Ok(opened) => opened,
            Err(crate::portal::PortalError::Unknown) => return Err(Kind::Unverified.into()),
            Err(crate::portal::PortalError::Bitrix(error)) if error.class != crate::bitrix::Class::Suspend => {
                return Err(Kind::Unverified.into());
            }
            Err(error) => return Err(error.into()),
        };
    match opened.portal.status {
        PortalStatus::Uninstalling | PortalStatus::Uninstalled | PortalStatus::Gone => {
            return Err(Kind::PortalNotReady.into());
        }
        PortalStatus::Suspended if !opened.user.admin => return Err(Kind::PortalSuspended.into()),
        _ => {}
    }
    let begun = begin(&state, &opened, &access, lang::of_request(&request)).await?;
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(begun.block))
}
