//! What of a request's rows goes with its words. What was already told elsewhere is no more read from there: it would come back.

use super::history;
use super::requests::{self, RequestRow};
use crate::store::{StoreError, Tx, args};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub entries: u64,
    pub files: u64,
    pub links: u64,
    /// Evidence of consents, which is kept to its own term.
    pub consents_kept: i64,
}

/// `row` carries the head of the history behind it; `None`: somebody changed it since it was read, nothing was written.
pub async fn request(tx: &Tx, row: &RequestRow, now: i64) -> Result<Option<Counts>, StoreError> {
    if !requests::erase(tx, row, now).await? {
        return Ok(None);
    }
    let entries = history::erase(tx, row.desk, row.id).await?;
    let of = || args![row.desk.0, row.id];
    let files = "UPDATE desk_file SET state = 2 WHERE portal_id = $1 AND request_id = $2 AND state <> 2";
    let files = tx.execute(files, of()).await?;
    let links = "UPDATE desk_link SET revoked_at = $3 WHERE portal_id = $1 AND request_id = $2 AND revoked_at IS NULL";
    let links = tx.execute(links, args![row.desk.0, row.id, now]).await?;
    // Letters are known again by their names, which tell nothing.
    let letters = "UPDATE desk_letter SET content_sealed = NULL WHERE portal_id = $1 AND number = $2";
    tx.execute(letters, args![row.desk.0, row.number.to_string()]).await?;
    for table in ["desk_offer", "desk_heard", "desk_card"] {
        let sql = format!("DELETE FROM {table} WHERE portal_id = $1 AND request_id = $2");
        tx.execute(&sql, of()).await?;
    }
    // Where it stands now, its task and card are told all the same.
    let outbox = "DELETE FROM desk_outbox WHERE portal_id = $1 AND request_id = $2 AND (kind <> 'state' OR id NOT IN
            (SELECT MAX(id) FROM desk_outbox WHERE portal_id = $1 AND request_id = $2 AND kind = 'state' GROUP BY channel))";
    tx.execute(outbox, of()).await?;
    let consents = "SELECT COUNT(*) AS n FROM desk_consent WHERE portal_id = $1 AND number = $2";
    let consents = tx.rows(consents, args![row.desk.0, row.number.to_string()]).await?;
    let consents_kept = consents.first().map_or(Ok(0), |row| row.get("n"))?;
    Ok(Some(Counts { entries, files, links, consents_kept }))
}
