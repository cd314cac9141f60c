//! What a delivery writes by. A delivery may last as long as an import: when people change this meanwhile, it ends, and the
//! next one begins on what they said.

use std::collections::{BTreeSet, HashMap};

use super::engine::Engine;
use super::error::SyncError;
use super::lanes::Delivery;
use super::people;
use super::ports::PortalTerms;
use crate::domain::crm::ORIGINATOR;
use crate::domain::{CrmEntity, CrmValue, Fields, HotelId, Mapping, PortalId, Subject};
use crate::store::crm_index::{IndexKind, IndexRow};
use crate::store::hotels::HotelRow;
use crate::store::mappings::Active;
use crate::store::outbox::OutboxRow;
use crate::store::{hotels, mappings};

/// How often it is looked at again.
const LOOK_MS: i64 = 2_000;

#[derive(Debug, PartialEq)]
pub(super) struct Ground {
    pub hotels: HashMap<HotelId, HotelRow>,
    /// Removed demo hotels: what stands for them is taken away.
    pub leaving: HashMap<HotelId, HotelRow>,
    pub mappings: HashMap<HotelId, Active>,
    /// Of hotels whose groups have deals of their own: by which these are written.
    pub groups: HashMap<HotelId, Active>,
    pub terms: PortalTerms,
}

impl Ground {
    pub async fn read(engine: &Engine, portal: PortalId) -> Result<Self, SyncError> {
        let deps = &engine.0.deps;
        let terms = deps.portals.terms(portal).await?;
        let (hotels, leaving) = standing(hotels::all(&deps.db, portal).await?);
        let mut own = mappings::of_portal(&deps.db, portal).await?;
        let of_hotel = |hotel: &HotelId| (*hotel, own.remove(hotel).unwrap_or_default());
        let mappings = hotels.keys().chain(leaving.keys()).map(of_hotel).collect();
        Ok(Self { hotels, leaving, groups: of_groups(&mappings), mappings, terms })
    }

    /// As if this were in force.
    pub fn with(mut self, hotel: HotelId, mapping: Mapping) -> Self {
        self.mappings.insert(hotel, Active { version: 0, mapping });
        Self { groups: of_groups(&self.mappings), ..self }
    }

    /// Whether a record stands for guests of demo hotels and for nobody else.
    pub fn is_of_demo(&self, fields: &Fields) -> bool {
        let mut marks: BTreeSet<&str> = BTreeSet::new();
        if let Some(CrmValue::Texts(profiles)) = fields.get("UF_CRM_FB24_PROFILE") {
            marks.extend(profiles.iter().map(String::as_str));
        }
        if let (Some(CrmValue::Text(originator)), Some(CrmValue::Text(mark))) =
            (fields.get("originatorId"), fields.get("originId"))
            && originator == ORIGINATOR
        {
            marks.insert(mark);
        }
        let demos: Vec<&str> = self
            .hotels
            .values()
            .chain(self.leaving.values())
            .filter(|hotel| hotel.settings.demo)
            .map(|hotel| hotel.code.as_str())
            .collect();
        let hotel = |mark: &str| mark.split_once(':').map_or("", |(code, _)| code).to_owned();
        !marks.is_empty() && marks.into_iter().all(|mark| demos.contains(&hotel(mark).as_str()))
    }
}

fn of_groups(mappings: &HashMap<HotelId, Active>) -> HashMap<HotelId, Active> {
    let of = |(hotel, active): (&HotelId, &Active)| {
        Some((*hotel, Active { version: active.version, mapping: active.mapping.of_groups()? }))
    };
    mappings.iter().filter_map(of).collect()
}

/// Those that are there, and demo hotels that are not any more.
fn standing(all: Vec<HotelRow>) -> (HashMap<HotelId, HotelRow>, HashMap<HotelId, HotelRow>) {
    let (gone, there): (Vec<HotelRow>, Vec<HotelRow>) = all.into_iter().partition(|hotel| hotel.removed_at.is_some());
    let by_id = |hotels: Vec<HotelRow>| hotels.into_iter().map(|hotel| (hotel.id, hotel)).collect();
    (by_id(there), by_id(gone.into_iter().filter(|hotel| hotel.settings.demo).collect()))
}

impl Delivery {
    /// Whether it stands on ground that people have changed.
    pub async fn outdated(&self) -> Result<bool, SyncError> {
        let now = self.now();
        {
            let mut lanes = self.lanes();
            let footing = &mut lanes.footing;
            if footing.outdated || now - footing.looked_at < LOOK_MS {
                return Ok(footing.outdated);
            }
            footing.looked_at = now;
        }
        let moved = Ground::read(&self.engine, self.portal).await? != self.ground;
        self.lanes().footing.outdated |= moved;
        Ok(moved)
    }

    /// Leaves out rows of hotels that were added, and of demo hotels that came or went, since this delivery began: the
    /// next one knows them. Rows of other removed hotels stay in, to be dropped.
    pub async fn known(&self, mut rows: Vec<OutboxRow>) -> Result<Vec<OutboxRow>, SyncError> {
        let ground = &self.ground;
        let hotel_of = |row: &OutboxRow| row.subject.parse::<Subject>().ok()?.hotel();
        let unsure = |row: &OutboxRow| {
            hotel_of(row).filter(|hotel| ground.hotels.get(hotel).is_none_or(|hotel| hotel.settings.demo))
        };
        if rows.iter().any(|row| unsure(row).is_some()) {
            let (there, leaving) = standing(hotels::all(self.db(), self.portal).await?);
            let as_known = |hotel: HotelId| {
                ground.hotels.contains_key(&hotel) == there.contains_key(&hotel)
                    && ground.leaving.contains_key(&hotel) == leaving.contains_key(&hotel)
            };
            let before = rows.len();
            rows.retain(|row| unsure(row).is_none_or(as_known));
            self.lanes().footing.outdated |= rows.len() < before;
        }
        Ok(rows)
    }

    /// Everything by which this record can be found. Guests of a demo hotel are found by their marks alone, so that no
    /// real one is ever taken for them.
    pub fn index_rows(&self, entity: CrmEntity, crm_id: i64, fields: &Fields) -> Vec<IndexRow> {
        let mut rows = people::index_rows(&self.key, entity, crm_id, fields);
        if self.ground.is_of_demo(fields) {
            rows.retain(|row| matches!(row.kind, IndexKind::Mark | IndexKind::Profile));
        }
        rows
    }
}
