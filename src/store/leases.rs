//! Who works on what: a lease with an owner, an end and a fence that grows each time it changes hands.

use super::{Db, StoreError, Tx, args};

/// A lease that this node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub owner: String,
    pub fence: i64,
    pub until: i64,
}

/// No honest owner holds a lease for so many times its length: one that ends later was taken by a clock that was ahead.
const BEYOND: i64 = 10;

/// Takes the lease if it is free, has run out, or is already ours (then the fence stays). `None`: another holds it.
pub async fn acquire(db: &Db, name: &str, owner: &str, now: i64, until: i64) -> Result<Option<Lease>, StoreError> {
    let rows = db
        .execute_returning(
            "INSERT INTO lease (name, owner, fence, until) VALUES ($1, $2, 1, $3)
             ON CONFLICT (name) DO UPDATE SET
                fence = CASE WHEN lease.owner = excluded.owner AND lease.until > $4 THEN lease.fence ELSE lease.fence + 1 END,
                owner = excluded.owner, until = excluded.until
             WHERE lease.owner = excluded.owner OR lease.until <= $4 OR lease.until > $5
             RETURNING fence",
            args![name, owner, until, now, now.saturating_add(until.saturating_sub(now).saturating_mul(BEYOND))],
        )
        .await?;
    rows.first()
        .map(|row| Ok(Lease { name: name.to_owned(), owner: owner.to_owned(), fence: row.get("fence")?, until }))
        .transpose()
}

/// Holds it longer. `false`: it ran out, was given back or went to another; one that comes late revives nothing.
pub async fn renew(db: &Db, lease: &Lease, now: i64, until: i64) -> Result<bool, StoreError> {
    let renewed = db
        .execute(
            "UPDATE lease SET until = $5 WHERE name = $1 AND owner = $2 AND fence = $3 AND until > $4",
            args![lease.name.as_str(), lease.owner.as_str(), lease.fence, now, until],
        )
        .await?;
    Ok(renewed > 0)
}

/// Whether the lease is still held under this fence; to be asked inside the transaction that acts on it.
pub async fn holds(tx: &Tx, lease: &Lease, now: i64) -> Result<bool, StoreError> {
    let rows = tx
        .rows(
            "SELECT 1 AS one FROM lease WHERE name = $1 AND owner = $2 AND fence = $3 AND until > $4",
            args![lease.name.as_str(), lease.owner.as_str(), lease.fence, now],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Gives the lease back early, so that another node need not wait for its end.
pub async fn release(db: &Db, lease: &Lease) -> Result<(), StoreError> {
    db.execute(
        "UPDATE lease SET until = 0 WHERE name = $1 AND owner = $2 AND fence = $3",
        args![lease.name.as_str(), lease.owner.as_str(), lease.fence],
    )
    .await?;
    Ok(())
}

/// Gives back whatever this node still holds.
pub async fn release_all(db: &Db, owner: &str) -> Result<(), StoreError> {
    db.execute("UPDATE lease SET until = 0 WHERE owner = $1 AND until > 0", args![owner]).await?;
    Ok(())
}
