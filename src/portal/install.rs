//! A verified frame or installation event: what it may change, and what it heals.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

use super::installation::Installation;
use super::late::Arrival;
use super::settings::PortalSettings;
use super::status::PortalStatus;
use super::verify::{Presented, Verified, plausible_member};
use super::{Directory, Portal, PortalError};
use crate::bitrix::{FramePost, PortalEvent};
use crate::domain::PortalId;
use crate::store::portals::{self, Identity, PortalRow};
use crate::store::{StoreError, late_installs, tokens};

/// What an admin may bring besides himself.
struct Brought<'a> {
    access: &'a SecretString,
    refresh: Option<&'a SecretString>,
    application_token: Option<&'a SecretString>,
    language: &'a str,
    /// The installer's frame, or an installation event.
    installing: bool,
    /// When it came to our door.
    arrived_at: i64,
}

/// Somebody known at a portal known.
#[derive(Debug, Clone)]
pub struct Opened {
    pub portal: Portal,
    pub user: Verified,
}

/// A page that was opened again within this time does not repeat the set-up's look.
const LOOK_AGAIN_MS: i64 = 600_000;

impl Directory {
    /// A page was opened in a frame. `installing`: it is the installer's.
    pub async fn open_frame(
        &self,
        frame: &FramePost,
        installing: bool,
        from: Option<IpAddr>,
    ) -> Result<Opened, PortalError> {
        let access = frame.auth_id.as_ref().ok_or(PortalError::Unverified("there is no token"))?;
        let arrived_at = self.now();
        let user = self
            .verify(Presented {
                access,
                member_id: &frame.member_id,
                domain: &frame.domain,
                server_endpoint: &frame.server_endpoint,
                authority: frame.authority.as_deref(),
                from,
            })
            .await?;
        let brought = Brought {
            access,
            refresh: frame.refresh_id.as_ref(),
            application_token: frame.application_token.as_ref(),
            language: &frame.lang,
            installing,
            arrived_at,
        };
        let portal = if user.admin { self.absorb(&user, &brought).await? } else { self.recognise(&user).await? };
        self.maker_seen(portal.id, user.user_id, user.admin).await?;
        Ok(Opened { portal, user })
    }

    /// A session asks to go on: verified again, like a frame, but it brings nothing.
    pub async fn reopen(
        &self,
        access: &SecretString,
        domain: &str,
        from: Option<IpAddr>,
    ) -> Result<Opened, PortalError> {
        let presented = Presented { access, member_id: "", domain, server_endpoint: "", authority: None, from };
        let user = self.verify(presented).await?;
        let portal = self.recognise(&user).await?;
        self.maker_seen(portal.id, user.user_id, user.admin).await?;
        Ok(Opened { portal, user })
    }

    /// `ONAPPINSTALL` or `ONAPPUPDATE`: believed only if its own token proves to be an admin's.
    pub(super) async fn installed_by(
        &self,
        arrival: &Arrival,
        arrived_at: i64,
        from: Option<IpAddr>,
    ) -> Result<(), PortalError> {
        if !plausible_member(&arrival.member_id) {
            return Err(PortalError::Unknown);
        }
        let known = portals::by_member(self.db(), &arrival.member_id).await?;
        let user = self.verify(arrival.presented(from)).await?;
        if !user.admin {
            return Err(PortalError::NotAdmin);
        }
        // Erased while hosts were asked about it: it belongs to the installation that ended, unless it came after the wish
        // to be erased.
        if let Some(known) = known
            && portals::by_member(self.db(), &arrival.member_id).await?.is_none()
        {
            let ended = portals::get(self.db(), known.id).await?.unwrap_or(known);
            if ended.uninstall_at.is_none_or(|asked| asked > arrived_at) {
                return Err(PortalError::Unknown);
            }
        }
        let brought = Brought {
            access: &arrival.access,
            refresh: arrival.refresh.as_ref(),
            application_token: arrival.application_token.as_ref(),
            language: &arrival.language,
            installing: true,
            arrived_at,
        };
        self.absorb(&user, &brought).await.map(drop)
    }

    /// An event of a portal whose application token we do not hold yet: kept if its own token proves an admin.
    pub(super) async fn token_by_event(
        &self,
        event: &PortalEvent,
        from: Option<IpAddr>,
    ) -> Result<PortalId, PortalError> {
        let unverified = || PortalError::Unverified("the event's application token is not this portal's");
        if !plausible_member(&event.auth.member_id) {
            return Err(unverified());
        }
        let row = portals::by_member(self.db(), &event.auth.member_id).await?.ok_or_else(unverified)?;
        if portals::application_token(self.db(), row.id).await?.is_some() {
            return Err(unverified());
        }
        let arrival = Arrival::of(event).ok_or_else(unverified)?;
        let token = arrival.application_token.as_ref().ok_or_else(unverified)?;
        let user = self.verify(arrival.presented(from)).await?;
        if !user.admin {
            return Err(PortalError::NotAdmin);
        }
        let sealed = self.seal_token(super::gate::APPLICATION_TOKEN, token)?;
        if !portals::set_first_application_token(self.db(), row.id, sealed).await? {
            return Err(unverified()); // something else brought one while hosts were asked about this
        }
        self.forget(row.id);
        Ok(row.id)
    }

    /// Any verified user of a known portal. The pinned host's word may move its address; nothing else changes.
    async fn recognise(&self, user: &Verified) -> Result<Portal, PortalError> {
        let row = portals::by_member(self.db(), &user.info.member_id).await?.ok_or(PortalError::Unknown)?;
        let now = self.now();
        portals::set_address(self.db(), row.id, &user.info.domain, user.info.client_endpoint.as_str(), now).await?;
        if row.installed != user.info.installed {
            portals::set_installed(self.db(), row.id, user.info.installed, now).await?;
        }
        if row.status == PortalStatus::Suspended.word() {
            // The host let the token pass: payment may be back.
            portals::set_check(self.db(), row.id, Some(now)).await?;
            self.wake();
        }
        self.forget(row.id);
        self.get(row.id).await
    }

    /// A verified admin: his portal is entered, healed, and set up where it is not.
    async fn absorb(&self, user: &Verified, brought: &Brought<'_>) -> Result<Portal, PortalError> {
        if let Some(row) = portals::by_member(self.db(), &user.info.member_id).await?
            && row.status == PortalStatus::Uninstalling.word()
        {
            // The old pair still tells whether the uninstall was real; a new one would not.
            self.settle_before_reinstall(&row).await?;
            // Erased, and what is at the door is older than the wish to be.
            if row.uninstall_at.is_some_and(|asked| asked > brought.arrived_at)
                && portals::by_member(self.db(), &user.info.member_id).await?.is_none()
            {
                return Err(PortalError::Unknown);
            }
        }
        let now = self.now();
        let scope = user.info.scope.join(",");
        let identity = Identity {
            member_id: &user.info.member_id,
            domain: &user.info.domain,
            client_endpoint: user.info.client_endpoint.as_str(),
            oauth_host: user.oauth_host.as_str(),
            scope: &scope,
            installed: user.info.installed,
        };
        let held = match portals::by_member(self.db(), &user.info.member_id).await? {
            Some(row) => tokens::get(self.db(), row.id).await?.is_some(),
            None => false,
        };
        let stored_token = self.stored_application_token(&user.info.member_id).await?;
        let tx = self.db().begin().await?;
        let id = portals::upsert(&tx, &identity, super::language(brought.language), now).await?;
        let row = portals::get_in(&tx, id).await?.ok_or(PortalError::Unknown)?;
        if overtaken(&row, brought.arrived_at, now) {
            tx.rollback().await?;
            tracing::info!(portal = id.0, "an installation newer than what was just verified stands already");
            return self.recognise(user).await;
        }
        let status = PortalStatus::parse(&row.status).unwrap_or(PortalStatus::New);

        // The pair is replaced where it is needed, or where it is the same person's newer one; an admin who only looks
        // in does not become the one in whose name everything is written.
        let replace = brought.installing || !held || needs_pair(status) || row.installer_user_id == user.user_id;
        if replace && let Some(refresh) = brought.refresh {
            self.store_pair(&tx, id, brought.access, refresh, user.expires_at).await?;
            portals::set_installer(&tx, id, user.user_id, brought.arrived_at).await?;
            late_installs::delete_until(&tx, &user.info.member_id, brought.arrived_at).await?;
        }
        if let Some(pem) = &user.authority {
            let mut settings = PortalSettings::read(&row.settings).ok_or(StoreError::Corrupt("portal.settings"))?;
            settings.ca_pem = Some(pem.clone());
            let text = settings.write().ok_or_else(|| PortalError::Internal("settings cannot be written".into()))?;
            portals::set_settings_in(&tx, id, &text).await?;
            tracing::info!(
                portal = id.0,
                user = user.user_id,
                "an admin named the authority of the portal's certificate"
            );
        }
        if let Some(token) = brought.application_token
            && stored_token.as_ref().is_none_or(|old| old.expose_secret() != token.expose_secret())
        {
            let sealed = self.seal_token(super::gate::APPLICATION_TOKEN, token)?;
            portals::set_application_token(&tx, id, Some(sealed)).await?;
        }
        if let Some((next, detail)) = next_status(status, &row, held || brought.refresh.is_some()) {
            portals::clear_uninstall(&tx, id, None).await?;
            portals::set_status(&tx, id, next.word(), detail, Some(now), now).await?;
            if !status.open() {
                portals::bump_generation(&tx, id).await?;
            }
        }
        tx.commit().await?;

        self.forget(id);
        // No application token yet (an older box): the set-up asks for the event that brings it.
        let deaf = stored_token.is_none() && brought.application_token.is_none() && user.info.installed;
        if deaf || brought.installing || next_status(status, &row, true).is_some() || self.is_stale(&row, now) {
            if status == PortalStatus::New || !status.open() {
                let begun = Installation::begun(now);
                self.save_installation(id, &begun).await?;
            }
            portals::set_check(self.db(), id, Some(now)).await?;
            self.wake();
        }
        tracing::info!(
            portal = id.0,
            status = status.word(),
            installing = brought.installing,
            "an admin opened the app"
        );
        self.get(id).await
    }

    fn is_stale(&self, row: &PortalRow, now: i64) -> bool {
        let installation: Installation = serde_json::from_str(&row.installation).unwrap_or_default();
        row.ensured_version != self.set_up_as(&row.member_id)
            || now.saturating_sub(installation.updated_at) > LOOK_AGAIN_MS
    }
}

/// Verification takes as long as hosts take, and an event may have waited before: what came earlier than the pair that
/// stands overwrites nothing. A stamp of the future is a clock that was set back: it must not keep everybody out.
fn overtaken(row: &PortalRow, arrived_at: i64, now: i64) -> bool {
    row.paired_at > arrived_at && row.paired_at <= now
}

fn needs_pair(status: PortalStatus) -> bool {
    matches!(
        status,
        PortalStatus::New
            | PortalStatus::NeedsAuth
            | PortalStatus::Suspended
            | PortalStatus::Uninstalling
            | PortalStatus::Uninstalled
            | PortalStatus::Gone
    )
}

/// Where an admin's visit moves the portal. A foreign one stays so until he says "take over".
fn next_status(status: PortalStatus, row: &PortalRow, has_pair: bool) -> Option<(PortalStatus, &'static str)> {
    if !has_pair {
        return None;
    }
    match status {
        PortalStatus::Ensuring | PortalStatus::Active | PortalStatus::Foreign => None,
        // It was at work before, and nothing was taken away: it goes on at once, and is looked over meanwhile.
        PortalStatus::NeedsAuth | PortalStatus::Suspended if !row.ensured_version.is_empty() => {
            Some((PortalStatus::Active, ""))
        }
        _ => Some((PortalStatus::Ensuring, "")),
    }
}
