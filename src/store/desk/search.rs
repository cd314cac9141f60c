//! Lists of requests, the newest first. Each is read along an index: what it is found by comes with its time. A person is
//! found by keyed hashes.

use super::requests::{COLUMNS, RequestRow, read};
use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::domain::phone::Phone;
use crate::domain::support::{Kind, Priority, Release, State};
use crate::store::{Db, StoreError, args};

/// Numbers without a country's code are taken for numbers of the vendor's country.
const COUNTRY: &str = "RU";

/// Spellings of one number have one hash.
pub fn phone_hash(key: &TenantKey, text: &str) -> String {
    let digits = || text.chars().filter(char::is_ascii_digit).collect();
    let number = Phone::read(text, Some(COUNTRY)).e164.unwrap_or_else(digits);
    key.hash("desk.phone", number.as_bytes())
}

pub fn email_hash(key: &TenantKey, text: &str) -> String {
    key.hash("desk.email", text.trim().to_lowercase().as_bytes())
}

pub fn login_hash(key: &TenantKey, text: &str) -> String {
    key.hash("desk.login", text.trim().to_lowercase().as_bytes())
}

/// Whose list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// All that this desk works.
    Desk(PortalId),
    /// All that is about this portal, whichever desk works it.
    Customer(PortalId),
    /// What this user of the portal submitted.
    Submitter(PortalId, i64),
}

/// What is looked for: all of it must hold. Of hashes, times and places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    pub state: Option<State>,
    pub kind: Option<Kind>,
    pub priority: Option<Priority>,
    /// Which release fixes it.
    pub release: Option<Release>,
    /// Of a desk's list.
    pub customer: Option<PortalId>,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub login: Option<String>,
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// `(created_at, id)` of the last one seen.
    pub after: Option<(i64, i64)>,
}

/// Statement and values: public to the test of query plans.
pub(crate) fn statement(whose: Whose, filter: &Filter, limit: i64) -> (String, Vec<sea_orm::Value>) {
    let (mut clauses, mut values) = match whose {
        Whose::Desk(desk) => (vec!["portal_id = $1".to_owned()], args![desk.0]),
        Whose::Customer(portal) => (vec!["customer_id = $1".to_owned()], args![portal.0]),
        Whose::Submitter(portal, user) => {
            (vec!["customer_id = $1".to_owned(), "submitter_id = $2".to_owned()], args![portal.0, user])
        }
    };
    let mut say = |clause: &str, value: sea_orm::Value| {
        values.push(value);
        clauses.push(format!("{clause} ${}", values.len()));
    };
    if let Some(state) = filter.state {
        say("state =", state.word().into());
    }
    if let Some(kind) = filter.kind {
        say("kind =", kind.word().into());
    }
    if let Some(priority) = filter.priority {
        say("priority =", priority.word().into());
    }
    if let Some(release) = filter.release {
        say("fixed_in =", release.to_string().into());
    }
    if let (Some(customer), Whose::Desk(_)) = (filter.customer, whose) {
        say("customer_id =", customer.0.into());
    }
    for (column, hash) in
        [("phone_hash =", &filter.phone), ("email_hash =", &filter.email), ("login_hash =", &filter.login)]
    {
        if let Some(hash) = hash {
            say(column, hash.as_str().into());
        }
    }
    if let Some(from) = filter.from {
        say("created_at >=", from.into());
    }
    if let Some(to) = filter.to {
        say("created_at <", to.into());
    }
    if let Some((at, id)) = filter.after {
        values.push(at.into());
        values.push(id.into());
        clauses.push(format!("(created_at, id) < (${}, ${})", values.len() - 1, values.len()));
    }
    values.push(limit.into());
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_request WHERE {} ORDER BY created_at DESC, id DESC LIMIT ${}",
        clauses.join(" AND "),
        values.len()
    );
    (sql, values)
}

pub async fn list(db: &Db, whose: Whose, filter: &Filter, limit: i64) -> Result<Vec<RequestRow>, StoreError> {
    let (sql, values) = statement(whose, filter, limit);
    db.rows(&sql, values).await?.iter().map(read).collect()
}

/// The desks that hold requests about this portal: its own, and the support portal's.
pub async fn desks_of(db: &Db, portal: PortalId) -> Result<Vec<PortalId>, StoreError> {
    let sql = "SELECT DISTINCT portal_id FROM desk_request WHERE customer_id = $1 OR portal_id = $1 ORDER BY portal_id";
    db.rows(sql, args![portal.0]).await?.iter().map(|row| Ok(PortalId(row.get("portal_id")?))).collect()
}
