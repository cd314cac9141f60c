//! What a delivery writes by. A delivery may last as long as an import: when people change this meanwhile, it ends, and the
//! next one begins on what they said.

use std::collections::HashMap;

use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::ports::PortalTerms;
use crate::domain::{HotelId, Mapping, PortalId};
use crate::store::hotels::HotelRow;
use crate::store::outbox::OutboxRow;
use crate::store::{hotels, mappings};

/// How often it is looked at again.
const LOOK_MS: i64 = 2_000;

#[derive(Debug, PartialEq)]
pub(super) struct Ground {
    pub hotels: HashMap<HotelId, HotelRow>,
    pub mappings: HashMap<HotelId, Mapping>,
    pub terms: PortalTerms,
}

impl Ground {
    pub async fn read(engine: &Engine, portal: PortalId) -> Result<Self, SyncError> {
        let deps = &engine.0.deps;
        let terms = deps.portals.terms(portal).await?;
        let hotels: HashMap<HotelId, HotelRow> =
            hotels::list(&deps.db, portal).await?.into_iter().map(|hotel| (hotel.id, hotel)).collect();
        let mut of_hotels = HashMap::new();
        for hotel in hotels.keys() {
            of_hotels.insert(*hotel, mappings::active(&deps.db, portal, *hotel).await?.1);
        }
        Ok(Self { hotels, mappings: of_hotels, terms })
    }
}

impl Delivery {
    /// Whether it stands on ground that people have changed.
    pub async fn outdated(&self) -> Result<bool, SyncError> {
        let now = self.now();
        {
            let mut lanes = self.lanes();
            if lanes.outdated || now - lanes.ground_at < LOOK_MS {
                return Ok(lanes.outdated);
            }
            lanes.ground_at = now;
        }
        let moved = Ground::read(&self.engine, self.portal).await? != self.ground;
        self.lanes().outdated |= moved;
        Ok(moved)
    }

    /// Leaves out rows of hotels that were added since this delivery began: the next one knows them. Rows of removed
    /// hotels stay in, to be dropped.
    pub async fn known(&self, mut rows: Vec<OutboxRow>) -> Result<Vec<OutboxRow>, SyncError> {
        let hotel_of = |row: &OutboxRow| row.subject.parse::<crate::domain::Subject>().ok()?.hotel();
        let foreign = |row: &OutboxRow| hotel_of(row).is_some_and(|hotel| !self.ground.hotels.contains_key(&hotel));
        if rows.iter().any(foreign) {
            let now: Vec<HotelId> =
                hotels::list(self.db(), self.portal).await?.into_iter().map(|hotel| hotel.id).collect();
            let before = rows.len();
            rows.retain(|row| !(foreign(row) && hotel_of(row).is_some_and(|hotel| now.contains(&hotel))));
            self.lanes().outdated |= rows.len() < before;
        }
        Ok(rows)
    }
}
