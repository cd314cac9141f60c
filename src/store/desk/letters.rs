//! Letters that came in, by a keyed hash of each: what was taken is not taken again. What became no words of a request is kept
//! sealed beside it until its term.

use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::domain::support::RequestNumber;
use crate::store::{Db, StoreError, Tx, args};

const CONTENT: &str = "desk_letter.content";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is: `person`, `auto_reply`, `bulk`, `bounce`, `loop`.
    pub nature: String,
    /// `request`, `comment`, `recorded`.
    pub became: String,
    pub number: Option<RequestNumber>,
    /// How many of its files, in their order, were kept or refused.
    pub files_done: usize,
}

/// `false`: it was taken before, nothing must be committed.
pub async fn add(
    tx: &Tx,
    desk: PortalId,
    name: &str,
    letter: &Letter,
    content: Option<(&TenantKey, &[u8])>,
    now: i64,
) -> Result<bool, StoreError> {
    let sealed = content.map(|(key, content)| key.seal(CONTENT, content)).transpose()?;
    let number = letter.number.map(|number| number.to_string());
    let added = tx
        .execute(
            "INSERT INTO desk_letter (portal_id, name, nature, became, number, content_sealed, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            args![desk.0, name, letter.nature.as_str(), letter.became.as_str(), number, sealed, now],
        )
        .await?;
    Ok(added > 0)
}

pub async fn find(db: &Db, desk: PortalId, name: &str) -> Result<Option<Letter>, StoreError> {
    let sql = "SELECT nature, became, number, files_done FROM desk_letter WHERE portal_id = $1 AND name = $2";
    let rows = db.rows(sql, args![desk.0, name]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let number = row.get::<Option<String>>("number")?.map(|number| number.parse()).transpose();
    let number = number.map_err(|_| StoreError::Corrupt("desk_letter.number"))?;
    let files_done = usize::try_from(row.get::<i64>("files_done")?).unwrap_or_default();
    Ok(Some(Letter { nature: row.get("nature")?, became: row.get("became")?, number, files_done }))
}

/// So many of its files are dealt with; of two that deal with them the one that is further is right.
pub async fn files_done(db: &Db, desk: PortalId, name: &str, done: usize) -> Result<(), StoreError> {
    let sql = "UPDATE desk_letter SET files_done = $3 WHERE portal_id = $1 AND name = $2 AND files_done < $3";
    let done = i64::try_from(done).map_err(|_| StoreError::Corrupt("desk_letter.files_done"))?;
    db.execute(sql, args![desk.0, name, done]).await?;
    Ok(())
}

/// What was kept of a letter that became no words of a request.
pub async fn content(db: &Db, desk: PortalId, key: &TenantKey, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT content_sealed FROM desk_letter WHERE portal_id = $1 AND name = $2";
    let rows = db.rows(sql, args![desk.0, name]).await?;
    let sealed: Option<Vec<u8>> = rows.first().map(|row| row.get("content_sealed")).transpose()?.flatten();
    sealed.map(|sealed| Ok(key.open(CONTENT, &sealed)?)).transpose()
}

/// Forgets what came before, of every desk, in steps of `limit`.
pub async fn purge(db: &Db, before: i64, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM desk_letter WHERE (portal_id, name) IN
            (SELECT portal_id, name FROM desk_letter WHERE at < $1 LIMIT $2)";
    db.execute(sql, args![before, limit]).await
}
