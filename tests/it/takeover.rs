//! Two nodes on one PostgreSQL. The one that works is killed; the other goes on with everything.

use std::time::{Duration, Instant};

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Entity, Fault, Portal, PortalOptions};
use fidelio_bitrix24::store::testing;

use crate::support::db;
use crate::support::process::{Process, Settings, free_port};
use crate::support::world::{Admin, deals_by_mark, differences, until};

/// What is unknown may be settled when no request of the dead node can be carried out any more (and 5 s later).
const CAP_SECONDS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s48_what_a_killed_node_owned_is_taken_over_within_30_s_and_unknown_creates_after_their_cap() {
    if std::env::var("FB24_TEST_LOG").is_ok() {
        println!("skipped: the nodes' names are read from their logs, which FB24_TEST_LOG shows instead");
        return;
    }
    let Some(db) = db::postgres().await else { return };
    let portal = Portal::start(PortalOptions::default());
    let hotel = Hotel::start(HotelOptions { reservations: 300, ..HotelOptions::default() });
    // The lease is the default one.
    let settings = Settings::new(&db.url, &portal).with("bitrix.request_cap_seconds", &CAP_SECONDS.to_string());
    let survivor_port = free_port();
    let public = format!("http://127.0.0.1:{survivor_port}");
    let survivor = Process::start_behind(&settings, survivor_port, &public).await;
    let admin = Admin::install(&portal, &survivor.url).await;
    admin.connect(&hotel, "GRAND").await;
    // What it had before it was connected waits for the import: it must have been looked at first.
    until("the hotel is read", 30, || async {
        let seen = hotel.requests();
        (seen.last()?.at - seen.first()?.at > chrono::Duration::seconds(3)).then_some(())
    })
    .await;
    let early = hotel.book_new_guest(0, 2).expect("a room is free");
    until("the first deal", 30, || async { deals_by_mark(&portal).get(&format!("GRAND:{early}")).map(|_| ()) }).await;
    assert_eq!(survivor.terminate(), Some(0));

    // One node works under load; the other comes up beside it; whoever of them sends when two requests have got no answer is killed.
    let doomed = Process::start_behind(&settings, free_port(), &public).await;
    portal.set_latency(Duration::from_millis(1_000));
    // The import goes through the node that works: the other is not there yet.
    let admin = Admin::open(&portal, &doomed.url).await;
    admin.start_import("GRAND").await;
    until("the import fills the portal", 30, || async { (portal.count(Entity::Contact) > 20).then_some(()) }).await;
    let survivor = Process::start_behind(&settings, survivor_port, &public).await;
    portal.fault(Fault::commit_later("crm.item.batchImport", Duration::from_secs(8)).times(2));
    until("two imports are on their way to nobody", 30, || async { portal.faults().is_empty().then_some(()) }).await;
    let held = testing::leases(&db.db, chrono::Utc::now().timestamp_millis()).await.expect("leases");
    let (_, owner) = held.iter().find(|(name, _)| name.starts_with("portal:")).expect("somebody sends");
    let (doomed, survivor) =
        if Some(owner) == doomed.node().as_ref() { (doomed, survivor) } else { (survivor, doomed) };
    assert_eq!(Some(owner), doomed.node().as_ref(), "{held:?}");
    doomed.kill();
    let killed = Instant::now();
    portal.set_latency(Duration::ZERO);

    // Everything but the creates of unknown outcome: new bookings, changes, events, what was not sent yet.
    let number = hotel.book_new_guest(1, 2).expect("a room is free");
    hotel.check_in(early).expect("checked in");
    until("the other node works for the hotel and the portal", 30, || async {
        let deals = deals_by_mark(&portal);
        let moved = deals.get(&format!("GRAND:{early}"))?.first()?.text("stageId").ends_with("IN_HOUSE");
        (moved && deals.contains_key(&format!("GRAND:{number}"))).then_some(())
    })
    .await;
    println!("taken over after {:?}", killed.elapsed());
    until("all is there, once", 30, || async { differences(&portal, &hotel, "GRAND").is_empty().then_some(()) }).await;
    println!("all settled after {:?}", killed.elapsed());
    assert_eq!(portal.late(), (0, 2), "both late imports were carried out after their node had died");
    let limits = portal.limits();
    assert_eq!((limits.bucket_rejections, limits.operating_rejections), (0, 0));
    assert_eq!(survivor.terminate(), Some(0));
}
