//! First imports: what overtakes them, what stops them, and what a portal may forbid.

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::domain::{Currency, HotelCode, HotelId, Known, ProfileNumber};
use fidelio_bitrix24::fidelio::{Read, SourceError};
use fidelio_bitrix24::store::hotels::{self, HotelFacts};
use fidelio_bitrix24::store::jobs;
use fidelio_bitrix24::store::sources::{self, Dialect, SourceConfig};
use fidelio_bitrix24::sync::SyncError;
use fidelio_bitrix24::sync::imports::{ImportState, ImportView};
use serde_json::json;

use super::world::{World, followed, new_profile, new_stay};
use crate::on_both_engines;

/// So many bookings, thirty days apart from each other, each in a window of its own.
fn booked(world: &World, count: u64) {
    let mut truth = world.hotel.truth.lock().unwrap();
    for n in 0..count {
        let (number, guest) = (format!("{n}"), format!("{}", 100 + n));
        let mut stay = new_stay(&number);
        let day = "2026-11-21".parse::<chrono::NaiveDate>().unwrap() + chrono::Days::new(30 * n);
        stay.arrival = Known::Is(day);
        stay.departure = Known::Is(day + chrono::Days::new(1));
        stay.main_guest = Known::Is(ProfileNumber::parse(&guest).unwrap());
        truth.stays.insert(number, stay);
        truth.profiles.insert(guest.clone(), new_profile(&guest));
    }
}

async fn started(world: &World) -> String {
    world.engine().create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap()
}

/// One step by a process that has just started.
async fn step(world: &World) {
    let engine = world.engine();
    engine.import_step(world.id).await.unwrap();
    engine.decide(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
}

async fn view(world: &World, id: &str) -> ImportView {
    world.engine().import(world.id, id).await.unwrap().unwrap()
}

/// A second hotel of the portal, with the same truth.
pub async fn another_hotel(world: &World) -> HotelId {
    let facts =
        HotelFacts { name: "Sea".into(), timezone: "Europe/Moscow".into(), currency: Currency::parse("RUB").unwrap() };
    let config = SourceConfig {
        url: "http://127.0.0.1:1/".parse().unwrap(),
        username: "u".into(),
        password: "p".to_owned().into(),
        vendor: None,
        dialect: Dialect::default(),
    };
    let tx = world.db.begin().await.unwrap();
    let code = HotelCode::parse("SEA").unwrap();
    let hotel = hotels::create(&tx, world.id, &code, &facts, 0).await.unwrap().unwrap();
    let source = sources::add(&tx, world.id, &world.key, hotel, "suite8_xml", "direct", Some(&config)).await.unwrap();
    tx.commit().await.unwrap();
    followed(&world.db, world.id, source).await;
    hotel
}

on_both_engines! {
    s1_a_completed_import_counts_no_booking_that_came_after_it(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 2);
        let id = started(&world).await;
        for _ in 0..40 {
            step(&world).await;
        }
        let done = view(&world, &id).await;
        assert_eq!((done.state, done.progress.stays.done, done.progress.stays.total), (ImportState::Completed, 2, 2));
        // Read and decided, not yet sent.
        world.book("50", "51");
        let engine = world.engine();
        engine.poll_source(world.id, world.source).await.unwrap();
        assert!(engine.decide(world.id).await.unwrap() > 0);
        assert_eq!(view(&world, &id).await.progress, done.progress);
    }

    s1_a_booking_that_is_on_its_way_when_an_import_ends_is_none_of_its_own(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 2);
        let id = started(&world).await;
        let engine = world.engine();
        for _ in 0..40 {
            if view(&world, &id).await.progress.stays.done == 2 {
                break;
            }
            step(&world).await;
        }
        world.book("50", "51");
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        let done = view(&world, &id).await;
        assert_eq!((done.state, done.progress.stays.done, done.progress.stays.total), (ImportState::Completed, 2, 2));
    }

    s1_a_live_change_overtakes_an_import_and_is_not_undone_by_it(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        engine.import_step(world.id).await.unwrap();
        // Read by the import, not yet decided; then the desk acts and the poll sees it.
        world.pass(Duration::from_secs(5));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!(world.deals().len(), 1);
        assert_eq!(world.deals()[0].text("UF_CRM_FB24_ROOM"), "205");
        assert_eq!(world.portal.requests_of("crm.item.batchimport").len(), 0, "it went at once, not as history");

        // And an older record of it that is read later: ranges are read for long.
        world.pass(Duration::from_secs(60));
        world.edit_stay("1", |stay| stay.room = Known::Is("101".into()));
        world.hotel.truth.lock().unwrap().stays.get_mut("1").unwrap().updated_at =
            Known::Is("2026-11-21T12:00:00".parse().unwrap());
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        let again = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        engine.import_step(world.id).await.unwrap();
        assert_eq!(view(&world, &again).await.state, ImportState::Completed);
        assert_eq!(world.deals()[0].text("UF_CRM_FB24_ROOM"), "205");
    }

    s1_an_import_is_paused_and_resumed_over_a_restart_and_reads_each_window_once(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 6);
        let id = started(&world).await;
        step(&world).await;
        step(&world).await;
        assert_eq!(world.deals().len(), 2);
        let now = view(&world, &id).await;
        assert_eq!(now.state, ImportState::Running);
        assert!(now.eta_seconds.is_some_and(|eta| eta > 0), "by what was read so far: {now:?}");
        assert!(now.rate_per_second > 0.0);
        let engine = world.engine();
        engine.import_step(world.id).await.unwrap();
        engine.decide(world.id).await.unwrap();
        engine.pause_import(world.id, &id).await.unwrap();
        for _ in 0..3 {
            step(&world).await;
        }
        assert_eq!(world.deals().len(), 2, "nothing is read and nothing of it sent");
        let before = view(&world, &id).await;
        assert_eq!((before.state, before.eta_seconds), (ImportState::Paused, None));
        world.pass(Duration::from_secs(3_600));
        world.engine().resume_import(world.id, &id).await.unwrap();
        let rate = view(&world, &id).await.rate_per_second;
        assert!((rate - before.rate_per_second).abs() < 0.01 * before.rate_per_second, "an hour's pause is no work: {rate}");
        for _ in 0..20 {
            step(&world).await;
        }
        let end = view(&world, &id).await;
        assert_eq!((end.state, end.progress.stays.done, end.progress.guests.done), (ImportState::Completed, 6, 6));
        assert_eq!((world.deals().len(), world.contacts().len()), (6, 6));
        let mut windows: Vec<_> = {
            let truth = world.hotel.truth.lock().unwrap();
            truth.asked.iter().filter_map(|read| match read { Read::Arrivals { from, .. } => Some(*from), _ => None }).collect()
        };
        let read = windows.len();
        windows.dedup();
        windows.sort();
        windows.dedup();
        assert_eq!(windows.len(), read, "no window twice");
    }

    s1_a_job_whose_cursor_cannot_be_read_ends_and_does_not_begin_anew(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 6);
        let id = started(&world).await;
        step(&world).await;
        let now = world.clock.now_ms();
        assert!(jobs::advance(&world.db, world.id, &id, &json!({"window": "third"}), None, now).await.unwrap());
        let read = world.hotel.truth.lock().unwrap().asked.len();
        world.engine().import_step(world.id).await.unwrap();
        let told = view(&world, &id).await;
        assert_eq!((told.state, told.failure.as_str()), (ImportState::Failed, "broken"));
        assert_eq!(world.hotel.truth.lock().unwrap().asked.len(), read, "nothing is read once more");
    }

    s1_an_import_waits_hours_for_a_hotel_that_does_not_answer_and_goes_on_where_it_was(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 6);
        let id = started(&world).await;
        step(&world).await;
        step(&world).await;
        let (engine, begun) = (world.engine(), world.clock.now_ms());
        world.hotel.truth.lock().unwrap().trouble = Some(SourceError::Unreachable("down".into()));
        while view(&world, &id).await.state != ImportState::Failed {
            engine.import_step(world.id).await.unwrap();
            world.pass(Duration::from_secs(60));
            assert!(world.clock.now_ms() - begun < 24 * 3_600_000);
        }
        assert_eq!(view(&world, &id).await.failure, "unreachable");
        assert!(world.clock.now_ms() - begun > 4 * 3_600_000, "hours, not minutes");
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            (truth.trouble, truth.asked) = (None, Vec::new());
        }
        let another = started(&world).await;
        let resumed = engine.resume_import(world.id, &id).await;
        assert!(matches!(resumed, Err(SyncError::Conflict("import_running"))), "{resumed:?}");
        engine.cancel_import(world.id, &another).await.unwrap();
        engine.resume_import(world.id, &id).await.unwrap();
        for _ in 0..20 {
            step(&world).await;
        }
        let end = view(&world, &id).await;
        assert_eq!((end.state, end.failure.as_str(), end.progress.stays.done), (ImportState::Completed, "", 6));
        let first = "2026-11-21".parse().unwrap();
        let asked = world.hotel.truth.lock().unwrap().asked.clone();
        assert!(!asked.iter().any(|read| matches!(read, Read::Arrivals { from, .. } if *from == first)), "read before");
    }

    s1_an_estimate_reads_a_window_a_step_polls_come_between_and_a_restart_goes_on(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 4);
        // One guest comes twice.
        let first = world.hotel.truth.lock().unwrap().stays["0"].main_guest.clone();
        world.hotel.truth.lock().unwrap().stays.get_mut("3").unwrap().main_guest = first;
        let id = world.engine().create_import(world.id, world.hotel_id, None, None, true, 1).await.unwrap();
        let arrivals = || world.hotel.truth.lock().unwrap().asked.iter().filter(|read| matches!(read, Read::Arrivals { .. })).count();
        let mut steps = 0;
        while view(&world, &id).await.state != ImportState::Completed {
            // Every step by a process that has just started; the poll after it has the hotel to itself.
            let before = arrivals();
            world.engine().import_step(world.id).await.unwrap();
            assert!(steps > 0 || (1..20).contains(&(arrivals() - before)), "{}", arrivals() - before);
            world.engine().poll_source(world.id, world.source).await.unwrap();
            steps += 1;
            assert!(steps < 20, "{:?}", view(&world, &id).await);
        }
        assert!(steps > 4, "{steps}: windows with arrivals are steps of their own");
        let estimate = view(&world, &id).await.estimate.expect("counted");
        assert_eq!((estimate.stays, estimate.guests, estimate.companies), (4, 3, 0));
        let mut windows: Vec<_> = {
            let truth = world.hotel.truth.lock().unwrap();
            truth.asked.iter().filter_map(|read| match read { Read::Arrivals { from, .. } => Some(*from), _ => None }).collect()
        };
        let read = windows.len();
        windows.sort();
        windows.dedup();
        assert_eq!(windows.len(), read, "no window twice");
        assert!(world.deals().is_empty());
    }

    s1_who_is_in_house_is_read_before_the_future_however_long_ago_he_came(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 3);
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            let stay = truth.stays.get_mut("2").unwrap();
            stay.arrival = Known::Is("2026-10-25".parse().unwrap());
            stay.departure = Known::Is("2026-11-30".parse().unwrap());
        }
        started(&world).await;
        for _ in 0..2 {
            step(&world).await;
        }
        let mut numbers: Vec<String> = world.deals().iter().map(|deal| deal.text("UF_CRM_FB24_RESERVATION")).collect();
        numbers.sort();
        assert_eq!(numbers, ["0", "2"], "today's, then the guest of a month");
    }

    s1_an_estimate_and_the_figures_count_what_is_written_and_nothing_else(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 4);
        let engine = world.engine();
        let mut picky = fidelio_bitrix24::domain::Mapping::standard();
        picky.filters.conditions = serde_json::from_value(json!([{"fact": "number", "is": ["0", "1", "9"]}])).unwrap();
        let version = crate::sync::mappings::save(&world, &picky).await;
        crate::sync::mappings::activate(&world, version).await;
        let estimate = async || {
            let id = engine.create_import(world.id, world.hotel_id, None, None, true, 1).await.unwrap();
            for _ in 0..20 {
                engine.import_step(world.id).await.unwrap();
            }
            let counted = view(&world, &id).await.estimate.expect("counted");
            (counted.stays, counted.guests)
        };
        assert_eq!(estimate().await, (2, 2), "those that the mapping leaves out cost nothing");
        let id = started(&world).await;
        for _ in 0..20 {
            step(&world).await;
        }
        let done = view(&world, &id).await;
        let stays = done.progress.stays;
        assert_eq!((done.state, stays.done, stays.total), (ImportState::Completed, 2, 2));
        assert!(done.rate_per_second > 0.0);
        assert_eq!(estimate().await, (0, 0), "what stands there costs nothing");
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        assert_eq!(estimate().await, (1, 0), "a change is written");
        let again = started(&world).await;
        engine.import_step(world.id).await.unwrap();
        let again = view(&world, &again).await;
        assert!(again.rate_per_second < f64::EPSILON, "what stood there before is none of its work: {again:?}");
    }

    s1_windows_without_arrivals_cost_no_step_of_their_own(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 1);
        let id = started(&world).await;
        let engine = world.engine();
        let mut steps = 0;
        while view(&world, &id).await.state != ImportState::Completed {
            engine.import_step(world.id).await.unwrap();
            engine.decide(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
            steps += 1;
            assert!(steps < 10, "{:?}", view(&world, &id).await);
        }
        assert!(world.hotel.truth.lock().unwrap().asked.len() > 20, "two years ahead are many windows");
        assert!(steps <= 3, "{steps}: what there is, the rest, the end");
    }

    s1_a_cancelled_import_reads_no_more_and_what_it_had_read_arrives(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 6);
        let id = started(&world).await;
        let engine = world.engine();
        for _ in 0..2 {
            engine.import_step(world.id).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        engine.cancel_import(world.id, &id).await.unwrap();
        let now = view(&world, &id).await;
        assert_eq!((now.state, now.progress.stays.done, now.progress.stays.total), (ImportState::Cancelled, 0, 2));
        for _ in 0..5 {
            step(&world).await;
        }
        let end = view(&world, &id).await;
        assert_eq!((end.state, end.progress.stays.done, end.progress.stays.total), (ImportState::Cancelled, 2, 2));
        assert_eq!((world.deals().len(), world.contacts().len()), (2, 2));
        let resumed = world.engine().resume_import(world.id, &id).await;
        assert!(matches!(resumed, Err(SyncError::Conflict("import_state"))), "{resumed:?}");
        // The rest comes with another one, and nothing twice.
        let id = started(&world).await;
        for _ in 0..20 {
            step(&world).await;
        }
        assert_eq!(view(&world, &id).await.state, ImportState::Completed);
        assert_eq!((world.deals().len(), world.contacts().len()), (6, 6));
    }

    s1_without_the_import_right_records_are_added_one_by_one(db) {
        let mut world = World::new(db, PortalOptions { import_right: false, ..PortalOptions::default() }).await;
        booked(&world, 6);
        // Whether it was known beforehand or is found out by the refusal.
        world.terms.can_import = false;
        started(&world).await;
        step(&world).await;
        assert_eq!(world.portal.requests_of("crm.item.batchimport").len(), 0);
        world.terms.can_import = true;
        for _ in 0..20 {
            step(&world).await;
        }
        assert_eq!((world.portal.count(Kind::Deal), world.portal.count(Kind::Contact)), (6, 6));
        assert!(world.problems(&world.engine()).await.is_empty());
        assert!(world.deals().iter().all(|deal| deal.fields["contactIds"] != json!([])));
    }

    s1_a_paused_import_of_one_hotel_holds_up_no_other_hotel_s(db) {
        let world = World::new(db, PortalOptions::default()).await;
        booked(&world, 2);
        let engine = world.engine();
        let id = started(&world).await;
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        // The same bookings at another hotel of the portal, whose import is paused with all of it read.
        let other = another_hotel(&world).await;
        let sea = engine.create_import(world.id, other, None, None, false, 1).await.unwrap();
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        engine.pause_import(world.id, &sea).await.unwrap();
        for _ in 0..5 {
            step(&world).await;
        }
        assert_eq!(view(&world, &id).await.state, ImportState::Completed);
        assert_eq!(world.portal.count(Kind::Deal), 2, "those of the one, none of the other");
        assert_eq!((view(&world, &sea).await.state, view(&world, &sea).await.progress.stays.done), (ImportState::Paused, 0));
        // And the other way round: it goes on while the first one's is paused.
        booked(&world, 4);
        let again = started(&world).await;
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        engine.pause_import(world.id, &again).await.unwrap();
        engine.resume_import(world.id, &sea).await.unwrap();
        for _ in 0..5 {
            step(&world).await;
        }
        assert_eq!(view(&world, &sea).await.progress.stays.done, 2);
        assert_eq!((view(&world, &again).await.state, world.portal.count(Kind::Deal)), (ImportState::Paused, 4));
    }

    s1_an_import_is_not_over_while_something_it_read_has_become_more_urgent_and_waits(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        let id = started(&world).await;
        for _ in 0..40 {
            engine.import_step(world.id).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        world.pass(Duration::from_secs(5));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        engine.import_step(world.id).await.unwrap();
        assert_eq!(view(&world, &id).await.state, ImportState::Running, "neither the guest nor the stay is there");
        engine.deliver(world.id).await.unwrap();
        engine.import_step(world.id).await.unwrap();
        let end = view(&world, &id).await;
        assert_eq!((end.state, end.progress.stays.done, end.progress.guests.done), (ImportState::Completed, 1, 1));
    }
}
