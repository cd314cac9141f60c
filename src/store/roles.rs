//! Roles and grants that a portal's admin gave to users.

use super::{Db, StoreError, Tx, args};
use crate::domain::PortalId;

/// One role of one user. Grants are stable words, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRow {
    pub user_id: i64,
    pub role: String,
    pub grants: String,
}

pub async fn list(db: &Db, portal: PortalId) -> Result<Vec<RoleRow>, StoreError> {
    let sql = "SELECT user_id, role, grants FROM portal_role WHERE portal_id = $1 ORDER BY user_id, role";
    read(&db.rows(sql, args![portal.0]).await?)
}

pub async fn of_user(db: &Db, portal: PortalId, user_id: i64) -> Result<Vec<RoleRow>, StoreError> {
    let sql = "SELECT user_id, role, grants FROM portal_role WHERE portal_id = $1 AND user_id = $2 ORDER BY role";
    read(&db.rows(sql, args![portal.0, user_id]).await?)
}

fn read(rows: &[super::Row]) -> Result<Vec<RoleRow>, StoreError> {
    rows.iter()
        .map(|row| Ok(RoleRow { user_id: row.get("user_id")?, role: row.get("role")?, grants: row.get("grants")? }))
        .collect()
}

/// Replaces the whole list. The caller bumps the portal's generation in the same transaction.
pub async fn replace(tx: &Tx, portal: PortalId, items: &[RoleRow]) -> Result<(), StoreError> {
    delete(tx, portal).await?;
    for item in items {
        tx.execute(
            "INSERT INTO portal_role (portal_id, user_id, role, grants) VALUES ($1, $2, $3, $4)",
            args![portal.0, item.user_id, item.role.as_str(), item.grants.as_str()],
        )
        .await?;
    }
    Ok(())
}

pub async fn delete(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM portal_role WHERE portal_id = $1", args![portal.0]).await?;
    Ok(())
}
