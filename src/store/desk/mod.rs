//! The support desk. Words are sealed under the request key of the portal they are about (`key_portal`), whichever desk works
//! the request; what is found by phone, e-mail or login is found by the desk's own keyed hash.

pub mod cards;
pub mod consents;
pub mod erase;
pub mod files;
pub mod heard;
pub mod history;
pub mod letters;
pub mod limits;
pub mod links;
pub mod mailbox;
pub mod numbers;
pub mod offers;
pub mod outbox;
pub mod remotes;
pub mod requests;
pub mod search;
pub mod settings;
pub mod undelivered;

use chrono::DateTime;

use super::{StoreError, Tx, args};
use crate::domain::PortalId;
use crate::domain::support::Role;
use crate::domain::support::history::{EntryKind, Salt, commit};
use crate::domain::support::life::{self, Action};

/// A portal's request key was destroyed: what other desks hold about it is unreadable, nothing of it leaves any more, and
/// nobody is left to close what is open.
pub async fn customer_gone(tx: &Tx, portal: PortalId, now: i64) -> Result<(), StoreError> {
    close_all(tx, portal, now).await?;
    for sql in [
        "UPDATE desk_link SET revoked_at = created_at WHERE revoked_at IS NULL AND request_id IN
            (SELECT id FROM desk_request WHERE key_portal = $1)",
        "UPDATE desk_request SET phone_hash = NULL, email_hash = NULL, login_hash = NULL, look_at = NULL
         WHERE key_portal = $1",
        // Nobody is left to be told of a release.
        "UPDATE desk_request SET fixed_in = NULL WHERE key_portal = $1 AND live_at IS NULL",
        "DELETE FROM desk_heard WHERE EXISTS (SELECT 1 FROM desk_request r
            WHERE r.id = desk_heard.request_id AND r.portal_id = desk_heard.portal_id AND r.key_portal = $1)",
        "DELETE FROM desk_card WHERE EXISTS (SELECT 1 FROM desk_request r
            WHERE r.id = desk_card.request_id AND r.portal_id = desk_card.portal_id AND r.key_portal = $1)",
        "UPDATE desk_file SET state = 2 WHERE key_portal = $1 OR portal_id = $1",
        "DELETE FROM desk_outbox WHERE key_portal = $1",
        "DELETE FROM desk_outbox WHERE portal_id = $1",
        "DELETE FROM desk_letter WHERE portal_id = $1",
    ] {
        tx.execute(sql, args![portal.0]).await?;
    }
    Ok(())
}

/// Each with an entry that holds no words: there is no key to seal any under.
async fn close_all(tx: &Tx, portal: PortalId, now: i64) -> Result<(), StoreError> {
    let sql = format!("SELECT {} FROM desk_request WHERE key_portal = $1 AND state <> 'closed'", requests::COLUMNS);
    loop {
        let open = tx.rows(&sql, args![portal.0]).await?;
        if open.is_empty() {
            return Ok(());
        }
        for row in &open {
            let mut row = requests::read(row)?;
            let now = now.max(row.updated_at);
            let policy = [Role::Policy].into();
            let at = DateTime::from_timestamp_millis(now).unwrap_or_default();
            // What is open can be closed so, from wherever it stands.
            let closed = life::click(row.state, &Action::CloseOfGone, &policy, at);
            for fact in closed.map_err(|_| StoreError::Corrupt("desk_request.state"))? {
                row.clocks.note(&Action::CloseOfGone, &fact);
                row.times.note(fact.transition, fact.at);
                (row.state, row.resolution) = (fact.transition.to, fact.transition.resolution);
            }
            row.look_at = None;
            let entry = row.head.append(now, EntryKind::State, commit(&Salt(rand::random()), &[]));
            row.head = entry.head();
            // Somebody may act on it at this moment: then it is read again.
            if requests::save(tx, row.desk, &row, now).await? {
                history::append_bare(tx, row.desk, row.id, entry).await?;
            }
        }
    }
}
