//! The loops of one process on a clock that the test moves: who has work is served, whoever else hangs, comes or goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::hotel::{Fault as HotelFault, HotelOptions};
use fb24_sandbox::portal::{Fault, FaultAnswer, Hold, PortalOptions};
use fidelio_bitrix24::store::testing;
use fidelio_bitrix24::sync::StepObserver;
use tokio_util::sync::CancellationToken;

use crate::on_both_engines;
use crate::support::db::TestDb;
use crate::support::town::{House, Town};
use crate::support::world::{Admin, deals_by_mark};

/// Nobody gets an answer for so long, and then none.
const NEVER: Duration = Duration::from_secs(20);

fn small(seed: u64) -> House {
    House::build(PortalOptions::default(), HotelOptions { reservations: 5, rooms: 20, seed, ..HotelOptions::default() })
}

/// A town whose portals and hotels are all connected under one code each, with what they had brought over.
async fn town(db: &TestDb, houses: u64) -> Town {
    let town = Town::open(&db.db, (1..=houses).map(small).collect());
    let mut crew = town.crew(None);
    for house in &town.houses {
        town.move_in(house, "GRAND", &mut crew).await;
    }
    town
}

/// Lets time go on, a second a time, until it is seen. The loops run on their own tasks: they need real moments too.
async fn goes_on(town: &Town, what: &str, mut seen: impl FnMut() -> bool) {
    for _ in 0..1_500 {
        if seen() {
            return;
        }
        town.pass(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not seen: {what}");
}

/// Minutes in which nothing is waited for.
async fn minutes(town: &Town, count: u32) {
    for _ in 0..count * 12 {
        town.pass(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn has_deal(house: &House, number: i64) -> bool {
    deals_by_mark(&house.portal).contains_key(&format!("GRAND:{number}"))
}

on_both_engines! {
    s1_s48_a_portal_and_a_hotel_that_hang_delay_nobody_else(db) {
        let town = town(&db, 3).await;
        let [slow_portal, slow_hotel, well] = town.houses.as_slice() else { panic!("three houses") };
        slow_portal.portal.fault(Fault::before("*").answering(FaultAnswer::Hang(NEVER)).times(u32::MAX));
        slow_hotel.hotel.faults().always(HotelFault::Delay(NEVER));
        let stop = CancellationToken::new();
        let engine = town.crew(None).engine;
        let (running, token) = (engine.clone(), stop.clone());
        let loops = tokio::spawn(async move { running.run(token).await });

        let lost = slow_portal.hotel.book_new_guest(1, 1).expect("a room is free");
        goes_on(&town, "both hang", || {
            let portal_hangs = slow_portal.portal.faults().iter().all(|fault| fault.times < u32::MAX);
            portal_hangs && slow_hotel.hotel.in_flight() == 1
        })
        .await;
        for _ in 0..3 {
            let number = well.hotel.book_new_guest(1, 1).expect("a room is free");
            goes_on(&town, "the third house is served", || has_deal(well, number)).await;
        }
        assert!(!has_deal(slow_portal, lost), "that portal still hangs");
        assert_eq!(slow_hotel.hotel.most_at_once(), 1, "one request in flight per hotel");
        assert!(!engine.pulse().is_still());
        loops.abort();
    }

    s3_s48_a_portal_that_hangs_in_its_set_up_delays_nobody_who_comes_meanwhile(db) {
        let town = Town::open(&db.db, vec![small(1), small(2)]);
        let [slow, well] = town.houses.as_slice() else { panic!("two houses") };
        let hold = |house: &House, method: &str| {
            let hold = Hold::default();
            house.portal.fault(Fault::before(method).answering(FaultAnswer::Held(hold.clone())));
            hold
        };
        let begin = async |house: &House| {
            assert_eq!(house.portal.install(&town.node.url).await.expect("an answer").status, 200);
            assert!(house.portal.events_settled().await);
        };
        begin(slow).await;
        let (hangs, works) = (hold(slow, "*"), hold(well, "crm.category.add"));
        let comes = async {
            hangs.reached().await;
            begin(well).await;
            works.reached().await;
            let held = testing::leases(&town.db, town.now.now_ms()).await.expect("leases");
            let ensure = format!("ensure:{}", town.portal(slow).await.id);
            assert!(held.iter().any(|(name, _)| *name == ensure), "the first still hangs: {held:?}");
            works.release();
            hangs.release();
        };
        let both = async { tokio::join!(town.node.life.tick(), comes) };
        let (moved, ()) = tokio::time::timeout(Duration::from_secs(120), both).await.expect("one waits for the other");
        assert_eq!(moved.expect("a tick"), 2, "both in one");
    }

    s1_s48_a_hotel_comes_and_goes_without_a_restart(db) {
        let town = Town::open(&db.db, vec![small(1)]);
        let house = &town.houses[0];
        let stop = CancellationToken::new();
        let (engine, token) = (town.crew(None).engine, stop.clone());
        let loops = tokio::spawn(async move { engine.run(token).await });
        let admin = town.install(house).await;
        assert!(house.hotel.requests().is_empty());

        admin.connect(&house.hotel, "GRAND").await;
        // What it had before it was connected waits for an import.
        let mut looks = 0;
        while !town.was_read(house).await {
            looks += 1;
            assert!(looks < 1_500, "not seen: a look at a hotel that was connected meanwhile");
            // No faster than elsewhere: on a busy machine a read would outlast its lease.
            town.pass(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let number = house.hotel.book_new_guest(1, 1).expect("a room is free");
        goes_on(&town, "a hotel that was connected meanwhile", || has_deal(house, number)).await;

        let (status, body) = Admin::open(&house.portal, &town.node.url).await.delete("/api/v1/hotels/GRAND").await;
        assert!((200..300).contains(&status), "{status} {body}");
        // A read that was under way may end.
        minutes(&town, 5).await;
        let asked = house.hotel.requests().len();
        let late = house.hotel.book_new_guest(1, 1).expect("a room is free");
        minutes(&town, 10).await;
        assert_eq!(house.hotel.requests().len(), asked, "a removed hotel is left alone");
        assert!(!has_deal(house, late));
        assert!(has_deal(house, number), "its deals stay");
        stop.cancel();
        town.patiently(loops).await.expect("the loops end");
    }

    s1_s48_work_that_ends_by_a_panic_is_taken_up_again_and_nobody_else_notices(db) {
        let town = town(&db, 2).await;
        let [struck, well] = town.houses.as_slice() else { panic!("two houses") };
        let panics = Arc::new(AtomicUsize::new(0));
        let count = panics.clone();
        // The first three times that anything is decided, sent and recorded.
        let observer: StepObserver = Arc::new(move |step| {
            let at = ["decide.decided", "deliver.marked", "deliver.answered"];
            let due = count.load(Ordering::SeqCst);
            assert!(at.get(due) != Some(&step) || count.fetch_add(1, Ordering::SeqCst) != due, "a step that panics");
            true
        });
        let stop = CancellationToken::new();
        let (engine, token) = (town.crew(Some(observer)).engine, stop.clone());
        let loops = tokio::spawn(async move { engine.run(token).await });
        for house in [struck, well] {
            let number = house.hotel.book_new_guest(1, 1).expect("a room is free");
            goes_on(&town, "the booking arrives all the same", || has_deal(house, number)).await;
            let twice = deals_by_mark(&house.portal).values().any(|deals| deals.len() > 1);
            assert!(!twice, "once");
        }
        assert_eq!(panics.load(Ordering::SeqCst), 3, "it was struck");
        stop.cancel();
        town.patiently(loops).await.expect("the loops end");
    }
}
