//! Install, update, payment and uninstall, and the fields of a frame (facts §1).

use serde_json::{Value, json};

use super::error::{RestError, RestResult};
use super::events::{Events, Fact, Tokens};
use super::options::Edition;
use super::php;
use super::state::State;
use super::tokens;

/// What a browser posts to the app when a page opens in a frame.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FrameForm {
    /// Query string pairs.
    pub query: Vec<(String, String)>,
    /// Body pairs.
    pub body: Vec<(String, String)>,
}

impl FrameForm {
    /// The query string.
    pub fn query_string(&self) -> String {
        php::encode_form(&self.query)
    }

    /// The body.
    pub fn body_string(&self) -> String {
        php::encode_form(&self.body)
    }

    /// One field, wherever it stands.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.query.iter().chain(&self.body).find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Replaces or adds a field, as a forger would.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.query.iter_mut().chain(&mut self.body).find(|(key, _)| key == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.body.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Without a field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.query.retain(|(key, _)| key != name);
        self.body.retain(|(key, _)| key != name);
        self
    }
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// The exact fields of one frame.
pub fn frame_form(state: &mut State, user: i64, placement: &str, options: &Value) -> FrameForm {
    let (now, seconds) = (state.clock.now(), state.options.token_seconds);
    let lang = state.users.get(&user).map_or_else(|| state.options.lang.clone(), |user| user.lang.clone());
    let pairs = state.tokens.issue(user, now, seconds);
    let query = vec![
        pair("DOMAIN", state.addresses.domain.clone()),
        pair("PROTOCOL", if state.addresses.tls { "1" } else { "0" }),
        pair("LANG", lang),
        pair("APP_SID", tokens::hex(1)),
    ];
    let mut body = vec![
        pair("AUTH_ID", pairs.access),
        pair("AUTH_EXPIRES", seconds.to_string()),
        pair("REFRESH_ID", pairs.refresh),
    ];
    // Old boxes do not send these three.
    if state.options.edition != Edition::Box {
        body.push(pair("SERVER_ENDPOINT", state.server_endpoint()));
        body.push(pair("APPLICATION_TOKEN", state.app.application_token.clone()));
        body.push(pair("APPLICATION_SCOPE", state.app.scope.clone()));
    }
    body.push(pair("member_id", state.member_id.clone()));
    body.push(pair("status", state.app.status.clone()));
    body.push(pair("PLACEMENT", placement));
    body.push(pair("PLACEMENT_OPTIONS", if options.is_null() { String::new() } else { options.to_string() }));
    FrameForm { query, body }
}

/// A frame whose person may not use the app: the tokens are empty.
pub fn without_auth(form: FrameForm) -> FrameForm {
    form.with("AUTH_ID", "").with("REFRESH_ID", "").with("AUTH_EXPIRES", "")
}

fn fact(name: &str, data: Value, user: i64) -> Fact {
    Fact { name: name.into(), data, user, app: false, robot: false, connector: String::new(), hops: 0 }
}

/// Sends to everyone bound, whatever the state of the installation.
fn tell(state: &mut State, fact: &Fact, user: i64, tokens: Tokens) {
    let bound: Vec<_> = state.events.bindings.iter().filter(|b| !b.offline && b.event == fact.name).cloned().collect();
    for binding in bound {
        Events::queue_for(state, &binding.handler, Some(binding.id), fact, user, tokens);
    }
}

/// Takes the app from the Market. With an installer page it is not finished until [`finish`].
pub fn begin(state: &mut State, with_page: bool) {
    if !state.app.installed {
        state.app.application_token = tokens::hex(1);
        state.app.installed = true;
        state.app.run_by.clear();
    }
    state.app.finished = !with_page;
}

/// `installFinish`: admins only; then `ONAPPINSTALL` goes to those who asked for it.
pub fn finish(state: &mut State, user: i64) -> RestResult<()> {
    if !state.users.get(&user).is_some_and(|user| user.admin) {
        return Err(RestError::forbidden("Access denied!"));
    }
    if !state.app.installed {
        return Err(RestError::not_found());
    }
    state.app.finished = true;
    let fact = fact("ONAPPINSTALL", install_data(state), user);
    tell(state, &fact, user, Tokens::Pair);
    Ok(())
}

fn install_data(state: &State) -> Value {
    json!({
        "VERSION": state.app.version.to_string(), "ACTIVE": "Y", "INSTALLED": if state.app.finished { "Y" } else { "N" },
        "LANGUAGE_ID": state.options.lang,
    })
}

/// Script-only install: the card's handler hears of it, with a whole pair.
pub fn install_script(state: &mut State, user: i64, handler: &str) {
    begin(state, false);
    let fact = fact("ONAPPINSTALL", install_data(state), user);
    Events::queue_for(state, handler, None, &fact, user, Tokens::Pair);
}

/// A new version: bindings and widgets go, the installer page is due again.
pub fn update(state: &mut State, user: i64, with_page: bool) {
    let previous = state.app.version;
    state.app.version += 1;
    state.app.finished = !with_page;
    let data = json!({
        "VERSION": state.app.version.to_string(), "PREVIOUS_VERSION": previous.to_string(),
        "LANGUAGE_ID": state.options.lang,
    });
    let fact = fact("ONAPPUPDATE", data, user);
    tell(state, &fact, user, Tokens::Pair);
    state.events.bindings.clear();
    state.placements.bound.clear();
}

/// The trial or subscription ends, or is paid again.
pub fn payment(state: &mut State, paid: bool, days: i64) {
    state.app.payment_expired = !paid;
    state.app.days = Some(days);
    state.app.status = if paid { "S".into() } else { state.app.status.clone() };
    let data = json!({
        "CODE": "fidelio.bitrix24", "VERSION": state.app.version.to_string(), "STATUS": state.app.status,
        "PAYMENT_EXPIRED": if paid { "N" } else { "Y" }, "DAYS": days.to_string(), "LANGUAGE_ID": state.options.lang,
    });
    let fact = fact("ONAPPPAYMENT", data, 0);
    tell(state, &fact, 0, Tokens::None);
}

/// The admin deletes the app: tokens die at once, then the event goes out without any.
pub fn uninstall(state: &mut State, clean: bool) {
    let data = json!({"LANGUAGE_ID": state.options.lang, "CLEAN": if clean { "1" } else { "0" }});
    let fact = fact("ONAPPUNINSTALL", data, 0);
    tell(state, &fact, 0, Tokens::None);
    state.tokens.revoke_all();
    state.events.bindings.clear();
    state.events.queue.rows.clear();
    state.placements.bound.clear();
    state.app.installed = false;
    state.app.finished = false;
    if clean {
        state.app.options.clear();
        state.app.user_options.clear();
    }
}
