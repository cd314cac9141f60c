//! Methods about the app, the people and the portal itself (facts §9.3, §9.4).

use serde_json::{Map, Value, json};

use super::clock;
use super::error::{RestError, RestResult};
use super::options::{Edition, TaskCard};
use super::php;
use super::rest::call::{Answer, Call};
use super::rest::methods as table;
use super::state::Notice;

/// `app.info` of the portal.
pub fn app_info(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    let state = &call.state;
    Ok(Answer::new(json!({
        "ID": 57, "CODE": "fidelio.bitrix24", "VERSION": state.app.version, "STATUS": state.app.status,
        "INSTALLED": state.app.finished, "PAYMENT_EXPIRED": if state.app.payment_expired { "Y" } else { "N" },
        "DAYS": state.app.days, "LANGUAGE_ID": state.options.lang, "LICENSE": state.license(),
        "LICENSE_TYPE": "pro100", "LICENSE_FAMILY": if state.options.edition == Edition::Box { "selfhosted" } else { "pro" },
    })))
}

fn option_get(options: &Map<String, Value>, call: &Call<'_>) -> Answer {
    match call.params.text("option") {
        Some(name) => Answer::new(options.get(&name).cloned().unwrap_or(Value::Null)),
        None => Answer::new(php::listed(options.clone())),
    }
}

fn options_given(call: &Call<'_>) -> RestResult<Map<String, Value>> {
    match call.params.get("options") {
        Some(Value::Object(map)) if !map.is_empty() => Ok(map.clone()),
        _ => Err(RestError::argument("options", "Argument 'options' is null or empty")),
    }
}

/// `app.option.get`.
pub fn app_option_get(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    Ok(option_get(&call.state.app.options, call))
}

/// `app.option.set`.
pub fn app_option_set(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    if !call.admin() {
        return Err(RestError::forbidden("Access denied!"));
    }
    let given = options_given(call)?;
    call.state.app.options.extend(given);
    Ok(Answer::new(true))
}

/// `user.option.get`.
pub fn user_option_get(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    let own = call.state.app.user_options.get(&call.user).cloned().unwrap_or_default();
    Ok(option_get(&own, call))
}

/// `user.option.set`.
pub fn user_option_set(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    let given = options_given(call)?;
    call.state.app.user_options.entry(call.user).or_default().extend(given);
    Ok(Answer::new(true))
}

/// `profile`.
pub fn profile(call: &mut Call<'_>) -> RestResult<Answer> {
    let user = call.caller()?;
    Ok(Answer::new(json!({
        "ID": user.id.to_string(), "ADMIN": user.admin, "NAME": user.name, "LAST_NAME": user.last_name,
        "PERSONAL_GENDER": "", "TIME_ZONE": "",
    })))
}

/// `user.admin`.
pub fn user_admin(call: &mut Call<'_>) -> RestResult<Answer> {
    Ok(Answer::new(call.admin()))
}

/// `user.current`.
pub fn user_current(call: &mut Call<'_>) -> RestResult<Answer> {
    Ok(Answer::new(Value::Object(call.caller()?.brief())))
}

/// `user.get`: filters by id, activity, type, names.
pub fn user_get(call: &mut Call<'_>) -> RestResult<Answer> {
    let mut filter = call.params.map("FILTER").0;
    for name in ["ID", "ACTIVE", "USER_TYPE", "NAME", "LAST_NAME"] {
        if let Some(value) = call.params.get(name) {
            filter.insert(name.into(), value.clone());
        }
    }
    let guest = call.caller()?.extranet;
    let fits = |shown: &Map<String, Value>| {
        filter.iter().all(|(name, wanted)| {
            let bare = name.trim_start_matches(['%', '=', '@', '!']).to_ascii_uppercase();
            let value = |name: &str| shown.get(name).and_then(php::text).unwrap_or_default();
            let words = php::text(wanted).unwrap_or_default().to_lowercase();
            match bare.as_str() {
                "NAME_SEARCH" | "FIND" => {
                    format!("{} {}", value("NAME"), value("LAST_NAME")).to_lowercase().contains(&words)
                }
                "ACTIVE" => shown.get("ACTIVE") == Some(&json!(php::truthy(wanted))),
                "ID" if matches!(wanted, Value::Array(_) | Value::Object(_)) => {
                    php::elements(wanted).into_iter().filter_map(php::text).any(|id| id == value("ID"))
                }
                known if shown.contains_key(known) && name.starts_with('%') => {
                    value(known).to_lowercase().contains(&words)
                }
                known if shown.contains_key(known) => value(known).to_lowercase() == words,
                _ => true,
            }
        })
    };
    let all: Vec<Map<String, Value>> = call
        .state
        .users
        .values()
        .filter(|user| !guest || user.id == call.user)
        .map(super::users::User::brief)
        .filter(fits)
        .collect();
    let start = usize::try_from(call.params.int("start").unwrap_or(0).max(0)).unwrap_or(0);
    let total = all.len();
    let page: Vec<Value> = all.into_iter().skip(start).take(50).map(Value::Object).collect();
    let end = start + page.len();
    let mut answer = Answer::new(page).total(total);
    answer.next = i64::try_from(end).ok().filter(|_| end < total);
    Ok(answer)
}

/// `scope`.
pub fn scope(call: &mut Call<'_>) -> RestResult<Answer> {
    if call.params.flag("full") {
        let all = ["crm", "task", "tasks", "placement", "user_brief", "user_basic", "user", "im", "disk", "bizproc"];
        return Ok(Answer::new(all.map(Value::from).to_vec()));
    }
    let mut scopes: Vec<Value> = call.state.app.scope.split(',').map(|scope| Value::from(scope.trim())).collect();
    // Boxes older than tasks 25.700 know no REST 3.0 scope.
    if call.state.options.task_card() == TaskCard::Comments {
        scopes.retain(|scope| scope != "tasks");
    }
    Ok(Answer::new(scopes))
}

/// `methods`.
pub fn methods(call: &mut Call<'_>) -> RestResult<Answer> {
    Ok(Answer::new(table::names(call.state).into_iter().map(Value::from).collect::<Vec<_>>()))
}

/// `method.get`.
pub fn method_get(call: &mut Call<'_>) -> RestResult<Answer> {
    let name = call.params.text("name").unwrap_or_default();
    let exists = name == name.to_ascii_lowercase() && table::exists(call.state, &name);
    Ok(Answer::new(json!({"isExisting": exists, "isAvailable": exists})))
}

/// `feature.get`.
pub fn feature_get(call: &mut Call<'_>) -> RestResult<Answer> {
    let code = call.params.text("CODE").unwrap_or_default();
    let known = matches!(code.as_str(), "rest_offline_extended" | "rest_auth_connector");
    let value = match (call.state.options.edition, known) {
        (Edition::Box, _) => call.state.license(),
        _ if code == "rest_offline_extended" && !call.state.options.offline_extended => "N".into(),
        (Edition::Free, _) | (_, false) => "N".into(),
        _ => "Y".into(),
    };
    Ok(Answer::new(json!({ "value": value })))
}

/// `server.time`.
pub fn server_time(call: &mut Call<'_>) -> RestResult<Answer> {
    Ok(Answer::new(clock::iso(call.state.clock.now())))
}

/// `im.notify.system.add`: the same tag replaces.
pub fn notify(call: &mut Call<'_>) -> RestResult<Answer> {
    let user = call.params.int("USER_ID").or_else(|| call.params.int("TO")).unwrap_or(call.user);
    if !call.state.users.contains_key(&user) {
        return Err(RestError::bad("USER_ID_EMPTY", "User ID can't be empty"));
    }
    let message = call.params.text("MESSAGE").unwrap_or_default();
    if message.trim().is_empty() {
        return Err(RestError::bad("MESSAGE_EMPTY", "Message can't be empty"));
    }
    let tag = call.params.text("TAG").unwrap_or_default();
    if !tag.is_empty() {
        call.state.notices.retain(|notice| notice.tag != tag || notice.user != user);
    }
    let id = call.state.notices.iter().map(|notice| notice.id).max().unwrap_or(0) + 1;
    call.state.notices.push(Notice { id, user, message, tag });
    Ok(Answer::new(id))
}
