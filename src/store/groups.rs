//! Groups and parties, by the stays that name them.

use std::collections::{BTreeSet, HashMap};

use super::bulk::{Via, chunk_of, list};
use super::stays::{COLUMNS, StayRow, by_hotel, keyed, read};
use super::{Row, StoreError};
use crate::crypto::TenantKey;
use crate::domain::{GroupNumber, HotelId, PortalId, StayNumber};

const CORRUPT: StoreError = StoreError::Corrupt("stay.group_number");

fn number(row: &Row) -> Result<GroupNumber, StoreError> {
    GroupNumber::parse(&row.get::<String>("group_number")?).map_err(|_| CORRUPT)
}

/// All stays of these groups.
pub async fn stays_of(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    groups: &[(HotelId, GroupNumber)],
) -> Result<HashMap<(HotelId, GroupNumber), Vec<StayRow>>, StoreError> {
    let via = via.into();
    let mut found: HashMap<_, Vec<StayRow>> = HashMap::new();
    for (hotel, numbers) in by_hotel(groups.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT {COLUMNS}, group_number FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND group_number IN ({})",
                list(2, chunk.len())
            );
            for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
                found.entry((hotel, number(&row)?)).or_default().push(read(key, &row)?);
            }
        }
    }
    Ok(found)
}

/// Who is in these groups.
pub async fn members(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    groups: &[(HotelId, GroupNumber)],
) -> Result<Vec<(HotelId, StayNumber)>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for (hotel, numbers) in by_hotel(groups.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT number FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND group_number IN ({})",
                list(2, chunk.len())
            );
            for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
                let number = StayNumber::parse(&row.get::<String>("number")?);
                found.push((hotel, number.map_err(|_| StoreError::Corrupt("stay.number"))?));
            }
        }
    }
    Ok(found)
}

/// The groups that these stays are in.
pub async fn of_stays(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    stays: &[(HotelId, StayNumber)],
) -> Result<BTreeSet<(HotelId, GroupNumber)>, StoreError> {
    let via = via.into();
    let mut found = BTreeSet::new();
    for (hotel, numbers) in by_hotel(stays.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT DISTINCT group_number FROM stay
                 WHERE portal_id = $1 AND hotel_id = $2 AND group_number <> '' AND number IN ({})",
                list(2, chunk.len())
            );
            for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
                found.insert((hotel, number(&row)?));
            }
        }
    }
    Ok(found)
}
