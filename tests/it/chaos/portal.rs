//! A portal that is away, takes its word back, moves, refuses a method, or falls over a record.

use std::cell::Cell;
use std::time::Duration;

use fb24_sandbox::hotel::Status;
use fb24_sandbox::portal::{Entity, Fault, FaultAnswer, Hold, Portal};

use super::{CODE, STAYS, agree, live, looks, minutes, open};
use crate::on_both_engines;
use crate::support::db::{self, TestDb};
use crate::support::town::{Crew, Town};
use crate::support::world::{Admin, deals_by_mark, differences};

/// No person has so long a rate code by chance.
const POISON: &str = "POISON7";

/// Works at an import until its first guests are in the portal. Before we hear of it, this happens.
async fn in_the_middle(town: &Town, crew: &mut Crew, happens: impl FnOnce(&Portal)) {
    let (portal, hold, over) = (&town.houses[0].portal, Hold::default(), Cell::new(false));
    portal.fault(Fault::before("crm.item.batchimport").answering(FaultAnswer::Held(hold.clone())));
    let works = async {
        while !over.get() {
            town.patiently(crew.loops.round()).await.expect("a round");
            town.pass(Duration::from_millis(300));
        }
    };
    let comes = async {
        hold.reached().await;
        assert!(portal.count(Entity::Contact) > 0 && portal.count(Entity::Deal) < STAYS, "it is under way");
        happens(portal);
        over.set(true);
        hold.release();
    };
    tokio::join!(works, comes);
}

on_both_engines! {
    s1_s7_a_method_that_is_banned_holds_up_only_what_needs_it(db) {
        let town = open(&db.db);
        let house = &town.houses[0];
        let mut crew = town.crew(None);
        town.move_in(house, CODE, &mut crew).await;
        house.portal.block_method("crm.item.update", Duration::from_secs(1_800));
        live(house, 20);
        minutes(&town, &mut crew, 2).await;
        let number = house.hotel.book_new_guest(5, 2).expect("a booking");
        minutes(&town, &mut crew, 3).await;
        assert!(deals_by_mark(&house.portal).contains_key(&format!("{CODE}:{number}")), "a new booking needs no update");
        looks(&town, &mut crew, 40, 60).await;
        agree(&town, house, "when the ban was over").await;
        let refused = house.portal.limits().operating_rejections;
        // A batch that was under way, and one call a minute: nobody says when the ban ends.
        assert!(refused <= 50 + 28, "{refused} calls of a banned method");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s7_a_portal_that_is_down_for_six_hours_is_asked_seldom_and_loses_nothing() {
    let db = db::sqlite().await;
    let town = open(&db.db);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    town.move_in(house, CODE, &mut crew).await;
    house.portal.fault(Fault::before("*").answering(FaultAnswer::Html(502)).times(u32::MAX));
    house.portal.clear_requests();
    for _ in 0..24 {
        live(house, 3);
        looks(&town, &mut crew, 1, 900).await;
    }
    let asked = house.portal.requests().len();
    // At each look a delivery and the portal's life see whether it is back.
    assert!(asked <= 24 * 4, "{asked} requests to a portal that is down");
    house.portal.clear_faults();
    minutes(&town, &mut crew, 10).await;
    agree(&town, house, "ten minutes after it came back").await;
    let limits = house.portal.limits();
    assert_eq!((limits.bucket_rejections, limits.operating_rejections), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s7_tokens_revoked_in_the_middle_of_an_import_stop_it_until_the_admin_opens_the_page() {
    let db = db::sqlite().await;
    let town = open(&db.db);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    let (_, import) = town.begin(house, CODE).await;
    in_the_middle(&town, &mut crew, Portal::revoke_tokens).await;
    let deals = house.portal.count(Entity::Deal);
    house.portal.clear_requests();
    looks(&town, &mut crew, 3, 1_200).await;
    live(house, 10);
    looks(&town, &mut crew, 3, 1_200).await;
    let asked = house.portal.requests().len();
    assert!(asked <= 4, "{asked} requests without a token");
    assert_eq!(house.portal.count(Entity::Deal), deals, "nothing can be written");
    // Who opens the page brings a new pair.
    let admin = Admin::open(&house.portal, &town.node.url).await;
    town.live().await;
    town.finish(&admin, &import, &mut crew).await;
    minutes(&town, &mut crew, 10).await;
    agree(&town, house, "after the admin came").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s7_a_portal_renamed_in_the_middle_of_an_import_is_followed() {
    let db = db::sqlite().await;
    let town = open(&db.db);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    let (admin, import) = town.begin(house, CODE).await;
    in_the_middle(&town, &mut crew, |portal| drop(portal.rename())).await;
    town.finish(&admin, &import, &mut crew).await;
    assert_eq!(town.portal(house).await.domain, house.portal.domain());
    live(house, 10);
    minutes(&town, &mut crew, 10).await;
    agree(&town, house, "under its new name").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s7_a_record_that_the_portal_falls_over_is_alone_at_last_and_keeps_nobody_with_it() {
    let db = db::sqlite().await;
    // The rest of the published schedule: the fourth try to the seventh, and what became of each.
    let tries = [600, 70, 1_900, 70, 7_300, 70, 21_700, 70, 70];
    poisoned(db, FaultAnswer::Html(500), "crm.failed", 7, &tries).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s7_a_record_for_which_whole_requests_are_refused_keeps_nobody_with_it() {
    let db = db::sqlite().await;
    let refused = FaultAnswer::Error { status: 400, code: "INVALID_REQUEST".into(), description: "too odd".into() };
    poisoned(db, refused, "crm.rejected", 3, &[]).await;
}

/// One changed booking of many spoils every request that it is in.
async fn poisoned(db: TestDb, answer: FaultAnswer, cause: &str, tries: usize, pauses: &[u64]) {
    let town = open(&db.db);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    town.move_in(house, CODE, &mut crew).await;
    let coming: Vec<i64> = house.hotel.with(|state| {
        let stays = state.reservations.values().filter(|r| !r.financial_account && r.status != Status::CheckedOut);
        stays.map(|r| r.number).collect()
    });
    assert!(coming.len() > 20, "{} bookings", coming.len());
    house.portal.fault(Fault::before("*").bearing(POISON).answering(answer).times(u32::MAX));
    house.portal.clear_requests();
    for (at, number) in coming.iter().enumerate() {
        let code = if at == 3 { POISON } else { "PROMO" };
        house.hotel.edit(*number, |stay| stay.rate_code = code.into()).expect("a booking");
    }
    minutes(&town, &mut crew, 6).await;
    let mark = format!("{CODE}:{} ", coming[3]);
    let late: Vec<_> = differences(&house.portal, &house.hotel, CODE);
    assert!(late.iter().all(|one| one.text.starts_with(&mark)) && !late.is_empty(), "{late:#?}");
    for pause in pauses {
        looks(&town, &mut crew, 1, *pause).await;
    }
    looks(&town, &mut crew, 1, 1).await;
    let portal = town.portal(house).await.id;
    let problems = crew.engine.problems(portal, &Default::default(), None, 50).await.expect("problems").items;
    let causes: Vec<&str> = problems.iter().map(|problem| problem.cause.as_str()).collect();
    assert_eq!(causes, [cause], "{problems:#?}");
    let spoilt = |outcome: &str| ["fault", "INVALID_REQUEST"].contains(&outcome);
    let struck = house.portal.requests().iter().filter(|request| spoilt(&request.outcome)).count();
    assert_eq!(struck, tries, "requests that it spoilt");
    // Mended in Bitrix24, and tried again by a person.
    house.portal.clear_faults();
    crew.engine.retry_problem(portal, problems[0].id).await.expect("retried");
    minutes(&town, &mut crew, 5).await;
    agree(&town, house, "when the cause was mended").await;
}
