//! Entries of requests' histories. A content stands sealed behind its salt; both go together when it is erased.

use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::domain::support::history::{Entry, EntryKind, Hash, Salt};
use crate::store::bulk::{Via, insert};
use crate::store::{Row, StoreError, Tx, args};

const CONTENT: &str = "desk_history.content";
const SALT: usize = 32;

/// An entry with its content.
#[derive(Debug, Clone)]
pub struct Line {
    pub entry: Entry,
    /// Not shown to the customer.
    pub internal: bool,
    /// None: erased.
    pub content: Option<(Salt, Vec<u8>)>,
}

pub async fn append(tx: &Tx, desk: PortalId, key: &TenantKey, request: i64, lines: &[Line]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        let sealed = match &line.content {
            Some((salt, content)) => Some(key.seal(CONTENT, &[salt.0.as_slice(), content].concat())?),
            None => None,
        };
        rows.push((line, sealed));
    }
    write(tx, desk, request, rows).await
}

/// An entry whose content nobody can read any more.
pub async fn append_bare(tx: &Tx, desk: PortalId, request: i64, entry: Entry) -> Result<(), StoreError> {
    write(tx, desk, request, vec![(&Line { entry, internal: false, content: None }, None)]).await
}

async fn write(tx: &Tx, desk: PortalId, request: i64, lines: Vec<(&Line, Option<Vec<u8>>)>) -> Result<(), StoreError> {
    let row = |(line, sealed): (&Line, Option<Vec<u8>>)| {
        args![
            desk.0,
            request,
            i64::try_from(line.entry.place).unwrap_or(i64::MAX),
            line.entry.at,
            line.entry.kind.word(),
            line.internal,
            line.entry.commitment.to_vec(),
            line.entry.hash.to_vec(),
            sealed
        ]
    };
    let columns =
        ["portal_id", "request_id", "place", "at", "kind", "internal", "commitment", "hash", "content_sealed"];
    insert(tx, "desk_history", &columns, lines.into_iter().map(row).collect(), "").await?;
    Ok(())
}

/// The whole history, in order. Without the key (it was destroyed) every content counts as erased.
pub async fn of_request(
    via: impl Into<Via<'_>>,
    desk: PortalId,
    key: Option<&TenantKey>,
    request: i64,
) -> Result<Vec<Line>, StoreError> {
    let sql = "SELECT place, at, kind, internal, commitment, hash, content_sealed FROM desk_history
         WHERE portal_id = $1 AND request_id = $2 ORDER BY place";
    via.into().rows(sql, args![desk.0, request]).await?.iter().map(|row| read(row, key)).collect()
}

fn read(row: &Row, key: Option<&TenantKey>) -> Result<Line, StoreError> {
    let hash = |column: &'static str| -> Result<Hash, StoreError> {
        row.get::<Vec<u8>>(column)?.try_into().map_err(|_| StoreError::Corrupt(column))
    };
    let content = match (row.get::<Option<Vec<u8>>>("content_sealed")?, key) {
        (Some(sealed), Some(key)) => {
            let opened = key.open(CONTENT, &sealed)?;
            let (salt, content) =
                opened.split_first_chunk::<SALT>().ok_or(StoreError::Corrupt("desk_history.content_sealed"))?;
            Some((Salt(*salt), content.to_vec()))
        }
        _ => None,
    };
    let kind: String = row.get("kind")?;
    let place: i64 = row.get("place")?;
    Ok(Line {
        entry: Entry {
            place: u64::try_from(place).map_err(|_| StoreError::Corrupt("desk_history.place"))?,
            at: row.get("at")?,
            kind: EntryKind::parse(&kind).ok_or(StoreError::Corrupt("desk_history.kind"))?,
            commitment: hash("commitment")?,
            hash: hash("hash")?,
        },
        internal: row.get("internal")?,
        content,
    })
}

/// The contents of a request go; its chain keeps its proof.
pub async fn erase(tx: &Tx, desk: PortalId, request: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE desk_history SET content_sealed = NULL
         WHERE portal_id = $1 AND request_id = $2 AND content_sealed IS NOT NULL";
    tx.execute(sql, args![desk.0, request]).await
}
