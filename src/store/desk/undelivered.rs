//! The problem of what did not reach a request's task or its submitter: one for each request, over with the last row that it was about.

use serde_json::json;

use super::outbox::{self, OutboxRow};
use crate::domain::PortalId;
use crate::domain::support::RequestNumber;
use crate::store::problems::{self, NewProblem};
use crate::store::{StoreError, Tx, args};

/// The problem's cause.
pub const CAUSE: &str = "desk.undelivered";
const SUBJECT: &str = "request:";
/// Causes of rows that nobody can mend, or that are told otherwise.
pub const QUIET: [&str; 8] =
    ["key_destroyed", "no_mail", "no_task", "not_notified", "not_for_a_task", "task_gone", "no_card", "card_gone"];

/// `kind`: `failed` or `rejected`; `code`: the portal's, or a word of ours.
pub fn problem(row: &OutboxRow, kind: &'static str, code: &str) -> NewProblem {
    let params = json!({"number": row.number, "channel": row.channel.word(), "kind": row.kind.word(), "code": code});
    NewProblem { hotel: None, subject: format!("{SUBJECT}{}", row.number), cause: CAUSE.to_owned(), kind, params }
}

/// A row was delivered: the problem ends unless another one is left.
pub async fn over(tx: &Tx, row: &OutboxRow) -> Result<(), StoreError> {
    let sql = "SELECT cause FROM desk_outbox WHERE portal_id = $1 AND request_id = $2 AND state IN (2, 3)";
    for left in tx.rows(sql, args![row.desk.0, row.request]).await? {
        if !QUIET.contains(&left.get::<String>("cause")?.as_str()) {
            return Ok(());
        }
    }
    problems::over(tx, row.desk, &format!("{SUBJECT}{}", row.number), CAUSE).await
}

/// Somebody asks for another try of what the problem is about.
pub async fn retry(tx: &Tx, desk: PortalId, subject: &str, now: i64) -> Result<(), StoreError> {
    let number = subject.strip_prefix(SUBJECT).and_then(|number| number.parse::<RequestNumber>().ok());
    let Some(number) = number else { return Ok(()) };
    let sql = "SELECT id FROM desk_request WHERE number = $2 AND portal_id = $1";
    for row in tx.rows(sql, args![desk.0, number.to_string()]).await? {
        outbox::retry(tx, desk, row.get("id")?, now).await?;
    }
    Ok(())
}
