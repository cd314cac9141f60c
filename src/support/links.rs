//! Links for whoever has no account (product §5): the secret stands in the fragment, only its hash is kept.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::act::Deed;
use super::gate::{Count, place, within};
use super::{Actor, Desk, DeskError, hex};
use crate::domain::support::Role;
use crate::store::desk::links::{self, Link};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::{StoreError, Tx};

const DAYS_MS: i64 = 90 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const PER_LINK_HOUR: i64 = 30;
const PER_LINK_DAY: i64 = 100;
const PER_ADDRESS_HOUR: i64 = 120;
const SECRET: usize = 32;

/// A request behind a link, and what its holder is there.
#[derive(Debug, Clone)]
pub struct Opened {
    pub row: RequestRow,
    pub actor: Actor,
    /// What the link is counted by.
    link: String,
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
    /// The submitter's own, made with his request.
    pub(super) async fn add_link(&self, tx: &Tx, row: &RequestRow, secret: &str) -> Result<(), StoreError> {
        let now = self.now();
        let expires_at = now.saturating_add(DAYS_MS);
        let link = Link { desk: row.desk, request: row.id, role: Role::Submitter, expires_at };
        links::add(tx, row.desk, &hash(secret), &link, now).await
    }

    /// The address of a request's page; a browser does not send what stands behind `#`.
    pub fn link_url(&self, secret: &str) -> String {
        let base = self.0.config.http.public_url.as_str().trim_end_matches('/');
        format!("{base}/support/request#{secret}")
    }

    /// A new link of one role, by the desk.
    pub async fn make_link(&self, who: &Actor, row: &RequestRow, role: Role) -> Result<String, DeskError> {
        if !matches!(role, Role::Submitter | Role::Representative) {
            return Err(DeskError::Forbidden);
        }
        let secret = secret();
        let until = self.now().saturating_add(DAYS_MS);
        self.act(who, row, &Deed::Link { role, hash: hash(&secret), until }).await?;
        Ok(self.link_url(&secret))
    }

    /// Every link to the request ends.
    pub async fn revoke_links(&self, who: &Actor, row: &RequestRow) -> Result<(), DeskError> {
        self.act(who, row, &Deed::Unlink).await.map(drop)
    }

    /// The request behind a link; unknown, run out, revoked and of a desk that is closed are told alike.
    pub async fn open_link(&self, secret: &str) -> Result<Opened, DeskError> {
        let right = secret.len() == SECRET * 2 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = hash(secret);
        let link = if right { links::find(self.db(), &name, self.now()).await? } else { None };
        let link = link.ok_or(DeskError::NotFound)?;
        if !self.0.directory.get(link.desk).await?.status.open() {
            return Err(DeskError::NotFound);
        }
        let row = requests::by_id(self.db(), link.desk, link.request).await?.ok_or(DeskError::NotFound)?;
        Ok(Opened { row, actor: Actor { roles: [link.role].into(), user: None, via: None }, link: name })
    }

    /// Whether who holds a link may act by it once more. A try counts, too.
    pub async fn admit(&self, opened: &Opened, address: Option<IpAddr>) -> Result<(), DeskError> {
        let key = self.key(opened.row.desk).await?;
        let count = |name: String, most, span_ms| Count { name, most, span_ms };
        let counts = [
            count(format!("link:hour:{}", opened.link), PER_LINK_HOUR, HOUR_MS),
            count(format!("link:day:{}", opened.link), PER_LINK_DAY, DAY_MS),
            count(format!("link:address:{}", place(&key, address)), PER_ADDRESS_HOUR, HOUR_MS),
        ];
        let tx = self.db().begin().await?;
        within(&tx, &counts, self.now()).await?;
        tx.commit().await?;
        Ok(())
    }
}
