//! The PMS comes back from an older backup: what was done since is gone there, its numbers are given once more, and its
//! newest stamps lie before what was read.

use super::{CODE, agree, live, looks, minutes, open};
use crate::on_both_engines;
use crate::support::db;
use crate::support::truth::{Cause, Hands, compare};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s7_a_pms_restored_from_an_older_backup_is_followed_back_by_the_next_morning() {
    let db = db::sqlite().await;
    let town = open(&db.db);
    let house = &town.houses[0];
    let mut crew = town.crew(None);
    town.move_in(house, CODE, &mut crew).await;
    let backup = house.hotel.with(|state| state.clone());
    for _ in 0..4 {
        live(house, 8);
        looks(&town, &mut crew, 1, 600).await;
    }
    let soon = house.hotel.book_new_guest(2, 1).expect("a booking");
    let last = house.hotel.book_new_guest(9, 1).expect("a booking");
    minutes(&town, &mut crew, 1).await;
    house.hotel.with(|state| {
        let now = state.now();
        *state = backup;
        state.set_clock(now);
    });
    looks(&town, &mut crew, 2, 60).await;
    // Life goes on under the numbers that were given before, and a night comes.
    live(house, 8);
    looks(&town, &mut crew, 17, 3_600).await;
    minutes(&town, &mut crew, 12).await;
    let mut left = compare(&house.portal, &house.hotel, CODE, &Hands::default());
    // What the hotel has forgotten stays in the portal and is told to people: nothing is deleted for it.
    left.retain(|one| one.cause != Cause::Orphan);
    assert!(left.is_empty(), "{left:#?}");
    let forgotten = [soon, last].iter().any(|number| house.hotel.with(|state| state.reservation(*number).is_err()));
    assert!(forgotten, "something is not there any more");
    let portal = town.portal(house).await.id;
    let problems = crew.engine.problems(portal, &Default::default(), None, 100).await.expect("problems").items;
    assert!(problems.iter().any(|problem| problem.cause.starts_with("pms.missing")), "{problems:#?}");
}

on_both_engines! {
    s1_what_is_booked_after_a_window_was_read_and_before_the_first_look_at_changes_is_not_lost(db) {
        let town = open(&db.db);
        let house = &town.houses[0];
        let mut crew = town.crew(None);
        let (admin, import) = town.begin(house, CODE).await;
        let portal = town.portal(house).await.id;
        // An import runs ahead, whatever keeps the looks from their turn.
        for _ in 0..3 {
            assert!(town.patiently(crew.engine.import_step(portal)).await.expect("a step"));
        }
        for nights in 1..4 {
            house.hotel.book_new_guest(0, nights).expect("a booking for today");
        }
        town.pass(std::time::Duration::from_secs(60));
        town.finish(&admin, &import, &mut crew).await;
        minutes(&town, &mut crew, 10).await;
        agree(&town, house, "booked in between").await;
    }
}
