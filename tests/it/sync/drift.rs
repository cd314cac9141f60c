//! What a reconciliation calls drift and what it does not, which days it compares, and how it meets a portal in trouble.

use std::collections::BTreeSet;
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions};
use fidelio_bitrix24::domain::{CrmEntity, Known, ProfileNumber};
use fidelio_bitrix24::fidelio::SourceError;
use fidelio_bitrix24::store::links::{self, LinkRow, Origin};
use fidelio_bitrix24::sync::imports::ImportState;
use fidelio_bitrix24::sync::reconcile::asks_person;
use fidelio_bitrix24::sync::{CrmEvent, EventIntake, Loops};
use serde_json::json;

use super::imports::another_hotel;
use super::reconcile::{begin, deal, filled, finished, ordinary, pass_hours, reconcile, told, view};
use super::world::{World, new_profile, new_stay};
use crate::on_both_engines;

fn nothing() -> BTreeSet<String> {
    BTreeSet::new()
}

/// A booking of these nights that no poll has seen, made on a day.
fn booking(world: &World, number: &str, arrival: &str, booked_on: &str) {
    let mut stay = new_stay(number);
    let day: chrono::NaiveDate = arrival.parse().unwrap();
    (stay.arrival, stay.departure) = (Known::Is(day), Known::Is(day + chrono::Days::new(2)));
    stay.booked_on = Known::Is(booked_on.parse().unwrap());
    stay.main_guest = Known::Is(ProfileNumber::parse(number).unwrap());
    let mut truth = world.hotel.truth.lock().unwrap();
    truth.stays.insert(number.to_owned(), stay);
    truth.profiles.insert(number.to_owned(), new_profile(number));
}

async fn imported(world: &World, from: &str, to: &str) {
    let engine = world.engine();
    let range = (from.parse().ok(), to.parse().ok());
    let id = engine.create_import(world.id, world.hotel_id, range.0, range.1, false, 1).await.unwrap();
    for _ in 0..60 {
        engine.import_step(world.id).await.unwrap();
        ordinary(world, &engine).await;
    }
    assert_eq!(engine.import(world.id, &id).await.unwrap().unwrap().state, ImportState::Completed);
}

fn updates(world: &World) -> usize {
    world.portal.requests_of("crm.item.update").len()
}

on_both_engines! {
    s1_people_who_never_booked_are_no_drift_and_get_no_contact(db) {
        let world = filled(db, 2).await;
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            truth.profiles.insert("77".into(), new_profile("77"));
            truth.unbooked.insert(ProfileNumber::parse("77").unwrap());
        }
        world.round(&world.engine()).await;
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), nothing());
        assert_eq!(world.contacts().len(), 2);
    }

    s1_what_the_portal_refused_is_told_as_such_and_not_sent_again(db) {
        let world = filled(db, 2).await;
        world.edit_stay("1", |stay| stay.room_type = Known::Is("BAD".into()));
        world.portal.fault(Fault::error("crm.item.update", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID"));
        world.round(&world.engine()).await;
        let written = updates(&world);
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), ["stay 1 rejected".to_owned()].into());
        assert!(asks_person("rejected"));
        assert_eq!(updates(&world), written, "whatever made it refused still stands");
    }

    s1_a_read_that_the_portal_refuses_for_good_ends_a_reconciliation_with_its_reason(db) {
        let world = filled(db, 2).await;
        let (id, engine) = (begin(&world).await, world.engine());
        world.portal.fault(Fault::error("crm.item.list", 400, "ERROR_CORE").times(1_000));
        for _ in 0..60 {
            let _ = engine.reconcile_step(world.id).await;
        }
        let report = view(&world, &id).await;
        assert_eq!((report.state, report.failure.as_str()), (ImportState::Failed, "portal_refused"));
        world.portal.clear_faults();
        assert_eq!(told(&world, &reconcile(&world).await.1), nothing());
    }

    s1_a_portal_in_trouble_is_asked_again_and_another_hotel_is_reconciled_meanwhile(db) {
        let world = filled(db, 2).await;
        let (id, engine) = (begin(&world).await, world.engine());
        let sea = another_hotel(&world).await;
        world.pass(Duration::from_secs(1));
        let other = engine.create_reconciliation(world.id, sea, Some(1)).await.unwrap();
        let trouble = || world.portal.fault(Fault::error("*", 500, "INTERNAL_SERVER_ERROR").bearing("GRAND").times(1_000));
        trouble();
        for _ in 0..80 {
            engine.reconcile_step(world.id).await.unwrap();
        }
        assert_eq!((view(&world, &id).await.state, view(&world, &other).await.state), (ImportState::Running, ImportState::Completed));
        world.portal.clear_faults();
        engine.reconcile_step(world.id).await.unwrap();
        assert_eq!(view(&world, &id).await.state, ImportState::Running, "not before its time");
        world.pass(Duration::from_secs(60));
        assert_eq!(told(&world, &finished(&world, &id).await.1), nothing());
        // A portal that never answers this is given up for the day.
        let id = begin(&world).await;
        trouble();
        let begun = world.clock.now_ms();
        while view(&world, &id).await.state != ImportState::Failed {
            engine.reconcile_step(world.id).await.unwrap();
            world.pass(Duration::from_secs(300));
            assert!(world.clock.now_ms() - begun < 24 * 3_600_000);
        }
        assert_eq!(view(&world, &id).await.failure, "portal_unreachable");
        assert!(world.clock.now_ms() - begun > 3 * 3_600_000, "hours, not minutes");
    }

    s1_a_mass_deletion_is_found_whole(db) {
        let world = filled(db, 2).await;
        // More than one look takes, with nothing listed between them.
        let many = 2_600;
        let links: Vec<LinkRow> = (0..many)
            .map(|n| LinkRow {
                subject: format!("stay:{}:9{n}", world.hotel_id),
                entity: CrmEntity::Deal,
                crm_id: 1_000_000 + n,
                origin: Origin::Created,
                marked: true,
            })
            .collect();
        let tx = world.db.begin().await.unwrap();
        links::add(&tx, world.id, &links, 0).await.unwrap();
        tx.commit().await.unwrap();
        let (report, _) = reconcile(&world).await;
        assert_eq!(report.causes, [("deleted_in_crm".to_owned(), many)]);
    }

    s1_what_people_did_a_moment_ago_is_looked_at_and_is_no_drift(db) {
        let world = filled(db, 4).await;
        let (engine, edited) = (world.engine(), deal(&world, 1).int("id"));
        let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
        let event = |event: &str, crm_id| CrmEvent { event: event.into(), entity: 2, crm_id, ts: world.clock.now_ms() / 1_000 };
        // Told and not yet looked at: an edit and a deletion.
        world.portal.edit_as(2, Kind::Deal, edited, &json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).unwrap();
        events.accept(world.id, event("ONCRMDEALUPDATE", edited)).await.unwrap();
        let deleted = deal(&world, 2).int("id");
        world.portal.delete_as(2, Kind::Deal, deleted).unwrap();
        events.accept(world.id, event("ONCRMDEALDELETE", deleted)).await.unwrap();
        // A person's own affair, told or not: a closed deal, one more contact.
        world.portal.edit_as(2, Kind::Deal, deal(&world, 3).int("id"), &json!({"stageId": "WON"})).unwrap();
        let friend = world.portal.add_as(2, Kind::Contact, &json!({"name": "A friend"})).unwrap();
        let four = deal(&world, 4);
        let guests: Vec<i64> = four.fields["contactIds"].as_array().unwrap().iter().filter_map(serde_json::Value::as_i64).chain([friend]).collect();
        world.portal.edit_as(2, Kind::Deal, four.int("id"), &json!({"contactIds": guests})).unwrap();
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), nothing());
        world.pass(Duration::from_secs(60));
        engine.deliver(world.id).await.unwrap();
        assert_eq!(deal(&world, 1).text("UF_CRM_FB24_ROOM_TYPE"), "DBL");
    }

    s1_what_the_store_knows_is_compared_whenever_it_arrives(db) {
        let world = World::new(db, PortalOptions::default()).await;
        imported(&world, "2026-11-20", "2026-11-30").await;
        world.pass(Duration::from_secs(40 * 86_400));
        booking(&world, "7", "2027-01-10", "2026-12-01");
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!(world.deals().len(), 1);
        world.hotel.truth.lock().unwrap().stays.get_mut("7").unwrap().room = Known::Is("101".into());
        let id = engine.create_reconciliation(world.id, world.hotel_id, None).await.unwrap();
        let (report, drift) = finished(&world, &id).await;
        assert_eq!(told(&world, &drift), ["stay 7 differs_in_store".to_owned()].into(), "{report:?}");
    }

    s1_only_what_an_import_read_or_polls_had_to_bring_is_missing(db) {
        let world = World::new(db, PortalOptions::default()).await;
        imported(&world, "2026-01-01", "2026-01-31").await;
        imported(&world, "2026-11-20", "2026-12-31").await;
        // Of a year nobody asked for; of a month that was imported; booked since the hotel was connected.
        booking(&world, "1", "2026-06-15", "2026-05-01");
        booking(&world, "2", "2027-03-01", "2026-05-01");
        booking(&world, "3", "2026-01-15", "2026-01-01");
        booking(&world, "4", "2027-03-01", "2026-11-22");
        world.pass(Duration::from_secs(7_200));
        let (_, drift) = reconcile(&world).await;
        let missing = ["stay 3 missing_in_store", "stay 4 missing_in_store", "profile 3 missing_in_store", "profile 4 missing_in_store"];
        assert_eq!(told(&world, &drift), missing.into_iter().map(str::to_owned).collect());
        ordinary(&world, &world.engine()).await;
        assert_eq!((world.deals().len(), world.contacts().len()), (2, 2));
    }

    s1_counts_are_of_the_days_of_arrival_that_were_compared(db) {
        let world = filled(db, 6).await;
        let copy = deal(&world, 3).int("id");
        world.portal.edit_as(2, Kind::Deal, copy, &json!({"UF_CRM_FB24_ARRIVAL": "2026-12-24"})).unwrap();
        world.hotel.truth.lock().unwrap().stays.remove("2").unwrap();
        let (report, drift) = reconcile(&world).await;
        assert_eq!((report.counts.pms, report.counts.store, report.counts.crm), (5, 6, 6), "{report:?}");
        let days = world.engine().uneven_days(world.id, &report.id, 100).await.unwrap();
        let days: Vec<_> = days.into_iter().map(|(day, n)| (day.to_string(), n.pms, n.store, n.crm)).collect();
        let uneven = [("2026-11-24", 0, 1, 1), ("2026-11-25", 1, 1, 0), ("2026-12-24", 0, 0, 1)];
        assert_eq!(days, uneven.map(|(day, pms, store, crm)| (day.to_owned(), pms, store, crm)));
        let row = drift.iter().find(|row| row.subject.ends_with(":3")).expect("told");
        assert_eq!((row.cause.as_str(), row.arrival), ("differs_in_crm", "2026-11-25".parse().ok()), "with its day");
    }

    s1_a_night_compares_what_may_change_and_a_part_of_the_history(db) {
        let world = filled(db, 12).await;
        // All of them left long ago, and nobody knows which deals are theirs.
        world.pass(Duration::from_secs(70 * 86_400));
        let subjects: Vec<String> = (1..=12).map(|number| format!("stay:{}:{number}", world.hotel_id)).collect();
        let tx = world.db.begin().await.unwrap();
        links::end(&tx, world.id, &subjects).await.unwrap();
        tx.commit().await.unwrap();
        let engine = world.engine();
        let (mut told_in, mut last) = (Vec::new(), 0);
        for _ in 0..31 {
            world.pass(Duration::from_secs(86_400));
            let id = engine.create_reconciliation(world.id, world.hotel_id, None).await.unwrap();
            let (report, drift) = finished(&world, &id).await;
            let scope = report.scope.expect("a night has its bounds");
            assert!(told_in.is_empty() || scope.history_day == last % 31 + 1, "in turns: {scope:?}");
            last = scope.history_day;
            let own: BTreeSet<String> = told(&world, &drift);
            for stay in &own {
                let number: u64 = stay.split(' ').nth(1).unwrap().parse().unwrap();
                assert_eq!(u64::from(last), (22 + number - 1) % 30 + 1, "{stay} on its day");
            }
            told_in.push(own.len());
        }
        assert_eq!(told_in.iter().sum::<usize>(), 12, "each once: {told_in:?}");
        assert!(told_in.iter().all(|count| *count <= 1), "{told_in:?}");
    }

    s1_neither_a_person_s_reconciliation_nor_a_failed_one_uses_up_the_night(db) {
        let world = filled(db, 1).await;
        let engine = world.engine();
        let mut loops = Loops::new(&engine);
        let go = async |loops: &mut Loops, hours: u64| {
            pass_hours(&world, loops, hours).await;
            engine.reconciliations(world.id, world.hotel_id).await.unwrap()
        };
        // 14:00 at the hotel.
        begin(&world).await;
        assert_eq!(go(&mut loops, 11).await.len(), 1);
        // 01:00: the night's own fails where the hotel's interface may not be called.
        world.hotel.truth.lock().unwrap().trouble_by_arrivals = Some(SourceError::Address("refused".into()));
        let nights = go(&mut loops, 3).await;
        assert_eq!((nights.len(), nights[0].night, nights[0].state), (2, true, ImportState::Failed));
        world.hotel.truth.lock().unwrap().trouble_by_arrivals = None;
        let nights = go(&mut loops, 2).await;
        assert_eq!((nights.len(), nights[0].night, nights[0].state), (3, true, ImportState::Completed), "tried again");
    }
}
