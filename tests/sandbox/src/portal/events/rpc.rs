//! `event.*` and `events`.

use serde_json::{Value, json};

use super::{Binding, Fact, NAMES, Tokens};
use crate::portal::error::{RestError, RestResult};
use crate::portal::options::Edition;
use crate::portal::rest::call::{Answer, Call};

fn event_name(call: &Call<'_>) -> RestResult<String> {
    let name = call.params.text("event").unwrap_or_default().to_ascii_uppercase();
    if name.is_empty() {
        return Err(RestError::argument("EVENT", "Argument 'EVENT' is null or empty"));
    }
    if !NAMES.contains(&name.as_str()) {
        return Err(RestError::bad("ERROR_EVENT_NOT_FOUND", "Event not found"));
    }
    Ok(name)
}

/// Scheme http(s) and a dot in the host, or the address is refused.
pub fn check_handler(handler: &str) -> RestResult<()> {
    let url = url::Url::parse(handler).map_err(|_| RestError::bad("ERROR_WRONG_HANDLER_URL", "Wrong handler URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RestError::bad("ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol"));
    }
    if !url.host_str().is_some_and(|host| host.contains('.')) {
        return Err(RestError::bad("ERROR_WRONG_HANDLER_URL", "Wrong handler URL"));
    }
    Ok(())
}

/// `event.bind`.
pub fn bind(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    let event = event_name(call)?;
    let offline = call.params.text("event_type").is_some_and(|kind| kind.eq_ignore_ascii_case("offline"));
    let connector = call.params.text("auth_connector").unwrap_or_default();
    let wanted = call.params.int("auth_type").unwrap_or(0);
    if !call.admin() && (offline || (wanted != 0 && wanted != call.user)) {
        return Err(RestError::forbidden("Access denied!"));
    }
    if !connector.is_empty() && call.state.options.edition == Edition::Free {
        return Err(RestError::new(403, "WRONG_LICENSE", "Your license does not allow this"));
    }
    let auth_type = if call.admin() { wanted } else { call.user };
    let handler = call.params.text("handler").unwrap_or_default();
    if !offline {
        check_handler(&handler)?;
    }
    let handler = if offline { String::new() } else { handler };
    let min_timeout = call.params.map("options").int("minTimeout").unwrap_or(1);
    let twin = call.state.events.bindings.iter().any(|binding| {
        binding.event == event
            && binding.handler == handler
            && binding.offline == offline
            && binding.connector == connector
            && binding.auth_type == auth_type
    });
    if twin {
        return Err(RestError::core("Unable to set event handler: Handler already binded"));
    }
    let id = call.state.events.next_id();
    call.state.events.bindings.push(Binding { id, event, handler, auth_type, offline, connector, min_timeout });
    Ok(Answer::new(true))
}

/// `event.unbind`.
pub fn unbind(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    let event = event_name(call)?;
    let offline = call.params.text("event_type").is_some_and(|kind| kind.eq_ignore_ascii_case("offline"));
    let handler = call.params.text("handler").unwrap_or_default();
    if handler.is_empty() && !offline {
        return Err(RestError::argument("HANDLER", "Argument 'HANDLER' is null or empty"));
    }
    let auth_type = call.params.int("auth_type");
    let connector = call.params.text("auth_connector").unwrap_or_default();
    let before = call.state.events.bindings.len();
    call.state.events.bindings.retain(|binding| {
        !(binding.event == event
            && binding.offline == offline
            && (offline || binding.handler == handler)
            && (!offline || binding.connector == connector)
            && auth_type.is_none_or(|user| binding.auth_type == user))
    });
    Ok(Answer::new(json!({"count": before - call.state.events.bindings.len()})))
}

/// `event.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    let mine = |binding: &&Binding| call.admin() || binding.auth_type == call.user;
    let list: Vec<Value> = call
        .state
        .events
        .bindings
        .iter()
        .filter(mine)
        .map(|binding| {
            if binding.offline {
                json!({"event": binding.event, "connector_id": binding.connector, "offline": 1})
            } else {
                json!({"event": binding.event, "handler": binding.handler, "auth_type": binding.auth_type.to_string(), "offline": 0})
            }
        })
        .collect();
    Ok(Answer::new(list))
}

/// `event.test`.
pub fn test(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    let query: serde_json::Map<String, Value> = call
        .params
        .0
        .iter()
        .filter(|(key, _)| *key != "auth")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let user = call.user;
    let fact = Fact {
        name: "ONAPPTEST".into(),
        data: json!({ "QUERY": query }),
        user,
        app: true,
        robot: false,
        connector: String::new(),
        hops: call.hops,
    };
    let handlers: Vec<_> = call.state.events.bindings.iter().filter(|b| b.event == "ONAPPTEST").cloned().collect();
    if call.state.app.finished {
        for binding in handlers {
            super::Events::queue_for(call.state, &binding.handler, Some(binding.id), &fact, user, Tokens::Pair);
        }
    }
    Ok(Answer::new(1))
}

/// `events`.
pub fn names(_: &mut Call<'_>) -> RestResult<Answer> {
    Ok(Answer::new(NAMES.map(Value::from).to_vec()))
}
