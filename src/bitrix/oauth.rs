//! The OAuth host: refreshing a pair, and asking whose an access token is (facts §2).
//!
//! Only hosts of the operator's allow-list are ever called: they see `client_secret` (facts §1.7, "SECURITY").

use std::sync::Arc;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use super::codes::At;
use super::de;
use super::error::Error;
use super::wire;

const TIMEOUT: Duration = Duration::from_secs(30);
const BODY: usize = 256 * 1024;

/// The allow-listed hosts, the first of them the default. Cheap to clone.
#[derive(Clone)]
pub struct OAuthHosts(Arc<Hosts>);

struct Hosts {
    hosts: Vec<Url>,
    client_id: String,
    client_secret: SecretString,
    http: reqwest::Client,
}

impl std::fmt::Debug for OAuthHosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts: Vec<_> = self.0.hosts.iter().map(Url::as_str).collect();
        f.debug_struct("OAuthHosts").field("hosts", &hosts).finish_non_exhaustive()
    }
}

/// A new pair and what came with it.
#[derive(Debug, Clone)]
pub struct TokenPair {
    pub access_token: SecretString,
    pub refresh_token: SecretString,
    /// Seconds from now.
    pub expires_in: i64,
    pub member_id: String,
    /// `https://<portal>/rest/` as it is now: a rename shows here (facts §2.3).
    pub client_endpoint: Option<Url>,
    pub user_id: Option<i64>,
    pub scope: Vec<String>,
    pub status: String,
}

/// Whose token it is, by the OAuth host's own word. `client_id` is ours: anything else is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppInfo {
    pub member_id: String,
    pub client_endpoint: Url,
    /// The portal's host, with its port where it has an unusual one.
    pub domain: String,
    pub user_id: i64,
    pub status: String,
    pub scope: Vec<String>,
    pub installed: bool,
    /// As the host writes it: an ISO moment, or nothing.
    pub expires: String,
}

/// Bitrix24's token answer: no `token_type`, which the crate's own type requires (facts/rust §1.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TokenAnswer {
    access_token: AccessToken,
    refresh_token: RefreshToken,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    member_id: String,
    #[serde(default)]
    client_endpoint: Value,
    #[serde(default)]
    user_id: Value,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    status: Value,
}

impl oauth2::TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        de::int(&self.expires_in).and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        Some(&self.refresh_token)
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

impl OAuthHosts {
    /// `http` hosts are taken on loopback only.
    pub fn new(hosts: Vec<Url>, client_id: impl Into<String>, client_secret: SecretString) -> Result<Self, Error> {
        if hosts.is_empty() {
            return Err(Error::internal("no OAuth host is configured"));
        }
        if let Some(open) = hosts.iter().find(|host| host.scheme() != "https" && !is_loopback(host)) {
            return Err(Error::internal(format!("the OAuth host {open} must be https")));
        }
        let http = crate::net::operator_client().map_err(|refused| Error::internal(refused.to_string()))?;
        Ok(Self(Arc::new(Hosts { hosts, client_id: client_id.into(), client_secret, http })))
    }

    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }

    pub fn all(&self) -> &[Url] {
        &self.0.hosts
    }

    /// The host to ask first where nothing is known of a portal.
    pub fn default_host(&self) -> Result<&Url, Error> {
        self.0.hosts.first().ok_or_else(|| Error::internal("no OAuth host is configured"))
    }

    /// The allow-listed host that a portal names (`SERVER_ENDPOINT`), else the default. What a portal says can choose
    /// among our hosts only.
    pub fn choose(&self, server_endpoint: &str) -> Result<&Url, Error> {
        let named = Url::parse(server_endpoint).ok().map(|url| url.origin());
        match self.0.hosts.iter().find(|host| Some(host.origin()) == named) {
            Some(host) => Ok(host),
            None => self.default_host(),
        }
    }

    fn allowed(&self, host: &Url) -> Result<&Url, Error> {
        self.0
            .hosts
            .iter()
            .find(|own| own.origin() == host.origin())
            .ok_or_else(|| Error::address(format!("{} is no configured OAuth host", host.host_str().unwrap_or("?"))))
    }

    /// Exchanges a refresh token for a new pair. The old refresh token is dead as soon as the host has answered, so a
    /// caller commits the new pair before he uses it; a lost answer (`outcome_unknown`) may have cost the pair.
    pub async fn refresh(&self, host: &Url, refresh_token: &SecretString) -> Result<TokenPair, Error> {
        let url = self.allowed(host)?.join("/oauth/token/").map_err(|e| Error::internal(e.to_string()))?;
        let client = OAuthClient::new(ClientId::new(self.0.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.0.client_secret.expose_secret().to_owned()))
            // Secrets in the form, never in the URL (facts §2.3).
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(url));
        let http = self.0.http.clone();
        let send = move |request| answer(http.clone(), request);
        let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let answer = client.exchange_refresh_token(&token).request_async(&send).await.map_err(|error| match error {
            RequestTokenError::Request(error) => error,
            // The crate's texts may quote the body, which holds tokens.
            _ => Error::unreadable(200, "the OAuth host's token answer has no pair"),
        })?;
        if answer.access_token.secret().is_empty() || answer.refresh_token.secret().is_empty() {
            return Err(Error::unreadable(200, "the OAuth host's token answer has an empty token"));
        }
        Ok(TokenPair {
            expires_in: de::int(&answer.expires_in).unwrap_or(3600),
            member_id: answer.member_id,
            client_endpoint: de::text(&answer.client_endpoint).and_then(|text| Url::parse(&text).ok()),
            user_id: de::id(&answer.user_id),
            scope: scopes(&answer.scope),
            status: de::text(&answer.status).unwrap_or_default(),
            access_token: SecretString::from(answer.access_token.into_secret()),
            refresh_token: SecretString::from(answer.refresh_token.into_secret()),
        })
    }

    /// Asks the host whose token this is. Only this answer is trusted, not what came with the token (product §9).
    pub async fn app_info(&self, host: &Url, access_token: &SecretString) -> Result<AppInfo, Error> {
        let url = self.allowed(host)?.join("/rest/app.info").map_err(|e| Error::internal(e.to_string()))?;
        let form = [("auth", access_token.expose_secret())];
        let sent = self.0.http.post(url).timeout(TIMEOUT).header("Accept", "application/json").form(&form).send();
        let answer = wire::read(sent.await.map_err(|e| wire::transport(&e))?, BODY).await?;
        let (status, json) = answer.json()?;
        if let Some(error) = wire::refusal(At::OAuth, status, &json) {
            return Err(error);
        }
        let unreadable = || Error::unreadable(status, "app.info of the OAuth host has another shape");
        let result = json.get("result").ok_or_else(unreadable)?;
        let client_id = result.get("client_id").and_then(de::text).unwrap_or_default();
        if client_id != self.0.client_id {
            return Err(Error::refused(
                At::OAuth,
                "foreign_client",
                "the token belongs to another application",
                status,
            ));
        }
        let install = result.get("install").ok_or_else(unreadable)?;
        let text = |key: &str| install.get(key).and_then(de::text).unwrap_or_default();
        let client_endpoint = Url::parse(&text("client_endpoint")).map_err(|_| unreadable())?;
        let member_id = Some(text("member_id")).filter(|id| !id.is_empty()).ok_or_else(unreadable)?;
        let host = client_endpoint.host_str().ok_or_else(unreadable)?;
        let domain = match client_endpoint.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(AppInfo {
            member_id,
            domain,
            user_id: result.get("user_id").and_then(de::id).ok_or_else(unreadable)?,
            status: text("status"),
            scope: install.get("scope").or_else(|| result.get("scope")).map(scopes).unwrap_or_default(),
            installed: install.get("installed").and_then(de::flag).unwrap_or_default(),
            expires: result.get("expires").and_then(de::text).unwrap_or_default(),
            client_endpoint,
        })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn scopes(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(de::text).collect(),
        other => de::text(other)
            .unwrap_or_default()
            .split([',', ' '])
            .map(str::trim)
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

/// One token request. Refusals are found here, whatever their status (`wrong_client` comes with 200).
async fn answer(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Error> {
    let mut request =
        reqwest::Request::try_from(request).map_err(|_| Error::internal("a token request cannot be built"))?;
    *request.timeout_mut() = Some(TIMEOUT);
    let answer = wire::read(http.execute(request).await.map_err(|e| wire::transport(&e))?, BODY).await?;
    let (status, json) = answer.json()?;
    if let Some(error) = wire::refusal(At::OAuth, status, &json) {
        return Err(error);
    }
    Ok(HttpResponse::new(answer.body))
}
