//! An import that is killed, paused or given up at any step is neither doubled nor left with a gap (product §2.1, §2.9).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{Known, ProfileNumber};
use fidelio_bitrix24::sync::imports::ImportState;
use fidelio_bitrix24::sync::{Engine, StepObserver, SyncError};

use super::world::{World, new_profile, new_stay};
use crate::on_both_engines;

const ARRIVALS: [&str; 3] = ["2026-11-21", "2026-12-20", "2026-11-01"];

/// A booking that arrives today, in the future or in the past. All of them are imported again at every turn.
fn booked(world: &World, number: usize, arrival: &str) {
    let mut truth = world.hotel.truth.lock().unwrap();
    let number = format!("{}", 1_000 + number);
    let mut stay = new_stay(&number);
    stay.arrival = Known::Is(arrival.parse().unwrap());
    stay.main_guest = Known::Is(ProfileNumber::parse(&number).unwrap());
    truth.stays.insert(number.clone(), stay);
    truth.profiles.insert(number.clone(), new_profile(&number));
}

/// Dies at the n-th step.
fn doomed(world: &World, at: usize) -> Engine {
    let (count, dead) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let observer: StepObserver = Arc::new(move |_| {
        let dies = dead.load(Ordering::SeqCst) || count.fetch_add(1, Ordering::SeqCst) == at;
        dead.store(dies, Ordering::SeqCst);
        !dies
    });
    world.engine_of(world.node(), Some(observer))
}

/// Works an import to its end, unless it is stopped.
async fn worked(world: &World, engine: &Engine, id: &str) -> bool {
    for _ in 0..8 {
        for result in [
            engine.import_step(world.id).await.map(drop),
            engine.decide(world.id).await.map(drop),
            engine.deliver(world.id).await.map(drop),
        ] {
            if matches!(result, Err(SyncError::Stopped(_))) {
                return false;
            }
        }
    }
    assert_eq!(engine.import(world.id, id).await.unwrap().unwrap().state, ImportState::Completed);
    true
}

async fn started(world: &World, engine: &Engine) -> String {
    engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap()
}

on_both_engines! {
    s1_an_import_killed_paused_or_given_up_at_any_step_ends_with_one_record_each(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let (mut turn, mut all) = (0, 0);
        for arrival in ARRIVALS {
            booked(&world, all, arrival);
            all += 1;
        }
        loop {
            booked(&world, all, ARRIVALS[turn / 3 % 3]);
            all += 1;
            let first = doomed(&world, turn);
            let mut id = started(&world, &first).await;
            let ended = worked(&world, &first, &id).await;
            drop(first);
            if !ended {
                let heir = world.engine();
                if turn % 3 == 1 {
                    let _ = heir.pause_import(world.id, &id).await;
                }
                if turn % 3 == 2 {
                    let _ = heir.cancel_import(world.id, &id).await;
                }
                world.pass(Duration::from_secs(21));
                world.settle(&heir).await;
                let _ = world.engine().resume_import(world.id, &id).await;
                let state = heir.import(world.id, &id).await.unwrap().unwrap().state;
                if state == ImportState::Cancelled {
                    id = started(&world, &heir).await;
                }
                assert!(worked(&world, &heir, &id).await);
            }
            let view = world.engine().import(world.id, &id).await.unwrap().unwrap();
            let counts = [view.progress.stays, view.progress.guests].map(|count| (count.done, count.total));
            let expected = i64::try_from(all).unwrap();
            assert_eq!(counts, [(expected, expected); 2], "killed at step {turn}");
            let mut marks: BTreeMap<String, usize> = BTreeMap::new();
            for record in world.deals().into_iter().chain(world.contacts()) {
                *marks.entry(format!("{:?}", (record.text("originatorId"), record.text("originId")))).or_default() += 1;
            }
            assert_eq!((world.deals().len(), world.contacts().len()), (all, all), "killed at step {turn}: {marks:?}");
            for deal in world.deals() {
                assert_eq!(deal.fields["contactIds"].as_array().map(Vec::len), Some(1), "killed at step {turn}");
            }
            if ended {
                break;
            }
            turn += 1;
        }
        assert!(turn >= 12, "{turn} steps");
    }
}
