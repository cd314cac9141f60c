//! The real binary killed (SIGKILL) in the middle of its work, again and again, with answers lost and requests that commit
//! late; afterwards nothing is doubled, lost or wrong. Lease 1 s, request cap 2 s (settings), so that holds end soon.

use std::time::{Duration, Instant};

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Fault, Portal, PortalOptions};

use crate::on_both_engines;
use crate::support::process::{Process, Settings};
use crate::support::world::{Admin, differences, until};

/// What happens to the request at which the process is killed.
fn moments() -> Vec<(&'static str, Fault)> {
    let late = Duration::from_millis(1_500);
    vec![
        ("before the import of guests commits", Fault::before("crm.item.batchImport")),
        ("after the import of guests committed", Fault::after_commit("crm.item.batchImport")),
        ("the import commits after the process died", Fault::commit_later("crm.item.batchImport", late)),
        ("after a change committed", Fault::after_commit("crm.item.update")),
        ("a change commits after the process died", Fault::commit_later("crm.item.update", late)),
        ("before a change commits", Fault::before("crm.item.update")),
    ]
}

async fn agree(portal: &Portal, hotel: &Hotel) {
    let mut last = Vec::new();
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let wrong = differences(portal, hotel, "GRAND");
        if wrong.is_empty() {
            return;
        }
        if wrong != last {
            last = wrong;
        }
        assert!(Instant::now() < end, "the two sides still differ: {last:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

on_both_engines! {
    s1_s7_killed_at_every_moment_of_a_write_nothing_is_doubled_lost_or_wrong(db) {
        let portal = Portal::start(PortalOptions::default());
        let hotel = Hotel::start(HotelOptions { reservations: 40, ..HotelOptions::default() });
        let settings = Settings::new(&db.url, &portal)
            .with("sync.lease_seconds", "1")
            .with("bitrix.request_cap_seconds", "2");
        let mut product = Process::start(&settings).await;
        let port = product.port();
        let admin = Admin::install(&portal, &product.url).await;
        admin.connect(&hotel, "GRAND").await;
        let mut import = None;
        for (moment, fault) in moments() {
            portal.fault(fault);
            if import.is_none() {
                import = Some(admin.start_import("GRAND").await);
            }
            hotel.book_new_guest(1, 2).expect("a room is free");
            for _ in 0..3 {
                hotel.tick();
            }
            until(moment, 60, || async { portal.faults().is_empty().then_some(()) }).await;
            product.kill();
            product = Process::start_as(&settings, port).await;
        }
        // And at moments that nobody chose.
        for pause in [40, 300, 90, 700, 10, 450] {
            hotel.tick();
            hotel.book_new_guest(3, 1).expect("a room is free");
            tokio::time::sleep(Duration::from_millis(pause)).await;
            product.kill();
            product = Process::start_as(&settings, port).await;
        }
        agree(&portal, &hotel).await;
        assert_eq!(portal.limits().bucket_rejections, 0);
        assert_eq!(product.terminate(), Some(0));
    }
}
