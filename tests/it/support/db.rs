//! A fresh, migrated database per test, on each engine: migrated once, copied for each.

use fidelio_bitrix24::store::testing::create_database;
use fidelio_bitrix24::store::{Db, Engine};
use tokio::sync::OnceCell;

/// A database that is gone after the test (SQLite) or left in the throw-away server (PostgreSQL).
pub struct TestDb {
    pub db: Db,
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl TestDb {
    /// A fresh one on the same engine.
    pub async fn another(&self) -> Self {
        match self.db.engine() {
            Engine::Sqlite => sqlite().await,
            Engine::Postgres => postgres().await.expect("a server that made one makes another"),
        }
    }
}

pub async fn sqlite() -> TestDb {
    static MIGRATED: OnceCell<Vec<u8>> = OnceCell::const_new();
    let migrated = MIGRATED
        .get_or_init(|| async {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let file = folder.path().join("migrated.db");
            let db = Db::connect(&format!("sqlite://{}", file.display())).await.expect("sqlite opens");
            db.migrate().await.expect("migrations run");
            // The last connection to go leaves everything in the one file.
            db.close().await;
            std::fs::read(file).expect("the database's file")
        })
        .await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("test.db");
    std::fs::write(&file, migrated).expect("a copy");
    let url = format!("sqlite://{}", file.display());
    let db = Db::connect(&url).await.expect("sqlite opens");
    TestDb { db, url, _folder: Some(folder) }
}

/// `None`, with the reason printed, where no PostgreSQL was given; `make test` always gives one.
pub async fn postgres() -> Option<TestDb> {
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
        assert!(std::env::var("CI").is_err(), "TEST_DATABASE_URL is not set in CI");
        println!("skipped on PostgreSQL: TEST_DATABASE_URL is not set (see scripts/postgres)");
        return None;
    };
    let (base, _) = server.rsplit_once('/').expect("a database in the URL");
    let fresh = || format!("fb24_{}", uuid::Uuid::new_v4().simple());
    static MIGRATED: OnceCell<String> = OnceCell::const_new();
    let migrated = MIGRATED
        .get_or_init(|| async {
            let name = fresh();
            create_database(&server, &name, None).await.expect("a database to copy");
            let db = Db::connect(&format!("{base}/{name}")).await.expect("postgres opens");
            db.migrate().await.expect("migrations run");
            db.close().await;
            name
        })
        .await;
    let name = fresh();
    create_database(&server, &name, Some(migrated)).await.expect("a fresh database");
    let url = format!("{base}/{name}");
    let db = Db::connect(&url).await.expect("postgres opens");
    Some(TestDb { db, url, _folder: None })
}

/// Runs the same behaviour on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* $name:ident($db:ident) $body:block)*) => {
        $(mod $name {
            use super::*;
            #[allow(dead_code)]
            async fn behaviour($db: $crate::support::db::TestDb) $body
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() { behaviour($crate::support::db::sqlite().await).await; }
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(db) = $crate::support::db::postgres().await { behaviour(db).await; }
            }
        })*
    };
}
