//! Why something about a portal could not be done.

use crate::bitrix;
use crate::store::StoreError;

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
