//! Stays of hotels as last decided, and which profiles each one names.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime};
use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list};
use super::{Db, Row, StoreError, Tx, args, stay_sums};
use crate::crypto::TenantKey;
use crate::domain::{GroupNumber, HotelId, Known, PortalId, ProfileNumber, Stay, StayNumber, StayStatus, group};

const FACTS: &str = "stay.facts";

#[derive(Debug, Clone, PartialEq)]
pub struct StayRow {
    pub hotel: HotelId,
    pub facts: Stay,
    /// Of the content last taken in, stamps apart.
    pub hash: String,
    pub source: String,
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: i64,
    pub updated_at: i64,
}

/// What part a profile has in a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Guest,
    Companion,
    Sharer,
    Company,
    TravelAgent,
    Source,
}

impl Role {
    const ALL: [Self; 6] = [Self::Guest, Self::Companion, Self::Sharer, Self::Company, Self::TravelAgent, Self::Source];

    pub fn word(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Companion => "companion",
            Self::Sharer => "sharer",
            Self::Company => "company",
            Self::TravelAgent => "travel_agent",
            Self::Source => "source",
        }
    }

    pub(super) fn read(word: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|known| known.word() == word).ok_or(StoreError::Corrupt("stay_profile.role"))
    }

    pub fn is_person(self) -> bool {
        matches!(self, Self::Guest | Self::Companion | Self::Sharer)
    }
}

fn single(fact: &Known<ProfileNumber>, role: Role) -> impl Iterator<Item = (&ProfileNumber, Role)> {
    fact.get().into_iter().map(move |number| (number, role))
}

/// The profiles a stay names, the main guest first; who has several roles stands there in each.
pub fn parts(stay: &Stay) -> impl Iterator<Item = (&ProfileNumber, Role)> {
    let companions = stay.companions.get().into_iter().flatten().map(|c| (&c.profile, Role::Companion));
    let sharers = stay.sharers.get().into_iter().flatten().map(|c| (&c.profile, Role::Sharer));
    single(&stay.main_guest, Role::Guest)
        .chain(companions)
        .chain(sharers)
        .chain(single(&stay.company, Role::Company))
        .chain(single(&stay.travel_agent, Role::TravelAgent))
        .chain(single(&stay.source_profile, Role::Source))
}

/// The profiles a stay names, each in its first role, the main guest first.
pub fn roles(stay: &Stay) -> Vec<(ProfileNumber, Role)> {
    let mut seen: Vec<(ProfileNumber, Role)> = Vec::new();
    for (number, role) in parts(stay) {
        if !seen.iter().any(|(held, _)| held == number) {
            seen.push((number.clone(), role));
        }
    }
    seen
}

fn date(fact: Option<&chrono::NaiveDate>) -> String {
    fact.map(ToString::to_string).unwrap_or_default()
}

/// Writes stays and whom they name.
pub async fn save(tx: &Tx, portal: PortalId, key: &TenantKey, stays: &[StayRow]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(stays.len());
    let mut named = Vec::new();
    for stay in stays {
        let facts = serde_json::to_vec(&stay.facts).map_err(|_| StoreError::Corrupt(FACTS))?;
        let number = stay.facts.number.as_str();
        rows.push(args![
            portal.0,
            stay.hotel.0,
            number,
            stay.facts.status.get().map_or("", |status| status.word()),
            date(stay.facts.arrival.get()),
            date(stay.facts.departure.get()),
            stay.facts.main_guest.get().map_or("", ProfileNumber::as_str),
            group::number(&stay.facts).as_ref().map_or("", GroupNumber::as_str),
            stay.hash.as_str(),
            key.seal(FACTS, &facts)?,
            stay_sums::sealed(key, stay.facts.total.get())?,
            stay.source.as_str(),
            stay.pms_time.map(|time| time.format(STAMP).to_string()),
            stay.received_at,
            stay.updated_at
        ]);
        for (profile, role) in roles(&stay.facts) {
            named.push(args![portal.0, stay.hotel.0, number, profile.as_str(), role.word()]);
        }
    }
    insert(
        tx,
        "stay",
        &[
            "portal_id",
            "hotel_id",
            "number",
            "status",
            "arrival",
            "departure",
            "main_guest",
            "group_number",
            "hash",
            "facts_sealed",
            "total_sealed",
            "source",
            "pms_time",
            "received_at",
            "updated_at",
        ],
        rows,
        "ON CONFLICT (portal_id, hotel_id, number) DO UPDATE SET status = excluded.status, arrival = excluded.arrival,
            departure = excluded.departure, main_guest = excluded.main_guest, group_number = excluded.group_number,
            hash = excluded.hash,
            facts_sealed = excluded.facts_sealed, total_sealed = excluded.total_sealed, source = excluded.source,
            pms_time = excluded.pms_time, received_at = excluded.received_at, updated_at = excluded.updated_at",
    )
    .await?;
    for (hotel, numbers) in by_hotel(stays.iter().map(|stay| (stay.hotel, &stay.facts.number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "DELETE FROM stay_profile WHERE portal_id = $1 AND hotel_id = $2 AND stay IN ({})",
                list(2, chunk.len())
            );
            tx.execute(&sql, keyed(portal, hotel, chunk)).await?;
        }
    }
    insert(tx, "stay_profile", &["portal_id", "hotel_id", "stay", "profile", "role"], named, "ON CONFLICT DO NOTHING")
        .await?;
    Ok(())
}

pub(super) const STAMP: &str = "%Y-%m-%dT%H:%M:%S%.f";

pub(super) fn stamp(text: Option<String>) -> Option<NaiveDateTime> {
    text.and_then(|text| NaiveDateTime::parse_from_str(&text, STAMP).ok())
}

/// Groups keys by hotel, so that one statement asks for many of one hotel.
pub(super) fn by_hotel<'a, K>(keys: impl Iterator<Item = (HotelId, &'a K)>) -> HashMap<HotelId, Vec<String>>
where
    K: ToString + 'a,
{
    let mut hotels: HashMap<HotelId, Vec<String>> = HashMap::new();
    for (hotel, key) in keys {
        hotels.entry(hotel).or_default().push(key.to_string());
    }
    hotels
}

pub(super) fn keyed(portal: PortalId, hotel: HotelId, keys: &[String]) -> Vec<Value> {
    let mut values = args![portal.0, hotel.0];
    values.extend(keys.iter().map(|key| Value::from(key.as_str())));
    values
}

pub(super) const COLUMNS: &str = "hotel_id, number, hash, facts_sealed, source, pms_time, received_at, updated_at";

pub(super) fn read(key: &TenantKey, row: &Row) -> Result<StayRow, StoreError> {
    let facts = key.open(FACTS, &row.get::<Vec<u8>>("facts_sealed")?)?;
    Ok(StayRow {
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
    keys: &[(HotelId, StayNumber)],
) -> Result<HashMap<(HotelId, StayNumber), StayRow>, StoreError> {
    let via = via.into();
    let mut found = HashMap::new();
    for (hotel, numbers) in by_hotel(keys.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT {COLUMNS} FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND number IN ({})",
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

/// Stays of hotel `$2` that no PMS purges yet: not cancelled, and not over by day `$3`.
pub(super) const OF_LATE: &str = "departure >= $3 AND status NOT IN ('cancelled', 'no_show')";

/// A few known stays, always the same ones, and whether each is of late, on or after a day; those come first. The order of
/// keyed hashes is as good as chance.
pub async fn sample(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    since: NaiveDate,
    limit: i64,
) -> Result<Vec<(StayNumber, bool)>, StoreError> {
    let sql = format!(
        "SELECT number, CASE WHEN {OF_LATE} THEN 1 ELSE 0 END AS of_late FROM stay
         WHERE portal_id = $1 AND hotel_id = $2 ORDER BY of_late DESC, hash LIMIT $4"
    );
    let rows = db.rows(&sql, args![portal.0, hotel.0, since.to_string(), limit]).await?;
    let sampled = |row: &Row| {
        let number = StayNumber::parse(&row.get::<String>("number")?).map_err(|_| StoreError::Corrupt(FACTS))?;
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
            "SELECT number, hash FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND number IN ({})",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
            found.insert(row.get("number")?, row.get("hash")?);
        }
    }
    Ok(found)
}

/// Numbers of stays that are not over and touch these days.
pub async fn open(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<String>, StoreError> {
    let rows = db
        .rows(
            "SELECT number FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND departure >= $3 AND arrival <= $4
                AND status IN ('offer', 'tentative', 'waitlisted', 'confirmed', 'in_house')",
            args![portal.0, hotel.0, from.to_string(), to.to_string()],
        )
        .await?;
    rows.iter().map(|row| row.get("number")).collect()
}

/// Who names these profiles: `(stay, profile, role)`.
pub async fn naming(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    profiles: &[(HotelId, ProfileNumber)],
) -> Result<Vec<(HotelId, StayNumber, ProfileNumber, Role)>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for (hotel, numbers) in by_hotel(profiles.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT stay, profile, role FROM stay_profile WHERE portal_id = $1 AND hotel_id = $2 AND profile IN ({})",
                list(2, chunk.len())
            );
            for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
                let role: String = row.get("role")?;
                found.push((
                    hotel,
                    StayNumber::parse(&row.get::<String>("stay")?)
                        .map_err(|_| StoreError::Corrupt("stay_profile.stay"))?,
                    ProfileNumber::parse(&row.get::<String>("profile")?)
                        .map_err(|_| StoreError::Corrupt("stay_profile.profile"))?,
                    Role::read(&role)?,
                ));
            }
        }
    }
    Ok(found)
}

/// When the stays that name these profiles begin and end.
pub async fn days_of(
    tx: &Tx,
    portal: PortalId,
    profiles: &[(HotelId, ProfileNumber)],
) -> Result<Vec<(HotelId, ProfileNumber, Option<NaiveDate>, Option<NaiveDate>)>, StoreError> {
    let mut found = Vec::new();
    for (hotel, numbers) in by_hotel(profiles.iter().map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT sp.profile, s.arrival, s.departure FROM stay_profile sp
                 JOIN stay s ON s.portal_id = sp.portal_id AND s.hotel_id = sp.hotel_id AND s.number = sp.stay
                 WHERE sp.portal_id = $1 AND sp.hotel_id = $2 AND sp.profile IN ({})",
                list(2, chunk.len())
            );
            for row in tx.rows(&sql, keyed(portal, hotel, chunk)).await? {
                let profile = ProfileNumber::parse(&row.get::<String>("profile")?)
                    .map_err(|_| StoreError::Corrupt("stay_profile.profile"))?;
                let day = |name| Ok::<_, StoreError>(row.get::<String>(name)?.parse().ok());
                found.push((hotel, profile, day("arrival")?, day("departure")?));
            }
        }
    }
    Ok(found)
}

/// Stays in order of arrival, from after `(arrival, hotel, number)` on.
#[derive(Debug, Clone, Default)]
pub struct PageOf {
    pub hotel: Option<HotelId>,
    pub status: Option<StayStatus>,
    pub arrival_from: Option<String>,
    pub arrival_to: Option<String>,
    pub after: Option<(String, i64, String)>,
}

pub async fn page(
    db: &Db,
    portal: PortalId,
    key: &TenantKey,
    of: &PageOf,
    limit: i64,
) -> Result<Vec<StayRow>, StoreError> {
    let mut sql = format!("SELECT {COLUMNS} FROM stay WHERE portal_id = $1");
    let mut values = args![portal.0];
    let mut and = |text: &str, value: Value, sql: &mut String| {
        values.push(value);
        sql.push_str(&text.replace('?', &format!("${}", values.len())));
    };
    if let Some(hotel) = of.hotel {
        and(" AND hotel_id = ?", hotel.0.into(), &mut sql);
    }
    if let Some(status) = of.status {
        and(" AND status = ?", status.word().into(), &mut sql);
    }
    if let Some(from) = &of.arrival_from {
        and(" AND arrival >= ?", from.as_str().into(), &mut sql);
    }
    if let Some(to) = &of.arrival_to {
        and(" AND arrival <= ?", to.as_str().into(), &mut sql);
    }
    if let Some((arrival, hotel, number)) = &of.after {
        and(" AND (arrival > ?", arrival.as_str().into(), &mut sql);
        and(" OR (arrival = ?", arrival.as_str().into(), &mut sql);
        and(" AND (hotel_id > ?", (*hotel).into(), &mut sql);
        and(" OR (hotel_id = ?", (*hotel).into(), &mut sql);
        and(" AND number > ?))))", number.as_str().into(), &mut sql);
    }
    and(" ORDER BY arrival, hotel_id, number LIMIT ?", limit.into(), &mut sql);
    db.rows(&sql, values).await?.iter().map(|row| read(key, row)).collect()
}
