//! Profiles that a hotel's PMS merged into others: who may have been, and who was.

use std::collections::{BTreeSet, HashMap};

use super::bulk::{Via, chunk_of, insert, list};
use super::stays::{by_hotel, keyed};
use super::{Db, Row, StoreError, Tx, args};
use crate::domain::{CrmEntity, HotelId, PortalId, ProfileNumber};

type Key = (HotelId, ProfileNumber);

/// A profile that is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeRow {
    pub hotel: HotelId,
    pub profile: ProfileNumber,
    pub successor: ProfileNumber,
    /// The row that told it.
    pub inbox_id: i64,
    /// The record that stood for it before, and stands for nobody of ours since.
    pub left: Option<(CrmEntity, i64)>,
    pub merged_at: i64,
}

fn number(row: &Row, name: &str) -> Result<ProfileNumber, StoreError> {
    ProfileNumber::parse(&row.get::<String>(name)?).map_err(|_| StoreError::Corrupt("profile_merge.profile"))
}

/// Stays have left these guests for others, `(hotel, guest, successor)`.
pub async fn left(
    tx: &Tx,
    portal: PortalId,
    moved: &BTreeSet<(HotelId, ProfileNumber, ProfileNumber)>,
    now: i64,
) -> Result<(), StoreError> {
    let row = |(hotel, from, to): &(HotelId, ProfileNumber, ProfileNumber)| {
        args![portal.0, hotel.0, from.as_str(), to.as_str(), now]
    };
    insert(
        tx,
        "guest_left",
        &["portal_id", "hotel_id", "profile", "successor", "due_at"],
        moved.iter().map(row).collect(),
        "ON CONFLICT (portal_id, hotel_id, profile, successor) DO UPDATE SET asked = 0, due_at = excluded.due_at",
    )
    .await?;
    Ok(())
}

/// Guests of a hotel to be looked for now, each with whether he was not there before.
pub async fn to_look_for(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    now: i64,
    limit: i64,
) -> Result<Vec<(ProfileNumber, bool)>, StoreError> {
    let sql = "SELECT profile, MIN(asked) AS asked FROM guest_left
         WHERE portal_id = $1 AND hotel_id = $2 AND asked < 2 AND due_at <= $3
         GROUP BY profile ORDER BY MIN(due_at), profile LIMIT $4";
    let rows = db.rows(sql, args![portal.0, hotel.0, now, limit]).await?;
    rows.iter().map(|row| Ok((number(row, "profile")?, row.get::<i32>("asked")? == 1))).collect()
}

/// What a look came to: what stands in `guest_left.asked`, and when the next one is due.
pub async fn looked(
    tx: &Tx,
    portal: PortalId,
    hotel: HotelId,
    profiles: &[ProfileNumber],
    (asked, due_at): (i32, i64),
) -> Result<(), StoreError> {
    for profile in profiles {
        tx.execute(
            "UPDATE guest_left SET asked = $4, due_at = $5 WHERE portal_id = $1 AND hotel_id = $2 AND profile = $3",
            args![portal.0, hotel.0, profile.as_str(), asked, due_at],
        )
        .await?;
    }
    Ok(())
}

/// They could not be looked for.
pub async fn put_off(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    profiles: &[ProfileNumber],
    due_at: i64,
) -> Result<(), StoreError> {
    for chunk in profiles.chunks(chunk_of(1)) {
        let numbers: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        let mut values = keyed(portal, hotel, &numbers);
        values.push(due_at.into());
        let sql = format!(
            "UPDATE guest_left SET due_at = ${} WHERE portal_id = $1 AND hotel_id = $2 AND profile IN ({})",
            values.len(),
            list(2, chunk.len())
        );
        db.execute(&sql, values).await?;
    }
    Ok(())
}

/// Nobody looks for them any more.
pub async fn let_be(tx: &Tx, portal: PortalId, hotel: HotelId, profiles: &[ProfileNumber]) -> Result<(), StoreError> {
    for chunk in profiles.chunks(chunk_of(1)) {
        let numbers: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        let sql = format!(
            "DELETE FROM guest_left WHERE portal_id = $1 AND hotel_id = $2 AND profile IN ({})",
            list(2, chunk.len())
        );
        tx.execute(&sql, keyed(portal, hotel, &numbers)).await?;
    }
    Ok(())
}

/// Nor for anybody whom the hotel's stays have left so far.
pub async fn let_all_be(tx: &Tx, portal: PortalId, hotel: HotelId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM guest_left WHERE portal_id = $1 AND hotel_id = $2", args![portal.0, hotel.0]).await?;
    Ok(())
}

/// Who took a guest's stays over.
pub async fn successors(
    tx: &Tx,
    portal: PortalId,
    (hotel, profile): &Key,
) -> Result<BTreeSet<ProfileNumber>, StoreError> {
    let sql = "SELECT successor FROM guest_left WHERE portal_id = $1 AND hotel_id = $2 AND profile = $3";
    let rows = tx.rows(sql, args![portal.0, hotel.0, profile.as_str()]).await?;
    rows.iter().map(|row| number(row, "successor")).collect()
}

const COLUMNS: &str = "hotel_id, profile, successor, inbox_id, entity, crm_id, merged_at";

fn read(row: &Row) -> Result<MergeRow, StoreError> {
    let crm_id: i64 = row.get("crm_id")?;
    Ok(MergeRow {
        hotel: HotelId(row.get("hotel_id")?),
        profile: number(row, "profile")?,
        successor: number(row, "successor")?,
        inbox_id: row.get("inbox_id")?,
        left: CrmEntity::from_type_id(row.get("entity")?).map(|entity| (entity, crm_id)).filter(|_| crm_id != 0),
        merged_at: row.get("merged_at")?,
    })
}

/// The profile is another one from now on, and so is whoever was merged into it before.
pub async fn add(tx: &Tx, portal: PortalId, merge: &MergeRow) -> Result<(), StoreError> {
    let (profile, successor) = (merge.profile.as_str(), merge.successor.as_str());
    tx.execute(
        "UPDATE profile_merge SET successor = $4 WHERE portal_id = $1 AND hotel_id = $2 AND successor = $3",
        args![portal.0, merge.hotel.0, profile, successor],
    )
    .await?;
    let (entity, crm_id) = merge.left.map_or((0, 0), |(entity, id)| (entity.type_id(), id));
    let row = args![portal.0, merge.hotel.0, profile, successor, merge.inbox_id, entity, crm_id, merge.merged_at];
    let columns = ["portal_id", "hotel_id", "profile", "successor", "inbox_id", "entity", "crm_id", "merged_at"];
    insert(tx, "profile_merge", &columns, vec![row], "ON CONFLICT DO NOTHING").await?;
    Ok(())
}

/// The profile is itself again.
pub async fn end(tx: &Tx, portal: PortalId, (hotel, profile): &Key) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM profile_merge WHERE portal_id = $1 AND hotel_id = $2 AND profile = $3",
        args![portal.0, hotel.0, profile.as_str()],
    )
    .await?;
    Ok(())
}

/// Who of these is another one.
pub async fn of(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    profiles: impl Iterator<Item = &Key>,
) -> Result<HashMap<Key, MergeRow>, StoreError> {
    let rows = found(via.into(), portal, profiles, "profile").await?;
    Ok(rows.into_iter().map(|row| ((row.hotel, row.profile.clone()), row)).collect())
}

/// Who was merged into these.
pub async fn into(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    profiles: impl Iterator<Item = &Key>,
) -> Result<Vec<MergeRow>, StoreError> {
    found(via.into(), portal, profiles, "successor").await
}

async fn found(
    via: Via<'_>,
    portal: PortalId,
    profiles: impl Iterator<Item = &Key>,
    by: &'static str,
) -> Result<Vec<MergeRow>, StoreError> {
    let mut found = Vec::new();
    for (hotel, numbers) in by_hotel(profiles.map(|(hotel, number)| (*hotel, number))) {
        for chunk in numbers.chunks(chunk_of(1)) {
            let sql = format!(
                "SELECT {COLUMNS} FROM profile_merge WHERE portal_id = $1 AND hotel_id = $2 AND {by} IN ({})
                 ORDER BY merged_at, profile",
                list(2, chunk.len())
            );
            for row in via.rows(&sql, keyed(portal, hotel, chunk)).await? {
                found.push(read(&row)?);
            }
        }
    }
    Ok(found)
}
