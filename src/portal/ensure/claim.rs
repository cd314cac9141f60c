//! One installation owns a portal: our name stands in the portal's `app.option` (product §8).

use serde_json::json;

use super::survey::Survey;
use super::{Halt, Work};
use crate::bitrix::{Call, Priority, de, setup};
use crate::store::portals;

const NAME: &str = "fb24_instance";
const ADDRESS: &str = "fb24_url";

impl Work<'_> {
    /// Ours, or free and then ours; else [`Halt::Foreign`].
    pub(super) async fn claim(&mut self, survey: &Survey) -> Result<(), Halt> {
        let own = portals::deployment(self.directory.db(), &uuid::Uuid::new_v4().to_string()).await?;
        match survey.options.get(NAME).filter(|name| !name.is_empty()) {
            Some(name) if *name == own => return Ok(()),
            Some(_) if !self.take_over => {
                return Err(Halt::Foreign(survey.options.get(ADDRESS).cloned().unwrap_or_default()));
            }
            _ => {}
        }
        let address = self.public_url().to_string();
        let set = setup::app_option_set(json!({NAME: own, ADDRESS: address}));
        self.client.call(Priority::Person, &set).await?;
        // Two servers that both found it free: the last name written counts, for both.
        let answer = self.client.call(Priority::Person, &Call::new("app.option.get", json!({}))).await?;
        let now = de::entry(&answer.result, NAME).and_then(de::text).unwrap_or_default();
        if now == own {
            return Ok(());
        }
        Err(Halt::Foreign(de::entry(&answer.result, ADDRESS).and_then(de::text).unwrap_or_default()))
    }
}
