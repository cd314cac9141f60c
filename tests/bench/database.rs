//! Fresh databases on the disk that the build uses: a temporary folder may lie in memory, where syncing costs nothing.

use fidelio_bitrix24::store::Db;

pub struct Fresh {
    pub db: Db,
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

pub async fn sqlite() -> Fresh {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let db = Db::connect(&url).await.expect("sqlite opens");
    db.migrate().await.expect("migrations run");
    Fresh { db, url, _folder: Some(folder) }
}

/// `None` where no server is given (`scripts/bench` gives one).
pub async fn postgres() -> Option<Fresh> {
    let server = std::env::var("TEST_DATABASE_URL").ok()?;
    let name = format!("fb24_bench_{}", uuid::Uuid::new_v4().simple());
    let (base, _) = server.rsplit_once('/').expect("a database in the URL");
    fidelio_bitrix24::store::testing::create_database(&server, &name, None).await.expect("a fresh database");
    let url = format!("{base}/{name}");
    let db = Db::connect(&url).await.expect("postgres opens");
    db.migrate().await.expect("migrations run");
    Some(Fresh { db, url, _folder: None })
}
