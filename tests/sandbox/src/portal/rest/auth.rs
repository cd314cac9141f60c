//! Who may call at all (facts §3.3).

use super::call::Caller;
use super::incoming::Credential;
use crate::portal::error::{RestError, RestResult};
use crate::portal::options::Edition;
use crate::portal::state::State;

/// Resolves a credential to a user, or says why not.
pub fn check(state: &State, credential: &Credential) -> RestResult<Caller> {
    let caller = match credential {
        Credential::None => return Err(RestError::new(401, "NO_AUTH_FOUND", "Wrong authorization data")),
        Credential::Webhook(user, code) => {
            if state.webhooks.get(user) != Some(code) {
                return Err(RestError::new(401, "INVALID_CREDENTIALS", "Invalid request credentials"));
            }
            Caller { user: *user, app: false, hops: 0 }
        }
        Credential::Token(token) => by_token(state, token)?,
    };
    let user = state.users.get(&caller.user).filter(|user| user.active);
    let Some(user) = user else {
        return Err(RestError::new(401, "authorization_error", "Unable to authorize user"));
    };
    if state.options.edition == Edition::Free {
        return Err(RestError::new(403, "ACCESS_DENIED", "REST is available only on commercial plans."));
    }
    if caller.app && user.app_hidden && !user.admin {
        return Err(RestError::new(403, "user_access_error", "The user does not have access to the application."));
    }
    Ok(caller)
}

fn by_token(state: &State, token: &str) -> RestResult<Caller> {
    if !state.app.installed {
        return Err(RestError::new(401, "ERROR_OAUTH", "Application not installed"));
    }
    let Some(access) = state.tokens.find(token) else {
        return Err(if token.len() < 16 {
            RestError::new(401, "NO_AUTH_FOUND", "Wrong authorization data")
        } else {
            RestError::new(401, "invalid_token", "Unable to get application by token")
        });
    };
    if access.expires <= state.clock.now() {
        return Err(RestError::new(401, "expired_token", "The access token provided has expired."));
    }
    if state.app.payment_expired {
        return Err(RestError::new(401, "PAYMENT_REQUIRED", "Payment required"));
    }
    Ok(Caller { user: access.user, app: true, hops: access.hops })
}

/// Whether the app's card lists the scope of a method, and the person is no guest.
pub fn may_call(state: &State, caller: &Caller, method: &str, v3: bool) -> RestResult<()> {
    let needed: &[&str] = match method.split('.').next().unwrap_or_default() {
        "crm" => &["crm"],
        "tasks" | "task" if v3 => &["tasks"],
        "tasks" | "task" => &["task"],
        "placement" => &["placement"],
        "user" if !matches!(method, "user.admin" | "user.option.get" | "user.option.set") => {
            &["user_brief", "user_basic", "user"]
        }
        "im" => &["im"],
        "disk" => &["disk"],
        _ => return Ok(()),
    };
    let granted = |scope: &&str| state.app.scope.split(',').any(|given| given.trim() == *scope);
    if caller.app && !needed.iter().any(granted) {
        return Err(RestError::new(
            403,
            "insufficient_scope",
            "The request requires higher privileges than provided by the access token",
        ));
    }
    let guest = state.users.get(&caller.user).is_some_and(|user| user.extranet);
    if guest && needed == ["crm"] {
        return Err(RestError::new(403, "allowed_only_intranet_user", "Extranet user can not use CRM."));
    }
    Ok(())
}
