//! Files of requests: what is on its way in, what is kept, and what is still to be taken out of the store of files.

use uuid::Uuid;

use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::store::{Db, Row, StoreError, Tx, args};

const NAME: &str = "desk_file.name";

/// One on its way in.
#[derive(Debug, Clone)]
pub struct NewFile<'a> {
    pub request: i64,
    pub key_portal: PortalId,
    pub object: Uuid,
    pub name: &'a str,
    pub internal: bool,
    pub by_desk: bool,
}

/// One that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    pub id: i64,
    /// The portal under whose request key it is sealed.
    pub key_portal: PortalId,
    pub object: Uuid,
    /// Empty: it cannot be read any more.
    pub name: String,
    pub mime: String,
    /// Bytes.
    pub length: u64,
    pub internal: bool,
    pub by_desk: bool,
    pub created_at: i64,
}

/// An object that nobody is to find any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    pub id: i64,
    pub key_portal: PortalId,
    pub object: Uuid,
}

/// Before its first byte: whatever becomes of it is found again.
pub async fn begin(db: &Db, desk: PortalId, key: &TenantKey, file: &NewFile<'_>, now: i64) -> Result<i64, StoreError> {
    let rows = db
        .rows(
            "INSERT INTO desk_file (portal_id, request_id, key_portal, object, internal, by_desk, name_sealed, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            args![
                desk.0,
                file.request,
                file.key_portal.0,
                file.object.simple().to_string(),
                file.internal,
                file.by_desk,
                key.seal(NAME, file.name.as_bytes())?,
                now
            ],
        )
        .await?;
    rows.first().ok_or(StoreError::Corrupt("desk_file.id"))?.get("id")
}

/// It is whole. `false`: it was given up meanwhile.
pub async fn keep(tx: &Tx, desk: PortalId, id: i64, mime: &str, length: u64) -> Result<bool, StoreError> {
    let sql = "UPDATE desk_file SET state = 1, mime = $3, length = $4 WHERE portal_id = $1 AND id = $2 AND state = 0";
    let length = i64::try_from(length).map_err(|_| StoreError::Corrupt("desk_file.length"))?;
    Ok(tx.execute(sql, args![desk.0, id, mime, length]).await? > 0)
}

/// It did not become whole.
pub async fn give_up(db: &Db, desk: PortalId, id: i64) -> Result<(), StoreError> {
    let sql = "UPDATE desk_file SET state = 2 WHERE portal_id = $1 AND id = $2 AND state = 0";
    db.execute(sql, args![desk.0, id]).await?;
    Ok(())
}

/// How many a request has or is being handed, and how many bytes are kept.
pub async fn held(db: &Db, desk: PortalId, request: i64) -> Result<(i64, u64), StoreError> {
    let sql = "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(length), 0) AS BIGINT) AS bytes FROM desk_file
         WHERE portal_id = $1 AND request_id = $2 AND state <> 2";
    let rows = db.rows(sql, args![desk.0, request]).await?;
    let row = rows.first().ok_or(StoreError::Corrupt("desk_file"))?;
    Ok((row.get("files")?, u64::try_from(row.get::<i64>("bytes")?).unwrap_or_default()))
}

const COLUMNS: &str = "id, key_portal, object, name_sealed, mime, length, internal, by_desk, created_at";

/// Those that are kept, the oldest first. Without a key they have no names.
pub async fn of_request(
    db: &Db,
    desk: PortalId,
    key: Option<&TenantKey>,
    request: i64,
) -> Result<Vec<FileRow>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM desk_file WHERE portal_id = $1 AND request_id = $2 AND state = 1 ORDER BY id");
    db.rows(&sql, args![desk.0, request]).await?.iter().map(|row| read(row, key)).collect()
}

/// One that is kept.
pub async fn get(
    db: &Db,
    desk: PortalId,
    key: &TenantKey,
    request: i64,
    id: i64,
) -> Result<Option<FileRow>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM desk_file WHERE portal_id = $1 AND request_id = $2 AND id = $3 AND state = 1");
    db.rows(&sql, args![desk.0, request, id]).await?.first().map(|row| read(row, Some(key))).transpose()
}

/// What was given up, and what never came to its end since `begun_before`.
pub async fn left_over(db: &Db, begun_before: i64, limit: i64) -> Result<Vec<Leftover>, StoreError> {
    let sql = "SELECT id, key_portal, object FROM desk_file
         WHERE state <> 1 AND (state = 2 OR created_at < $1) ORDER BY created_at LIMIT $2";
    let rows = db.rows(sql, args![begun_before, limit]).await?;
    rows.iter()
        .map(|row| {
            let key_portal = PortalId(row.get("key_portal")?);
            Ok(Leftover { id: row.get("id")?, key_portal, object: object(row)? })
        })
        .collect()
}

/// Its object is out of the store.
pub async fn forget(db: &Db, left: &Leftover) -> Result<(), StoreError> {
    let sql = "DELETE FROM desk_file WHERE id = $1 AND key_portal = $2 AND state <> 1";
    db.execute(sql, args![left.id, left.key_portal.0]).await?;
    Ok(())
}

fn object(row: &Row) -> Result<Uuid, StoreError> {
    row.get::<String>("object")?.parse().map_err(|_| StoreError::Corrupt("desk_file.object"))
}

fn read(row: &Row, key: Option<&TenantKey>) -> Result<FileRow, StoreError> {
    let name = match key {
        Some(key) => key.open(NAME, &row.get::<Vec<u8>>("name_sealed")?)?,
        None => Vec::new(),
    };
    Ok(FileRow {
        id: row.get("id")?,
        key_portal: PortalId(row.get("key_portal")?),
        object: object(row)?,
        name: String::from_utf8(name).map_err(|_| StoreError::Corrupt("desk_file.name_sealed"))?,
        mime: row.get("mime")?,
        length: u64::try_from(row.get::<i64>("length")?).map_err(|_| StoreError::Corrupt("desk_file.length"))?,
        internal: row.get("internal")?,
        by_desk: row.get("by_desk")?,
        created_at: row.get("created_at")?,
    })
}
