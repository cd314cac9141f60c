//! The OAuth host: `/oauth/token/` and `/rest/app.info` (facts §2).

use serde_json::{Value, json};

use super::clock;
use super::error::RestError;
use super::faults::{Fault, FaultAnswer, FaultWhen};
use super::php::Params;
use super::state::State;
use super::tokens::Pair;

/// Status and body.
pub type Answer = (u16, Value);

fn error(status: u16, code: &str, description: &str) -> Answer {
    (status, json!({"error": code, "error_description": description}))
}

/// An injected JSON error for the OAuth host, or another failure to act out.
pub fn fault(state: &mut State, method: &str) -> Option<Fault> {
    state.faults.for_request(method, &[], &Params::default())
}

/// The answer of an injected error.
pub fn fault_answer(fault: &Fault) -> Option<Answer> {
    if fault.when != FaultWhen::Before || !matches!(fault.answer, FaultAnswer::Error { .. }) {
        return None;
    }
    fault.rest_error().map(|RestError { status, code, description, .. }| error(status, &code, &description))
}

/// `/oauth/token/`, GET or POST.
pub fn token(state: &mut State, params: &Params) -> Answer {
    let grant = params.text("grant_type").unwrap_or_default();
    if !matches!(grant.as_str(), "authorization_code" | "refresh_token") {
        return error(400, "invalid_request", "Invalid grant_type parameter or parameter missing");
    }
    let client = params.text("client_id").unwrap_or_default();
    if client.is_empty() {
        return error(400, "invalid_client", "The client credentials are invalid");
    }
    if client != state.options.client_id {
        // The odd one: a wrong id is told with status 200.
        return error(200, "wrong_client", "Wrong client");
    }
    if params.text("client_secret").as_deref() != Some(state.options.client_secret.as_str()) {
        return error(400, "invalid_client", "The client credentials are invalid");
    }
    let (now, seconds) = (state.clock.now(), state.options.token_seconds);
    let name = if grant == "refresh_token" { "refresh_token" } else { "code" };
    let Some(given) = params.text(name).filter(|given| !given.is_empty()) else {
        return error(400, "invalid_request", &format!("Missing parameters. \"{name}\" is required"));
    };
    if state.deleted {
        return error(401, "PORTAL_DELETED", "Portal was deleted");
    }
    if !state.app.installed {
        return error(401, "NOT_INSTALLED", "Application not installed");
    }
    if state.app.payment_expired {
        return error(401, "PAYMENT_REQUIRED", "Payment required");
    }
    let pair = if grant == "refresh_token" {
        let user = state.tokens.refresh_user(&given);
        if user.is_some_and(|user| !state.users.get(&user).is_some_and(|user| user.active)) {
            return error(400, "invalid_grant", "User is not active");
        }
        state.tokens.rotate(&given, now, seconds)
    } else {
        state.tokens.redeem(&given, now, seconds)
    };
    match pair {
        Some(pair) => (200, pair_body(state, &pair, grant == "refresh_token")),
        None if grant == "refresh_token" => error(400, "invalid_grant", "Invalid refresh token"),
        None => error(400, "bad_verification_code", "Invalid authorization code"),
    }
}

/// `domain` is the OAuth host's, a trap; the code grant lacks `expires` and `user_id`.
fn pair_body(state: &State, pair: &Pair, refreshed: bool) -> Value {
    let mut body = json!({
        "access_token": pair.access, "expires_in": state.options.token_seconds, "scope": state.app.scope,
        "domain": state.addresses.oauth_domain, "server_endpoint": state.server_endpoint(), "status": state.app.status,
        "client_endpoint": state.client_endpoint(), "member_id": state.member_id, "refresh_token": pair.refresh,
    });
    if let (true, Value::Object(map)) = (refreshed, &mut body) {
        map.insert("expires".into(), json!(pair.expires));
        map.insert("user_id".into(), json!(pair.user));
    }
    body
}

/// `/rest/app.info` of the OAuth host.
pub fn app_info(state: &State, token: &str) -> Answer {
    if token.is_empty() {
        return error(401, "NO_AUTH_FOUND", "Wrong authorization data");
    }
    let Some(access) = state.tokens.find(token) else {
        return error(401, "invalid_client", "The client credentials are invalid");
    };
    if access.expires <= state.clock.now() {
        return error(401, "expired_token", "The access token provided has expired.");
    }
    if !state.app.installed {
        return error(401, "NOT_INSTALLED", "Application not installed");
    }
    let now = state.clock.now();
    (
        200,
        json!({
            "result": {
                "client_id": state.options.client_id, "scope": state.app.scope, "expires": clock::iso(access.expires),
                "install": {
                    "installed": state.app.finished, "version": state.app.version.to_string(), "status": state.app.status,
                    "scope": state.app.scope, "domain": state.addresses.domain,
                    "uri": state.addresses.url(),
                    "client_endpoint": state.client_endpoint(), "member_id": state.member_id, "member_type": "B24",
                },
                "user_id": access.user,
            },
            "time": {
                "start": now, "finish": now, "duration": 0.001, "processing": 0.0005,
                "date_start": clock::iso(now), "date_finish": clock::iso(now),
            },
        }),
    )
}
