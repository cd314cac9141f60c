//! Tasks of one portal in whichever dialect it speaks (facts §8): REST v2 reads and moves them everywhere; where the portal
//! has REST 3.0, a task is made and a message sent through it, because it knows an `Idempotency-Key`. A task has either
//! comments or a chat: each task tells by its chat's number.

mod fields;
mod read;
mod talk;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::call::{Answer, Api, Call, Priority};
use super::client::{Leave, PortalClient};
use super::de;
use super::error::{Class, Error};
use super::limits::Permit;
use super::setup;

pub use fields::{TaskChange, TaskFields, TaskPriority};
pub use read::{Task, TaskStatus};
pub use talk::{Said, Talk, plain, signature, signed};

/// Moves of a task's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Start,
    Pause,
    Defer,
    Complete,
    Renew,
    Approve,
    Disapprove,
}

impl Step {
    fn method(self) -> &'static str {
        match self {
            Self::Start => "tasks.task.start",
            Self::Pause => "tasks.task.pause",
            Self::Defer => "tasks.task.defer",
            Self::Complete => "tasks.task.complete",
            Self::Renew => "tasks.task.renew",
            Self::Approve => "tasks.task.approve",
            Self::Disapprove => "tasks.task.disapprove",
        }
    }
}

/// The scope of REST 3.0 tasks; a portal without them does not list it.
const SCOPE_V3: &str = "tasks";

/// Whether a portal with these scopes has tasks in REST 3.0.
pub fn speaks_v3<'a>(mut scopes: impl Iterator<Item = &'a str>) -> bool {
    scopes.any(|scope| scope.trim() == SCOPE_V3)
}

/// Tasks of one portal, by one owner's tokens.
#[derive(Debug)]
pub struct Tasks {
    client: PortalClient,
    priority: Priority,
    v3: Arc<AtomicBool>,
    /// Of [`Self::once`]: under which its one request leaves.
    permit: Option<Mutex<Option<Permit>>>,
}

impl Tasks {
    /// `v3`: from [`speaks_v3`]; a portal that turns out to lack it is served by v2.
    pub fn new(client: PortalClient, priority: Priority, v3: bool) -> Self {
        Self { client, priority, v3: Arc::new(AtomicBool::new(v3)), permit: None }
    }

    /// Waits for its turn, and takes it.
    pub async fn permit(&self) -> Result<Permit, Error> {
        self.client.permit(self.priority).await
    }

    /// The same tasks for one request, which leaves under a permit taken before and exactly once: whoever recorded "sent"
    /// knows that nothing leaves later. A second one comes back as not carried out.
    pub fn once(&self, permit: Permit) -> Self {
        let permit = Some(Mutex::new(Some(permit)));
        Self { client: self.client.clone(), priority: self.priority, v3: self.v3.clone(), permit }
    }

    fn leave(&self) -> Result<Leave, Error> {
        let Some(permit) = &self.permit else { return Ok(Leave::InTurn(self.priority)) };
        let permit = permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        permit.map(Leave::Once).ok_or_else(Error::not_run)
    }

    /// Asks the portal which REST it has.
    pub async fn probe(client: PortalClient, priority: Priority) -> Result<Self, Error> {
        let answer = client.call(priority, &setup::scope()).await?;
        let scopes: Vec<String> = de::elements(&answer.result).into_iter().filter_map(de::text).collect();
        let v3 = speaks_v3(scopes.iter().map(String::as_str));
        Ok(Self::new(client, priority, v3))
    }

    pub fn has_v3(&self) -> bool {
        self.v3.load(Ordering::Relaxed)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Answer, Error> {
        self.client.one(self.leave()?, &Call::new(method, params), Api::V2, None).await
    }

    /// Through REST 3.0; `None`: the portal has none, and nothing was done.
    async fn call_v3(&self, method: &str, params: Value, key: &str) -> Result<Option<Answer>, Error> {
        if !self.has_v3() {
            return Ok(None);
        }
        match self.client.one(self.leave()?, &Call::new(method, params), Api::V3, Some(key)).await {
            Err(error) if lacks_v3(&error) => {
                self.v3.store(false, Ordering::Relaxed);
                Ok(None)
            }
            // The first try succeeded, and another body came with it: what it made is found by look-up.
            Err(error) if error.code().ends_with("idempotencykeyreusedexception") => {
                Err(Error { outcome_unknown: true, ..error })
            }
            answer => answer.map(Some),
        }
    }

    /// Makes a task; answers its number. `key` is the same for every try of the same task, and never two of them run at
    /// once (facts §3.5: then both may).
    pub async fn add(&self, fields: &TaskFields, key: &str) -> Result<i64, Error> {
        let answer = match self.call_v3("tasks.task.add", json!({"fields": fields.v3()}), key).await? {
            Some(answer) => answer.result.get("item").cloned(),
            None => self.call("tasks.task.add", json!({"fields": fields.v2()})).await?.result.get("task").cloned(),
        };
        let id = answer.as_ref().and_then(|task| task.get("id")).and_then(de::id);
        id.ok_or_else(|| Error::unreadable(200, "the new task has no id"))
    }

    /// What a task of this portal cannot be given when it is made.
    pub fn after_birth(&self, fields: &TaskFields) -> Option<TaskChange> {
        (self.has_v3() && !fields.tags.is_empty())
            .then(|| TaskChange { tags: Some(fields.tags.clone()), ..TaskChange::default() })
    }

    /// Tasks with this external id, the oldest first, found by a part of their title: a filter knows no external id.
    pub async fn find(&self, title_part: &str, xml_id: &str) -> Result<Vec<Task>, Error> {
        let pattern: String = title_part.chars().filter(|c| !matches!(c, '%' | '_')).collect();
        let params = json!({
            "order": {"ID": "asc"}, "filter": {"TITLE": format!("%{pattern}%")}, "select": read::SELECT,
        });
        let mut found = self.page(params).await?;
        found.retain(|task| task.xml_id.as_deref() == Some(xml_id));
        Ok(found)
    }

    /// Up to fifty tasks with this in their title whose fields or conversation changed last, the latest first.
    pub async fn latest(&self, title_part: &str, start: usize) -> Result<Vec<Task>, Error> {
        let params = json!({
            "order": {"ACTIVITY_DATE": "desc"}, "filter": {"TITLE": format!("{title_part}%")}, "select": read::SELECT,
            "start": start,
        });
        self.page(params).await
    }

    async fn page(&self, params: Value) -> Result<Vec<Task>, Error> {
        let answer = self.call("tasks.task.list", params).await?;
        let rows = answer.result.get("tasks").ok_or_else(|| Error::unreadable(200, "a list without tasks"))?;
        de::elements(rows).into_iter().map(Task::read).collect()
    }

    /// `None`: deleted, or hidden from us; the portal does not tell which.
    pub async fn get(&self, id: i64) -> Result<Option<Task>, Error> {
        match self.call("tasks.task.get", json!({"taskId": id, "select": read::SELECT})).await {
            Ok(answer) => match answer.result.get("task") {
                Some(task) if task.is_object() => Task::read(task).map(Some),
                _ => Ok(None),
            },
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same change twice is the change once.
    pub async fn update(&self, id: i64, change: &TaskChange) -> Result<(), Error> {
        let fields = change.v2();
        if fields.is_empty() {
            return Ok(());
        }
        self.call("tasks.task.update", json!({"taskId": id, "fields": fields})).await.map(drop)
    }

    /// Presses a button of the task; refused where it is not there.
    pub async fn step(&self, id: i64, step: Step) -> Result<(), Error> {
        self.call(step.method(), json!({ "taskId": id })).await.map(drop)
    }

    pub async fn delegate(&self, id: i64, to: i64) -> Result<(), Error> {
        self.call("tasks.task.delegate", json!({"taskId": id, "userId": to})).await.map(drop)
    }

    /// Names of people by their numbers, as a message should show them.
    pub async fn people(&self, ids: &[i64]) -> Result<Map<String, Value>, Error> {
        let call = setup::user_get(json!({ "ID": ids }), 0);
        let answer = self.client.call(self.priority, &call).await?;
        let name = |user: &Value| {
            let part = |key: &str| user.get(key).and_then(de::text).unwrap_or_default();
            let name = format!("{} {}", part("NAME"), part("LAST_NAME")).trim().to_owned();
            Some((de::id(user.get("ID")?)?.to_string(), json!(name)))
        };
        Ok(de::elements(&answer.result).into_iter().filter_map(name).collect())
    }
}

/// No REST 3.0, no such method in it, or a scope that was not granted.
fn lacks_v3(error: &Error) -> bool {
    const CODES: [&str; 4] =
        ["methodnotfoundexception", "insufficientscopeexception", "error_method_not_found", "insufficient_scope"];
    error.class == Class::Permanent && CODES.iter().any(|code| error.code().ends_with(code))
}

/// Old methods answer the same for a task that is gone and for one that is hidden.
fn is_missing(error: &Error) -> bool {
    error.class == Class::Permanent && matches!(error.code(), "0" | "1048582")
}
