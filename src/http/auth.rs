//! Who is asking, and what he may: one table, right × role.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use secrecy::SecretString;

use super::HttpState;
use super::lang::{self, Lang};
use super::problem::{Kind, Problem};
use super::session::Session;
use crate::bitrix::crm::Entity;
use crate::crypto::ApiKey;
use crate::domain::{HotelCode, PortalId};
pub use crate::portal::{Grant, Role};
use crate::portal::{PortalError, Reader};
use crate::store::api_keys::{self, ApiKeyRow};

/// Somebody known, of one portal.
#[derive(Debug, Clone)]
pub struct Principal {
    pub portal: PortalId,
    pub member_id: String,
    /// 0 for a key.
    pub user_id: i64,
    pub admin: bool,
    pub roles: BTreeSet<Role>,
    pub grants: BTreeSet<Grant>,
    /// `None`: every hotel of the portal.
    pub hotels: Option<Vec<HotelCode>>,
    pub lang: Lang,
    pub kind: PrincipalKind,
}

#[derive(Debug, Clone)]
pub enum PrincipalKind {
    /// A person in a frame; the token is his own, opened from his session.
    User { access: SecretString, session: u64, expires_at: i64 },
    /// An integrator's key.
    Key { id: String },
}

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Being known at all: own session, the tabs (which ask the portal besides).
    Known,
    /// Traffic lights, lists, stays, hotels, imports: to look.
    Read,
    SeeProblems,
    HandleProblems,
    SeeLog,
    SeeSettings,
    ChangeSettings,
    ManageHotels,
    CheckHotel,
    RunImport,
    ChangeMapping,
    /// To join a stay and a deal, and to part them.
    Attach,
    /// The set-up of the app on the portal: to look and to try again.
    Install,
    /// Another server works for this portal: to decide for this one.
    TakeOver,
    ManageRoles,
    ManageKeys,
    SeeFolio,
    WriteBack,
    /// One person's data out, or erased.
    Persons,
    /// To work support requests, where the desk is.
    WorkRequests,
    /// How the desk works.
    ManageDesk,
}

impl Right {
    pub const ALL: [Self; 21] = [
        Self::Known,
        Self::Read,
        Self::SeeProblems,
        Self::HandleProblems,
        Self::SeeLog,
        Self::SeeSettings,
        Self::ChangeSettings,
        Self::ManageHotels,
        Self::CheckHotel,
        Self::RunImport,
        Self::ChangeMapping,
        Self::Attach,
        Self::Install,
        Self::TakeOver,
        Self::ManageRoles,
        Self::ManageKeys,
        Self::SeeFolio,
        Self::WriteBack,
        Self::Persons,
        Self::WorkRequests,
        Self::ManageDesk,
    ];

    /// The table. An admin may everything but what is a grant of its own; a grant needs a role that may look.
    fn allows(self, admin: bool, roles: &BTreeSet<Role>, grants: &BTreeSet<Grant>) -> bool {
        let any = |allowed: &[Role]| admin || allowed.iter().any(|role| roles.contains(role));
        use Role::{FrontDesk, Installer, SupportManager, SupportOperator, Viewer};
        match self {
            Self::Known => true,
            Self::Read => any(&[Installer, FrontDesk, Viewer]),
            Self::SeeProblems => any(&[Installer, FrontDesk, Viewer]),
            Self::HandleProblems => any(&[Installer, FrontDesk]),
            Self::Attach => any(&[FrontDesk]),
            Self::SeeLog
            | Self::SeeSettings
            | Self::ChangeSettings
            | Self::ManageHotels
            | Self::CheckHotel
            | Self::RunImport
            | Self::ChangeMapping
            | Self::Install => any(&[Installer]),
            Self::TakeOver | Self::ManageRoles | Self::ManageKeys => admin,
            Self::SeeFolio => admin || grants.contains(&Grant::Folio),
            Self::WriteBack => admin || grants.contains(&Grant::WriteBack),
            Self::Persons => admin || grants.contains(&Grant::Persons),
            Self::WorkRequests => any(&[SupportManager, SupportOperator]),
            Self::ManageDesk => any(&[SupportManager]),
        }
    }
}

/// Refuses unless the principal has the right.
pub fn require(principal: &Principal, right: Right) -> Result<(), Problem> {
    if right.allows(principal.admin, &principal.roles, &principal.grants) {
        Ok(())
    } else {
        Err(Kind::Forbidden.into())
    }
}

impl Principal {
    pub fn may(&self, right: Right) -> bool {
        right.allows(self.admin, &self.roles, &self.grants)
    }

    /// Whether this hotel is within the principal's reach; a stranger's hotel is answered as not found.
    pub fn sees_hotel(&self, code: &HotelCode) -> bool {
        self.hotels.as_ref().is_none_or(|hotels| hotels.contains(code))
    }
}

impl FromRequest for Principal {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let principal = authenticate(&req).await?;
            req.extensions_mut().insert(principal.lang);
            Ok(principal)
        })
    }
}

async fn authenticate(req: &HttpRequest) -> Result<Principal, Problem> {
    let unknown = || Problem::from(Kind::Unauthenticated);
    let state = req.app_data::<web::Data<HttpState>>().ok_or_else(|| Problem::from(Kind::Internal))?;
    let header = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(unknown)?;
    let (scheme, token) = header.split_once(' ').ok_or_else(unknown)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > 8192 {
        return Err(unknown());
    }
    if ApiKey::looks_like(token) {
        return by_key(state, token, lang::of_request(req)).await?.ok_or_else(unknown);
    }
    by_session(state, token).await
}

async fn by_session(state: &HttpState, token: &str) -> Result<Principal, Problem> {
    let ended = || Problem::from(Kind::SessionExpired);
    let session = Session::open(&state.keyring, token, state.clock.now_ms()).ok_or_else(ended)?;
    let portal = match state.directory.get(session.portal).await {
        Ok(portal) => portal,
        Err(crate::portal::PortalError::Unknown) => return Err(ended()),
        Err(error) => return Err(error.into()),
    };
    if portal.generation != session.generation || !portal.status.open() {
        return Err(ended());
    }
    Ok(Principal {
        portal: portal.id,
        member_id: portal.member_id,
        user_id: session.user_id,
        admin: session.admin,
        roles: session.roles,
        grants: session.grants,
        hotels: None,
        lang: session.lang,
        kind: PrincipalKind::User { access: session.access, session: session.nonce, expires_at: session.expires_at },
    })
}

/// An integrator's key, `fb24_<id>_<secret>`: `None` where it is not known, run out or of a closed portal.
async fn by_key(state: &HttpState, token: &str, lang: Lang) -> Result<Option<Principal>, Problem> {
    let Some(key) = ApiKey::parse(token) else { return Ok(None) };
    let Some(row) = api_keys::find(&state.db, &key.id).await? else { return Ok(None) };
    if !key.matches(&row.hash) || row.expires_at <= state.clock.now_ms() {
        return Ok(None);
    }
    let portal = match state.directory.get(row.portal).await {
        Ok(portal) if portal.status.open() => portal,
        Ok(_) | Err(PortalError::Unknown) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let words = in_force(state, &row).await?;
    if words.is_empty() {
        return Err(Problem::from(Kind::Forbidden).with_code("key_maker").with_detail(
            "Сотрудник, который создал этот ключ, больше не работает на портале или лишился этих прав, поэтому ключ не \
             действует. Администратору портала нужно создать новый ключ.",
            "Whoever made this key has left the portal or lost these rights, so the key does not work. An administrator of \
             the portal must make a new one.",
        ));
    }
    Ok(Some(Principal {
        portal: portal.id,
        member_id: portal.member_id,
        user_id: 0,
        // A key is never an admin, whoever made it: it cannot make keys or give roles.
        admin: false,
        roles: words.iter().filter_map(|word| Role::parse(word)).collect(),
        grants: words.iter().filter_map(|word| Grant::parse(word)).collect(),
        hotels: row.hotels,
        lang,
        kind: PrincipalKind::Key { id: row.id },
    }))
}

/// What of a key's grants counts now: that which its maker could do himself.
pub async fn in_force(state: &HttpState, key: &ApiKeyRow) -> Result<Vec<String>, Problem> {
    let (admin, roles, grants) = state.directory.maker(key).await?;
    let within = |word: &&String| {
        let (role, grant) = (Role::parse(word).into_iter().collect(), Grant::parse(word).into_iter().collect());
        let given = Right::ALL.into_iter().filter(|right| right.allows(false, &role, &grant));
        given.into_iter().all(|right| right.allows(admin, &roles, &grants))
    };
    Ok(key.grants.iter().filter(within).cloned().collect())
}

/// Whether the caller may see what belongs to this record: admins and roles that may look see every stay, anybody else
/// only what the portal lets his own token read (product §7).
pub async fn may_read(state: &HttpState, who: &Principal, entity: Entity, id: i64) -> Result<bool, Problem> {
    Ok(readable(state, who, entity, &[id]).await?.contains(&id))
}

/// Which of these records the caller may see what belongs to.
pub async fn readable(
    state: &HttpState,
    who: &Principal,
    entity: Entity,
    ids: &[i64],
) -> Result<BTreeSet<i64>, Problem> {
    if who.may(Right::Read) { Ok(ids.iter().copied().collect()) } else { reads_himself(state, who, entity, ids).await }
}

/// Whether the portal lets the caller's own token read this deal; an integrator's key has none.
pub async fn reads_deal_himself(state: &HttpState, who: &Principal, deal: i64) -> Result<bool, Problem> {
    Ok(reads_himself(state, who, Entity::Deal, &[deal]).await?.contains(&deal))
}

/// Which of these records the portal lets the caller's own token read.
pub async fn reads_himself(
    state: &HttpState,
    who: &Principal,
    entity: Entity,
    ids: &[i64],
) -> Result<BTreeSet<i64>, Problem> {
    let PrincipalKind::User { access, session, expires_at } = &who.kind else { return Ok(BTreeSet::new()) };
    let reader = Reader { session: *session, access, until: *expires_at };
    match state.directory.user_reads(who.portal, reader, entity, ids).await {
        Ok(readable) => Ok(readable),
        Err(PortalError::Unverified(_)) => Err(Kind::SessionExpired.into()),
        Err(error) => Err(error.into()),
    }
}
