//! Many rows in one statement, through either a connection or a transaction.

use sea_orm::Value;

use super::{Db, Row, StoreError, Tx};
use crate::domain::HotelId;

/// Where a function reads or writes: outside any transaction, or inside the caller's.
#[derive(Clone, Copy, Debug)]
pub enum Via<'a> {
    Db(&'a Db),
    Tx(&'a Tx),
}

impl<'a> From<&'a Db> for Via<'a> {
    fn from(db: &'a Db) -> Self {
        Self::Db(db)
    }
}

impl<'a> From<&'a Tx> for Via<'a> {
    fn from(tx: &'a Tx) -> Self {
        Self::Tx(tx)
    }
}

impl Via<'_> {
    pub(crate) async fn rows(&self, text: &str, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Db(db) => db.rows(text, args).await,
            Self::Tx(tx) => tx.rows(text, args).await,
        }
    }

    pub(crate) async fn execute(&self, text: &str, args: Vec<Value>) -> Result<u64, StoreError> {
        match self {
            Self::Db(db) => db.execute(text, args).await,
            Self::Tx(tx) => tx.execute(text, args).await,
        }
    }
}

/// Placeholders in one statement. SQLite would take 32,766, PostgreSQL 65,535; beyond a few hundred rows nothing is gained.
const MAX_ARGS: usize = 4_000;

/// `$n, $n+1, …`: placeholders for a list that follows `taken` others.
pub(crate) fn list(taken: usize, count: usize) -> String {
    (1..=count).map(|n| format!("${}", taken + n)).collect::<Vec<_>>().join(", ")
}

/// That `subject` is one of the hotel's stays, profiles and groups; the patterns follow the values that are there.
pub(crate) fn of_hotel(hotel: HotelId, values: &mut Vec<Value>) -> String {
    let like = |kind: &str| {
        values.push(format!("{kind}:{hotel}:%").into());
        format!("subject LIKE ${}", values.len())
    };
    format!("({})", ["stay", "profile", "group"].map(like).join(" OR "))
}

/// How many rows of `columns` values fit one statement.
pub(crate) fn chunk_of(columns: usize) -> usize {
    (MAX_ARGS / columns.max(1)).clamp(1, 500)
}

/// `INSERT INTO … (…) VALUES (…), (…) <tail>` for as many rows as there are. Outside a transaction each statement is one
/// of its own.
pub(crate) async fn insert(
    via: impl Into<Via<'_>>,
    into: &str,
    columns: &[&str],
    rows: Vec<Vec<Value>>,
    tail: &str,
) -> Result<u64, StoreError> {
    let via = via.into();
    let mut touched = 0;
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<Vec<Value>> = rows.by_ref().take(chunk_of(columns.len())).collect();
        let tuples = (0..chunk.len())
            .map(|row| format!("({})", list(row * columns.len(), columns.len())))
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!("INSERT INTO {into} ({}) VALUES {tuples} {tail}", columns.join(", "));
        touched += via.execute(&text, chunk.into_iter().flatten().collect()).await?;
    }
    Ok(touched)
}
