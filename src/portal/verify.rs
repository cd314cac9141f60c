//! Who stands behind a frame or an event: the pinned OAuth host's word first, then the verified portal's (product §7).

use std::net::IpAddr;

use chrono::DateTime;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::tokens::host_of;
use super::turns::Claim;
use super::{Directory, PortalError, Untrusted};
use crate::bitrix::AppInfo;
use crate::bitrix::{Call, Class, Error, ErrorKind, Priority};
use crate::net;
use crate::store::portals::{self, PortalRow};

/// The one fault of a certificate that naming an authority can mend.
const UNKNOWN_AUTHORITY: &str = "certificate_issuer";
/// A chain of a few authorities is far below.
const AUTHORITY_BYTES: usize = 32 * 1024;

/// What somebody presents. Every member may be a lie.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    pub access: &'a SecretString,
    /// Empty where the caller does not say (then nothing is compared).
    pub member_id: &'a str,
    pub domain: &'a str,
    /// Chooses among the allow-listed hosts, never beside them.
    pub server_endpoint: &'a str,
    /// A certificate authority (PEM) to trust for this portal, should its certificate be signed by an unknown one.
    pub authority: Option<&'a str>,
    /// Who is asking; `None`: we are, for somebody who asked before, or nobody can tell.
    pub from: Option<IpAddr>,
}

/// What is true about it.
#[derive(Debug, Clone)]
pub struct Verified {
    pub info: AppInfo,
    pub oauth_host: Url,
    pub user_id: i64,
    /// By the verified portal's own answer, not by what the frame says.
    pub admin: bool,
    /// The offered authority, where the portal could be reached through it only.
    pub authority: Option<String>,
    /// When the token ends (ms).
    pub expires_at: i64,
}

/// An access token lives an hour; where the host does not say when it ends, it is taken to be as old as it can be
/// without having been refused.
const ASSUMED_MS: i64 = 300_000;

/// A page left open over night shows such a token, a forger has none: it is held against nobody.
const ENDED: &str = "the token has ended";

fn plausible_token(token: &SecretString) -> bool {
    let text = token.expose_secret();
    (8..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn plausible_member(member_id: &str) -> bool {
    (1..=64).contains(&member_id.len()) && member_id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Hosts are compared as a browser reads them: without the usual port, in lower case, `портал.рф` in its ASCII form.
fn same_domain(claimed: &str, info: &AppInfo) -> bool {
    let bare = claimed.strip_prefix("https://").or_else(|| claimed.strip_prefix("http://")).unwrap_or(claimed);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    // Whatever else an address may hold (a user, a path, a query) says that this is no host.
    if bare.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@\\".contains(c)) {
        return false;
    }
    let read = |scheme: &str| Url::parse(&format!("{scheme}://{bare}/")).ok().map(|url| host_of(&url));
    let own = host_of(&info.client_endpoint);
    // A usual port stands for its own scheme: `:80` is dropped from http, `:443` from https.
    [read("https"), read("http")].into_iter().flatten().any(|host| !host.is_empty() && host == own)
}

fn refused(error: Error) -> PortalError {
    match error.class {
        // Later it will be no better.
        _ if error.code() == "expired_token" => PortalError::Unverified(ENDED),
        _ if error.code() == "invalid_token" => PortalError::Unverified("the token is none of this app's"),
        Class::Retry { .. } => PortalError::Unreachable(error.to_string()),
        // Payment is a state of a portal that is told apart; everything else says only that the token is not good.
        Class::Suspend => PortalError::Bitrix(error),
        _ => PortalError::Unverified("the OAuth host does not confirm the token"),
    }
}

impl Directory {
    /// Asks the pinned host whose token this is, and the portal whether its user is an admin.
    pub async fn verify(&self, presented: Presented<'_>) -> Result<Verified, PortalError> {
        let claim = self.claimed(presented).await?;
        let (oauth_host, info) = match self.verify_token(presented, &claim).await {
            Err(error @ PortalError::Unverified(why)) if why != ENDED => {
                self.0.turns.refused(&claim, self.now());
                return Err(error);
            }
            other => other?,
        };
        let known = portals::by_member(self.db(), &info.member_id).await?;
        let (admin, authority) = match self.ask_who(&info, known.as_ref(), presented.access, None).await {
            Err(PortalError::Untrusted(untrusted)) => {
                let pem = self.offered(*untrusted, known.as_ref(), &info, presented.authority)?;
                (self.ask_who(&info, known.as_ref(), presented.access, Some(&pem)).await?, Some(pem))
            }
            other => (other?, None),
        };
        let expires_at = DateTime::parse_from_rfc3339(&info.expires)
            .map(|end| end.timestamp_millis())
            .unwrap_or_else(|_| self.now().saturating_add(ASSUMED_MS));
        Ok(Verified { user_id: info.user_id, info, oauth_host, admin, authority, expires_at })
    }

    /// The authority that this visitor may offer and has offered, else why the portal cannot be reached.
    ///
    /// Whoever stands between us and the portal could offer an authority of his own and then answer in the portal's
    /// place. So nothing is taken while the portal can be reached without it, and once a portal is known it is taken
    /// from the person who installed it only: who he is, the pinned OAuth host says, not the portal.
    fn offered(
        &self,
        untrusted: Untrusted,
        known: Option<&PortalRow>,
        info: &AppInfo,
        authority: Option<&str>,
    ) -> Result<String, PortalError> {
        let installer = known.map_or(0, |row| row.installer_user_id);
        // What the operator named wins over what anybody offers: it would be kept and never used.
        let free = self.0.parts.authorities.of(&info.member_id).is_none();
        let may_offer = free && untrusted.fault == UNKNOWN_AUTHORITY && (installer == 0 || installer == info.user_id);
        let untrusted = Untrusted { may_offer, ..untrusted };
        match authority.filter(|_| may_offer) {
            None => Err(PortalError::Untrusted(untrusted.into())),
            Some(pem) if pem.len() > AUTHORITY_BYTES || net::check_authority(pem).is_err() => {
                Err(PortalError::Untrusted(Untrusted { fault: "authority", offered: true, ..untrusted }.into()))
            }
            Some(pem) => Ok(pem.to_owned()),
        }
    }

    /// In which queue this waits. Most name the portal; a session that goes on names its address only.
    async fn claimed(&self, presented: Presented<'_>) -> Result<Claim, PortalError> {
        let (member, domain) = (presented.member_id, presented.domain);
        let portal = match member {
            "" => portals::member_at(self.db(), domain).await?,
            _ => self.gate_entry(member).await?.map(|_| member.to_owned()),
        };
        Ok(Claim::new(presented.from, portal))
    }

    async fn verify_token(&self, presented: Presented<'_>, claim: &Claim) -> Result<(Url, AppInfo), PortalError> {
        if !plausible_token(presented.access) {
            return Err(PortalError::Unverified("there is no token"));
        }
        if !presented.member_id.is_empty() && !plausible_member(presented.member_id) {
            return Err(PortalError::Unverified("there is no portal of this name"));
        }
        let _turn = self.0.turns.take(claim, self.now()).await?;
        let oauth = self.0.parts.bitrix.oauth();
        let named = oauth.choose(presented.server_endpoint)?.clone();
        let mut hosts = vec![named.clone()];
        hosts.extend(oauth.all().iter().filter(|host| host.origin() != named.origin()).cloned());
        let mut last = PortalError::Unverified("no OAuth host knows the token");
        for host in hosts {
            match oauth.app_info(&host, presented.access).await {
                Ok(info) => {
                    if !presented.member_id.is_empty() && info.member_id != presented.member_id {
                        return Err(PortalError::Unverified("the token belongs to another portal"));
                    }
                    if !presented.domain.is_empty() && !same_domain(presented.domain, &info) {
                        return Err(PortalError::Unverified("the token belongs to another address"));
                    }
                    return Ok((host, info));
                }
                Err(error) => {
                    let error = refused(error);
                    // A host that did answer "no" must not hide one that did not answer, or one that knows the token.
                    if !matches!(
                        last,
                        PortalError::Unreachable(_) | PortalError::Bitrix(_) | PortalError::Unverified(ENDED)
                    ) {
                        last = error;
                    }
                }
            }
        }
        Err(last)
    }

    /// `profile` needs no scope and is the cheapest question (facts §9.4). Answers whether the user is an admin.
    async fn ask_who(
        &self,
        info: &AppInfo,
        known: Option<&PortalRow>,
        access: &SecretString,
        authority: Option<&str>,
    ) -> Result<bool, PortalError> {
        let client = self.visitor_client(info, known, access.clone(), authority)?;
        let answer = client.call(Priority::Person, &Call::new("profile", json!({}))).await;
        let answer = answer.map_err(|error| match error.class {
            _ if let ErrorKind::Tls(fault) = error.kind => {
                let endpoint = info.client_endpoint.clone();
                let offered = authority.is_some();
                PortalError::Untrusted(
                    Untrusted { fault, endpoint, may_offer: offered && fault == UNKNOWN_AUTHORITY, offered }.into(),
                )
            }
            _ if matches!(error.code(), "expired_token" | "invalid_token") => PortalError::Unverified(ENDED),
            Class::Retry { .. } => PortalError::Unreachable(error.to_string()),
            _ => PortalError::Bitrix(error),
        })?;
        let id = answer.result.get("ID").and_then(|id| id.as_i64().or_else(|| id.as_str()?.trim().parse().ok()));
        if id != Some(info.user_id) {
            return Err(PortalError::Unverified("the portal names another user than the OAuth host"));
        }
        Ok(matches!(answer.result.get("ADMIN"), Some(Value::Bool(true)))
            || answer.result.get("ADMIN").and_then(Value::as_str).is_some_and(|text| text == "Y" || text == "true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_a_domain_is_compared_without_its_usual_port_and_letter_case() {
        let info = AppInfo {
            member_id: "m".into(),
            client_endpoint: Url::parse("https://Hotel.bitrix24.ru/rest/").expect("url"),
            domain: "hotel.bitrix24.ru".into(),
            user_id: 1,
            status: "L".into(),
            scope: vec![],
            installed: true,
            expires: String::new(),
        };
        for good in ["hotel.bitrix24.ru", "HOTEL.bitrix24.ru", "hotel.bitrix24.ru:443", "https://hotel.bitrix24.ru/"] {
            assert!(same_domain(good, &info), "{good}");
        }
        for bad in [
            "hotel.bitrix24.ru.evil.example",
            "evil.example",
            "hotel.bitrix24.ru:8443",
            "bitrix24.ru",
            "u@hotel.bitrix24.ru",
            "u:p@hotel.bitrix24.ru:443",
            "evil.example#@hotel.bitrix24.ru",
            "hotel.bitrix24.ru/evil",
            "hotel.bitrix24.ru\\evil",
            "hotel.bitrix24.ru:443:443",
            "hotel.bitrix24.ru\r\nX-Evil: 1",
            "hotel.bitrix24.ru\u{0}",
            "hоtel.bitrix24.ru", // a Cyrillic о
            "https://https://hotel.bitrix24.ru",
            "/",
        ] {
            assert!(!same_domain(bad, &info), "{bad}");
        }
        let boxed =
            AppInfo { client_endpoint: Url::parse("https://xn--80aswg.xn--p1ai:8443/rest/").expect("url"), ..info };
        for good in ["сайт.рф:8443", "САЙТ.рф:8443", "xn--80aswg.xn--p1ai:8443"] {
            assert!(same_domain(good, &boxed), "{good}");
        }
        assert!(!same_domain("сайт.рф", &boxed), "another port");
    }

    #[test]
    fn s3_what_cannot_be_a_token_is_asked_of_nobody() {
        for bad in ["", "short", "with space in it", "кириллица-кириллица"] {
            assert!(!plausible_token(&SecretString::from(bad.to_owned())), "{bad}");
        }
        assert!(plausible_token(&SecretString::from("a1b2c3d4e5f6".to_owned())));
        assert!(!plausible_member("' OR 1=1") && !plausible_member("") && plausible_member("a1b2c3"));
    }
}
