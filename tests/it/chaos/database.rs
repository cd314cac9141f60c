//! A database server that goes away under load, one that has no connection left, a disk that is full.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Entity, Portal, PortalOptions};
use fidelio_bitrix24::store::{Db, testing};
use fidelio_bitrix24::sync::StepObserver;

use super::{CODE, agree, live, minutes, open};
use crate::support::process::{Process, Settings, free_port};
use crate::support::world::{Admin, differences, until};

/// A PostgreSQL of one test's own.
struct Server {
    home: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// `None`, with the reason printed, where tests run without PostgreSQL.
    fn start() -> Option<Self> {
        if std::env::var("TEST_DATABASE_URL").is_err() {
            println!("skipped: TEST_DATABASE_URL is not set (see scripts/postgres)");
            return None;
        }
        let home = tempfile::tempdir().expect("a folder");
        // Run by root, the server is another user's.
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
        let server = Self { home, port: free_port() };
        server.run("start");
        Some(server)
    }

    fn run(&self, verb: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres");
        let home = self.home.path().join("server");
        let mut command = Command::new(script);
        command.arg(verb).env("FB24_PG_HOME", home).env("FB24_PG_PORT", self.port.to_string());
        assert!(command.status().expect("the script runs").success(), "scripts/postgres {verb}");
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://fb24@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("stop");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s48_a_postgresql_that_crashes_and_comes_back_under_load_costs_nothing() {
    let Some(server) = Server::start() else { return };
    testing::create_database(&server.url("postgres"), "restarted", None).await.expect("a database");
    Db::connect(&server.url("restarted")).await.expect("it opens").migrate().await.expect("migrations run");
    let portal = Portal::start(PortalOptions::default());
    let hotel = Hotel::start(HotelOptions { reservations: 200, ..HotelOptions::default() });
    let settings = Settings::new(&server.url("restarted"), &portal).with("bitrix.request_cap_seconds", "2");
    let mut product = Process::start(&settings).await;
    let admin = Admin::install(&portal, &product.url).await;
    admin.connect(&hotel, CODE).await;
    portal.set_latency(Duration::from_millis(200));
    admin.start_import(CODE).await;
    until("the import fills the portal", 30, || async { (portal.count(Entity::Contact) > 0).then_some(()) }).await;
    server.run("restart");
    for _ in 0..5 {
        hotel.tick();
    }
    until("deals are made again", 60, || async { (portal.count(Entity::Deal) > 0).then_some(()) }).await;
    server.run("restart");
    hotel.book_new_guest(1, 2).expect("a booking");
    portal.set_latency(Duration::ZERO);
    until("both sides agree", 120, || async { differences(&portal, &hotel, CODE).is_empty().then_some(()) }).await;
    assert!(product.is_alive(), "the same process all the time");
    assert_eq!(portal.limits().bucket_rejections, 0);
    assert_eq!(product.terminate(), Some(0));
}

/// SQLite has one writer and a queue before it; PostgreSQL has so many connections and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s48_work_waits_while_no_connection_is_left_and_goes_on_when_there_is_one() {
    let Some(db) = crate::support::db::postgres().await else { return };
    let town = open(&db.db);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    town.move_in(house, CODE, &mut crew).await;
    live(house, 10);
    let mut held = Vec::new();
    // As many as there are: the next one is not had in time.
    while let Ok(Ok(tx)) = tokio::time::timeout(Duration::from_secs(1), town.db.begin()).await {
        held.push(tx);
    }
    assert!(held.len() > 1, "{} connections", held.len());
    let looked = tokio::time::timeout(Duration::from_secs(60), crew.loops.round()).await.expect("it does not hang");
    assert!(matches!(&looked, Err(error) if error.is_transient()), "{looked:?}");
    drop(held);
    minutes(&town, &mut crew, 10).await;
    agree(&town, house, "when there were connections again").await;
}

/// PostgreSQL's disk is its server's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s48_a_disk_that_is_full_for_a_while_costs_nothing() {
    let db = crate::support::db::sqlite().await;
    let (full, file) = (Arc::new(AtomicBool::new(false)), db.db.clone());
    let is_full = full.clone();
    // A connection that met the end of the disk is replaced by one that does not know of it.
    let observer: StepObserver = Arc::new(move |step| {
        let writing = ["decide.decided", "decide.written"].contains(&step);
        if !writing && is_full.load(Ordering::SeqCst) {
            let filled = testing::fill_disk(&file, true);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(filled)).expect("filled");
        }
        true
    });
    let town = open(&db.db);
    let house = &town.houses[0];
    let mut crew = town.crew(Some(observer));
    town.move_in(house, CODE, &mut crew).await;
    full.store(true, Ordering::SeqCst);
    for _ in 0..8 {
        live(house, 10);
        assert!(house.portal.events_settled().await);
        testing::fill_disk(&town.db, true).await.expect("filled");
        // What there is to do may not be readable either.
        let _ = town.patiently(crew.loops.round()).await;
        town.pass(Duration::from_secs(30));
    }
    assert!(!differences(&house.portal, &house.hotel, CODE).is_empty(), "not everything was taken");
    full.store(false, Ordering::SeqCst);
    testing::fill_disk(&town.db, false).await.expect("room");
    minutes(&town, &mut crew, 6).await;
    agree(&town, house, "when there was room again").await;
}
