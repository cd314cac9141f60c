//! The little that both engines need to run one text: `$1` placeholders, typed rows.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, TryGetable, Value};

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
    Ok(db.query_all_raw(statement(db, text, args)).await?.into_iter().map(Row).collect())
}

pub(super) async fn execute(db: &impl ConnectionTrait, text: &str, args: Vec<Value>) -> Result<u64, StoreError> {
    Ok(db.execute_raw(statement(db, text, args)).await?.rows_affected())
}

fn statement(db: &impl ConnectionTrait, text: &str, args: Vec<Value>) -> Statement {
    let backend = db.get_database_backend();
    if backend == DbBackend::Sqlite {
        let (text, args) = unnamed(text, args);
        return Statement::from_sql_and_values(backend, text, args);
    }
    Statement::from_sql_and_values(backend, text, args)
}

/// `$1, $2` as `?, ?`. To SQLite `$1` is a name that is looked up in a list, for each of a statement's placeholders: time
/// that grows with the square of their number.
fn unnamed(text: &str, args: Vec<Value>) -> (String, Vec<Value>) {
    let mut plain = String::with_capacity(text.len());
    let mut order = Vec::with_capacity(args.len());
    for (at, part) in text.split('\'').enumerate() {
        if at > 0 {
            plain.push('\'');
        }
        if at % 2 == 1 {
            plain.push_str(part); // a quoted text
            continue;
        }
        for (at, piece) in part.split('$').enumerate() {
            let name = piece.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let number = piece.strip_suffix(name).unwrap_or_default();
            if at == 0 {
                plain.push_str(piece);
            } else if let Some(place) = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
                plain.push('?');
                plain.push_str(name);
                order.push(place);
            } else {
                plain.push('$');
                plain.push_str(piece);
            }
        }
    }
    let mut uses = vec![0_usize; args.len()];
    for place in &order {
        if let Some(uses) = uses.get_mut(*place) {
            *uses += 1;
        }
    }
    let mut args: Vec<Option<Value>> = args.into_iter().map(Some).collect();
    let values = order
        .into_iter()
        .filter_map(|place| {
            let uses = uses.get_mut(place)?;
            *uses -= 1;
            let arg = args.get_mut(place)?;
            if *uses == 0 { arg.take() } else { arg.clone() }
        })
        .collect();
    (plain, values)
}

/// `args![a, b]`: values for `$1`, `$2` … of one statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(crate) use args;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_placeholders_are_unnamed_in_their_order_and_quoted_text_is_left() {
        let (text, values) =
            unnamed("SELECT '$1', \"a\" FROM t WHERE a = $2 AND b IN ($1,$2) OR c = '$.x''$3'", args![7, "x"]);
        assert_eq!(text, "SELECT '$1', \"a\" FROM t WHERE a = ? AND b IN (?,?) OR c = '$.x''$3'");
        assert_eq!(values, args!["x", 7, "x"]);
        assert_eq!(unnamed("SELECT 1", args![]), ("SELECT 1".to_owned(), args![]));
    }
}
