//! Tenants: one row a portal, and where each stands in its life.

use super::{Db, Row, StoreError, Tx, args};
use crate::domain::PortalId;

/// One portal as stored. The application token is read by [`application_token`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalRow {
    pub id: PortalId,
    pub member_id: String,
    pub domain: String,
    pub client_endpoint: String,
    pub oauth_host: String,
    pub status: String,
    pub status_detail: String,
    pub installed: bool,
    pub boxed: bool,
    pub generation: i64,
    pub language: String,
    pub scope: String,
    pub license: String,
    pub installer_user_id: i64,
    /// When that came to our door which brought the stored pair.
    pub paired_at: i64,
    pub ensured_version: String,
    pub settings: String,
    pub installation: String,
    pub uninstall_clean: Option<bool>,
    pub uninstall_at: Option<i64>,
    pub refuted_at: Option<i64>,
    /// When the portal's self-test event last reached us.
    pub inbound_at: Option<i64>,
    /// When this portal's life needs attention next; `None`: never by itself.
    pub check_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What the pinned host and the verified portal said about a portal; nothing here comes from a form unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity<'a> {
    pub member_id: &'a str,
    pub domain: &'a str,
    pub client_endpoint: &'a str,
    pub oauth_host: &'a str,
    pub scope: &'a str,
    pub installed: bool,
}

const COLUMNS: &str = "id, member_id, domain, client_endpoint, oauth_host, status, status_detail, installed, boxed, \
    generation, language, scope, license, installer_user_id, paired_at, ensured_version, settings, installation, uninstall_clean, \
    uninstall_at, refuted_at, inbound_at, check_at, created_at, updated_at";

fn read(row: &Row) -> Result<PortalRow, StoreError> {
    Ok(PortalRow {
        id: PortalId(row.get("id")?),
        member_id: row.get("member_id")?,
        domain: row.get("domain")?,
        client_endpoint: row.get("client_endpoint")?,
        oauth_host: row.get("oauth_host")?,
        status: row.get("status")?,
        status_detail: row.get("status_detail")?,
        installed: row.get("installed")?,
        boxed: row.get("boxed")?,
        generation: row.get("generation")?,
        language: row.get("language")?,
        scope: row.get("scope")?,
        license: row.get("license")?,
        installer_user_id: row.get("installer_user_id")?,
        paired_at: row.get("paired_at")?,
        ensured_version: row.get("ensured_version")?,
        settings: row.get("settings")?,
        installation: row.get("installation")?,
        uninstall_clean: row.get("uninstall_clean")?,
        uninstall_at: row.get("uninstall_at")?,
        refuted_at: row.get("refuted_at")?,
        inbound_at: row.get("inbound_at")?,
        check_at: row.get("check_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub async fn get(db: &Db, portal: PortalId) -> Result<Option<PortalRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM portal WHERE id = $1");
    db.rows(&sql, args![portal.0]).await?.first().map(read).transpose()
}

/// [`get`] inside a transaction, so that what is decided on the row is written over the same row.
pub async fn get_in(tx: &Tx, portal: PortalId) -> Result<Option<PortalRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM portal WHERE id = $1");
    tx.rows(&sql, args![portal.0]).await?.first().map(read).transpose()
}

pub async fn by_member(db: &Db, member_id: &str) -> Result<Option<PortalRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM portal WHERE member_id = $1");
    db.rows(&sql, args![member_id]).await?.first().map(read).transpose()
}

/// Whose address this is, as the pinned host named it.
pub async fn member_at(db: &Db, domain: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT member_id FROM portal WHERE domain = $1 AND domain <> '' ORDER BY id LIMIT 1";
    db.rows(sql, args![domain]).await?.first().map(|row| row.get("member_id")).transpose()
}

pub async fn by_status(db: &Db, status: &str) -> Result<Vec<PortalRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM portal WHERE status = $1 ORDER BY id");
    db.rows(&sql, args![status]).await?.iter().map(read).collect()
}

/// The ids of the portals whose hotels and deals are worked on.
pub async fn active(db: &Db) -> Result<Vec<PortalId>, StoreError> {
    let sql =
        "SELECT id FROM portal WHERE status = 'active' AND installed = TRUE AND ensured_version <> '' ORDER BY id";
    db.rows(sql, vec![]).await?.iter().map(|row| Ok(PortalId(row.get("id")?))).collect()
}

/// Portals whose life needs attention now, longest waiting first.
pub async fn due(db: &Db, now: i64, limit: i64) -> Result<Vec<PortalId>, StoreError> {
    let sql = "SELECT id FROM portal WHERE check_at IS NOT NULL AND check_at <= $1 ORDER BY check_at, id LIMIT $2";
    db.rows(sql, args![now, limit]).await?.iter().map(|row| Ok(PortalId(row.get("id")?))).collect()
}

/// After an upgrade: portals set up by another release, or as something else, are looked at again. `desk`: the support
/// portal's `member_id`, which is set up as the second version.
pub async fn schedule_outdated(
    db: &Db,
    (version, desk_version): (&str, &str),
    desk: &str,
    now: i64,
) -> Result<u64, StoreError> {
    let sql = "UPDATE portal SET check_at = $2 WHERE status = 'active' \
               AND ensured_version <> CASE WHEN member_id = $3 THEN $4 ELSE $1 END \
               AND (check_at IS NULL OR check_at > $2)";
    db.execute(sql, args![version, now, desk, desk_version]).await
}

/// Creates the portal, or brings what is known of it up to date. Its status stays as it is.
pub async fn upsert(tx: &Tx, seen: &Identity<'_>, language: &str, now: i64) -> Result<PortalId, StoreError> {
    let rows = tx
        .rows(
            "INSERT INTO portal (member_id, domain, client_endpoint, oauth_host, status, installed, language, scope,
                                 created_at, updated_at)
             VALUES ($1, $2, $3, $4, 'new', $5, $6, $7, $8, $8)
             ON CONFLICT (member_id) DO UPDATE SET
                domain = excluded.domain, client_endpoint = excluded.client_endpoint, oauth_host = excluded.oauth_host,
                installed = excluded.installed, scope = excluded.scope, updated_at = excluded.updated_at
             RETURNING id",
            args![
                seen.member_id,
                seen.domain,
                seen.client_endpoint,
                seen.oauth_host,
                seen.installed,
                language,
                seen.scope,
                now
            ],
        )
        .await?;
    let row = rows.first().ok_or(StoreError::Corrupt("portal.id"))?;
    Ok(PortalId(row.get("id")?))
}

/// A new address of a portal already known, as the pinned host named it.
pub async fn set_address(db: &Db, portal: PortalId, domain: &str, endpoint: &str, now: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE portal SET domain = $2, client_endpoint = $3, updated_at = $4
         WHERE id = $1 AND (domain <> $2 OR client_endpoint <> $3)",
        args![portal.0, domain, endpoint, now],
    )
    .await?;
    Ok(())
}

/// What the portal says of itself, re-read at each look.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    pub installed: bool,
    pub boxed: bool,
    pub license: &'a str,
    /// When the app's term ends (ms), where the portal tells.
    pub paid_until: Option<i64>,
    pub scope: &'a str,
}

pub async fn set_facts(db: &Db, portal: PortalId, said: Said<'_>, now: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE portal SET installed = $2, boxed = $3, license = $4, paid_until = $5, scope = $6, updated_at = $7
         WHERE id = $1",
        args![portal.0, said.installed, said.boxed, said.license, said.paid_until, said.scope, now],
    )
    .await?;
    Ok(())
}

pub async fn set_installed(db: &Db, portal: PortalId, installed: bool, now: i64) -> Result<(), StoreError> {
    db.execute("UPDATE portal SET installed = $2, updated_at = $3 WHERE id = $1", args![portal.0, installed, now])
        .await?;
    Ok(())
}

/// Whose pair is stored now, and when it came.
pub async fn set_installer(tx: &Tx, portal: PortalId, user_id: i64, paired_at: i64) -> Result<(), StoreError> {
    let sql = "UPDATE portal SET installer_user_id = $2, paired_at = $3 WHERE id = $1";
    tx.execute(sql, args![portal.0, user_id, paired_at]).await?;
    Ok(())
}

/// An installation came to its end: what was under way before it belongs to none that is to come.
pub async fn stamp_end(tx: &Tx, portal: PortalId, at: i64) -> Result<(), StoreError> {
    tx.execute("UPDATE portal SET paired_at = $2 WHERE id = $1 AND paired_at < $2", args![portal.0, at]).await?;
    Ok(())
}

/// Moves the portal on, if it still stands where the caller saw it. `false`: somebody moved it meanwhile.
pub async fn move_status(
    db: &Db,
    portal: PortalId,
    from: &str,
    to: &str,
    detail: &str,
    check_at: Option<i64>,
    now: i64,
) -> Result<bool, StoreError> {
    let touched = db
        .execute(
            "UPDATE portal SET status = $3, status_detail = $4, check_at = $5, updated_at = $6
             WHERE id = $1 AND status = $2",
            args![portal.0, from, to, detail, check_at, now],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn set_status(
    tx: &Tx,
    portal: PortalId,
    status: &str,
    detail: &str,
    check_at: Option<i64>,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE portal SET status = $2, status_detail = $3, check_at = $4, updated_at = $5 WHERE id = $1",
        args![portal.0, status, detail, check_at, now],
    )
    .await?;
    Ok(())
}

pub async fn set_check(db: &Db, portal: PortalId, check_at: Option<i64>) -> Result<(), StoreError> {
    db.execute("UPDATE portal SET check_at = $2 WHERE id = $1", args![portal.0, check_at]).await?;
    Ok(())
}

/// An uninstall event was taken: work stops now, what it asks for is proven next. The status it had stays readable.
pub async fn begin_uninstall(db: &Db, portal: PortalId, clean: bool, now: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE portal SET status_detail = 'was:' || status, status = 'uninstalling', uninstall_clean = $2,
                uninstall_at = $3, check_at = $3, updated_at = $3
         WHERE id = $1 AND status <> 'uninstalling'",
        args![portal.0, clean, now],
    )
    .await?;
    Ok(())
}

/// Likewise, but work goes on until the event is proven.
pub async fn ask_uninstall(db: &Db, portal: PortalId, clean: bool, now: i64, prove_at: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE portal SET uninstall_clean = $2, uninstall_at = $3, check_at = $4, updated_at = $3 WHERE id = $1",
        args![portal.0, clean, now, prove_at],
    )
    .await?;
    Ok(())
}

/// No uninstall is asked for any more. `refuted_at`: when an event proved to be forged.
pub async fn clear_uninstall(tx: &Tx, portal: PortalId, refuted_at: Option<i64>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE portal SET uninstall_clean = NULL, uninstall_at = NULL,
                refuted_at = COALESCE($2, refuted_at) WHERE id = $1",
        args![portal.0, refuted_at],
    )
    .await?;
    Ok(())
}

/// Voids every session of the portal.
pub async fn bump_generation(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    tx.execute("UPDATE portal SET generation = generation + 1 WHERE id = $1", args![portal.0]).await?;
    Ok(())
}

pub async fn set_settings(db: &Db, portal: PortalId, settings: &str, now: i64) -> Result<(), StoreError> {
    db.execute("UPDATE portal SET settings = $2, updated_at = $3 WHERE id = $1", args![portal.0, settings, now])
        .await?;
    Ok(())
}

/// [`set_settings`] in the caller's transaction, over the row it read there.
pub async fn set_settings_in(tx: &Tx, portal: PortalId, settings: &str) -> Result<(), StoreError> {
    tx.execute("UPDATE portal SET settings = $2 WHERE id = $1", args![portal.0, settings]).await?;
    Ok(())
}

/// Replaces the settings only if nobody changed them since they were read.
pub async fn swap_settings(db: &Db, portal: PortalId, old: &str, new: &str, now: i64) -> Result<bool, StoreError> {
    let touched = db
        .execute(
            "UPDATE portal SET settings = $3, updated_at = $4 WHERE id = $1 AND settings = $2",
            args![portal.0, old, new, now],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn set_installation(db: &Db, portal: PortalId, installation: &str, now: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE portal SET installation = $2, updated_at = $3 WHERE id = $1",
        args![portal.0, installation, now],
    )
    .await?;
    Ok(())
}

pub async fn set_inbound(db: &Db, portal: PortalId, at: i64) -> Result<(), StoreError> {
    db.execute("UPDATE portal SET inbound_at = $2 WHERE id = $1", args![portal.0, at]).await?;
    Ok(())
}

pub async fn set_ensured(db: &Db, portal: PortalId, version: &str) -> Result<(), StoreError> {
    db.execute("UPDATE portal SET ensured_version = $2 WHERE id = $1", args![portal.0, version]).await?;
    Ok(())
}

/// The portal's shared secret, sealed under the master key by the caller.
pub async fn set_application_token(tx: &Tx, portal: PortalId, sealed: Option<Vec<u8>>) -> Result<(), StoreError> {
    tx.execute("UPDATE portal SET application_token_sealed = $2 WHERE id = $1", args![portal.0, sealed]).await?;
    Ok(())
}

/// [`set_application_token`] where there is none yet. `false`: there is one.
pub async fn set_first_application_token(db: &Db, portal: PortalId, sealed: Vec<u8>) -> Result<bool, StoreError> {
    let sql = "UPDATE portal SET application_token_sealed = $2 WHERE id = $1 AND application_token_sealed IS NULL";
    Ok(db.execute(sql, args![portal.0, sealed]).await? > 0)
}

pub async fn application_token(db: &Db, portal: PortalId) -> Result<Option<Vec<u8>>, StoreError> {
    let rows = db.rows("SELECT application_token_sealed AS sealed FROM portal WHERE id = $1", args![portal.0]).await?;
    rows.first().map(|row| row.get("sealed")).transpose().map(Option::flatten)
}

/// Leaves the tombstone of an erased portal: its name is free for a later installation, which gets a new id.
pub async fn entomb(tx: &Tx, portal: PortalId, now: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE portal SET member_id = 'erased:' || CAST(id AS TEXT), domain = '', client_endpoint = '', scope = '',
                status = 'gone', status_detail = 'erased', installed = FALSE, settings = '{}', installation = '{}',
                ensured_version = '', application_token_sealed = NULL, installer_user_id = 0, check_at = $2,
                generation = generation + 1, updated_at = $2
         WHERE id = $1",
        args![portal.0, now],
    )
    .await?;
    Ok(())
}

/// The last thing that goes.
pub async fn delete_tombstone(db: &Db, portal: PortalId) -> Result<(), StoreError> {
    db.execute("DELETE FROM portal WHERE id = $1 AND status_detail = 'erased'", args![portal.0]).await?;
    Ok(())
}

/// The name of this deployment, made at first use; it marks the portals that are ours.
pub async fn deployment(db: &Db, fresh: &str) -> Result<String, StoreError> {
    db.execute(
        "INSERT INTO deployment (name, value) VALUES ('instance', $1) ON CONFLICT (name) DO NOTHING",
        args![fresh],
    )
    .await?;
    let rows = db.rows("SELECT value FROM deployment WHERE name = 'instance'", vec![]).await?;
    rows.first().ok_or(StoreError::Corrupt("deployment.value"))?.get("value")
}
