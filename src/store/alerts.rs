//! Alerts between two looks, who is told of them, and notices on their way.

use std::collections::BTreeSet;

use super::{Db, Row, StoreError, Tx, args};
use crate::crypto::TenantKey;
use crate::domain::alert::{Alert, AlertKind, AlertSettings};
use crate::domain::{HotelId, PortalId};

const SETTINGS: &str = "alert.settings";
const NOTICE: &str = "notice";

/// What an alert is about; hotel 0 is the portal as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    pub portal: PortalId,
    pub hotel: HotelId,
    pub kind: AlertKind,
}

/// `None`: a kind that a newer release knows; it is that release's to look after.
fn read(row: &Row) -> Result<Option<(AlertKey, Alert)>, StoreError> {
    let Some(kind) = AlertKind::parse(&row.get::<String>("kind")?) else { return Ok(None) };
    let key = AlertKey { portal: PortalId(row.get("portal_id")?), hotel: HotelId(row.get("hotel_id")?), kind };
    Ok(Some((key, Alert { since: row.get("since")?, seen_at: row.get("seen_at")?, told_at: row.get("told_at")? })))
}

const COLUMNS: &str = "portal_id, hotel_id, kind, since, seen_at, told_at";

/// Every alert held, of all portals: for the one worker that looks.
pub async fn all(db: &Db) -> Result<Vec<(AlertKey, Alert)>, StoreError> {
    db.rows(&format!("SELECT {COLUMNS} FROM alert"), args![])
        .await?
        .iter()
        .filter_map(|row| read(row).transpose())
        .collect()
}

/// Of one portal, the oldest first.
pub async fn of_portal(db: &Db, portal: PortalId) -> Result<Vec<(AlertKey, Alert)>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM alert WHERE portal_id = $1 ORDER BY since, hotel_id, kind");
    db.rows(&sql, args![portal.0]).await?.iter().filter_map(|row| read(row).transpose()).collect()
}

pub async fn hold(tx: &Tx, key: AlertKey, alert: Alert) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO alert (portal_id, hotel_id, kind, since, seen_at, told_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (portal_id, hotel_id, kind) DO UPDATE SET since = excluded.since, seen_at = excluded.seen_at,
            told_at = excluded.told_at",
        args![key.portal.0, key.hotel.0, key.kind.word(), alert.since, alert.seen_at, alert.told_at],
    )
    .await?;
    Ok(())
}

pub async fn forget(tx: &Tx, key: AlertKey) -> Result<(), StoreError> {
    let sql = "DELETE FROM alert WHERE portal_id = $1 AND hotel_id = $2 AND kind = $3";
    tx.execute(sql, args![key.portal.0, key.hotel.0, key.kind.word()]).await?;
    Ok(())
}

/// Who is told; the default where nobody chose.
pub async fn settings(db: &Db, portal: PortalId, key: &TenantKey) -> Result<AlertSettings, StoreError> {
    let sql = "SELECT settings_sealed FROM alert_settings WHERE portal_id = $1";
    let rows = db.rows(sql, args![portal.0]).await?;
    let Some(row) = rows.first() else { return Ok(AlertSettings::default()) };
    let plain = key.open(SETTINGS, &row.get::<Vec<u8>>("settings_sealed")?)?;
    serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(SETTINGS))
}

pub async fn set_settings(
    db: &Db,
    portal: PortalId,
    key: &TenantKey,
    settings: &AlertSettings,
) -> Result<(), StoreError> {
    let plain = serde_json::to_vec(settings).map_err(|_| StoreError::Corrupt(SETTINGS))?;
    db.execute(
        "INSERT INTO alert_settings (portal_id, settings_sealed) VALUES ($1, $2)
         ON CONFLICT (portal_id) DO UPDATE SET settings_sealed = excluded.settings_sealed",
        args![portal.0, key.seal(SETTINGS, &plain)?],
    )
    .await?;
    Ok(())
}

/// A notice on its way; what it says is sealed, and opened by whoever sends it.
#[derive(Debug, Clone)]
pub struct NoticeRow {
    pub id: i64,
    pub portal: PortalId,
    pub attempts: i32,
    sealed: Vec<u8>,
}

impl NoticeRow {
    pub fn open<T: serde::de::DeserializeOwned>(&self, key: &TenantKey) -> Result<T, StoreError> {
        serde_json::from_slice(&key.open(NOTICE, &self.sealed)?).map_err(|_| StoreError::Corrupt(NOTICE))
    }
}

pub async fn queue(
    tx: &Tx,
    portal: PortalId,
    key: &TenantKey,
    notice: &impl serde::Serialize,
    now: i64,
) -> Result<(), StoreError> {
    let plain = serde_json::to_vec(notice).map_err(|_| StoreError::Corrupt(NOTICE))?;
    let sql = "INSERT INTO notice (portal_id, notice_sealed, created_at) VALUES ($1, $2, $3)";
    tx.execute(sql, args![portal.0, key.seal(NOTICE, &plain)?, now]).await?;
    Ok(())
}

/// In the order in which they were written.
pub async fn due(db: &Db, now: i64, limit: i64) -> Result<Vec<NoticeRow>, StoreError> {
    let sql = "SELECT id, portal_id, attempts, notice_sealed FROM notice WHERE not_before <= $1 ORDER BY id LIMIT $2";
    let read = |row: &Row| {
        Ok(NoticeRow {
            id: row.get("id")?,
            portal: PortalId(row.get("portal_id")?),
            attempts: row.get("attempts")?,
            sealed: row.get("notice_sealed")?,
        })
    };
    db.rows(sql, args![now, limit]).await?.iter().map(read).collect()
}

/// It arrived, or never will.
pub async fn done(db: &Db, portal: PortalId, id: i64) -> Result<(), StoreError> {
    db.execute("DELETE FROM notice WHERE portal_id = $1 AND id = $2", args![portal.0, id]).await?;
    Ok(())
}

pub async fn again(db: &Db, portal: PortalId, id: i64, not_before: i64) -> Result<(), StoreError> {
    let sql = "UPDATE notice SET attempts = attempts + 1, not_before = $3 WHERE portal_id = $1 AND id = $2";
    db.execute(sql, args![portal.0, id, not_before]).await?;
    Ok(())
}

/// A clock that is off by more is worth a word: changes are read with an overlap of that much.
const CLOCK_OFF_MS: i64 = 300_000;

/// What is wrong now, over all portals that are worked for: one question a kind of trouble, none a portal. A queue stands
/// when something of a priority below `imports` has waited since before `stuck_since`.
pub async fn troubles(db: &Db, imports: i32, stuck_since: i64, paid_before: i64) -> Result<Vec<AlertKey>, StoreError> {
    let mut found = Vec::new();
    let mut add = |row: &Row, kind: AlertKind| -> Result<(), StoreError> {
        let hotel = HotelId(row.get("hotel_id")?);
        found.push(AlertKey { portal: PortalId(row.get("portal_id")?), hotel, kind });
        Ok(())
    };
    let links = "SELECT s.portal_id, s.hotel_id FROM source s
         JOIN hotel h ON h.portal_id = s.portal_id AND h.id = s.hotel_id AND h.removed_at IS NULL
         JOIN portal p ON p.id = s.portal_id AND p.status = 'active' AND p.installed = $1
         WHERE s.health IN ('failing', 'stopped')";
    for row in db.rows(links, args![true]).await? {
        add(&row, AlertKind::LinkDown)?;
    }
    let clocks = "SELECT s.portal_id, s.hotel_id FROM source s
         JOIN hotel h ON h.portal_id = s.portal_id AND h.id = s.hotel_id AND h.removed_at IS NULL
         JOIN portal p ON p.id = s.portal_id AND p.status = 'active' AND p.installed = $1
         WHERE s.notes LIKE '%\"pms_time_back\"%' OR s.notes LIKE '%\"pms_clock_ahead\"%'
            OR h.clock_ahead_ms > $2 OR h.clock_ahead_ms < -$2";
    for row in db.rows(clocks, args![true, CLOCK_OFF_MS]).await? {
        add(&row, AlertKind::ClockOff)?;
    }
    // A record that failed waits by the published schedule of tries: it is a problem of its own, not a queue that stands.
    let waits = "o.state = 0 AND o.priority < $3 AND o.attempts = 0 AND o.seen_at < $2";
    let of_hotel = |kind: &str| format!("o.subject LIKE '{kind}:' || CAST(h.id AS TEXT) || ':%'");
    let its = ["stay", "profile", "group"].map(of_hotel).join(" OR ");
    let stuck = format!(
        "SELECT h.portal_id, h.id AS hotel_id FROM hotel h
         JOIN portal p ON p.id = h.portal_id AND p.status = 'active' AND p.installed = $1
         WHERE h.removed_at IS NULL AND (
            EXISTS (SELECT 1 FROM outbox o WHERE o.portal_id = h.portal_id AND {waits} AND ({its}))
            OR EXISTS (SELECT 1 FROM inbox i WHERE i.portal_id = h.portal_id AND i.hotel_id = h.id AND i.state = 0
                AND i.priority < $3 AND i.attempts = 0 AND i.received_at < $2))"
    );
    // Looks at records of the portal, and what its events told.
    let of_portal = format!(
        "SELECT p.id AS portal_id, CAST(0 AS BIGINT) AS hotel_id FROM portal p
         WHERE p.status = 'active' AND p.installed = $1 AND (
            EXISTS (SELECT 1 FROM outbox o WHERE o.portal_id = p.id AND {waits}
                AND (o.subject LIKE 'crm:%' OR o.subject LIKE 'note:%'))
            OR EXISTS (SELECT 1 FROM inbox i WHERE i.portal_id = p.id AND i.hotel_id = 0 AND i.state = 0
                AND i.priority < $3 AND i.attempts = 0 AND i.received_at < $2))"
    );
    let mut standing = BTreeSet::new();
    for row in db.rows(&stuck, args![true, stuck_since, imports]).await? {
        standing.insert(row.get::<i64>("portal_id")?);
        add(&row, AlertKind::QueueStuck)?;
    }
    for row in db.rows(&of_portal, args![true, stuck_since, imports]).await? {
        // Its hotels say it already.
        if !standing.contains(&row.get::<i64>("portal_id")?) {
            add(&row, AlertKind::QueueStuck)?;
        }
    }
    let lost = "SELECT id AS portal_id, CAST(0 AS BIGINT) AS hotel_id FROM portal WHERE status = 'needs_auth'";
    for row in db.rows(lost, args![]).await? {
        add(&row, AlertKind::TokenLost)?;
    }
    let paid = "SELECT id AS portal_id, CAST(0 AS BIGINT) AS hotel_id FROM portal
         WHERE (status = 'active' AND paid_until < $1) OR status = 'suspended'";
    for row in db.rows(paid, args![paid_before]).await? {
        add(&row, AlertKind::PaymentEnding)?;
    }
    Ok(found)
}
