//! What is written of a task, in both spellings.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskPriority {
    Low,
    #[default]
    Normal,
    High,
}

impl TaskPriority {
    fn v2(self) -> &'static str {
        match self {
            Self::Low => "0",
            Self::Normal => "1",
            Self::High => "2",
        }
    }

    fn v3(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "average",
            Self::High => "high",
        }
    }
}

/// A new task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskFields {
    pub title: String,
    /// BB codes; what a stranger wrote goes through [`super::plain`] first.
    pub description: String,
    pub xml_id: String,
    pub creator: i64,
    pub responsible: i64,
    pub auditors: Vec<i64>,
    pub priority: TaskPriority,
    pub deadline: Option<DateTime<Utc>>,
    /// Project and its stage.
    pub group: Option<i64>,
    pub stage: Option<i64>,
    /// Who made it looks at the work before it counts as done.
    pub control: bool,
    pub tags: Vec<String>,
    /// `CO_5`, `D_12` …
    pub crm: Vec<String>,
}

fn moment(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Secs, false))
}

fn yes(flag: bool) -> &'static str {
    if flag { "Y" } else { "N" }
}

struct Written(Map<String, Value>);

impl Written {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// An empty list has no form in a query, and says nothing of a new task.
    fn put_list<T: Clone + Into<Value>>(&mut self, name: &str, list: &[T]) {
        if !list.is_empty() {
            self.put(name, list.to_vec());
        }
    }
}

impl TaskFields {
    pub(super) fn v2(&self) -> Map<String, Value> {
        let mut to = Written(Map::new());
        to.put("TITLE", self.title.as_str());
        to.put("DESCRIPTION", self.description.as_str());
        to.put("XML_ID", self.xml_id.as_str());
        to.put("CREATED_BY", self.creator);
        to.put("RESPONSIBLE_ID", self.responsible);
        to.put("PRIORITY", self.priority.v2());
        to.put("TASK_CONTROL", yes(self.control));
        to.put_list("AUDITORS", &self.auditors);
        to.put_list("TAGS", &self.tags);
        to.put_list("UF_CRM_TASK", &self.crm);
        if let Some(deadline) = self.deadline {
            to.put("DEADLINE", moment(deadline));
        }
        if let Some(group) = self.group {
            to.put("GROUP_ID", group);
        }
        if let Some(stage) = self.stage {
            to.put("STAGE_ID", stage);
        }
        to.0
    }

    pub(super) fn v3(&self) -> Map<String, Value> {
        let mut to = Written(Map::new());
        to.put("title", self.title.as_str());
        to.put("description", self.description.as_str());
        to.put("xmlId", self.xml_id.as_str());
        to.put("creatorId", self.creator);
        to.put("responsibleId", self.responsible);
        to.put("priority", self.priority.v3());
        to.put("needsControl", self.control);
        to.put_list("auditors", &self.auditors);
        to.put_list("crmItemIds", &self.crm);
        if let Some(deadline) = self.deadline {
            to.put("deadline", moment(deadline));
        }
        if let Some(group) = self.group {
            to.put("groupId", group);
        }
        if let Some(stage) = self.stage {
            to.put("stageId", stage);
        }
        to.0
    }
}

/// A change of a task; what is not there stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskChange {
    pub title: Option<String>,
    pub description: Option<String>,
    pub responsible: Option<i64>,
    pub priority: Option<TaskPriority>,
    /// `Some(None)`: it has none any more.
    pub deadline: Option<Option<DateTime<Utc>>>,
    pub stage: Option<i64>,
    pub tags: Option<Vec<String>>,
    pub crm: Option<Vec<String>>,
}

impl TaskChange {
    pub(super) fn v2(&self) -> Map<String, Value> {
        let mut to = Written(Map::new());
        for (name, text) in [("TITLE", &self.title), ("DESCRIPTION", &self.description)] {
            if let Some(text) = text {
                to.put(name, text.as_str());
            }
        }
        for (name, id) in [("RESPONSIBLE_ID", self.responsible), ("STAGE_ID", self.stage)] {
            if let Some(id) = id {
                to.put(name, id);
            }
        }
        if let Some(priority) = self.priority {
            to.put("PRIORITY", priority.v2());
        }
        if let Some(deadline) = self.deadline {
            to.put("DEADLINE", deadline.map_or(json!(""), moment));
        }
        for (name, list) in [("TAGS", &self.tags), ("UF_CRM_TASK", &self.crm)] {
            if let Some(list) = list {
                to.put(name, list.clone());
            }
        }
        to.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s39_a_task_says_the_same_in_both_spellings() {
        let task = TaskFields {
            title: "[FB-2026-000123] Нет броней".into(),
            xml_id: "fidelio-bitrix24:FB-2026-000123".into(),
            creator: 1,
            responsible: 2,
            priority: TaskPriority::High,
            deadline: DateTime::from_timestamp(1_763_730_000, 0),
            control: true,
            crm: vec!["CO_5".into()],
            tags: vec!["Fidelio".into()],
            ..TaskFields::default()
        };
        let (old, new) = (task.v2(), task.v3());
        for (upper, camel) in [
            ("TITLE", "title"),
            ("XML_ID", "xmlId"),
            ("CREATED_BY", "creatorId"),
            ("RESPONSIBLE_ID", "responsibleId"),
            ("DEADLINE", "deadline"),
            ("UF_CRM_TASK", "crmItemIds"),
        ] {
            assert_eq!(old.get(upper), new.get(camel), "{upper}");
        }
        assert_eq!((&old["PRIORITY"], &new["priority"]), (&json!("2"), &json!("high")));
        assert_eq!((&old["TASK_CONTROL"], &new["needsControl"]), (&json!("Y"), &json!(true)));
        assert!(!old.contains_key("AUDITORS") && !new.contains_key("tags"), "v3 makes a task without tags");
        assert_eq!(old["DEADLINE"], "2025-11-21T13:00:00+00:00");
    }

    #[test]
    fn s39_a_change_names_only_what_it_changes() {
        assert!(TaskChange::default().v2().is_empty());
        let change = TaskChange { deadline: Some(None), responsible: Some(7), ..TaskChange::default() };
        assert_eq!(Value::Object(change.v2()), json!({"RESPONSIBLE_ID": 7, "DEADLINE": ""}));
    }
}
