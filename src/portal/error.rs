//! Why something about a portal could not be done.

use url::Url;

use crate::bitrix;
use crate::store::StoreError;

/// Why a portal's certificate was not taken, and whether the one who asks can help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// `certificate_issuer`, `certificate_name`, `certificate_expired` …; `authority` where what was offered is no PEM.
    pub fault: &'static str,
    /// The portal's address by the pinned OAuth host's word.
    pub endpoint: Url,
    /// An unknown authority signed it, and this visitor may say which one to trust.
    pub may_offer: bool,
    /// He has said so, and it was not that one.
    pub offered: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    #[error("no such portal")]
    Unknown,
    /// The presented token is not one of this app at this portal, or the form lies about it.
    #[error("not verified: {0}")]
    Unverified(&'static str),
    /// The token is good, its user is no admin.
    #[error("the user is no admin of the portal")]
    NotAdmin,
    /// The portal is in a state in which it is not called.
    #[error("the portal is {0}")]
    NotCallable(&'static str),
    /// Nobody could be asked: try again.
    #[error("cannot verify now: {0}")]
    Unreachable(String),
    /// Too many tries of this caller's were refused: he waits.
    #[error("too many refused tries")]
    TooMany,
    /// The portal was reached, but its certificate is not trusted.
    #[error("the portal's certificate is not trusted: {}", .0.fault)]
    Untrusted(Box<Untrusted>),
    #[error(transparent)]
    Bitrix(#[from] bitrix::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Internal(String),
}

impl From<crate::crypto::CryptoError> for PortalError {
    fn from(error: crate::crypto::CryptoError) -> Self {
        Self::Store(error.into())
    }
}
