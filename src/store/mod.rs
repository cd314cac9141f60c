//! Every line of SQL. Both engines run the same statements; the tenant is an argument of every function.
//!
//! Functions take `&Tx` where they must be part of a caller's transaction and `&Db` where they stand alone.

pub mod alerts;
pub mod api_keys;
mod bulk;
pub mod crm_index;
pub mod crm_records;
pub mod crm_schemas;
mod db;
pub mod desk;
pub mod erasures;
pub mod event_feed;
pub mod found_changes;
pub mod gates;
pub mod groups;
pub mod hotels;
pub mod idempotency;
pub mod imports;
pub mod inbox;
pub mod jobs;
pub mod keys;
pub mod late_installs;
pub mod leases;
pub mod limits;
pub mod links;
pub mod mapping_jobs;
pub mod mappings;
pub mod merge_hints;
pub mod merges;
pub mod outbox;
mod outbox_sent;
pub mod pins;
pub mod portals;
pub mod problems;
pub mod profiles;
pub mod provenance;
pub mod purge;
pub mod reconciled_days;
pub mod reconciled_lots;
pub mod reconciliations;
pub mod recreations;
pub mod remedies;
pub mod request_log;
pub mod roles;
pub mod source_reading;
pub mod sources;
pub mod splits;
mod sql;
pub mod stay_steps;
pub mod stay_sums;
pub mod stays;
pub mod tokens;
pub mod work;

pub use bulk::Via;
pub use db::{Db, Engine, Schema, StoreError, Tx};
pub(crate) use sql::{Row, args};

/// For test harnesses: databases that live as long as a test.
pub mod testing {
    use super::{Db, Engine, StoreError, args};
    use crate::domain::PortalId;

    /// Creates a PostgreSQL database on the server of `url`: an empty one, or a copy of one that nobody has open.
    pub async fn create_database(url: &str, name: &str, of: Option<&str>) -> Result<(), StoreError> {
        if [Some(name), of].into_iter().flatten().flat_map(str::bytes).any(|b| !b.is_ascii_alphanumeric() && b != b'_')
        {
            return Err(StoreError::Url("has an unusable database name"));
        }
        let of = of.map(|of| format!(" TEMPLATE {of} STRATEGY FILE_COPY")).unwrap_or_default();
        let server = Db::connect(url).await?;
        server.execute(&format!("CREATE DATABASE {name}{of}"), vec![]).await?;
        server.close().await;
        Ok(())
    }

    /// SQLite's disk is full (`on`), or has room again.
    pub async fn fill_disk(db: &Db, on: bool) -> Result<(), StoreError> {
        let rows = db.execute_returning("PRAGMA page_count", vec![]).await?;
        let pages: i64 = rows.first().map_or(Ok(0), |row| row.get("page_count"))?;
        let most = if on { pages } else { i64::from(i32::MAX) };
        db.execute(&format!("PRAGMA max_page_count = {most}"), vec![]).await?;
        Ok(())
    }

    /// PostgreSQL's server ends every connection to the database at `url`, as a restart does.
    pub async fn end_connections(url: &str) -> Result<(), StoreError> {
        let (server, name) = url.rsplit_once('/').ok_or(StoreError::Url("names no database"))?;
        let server = Db::connect(&format!("{server}/postgres")).await?;
        let end = "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE datname = $1";
        server.rows(end, args![name]).await?;
        Ok(())
    }

    /// Everything that is kept of a tenant: every text as it is and every sealed value, each under `table.column`.
    pub async fn held(db: &Db, portal: PortalId) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let columns = match db.engine() {
            Engine::Sqlite => {
                "SELECT m.name AS t, c.name AS c, UPPER(c.type) AS ty FROM sqlite_master m JOIN pragma_table_info(m.name) c
                 WHERE m.type = 'table'"
            }
            Engine::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS t, CAST(column_name AS TEXT) AS c, CAST(UPPER(data_type) AS TEXT) AS ty
                 FROM information_schema.columns WHERE table_schema = current_schema()"
            }
        };
        let tables = super::purge::tenant_tables(db).await?;
        let mut found = Vec::new();
        for row in db.rows(columns, vec![]).await? {
            let (table, column, kind): (String, String, String) = (row.get("t")?, row.get("c")?, row.get("ty")?);
            if !tables.contains(&table) || !["TEXT", "BLOB", "BYTEA"].contains(&kind.as_str()) {
                continue;
            }
            let sql = format!("SELECT {column} AS held FROM {table} WHERE portal_id = $1 AND {column} IS NOT NULL");
            for row in db.rows(&sql, args![portal.0]).await? {
                let held = if kind == "TEXT" { row.get::<String>("held")?.into_bytes() } else { row.get("held")? };
                found.push((format!("{table}.{column}"), held));
            }
        }
        Ok(found)
    }

    /// How many rows of a tenant each table has.
    pub async fn tenant_rows(db: &Db, portal: PortalId) -> Result<Vec<(String, i64)>, StoreError> {
        let mut counted = Vec::new();
        for table in super::purge::tenant_tables(db).await? {
            let sql = format!("SELECT COUNT(*) AS n FROM {table} WHERE portal_id = $1");
            for row in db.rows(&sql, args![portal.0]).await? {
                counted.push((table.clone(), row.get("n")?));
            }
        }
        Ok(counted)
    }

    /// Every row of every table as text, in order: for the test that something changes nothing.
    pub async fn dump(db: &Db) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let tables = match db.engine() {
            Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            Engine::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
                 WHERE table_schema = current_schema() ORDER BY table_name"
            }
        };
        let mut dumped = Vec::new();
        for table in db.rows(tables, vec![]).await? {
            let table: String = table.get("name")?;
            let line = match db.engine() {
                Engine::Postgres => "CAST(t AS TEXT)".to_owned(),
                Engine::Sqlite => {
                    let columns = db.rows(&format!("SELECT name FROM pragma_table_info('{table}')"), vec![]).await?;
                    let quoted = columns.iter().map(|column| Ok(format!("quote({})", column.get::<String>("name")?)));
                    quoted.collect::<Result<Vec<_>, StoreError>>()?.join(" || ',' || ")
                }
            };
            let rows = db.rows(&format!("SELECT {line} AS line FROM {table} t ORDER BY 1"), vec![]).await?;
            let rows = rows.iter().map(|row| row.get("line")).collect::<Result<Vec<String>, StoreError>>()?;
            dumped.push((table, rows));
        }
        Ok(dumped)
    }

    /// As another release left it: these migrations were applied.
    pub async fn set_schema(db: &Db, versions: &[&str]) -> Result<(), StoreError> {
        db.execute("DELETE FROM seaql_migrations", args![]).await?;
        for version in versions {
            db.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ($1, 0)", args![*version]).await?;
        }
        Ok(())
    }

    /// How the database would read a list of requests, as it says itself.
    pub async fn request_list_plan(
        db: &Db,
        whose: super::desk::search::Whose,
        filter: &super::desk::search::Filter,
    ) -> Result<String, StoreError> {
        let (sql, values) = super::desk::search::statement(whose, filter, 50);
        let tx = db.begin().await?;
        let rows = match db.engine() {
            Engine::Sqlite => tx.rows(&format!("EXPLAIN QUERY PLAN {sql}"), values).await?,
            Engine::Postgres => {
                // A table of three rows is read whole, whatever its indexes.
                tx.execute("SET LOCAL enable_seqscan = off", vec![]).await?;
                tx.execute("SET LOCAL enable_sort = off", vec![]).await?;
                tx.rows(&format!("EXPLAIN {sql}"), values).await?
            }
        };
        let column = if db.engine() == Engine::Sqlite { "detail" } else { "QUERY PLAN" };
        let lines = rows.iter().map(|row| row.get(column)).collect::<Result<Vec<String>, StoreError>>()?;
        tx.rollback().await?;
        Ok(lines.join("\n"))
    }

    /// Nobody else writes (SQLite: at all, PostgreSQL: to that table) until the transaction ends.
    pub async fn hold_writes(db: &Db, table: &str) -> Result<super::Tx, StoreError> {
        let tx = db.begin().await?;
        if db.engine() == Engine::Postgres {
            tx.execute(&format!("LOCK TABLE {table} IN SHARE MODE"), vec![]).await?;
        }
        Ok(tx)
    }

    /// How many connections to a PostgreSQL database wait for somebody's lock.
    pub async fn waiting(db: &Db) -> Result<i64, StoreError> {
        let waiting = "SELECT COUNT(*) AS n FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        db.rows(waiting, vec![]).await?.first().map_or(Ok(0), |row| row.get("n"))
    }

    /// Leases that hold at that moment, with their owners.
    pub async fn leases(db: &Db, now: i64) -> Result<Vec<(String, String)>, StoreError> {
        let rows = db.rows("SELECT name, owner FROM lease WHERE until > $1 ORDER BY name", args![now]).await?;
        rows.iter().map(|row| Ok((row.get("name")?, row.get("owner")?))).collect()
    }

    /// What waits in a tenant's inbox, by subject.
    pub async fn inbox_subjects(db: &Db, portal: PortalId) -> Result<Vec<String>, StoreError> {
        let rows = db.rows("SELECT subject FROM inbox WHERE portal_id = $1 ORDER BY id", args![portal.0]).await?;
        rows.iter().map(|row| row.get("subject")).collect()
    }

    /// The facts of these stays cannot be opened any more.
    pub async fn spoil_stays(db: &Db, portal: PortalId, numbers: &[&str]) -> Result<(), StoreError> {
        for number in numbers {
            let sql = "UPDATE stay SET facts_sealed = $3 WHERE portal_id = $1 AND number = $2";
            db.execute(sql, args![portal.0, *number, vec![0_u8]]).await?;
        }
        Ok(())
    }

    /// A few rows of a tenant in the tables that hold most of a hotel's data.
    pub async fn fill_tenant(db: &Db, portal: PortalId) -> Result<(), StoreError> {
        for n in 0..3_i64 {
            let number = format!("{n}");
            let blob = vec![1_u8, 2, 3];
            for sql in [
                "INSERT INTO inbox (portal_id, kind, subject, priority, payload_sealed, received_at) VALUES ($1, 'event', $2, 1, $3, 0)",
                "INSERT INTO outbox (portal_id, subject, intent, priority, seen_at, write_sealed) VALUES ($1, $2, 'sync', 1, 0, $3)",
                "INSERT INTO stay (portal_id, hotel_id, number, status, arrival, departure, hash, facts_sealed, received_at, updated_at)
                 VALUES ($1, 1, $2, 'confirmed', '2026-01-01', '2026-01-02', '', $3, 0, 0)",
                "INSERT INTO profile (portal_id, hotel_id, number, kind, hash, facts_sealed, received_at, updated_at)
                 VALUES ($1, 1, $2, 'guest', '', $3, 0, 0)",
            ] {
                db.execute(sql, args![portal.0, number.as_str(), blob.clone()]).await?;
            }
            for sql in [
                "INSERT INTO hotel (portal_id, code, name, timezone, currency, created_at) VALUES ($1, $2, 'x', 'UTC', 'RUB', 0)",
                "INSERT INTO link (portal_id, subject, entity, crm_id, origin, marked, created_at) VALUES ($1, $2, 2, 1, '', TRUE, 0)",
                "INSERT INTO portal_role (portal_id, user_id, role) VALUES ($1, 5, $2)",
                "INSERT INTO api_key (id, portal_id, hash, label, grants, hotels, made_by, created_at, expires_at)
                 VALUES ('k' || CAST($1 AS TEXT) || $2, $1, '', '', '[]', 'null', 1, 0, 0)",
            ] {
                db.execute(sql, args![portal.0, number.as_str()]).await?;
            }
        }
        Ok(())
    }
}
