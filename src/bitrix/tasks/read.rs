//! A task as the portal tells it.

use chrono::DateTime;
use serde_json::Value;

use crate::bitrix::de;
use crate::bitrix::error::Error;

/// What is asked for: without a `select` the set may change (facts §8). An old box knows no chat and leaves it out.
pub(super) const SELECT: [&str; 14] = [
    "ID",
    "TITLE",
    "XML_ID",
    "STATUS",
    "STATUS_CHANGED_BY",
    "STATUS_CHANGED_DATE",
    "CREATED_BY",
    "RESPONSIBLE_ID",
    "CLOSED_BY",
    "TASK_CONTROL",
    "DEADLINE",
    "CHANGED_DATE",
    "ACTIVITY_DATE",
    "CHAT_ID",
];

/// One that is not known is none of the others (facts §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskStatus {
    Waiting,
    InProgress,
    /// Done as its assignee says; its creator is to look at it.
    Supposed,
    Completed,
    Deferred,
    Unknown(i64),
}

impl TaskStatus {
    fn of(code: i64) -> Self {
        match code {
            2 => Self::Waiting,
            3 => Self::InProgress,
            4 => Self::Supposed,
            5 => Self::Completed,
            6 => Self::Deferred,
            other => Self::Unknown(other),
        }
    }

    /// Somebody said that the work is done.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Supposed | Self::Completed)
    }
}

/// Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: i64,
    pub title: String,
    pub xml_id: Option<String>,
    pub status: TaskStatus,
    pub status_changed_by: Option<i64>,
    pub status_changed_at: Option<i64>,
    pub creator: Option<i64>,
    pub responsible: Option<i64>,
    pub closed_by: Option<i64>,
    pub control: bool,
    pub deadline: Option<i64>,
    pub changed_at: Option<i64>,
    /// Of its fields, or of what was said.
    pub active_at: Option<i64>,
    pub chat: Option<i64>,
}

pub(super) fn time(value: Option<&Value>) -> Option<i64> {
    let text = value.and_then(de::text)?;
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|at| at.timestamp_millis())
}

impl Task {
    pub(super) fn read(task: &Value) -> Result<Self, Error> {
        let id = |name: &str| task.get(name).and_then(de::id);
        let text = |name: &str| task.get(name).and_then(de::text).filter(|text| !text.is_empty());
        let time = |name: &str| time(task.get(name));
        Ok(Self {
            id: id("id").ok_or_else(|| Error::unreadable(200, "a task without an id"))?,
            title: text("title").unwrap_or_default(),
            xml_id: text("xmlId"),
            status: TaskStatus::of(task.get("status").and_then(de::int).unwrap_or_default()),
            status_changed_by: id("statusChangedBy"),
            status_changed_at: time("statusChangedDate"),
            creator: id("createdBy"),
            responsible: id("responsibleId"),
            closed_by: id("closedBy"),
            control: task.get("taskControl").and_then(de::flag).unwrap_or(false),
            deadline: time("deadline"),
            changed_at: time("changedDate"),
            active_at: time("activityDate"),
            chat: id("chatId"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s39_a_task_is_read_in_text_or_numbers_and_an_unknown_status_is_no_success() {
        let task = Task::read(
            &json!({"id": "31", "title": "T", "xmlId": "", "status": "9", "closedBy": "0", "taskControl": "Y",
            "deadline": "2025-11-21T16:00:00+03:00", "chatId": 58, "responsibleId": 7}),
        );
        let task = task.expect("a task");
        assert_eq!((task.id, task.xml_id, task.status), (31, None, TaskStatus::Unknown(9)));
        assert_eq!((task.closed_by, task.responsible, task.chat, task.control), (None, Some(7), Some(58), true));
        assert_eq!(task.deadline, Some(1_763_730_000_000));
        assert!(!TaskStatus::Unknown(9).is_done() && TaskStatus::Supposed.is_done());
        assert!(Task::read(&json!({"title": "T"})).is_err_and(|error| error.outcome_unknown));
    }
}
