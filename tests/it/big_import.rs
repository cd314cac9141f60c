//! Many at once: the least requests, no rejection by a limit (issue of the first import). First by its name: it takes longest.

use std::time::Duration;

use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{Known, ProfileNumber};
use fidelio_bitrix24::sync::imports::ImportState;

use crate::on_both_engines;
use crate::sync::world::{World, new_profile, new_stay};

const STAYS: usize = 5_000;
const GUESTS: usize = 4_000;

on_both_engines! {
    s1_an_import_of_5000_stays_takes_the_least_requests_and_no_rejection(db) {
        let world = World::new(db, PortalOptions::default()).await;
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            for n in 0..STAYS {
                let (number, guest) = (format!("{n}"), format!("{}", n % GUESTS));
                let mut stay = new_stay(&number);
                stay.arrival = Known::Is("2026-11-01".parse::<chrono::NaiveDate>().unwrap() + chrono::Days::new((n % 90) as u64));
                stay.main_guest = Known::Is(ProfileNumber::parse(&guest).unwrap());
                truth.stays.insert(number, stay);
                truth.profiles.entry(guest.clone()).or_insert_with(|| new_profile(&guest));
            }
        }
        let engine = world.engine();
        let dry = engine.create_import(world.id, world.hotel_id, None, None, true, 1).await.unwrap();
        while engine.import_step(world.id).await.unwrap() {}
        let estimate = engine.import(world.id, &dry).await.unwrap().unwrap().estimate.expect("counted");
        assert_eq!((estimate.stays, estimate.guests, estimate.requests), (5_000, 4_000, 10));
        assert_eq!(world.requests(), 0, "counting asks the portal nothing");

        let id = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..60 {
            engine.import_step(world.id).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        // Halfway another process goes on.
        let engine = world.engine();
        engine.deliver(world.id).await.unwrap();
        engine.import_step(world.id).await.unwrap();
        let view = engine.import(world.id, &id).await.unwrap().unwrap();
        assert_eq!(view.state, ImportState::Completed, "{view:?}");
        assert_eq!((view.progress.stays.done, view.progress.guests.done), (5_000, 4_000));
        assert_eq!((world.deals().len(), world.contacts().len()), (STAYS, GUESTS));
        let requests = world.requests();
        // A probe, and what each turn leaves unfilled.
        assert!(requests <= 15, "{requests} requests, the least is 10: {:#?}", world.sent());
        let limits = world.portal.limits();
        assert_eq!(limits.bucket_rejections + limits.operating_rejections, 0, "{limits:?}");
        assert_eq!(world.portal.robot_runs(), 0);
        let linked = world.deals().iter().filter(|deal| deal.fields["contactIds"].as_array().is_some_and(|ids| ids.len() == 1)).count();
        assert_eq!(linked, STAYS);

        world.pass(Duration::from_secs(60));
        let id = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..60 {
            engine.import_step(world.id).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(world.requests(), requests, "a second import finds nothing to do");
        assert_eq!(engine.import(world.id, &id).await.unwrap().unwrap().state, ImportState::Completed);
    }
}
