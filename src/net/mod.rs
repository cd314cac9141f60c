//! Outbound addresses: what this deployment may connect to, and clients that connect to the vetted address only
//! (product §9, "Outbound addresses").

use std::net::SocketAddr;

/// Why an address is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{0} is not allowed: only https, or http on an allowed private address")]
    Scheme(String),
    #[error("{host} is a private or reserved address; an operator must allow it")]
    Private { host: String },
    #[error("{host} has no address")]
    NoAddress { host: String },
}

/// Ranges allowed though private, per portal: `<member_id or *>=<CIDR>[:port]`.
#[derive(Debug, Clone, Default)]
pub struct Guard {}

impl Guard {
    /// Parses the entries of `bitrix.allow_private` or `pms.allow_private`.
    pub fn parse(_entries: &[String]) -> Result<Self, String> {
        todo!()
    }

    /// Resolves `host` and answers the addresses that may be connected to for this portal.
    pub async fn vet(&self, _member_id: &str, _host: &str, _port: u16) -> Result<Vec<SocketAddr>, Refused> {
        todo!()
    }

    /// A client that resolves through this guard, follows no redirect and trusts `ca_pem` besides the public roots.
    pub fn client(&self, _member_id: &str, _ca_pem: Option<&str>) -> Result<reqwest::Client, Refused> {
        todo!()
    }

    /// Whether this URL may be called at all for this portal (scheme rule; literal addresses).
    pub fn check_url(&self, _member_id: &str, _url: &url::Url) -> Result<(), Refused> {
        todo!()
    }
}
