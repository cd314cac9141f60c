//! Resolutions that the desk offered, and which one the customer chose (S-40).

use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::store::{Db, StoreError, Tx, args};

const OPTIONS: &str = "desk_offer.options";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// 1, 2, 3 … within its request.
    pub offer: i32,
    /// Empty: they cannot be read any more.
    pub options: Vec<String>,
    pub offered_at: i64,
    /// Place of the chosen one, from 0.
    pub chosen: Option<i32>,
    pub chosen_at: Option<i64>,
}

/// Answers the offer's number.
pub async fn add(
    tx: &Tx,
    desk: PortalId,
    key: &TenantKey,
    request: i64,
    options: &[String],
    now: i64,
) -> Result<i32, StoreError> {
    let text = serde_json::to_vec(options).map_err(|_| StoreError::Corrupt("desk_offer.options_sealed"))?;
    let rows = tx
        .rows(
            "INSERT INTO desk_offer (portal_id, request_id, offer, options_sealed, offered_at)
             SELECT $1, $2, COALESCE(MAX(offer), 0) + 1, $3, $4 FROM desk_offer WHERE portal_id = $1 AND request_id = $2
             RETURNING offer",
            args![desk.0, request, key.seal(OPTIONS, &text)?, now],
        )
        .await?;
    rows.first().ok_or(StoreError::Corrupt("desk_offer.offer"))?.get("offer")
}

/// `false`: it was chosen of before.
pub async fn choose(
    tx: &Tx,
    desk: PortalId,
    request: i64,
    offer: i32,
    option: i32,
    now: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE desk_offer SET chosen = $4, chosen_at = $5
         WHERE portal_id = $1 AND request_id = $2 AND offer = $3 AND chosen IS NULL";
    Ok(tx.execute(sql, args![desk.0, request, offer, option, now]).await? > 0)
}

pub async fn of_request(
    db: &Db,
    desk: PortalId,
    key: Option<&TenantKey>,
    request: i64,
) -> Result<Vec<Offer>, StoreError> {
    let sql = "SELECT offer, options_sealed, offered_at, chosen, chosen_at FROM desk_offer
         WHERE portal_id = $1 AND request_id = $2 ORDER BY offer";
    let rows = db.rows(sql, args![desk.0, request]).await?;
    rows.iter()
        .map(|row| {
            let sealed: Vec<u8> = row.get("options_sealed")?;
            let options = match key {
                Some(key) => serde_json::from_slice(&key.open(OPTIONS, &sealed)?)
                    .map_err(|_| StoreError::Corrupt("desk_offer.options_sealed"))?,
                None => Vec::new(),
            };
            Ok(Offer {
                offer: row.get("offer")?,
                options,
                offered_at: row.get("offered_at")?,
                chosen: row.get("chosen")?,
                chosen_at: row.get("chosen_at")?,
            })
        })
        .collect()
}
