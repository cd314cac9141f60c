//! Access and refresh tokens, and one-time codes (facts §2.3).

use std::collections::HashMap;

/// An access token.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whose rights it carries.
    pub user: i64,
    /// Unix seconds.
    pub expires: i64,
    /// How many events lie between a person and this token (facts §6.3).
    pub hops: u32,
}

/// A fresh pair.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Access token.
    pub access: String,
    /// Refresh token.
    pub refresh: String,
    /// Unix seconds at which the access token ends.
    pub expires: i64,
    /// User.
    pub user: i64,
}

#[derive(Clone, Debug)]
struct Refresh {
    user: i64,
    expires: i64,
}

/// Seconds a refresh token lives: 180 days.
const REFRESH_SECONDS: i64 = 180 * 86_400;
/// Seconds a code lives.
const CODE_SECONDS: i64 = 30;

/// All living tokens of the app in this portal.
#[derive(Debug, Default)]
pub struct Tokens {
    access: HashMap<String, Access>,
    sweep_above: usize,
    refresh: HashMap<String, Refresh>,
    codes: HashMap<String, Refresh>,
}

impl Tokens {
    /// A new pair for a user.
    pub fn issue(&mut self, user: i64, now: i64, seconds: i64) -> Pair {
        let access = self.access_only(user, now, seconds, 0);
        let refresh = token();
        self.refresh.insert(refresh.clone(), Refresh { user, expires: now + REFRESH_SECONDS });
        Pair { access, refresh, expires: now + seconds, user }
    }

    /// An access token without a way to renew it, as events carry.
    pub fn access_only(&mut self, user: i64, now: i64, seconds: i64, hops: u32) -> String {
        // Long runs make many tokens; the dead ones are of no use after a day. Swept when as many again were made.
        if self.access.len() > self.sweep_above.max(20_000) {
            self.access.retain(|_, access| access.expires + 86_400 > now);
            self.sweep_above = 2 * self.access.len();
        }
        let access = token();
        self.access.insert(access.clone(), Access { user, expires: now + seconds, hops });
        access
    }

    /// Spends a refresh token: it works once and its pair is new.
    pub fn rotate(&mut self, refresh: &str, now: i64, seconds: i64) -> Option<Pair> {
        let old = self.refresh.remove(refresh)?;
        (old.expires > now).then(|| self.issue(old.user, now, seconds))
    }

    /// Whose refresh token this is, without spending it.
    pub fn refresh_user(&self, refresh: &str) -> Option<i64> {
        self.refresh.get(refresh).map(|refresh| refresh.user)
    }

    /// A code for the authorisation-code grant.
    pub fn code(&mut self, user: i64, now: i64) -> String {
        let code = token();
        self.codes.insert(code.clone(), Refresh { user, expires: now + CODE_SECONDS });
        code
    }

    /// Spends a code.
    pub fn redeem(&mut self, code: &str, now: i64, seconds: i64) -> Option<Pair> {
        let code = self.codes.remove(code)?;
        (code.expires > now).then(|| self.issue(code.user, now, seconds))
    }

    /// An access token, living or expired.
    pub fn find(&self, access: &str) -> Option<&Access> {
        self.access.get(access)
    }

    /// Lets every access token expire now.
    pub fn expire_all(&mut self, now: i64) {
        for access in self.access.values_mut() {
            access.expires = access.expires.min(now);
        }
    }

    /// Forgets everything: after an uninstall, or a revocation by the admin.
    pub fn revoke_all(&mut self) {
        self.access.clear();
        self.refresh.clear();
        self.codes.clear();
    }

    /// Refresh tokens alive.
    pub fn refresh_count(&self) -> usize {
        self.refresh.len()
    }
}

/// 70 hex digits, as the portal makes them.
pub fn token() -> String {
    let mut text = hex(3);
    text.truncate(70);
    text
}

/// `parts` times 32 random hex digits.
pub fn hex(parts: usize) -> String {
    (0..parts).map(|_| format!("{:032x}", rand::random::<u128>())).collect()
}
