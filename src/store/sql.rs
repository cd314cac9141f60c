//! The little that both engines need to run one text: `$1` placeholders, typed rows.

use sea_orm::{ConnectionTrait, QueryResult, Statement, TryGetable, Value};

use super::StoreError;

/// A row read by column name.
#[derive(Debug)]
pub(crate) struct Row(QueryResult);

impl Row {
    pub(crate) fn get<T: TryGetable>(&self, column: &str) -> Result<T, StoreError> {
        Ok(self.0.try_get("", column)?)
    }
}

pub(super) async fn rows(db: &impl ConnectionTrait, text: &str, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, args);
    Ok(db.query_all_raw(statement).await?.into_iter().map(Row).collect())
}

pub(super) async fn execute(db: &impl ConnectionTrait, text: &str, args: Vec<Value>) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, args);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// `args![a, b]`: values for `$1`, `$2` … of one statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(crate) use args;
