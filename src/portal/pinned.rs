//! What this room asks of the pinned OAuth hosts.

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use crate::bitrix::Error;

/// The pinned host's word on an access token.
#[derive(Debug, Clone)]
pub struct AppInfo {
    pub client_id: String,
    pub member_id: String,
    pub domain: String,
    pub client_endpoint: Url,
    pub installed: bool,
    /// The letter of the app's status (facts §0).
    pub status: String,
    pub scope: String,
    pub user_id: i64,
    /// When the token ends (ms), where the host says so.
    pub expires_at: Option<i64>,
}

/// A fresh pair.
#[derive(Debug, Clone)]
pub struct TokenPair {
    pub access: SecretString,
    pub refresh: SecretString,
    pub expires_in: i64,
    pub member_id: String,
    pub client_endpoint: Option<Url>,
    pub scope: String,
    pub user_id: Option<i64>,
}

/// The allow-listed OAuth hosts: the only ones that ever see the client secret.
#[async_trait]
pub trait OAuthHosts: Send + Sync {
    async fn app_info(&self, host: &Url, access: &SecretString) -> Result<AppInfo, Error>;
    async fn refresh(&self, host: &Url, refresh: &SecretString) -> Result<TokenPair, Error>;
}
