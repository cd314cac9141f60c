//! What settings may not be together: `serve` refuses to start, `doctor` says why.

use std::net::IpAddr;

use secrecy::ExposeSecret;
use url::{Host, Url};

use super::Config;
use crate::crypto::Keyring;

/// One finding: the setting, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub key: &'static str,
    pub text: String,
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// A site as browsers name it: scheme, host, port, and nothing behind them.
fn is_origin(site: &str) -> bool {
    Url::parse(site).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == site.trim_end_matches('/')
    })
}

impl Config {
    /// Whether both addresses stay on this machine, so that unsafe settings are harmless.
    pub fn is_local(&self) -> bool {
        self.http.listen.ip().is_loopback() && is_loopback(&self.http.public_url)
    }

    /// Everything that forbids `serve`.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut say = |key, text: &str| found.push(Finding { key, text: text.to_owned() });
        if !self.is_local() {
            if self.http.public_url.scheme() != "https" {
                say("http.public_url", "must be https: Bitrix24 opens no other");
            }
            let everyone = |list: &[String]| list.iter().any(|entry| entry.trim_start().starts_with('*'));
            if everyone(&self.bitrix.allow_private) {
                say(
                    "bitrix.allow_private",
                    "`*` is only for an installation on loopback; name the portals by member_id",
                );
            }
            if everyone(&self.pms.allow_private) {
                say("pms.allow_private", "`*` is only for an installation on loopback; name the portals by member_id");
            }
            if !self.support.captcha {
                say("support.captcha", "may be false only on loopback: public forms would be open to robots");
            }
        }
        if self.bitrix.oauth_hosts.is_empty() {
            say("bitrix.oauth_hosts", "must name at least one host");
        }
        if self
            .bitrix
            .oauth_hosts
            .iter()
            .any(|host| host.scheme() != "https" && !(is_loopback(host) && self.is_local()))
        {
            say("bitrix.oauth_hosts", "must be https: these hosts see the application's secret");
        }
        if self.bitrix.request_cap_seconds == 0 {
            say("bitrix.request_cap_seconds", "must be at least 1");
        }
        if self.sync.lease_seconds == 0 || self.sync.lease_seconds > 20 {
            say("sync.lease_seconds", "must be 1 to 20: a dead node's work would wait longer than promised");
        }
        if !["file://", "s3://"].iter().any(|scheme| self.storage.url.starts_with(scheme)) {
            say("storage.url", "must start with file:// or s3://");
        }
        if let Some(site) = self.support.allowed_sites.iter().find(|site| !is_origin(site)) {
            say("support.allowed_sites", &format!("`{site}` is no site: write it like https://www.example.com"));
        }
        if let Some(tracker) = self.support.tracker.iter().find(|word| !["bitrix24", "kaiten"].contains(&word.as_str()))
        {
            say("support.tracker", &format!("`{tracker}` is no tracker: bitrix24, kaiten, or both"));
        }
        for (key, missing) in self.support.kaiten_findings() {
            say(key, missing);
        }
        if let Some(text) = self.mail_finding() {
            say("mail.smtp_url", &text);
        }
        if let Err(error) = self.keyring() {
            say("secrets.master_key", &error.to_string());
        }
        if let Err(reason) = crate::net::Guard::parse(&self.bitrix.allow_private) {
            say("bitrix.allow_private", &reason);
        }
        if let Err(reason) = crate::net::Guard::parse(&self.pms.allow_private) {
            say("pms.allow_private", &reason);
        }
        if let Err(reason) = crate::net::Authorities::parse(&self.bitrix.portal_ca) {
            say("bitrix.portal_ca", &reason);
        }
        found
    }

    /// A password is not sent in the clear beyond this machine.
    fn mail_finding(&self) -> Option<String> {
        let url = Url::parse(self.mail.smtp_url.trim()).ok()?;
        let clear =
            url.scheme() == "smtp" && !url.query_pairs().any(|(key, value)| key == "tls" && value == "required");
        let host = url.host_str().unwrap_or_default();
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        (clear && !self.mail.smtp_user.is_empty() && !here)
            .then(|| "sends the password in the clear: use smtps://, or add ?tls=required".to_owned())
    }

    pub fn keyring(&self) -> Result<Keyring, crate::crypto::MasterKeyError> {
        let previous: Vec<String> =
            self.secrets.previous_keys.iter().map(|key| key.expose_secret().to_owned()).collect();
        Keyring::parse(self.secrets.master_key.expose_secret(), &previous)
    }
}

impl super::Support {
    /// What Kaiten lacks, where it is a tracker.
    fn kaiten_findings(&self) -> Vec<(&'static str, &'static str)> {
        let url = Url::parse(self.kaiten_url.trim()).ok();
        let plain = |url: &Url| url.username().is_empty() && url.password().is_none();
        let of_web = |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host() && plain(url);
        let board = self.kaiten_board.trim().parse::<i64>().is_ok_and(|board| board > 0);
        let checks = [
            (
                url.as_ref().is_some_and(of_web),
                "support.kaiten_url",
                "must be an address like https://company.kaiten.ru",
            ),
            (
                !self.kaiten_token.expose_secret().trim().is_empty(),
                "support.kaiten_token",
                "is missing: cards are made with it",
            ),
            (board, "support.kaiten_board", "must be the number of the board that gets the cards"),
        ];
        let wrong = checks.into_iter().filter(|(right, ..)| self.kaiten() && !right);
        wrong.map(|(_, key, text)| (key, text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s28_a_site_is_named_as_browsers_name_it() {
        for site in ["https://www.example.com", "https://www.example.com/", "http://127.0.0.1:8080", "https://[::1]"] {
            assert!(is_origin(site), "{site}");
        }
        for other in ["", "*", "www.example.com", "https://example.com/form", "https://a@b.example", "data:x", "'none'"]
        {
            assert!(!is_origin(other), "{other}");
        }
    }
}
