//! Connections: one PostgreSQL pool, or one writer and several readers on SQLite.

use std::time::Duration;

use fb24_migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait, sqlx,
};

use secrecy::ExposeSecret;

use super::sql::{self, Row};
use crate::config;
use crate::crypto::CryptoError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Why the store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Database(#[from] DbErr),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The tenant's key was destroyed: its rows are dropped, not read (product §9).
    #[error("the tenant's key was destroyed")]
    KeyDestroyed,
    #[error("a stored value of {0} cannot be read")]
    Corrupt(&'static str),
    /// The process is ending: nothing more is taken.
    #[error("the store takes nothing more: the process is ending")]
    Stopped,
    #[error("database.url {0}")]
    Url(&'static str),
    #[error("the database has migrations this release does not know; run a newer release")]
    NewerSchema,
}

impl StoreError {
    /// Whether it tells nothing of what was to be stored: the database was away, busy, full or read-only (while another
    /// server takes over), and the same may pass next time.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Stopped | Self::Database(DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) => true,
            Self::Database(DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) => {
                transient(error)
            }
            _ => false,
        }
    }
}

/// On a full disk SQLite rolls a transaction back by itself; the connection then takes itself to be inside of one for
/// ever, and no further one can begin on it. It is replaced.
fn is_usable(connection: &sqlx::SqliteConnection) -> bool {
    use sqlx::Connection;
    // Whatever was left to roll back was done when the connection came back to its pool.
    !connection.is_in_transaction()
}

fn transient(error: &sqlx::Error) -> bool {
    use sqlx::Error;
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::PoolTimedOut | Error::PoolClosed => true,
        Error::WorkerCrashed | Error::BeginFailed => true,
        Error::Database(said) => said.code().is_some_and(|code| transient_code(&code)),
        _ => false,
    }
}

fn transient_code(code: &str) -> bool {
    // SQLite: its number, the least byte of which is the kind: busy, locked, read-only, interrupted, I/O, full, cannot open.
    if let Ok(number) = code.parse::<u32>()
        && code.len() != 5
    {
        return matches!(number & 0xff, 5 | 6 | 8 | 9 | 10 | 13 | 14);
    }
    // PostgreSQL: connection, read-only, roll-back by conflict, resources, not in the needed state, operator, system.
    code == "25006" || ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// Pages a connection to SQLite keeps (KiB, told as a negative number). An import changes the same leaves of indexes again
/// and again: its writer reads them and copies them back less often. What a reader lacks the system has at hand.
const WRITERS_CACHE: &str = "-16384";
const READERS_CACHE: &str = "-2048";

/// The database of this deployment.
#[derive(Clone, Debug)]
pub struct Db {
    write: DatabaseConnection,
    read: DatabaseConnection,
    engine: Engine,
}

/// A write transaction. Dropped without [`Tx::commit`], it is rolled back. Never hold one across a network call.
#[derive(Debug)]
pub struct Tx(DatabaseTransaction);

/// How the database's schema stands to this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    Current,
    /// `migrate` has work to do.
    Behind,
    /// A newer release was here.
    Newer,
}

impl Db {
    /// Connects to the database of the settings, without migrating.
    pub async fn connect_with(settings: &config::Database) -> Result<Self, StoreError> {
        if settings.url.starts_with("sqlite:") {
            return Self::connect(&settings.url).await;
        }
        let mut url = url::Url::parse(&settings.url).map_err(|_| StoreError::Url("is no URL"))?;
        if !settings.user.is_empty() {
            url.set_username(&settings.user).map_err(|()| StoreError::Url("takes no user"))?;
        }
        if !settings.password.expose_secret().is_empty() {
            url.set_password(Some(settings.password.expose_secret()))
                .map_err(|()| StoreError::Url("takes no password"))?;
        }
        Self::connect(url.as_str()).await
    }

    /// Connects, without migrating.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            Self::connect_sqlite(url).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let mut options = ConnectOptions::new(url);
            // Each connection is asked whether it lives before it is used: a server ends them, and so does the end of the
            // thread that opened one.
            options.max_connections(12).sqlx_logging(false).acquire_timeout(Duration::from_secs(10));
            let pool = Database::connect(options).await?;
            Ok(Self { write: pool.clone(), read: pool, engine: Engine::Postgres })
        } else {
            Err(StoreError::Url("must start with sqlite: or postgres:"))
        }
    }

    async fn connect_sqlite(url: &str) -> Result<Self, StoreError> {
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = path.split('?').next().unwrap_or(path);
        if path.is_empty() || path == ":memory:" {
            return Err(StoreError::Url("needs a file: an in-memory database loses bookings"));
        }
        if let Some(folder) = std::path::Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|_| StoreError::Url("names a folder that cannot be made"))?;
        }
        let options = |connections: u32, cache: &'static str| {
            let mut options = ConnectOptions::new(format!("sqlite://{path}?mode=rwc"));
            options
                .max_connections(connections)
                .sqlx_logging(false)
                .acquire_timeout(Duration::from_secs(30))
                // A file does not go away as a server does: asking it before each statement only costs a way to its thread.
                .test_before_acquire(false)
                .map_sqlx_sqlite_before_acquire(|connection, _| {
                    let usable = is_usable(connection);
                    Box::pin(async move { Ok(usable) })
                })
                .map_sqlx_sqlite_opts(move |sqlite| {
                    sqlite
                        .journal_mode(SqliteJournalMode::Wal)
                        // An acknowledged event must survive a power cut.
                        .synchronous(SqliteSynchronous::Full)
                        .busy_timeout(Duration::from_secs(10))
                        .pragma("cache_size", cache)
                        .pragma("wal_autocheckpoint", "4000")
                        .foreign_keys(true)
                });
            options
        };
        // One writer: SQLite has one write lock, and waiting for it in our own queue is fair and cannot time out.
        let write = Database::connect(options(1, WRITERS_CACHE)).await?;
        let read = Database::connect(options(4, READERS_CACHE)).await?;
        Ok(Self { write, read, engine: Engine::Sqlite })
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    pub async fn migrate(&self) -> Result<(), StoreError> {
        Migrator::up(&self.write, None).await.map_err(StoreError::Database)
    }

    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
        let applied = match self.rows("SELECT version FROM seaql_migrations", vec![]).await {
            Ok(rows) => rows.iter().map(|row| row.get::<String>("version")).collect::<Result<Vec<_>, _>>()?,
            // A database that answers has no such table yet: nothing was ever applied.
            Err(_) => self.ping().await.map(|()| Vec::new())?,
        };
        Ok(if applied.iter().any(|version| !known.contains(version)) {
            Schema::Newer
        } else if applied.len() < known.len() {
            Schema::Behind
        } else {
            Schema::Current
        })
    }

    pub async fn begin(&self) -> Result<Tx, StoreError> {
        // SQLite: a deferred transaction that writes later fails at once with "busy", whatever the timeout.
        let mode = (self.engine == Engine::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
        // Whoever asks may give up meanwhile. sqlx counts a transaction of PostgreSQL only when it has begun: dropped before,
        // it stays open in a connection that goes back to the pool, and holds there whatever is written next.
        let write = self.write.clone();
        let begun = tokio::spawn(async move { write.begin_with_options(options).await });
        Ok(Tx(begun.await.map_err(|_| StoreError::Stopped)??))
    }

    /// Reads rows outside any transaction.
    pub(crate) async fn rows(&self, text: &str, args: Vec<sea_orm::Value>) -> Result<Vec<Row>, StoreError> {
        sql::rows(&self.read, text, args).await
    }

    /// One statement in a transaction of its own; answers how many rows it touched.
    pub(crate) async fn execute(&self, text: &str, args: Vec<sea_orm::Value>) -> Result<u64, StoreError> {
        sql::execute(&self.write, text, args).await
    }

    /// One writing statement with `RETURNING`, in a transaction of its own.
    pub(crate) async fn execute_returning(
        &self,
        text: &str,
        args: Vec<sea_orm::Value>,
    ) -> Result<Vec<Row>, StoreError> {
        sql::rows(&self.write, text, args).await
    }

    /// Ends every connection; whoever asks afterwards gets an error.
    pub async fn close(&self) {
        // What cannot be closed in order is closed by the end of the process.
        let _ = self.read.close_by_ref().await;
        let _ = self.write.close_by_ref().await;
    }

    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read.execute_unprepared("SELECT 1").await?;
        Ok(())
    }
}

impl Tx {
    pub fn engine(&self) -> Engine {
        if self.0.get_database_backend() == DbBackend::Sqlite { Engine::Sqlite } else { Engine::Postgres }
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.0.rollback().await?)
    }

    pub(crate) async fn rows(&self, text: &str, args: Vec<sea_orm::Value>) -> Result<Vec<Row>, StoreError> {
        sql::rows(&self.0, text, args).await
    }

    pub(crate) async fn execute(&self, text: &str, args: Vec<sea_orm::Value>) -> Result<u64, StoreError> {
        sql::execute(&self.0, text, args).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_what_a_database_says_of_itself_is_told_from_what_it_says_of_a_row() {
        // busy, read-only, full; connection lost, deadlock, read-only, disk full, lock, shutdown
        for code in ["5", "517", "8", "13", "08006", "40P01", "40001", "25006", "53100", "55P03", "57P01"] {
            assert!(transient_code(code), "{code}");
        }
        // constraint, type; unique, not null, bad number, too big
        for code in ["19", "2067", "20", "23505", "23502", "22003", "54000"] {
            assert!(!transient_code(code), "{code}");
        }
        assert!(StoreError::from(DbErr::ConnectionAcquire(sea_orm::error::ConnAcquireErr::Timeout)).is_transient());
        assert!(!StoreError::from(DbErr::Type("x".into())).is_transient());
        assert!(!StoreError::Corrupt("x").is_transient());
    }
}
