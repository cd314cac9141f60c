//! Who is somebody else, as a person said of a profile that stood for one record with others: he is that record's no more,
//! and nobody who stayed there is ever he. It holds until people make them one again.

use std::collections::{BTreeSet, HashMap};

use sea_orm::Value;

use super::bulk::{Via, chunk_of, insert, list};
use super::{Row, StoreError, Tx, args, links};
use crate::domain::{CrmEntity, PortalId, Subject};

/// Who takes a profile off its record besides people: the PMS, which merged it into another or parted them again.
pub const PMS: i64 = -1;

/// A profile and the record that it was taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRow {
    pub subject: String,
    pub entity: CrmEntity,
    pub crm_id: i64,
    /// What the record is yet to lose of him; empty: it has.
    pub mark: String,
    /// Whether its timeline is yet to tell it.
    pub there: bool,
    /// The same of his own record's.
    pub here: bool,
    /// 0: an integrator.
    pub asked_by: i64,
    pub asked_at: i64,
}

/// From whom a profile is told apart.
#[derive(Debug, Clone, Default)]
pub struct Apart {
    pub records: Vec<SplitRow>,
    /// Subjects.
    pub people: BTreeSet<String>,
}

impl Apart {
    /// The same as a person said.
    pub fn by_people(&self, entity: CrmEntity, crm_id: i64) -> bool {
        self.of(entity, crm_id).is_some_and(|row| row.asked_by != PMS)
    }

    pub fn of(&self, entity: CrmEntity, crm_id: i64) -> Option<&SplitRow> {
        self.records.iter().find(|row| row.entity == entity && row.crm_id == crm_id)
    }
}

const COLUMNS: &str = "subject, other, mark, there, here, asked_by, asked_at";

fn record(entity: CrmEntity, crm_id: i64) -> String {
    Subject::Crm(entity, crm_id).to_string()
}

/// `None`: the other one is a profile.
fn read(row: &Row) -> Result<Option<SplitRow>, StoreError> {
    let other: String = row.get("other")?;
    let Ok(Subject::Crm(entity, crm_id)) = other.parse() else { return Ok(None) };
    Ok(Some(SplitRow {
        subject: row.get("subject")?,
        entity,
        crm_id,
        mark: row.get("mark")?,
        there: row.get("there")?,
        here: row.get("here")?,
        asked_by: row.get("asked_by")?,
        asked_at: row.get("asked_at")?,
    }))
}

/// `others`: who stays with the record.
pub async fn add(tx: &Tx, portal: PortalId, split: &SplitRow, others: &[String]) -> Result<(), StoreError> {
    let (by, at) = (split.asked_by, split.asked_at);
    let pair = |subject: &str, other: &str| args![portal.0, subject, other, "", false, false, by, at];
    let (off, whose) = (record(split.entity, split.crm_id), split.subject.as_str());
    let mut rows = vec![args![portal.0, whose, off, split.mark.as_str(), split.there, split.here, by, at]];
    rows.extend(others.iter().flat_map(|other| [pair(whose, other), pair(other, whose)]));
    let columns = ["portal_id", "subject", "other", "mark", "there", "here", "asked_by", "asked_at"];
    let again = "ON CONFLICT (portal_id, subject, other) DO UPDATE SET mark = excluded.mark,
        there = excluded.there, here = excluded.here,
        asked_by = excluded.asked_by, asked_at = excluded.asked_at";
    insert(tx, "split", &columns, rows, again).await?;
    Ok(())
}

/// Who was told apart from somebody; of others nothing is answered.
pub async fn of_subjects(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    subjects: &[String],
) -> Result<HashMap<String, Apart>, StoreError> {
    let via = via.into();
    let mut found: HashMap<String, Apart> = HashMap::new();
    for chunk in subjects.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|subject| Value::from(subject.as_str())));
        let sql = format!(
            "SELECT {COLUMNS} FROM split WHERE portal_id = $1 AND subject IN ({}) ORDER BY asked_at, other",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            let apart = found.entry(row.get("subject")?).or_default();
            match read(&row)? {
                Some(split) => apart.records.push(split),
                None => _ = apart.people.insert(row.get("other")?),
            }
        }
    }
    Ok(found)
}

/// Who was taken off these records.
pub async fn of_records(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    entity: CrmEntity,
    ids: &[i64],
) -> Result<Vec<SplitRow>, StoreError> {
    let via = via.into();
    let mut found = Vec::new();
    for chunk in ids.chunks(chunk_of(1)) {
        let mut values = args![portal.0];
        values.extend(chunk.iter().map(|id| Value::from(record(entity, *id))));
        let sql = format!(
            "SELECT {COLUMNS} FROM split WHERE portal_id = $1 AND other IN ({}) ORDER BY asked_at, subject",
            list(1, chunk.len())
        );
        for row in via.rows(&sql, values).await? {
            found.extend(read(&row)?);
        }
    }
    Ok(found)
}

/// These records hold nothing more of whom they lost.
pub async fn cleaned(tx: &Tx, portal: PortalId, rows: &[SplitRow]) -> Result<(), StoreError> {
    for row in rows {
        tx.execute(
            "UPDATE split SET mark = '' WHERE portal_id = $1 AND subject = $2 AND other = $3",
            args![portal.0, row.subject.as_str(), record(row.entity, row.crm_id)],
        )
        .await?;
    }
    Ok(())
}

/// These subjects stand for these records from now on: whoever said so last is right, and who was told apart from them
/// before is so no more.
pub async fn joined(tx: &Tx, portal: PortalId, joined: &[links::LinkRow]) -> Result<(), StoreError> {
    let subjects: Vec<String> = joined.iter().map(|link| link.subject.clone()).collect();
    let apart = of_subjects(tx, portal, &subjects).await?;
    for link in joined {
        let Some(apart) = apart.get(&link.subject) else { continue };
        let behind = links::of_records(tx, portal, link.entity, &[link.crm_id]).await?;
        let one = behind.into_iter().map(|other| other.subject).filter(|other| apart.people.contains(other));
        for other in one.chain([record(link.entity, link.crm_id)]) {
            tx.execute(
                "DELETE FROM split WHERE portal_id = $1
                    AND (subject = $2 AND other = $3 OR subject = $3 AND other = $2)",
                args![portal.0, link.subject.as_str(), other],
            )
            .await?;
        }
    }
    Ok(())
}

/// This record's timeline tells what there is to tell.
pub async fn told(tx: &Tx, portal: PortalId, entity: CrmEntity, crm_id: i64) -> Result<(), StoreError> {
    let here = "UPDATE split SET here = FALSE WHERE portal_id = $1 AND here AND subject IN
        (SELECT subject FROM link WHERE portal_id = $1 AND entity = $2 AND crm_id = $3)";
    tx.execute(here, args![portal.0, entity.type_id(), crm_id]).await?;
    let there = "UPDATE split SET there = FALSE WHERE portal_id = $1 AND other = $2 AND mark = ''";
    tx.execute(there, args![portal.0, record(entity, crm_id)]).await?;
    Ok(())
}
