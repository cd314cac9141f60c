//! The support desk. Words are sealed under the request key of the portal they are about (`key_portal`), whichever desk works
//! the request; what is found by phone, e-mail or login is found by the desk's own keyed hash.

pub mod consents;
pub mod heard;
pub mod history;
pub mod limits;
pub mod links;
pub mod numbers;
pub mod offers;
pub mod outbox;
pub mod remotes;
pub mod requests;
pub mod search;
pub mod settings;

use super::{StoreError, Tx, args};
use crate::domain::PortalId;

/// A portal's request key was destroyed: what other desks hold about it is unreadable, and nothing of it leaves any more.
pub async fn customer_gone(tx: &Tx, portal: PortalId) -> Result<(), StoreError> {
    for sql in [
        "UPDATE desk_link SET revoked_at = created_at WHERE revoked_at IS NULL AND request_id IN
            (SELECT id FROM desk_request WHERE key_portal = $1)",
        "UPDATE desk_request SET phone_hash = NULL, email_hash = NULL, login_hash = NULL, look_at = NULL
         WHERE key_portal = $1",
        "DELETE FROM desk_heard WHERE EXISTS (SELECT 1 FROM desk_request r
            WHERE r.id = desk_heard.request_id AND r.portal_id = desk_heard.portal_id AND r.key_portal = $1)",
        "DELETE FROM desk_outbox WHERE key_portal = $1",
        "DELETE FROM desk_outbox WHERE portal_id = $1",
    ] {
        tx.execute(sql, args![portal.0]).await?;
    }
    Ok(())
}
