//! A PMS installed anew under an old code: known numbers come back with other people (product §1).

use std::time::Duration;

use chrono::NaiveDate;
use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{Known, ProfileNumber};
use fidelio_bitrix24::fidelio::{Read, SourceError};
use fidelio_bitrix24::store::sources;
use fidelio_bitrix24::sync::imports::ImportState;

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

/// The new installation has counted to four so far.
fn reinstall(world: &World) {
    {
        let mut truth = world.hotel.truth.lock().unwrap();
        truth.stays.clear();
        truth.profiles.clear();
    }
    for n in 1..=4 {
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
        reinstall(&world);
        world.round(&engine).await;
        assert_eq!(health(&world).await, ("stopped".into(), "reinstalled".into()));
        let problems = world.problems(&engine).await;
        assert_eq!((problems.len(), problems[0].cause.as_str()), (1, "pms.reinstalled"));
        assert_eq!(problems[0].hotel, Some(world.hotel_id));
        assert!(sources::due(&world.db, i64::MAX / 2, 10).await.unwrap().is_empty(), "nobody reads it any more");
        // An import under the old code is refused by the same look.
        let job = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        let view = engine.import(world.id, &job).await.unwrap().unwrap();
        assert_eq!((view.state, view.failure.as_str()), (ImportState::Failed, "reinstalled"));
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
        reinstall(&world);
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!(before, shown(), "nothing is overwritten, nothing made");
        assert_eq!(health(&world).await, ("stopped".into(), "reinstalled".into()));
        let mut causes: Vec<String> = world.problems(&engine).await.into_iter().map(|one| one.cause).collect();
        causes.sort();
        assert_eq!(causes.iter().filter(|cause| *cause == "crm.foreign_mark").count(), 8, "four guests, four stays");
        assert_eq!(causes.last().map(String::as_str), Some("pms.reinstalled"));
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
        reinstall(&world);
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
