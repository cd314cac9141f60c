//! Which currencies a portal has: an amount of a deal can stand in no other.

use std::time::Duration;

use super::{Directory, PortalError};
use crate::bitrix::{Answer, Priority, de, setup};
use crate::domain::{Currency, PortalId};
use crate::store::portals;

/// Longer than this no person waits to hear of a missing currency; the set-up's next look tells it all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// Codes out of `crm.currency.list`.
pub(super) fn read(answer: &Answer) -> Vec<String> {
    let rows = de::elements(&answer.result);
    rows.into_iter().filter_map(|row| row.get("CURRENCY").and_then(de::text)).filter(|code| !code.is_empty()).collect()
}

impl Directory {
    /// What the portal has, if this currency is not among it. What the set-up's last look saw is enough to say yes; a
    /// "no" is the portal's own answer of now, for its admin may have added the currency a moment ago. Where the portal
    /// cannot be asked nothing is refused: its next look notes the lack.
    pub async fn lacks_currency(
        &self,
        portal: PortalId,
        currency: &Currency,
    ) -> Result<Option<Vec<String>>, PortalError> {
        let code = currency.to_string();
        if self.settings(portal).await?.currencies.contains(&code) {
            return Ok(None);
        }
        match tokio::time::timeout(PATIENCE, self.ask_currencies(portal)).await {
            Ok(Ok(known)) if known.contains(&code) || known.is_empty() => Ok(None),
            Ok(Ok(known)) => Ok(Some(known)),
            Ok(Err(error)) => {
                tracing::info!(portal = portal.0, %error, "a hotel's currency could not be checked now");
                self.look_soon(portal).await?;
                Ok(None)
            }
            Err(_) => {
                self.look_soon(portal).await?;
                Ok(None)
            }
        }
    }

    async fn ask_currencies(&self, portal: PortalId) -> Result<Vec<String>, PortalError> {
        let answer = self.client(portal).await?.call(Priority::Person, &setup::currency_list()).await?;
        let known = read(&answer);
        self.update_settings(portal, |settings| settings.currencies.clone_from(&known)).await?;
        Ok(known)
    }

    /// A portal at work is looked over without waiting for the hour; one that is not has its own moment.
    async fn look_soon(&self, portal: PortalId) -> Result<(), PortalError> {
        if self.get(portal).await?.status.callable() {
            portals::set_check(self.db(), portal, Some(self.now())).await?;
            self.wake();
        }
        Ok(())
    }
}
