//! Lists of requests, the newest first. Each is read along an index: what it is found by comes with its time.

use super::requests::{COLUMNS, RequestRow, read};
use crate::domain::PortalId;
use crate::domain::support::{Kind, State};
use crate::store::{Db, StoreError, args};

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
