//! Every line of SQL. Both engines run the same statements; the tenant is an argument of every function.
//!
//! Functions take `&Tx` where they must be part of a caller's transaction and `&Db` where they stand alone.

pub mod api_keys;
mod bulk;
pub mod crm_index;
pub mod crm_records;
mod db;
pub mod gates;
pub mod hotels;
pub mod idempotency;
pub mod imports;
pub mod inbox;
pub mod keys;
pub mod leases;
pub mod limits;
pub mod links;
pub mod mappings;
pub mod outbox;
pub mod portals;
pub mod problems;
pub mod profiles;
pub mod purge;
pub mod request_log;
pub mod roles;
pub mod sources;
mod sql;
pub mod stays;
pub mod tokens;
pub mod work;

pub use bulk::Via;
pub use db::{Db, Engine, Schema, StoreError, Tx};
pub(crate) use sql::{Row, args};

/// For test harnesses: databases that live as long as a test.
pub mod testing {
    use super::{Db, StoreError};

    /// Creates an empty PostgreSQL database on the server of `url`.
    pub async fn create_database(url: &str, name: &str) -> Result<(), StoreError> {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(StoreError::Url("has an unusable database name"));
        }
        let server = Db::connect(url).await?;
        server.execute(&format!("CREATE DATABASE {name}"), vec![]).await?;
        Ok(())
    }
}
