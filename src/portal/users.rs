//! Employees of a portal, as the asking person's own token shows them; remembered for a moment of his session.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Directory, PortalError};
use crate::bitrix::{Call, PortalClient, Priority};
use crate::domain::PortalId;

/// `user.get` answers pages of 50; the rest of a portal of this many comes in one batch.
const PAGE: i64 = 50;
const PAGES: i64 = 40;

/// Somebody types a name: each letter is a question, and all of them have one answer.
const FRESH_MS: i64 = 60_000;
/// Sessions remembered at once.
const KEPT: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    pub id: i64,
    pub name: String,
    pub position: Option<String>,
}

/// An answer, and until when it counts.
type Told = (Arc<Vec<Employee>>, i64);

/// By portal and session.
#[derive(Default)]
pub(super) struct Staffs(Mutex<HashMap<(PortalId, u64), Told>>);

impl Staffs {
    fn get(&self, key: (PortalId, u64), now: i64) -> Option<Arc<Vec<Employee>>> {
        let staffs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        staffs.get(&key).filter(|(_, until)| *until > now).map(|(staff, _)| staff.clone())
    }

    fn put(&self, key: (PortalId, u64), staff: Arc<Vec<Employee>>, now: i64) {
        let mut staffs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        staffs.retain(|_, (_, until)| *until > now);
        if staffs.len() < KEPT {
            staffs.insert(key, (staff, now.saturating_add(FRESH_MS)));
        }
    }
}

impl Directory {
    /// Everybody who works at the portal, by this person's own token.
    pub async fn employees(
        &self,
        portal: PortalId,
        session: u64,
        access: &SecretString,
    ) -> Result<Arc<Vec<Employee>>, PortalError> {
        let now = self.now();
        if let Some(staff) = self.0.staffs.get((portal, session), now) {
            return Ok(staff);
        }
        let staff = Arc::new(all(&self.client_as(portal, access.clone()).await?).await?);
        self.0.staffs.put((portal, session), staff.clone(), now);
        Ok(staff)
    }

    /// Which of these are active employees of the portal. `access`: the asking person's token; an integrator has none,
    /// and the portal is asked under the system pair.
    pub async fn employed(
        &self,
        portal: PortalId,
        access: Option<&SecretString>,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeSet<i64>, PortalError> {
        let client = match access {
            Some(access) => self.client_as(portal, access.clone()).await?,
            None => self.client(portal).await?,
        };
        let ids: Vec<i64> = ids.iter().copied().collect();
        let calls: Vec<Call> = ids.chunks(50).map(|some| page(json!({"ID": some}), 0)).collect();
        let mut found = BTreeSet::new();
        for answer in client.batch(Priority::Person, &calls).await? {
            found.extend(read(&answer?.result).into_iter().map(|employee| employee.id));
        }
        // A portal that does not know the filter answers with everybody.
        found.retain(|id| ids.contains(id));
        Ok(found)
    }
}

fn page(filter: Value, start: i64) -> Call {
    let mut filter = filter;
    if let Some(filter) = filter.as_object_mut() {
        filter.insert("ACTIVE".into(), json!(true));
        filter.insert("USER_TYPE".into(), json!("employee"));
    }
    Call::new("user.get", json!({"FILTER": filter, "sort": "ID", "order": "ASC", "start": start}))
}

async fn all(client: &PortalClient) -> Result<Vec<Employee>, PortalError> {
    let first = client.call(Priority::Person, &page(json!({}), 0)).await?;
    let mut staff = read(&first.result);
    let total = first.total.unwrap_or_default().min(PAGE * PAGES);
    let starts = (1..).map(|n| n * PAGE).take_while(|start| *start < total);
    let rest: Vec<Call> = starts.map(|start| page(json!({}), start)).collect();
    if !rest.is_empty() {
        for answer in client.batch(Priority::Person, &rest).await? {
            staff.extend(read(&answer?.result));
        }
    }
    Ok(staff)
}

/// Texts and numbers come as the portal's PHP felt like.
fn read(result: &Value) -> Vec<Employee> {
    let text = |user: &Value, name: &str| user.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let users = result.as_array().map(Vec::as_slice).unwrap_or_default();
    users
        .iter()
        .filter_map(|user| {
            let id = user.get("ID")?;
            let id = id.as_i64().or_else(|| id.as_str()?.parse().ok())?;
            let kind = text(user, "USER_TYPE");
            let active = user.get("ACTIVE").and_then(crate::bitrix::de::flag).unwrap_or(true);
            let name = [text(user, "LAST_NAME"), text(user, "NAME")].join(" ").trim().to_owned();
            let name = if name.is_empty() { format!("#{id}") } else { name };
            let position = Some(text(user, "WORK_POSITION")).filter(|position| !position.is_empty());
            (active && (kind.is_empty() || kind == "employee")).then_some(Employee { id, name, position })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_users_are_read_as_the_portal_writes_them() {
        let users = read(&json!([
            {"ID": "7", "NAME": "Анна", "LAST_NAME": "Иванова", "WORK_POSITION": "Портье", "USER_TYPE": "employee"},
            {"ID": 8, "NAME": "", "LAST_NAME": null, "ACTIVE": true},
            {"ID": "9", "NAME": "Guest", "USER_TYPE": "extranet"},
            {"ID": "10", "NAME": "Gone", "ACTIVE": "N"},
            {"NAME": "nobody"}
        ]));
        assert_eq!(
            users,
            [
                Employee { id: 7, name: "Иванова Анна".into(), position: Some("Портье".into()) },
                Employee { id: 8, name: "#8".into(), position: None },
            ]
        );
        assert!(read(&Value::Null).is_empty());
    }
}
