//! People of the portal.

use serde_json::{Map, Value, json};

/// An employee or guest of the portal.
#[derive(Clone, Debug, serde::Serialize)]
pub struct User {
    /// Id.
    pub id: i64,
    /// First name.
    pub name: String,
    /// Last name.
    pub last_name: String,
    /// Portal administrator.
    pub admin: bool,
    /// Outside person with access to projects only.
    pub extranet: bool,
    /// Dismissed users are inactive.
    pub active: bool,
    /// May import CRM records.
    pub may_import: bool,
    /// The app is hidden from this person by the admin.
    pub app_hidden: bool,
    /// Interface language.
    pub lang: String,
}

impl User {
    /// A plain employee.
    pub fn employee(id: i64, name: &str, last_name: &str) -> Self {
        Self {
            id,
            name: name.into(),
            last_name: last_name.into(),
            admin: false,
            extranet: false,
            active: true,
            may_import: false,
            app_hidden: false,
            lang: "ru".into(),
        }
    }

    /// The first five: admin, manager, extranet guest, second admin, second manager.
    pub fn defaults() -> Vec<Self> {
        let admin = |id, name, last_name| Self { admin: true, may_import: true, ..Self::employee(id, name, last_name) };
        vec![
            admin(1, "Анна", "Администратова"),
            Self::employee(2, "Марк", "Менеджеров"),
            Self { extranet: true, ..Self::employee(3, "Эдуард", "Внешний") },
            admin(4, "Вера", "Второва"),
            Self::employee(5, "Ольга", "Стойкина"),
        ]
    }

    /// Fields `user.get` shows with the scope `user_brief`.
    pub fn brief(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("ID".into(), json!(self.id.to_string()));
        shown.insert("ACTIVE".into(), json!(self.active));
        shown.insert("NAME".into(), json!(self.name));
        shown.insert("LAST_NAME".into(), json!(self.last_name));
        shown.insert("SECOND_NAME".into(), json!(""));
        shown.insert("IS_ONLINE".into(), json!("N"));
        shown.insert("PERSONAL_PHOTO".into(), Value::Null);
        shown.insert("WORK_POSITION".into(), json!(""));
        shown.insert("USER_TYPE".into(), json!(if self.extranet { "extranet" } else { "employee" }));
        shown.insert("UF_DEPARTMENT".into(), if self.extranet { json!([]) } else { json!([1]) });
        shown
    }
}
