//! What a release fixes is told to whoever reported it once his portal runs it (S-6). Portals run what the server runs.

use super::silence::policy;
use super::{Desk, DeskError};
use crate::domain::support::Release;
use crate::store::desk::requests;
use crate::support::act::Deed;

/// Requests told of in one go.
const STEP: i64 = 200;

impl Desk {
    /// Answers how many were told. One that cannot be told now keeps no other waiting.
    pub async fn tell_of_releases(&self, runs: Release) -> Result<usize, DeskError> {
        let mut told = 0;
        for release in requests::releases_ahead(self.db()).await? {
            if release > runs {
                continue;
            }
            for (desk, id) in requests::fixed_in(self.db(), release, STEP).await? {
                let Some(row) = requests::by_id(self.db(), desk, id).await? else { continue };
                match Box::pin(self.act(&policy(), &row, &Deed::Live(release))).await {
                    Ok(_) => told += 1,
                    Err(error) => tracing::warn!(%desk, request = id, %error, "a release could not be told of"),
                }
            }
        }
        Ok(told)
    }
}
