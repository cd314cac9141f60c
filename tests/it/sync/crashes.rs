//! Exactly one record, whatever is lost, late, killed or doubled (product §2.1).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fb24_sandbox::portal::{Fault, PortalOptions};
use fidelio_bitrix24::domain::{Known, StayStatus};
use fidelio_bitrix24::sync::{StepObserver, SyncError};

use super::world::World;
use crate::on_both_engines;

fn one_of_each(world: &World, what: &str) {
    let mut marks: BTreeMap<String, usize> = BTreeMap::new();
    for record in world.deals().into_iter().chain(world.contacts()) {
        *marks.entry(record.text("originId")).or_default() += 1;
    }
    assert!(marks.values().all(|count| *count == 1), "{what}: {marks:?}");
    assert_eq!((world.deals().len(), world.contacts().len()), (2, 2), "{what}: {marks:?}");
    for deal in world.deals() {
        assert_eq!(deal.fields["contactIds"].as_array().map(Vec::len), Some(1), "{what}: {:?}", deal.fields);
    }
}

on_both_engines! {
    s1_an_answer_lost_after_the_commit_makes_no_second_record(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let engine = world.engine();
        world.portal.fault(Fault::after_commit("crm.item.add").times(2));
        for _ in 0..3 {
            let _ = engine.poll_source(world.id, world.source).await;
            engine.decide(world.id).await.unwrap();
            let _ = engine.deliver(world.id).await;
            world.settle(&engine).await;
        }
        one_of_each(&world, "lost after commit");
    }

    s1_a_request_that_commits_after_we_gave_up_makes_no_second_record(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let engine = world.engine();
        world.portal.fault(Fault::commit_later("crm.item.add", Duration::from_secs(50)));
        world.portal.fault(Fault::commit_later("crm.item.add", Duration::from_secs(50)).after(1));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        for _ in 0..40 {
            let _ = engine.deliver(world.id).await;
            world.pass(Duration::from_secs(7));
        }
        one_of_each(&world, "late commit");
    }

    s1_killed_at_every_step_and_taken_over_by_another_node(db) {
        let world = World::new(db, PortalOptions::default()).await;
        // Which steps there are is learnt from a run without a kill.
        let seen: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let mut kills = 0;
        let mut stop_at = 0;
        loop {
            let count = AtomicUsize::new(0);
            let dead = Arc::new(AtomicBool::new(false));
            let (log, over) = (seen.clone(), dead.clone());
            let observer: StepObserver = Arc::new(move |step| {
                log.lock().unwrap().push(step);
                if over.load(Ordering::SeqCst) || count.fetch_add(1, Ordering::SeqCst) == stop_at {
                    over.store(true, Ordering::SeqCst);
                    return false;
                }
                true
            });
            // Each round changes everything, so that each step has something to lose.
            world.book("1", "7");
            world.book("2", "8");
            let room = format!("{}", 100 + stop_at);
            for number in ["1", "2"] {
                world.edit_stay(number, |stay| {
                    stay.room = Known::Is(room.clone());
                    let step = if stop_at % 2 == 0 { StayStatus::InHouse } else { StayStatus::Confirmed };
                    stay.status = Known::Is(step);
                });
            }
            let doomed = world.engine_of(world.node(), Some(observer));
            let mut stopped = false;
            for result in [
                doomed.poll_source(world.id, world.source).await.map(drop),
                doomed.decide(world.id).await.map(drop),
                doomed.deliver(world.id).await.map(drop),
            ] {
                stopped |= matches!(result, Err(SyncError::Stopped(_)));
            }
            drop(doomed);
            kills += usize::from(stopped);
            world.pass(Duration::from_secs(21));
            let heir = world.engine();
            world.round(&heir).await;
            world.settle(&heir).await;
            one_of_each(&world, &format!("killed at step {stop_at}: {:?}", seen.lock().unwrap().last()));
            for deal in world.deals() {
                assert_eq!(deal.text("UF_CRM_FB24_ROOM"), room, "killed at step {stop_at}");
            }
            if !stopped {
                break;
            }
            stop_at += 1;
        }
        assert!(kills >= 8, "{kills} kills at {:?}", seen.lock().unwrap());
    }

    s1_two_nodes_at_once_make_one_record_each(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let (a, b) = (world.engine(), world.engine());
        for _ in 0..4 {
            let both = futures_util::future::join(
                async { (a.poll_source(world.id, world.source).await, a.decide(world.id).await, a.deliver(world.id).await) },
                async { (b.poll_source(world.id, world.source).await, b.decide(world.id).await, b.deliver(world.id).await) },
            );
            let _ = both.await;
        }
        world.settle(&a).await;
        one_of_each(&world, "two nodes");
    }

    s1_a_reinstall_finds_its_records_again_by_their_marks(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        world.round(&world.engine()).await;
        one_of_each(&world, "first install");
        let again = world.reinstalled().await;
        again.edit_stay("1", |stay| stay.room = Known::Is("501".into()));
        again.round(&again.engine()).await;
        one_of_each(&again, "reinstalled");
        assert!(again.deals().iter().any(|deal| deal.text("UF_CRM_FB24_ROOM") == "501"));
    }
}
