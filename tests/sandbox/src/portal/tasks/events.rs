//! `ONTASK…`: containers that are missing are the word `undefined` (facts §6.5).

use serde_json::{Value, json};

use crate::portal::crm::save::Actor;
use crate::portal::events::Fact;
use crate::portal::state::State;

fn data(before: Value, after: Value) -> Value {
    json!({
        "FIELDS_BEFORE": before, "FIELDS_AFTER": after,
        "IS_ACCESSIBLE_BEFORE": "undefined", "IS_ACCESSIBLE_AFTER": "undefined",
    })
}

/// `ADD`, `UPDATE` or `DELETE` of a task.
pub fn tell(state: &mut State, verb: &str, id: i64, actor: &Actor) {
    let fields = || json!({"ID": id.to_string()});
    let none = || json!("undefined");
    let data = match verb {
        "ADD" => data(none(), fields()),
        "DELETE" => data(fields(), none()),
        _ => data(fields(), fields()),
    };
    state.fire(Fact::new(&format!("ONTASK{verb}"), data, actor));
}

/// A comment, or a message in the task's chat: that has no comment's id.
pub fn tell_said(state: &mut State, id: i64, task: i64, chat: bool, actor: &Actor) {
    let after = if chat {
        json!({"ID": "0", "TASK_ID": task.to_string(), "MESSAGE_ID": id.to_string()})
    } else {
        json!({"ID": id.to_string(), "TASK_ID": task.to_string()})
    };
    state.fire(Fact::new("ONTASKCOMMENTADD", data(json!("undefined"), after), actor));
}
