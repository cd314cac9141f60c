//! Who somebody is inside a portal, besides being its admin or not (product §7).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::PortalId;
use crate::store::roles::{self, RoleRow};
use crate::store::{Db, StoreError, portals};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Installer,
    FrontDesk,
    Viewer,
    SupportManager,
    SupportOperator,
}

/// What a role does not bring by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    Folio,
    WriteBack,
    Persons,
}

impl Role {
    pub const ALL: [Self; 5] =
        [Self::Installer, Self::FrontDesk, Self::Viewer, Self::SupportManager, Self::SupportOperator];

    pub fn word(self) -> &'static str {
        match self {
            Self::Installer => "installer",
            Self::FrontDesk => "front_desk",
            Self::Viewer => "viewer",
            Self::SupportManager => "support_manager",
            Self::SupportOperator => "support_operator",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl Grant {
    pub const ALL: [Self; 3] = [Self::Folio, Self::WriteBack, Self::Persons];

    pub fn word(self) -> &'static str {
        match self {
            Self::Folio => "folio",
            Self::WriteBack => "write_back",
            Self::Persons => "persons",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.word() == word)
    }
}

/// One line of the roles page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    pub user_id: i64,
    pub role: Role,
    #[serde(default)]
    pub grants: BTreeSet<Grant>,
}

fn read(row: &RoleRow) -> Option<Assignment> {
    Some(Assignment {
        user_id: row.user_id,
        // A role of a newer release is nobody here: it gives nothing.
        role: Role::parse(&row.role)?,
        grants: row.grants.split(',').filter_map(Grant::parse).collect(),
    })
}

pub(super) async fn list(db: &Db, portal: PortalId) -> Result<Vec<Assignment>, StoreError> {
    Ok(roles::list(db, portal).await?.iter().filter_map(read).collect())
}

pub(super) async fn of_user(
    db: &Db,
    portal: PortalId,
    user_id: i64,
) -> Result<(BTreeSet<Role>, BTreeSet<Grant>), StoreError> {
    let assigned: Vec<_> = roles::of_user(db, portal, user_id).await?.iter().filter_map(read).collect();
    Ok((assigned.iter().map(|a| a.role).collect(), assigned.iter().flat_map(|a| a.grants.iter().copied()).collect()))
}

/// Replaces the list and voids the portal's sessions: each carries the roles of its beginning.
pub(super) async fn replace(db: &Db, portal: PortalId, items: &[Assignment]) -> Result<(), StoreError> {
    let rows: Vec<RoleRow> = items
        .iter()
        .map(|item| RoleRow {
            user_id: item.user_id,
            role: item.role.word().to_owned(),
            grants: item.grants.iter().map(|grant| grant.word()).collect::<Vec<_>>().join(","),
        })
        .collect();
    let tx = db.begin().await?;
    roles::replace(&tx, portal, &rows).await?;
    portals::bump_generation(&tx, portal).await?;
    tx.commit().await
}
