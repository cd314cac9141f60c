//! Replay: kept input is decided once more, and only what it makes different is different after (product §1, §9).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{Known, StayNumber, Subject};
use fidelio_bitrix24::store::hotels::{self, HotelRow};
use fidelio_bitrix24::store::problems::{self, NewProblem};
use fidelio_bitrix24::store::{inbox, outbox, stays, testing};
use fidelio_bitrix24::sync::Engine;
use fidelio_bitrix24::sync::imports::ImportState;
use fidelio_bitrix24::sync::replay::ReplayView;
use serde_json::json;

use super::world::World;
use crate::on_both_engines;

fn number(text: &str) -> StayNumber {
    StayNumber::parse(text).unwrap()
}

async fn hotel(world: &World) -> HotelRow {
    hotels::by_id(&world.db, world.id, world.hotel_id).await.unwrap().unwrap()
}

async fn held(world: &World, stay: &str) -> stays::StayRow {
    let id = (world.hotel_id, number(stay));
    stays::load(&world.db, world.id, &world.key, std::slice::from_ref(&id)).await.unwrap().remove(&id).expect("held")
}

/// Kept input decided once more, to the end.
pub async fn replayed(world: &World, engine: &Engine, stay: Option<&str>) -> ReplayView {
    let subject = stay.map(|stay| Subject::Stay(world.hotel_id, number(stay)));
    let id = engine.create_replay(world.id, &hotel(world).await, subject.as_ref(), (None, None), 1).await.unwrap();
    while engine.replay_step(world.id).await.unwrap() {}
    let view = engine.replay(world.id, &id).await.unwrap().expect("a replay");
    assert_eq!((view.state, view.done), (ImportState::Completed, view.total));
    view
}

async fn pending(world: &World) -> i64 {
    outbox::pending(&world.db, world.id).await.unwrap().0
}

/// What is held of a stay is spoiled, as by a defect that a release mended since.
async fn spoiled(world: &World, stay: &str) {
    let mut row = held(world, stay).await;
    row.facts.room = Known::Is("spoiled".into());
    let tx = world.db.begin().await.unwrap();
    stays::save(&tx, world.id, &world.key, &[row]).await.unwrap();
    tx.commit().await.unwrap();
}

on_both_engines! {
    s1_a_replay_changes_nothing_where_nothing_changed(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        for (stay, guest) in [("1", "7"), ("2", "8"), ("3", "9")] {
            world.book(stay, guest);
        }
        world.round(&engine).await;
        for room in ["201", "202", "203"] {
            world.pass(Duration::from_secs(20));
            world.edit_stay("1", |stay| stay.room = Known::Is(room.into()));
            world.round(&engine).await;
        }
        // A problem that somebody put away is not told anew by it.
        let subject = format!("stay:{}:1", world.hotel_id);
        let problem = NewProblem {
            hotel: Some(world.hotel_id), subject, cause: "status.refused".into(), kind: "refused", params: json!({}),
        };
        let tx = world.db.begin().await.unwrap();
        problems::raise(&tx, world.id, &world.key, &[problem], 0).await.unwrap();
        tx.commit().await.unwrap();
        let told = world.problems(&engine).await.remove(0);
        engine.dismiss_problem(world.id, told.id, "known").await.unwrap();
        let (before, requests) = (held(&world, "1").await, world.requests());
        let waits = inbox::waiting(&world.db, world.id).await.unwrap();

        world.pass(Duration::from_secs(3_600));
        for _ in 0..2 {
            let view = replayed(&world, &engine, None).await;
            assert!(view.total >= 9 && view.changed == 0 && view.failed == 0, "{view:?}");
        }
        assert_eq!(held(&world, "1").await, before);
        assert_eq!((pending(&world).await, world.requests()), (0, requests));
        assert!(world.problems(&engine).await.iter().all(|problem| problem.state == "dismissed" && problem.count == 1));
        assert_eq!(inbox::waiting(&world.db, world.id).await.unwrap(), waits, "no queue is older than before");
    }

    s1_a_replay_mends_one_record_or_all_of_a_hotel(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        world.book("2", "8");
        world.edit_stay("2", |stay| stay.room = Known::Is("301".into()));
        world.round(&engine).await;
        world.pass(Duration::from_secs(20));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        spoiled(&world, "1").await;
        spoiled(&world, "2").await;
        let one = replayed(&world, &engine, Some("1")).await;
        assert_eq!((one.total, one.changed, one.subject), (2, 1, Some(format!("stay:{}:1", world.hotel_id))));
        let room = |row: stays::StayRow| row.facts.room.get().cloned().unwrap_or_default();
        assert_eq!((room(held(&world, "1").await), room(held(&world, "2").await)), ("205".into(), "spoiled".into()));
        let all = replayed(&world, &engine, None).await;
        assert_eq!(all.changed, 1);
        assert_eq!(room(held(&world, "2").await), "301");
        assert_eq!(pending(&world).await, 2, "the portal is told the ordinary way");
        engine.deliver(world.id).await.unwrap();
        assert_eq!(pending(&world).await, 0);
        // Of other days there is nothing.
        let day = "2026-11-01".parse().ok();
        let id = engine.create_replay(world.id, &hotel(&world).await, None, (day, day), 1).await.unwrap();
        assert!(engine.create_replay(world.id, &hotel(&world).await, None, (None, None), 1).await.is_err(), "one at a time");
        while engine.replay_step(world.id).await.unwrap() {}
        assert_eq!(engine.replay(world.id, &id).await.unwrap().map(|view| view.total), Some(0));
    }

    s1_a_replay_decides_what_could_not_be_decided_when_it_came(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        world.round(&engine).await;
        world.pass(Duration::from_secs(20));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        let tx = world.db.begin().await.unwrap();
        let rows = inbox::claim(&tx, world.id, world.clock.now_ms(), 10).await.unwrap();
        inbox::set_failed(&tx, world.id, &rows.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
        let failed = NewProblem {
            hotel: Some(world.hotel_id), subject: rows[0].subject.clone(), cause: "inbox.failed".into(), kind: "failed",
            params: json!({}),
        };
        problems::raise(&tx, world.id, &world.key, &[failed], 0).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(replayed(&world, &engine, Some("1")).await.changed, 1);
        assert_eq!(held(&world, "1").await.facts.room, Known::Is("205".into()));
        assert!(world.problems(&engine).await.is_empty());
        assert_eq!(replayed(&world, &engine, Some("1")).await.changed, 0);
    }

    s1_a_row_that_cannot_be_decided_again_is_told_and_slows_no_other(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        for stay in 1..=16 {
            world.book(&stay.to_string(), &format!("7{stay}"));
            world.edit_stay(&stay.to_string(), |stay| stay.room = Known::Is("201".into()));
        }
        world.round(&engine).await;
        let good = held(&world, "9").await;
        spoiled(&world, "16").await;
        spoiled(&world, "8").await;
        testing::spoil_stays(&world.db, world.id, &["9"]).await.unwrap();
        let lots = Arc::new(AtomicUsize::new(0));
        let counted = lots.clone();
        let counting = world.engine_of(world.node(), Some(Arc::new(move |step| {
            counted.fetch_add(usize::from(step == "replay.written"), Ordering::SeqCst);
            true
        })));
        let view = replayed(&world, &counting, None).await;
        assert_eq!((view.total, view.changed, view.failed), (32, 2, 1));
        assert!(lots.load(Ordering::SeqCst) < 10, "{lots:?} lots for 32 rows");
        let told: Vec<_> = world.problems(&engine).await.into_iter().map(|problem| (problem.cause, problem.subject)).collect();
        assert_eq!(told, [("inbox.failed".to_owned(), format!("stay:{}:9", world.hotel_id))]);
        // Once it is mended, the same replay ends what was told.
        let tx = world.db.begin().await.unwrap();
        stays::save(&tx, world.id, &world.key, &[good]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(replayed(&world, &engine, None).await.failed, 0);
        assert_eq!(world.problems(&engine).await, vec![]);
    }
}
