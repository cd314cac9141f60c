//! What of stays is counted: read without opening their facts, so that a guest of a thousand stays costs little.

use super::StoreError;
use super::bulk::{Via, chunk_of, list};
use super::stays::{Role, by_hotel, keyed};
use crate::crypto::TenantKey;
use crate::domain::totals::Figures;
use crate::domain::{HotelId, Money, PortalId, ProfileNumber, StayNumber, StayStatus};

const TOTAL: &str = "stay.total";

/// A stay that names somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct StaySum {
    pub hotel: HotelId,
    pub number: StayNumber,
    pub profile: ProfileNumber,
    pub role: Role,
    pub figures: Figures,
}

pub(super) fn sealed(key: &TenantKey, total: Option<&Money>) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(total) = total else { return Ok(None) };
    let plain = serde_json::to_vec(total).map_err(|_| StoreError::Corrupt(TOTAL))?;
    Ok(Some(key.seal(TOTAL, &plain)?))
}

/// Every stay that names one of these, once for each of them. Only what is over has its total opened.
pub async fn of_people(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    people: &[(HotelId, ProfileNumber)],
) -> Result<Vec<StaySum>, StoreError> {
    read(via.into(), portal, key, people, "").await
}

/// Of these, what is over and where they were the guest: an agency's thousands of stays are not read for it.
pub async fn finished_of_guests(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    guests: &[(HotelId, ProfileNumber)],
) -> Result<Vec<StaySum>, StoreError> {
    read(via.into(), portal, key, guests, " AND sp.role = 'guest' AND s.status = 'checked_out'").await
}

async fn read(
    via: Via<'_>,
    portal: PortalId,
    key: &TenantKey,
    people: &[(HotelId, ProfileNumber)],
    which: &'static str,
) -> Result<Vec<StaySum>, StoreError> {
    let mut found = Vec::new();
    for (hotel, numbers) in by_hotel(people.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT sp.stay, sp.profile, sp.role, s.status, s.arrival, s.departure,
                    CASE WHEN s.status = 'checked_out' THEN s.total_sealed END AS total
                 FROM stay_profile sp
                 JOIN stay s ON s.portal_id = sp.portal_id AND s.hotel_id = sp.hotel_id AND s.number = sp.stay
                 WHERE sp.portal_id = $1 AND sp.hotel_id = $2 AND sp.profile IN ({}){which}",
                list(2, chunk.len())
            );
            for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
                let total = row.get::<Option<Vec<u8>>>("total")?.map(|sealed| {
                    let plain = key.open(TOTAL, &sealed)?;
                    serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(TOTAL))
                });
                let number = StayNumber::parse(&row.get::<String>("stay")?);
                let profile = ProfileNumber::parse(&row.get::<String>("profile")?);
                let status = row.get::<String>("status")?;
                found.push(StaySum {
                    hotel,
                    number: number.map_err(|_| StoreError::Corrupt("stay_profile.stay"))?,
                    profile: profile.map_err(|_| StoreError::Corrupt("stay_profile.profile"))?,
                    role: Role::read(&row.get::<String>("role")?)?,
                    figures: Figures {
                        status: StayStatus::ALL.into_iter().find(|known| known.word() == status),
                        arrival: row.get::<String>("arrival")?.parse().ok(),
                        departure: row.get::<String>("departure")?.parse().ok(),
                        total: total.transpose()?,
                    },
                });
            }
        }
    }
    Ok(found)
}
