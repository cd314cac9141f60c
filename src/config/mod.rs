//! Settings: defaults, then a TOML file, then `FB24__SECTION__KEY`. `config/reference.toml` explains every key.

pub mod calendars;
mod check;
mod load;

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

pub use check::Finding;
pub use load::{ConfigError, load, load_from};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub http: Http,
    pub ops: Ops,
    pub database: Database,
    pub secrets: Secrets,
    pub bitrix: Bitrix,
    pub sync: Sync,
    pub portal: Portal,
    pub pms: Pms,
    pub storage: Storage,
    pub mail: Mail,
    pub agent: Agent,
    pub support: Support,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    /// Base of every URL given to Bitrix24.
    pub public_url: Url,
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
    /// PostgreSQL's password, where it is not in the environment of the client library: credentials in a URL are refused.
    pub user: String,
    pub password: SecretString,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// `<key id>:<base64 of 32 bytes>`
    pub master_key: SecretString,
    pub previous_keys: Vec<SecretString>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bitrix {
    pub client_id: String,
    pub client_secret: SecretString,
    /// The only hosts that ever see `client_secret`; the first is the default.
    pub oauth_hosts: Vec<Url>,
    /// `<member_id or *>=<CIDR>[:port]`
    pub allow_private: Vec<String>,
    /// `<member_id>=<path of a PEM file>`
    pub portal_ca: Vec<String>,
    pub request_cap_seconds: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    pub lease_seconds: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portal {
    pub keep_after_uninstall_days: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pms {
    pub allow_private: Vec<String>,
    pub poll_seconds: u32,
    pub settle_seconds: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    pub url: String,
    pub endpoint: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: SecretString,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub smtp_url: String,
    pub smtp_user: String,
    pub smtp_password: SecretString,
    pub from: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub server: String,
    pub enrol_code: SecretString,
    pub data_dir: PathBuf,
    pub proxy: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Support {
    pub portal: String,
    pub mirror: bool,
    /// `bitrix24`, `kaiten`, or both.
    pub tracker: Vec<String>,
    pub imap_url: String,
    pub imap_user: String,
    pub imap_password: SecretString,
    pub mail_hook_secret: SecretString,
    pub address: String,
    pub phone: String,
    pub allowed_sites: Vec<String>,
    pub kaiten_url: String,
    pub kaiten_token: SecretString,
    pub kaiten_board: String,
    pub captcha: bool,
}

impl Support {
    /// Whether requests get cards.
    pub fn kaiten(&self) -> bool {
        self.tracker.iter().any(|tracker| tracker == "kaiten")
    }

    /// `member_id` of the support portal, where one is named.
    pub fn named(&self) -> Option<&str> {
        Some(self.portal.trim()).filter(|member| !member.is_empty())
    }
}
