//! Running numbers of requests. A block is taken in a statement of its own, so that no registration waits for another's
//! transaction; numbers left of a block when a node stops are never used: they are unique, not gapless.

use crate::domain::support::RequestNumber;
use crate::store::{Db, StoreError, args};

/// The first and last of `count` numbers that nobody else gets.
pub async fn take(db: &Db, year: u16, count: u32) -> Result<(u32, u32), StoreError> {
    let rows = db
        .execute_returning(
            "INSERT INTO desk_number (year, last) VALUES ($1, $2)
             ON CONFLICT (year) DO UPDATE SET last = desk_number.last + excluded.last RETURNING last",
            args![i32::from(year), i64::from(count)],
        )
        .await?;
    let last: i64 = rows.first().ok_or(StoreError::Corrupt("desk_number.last"))?.get("last")?;
    let last = u32::try_from(last).map_err(|_| StoreError::Corrupt("desk_number.last"))?;
    Ok((last.saturating_sub(count) + 1, last.min(RequestNumber::MOST)))
}
