//! Events about the app itself. Those about records are hints and go to the inbox; they do not come here.

use std::net::IpAddr;

use super::{Directory, PortalError, PortalStatus};
use crate::bitrix::PortalEvent;
use crate::domain::PortalId;
use crate::store::portals;

/// A payment event without an application token is legal (facts §16), so it may ask for a look only this often.
const PAYMENT_LOOK_MS: i64 = 60_000;

/// Whether this event is about the app itself.
pub fn is_about_the_app(event: &str) -> bool {
    event.starts_with("ONAPP") || event == "ONSUBSCRIPTIONRENEW"
}

impl Directory {
    /// Takes an event about the app. [`PortalError::Unverified`] and [`PortalError::NotAdmin`]: nothing was changed.
    pub async fn app_event(&self, event: &PortalEvent, from: Option<IpAddr>) -> Result<(), PortalError> {
        match event.event.as_str() {
            // Their own tokens are the proof; the application token would let an ordinary user in.
            "ONAPPINSTALL" | "ONAPPUPDATE" => self.install_arrived(event, from).await,
            "ONAPPUNINSTALL" => {
                let admitted = self.admit(event).await?;
                self.uninstall_asked(admitted.portal, event.wants_clean()).await
            }
            "ONAPPPAYMENT" | "ONSUBSCRIPTIONRENEW" => self.payment_event(event).await,
            "ONAPPTEST" => match self.admit(event).await {
                Ok(admitted) => self.inbound_works(admitted.portal).await,
                // Without a token of ours to compare with, its own access token must prove an admin.
                Err(PortalError::Unverified(_)) => {
                    let portal = self.token_by_event(event, from).await?;
                    self.inbound_works(portal).await
                }
                Err(error) => Err(error),
            },
            _ => self.admit(event).await.map(drop),
        }
    }

    /// A payment event proves nothing: the OAuth host is asked again (product §9).
    async fn payment_event(&self, event: &PortalEvent) -> Result<(), PortalError> {
        let now = self.now();
        let row = match event.auth.application_token {
            Some(_) => portals::get(self.db(), self.admit(event).await?.portal).await?,
            None if super::verify::plausible_member(&event.auth.member_id) => {
                portals::by_member(self.db(), &event.auth.member_id).await?
            }
            None => None,
        };
        let row = row.ok_or(PortalError::Unverified("unknown portal"))?;
        let status = PortalStatus::parse(&row.status);
        if matches!(status, Some(PortalStatus::Active | PortalStatus::Suspended))
            && now.saturating_sub(row.updated_at) >= PAYMENT_LOOK_MS
            || status == Some(PortalStatus::Suspended) && event.auth.application_token.is_some()
        {
            portals::set_check(self.db(), row.id, Some(now)).await?;
            self.wake();
        }
        Ok(())
    }

    /// The self-test of delivery arrived: the portal reaches us.
    async fn inbound_works(&self, portal: PortalId) -> Result<(), PortalError> {
        Ok(portals::set_inbound(self.db(), portal, self.now()).await?)
    }
}
