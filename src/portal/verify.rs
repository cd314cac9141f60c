//! Who stands behind a frame or an event: the pinned OAuth host's word first, then the verified portal's (product §7).

use chrono::DateTime;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::tokens::host_of;
use super::{Directory, PortalError};
use crate::bitrix::AppInfo;
use crate::bitrix::{Call, Class, Error, Priority};
use crate::store::portals;

/// What somebody presents. Every member may be a lie.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    pub access: &'a SecretString,
    /// Empty where the caller does not say (then nothing is compared).
    pub member_id: &'a str,
    pub domain: &'a str,
    /// Chooses among the allow-listed hosts, never beside them.
    pub server_endpoint: &'a str,
}

/// What is true about it.
#[derive(Debug, Clone)]
pub struct Verified {
    pub info: AppInfo,
    pub oauth_host: Url,
    pub user_id: i64,
    /// By the verified portal's own answer, not by what the frame says.
    pub admin: bool,
    /// When the token ends (ms).
    pub expires_at: i64,
}

/// An access token lives an hour; where the host does not say when it ends, it is taken to be as old as it can be
/// without having been refused.
const ASSUMED_MS: i64 = 300_000;

fn plausible_token(token: &SecretString) -> bool {
    let text = token.expose_secret();
    (8..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn plausible_member(member_id: &str) -> bool {
    (1..=64).contains(&member_id.len()) && member_id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn same_domain(claimed: &str, info: &AppInfo) -> bool {
    let claimed = claimed.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let bare = claimed.trim_end_matches(":443").trim_end_matches(":80");
    [info.domain.clone(), host_of(&info.client_endpoint)].iter().any(|own| own.eq_ignore_ascii_case(bare))
}

fn refused(error: Error) -> PortalError {
    match error.class {
        // Later it will be no better.
        _ if matches!(error.code(), "expired_token" | "invalid_token") => {
            PortalError::Unverified("the token has ended")
        }
        Class::Retry { .. } => PortalError::Unreachable(error.to_string()),
        // Payment is a state of a portal that is told apart; everything else says only that the token is not good.
        Class::Suspend => PortalError::Bitrix(error),
        _ => PortalError::Unverified("the OAuth host does not confirm the token"),
    }
}

impl Directory {
    /// Asks the pinned host whose token this is, and the portal whether its user is an admin.
    pub async fn verify(&self, presented: Presented<'_>) -> Result<Verified, PortalError> {
        let (oauth_host, info) = self.verify_token(presented).await?;
        let admin = self.ask_who(&info, presented.access).await?;
        let expires_at = DateTime::parse_from_rfc3339(&info.expires)
            .map(|end| end.timestamp_millis())
            .unwrap_or_else(|_| self.now().saturating_add(ASSUMED_MS));
        Ok(Verified { user_id: info.user_id, info, oauth_host, admin, expires_at })
    }

    async fn verify_token(&self, presented: Presented<'_>) -> Result<(Url, AppInfo), PortalError> {
        if !plausible_token(presented.access) {
            return Err(PortalError::Unverified("there is no token"));
        }
        if !presented.member_id.is_empty() && !plausible_member(presented.member_id) {
            return Err(PortalError::Unverified("there is no portal of this name"));
        }
        // A flood of forged frames must not become a flood at the OAuth host.
        let _turn =
            self.0.verifications.acquire().await.map_err(|_| PortalError::Internal("verification has ended".into()))?;
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
                    // A host that did answer "no" must not hide one that did not answer.
                    if !matches!(last, PortalError::Unreachable(_) | PortalError::Bitrix(_)) {
                        last = error;
                    }
                }
            }
        }
        Err(last)
    }

    /// `profile` needs no scope and is the cheapest question (facts §9.4). Answers whether the user is an admin.
    async fn ask_who(&self, info: &AppInfo, access: &SecretString) -> Result<bool, PortalError> {
        let known = portals::by_member(self.db(), &info.member_id).await?;
        let client = self.visitor_client(info, known.as_ref(), access.clone())?;
        let answer = client.call(Priority::Person, &Call::new("profile", json!({}))).await;
        let answer = answer.map_err(|error| match error.class {
            _ if matches!(error.code(), "expired_token" | "invalid_token") => {
                PortalError::Unverified("the token has ended")
            }
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
        for bad in ["hotel.bitrix24.ru.evil.example", "evil.example", "hotel.bitrix24.ru:8443", "bitrix24.ru"] {
            assert!(!same_domain(bad, &info), "{bad}");
        }
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
