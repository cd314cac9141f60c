//! Tasks, and what people do to them.

use serde_json::{Map, Value};

use super::Portal;
use crate::portal::crm::save::Actor;
use crate::portal::error::RestResult;
use crate::portal::state::State;
use crate::portal::tasks::disk::File;
use crate::portal::tasks::{self, Said, Step, talk};

impl Portal {
    /// Tasks by id, upper-case fields.
    pub fn tasks(&self) -> Vec<(i64, Map<String, Value>)> {
        self.shared.lock().tasks.items.iter().map(|(id, fields)| (*id, fields.clone())).collect()
    }

    /// What was said of a task, the chat's own notes included; oldest first.
    pub fn said(&self, task: i64) -> Vec<Said> {
        self.shared.lock().tasks.talk.iter().filter(|said| said.task == task).cloned().collect()
    }

    /// Files of the app's own storage.
    pub fn files(&self) -> Vec<(i64, File)> {
        self.shared.lock().tasks.files.iter().map(|(id, file)| (*id, file.clone())).collect()
    }

    fn as_person<T>(&self, user: i64, act: impl FnOnce(&mut State, &Actor) -> T) -> T {
        let done = act(&mut self.shared.lock(), &Actor::person(user));
        self.shared.bell.notify_waiters();
        done
    }

    /// A person adds a task.
    pub fn add_task_as(&self, user: i64, fields: &Value) -> RestResult<i64> {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.as_person(user, |state, actor| tasks::add(state, actor, fields))
    }

    /// A person changes fields of a task.
    pub fn edit_task_as(&self, user: i64, task: i64, fields: &Value) -> RestResult<()> {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.as_person(user, |state, actor| tasks::edit(state, actor, task, fields))
    }

    /// A person presses a button of the task card.
    pub fn step_task_as(&self, user: i64, task: i64, step: Step) -> RestResult<()> {
        self.as_person(user, |state, actor| tasks::step(state, actor, task, step))
    }

    /// A person hands a task on.
    pub fn delegate_task_as(&self, user: i64, task: i64, to: i64) -> RestResult<()> {
        self.as_person(user, |state, actor| tasks::delegate(state, actor, task, to))
    }

    /// A person deletes a task.
    pub fn delete_task_as(&self, user: i64, task: i64) -> RestResult<()> {
        self.as_person(user, |state, actor| tasks::delete(state, actor, task))
    }

    /// A person writes a comment, or into the task's chat; answers its id.
    pub fn say_as(&self, user: i64, task: i64, text: &str) -> i64 {
        self.as_person(user, |state, actor| talk::say(state, actor, user, task, text))
    }
}
