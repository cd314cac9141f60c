//! The whole path with the real binary: install, connect, import, and a day at the hotel.

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Entity, Portal, PortalOptions};

use crate::on_both_engines;
use crate::support::process::{Process, Settings};
use crate::support::world::{Admin, deals_by_mark, differences, until};

on_both_engines! {
    s1_s3_a_hotel_fills_the_portal_and_a_check_in_moves_the_deal(db) {
        let portal = Portal::start(PortalOptions::default());
        let hotel = Hotel::start(HotelOptions { reservations: 60, ..HotelOptions::default() });
        let settings = Settings::new(&db.url, &portal);
        let product = Process::start(&settings).await;
        let admin = Admin::install(&portal, &product.url).await;
        admin.connect(&hotel, "GRAND").await;
        let import = admin.start_import("GRAND").await;
        admin.wait_for_import(&import, 60).await;
        until("both sides agree", 60, || async {
            let wrong = differences(&portal, &hotel, "GRAND");
            if std::env::var("FB24_TEST_LOG").is_ok() && !wrong.is_empty() { println!("{} differ, first {:?}", wrong.len(), wrong[0]); }
            wrong.is_empty().then_some(())
        }).await;
        assert_eq!(portal.limits().bucket_rejections, 0, "no request may be rejected by a limit");
        assert_eq!(portal.limits().operating_rejections, 0);

        let number = hotel.book_new_guest(0, 2).expect("a room is free");
        let mark = format!("GRAND:{number}");
        until("the booking becomes a deal", 30, || async { deals_by_mark(&portal).get(&mark).map(|_| ()) }).await;
        hotel.check_in(number).expect("checked in");
        until("the check-in moves the deal", 30, || async {
            let deals = deals_by_mark(&portal);
            let deal = deals.get(&mark)?.first()?;
            (deal.text("UF_CRM_FB24_STATUS") == "in_house" && deal.text("stageId").ends_with("FB24_IN_HOUSE")).then_some(())
        }).await;
        assert!(differences(&portal, &hotel, "GRAND").is_empty(), "{:?}", differences(&portal, &hotel, "GRAND"));

        for name in [
            "fb24_portal_requests_total", "fb24_portal_request_seconds", "fb24_portal_commands_total", "fb24_rate_bucket_tokens",
            "fb24_operating_seconds", "fb24_inbox_lag_seconds", "fb24_outbox_lag_seconds", "fb24_outbox_pending",
            "fb24_sync_latency_seconds", "fb24_pms_link_up", "fb24_pms_last_record_timestamp_seconds", "fb24_store_rows",
        ] {
            until(name, 20, || async { product.metrics().await.contains(name).then_some(()) }).await;
        }
        assert!(!product.metrics().await.contains(&portal.member_id()), "no portal in a label");

        let before = portal.count(Entity::Contact);
        assert_eq!(product.terminate(), Some(0), "a graceful stop");
        let product = Process::start(&settings).await;
        hotel.check_out(number).expect("checked out");
        until("the check-out wins the deal after a restart", 30, || async {
            let deals = deals_by_mark(&portal);
            (deals.get(&mark)?.first()?.text("stageId").ends_with("WON")).then_some(())
        }).await;
        assert_eq!(portal.count(Entity::Contact), before, "nobody was entered twice");
        drop(product);
    }
}
