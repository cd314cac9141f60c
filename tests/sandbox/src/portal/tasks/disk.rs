//! The Drive as far as files of tasks need it (facts §8): the app's own storage, an upload, an attachment.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{Right, not_allowed, right};
use crate::portal::clock;
use crate::portal::crm::save::Actor;
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};
use crate::portal::state::State;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Name.
    pub name: String,
    /// Bytes.
    pub content: Vec<u8>,
    /// By whom.
    pub user: i64,
}

const STORAGE: i64 = 900;
const ROOT: i64 = 901;

/// `disk.storage.getforapp`.
pub fn storage(call: &mut Call<'_>) -> RestResult<Answer> {
    call.need_app()?;
    Ok(Answer::new(json!({
        "ID": STORAGE.to_string(), "NAME": "Fidelio", "CODE": null, "MODULE_ID": "disk", "ENTITY_TYPE": "restapp",
        "ENTITY_ID": "57", "ROOT_OBJECT_ID": ROOT.to_string(),
    })))
}

/// `disk.storage.uploadfile` and `disk.folder.uploadfile`, with the content inside.
pub fn upload(call: &mut Call<'_>) -> RestResult<Answer> {
    let place = if call.method == "disk.storage.uploadfile" { STORAGE } else { ROOT };
    if call.params.int("id") != Some(place) {
        return Err(RestError::bad("ERROR_NOT_FOUND", "Could not find entity with id"));
    }
    let mut name = call.params.map("data").text("NAME").unwrap_or_default();
    let content = call.params.get("fileContent").map(php::elements).unwrap_or_default();
    let encoded = content.last().and_then(|content| php::text(content)).unwrap_or_default();
    let content = BASE64_STANDARD.decode(encoded).ok().filter(|content| !content.is_empty());
    let (false, Some(content)) = (name.is_empty(), content) else {
        return Err(RestError::argument("fileContent", "Required parameter: fileContent"));
    };
    if call.state.tasks.files.values().any(|file| file.name == name) {
        if !call.params.flag("generateUniqueName") {
            return Err(RestError::bad("DISK_OBJ_22000", "Не удалось загрузить файл: имя уже занято"));
        }
        let number = call.state.tasks.files.len();
        name = match name.rsplit_once('.') {
            Some((stem, tail)) => format!("{stem} ({number}).{tail}"),
            None => format!("{name} ({number})"),
        };
    }
    let id = call.state.tasks.files.keys().next_back().map_or(4000, |last| last + 1);
    let shown = shown(id, &name, content.len(), call.state);
    call.state.tasks.files.insert(id, File { name, content, user: call.user });
    Ok(Answer::rows(shown, 1))
}

fn shown(id: i64, name: &str, size: usize, state: &State) -> Value {
    json!({
        "ID": id.to_string(), "NAME": name, "SIZE": size.to_string(), "STORAGE_ID": STORAGE.to_string(),
        "PARENT_ID": ROOT.to_string(), "TYPE": "file", "FILE_ID": id + 10_000,
        "CREATE_TIME": clock::iso(state.clock.now()), "DETAIL_URL": format!("{}/disk/{id}/", state.addresses.url()),
    })
}

/// Hangs a file on a task; the attachment has a number of its own.
pub fn attach_to(state: &mut State, actor: &Actor, task: i64, file: i64) -> RestResult<i64> {
    if right(state, actor.user, task) < Right::Read || !state.tasks.files.contains_key(&file) {
        return Err(not_allowed());
    }
    let attached = file + 20_000;
    if let Some(fields) = state.tasks.items.get_mut(&task) {
        let list = fields.entry("UF_TASK_WEBDAV_FILES").or_insert_with(|| json!([]));
        if let Value::Array(list) = list
            && !list.contains(&json!(attached))
        {
            list.push(json!(attached));
        }
    }
    super::tell(state, "UPDATE", task, actor);
    Ok(attached)
}

/// `tasks.task.files.attach`.
pub fn attach(call: &mut Call<'_>) -> RestResult<Answer> {
    let (task, file) = (call.params.int("taskId").unwrap_or(0), call.params.int("fileId").unwrap_or(0));
    let actor = call.actor();
    let attached = attach_to(call.state, &actor, task, file)?;
    Ok(Answer::rows(json!({"attachmentId": attached}), 1))
}
