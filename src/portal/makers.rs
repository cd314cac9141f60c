//! What the maker of an integrator's key is now: a key is never worth more than he is (product §7).
//!
//! The portal tells nobody but himself whether somebody is an admin, so it is known as of his last visit. Whether he still
//! works there at all is asked at each look after the portal (decision 0006).

use std::collections::BTreeSet;

use super::roles::{self, Grant, Role};
use super::{Directory, PortalError};
use crate::domain::PortalId;
use crate::store::api_keys::{self, ApiKeyRow};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Admin,
    /// He may what his roles let him.
    Member,
    /// He works at the portal no more.
    Gone,
}

impl Maker {
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Gone => "gone",
        }
    }

    fn parse(word: &str) -> Self {
        // A word of a newer release gives nothing here.
        [Self::Admin, Self::Member].into_iter().find(|maker| maker.word() == word).unwrap_or(Self::Gone)
    }
}

impl Directory {
    /// Whether a key's maker is an admin, and the roles and grants he has.
    pub async fn maker(&self, key: &ApiKeyRow) -> Result<(bool, BTreeSet<Role>, BTreeSet<Grant>), PortalError> {
        match Maker::parse(&key.maker) {
            Maker::Gone => Ok(Default::default()),
            maker => {
                let (roles, grants) = roles::of_user(self.db(), key.portal, key.made_by).await?;
                Ok((maker == Maker::Admin, roles, grants))
            }
        }
    }

    /// Somebody was verified: his keys follow what he is now.
    pub(super) async fn maker_seen(&self, portal: PortalId, user_id: i64, admin: bool) -> Result<(), PortalError> {
        let maker = if admin { Maker::Admin } else { Maker::Member };
        Ok(api_keys::set_maker(self.db(), portal, user_id, maker.word()).await?)
    }

    /// Looks for makers who have left. One who is back must show himself before he is an admin again.
    pub(super) async fn look_for_makers(&self, portal: PortalId) -> Result<(), PortalError> {
        let makers = api_keys::makers(self.db(), portal, self.now()).await?;
        if makers.is_empty() {
            return Ok(());
        }
        let employed = self.employed(portal, None, &makers.keys().copied().collect()).await?;
        for (user_id, word) in makers {
            let now = match (employed.contains(&user_id), Maker::parse(&word)) {
                (false, _) => Maker::Gone,
                (true, Maker::Gone) => Maker::Member,
                (true, as_seen) => as_seen,
            };
            api_keys::set_maker(self.db(), portal, user_id, now.word()).await?;
        }
        Ok(())
    }
}
