//! A source or a portal that does not answer as it should: what stops, what backs off, what is lost (nothing).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, FaultAnswer, FaultWhen, PortalClock, PortalOptions};
use fidelio_bitrix24::domain::Known;
use fidelio_bitrix24::fidelio::SourceError;
use fidelio_bitrix24::store::source_reading;
use fidelio_bitrix24::store::sources::{self, SourceRow};
use fidelio_bitrix24::store::testing;
use fidelio_bitrix24::sync::{StepObserver, SyncError};
use serde_json::json;

use super::world::{World, start_time};
use crate::on_both_engines;
use crate::support::db::TestDb;

async fn row(world: &World) -> SourceRow {
    sources::by_id(&world.db, world.id, &world.key, world.source).await.unwrap().unwrap()
}

async fn is_due(world: &World) -> bool {
    !source_reading::due(&world.db, world.clock.now_ms(), 10).await.unwrap().is_empty()
}

/// The portal refuses everything in a way that concerns it as a whole; then it is itself again.
async fn refused_as_a_whole(db: TestDb, status: u16, code: &str, description: &str) {
    let world = World::new(db, PortalOptions::default()).await;
    world.book("1", "7");
    let node = world.node();
    let engine = world.engine_of(node.clone(), None);
    world.round(&engine).await;
    world.pass(Duration::from_secs(20));
    world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
    for n in 2..5 {
        world.book(&format!("{n}"), &format!("{}", n + 10));
    }
    let answer = FaultAnswer::Error { status, code: code.into(), description: description.into() };
    world.portal.fault(Fault::before("*").answering(answer).times(100));
    engine.poll_source(world.id, world.source).await.unwrap();
    engine.decide(world.id).await.unwrap();
    let before = world.requests();
    let error = engine.deliver(world.id).await.expect_err("refused");
    assert!(matches!(&error, SyncError::Portal { error, .. } if error.code() == code.to_lowercase()), "{error}");
    assert_eq!(node.failures.load(Ordering::SeqCst), 1, "whoever keeps the portal's state is told");
    assert!(world.requests() - before <= 4, "what was under way, and nothing after it");
    assert!(world.problems(&engine).await.is_empty(), "no record is at fault");
    // Paid, authorised or restored.
    world.portal.clear_faults();
    world.pass(Duration::from_secs(60));
    engine.deliver(world.id).await.unwrap();
    assert_eq!((world.deals().len(), world.contacts().len()), (4, 4));
    assert_eq!(world.portal.record(Kind::Deal, world.deals()[0].id).unwrap().text("UF_CRM_FB24_ROOM"), "205");
}

/// SQLite ends a transaction by itself when the disk is full: the one writer must be fit for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_full_disk_spoils_no_record_and_work_goes_on_when_there_is_room() {
    let world = World::new(crate::support::db::sqlite().await, PortalOptions::default()).await;
    world.book("1", "7");
    world.edit_stay("1", |stay| stay.comments = Known::Is(vec!["long ".repeat(40_000)]));
    let engine = world.engine();
    engine.poll_source(world.id, world.source).await.unwrap();
    testing::fill_disk(&world.db, true).await.unwrap();
    let decided = tokio::time::timeout(Duration::from_secs(60), engine.decide(world.id)).await.expect("an answer");
    assert!(matches!(&decided, Err(SyncError::Store(error)) if error.is_transient()), "{decided:?}");
    testing::fill_disk(&world.db, false).await.unwrap();
    assert_eq!(engine.decide(world.id).await.unwrap(), 2, "as if nothing had been");
    engine.deliver(world.id).await.unwrap();
    assert_eq!(world.deals().len(), 1);
    assert!(world.problems(&engine).await.is_empty());
}

/// PostgreSQL ends its connections in the middle of a decision. SQLite has no server that could go away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_database_that_is_away_for_a_while_spoils_no_record() {
    let Some(db) = crate::support::db::postgres().await else { return };
    let at = db.url.clone();
    let world = World::new(db, PortalOptions::default()).await;
    world.book("1", "7");
    let observer: StepObserver = Arc::new(move |step| {
        if step == "decide.decided" {
            let away = testing::end_connections(&at);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(away)).unwrap();
        }
        true
    });
    let engine = world.engine_of(world.node(), Some(observer));
    engine.poll_source(world.id, world.source).await.unwrap();
    for _ in 0..7 {
        let decided = engine.decide(world.id).await;
        assert!(matches!(&decided, Err(SyncError::Store(error)) if error.is_transient()), "{decided:?}");
        world.pass(Duration::from_secs(60));
    }
    let engine = world.engine();
    assert_eq!(engine.decide(world.id).await.unwrap(), 2, "as if nothing had been");
    engine.deliver(world.id).await.unwrap();
    assert_eq!(world.deals().len(), 1);
    assert!(world.problems(&engine).await.is_empty());
}

on_both_engines! {
    s1_refused_credentials_stop_a_source_until_a_person_saves_new_ones(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.hotel.truth.lock().unwrap().trouble = Some(SourceError::Credentials);
        let engine = world.engine();
        engine.poll_source(world.id, world.source).await.unwrap();
        let stopped = row(&world).await;
        assert_eq!((stopped.health.state.as_str(), stopped.health.detail.as_str()), ("stopped", "credentials"));
        world.pass(Duration::from_secs(30 * 24 * 3_600));
        assert!(!is_due(&world).await, "more tries would lock the account");
        world.hotel.truth.lock().unwrap().trouble = None;
        let tx = world.db.begin().await.unwrap();
        sources::reconfigure(&tx, world.id, &world.key, world.source, stopped.config.as_ref()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(is_due(&world).await);
        engine.poll_source(world.id, world.source).await.unwrap();
        assert_eq!(row(&world).await.health.state, "ok");
    }

    s1_an_unlicensed_area_is_said_and_the_rest_goes_on(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.hotel.truth.lock().unwrap().said.not_licensed = vec!["Profile".into()];
        let engine = world.engine();
        world.round(&engine).await;
        let held = row(&world).await;
        assert_eq!((held.health.state.as_str(), held.health.detail.as_str()), ("ok", "not_licensed:Profile"));
        assert_eq!(world.deals().len(), 1);
        world.hotel.truth.lock().unwrap().trouble = Some(SourceError::NotLicensed { area: "Reservation".into() });
        engine.poll_source(world.id, world.source).await.unwrap();
        let held = row(&world).await;
        assert_eq!((held.health.state.as_str(), held.health.detail.as_str()), ("failing", "not_licensed:Reservation"));
        assert_eq!(held.next_poll_at - world.clock.now_ms(), 300_000, "tries go on, rarely");
    }

    s1_a_hotel_that_does_not_answer_is_asked_less_and_less_often(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.hotel.truth.lock().unwrap().trouble = Some(SourceError::Unreachable("no route".into()));
        let engine = world.engine();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            engine.poll_source(world.id, world.source).await.unwrap();
            let held = row(&world).await;
            assert_eq!((held.health.state.as_str(), held.health.detail.as_str()), ("failing", "unreachable"));
            pauses.push((held.next_poll_at - world.clock.now_ms()) / 1_000);
            world.pass(Duration::from_secs(400));
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        world.hotel.truth.lock().unwrap().trouble = None;
        world.round(&engine).await;
        let held = row(&world).await;
        assert_eq!((held.failures, (held.next_poll_at - world.clock.now_ms()) / 1_000), (0, 15));
        assert_eq!(world.deals().len(), 1, "nothing was missed");
    }

    s48_a_portal_that_must_be_authorised_again_stops_and_goes_on_with_everything(db) {
        refused_as_a_whole(db, 401, "NO_AUTH_FOUND", "Wrong authorization data").await;
    }

    s48_a_portal_that_is_not_paid_for_stops_and_goes_on_with_everything(db) {
        refused_as_a_whole(db, 401, "PAYMENT_REQUIRED", "").await;
    }

    s48_a_portal_without_the_app_stops_and_goes_on_with_everything(db) {
        refused_as_a_whole(db, 401, "APPLICATION_NOT_FOUND", "").await;
    }

    s1_a_lease_is_given_back_however_the_work_ends(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let node = world.node();
        let one = world.engine_of(node.clone(), None);
        one.poll_source(world.id, world.source).await.unwrap();
        one.decide(world.id).await.unwrap();
        node.unready.store(true, Ordering::SeqCst);
        assert!(matches!(one.deliver(world.id).await, Err(SyncError::NotReady(_))));
        // Another node need not wait for the lease's end.
        let other = world.engine();
        other.deliver(world.id).await.unwrap();
        assert_eq!(world.deals().len(), 1);
        assert!(matches!(one.scan(world.id).await, Err(SyncError::NotReady(_))));
        other.scan(world.id).await.unwrap();
    }

    s1_an_edit_is_found_in_a_portal_whose_clock_is_behind(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let behind = start_time() - chrono::Duration::minutes(40);
        world.portal.set_clock(PortalClock::fixed(behind));
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        for value in ["by hand", "again"] {
            world.pass(Duration::from_secs(600));
            world.portal.edit_as(2, Kind::Deal, deal, &json!({"UF_CRM_FB24_ROOM_TYPE": value})).unwrap();
            world.pass(Duration::from_secs(10));
            engine.deliver(world.id).await.unwrap();
            let record = world.portal.record(Kind::Deal, deal).unwrap();
            assert_eq!(record.text("UF_CRM_FB24_ROOM_TYPE"), "DBL", "{value}");
        }
    }

    s48_a_request_that_timed_out_is_tried_smaller(db) {
        let world = World::new(db, PortalOptions::default()).await;
        for n in 0..40 {
            world.book(&format!("{n}"), &format!("{}", 100 + n));
        }
        let engine = world.engine();
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        // It hangs before anything is done; our clock says how long.
        let hang = FaultAnswer::Hang(Duration::from_millis(300));
        world.portal.fault(Fault { when: FaultWhen::Before, ..Fault::before("crm.item.add").answering(hang) });
        let time = world.time.clone();
        let portal = world.portal.clone();
        let passing = tokio::spawn(async move {
            while !portal.faults().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            time.advance(Duration::from_secs(60));
        });
        let _ = engine.deliver(world.id).await;
        passing.await.unwrap();
        let sizes = || {
            let of = world.portal.requests_of("crm.item.add");
            of.iter().map(|request| request.commands.len().max(1)).collect::<Vec<_>>()
        };
        assert_eq!(sizes(), [40]);
        world.portal.clear_requests();
        world.pass(Duration::from_secs(70));
        engine.deliver(world.id).await.unwrap();
        assert!(sizes()[0] <= 20, "{:?}", sizes());
        assert_eq!((world.deals().len(), world.contacts().len()), (40, 40));
    }
}
