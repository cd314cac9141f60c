//! How far a mailbox was read.

use serde::{Deserialize, Serialize};

use crate::domain::PortalId;
use crate::store::{Db, StoreError, args};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// Of the numbers: with another one they are of other letters.
    pub validity: u32,
    /// The first that was not looked at.
    pub next: u32,
    /// Looked at, and not taken yet.
    pub held: Vec<Held>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub uid: u32,
    /// Since when.
    pub since: i64,
    /// When it is tried again.
    pub due: i64,
}

const CORRUPT: StoreError = StoreError::Corrupt("desk_mailbox");

/// `name`: a keyed hash of what the mailbox is called.
pub async fn get(db: &Db, desk: PortalId, name: &str) -> Result<Option<Mark>, StoreError> {
    let sql = "SELECT validity, next, held FROM desk_mailbox WHERE portal_id = $1 AND name = $2";
    let rows = db.rows(sql, args![desk.0, name]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let number = |of: &str| row.get::<i64>(of).and_then(|number| u32::try_from(number).map_err(|_| CORRUPT));
    let held = serde_json::from_str(&row.get::<String>("held")?).map_err(|_| CORRUPT)?;
    Ok(Some(Mark { validity: number("validity")?, next: number("next")?, held }))
}

pub async fn set(db: &Db, desk: PortalId, name: &str, mark: &Mark) -> Result<(), StoreError> {
    let sql = "INSERT INTO desk_mailbox (portal_id, name, validity, next, held) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (portal_id, name) DO UPDATE SET
            validity = excluded.validity, next = excluded.next, held = excluded.held";
    let held = serde_json::to_string(&mark.held).map_err(|_| CORRUPT)?;
    db.execute(sql, args![desk.0, name, i64::from(mark.validity), i64::from(mark.next), held]).await?;
    Ok(())
}
