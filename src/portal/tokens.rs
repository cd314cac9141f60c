//! The system pair: refreshed lazily, once for all tasks and nodes, committed before it is used (facts §2.3).

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Directory;
use crate::bitrix::TokenPair;
use crate::bitrix::{Class, Error, TokenSource};
use crate::domain::PortalId;
use crate::store::portals::{self, PortalRow};
use crate::store::tokens::{self, TokenRow};
use crate::store::{StoreError, Tx};

pub(super) const ACCESS: &str = "portal_token.access";
pub(super) const REFRESH: &str = "portal_token.refresh";

/// A claim outlives the request it covers, so that nobody refreshes the same pair beside it.
const CLAIM_MS: i64 = 60_000;
/// How often another node's refresh is looked at, and how long it is waited for.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: usize = 150;
/// The answer of a refresh exists nowhere else: a busy database gets several chances to keep it.
const COMMITS: u32 = 6;

/// The system tokens of one portal.
pub(super) struct SystemTokens {
    pub directory: Directory,
    pub portal: PortalId,
}

/// A user's own token: used as it is, never refreshed.
pub(super) struct UserToken(pub SecretString);

/// How a refresh ended that was asked for to learn whether the app is still installed.
#[derive(Debug)]
pub(super) enum Probe {
    Renewed,
    /// Refused with this error; `trusted`: nothing says that the pair was spent or dead before.
    Refused {
        error: Error,
        trusted: bool,
    },
    /// There is no pair to try.
    NoPair,
    /// Another refresh is under way, or nobody answered.
    Unknown,
}

fn store(error: &StoreError) -> Error {
    Error::store(error.to_string())
}

#[async_trait]
impl TokenSource for UserToken {
    async fn current(&self) -> Result<SecretString, Error> {
        Ok(self.0.clone())
    }

    async fn renewed(&self, _stale: &SecretString) -> Result<SecretString, Error> {
        Err(Error::token("the user's token has ended"))
    }

    async fn moved(&self, _client_endpoint: &str) -> Result<(), Error> {
        Ok(())
    }
}

#[async_trait]
impl TokenSource for SystemTokens {
    async fn current(&self) -> Result<SecretString, Error> {
        let row = tokens::get(self.directory.db(), self.portal).await.map_err(|e| store(&e))?;
        let row = row.ok_or_else(|| Error::token("no pair is stored"))?;
        self.directory.open_token(ACCESS, &row.access_sealed)
    }

    async fn renewed(&self, stale: &SecretString) -> Result<SecretString, Error> {
        self.directory.renew(self.portal, stale).await
    }

    async fn moved(&self, client_endpoint: &str) -> Result<(), Error> {
        self.directory.confirm_move(self.portal, client_endpoint).await
    }
}

impl Directory {
    pub(super) fn open_token(&self, context: &'static str, sealed: &[u8]) -> Result<SecretString, Error> {
        let plain = self.0.parts.keyring.open(context, sealed).map_err(|e| Error::store(e.to_string()))?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| Error::internal("a stored token is no text"))
    }

    pub(super) fn seal_token(&self, context: &'static str, token: &SecretString) -> Result<Vec<u8>, StoreError> {
        Ok(self.0.parts.keyring.seal(context, token.expose_secret().as_bytes())?)
    }

    /// Stores a pair that a verified admin brought.
    pub(super) async fn store_pair(
        &self,
        tx: &Tx,
        portal: PortalId,
        access: &SecretString,
        refresh: &SecretString,
        expires_at: i64,
    ) -> Result<(), StoreError> {
        let (access, refresh) = (self.seal_token(ACCESS, access)?, self.seal_token(REFRESH, refresh)?);
        tokens::replace(tx, portal, access, refresh, expires_at, self.now()).await
    }

    /// Whoever asks may give up meanwhile (a browser that is closed, a delivery that stops): a refresh goes on to its end,
    /// because its answer exists nowhere else.
    async fn renew(&self, portal: PortalId, stale: &SecretString) -> Result<SecretString, Error> {
        let (directory, stale) = (self.clone(), stale.clone());
        let renewing = tokio::spawn(async move { directory.renew_to_the_end(portal, &stale).await });
        renewing.await.map_err(|_| Error::internal("a refresh ended abnormally"))?
    }

    async fn renew_to_the_end(&self, portal: PortalId, stale: &SecretString) -> Result<SecretString, Error> {
        let flight = self.flight(portal);
        let _one = flight.lock().await;
        for _ in 0..LOOKS {
            let row = tokens::get(self.db(), portal).await.map_err(|e| store(&e))?;
            let row = row.ok_or_else(|| Error::token("no pair is stored"))?;
            let stored = self.open_token(ACCESS, &row.access_sealed)?;
            if stored.expose_secret() != stale.expose_secret() {
                return Ok(stored);
            }
            if self.claim(portal, &row).await.map_err(|e| store(&e))? {
                let renewed = self.refresh_claimed(portal, &row).await;
                count(&renewed);
                if let Err(error) = &renewed {
                    self.note_failure(portal, error).await;
                }
                return renewed;
            }
            // Another node is refreshing this pair; its answer will stand in the row. Real time, not the clock's:
            // it is another process that is waited for.
            tokio::time::sleep(LOOK).await;
        }
        Err(Error::store("another node is renewing the tokens"))
    }

    /// One refresh of the stored pair, to learn whether the app is still installed (product §7, "Uninstall").
    pub(super) async fn probe(&self, portal: PortalId) -> Result<Probe, StoreError> {
        let directory = self.clone();
        let probing = tokio::spawn(async move { directory.probe_to_the_end(portal).await });
        probing.await.map_err(|_| StoreError::Stopped)?
    }

    async fn probe_to_the_end(&self, portal: PortalId) -> Result<Probe, StoreError> {
        let flight = self.flight(portal);
        let _one = flight.lock().await;
        let Some(row) = tokens::get(self.db(), portal).await? else { return Ok(Probe::NoPair) };
        if !self.claim(portal, &row).await? {
            return Ok(Probe::Unknown);
        }
        // A claim left behind by a crash: the pair may have been spent, so its refusal says nothing about the app.
        let trusted = row.refresh_owner.is_none();
        let renewed = self.refresh_claimed(portal, &row).await;
        count(&renewed);
        Ok(match renewed {
            Ok(_) => Probe::Renewed,
            Err(error) => Probe::Refused { error, trusted },
        })
    }

    async fn claim(&self, portal: PortalId, row: &TokenRow) -> Result<bool, StoreError> {
        let now = self.now();
        tokens::claim(self.db(), portal, row.version, &self.0.parts.node, now, now.saturating_add(CLAIM_MS)).await
    }

    async fn refresh_claimed(&self, portal: PortalId, row: &TokenRow) -> Result<SecretString, Error> {
        let known = portals::get(self.db(), portal).await.map_err(|e| store(&e))?;
        let known = known.ok_or_else(|| Error::token("no such portal"))?;
        let host = Url::parse(&known.oauth_host).map_err(|_| Error::internal("the stored OAuth host is no URL"))?;
        let refresh = self.open_token(REFRESH, &row.refresh_sealed)?;
        match self.0.parts.bitrix.oauth().refresh(&host, &refresh).await {
            Ok(pair) => self.keep_pair(&known, row, pair).await,
            Err(error) => {
                let node = &self.0.parts.node;
                if error.outcome_unknown {
                    tokens::leave_open(self.db(), portal, row.version, node).await.map_err(|e| store(&e))?;
                    return Err(error);
                }
                tokens::unclaim(self.db(), portal, row.version, node).await.map_err(|e| store(&e))?;
                if error.class == Class::Reauthorise {
                    // Refused because somebody else has replaced the pair meanwhile?
                    let now = tokens::get(self.db(), portal).await.map_err(|e| store(&e))?;
                    if let Some(newer) = now.filter(|newer| newer.version != row.version) {
                        return self.open_token(ACCESS, &newer.access_sealed);
                    }
                }
                Err(error)
            }
        }
    }

    /// Commits the new pair; only then may it be used.
    async fn keep_pair(&self, known: &PortalRow, row: &TokenRow, pair: TokenPair) -> Result<SecretString, Error> {
        if !pair.member_id.is_empty() && pair.member_id != known.member_id {
            return Err(Error::token("the OAuth host answered with another portal's pair"));
        }
        let access = self.seal_token(ACCESS, &pair.access_token).map_err(|e| store(&e))?;
        let refresh = self.seal_token(REFRESH, &pair.refresh_token).map_err(|e| store(&e))?;
        let expires_at = self.now().saturating_add(pair.expires_in.saturating_mul(1000));
        let mut tries = 0;
        let kept = loop {
            let (access, refresh) = (access.clone(), refresh.clone());
            match tokens::renew(self.db(), known.id, row.version, access, refresh, expires_at, self.now()).await {
                Ok(kept) => break kept,
                Err(error) if tries < COMMITS => {
                    tracing::error!(portal = known.id.0, %error, "a renewed pair is not stored yet");
                    tries += 1;
                    tokio::time::sleep(LOOK * 2_u32.pow(tries)).await;
                }
                Err(error) => return Err(store(&error)),
            }
        };
        if !kept {
            // An admin's frame brought a newer pair while ours was under way: that one counts.
            let newer = tokens::get(self.db(), known.id).await.map_err(|e| store(&e))?;
            let newer = newer.ok_or_else(|| Error::token("no pair is stored"))?;
            return self.open_token(ACCESS, &newer.access_sealed);
        }
        if let Some(endpoint) = pair.client_endpoint.filter(|endpoint| endpoint.as_str() != known.client_endpoint) {
            // The pinned host's word: the portal was renamed.
            let domain = host_of(&endpoint);
            portals::set_address(self.db(), known.id, &domain, endpoint.as_str(), self.now())
                .await
                .map_err(|e| store(&e))?;
            tracing::info!(portal = known.id.0, "the portal has a new address");
        }
        Ok(pair.access_token)
    }

    /// A redirect showed a new address: it is kept only if the pinned host names the same one for this portal.
    async fn confirm_move(&self, portal: PortalId, client_endpoint: &str) -> Result<(), Error> {
        let known = portals::get(self.db(), portal).await.map_err(|e| store(&e))?;
        let known = known.ok_or_else(|| Error::token("no such portal"))?;
        let host = Url::parse(&known.oauth_host).map_err(|_| Error::internal("the stored OAuth host is no URL"))?;
        let token = SystemTokens { directory: self.clone(), portal }.current().await?;
        let info = self.0.parts.bitrix.oauth().app_info(&host, &token).await?;
        if info.member_id != known.member_id || info.client_endpoint.as_str() != client_endpoint {
            return Err(Error::address("a redirect leads to an address the OAuth host does not know for this portal"));
        }
        portals::set_address(self.db(), portal, &info.domain, info.client_endpoint.as_str(), self.now())
            .await
            .map_err(|e| store(&e))
    }
}

/// A host as `DOMAIN` writes it: with its port where that is unusual (facts §1.3).
pub(super) fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        _ => String::new(),
    }
}

fn count(renewed: &Result<SecretString, Error>) {
    let outcome = match renewed.as_ref().map_err(|error| error.class) {
        Ok(_) => "ok",
        Err(Class::Retry { .. }) => "no_answer",
        Err(Class::Suspend) => "payment",
        Err(Class::Gone) => "gone",
        Err(Class::Reauthorise | Class::Permanent) => "refused",
    };
    metrics::counter!(crate::telemetry::metrics::TOKEN_REFRESH, "outcome" => outcome).increment(1);
}
