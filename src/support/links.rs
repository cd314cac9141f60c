//! Links for whoever has no account (product §5): the secret stands in the fragment, only its hash is kept.

use sha2::{Digest, Sha256};

use super::{Actor, Desk, DeskError, hex};
use crate::domain::support::Role;
use crate::store::desk::links::{self, Link};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::{StoreError, Tx};

const DAYS_MS: i64 = 90 * 86_400_000;
const SECRET: usize = 32;

/// A request behind a link, and what its holder is there.
#[derive(Debug, Clone)]
pub struct Opened {
    pub row: RequestRow,
    pub actor: Actor,
}

pub(super) fn secret() -> String {
    let bytes: [u8; SECRET] = rand::random();
    hex(&bytes)
}

/// 256 random bits need no slow hash.
fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

impl Desk {
    pub(super) async fn add_link(&self, tx: &Tx, row: &RequestRow, secret: &str) -> Result<(), StoreError> {
        self.link_as(tx, row, secret, Role::Submitter).await
    }

    async fn link_as(&self, tx: &Tx, row: &RequestRow, secret: &str, role: Role) -> Result<(), StoreError> {
        let now = self.now();
        let link = Link { desk: row.desk, request: row.id, role, expires_at: now.saturating_add(DAYS_MS) };
        links::add(tx, row.desk, &hash(secret), &link, now).await
    }

    /// The address of a request's page; a browser does not send what stands behind `#`.
    pub fn link_url(&self, secret: &str) -> String {
        let base = self.0.config.http.public_url.as_str().trim_end_matches('/');
        format!("{base}/support/request#{secret}")
    }

    /// A new link of one role, by the desk.
    pub async fn make_link(&self, who: &Actor, row: &RequestRow, role: Role) -> Result<String, DeskError> {
        if !who.is_desk() || !matches!(role, Role::Submitter | Role::Representative) {
            return Err(DeskError::Forbidden);
        }
        let secret = secret();
        let tx = self.db().begin().await?;
        self.link_as(&tx, row, &secret, role).await?;
        tx.commit().await?;
        Ok(self.link_url(&secret))
    }

    /// Every link to the request ends.
    pub async fn revoke_links(&self, who: &Actor, row: &RequestRow) -> Result<u64, DeskError> {
        if !who.is_desk() {
            return Err(DeskError::Forbidden);
        }
        let tx = self.db().begin().await?;
        let revoked = links::revoke(&tx, row.desk, row.id, self.now()).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    /// The request behind a link; unknown, run out, revoked and of a desk that is closed are told alike.
    pub async fn open_link(&self, secret: &str) -> Result<Opened, DeskError> {
        let right = secret.len() == SECRET * 2 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        let link = if right { links::find(self.db(), &hash(secret), self.now()).await? } else { None };
        let link = link.ok_or(DeskError::NotFound)?;
        if !self.0.directory.get(link.desk).await?.status.open() {
            return Err(DeskError::NotFound);
        }
        let row = requests::by_id(self.db(), link.desk, link.request).await?.ok_or(DeskError::NotFound)?;
        Ok(Opened { row, actor: Actor { roles: [link.role].into(), user: None, via: None } })
    }
}
