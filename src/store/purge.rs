//! Taking an erased tenant's rows away: what waits at once, the rest in small steps.

use super::{Db, Engine, StoreError, Tx, args};
use crate::domain::{HotelId, PortalId};

/// Rows a step deletes at most: a purge must not hold up anybody's work.
const STEP: u32 = 500;

/// Every tenant's table whose rows go with the tenant, children before what they hang on.
pub const PURGED: &[&str] = &[
    "idempotency",
    "api_key",
    "portal_role",
    "portal_token",
    "portal_bucket",
    "portal_method",
    "inbox",
    "outbox",
    "stay_profile",
    "stay_step",
    "guest_left",
    "profile_merge",
    "stay",
    "profile",
    "erasure",
    "link",
    "recreation",
    "crm_record",
    "crm_index",
    "crm_scan",
    "crm_schema",
    "event_feed",
    "found_change",
    "problem",
    "alert",
    "alert_settings",
    "notice",
    "pin",
    "remedy",
    "merge_hint",
    "split",
    "provenance",
    "mapping",
    "mapping_job",
    "drift",
    "reconciled_day",
    "estimated",
    "job",
    "source",
    "hotel",
    "desk_heard",
    "desk_hearing",
    "desk_letter",
    "desk_mailbox",
    "desk_card",
    "desk_outbox",
    "desk_remote",
    "desk_offer",
    "desk_link",
    "desk_history",
    "desk_request",
    "desk_turn",
    "desk_settings",
];

/// Tenants' tables that a purge leaves: the log and evidence of consent live to their own terms (product §9), the list of
/// destroyed keys for ever; rows of files go when their bytes are out of the store of files.
pub const KEPT: &[&str] = &["request_log", "tenant_key", "destroyed_key", "desk_consent", "desk_file"];

/// Inbox, outbox and leases go in the same step as the key (product §9).
pub async fn work_of(tx: &Tx, portal: PortalId, now: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM inbox WHERE portal_id = $1", args![portal.0]).await?;
    tx.execute("DELETE FROM outbox WHERE portal_id = $1", args![portal.0]).await?;
    super::desk::customer_gone(tx, portal, now).await?;
    for row in tx.rows("SELECT id FROM hotel WHERE portal_id = $1", args![portal.0]).await? {
        let hotel: i64 = row.get("id")?;
        tx.execute("DELETE FROM lease WHERE name = $1", args![format!("hotel:{hotel}")]).await?;
    }
    for name in ["portal", "ensure"] {
        tx.execute("DELETE FROM lease WHERE name = $1", args![format!("{name}:{portal}")]).await?;
    }
    Ok(())
}

/// What a hotel told is forgotten; what stands for it in the portal, and on its way there, is not.
pub async fn told_by(tx: &Tx, portal: PortalId, hotel: HotelId) -> Result<(), StoreError> {
    for table in ["inbox", "stay_profile", "stay_step", "guest_left", "profile_merge", "stay", "profile", "problem"] {
        let sql = format!("DELETE FROM {table} WHERE portal_id = $1 AND hotel_id = $2");
        tx.execute(&sql, args![portal.0, hotel.0]).await?;
    }
    Ok(())
}

/// Nothing is told of this subject any more; answers how many rows of each table went.
pub async fn told_of(tx: &Tx, portal: PortalId, subject: &str) -> Result<Vec<(&'static str, u64)>, StoreError> {
    let mut gone = Vec::new();
    for table in ["problem", "merge_hint", "provenance"] {
        let sql = format!("DELETE FROM {table} WHERE portal_id = $1 AND subject = $2");
        gone.push((table, tx.execute(&sql, args![portal.0, subject]).await?));
    }
    Ok(gone)
}

/// Deletes up to a few hundred rows of the first table that still has some; answers how many.
pub async fn step(db: &Db, portal: PortalId) -> Result<u64, StoreError> {
    // Each engine's own name of a row's place.
    let place = match db.engine() {
        Engine::Sqlite => "rowid",
        Engine::Postgres => "ctid",
    };
    for table in PURGED {
        let sql = format!(
            "DELETE FROM {table} WHERE {place} IN (SELECT {place} FROM {table} WHERE portal_id = $1 LIMIT {STEP})"
        );
        let gone = db.execute(&sql, args![portal.0]).await?;
        if gone > 0 {
            return Ok(gone);
        }
    }
    Ok(0)
}

/// Every table with a tenant's column, by the database's own word; for the test that none is forgotten.
pub async fn tenant_tables(db: &Db) -> Result<Vec<String>, StoreError> {
    let sql = match db.engine() {
        Engine::Sqlite => {
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'portal_id'
             WHERE m.type = 'table' ORDER BY m.name"
        }
        Engine::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.columns
             WHERE table_schema = current_schema() AND column_name = 'portal_id' ORDER BY table_name"
        }
    };
    db.rows(sql, vec![]).await?.iter().map(|row| row.get("name")).collect()
}
