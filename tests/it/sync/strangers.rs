//! A PMS installed anew under an old code: known numbers come back with other people (product §1).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::NaiveDate;
use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{Known, ProfileNumber, StayStatus};
use fidelio_bitrix24::fidelio::{Read, SourceError};
use fidelio_bitrix24::store::source_reading::{self, Health, Looked};
use fidelio_bitrix24::store::sources;
use fidelio_bitrix24::sync::imports::ImportState;
use fidelio_bitrix24::sync::{Engine, StepObserver};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::world::{World, phone};
use crate::on_both_engines;

async fn health(world: &World) -> (String, String) {
    let row = sources::by_id(&world.db, world.id, &world.key, world.source).await.unwrap().unwrap();
    (row.health.state, row.health.detail)
}

/// Six guests with their bookings, carried over.
async fn settled(db: crate::support::db::TestDb) -> World {
    let world = World::new(db, PortalOptions::default()).await;
    for n in 1..=6 {
        world.book(&format!("{n}"), &format!("{}", n + 10));
        world.edit_stay(&format!("{n}"), |stay| stay.booked_on = Known::Is("2026-10-01".parse().unwrap()));
    }
    world.round(&world.engine()).await;
    assert_eq!((world.deals().len(), world.contacts().len()), (6, 6));
    world.pass(Duration::from_secs(20));
    world
}

fn somebody_else(world: &World, number: &str) {
    world.edit_profile(number, |profile| {
        profile.last_name = Known::Is("Сидоров".into());
        profile.first_name = Known::Is(format!("Пётр{number}"));
        profile.phones = Known::Is(vec![phone(&format!("+7911{number:0>7}"))]);
        profile.emails = Known::Empty;
    });
}

/// Many more bookings are known than were carried over.
async fn known(world: &World, engine: &Engine) {
    for n in 1001..=1600 {
        world.book(&format!("{n}"), &format!("{}", n + 1000));
    }
    engine.poll_source(world.id, world.source).await.unwrap();
    engine.decide(world.id).await.unwrap();
}

fn shown(world: &World) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    world.deals().into_iter().chain(world.contacts()).map(|record| record.fields).collect()
}

/// The new installation has counted so far.
fn reinstall(world: &World, counted: usize) {
    {
        let mut truth = world.hotel.truth.lock().unwrap();
        truth.stays.clear();
        truth.profiles.clear();
    }
    for n in 1..=counted {
        somebody_else(world, &format!("{}", n + 10));
        world.edit_stay(&format!("{n}"), |stay| {
            stay.main_guest = Known::Is(ProfileNumber::parse(&format!("{}", n + 10)).unwrap());
            stay.arrival = Known::Is(NaiveDate::from_ymd_opt(2027, 1, 5).unwrap());
            stay.booked_on = Known::Is("2026-11-20".parse().unwrap());
        });
    }
}

on_both_engines! {
    s1_a_hotel_whose_numbers_came_back_with_other_people_is_stopped_and_nothing_is_overwritten(db) {
        let world = settled(db).await;
        let engine = world.engine();
        let before: Vec<_> = world.deals().into_iter().chain(world.contacts()).map(|record| record.fields).collect();
        let requests = world.requests();
        reinstall(&world, 4);
        world.round(&engine).await;
        assert_eq!(health(&world).await, ("stopped".into(), "reinstalled".into()));
        let problems = world.problems(&engine).await;
        assert_eq!((problems.len(), problems[0].cause.as_str()), (1, "pms.reinstalled"));
        assert_eq!(problems[0].hotel, Some(world.hotel_id));
        assert!(source_reading::due(&world.db, i64::MAX / 2, 10).await.unwrap().is_empty(), "nobody reads it any more");
        // An import under the old code is refused without asking the hotel anything.
        let asked = world.hotel.truth.lock().unwrap().asked.len();
        let job = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        let view = engine.import(world.id, &job).await.unwrap().unwrap();
        assert_eq!((view.state, view.failure.as_str()), (ImportState::Failed, "reinstalled"));
        assert_eq!(world.hotel.truth.lock().unwrap().asked.len(), asked);
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        let after: Vec<_> = world.deals().into_iter().chain(world.contacts()).map(|record| record.fields).collect();
        assert_eq!(before, after);
        assert_eq!(world.requests(), requests);

        // The hotel's old data were put back: a person says so, and it is looked at again.
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            truth.stays.clear();
            truth.profiles.clear();
        }
        for n in 1..=6 {
            world.book(&format!("{n}"), &format!("{}", n + 10));
            world.edit_stay(&format!("{n}"), |stay| stay.booked_on = Known::Is("2026-10-01".parse().unwrap()));
        }
        engine.retry_problem(world.id, world.problems(&engine).await[0].id).await.unwrap();
        assert_eq!(health(&world).await.0, "new");
        world.round(&engine).await;
        assert_eq!(health(&world).await.0, "ok");
    }

    s1_marks_on_other_peoples_records_are_left_alone_after_a_reinstall_of_ours(db) {
        let world = settled(db).await.reinstalled().await;
        let shown = || -> Vec<_> {
            world.deals().into_iter().chain(world.contacts()).map(|record| record.fields).collect()
        };
        let before = shown();
        reinstall(&world, 4);
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!(before, shown(), "nothing is overwritten, nothing made");
        assert_eq!(health(&world).await, ("stopped".into(), "reinstalled".into()));
        let mut causes: Vec<String> = world.problems(&engine).await.into_iter().map(|one| one.cause).collect();
        causes.sort();
        assert_eq!(causes.iter().filter(|cause| *cause == "crm.foreign_mark").count(), 8, "four guests, four stays");
        assert_eq!(causes.last().map(String::as_str), Some("pms.reinstalled"));
    }

    s1_a_young_installation_that_has_few_of_many_known_numbers_is_stopped(db) {
        let world = settled(db).await;
        let engine = world.engine();
        known(&world, &engine).await;
        let (before, requests) = (shown(&world), world.requests());
        reinstall(&world, 50);
        world.round(&engine).await;
        assert_eq!(health(&world).await, ("stopped".into(), "reinstalled".into()));
        assert_eq!((shown(&world), world.requests()), (before, requests), "what waited before is held, too");
    }

    s1_one_card_of_many_given_to_another_guest_stops_nothing(db) {
        let world = settled(db).await;
        let engine = world.engine();
        known(&world, &engine).await;
        somebody_else(&world, "11");
        assert!(engine.poll_source(world.id, world.source).await.unwrap() > 0);
        assert_eq!(health(&world).await.0, "ok");
    }

    s1_what_is_on_its_way_waits_while_the_hotel_is_stopped(db) {
        let world = settled(db).await;
        let engine = world.engine();
        world.edit_stay("5", |stay| stay.room_type = Known::Is("SUITE".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        let before = shown(&world);
        reinstall(&world, 4);
        engine.poll_source(world.id, world.source).await.unwrap();
        for _ in 0..3 {
            engine.deliver(world.id).await.unwrap();
            world.pass(Duration::from_secs(700));
        }
        assert_eq!(shown(&world), before);
        engine.retry_problem(world.id, world.problems(&engine).await[0].id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_ne!(shown(&world), before, "a person's decision lets it go");
    }

    s1_what_was_planned_before_the_hotel_was_stopped_is_not_sent(db) {
        let world = settled(db).await;
        let engine = world.engine();
        world.edit_stay("5", |stay| stay.room_type = Known::Is("SUITE".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        let before = shown(&world);
        let (db, portal, hotel) = (world.db.clone(), world.id, world.hotel_id);
        let stop = async move {
            let tx = db.begin().await.unwrap();
            source_reading::stop_hotel(&tx, portal, hotel, "reinstalled").await.unwrap();
            tx.commit().await.unwrap();
        };
        let stop = Mutex::new(Some(stop));
        let observer: StepObserver = Arc::new(move |step| {
            if step == "deliver.permit" && let Some(stop) = stop.lock().unwrap().take() {
                block_in_place(|| Handle::current().block_on(stop));
            }
            true
        });
        world.engine_of(world.node(), Some(observer)).deliver(world.id).await.unwrap();
        assert_eq!(health(&world).await.0, "stopped", "between plan and request");
        assert_eq!(shown(&world), before);
        let tx = world.db.begin().await.unwrap();
        source_reading::resume_hotel(&tx, world.id, world.hotel_id, "reinstalled").await.unwrap();
        tx.commit().await.unwrap();
        world.pass(Duration::from_secs(700));
        engine.deliver(world.id).await.unwrap();
        assert_ne!(shown(&world), before, "nothing of it was lost");
    }

    s1_a_hotel_that_purged_its_old_bookings_and_shows_no_guests_is_not_stopped(db) {
        let world = settled(db).await;
        let engine = world.engine();
        for n in 100..160 {
            world.book(&n.to_string(), &(n + 1_000).to_string());
        }
        for n in (4..=6).chain(100..160) {
            world.edit_stay(&n.to_string(), |stay| {
                stay.arrival = Known::Is("2024-05-01".parse().unwrap());
                stay.departure = Known::Is("2024-05-04".parse().unwrap());
                stay.status = Known::Is(StayStatus::CheckedOut);
            });
        }
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            truth.stays.retain(|number, _| number.len() < 3);
            truth.trouble_with_guests = Some(SourceError::NotLicensed { area: "Profile".into() });
        }
        // One booking that nobody would know again.
        world.edit_stay("1", |stay| {
            stay.main_guest = Known::Is(ProfileNumber::parse("16").unwrap());
            stay.arrival = Known::Is("2026-11-23".parse().unwrap());
            stay.booked_on = Known::Is("2026-11-20".parse().unwrap());
        });
        assert!(engine.poll_source(world.id, world.source).await.unwrap() > 0);
        assert_eq!(health(&world).await.0, "ok");
        // That its present bookings are gone, too, is another thing.
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            truth.stays.retain(|number, _| number == "2");
        }
        world.edit_stay("2", |stay| {
            stay.main_guest = Known::Is(ProfileNumber::parse("16").unwrap());
            stay.arrival = Known::Is("2026-11-23".parse().unwrap());
            stay.booked_on = Known::Is("2026-11-20".parse().unwrap());
        });
        engine.poll_source(world.id, world.source).await.unwrap();
        assert_eq!(health(&world).await, ("stopped".into(), "reinstalled".into()));
    }

    s1_a_read_that_was_under_way_does_not_undo_the_stop(db) {
        let world = settled(db).await;
        let row = sources::by_id(&world.db, world.id, &world.key, world.source).await.unwrap().unwrap();
        let tx = world.db.begin().await.unwrap();
        source_reading::stop_hotel(&tx, world.id, world.hotel_id, "reinstalled").await.unwrap();
        tx.commit().await.unwrap();
        let looked = Looked {
            health: Health { state: "ok".into(), detail: String::new() },
            at: 1,
            ok: true,
            records: true,
            active: true,
            notes: row.notes.clone(),
            next_poll_at: 0,
            failures: 0,
        };
        source_reading::looked(&world.db, world.id, row.id, row.version, &looked).await.unwrap();
        assert_eq!(health(&world).await.0, "stopped");
        let tx = world.db.begin().await.unwrap();
        let kept = source_reading::advance(&tx, world.id, row.id, row.version, &row.state).await.unwrap();
        assert!(!kept, "no further lot is taken in");
        drop(tx);
        let asked = world.hotel.truth.lock().unwrap().asked.len();
        world.engine().poll_source(world.id, world.source).await.unwrap();
        assert_eq!(world.hotel.truth.lock().unwrap().asked.len(), asked, "found due before, read no more");
    }

    s1_one_card_given_to_another_guest_is_an_edit(db) {
        let world = settled(db).await;
        let engine = world.engine();
        somebody_else(&world, "11");
        world.round(&engine).await;
        assert_eq!(health(&world).await.0, "ok");
        assert!(world.contacts().iter().any(|contact| contact.text("lastName") == "Сидоров"));
        assert!(world.problems(&engine).await.is_empty());
        let sampled = |read: &&Read| matches!(read, Read::Profiles { .. });
        let count = || world.hotel.truth.lock().unwrap().asked.iter().filter(sampled).count();
        assert_eq!(count(), 1, "looked into once");
        world.round(&engine).await;
        assert_eq!(count(), 1);
    }

    s1_a_stranger_waits_while_the_hotel_cannot_be_asked(db) {
        let world = settled(db).await;
        let engine = world.engine();
        reinstall(&world, 4);
        world.hotel.truth.lock().unwrap().trouble_by_number = Some(SourceError::Unreachable("gone".into()));
        world.round(&engine).await;
        assert_eq!(health(&world).await, ("failing".into(), "unreachable".into()));
        assert!(world.contacts().iter().all(|contact| contact.text("lastName").starts_with("Иванова")));
        world.hotel.truth.lock().unwrap().trouble_by_number = None;
        world.round(&engine).await;
        assert_eq!(health(&world).await.0, "stopped");
        assert!(world.contacts().iter().all(|contact| contact.text("lastName").starts_with("Иванова")));
    }
}
