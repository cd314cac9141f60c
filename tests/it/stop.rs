//! A node that is told to stop (SIGTERM) in the middle of its work: what runs is finished or left where the next one
//! finds it, leases are given back, nothing is said but that it stops.

use std::time::Duration;

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Entity, Portal, PortalOptions};
use fidelio_bitrix24::store::testing;

use crate::on_both_engines;
use crate::support::db::TestDb;
use crate::support::process::{Process, Settings};
use crate::support::world::{Admin, differences, until};

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Stops the product and holds it to a clean end.
async fn stop(product: Process, db: &TestDb, moment: &str) {
    let (code, log) = product.end();
    assert_eq!(code, Some(0), "{moment}: {log}");
    for line in log.lines() {
        let unclean = ["\"level\":\"ERROR\"", "panicked", "did not end in time"];
        assert!(unclean.iter().all(|part| !line.contains(part)), "{moment}: {line}");
    }
    let held = testing::leases(&db.db, now_ms()).await.expect("leases");
    assert!(held.is_empty(), "{moment}: another node would wait for {held:?}");
}

on_both_engines! {
    s48_told_to_stop_under_load_it_finishes_what_runs_and_gives_its_leases_back(db) {
        let portal = Portal::start(PortalOptions::default());
        let hotel = Hotel::start(HotelOptions { reservations: 200, ..HotelOptions::default() });
        let settings = Settings::new(&db.url, &portal);
        let product = Process::start(&settings).await;
        let port = product.port();
        let admin = Admin::install(&portal, &product.url).await;
        admin.connect(&hotel, "GRAND").await;

        // While an import is under way: requests in flight, more to read, more to send.
        portal.set_latency(Duration::from_millis(700));
        let import = admin.start_import("GRAND").await;
        until("the import has begun to fill the portal", 30, || async {
            (portal.count(Entity::Contact) > 0).then_some(())
        })
        .await;
        stop(product, &db, "during an import").await;
        portal.set_latency(Duration::ZERO);

        // While the hotel takes its time: nobody waits for a read that can be made again.
        let product = Process::start_as(&settings, port).await;
        let admin = Admin::open(&portal, &product.url).await;
        admin.wait_for_import(&import, 60).await;
        hotel.with(|state| state.knobs.latency = Duration::from_secs(600));
        until("a slow read is under way", 30, || async { (hotel.in_flight() == 1).then_some(()) }).await;
        stop(product, &db, "during a read of the hotel").await;
        hotel.with(|state| state.knobs.latency = Duration::ZERO);

        // While a write is under way: its answer is waited for, so that its outcome is known.
        let product = Process::start_as(&settings, port).await;
        portal.set_latency(Duration::from_millis(1_500));
        let writes = || portal.requests_of("crm.item.add").len();
        let before = writes();
        let number = hotel.book_new_guest(2, 2).expect("a room is free");
        until("a write is under way", 30, || async { (writes() > before).then_some(()) }).await;
        stop(product, &db, "during a write").await;
        portal.set_latency(Duration::ZERO);

        let product = Process::start_as(&settings, port).await;
        hotel.check_in(hotel.book_new_guest(0, 1).expect("a room is free")).expect("checked in");
        until("both sides agree", 30, || async { differences(&portal, &hotel, "GRAND").is_empty().then_some(()) }).await;
        assert!(hotel.with(|state| state.reservations.contains_key(&number)));
        let limits = portal.limits();
        assert_eq!((limits.bucket_rejections, limits.operating_rejections), (0, 0));
        assert_eq!(product.terminate(), Some(0));
    }
}
