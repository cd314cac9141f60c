//! How long so many records will take a portal, by what it showed so far.

use super::engine::Engine;
use super::pack::aim;
use super::writes::CommandKind;
use crate::bitrix::crm::IMPORT_ROWS;
use crate::bitrix::{COMMANDS, Forecast};
use crate::domain::PortalId;

/// Imports under way at once (see `deliver`).
const ABREAST: f64 = 3.0;
/// Seconds that a row takes most portals.
const USUAL_ROW: f64 = 0.025;

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

impl Engine {
    /// Seconds until so many records more are there; `None`: the portal cannot be worked for now.
    pub(super) async fn forecast(&self, portal: PortalId, rows: i64) -> Option<i64> {
        let portals = &self.0.deps.portals;
        let (client, terms) = (portals.client(portal).await.ok()?, portals.terms(portal).await.ok()?);
        client.recall().await.ok()?;
        let (kind, most) = match terms.can_import {
            true => (CommandKind::Import, COMMANDS * IMPORT_ROWS),
            false => (CommandKind::Add, COMMANDS),
        };
        let course = Forecast {
            abreast: ABREAST,
            per_second: f64::from(client.address().per_second),
            most: number(most),
            seconds: aim(terms.request_cap),
            unknown: USUAL_ROW,
        };
        let rows = f64::from(i32::try_from(rows.max(0)).unwrap_or(i32::MAX));
        Some((client.forecast(kind.method(), rows, &course) + 999).div_euclid(1_000))
    }
}
