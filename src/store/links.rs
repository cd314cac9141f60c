//! Which record of the portal stands for a stay, a profile or a group. A subject has at most one, ever.

use std::collections::{BTreeSet, HashMap};

use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list, of_hotel as of_hotel_subjects};
use super::{Row, StoreError, Tx, args, pins};
use crate::domain::{CrmEntity, HotelId, PortalId};

/// How a record came to stand for a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Created,
    /// Found by our mark or by our user fields: once made or adopted by us.
    Recovered,
    /// Found by phone or e-mail and name: it stood there before us.
    Adopted,
    /// A person's deal, given to the stay by a person.
    Attached,
    /// The same, named by the booking itself.
    Referred,
    /// Taken off its deal by a person: it has none, and gets none by itself. The record is 0, or a deal that still bears
    /// our marks.
    Detached,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Recovered => "recovered",
            Self::Adopted => "adopted",
            Self::Attached => "attached",
            Self::Referred => "referred",
            Self::Detached => "detached",
        }
    }

    /// A deal that people made before it was the stay's.
    pub fn attached(self) -> bool {
        matches!(self, Self::Attached | Self::Referred)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    pub subject: String,
    pub entity: CrmEntity,
    pub crm_id: i64,
    pub origin: Origin,
    /// The record carries this subject's mark in `originatorId`/`originId`.
    pub marked: bool,
}

fn read(row: &Row) -> Result<LinkRow, StoreError> {
    let origin: String = row.get("origin")?;
    Ok(LinkRow {
        subject: row.get("subject")?,
        entity: CrmEntity::from_type_id(row.get("entity")?).ok_or(StoreError::Corrupt("link.entity"))?,
        crm_id: row.get("crm_id")?,
        origin: match origin.as_str() {
            "created" => Origin::Created,
            "adopted" => Origin::Adopted,
            "attached" => Origin::Attached,
            "referred" => Origin::Referred,
            "detached" => Origin::Detached,
            _ => Origin::Recovered,
        },
        marked: row.get("marked")?,
    })
}

/// A subject that is linked already keeps its record.
pub async fn add(tx: &Tx, portal: PortalId, links: &[LinkRow], now: i64) -> Result<(), StoreError> {
    let rows = links
        .iter()
        .map(|link| {
            args![
                portal.0,
                link.subject.as_str(),
                link.entity.type_id(),
                link.crm_id,
                link.origin.word(),
                link.marked,
                now
            ]
        })
        .collect();
    insert(
        tx,
        "link",
        &["portal_id", "subject", "entity", "crm_id", "origin", "marked", "created_at"],
        rows,
        "ON CONFLICT (portal_id, subject) DO NOTHING",
    )
    .await?;
    Ok(())
}

/// What a person says of a subject's record replaces what was.
pub async fn put(tx: &Tx, portal: PortalId, link: &LinkRow, now: i64) -> Result<(), StoreError> {
    end(tx, portal, std::slice::from_ref(&link.subject)).await?;
    add(tx, portal, std::slice::from_ref(link), now).await
}

pub async fn of_subjects(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    subjects: &[String],
) -> Result<HashMap<String, LinkRow>, StoreError> {
    let via = via.into();
    let mut found = HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT subject, entity, crm_id, origin, marked FROM link WHERE portal_id = $1 AND subject IN ({})",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            let link = read(&row)?;
            found.insert(link.subject.clone(), link);
        }
    }
    Ok(found)
}

/// Nobody stands behind these records any more: they turned out not to be there.
pub async fn forget(tx: &Tx, portal: PortalId, entity: CrmEntity, ids: &[i64]) -> Result<(), StoreError> {
    // What people took to themselves of a stay's deal is kept by the stay: of its next deal it is not true.
    if entity == CrmEntity::Deal {
        let stays: Vec<String> =
            of_records(tx, portal, entity, ids).await?.into_iter().map(|link| link.subject).collect();
        pins::end(tx, portal, &stays).await?;
    }
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql =
            format!("DELETE FROM link WHERE portal_id = $1 AND entity = $2 AND crm_id IN ({})", list(2, chunk.len()));
        tx.execute(&sql, values).await?;
    }
    pins::of_none(tx, portal, entity, ids.iter().copied()).await
}

/// Who stands behind these records; several profiles may share one contact. Oldest first.
pub async fn of_records(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    entity: CrmEntity,
    ids: &[i64],
) -> Result<Vec<LinkRow>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0, entity.type_id()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let sql = format!(
            "SELECT subject, entity, crm_id, origin, marked FROM link
             WHERE portal_id = $1 AND entity = $2 AND crm_id IN ({}) ORDER BY created_at, subject",
            list(2, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

/// Every stay, profile and group of a hotel that has a record.
pub async fn of_hotel(tx: &Tx, portal: PortalId, hotel: HotelId) -> Result<Vec<LinkRow>, StoreError> {
    let mut values = args![portal.0];
    let its = of_hotel_subjects(hotel, &mut values);
    let sql = format!("SELECT subject, entity, crm_id, origin, marked FROM link WHERE portal_id = $1 AND {its}");
    tx.rows(&sql, values).await?.iter().map(read).collect()
}

/// The record does not name the detached subject any more.
pub async fn cleaned(
    tx: &Tx,
    portal: PortalId,
    entity: CrmEntity,
    subject: &str,
    crm_id: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE link SET crm_id = 0
         WHERE portal_id = $1 AND entity = $2 AND subject = $3 AND crm_id = $4 AND origin = 'detached'",
        args![portal.0, entity.type_id(), subject, crm_id],
    )
    .await?;
    Ok(())
}

/// Whoever stands for this record now takes the place of one for whom it was made.
pub async fn inherited(
    tx: &Tx,
    portal: PortalId,
    entity: CrmEntity,
    crm_id: i64,
    origin: Origin,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE link SET origin = $4 WHERE portal_id = $1 AND entity = $2 AND crm_id = $3 AND origin = 'adopted'",
        args![portal.0, entity.type_id(), crm_id, origin.word()],
    )
    .await?;
    Ok(())
}

/// These subjects have no record any more; whoever shares it keeps it.
pub async fn end(tx: &Tx, portal: PortalId, subjects: &[String]) -> Result<(), StoreError> {
    let held = of_subjects(tx, portal, subjects).await?;
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!("DELETE FROM link WHERE portal_id = $1 AND subject IN ({})", list(1, chunk.len()));
        tx.execute(&sql, values).await?;
    }
    for entity in [CrmEntity::Contact, CrmEntity::Company] {
        let ids: BTreeSet<i64> = held.values().filter(|link| link.entity == entity).map(|link| link.crm_id).collect();
        let mut forsaken = ids.clone();
        for link in of_records(tx, portal, entity, &ids.into_iter().collect::<Vec<_>>()).await? {
            forsaken.remove(&link.crm_id);
        }
        pins::of_none(tx, portal, entity, forsaken).await?;
    }
    Ok(())
}
