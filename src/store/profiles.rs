//! Profiles of hotels as last decided.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime};

use super::bulk::{Via, chunk_of, insert, list};
use super::stays::{OF_LATE, STAMP, by_hotel, keyed, stamp};
use super::{Db, Row, StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::{HotelId, PortalId, Profile, ProfileNumber};

const FACTS: &str = "profile.facts";

#[derive(Debug, Clone, PartialEq)]
pub struct ProfileRow {
    pub hotel: HotelId,
    pub facts: Profile,
    pub hash: String,
    pub source: String,
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: i64,
    pub updated_at: i64,
}

pub async fn save(tx: &Tx, portal: PortalId, key: &TenantKey, profiles: &[ProfileRow]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(profiles.len());
    for profile in profiles {
        let facts = serde_json::to_vec(&profile.facts).map_err(|_| StoreError::Corrupt(FACTS))?;
        rows.push(args![
            portal.0,
            profile.hotel.0,
            profile.facts.number.as_str(),
            profile.facts.kind.get().map_or("guest", |kind| if kind.is_company() { "company" } else { "guest" }),
            profile.hash.as_str(),
            key.seal(FACTS, &facts)?,
            profile.source.as_str(),
            profile.pms_time.map(|time| time.format(STAMP).to_string()),
            profile.received_at,
            profile.updated_at
        ]);
    }
    insert(
        tx,
        "profile",
        &[
            "portal_id",
            "hotel_id",
            "number",
            "kind",
            "hash",
            "facts_sealed",
            "source",
            "pms_time",
            "received_at",
            "updated_at",
        ],
        rows,
        "ON CONFLICT (portal_id, hotel_id, number) DO UPDATE SET kind = excluded.kind, hash = excluded.hash,
            facts_sealed = excluded.facts_sealed, source = excluded.source, pms_time = excluded.pms_time,
            received_at = excluded.received_at, updated_at = excluded.updated_at",
    )
    .await?;
    Ok(())
}

fn read(key: &TenantKey, row: &Row) -> Result<ProfileRow, StoreError> {
    let facts = key.open(FACTS, &row.get::<Vec<u8>>("facts_sealed")?)?;
    Ok(ProfileRow {
        hotel: HotelId(row.get("hotel_id")?),
        facts: serde_json::from_slice(&facts).map_err(|_| StoreError::Corrupt(FACTS))?,
        hash: row.get("hash")?,
        source: row.get("source")?,
        pms_time: stamp(row.get("pms_time")?),
        received_at: row.get("received_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub async fn load(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    key: &TenantKey,
    keys: &[(HotelId, ProfileNumber)],
) -> Result<HashMap<(HotelId, ProfileNumber), ProfileRow>, StoreError> {
    let via = via.into();
    let mut found = HashMap::new();
    for (hotel, numbers) in by_hotel(keys.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT hotel_id, number, hash, facts_sealed, source, pms_time, received_at, updated_at FROM profile
                 WHERE portal_id = $1 AND hotel_id = $2 AND number IN ({})",
                list(2, chunk.len())
            );
            for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
                let row = read(key, &row)?;
                found.insert((hotel, row.facts.number.clone()), row);
            }
        }
    }
    Ok(found)
}

/// Whatever is said of it next is news.
pub async fn expect_news(
    tx: &Tx,
    portal: PortalId,
    (hotel, profile): &(HotelId, ProfileNumber),
) -> Result<(), StoreError> {
    let sql = "UPDATE profile SET hash = '' WHERE portal_id = $1 AND hotel_id = $2 AND number = $3";
    tx.execute(sql, args![portal.0, hotel.0, profile.as_str()]).await?;
    Ok(())
}

/// A few known guests, always the same ones, and whether each has a stay of late, on or after a day; those come first. The
/// order of keyed hashes is as good as chance.
pub async fn sample(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    since: NaiveDate,
    limit: i64,
) -> Result<Vec<(ProfileNumber, bool)>, StoreError> {
    let sql = format!(
        "SELECT number, CASE WHEN number IN
                (SELECT profile FROM stay_profile WHERE portal_id = $1 AND hotel_id = $2 AND stay IN
                    (SELECT number FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND {OF_LATE}))
            THEN 1 ELSE 0 END AS of_late FROM profile
         WHERE portal_id = $1 AND hotel_id = $2 AND kind = 'guest' ORDER BY of_late DESC, hash LIMIT $4"
    );
    let rows = db.rows(&sql, args![portal.0, hotel.0, since.to_string(), limit]).await?;
    let sampled = |row: &Row| {
        let number = ProfileNumber::parse(&row.get::<String>("number")?).map_err(|_| StoreError::Corrupt(FACTS))?;
        Ok((number, row.get::<i32>("of_late")? == 1))
    };
    rows.iter().map(sampled).collect()
}

/// Content hashes by number, without opening anything.
pub async fn hashes(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    hotel: HotelId,
    numbers: &[String],
) -> Result<HashMap<String, String>, StoreError> {
    let via = via.into();
    let mut found = HashMap::new();
    for chunk in numbers.chunks(chunk_of(1)) {
        let sql = format!(
            "SELECT number, hash FROM profile WHERE portal_id = $1 AND hotel_id = $2 AND number IN ({})",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
            found.insert(row.get("number")?, row.get("hash")?);
        }
    }
    Ok(found)
}
