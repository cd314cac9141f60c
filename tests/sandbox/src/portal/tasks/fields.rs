//! Names and forms of task fields: upper case in, camelCase out; REST 3.0 has words of its own.

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::{Fields, has_chat};
use crate::portal::clock;
use crate::portal::php;
use crate::portal::state::State;

/// Moments are kept by the server's clock, whatever offset they came with.
pub fn tidy(fields: &mut Fields) {
    for name in ["DEADLINE", "START_DATE_PLAN", "END_DATE_PLAN"] {
        if let Some(value) = fields.get_mut(name) {
            let read = php::text(value).and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
            *value = read.map_or(Value::Null, |at| json!(clock::iso(at.timestamp())));
        }
    }
    for name in ["ACCOMPLICES", "AUDITORS", "UF_CRM_TASK", "TAGS"] {
        if let Some(value) = fields.get_mut(name) {
            *value = php::elements(value).into_iter().filter_map(php::text).map(Value::from).collect();
        }
    }
}

/// `RESPONSIBLE_ID` → `responsibleId`.
pub fn camel(upper: &str) -> String {
    let mut name = String::new();
    for (at, part) in upper.to_ascii_lowercase().split('_').enumerate() {
        let mut letters = part.chars();
        match letters.next() {
            Some(first) if at > 0 => {
                name.push(first.to_ascii_uppercase());
                name.push_str(letters.as_str());
            }
            _ => name.push_str(part),
        }
    }
    name
}

/// `responsibleId` → `RESPONSIBLE_ID`; upper case stays.
fn upper(name: &str) -> String {
    if !name.chars().any(|letter| letter.is_ascii_lowercase()) {
        return name.to_owned();
    }
    let mut upper = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            upper.push('_');
        }
        upper.push(letter.to_ascii_uppercase());
    }
    upper
}

/// Selecting one of them shows all three, and without it none.
const HIDDEN: [&str; 3] = ["UF_CRM_TASK", "UF_TASK_WEBDAV_FILES", "UF_MAIL_MESSAGE"];

/// A task as v2 answers it: the id, and what was selected; all but the hidden ones where nothing was.
pub fn shown(state: &State, id: i64, fields: &Fields, select: &[String]) -> Value {
    let select: Vec<String> = select.iter().map(|name| upper(name)).collect();
    let all = select.is_empty() || select.iter().any(|name| name == "*");
    let hidden = select.iter().any(|name| HIDDEN.contains(&name.as_str()));
    let chosen = |name: &str| {
        if HIDDEN.contains(&name) {
            hidden
        } else if name == "TAGS" {
            select.iter().any(|one| one == name)
        } else {
            all || select.iter().any(|one| one == name)
        }
    };
    let mut task = Map::new();
    task.insert("id".into(), json!(id.to_string()));
    for (name, value) in fields.iter().filter(|(name, _)| chosen(name)) {
        let value = match value {
            Value::Number(number) => json!(number.to_string()),
            Value::Array(tags) if name == "TAGS" => tagged(tags),
            other => other.clone(),
        };
        task.insert(camel(name), value);
    }
    if hidden {
        for name in HIDDEN {
            task.entry(camel(name)).or_insert_with(|| json!(false));
        }
    }
    if has_chat(state) && select.iter().any(|name| name == "CHAT_ID") {
        task.insert("chatId".into(), json!(chat_of(id)));
    }
    task.insert("group".into(), json!([]));
    Value::Object(task)
}

fn tagged(tags: &[Value]) -> Value {
    let entry = |(at, tag): (usize, &Value)| ((at + 1).to_string(), json!({"id": at + 1, "title": tag}));
    php::listed(tags.iter().enumerate().map(entry).collect())
}

/// A task's chat.
pub fn chat_of(id: i64) -> i64 {
    1000 + id
}

/// The task of a chat.
pub fn task_of(chat: i64) -> i64 {
    chat - 1000
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Int,
    Flag,
    List,
    Status,
    Priority,
}

/// v3 name, v2 name, form.
const V3: &[(&str, &str, Form)] = &[
    ("title", "TITLE", Form::Text),
    ("description", "DESCRIPTION", Form::Text),
    ("creatorId", "CREATED_BY", Form::Int),
    ("responsibleId", "RESPONSIBLE_ID", Form::Int),
    ("deadline", "DEADLINE", Form::Text),
    ("needsControl", "TASK_CONTROL", Form::Flag),
    ("groupId", "GROUP_ID", Form::Int),
    ("stageId", "STAGE_ID", Form::Int),
    ("priority", "PRIORITY", Form::Priority),
    ("status", "STATUS", Form::Status),
    ("accomplices", "ACCOMPLICES", Form::List),
    ("auditors", "AUDITORS", Form::List),
    ("parentId", "PARENT_ID", Form::Int),
    ("xmlId", "XML_ID", Form::Text),
    ("allowsChangeDeadline", "ALLOW_CHANGE_DEADLINE", Form::Flag),
    ("crmItemIds", "UF_CRM_TASK", Form::List),
    ("mark", "MARK", Form::Text),
    ("created", "CREATED_DATE", Form::Text),
    ("changed", "CHANGED_DATE", Form::Text),
    ("changedById", "CHANGED_BY", Form::Int),
    ("activity", "ACTIVITY_DATE", Form::Text),
    ("closed", "CLOSED_DATE", Form::Text),
    ("closedById", "CLOSED_BY", Form::Int),
    ("statusChanged", "STATUS_CHANGED_DATE", Form::Text),
    ("statusChangedById", "STATUS_CHANGED_BY", Form::Int),
];

const STATUSES: [(&str, &str); 5] =
    [("pending", "2"), ("in_progress", "3"), ("supposedly_completed", "4"), ("completed", "5"), ("deferred", "6")];
const PRIORITIES: [(&str, &str); 3] = [("low", "0"), ("average", "1"), ("high", "2")];

fn words(form: Form) -> &'static [(&'static str, &'static str)] {
    match form {
        Form::Status => &STATUSES,
        Form::Priority => &PRIORITIES,
        _ => &[],
    }
}

/// Fields of v3 by their old names; the name of the first that is unknown, or not of its form.
pub fn from_v3(given: &Map<String, Value>) -> Result<Fields, (String, bool)> {
    let mut fields = Map::new();
    for (name, value) in given {
        let (_, old, form) = V3.iter().find(|(new, ..)| new == name).ok_or_else(|| (name.clone(), true))?;
        let text = php::text(value).unwrap_or_default();
        let value = match form {
            Form::Status | Form::Priority => {
                let word = words(*form).iter().find(|(word, _)| *word == text);
                json!(word.ok_or_else(|| (name.clone(), false))?.1)
            }
            Form::Flag => json!(if php::truthy(value) { "Y" } else { "N" }),
            Form::Int => json!(text),
            Form::List if !value.is_array() => return Err((name.clone(), false)),
            Form::Text | Form::List => value.clone(),
        };
        fields.insert((*old).to_owned(), value);
    }
    Ok(fields)
}

/// A task as v3 answers it. `select` empty: everything.
pub fn to_v3(state: &State, id: i64, select: &[String]) -> Value {
    let mut item = Map::new();
    item.insert("id".into(), json!(id));
    let wanted = |name: &str| select.is_empty() || select.iter().any(|one| one == name);
    let empty = Map::new();
    let fields = state.tasks.items.get(&id).unwrap_or(&empty);
    for (name, old, form) in V3.iter().filter(|(name, ..)| wanted(name)) {
        let value = fields.get(*old).cloned().unwrap_or_default();
        let text = php::text(&value).unwrap_or_default();
        let value = match form {
            Form::Status | Form::Priority => {
                json!(words(*form).iter().find(|(_, code)| *code == text).map(|(word, _)| *word))
            }
            Form::Flag => json!(php::truthy(&value)),
            Form::Int => json!(php::int(&value)),
            Form::Text | Form::List => value,
        };
        item.insert((*name).to_owned(), value);
    }
    if has_chat(state) && (wanted("chat") || select.iter().any(|name| name.starts_with("chat"))) {
        item.insert("chatId".into(), json!(chat_of(id)));
        item.insert("chat".into(), json!({"id": chat_of(id), "entityId": id, "entityType": "TASKS_TASK"}));
    }
    Value::Object(item)
}
