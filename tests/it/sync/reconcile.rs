//! Reconciliation (product §2.10): drift of every cause is found, goes the ordinary way, and is found no second time.

use std::collections::BTreeSet;
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::domain::{Known, ProfileNumber, StayStatus};
use fidelio_bitrix24::fidelio::Read;
use fidelio_bitrix24::store::reconciliations::DriftRow;
use fidelio_bitrix24::store::{crm_records, links};
use fidelio_bitrix24::sync::imports::ImportState;
use fidelio_bitrix24::sync::reconcile::ReconciliationView;
use fidelio_bitrix24::sync::{Engine, Loops, SyncError};
use serde_json::json;

use super::world::{World, new_profile, new_stay};
use crate::on_both_engines;
use crate::support::db::TestDb;

/// A booking that no poll and no import has seen.
pub fn book(world: &World, number: u64) {
    let mut stay = new_stay(&number.to_string());
    let day = "2026-11-22".parse::<chrono::NaiveDate>().unwrap() + chrono::Days::new(number % 20);
    stay.arrival = Known::Is(day);
    stay.departure = Known::Is(day + chrono::Days::new(2));
    let guest = (1_000 + number).to_string();
    stay.main_guest = Known::Is(ProfileNumber::parse(&guest).unwrap());
    let mut truth = world.hotel.truth.lock().unwrap();
    truth.stays.insert(number.to_string(), stay);
    truth.profiles.insert(guest.clone(), new_profile(&guest));
}

/// So many bookings, imported an hour ago and standing in the portal.
pub async fn filled(db: TestDb, count: u64) -> World {
    let world = World::new(db, PortalOptions::default()).await;
    (1..=count).for_each(|number| book(&world, number));
    let engine = world.engine();
    let id = engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
    for _ in 0..60 {
        engine.import_step(world.id).await.unwrap();
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        if engine.import(world.id, &id).await.unwrap().unwrap().state == ImportState::Completed {
            break;
        }
    }
    assert_eq!(world.deals().len(), usize::try_from(count).unwrap());
    world.pass(Duration::from_secs(3_600));
    world.round(&engine).await;
    world
}

pub async fn begin(world: &World) -> String {
    world.engine().create_reconciliation(world.id, world.hotel_id, Some(1)).await.unwrap()
}

pub async fn view(world: &World, id: &str) -> ReconciliationView {
    world.engine().reconciliation(world.id, id).await.unwrap().unwrap()
}

pub async fn pass_hours(world: &World, loops: &mut Loops, hours: u64) {
    for _ in 0..hours * 6 {
        // A poll that comes at the same moment takes the hotel's turn: what found it taken comes a little later.
        for seconds in [598, 2] {
            world.pass(Duration::from_secs(seconds));
            loops.round().await.unwrap();
        }
    }
}

pub async fn ordinary(world: &World, engine: &Engine) {
    engine.decide(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
}

/// Carries a reconciliation to its end, the ordinary exchange going on beside it.
pub async fn finished(world: &World, id: &str) -> (ReconciliationView, Vec<DriftRow>) {
    let engine = world.engine();
    for _ in 0..200 {
        engine.reconcile_step(world.id).await.unwrap();
        ordinary(world, &engine).await;
        let now = view(world, id).await;
        if now.state != ImportState::Running {
            assert_eq!(now.state, ImportState::Completed, "{now:?}");
            return (now, engine.drift(world.id, id, 1_000).await.unwrap());
        }
    }
    panic!("a reconciliation does not come to its end: {:?}", view(world, id).await);
}

pub async fn reconcile(world: &World) -> (ReconciliationView, Vec<DriftRow>) {
    let id = begin(world).await;
    finished(world, &id).await
}

/// `<number> <cause>`
pub fn told(world: &World, drift: &[DriftRow]) -> BTreeSet<String> {
    let number = |subject: &str| subject.replace(&format!(":{}:", world.hotel_id), " ");
    drift.iter().map(|row| format!("{} {}", number(&row.subject), row.cause)).collect()
}

pub fn deal(world: &World, number: u64) -> fb24_sandbox::portal::Record {
    let deals = world.deals();
    deals.into_iter().find(|deal| deal.text("UF_CRM_FB24_RESERVATION") == number.to_string()).expect("a deal")
}

fn writes(world: &World) -> usize {
    ["crm.item.update", "crm.item.add", "crm.item.batchimport", "crm.item.delete", "crm.contact.update"]
        .into_iter()
        .map(|method| world.portal.requests_of(method).len())
        .sum()
}

on_both_engines! {
    s1_drift_of_every_cause_is_found_and_mended_and_found_no_second_time(db) {
        let world = filled(db, 12).await;
        // The hotel: a booking and a change that never came by, a booking that is gone.
        book(&world, 90);
        world.hotel.truth.lock().unwrap().stays.get_mut("1").unwrap().room = Known::Is("101".into());
        let gone = world.hotel.truth.lock().unwrap().stays.remove("2").unwrap();
        // The portal: a deal and a guest deleted, a deal changed, a deal copied with its mark.
        world.portal.delete_as(2, Kind::Deal, deal(&world, 3).int("id")).unwrap();
        let contact = world.contacts().into_iter().find(|contact| contact.text("originId") == "GRAND:1004").unwrap();
        world.portal.delete_as(2, Kind::Contact, contact.int("id")).unwrap();
        world.portal.edit_as(2, Kind::Deal, deal(&world, 5).int("id"), &json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).unwrap();
        let copy = world.portal.add_as(2, Kind::Deal, &json!({"title": "copy", "UF_CRM_FB24_HOTEL": "GRAND",
            "UF_CRM_FB24_RESERVATION": "6", "originatorId": "fidelio-bitrix24", "originId": "GRAND:6"})).unwrap();
        // The store: what stands for a stay was forgotten; what another deal should hold was never written.
        let tx = world.db.begin().await.unwrap();
        links::end(&tx, world.id, &[format!("stay:{}:7", world.hotel_id)]).await.unwrap();
        tx.commit().await.unwrap();
        let unwritten = deal(&world, 8).int("id");
        world.portal.edit_as(1, Kind::Deal, unwritten, &json!({"UF_CRM_FB24_ADULTS": 7})).unwrap();
        let tx = world.db.begin().await.unwrap();
        let deals = fidelio_bitrix24::domain::CrmEntity::Deal;
        let mut held = crm_records::load(&tx, world.id, &world.key, deals, &[unwritten]).await.unwrap();
        let mut row = held.remove(&unwritten).unwrap();
        row.fields.insert("UF_CRM_FB24_ADULTS".into(), fidelio_bitrix24::domain::CrmValue::Int(7));
        crm_records::save(&tx, world.id, &world.key, &[row]).await.unwrap();
        tx.commit().await.unwrap();

        let (report, drift) = reconcile(&world).await;
        let expected = [
            "stay 90 missing_in_store", "profile 1090 missing_in_store", "stay 1 differs_in_store", "stay 2 unknown_in_pms",
            "stay 3 deleted_in_crm", "profile 1004 deleted_in_crm", "stay 5 differs_in_crm", "stay 6 duplicate_mark",
            "stay 7 missing_in_crm", "stay 8 differs_in_crm",
        ];
        assert_eq!(told(&world, &drift), expected.into_iter().map(str::to_owned).collect(), "{report:?}");
        assert_eq!((report.counts.pms, report.counts.store), (12, 12), "{report:?}");
        let day = |number: &str| drift.iter().find(|row| row.subject.ends_with(&format!(":{number}"))).unwrap().arrival;
        assert_eq!(day("1"), "2026-11-23".parse().ok(), "by day of arrival");

        // It went the ordinary way.
        let engine = world.engine();
        ordinary(&world, &engine).await;
        assert_eq!(deal(&world, 90).text("UF_CRM_FB24_RESERVATION"), "90");
        assert_eq!(deal(&world, 1).text("UF_CRM_FB24_ROOM"), "101");
        assert_eq!(deal(&world, 5).text("UF_CRM_FB24_ROOM_TYPE"), "DBL");
        assert_eq!(deal(&world, 8).int("UF_CRM_FB24_ADULTS"), 2);
        let subject = format!("stay:{}:7", world.hotel_id);
        let linked = links::of_subjects(&world.db, world.id, std::slice::from_ref(&subject)).await.unwrap();
        assert_eq!(linked[&subject].crm_id, deal(&world, 7).int("id"), "found again by its mark, not made twice");
        assert_eq!(world.deals().iter().filter(|deal| deal.text("UF_CRM_FB24_RESERVATION") == "3").count(), 0);
        let problems: BTreeSet<String> = world.problems(&engine).await.into_iter().map(|p| format!("{} {}", p.subject, p.cause)).collect();
        for problem in ["stay:1:2 pms.missing", "stay:1:6 crm.duplicate_mark"] {
            assert!(problems.contains(problem), "{problems:?}");
        }
        // What only a person can decide, he did.
        world.hotel.truth.lock().unwrap().stays.insert("2".into(), gone);
        world.portal.delete_as(2, Kind::Deal, copy).unwrap();
        let (_, again) = reconcile(&world).await;
        assert_eq!(told(&world, &again), BTreeSet::new());
        assert!(world.problems(&engine).await.iter().all(|problem| problem.cause != "crm.duplicate_mark"), "it is over");
    }

    s1_a_hotel_without_drift_costs_few_requests_and_nothing_is_written(db) {
        let world = filled(db, 130).await;
        world.portal.clear_requests();
        world.hotel.truth.lock().unwrap().asked.clear();
        let id = world.engine().create_reconciliation(world.id, world.hotel_id, Some(1)).await.unwrap();
        let engine = world.engine();
        for _ in 0..40 {
            engine.reconcile_step(world.id).await.unwrap();
        }
        let report = view(&world, &id).await;
        assert_eq!((report.state, &report.causes), (ImportState::Completed, &Vec::new()));
        assert_eq!((report.counts.pms, report.counts.store, report.counts.crm), (130, 130, 130));
        // A page of deals and a batch of the others; all guests in one batch.
        assert_eq!(world.requests(), 3, "{:?}", world.portal.requests());
        let asked = world.hotel.truth.lock().unwrap().asked.clone();
        let (arrivals, others): (Vec<_>, Vec<_>) = asked.iter().partition(|read| matches!(read, Read::Arrivals { .. }));
        assert!(arrivals.len() < 40, "{}", arrivals.len());
        assert!(matches!(others[..], [Read::InHouse { .. }]), "one question for those who came before: {others:?}");
        assert_eq!(writes(&world), 0);
        assert_eq!(engine.decide(world.id).await.unwrap(), 0);
        engine.deliver(world.id).await.unwrap();
        assert_eq!(writes(&world), 0);
    }

    s1_who_is_in_house_and_came_before_the_range_is_compared_too(db) {
        let world = filled(db, 2).await;
        let engine = world.engine();
        world.book("77", "7");
        world.edit_stay("77", |stay| {
            stay.arrival = Known::Is("2026-08-01".parse().unwrap());
            stay.departure = Known::Is("2026-12-20".parse().unwrap());
            stay.status = Known::Is(StayStatus::InHouse);
        });
        world.round(&engine).await;
        world.pass(Duration::from_secs(3_600));
        // No poll is told of it.
        world.hotel.truth.lock().unwrap().stays.get_mut("77").unwrap().room = Known::Is("909".into());
        let (report, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), BTreeSet::from(["stay 77 differs_in_store".to_owned()]));
        assert_eq!(deal(&world, 77).text("UF_CRM_FB24_ROOM"), "909");
        assert_eq!((report.counts.pms, report.counts.store), (2, 2), "days of the range are counted, and no others");
        assert_eq!(reconcile(&world).await.1, Vec::new());
    }

    s1_a_reconciliation_that_is_killed_at_any_step_goes_on_where_it_was(db) {
        let world = filled(db, 6).await;
        book(&world, 90);
        world.portal.edit_as(2, Kind::Deal, deal(&world, 5).int("id"), &json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).unwrap();
        world.portal.delete_as(2, Kind::Deal, deal(&world, 3).int("id")).unwrap();
        let id = begin(&world).await;
        let mut kills = 0;
        for _ in 0..300 {
            let dying = world.engine_of(world.node(), Some(std::sync::Arc::new(|at| !at.starts_with("reconcile."))));
            let ended = dying.reconcile_step(world.id).await;
            kills += usize::from(matches!(ended, Err(SyncError::Stopped(_))));
            // Its leases run out.
            world.pass(Duration::from_secs(21));
            let engine = world.engine();
            engine.reconcile_step(world.id).await.unwrap();
            ordinary(&world, &engine).await;
            if view(&world, &id).await.state == ImportState::Completed {
                break;
            }
        }
        assert!(kills >= 3, "{kills}");
        let drift = world.engine().drift(world.id, &id, 100).await.unwrap();
        let expected = ["stay 90 missing_in_store", "profile 1090 missing_in_store", "stay 3 deleted_in_crm", "stay 5 differs_in_crm"];
        assert_eq!(told(&world, &drift), expected.into_iter().map(str::to_owned).collect());
        let engine = world.engine();
        ordinary(&world, &engine).await;
        assert_eq!((deal(&world, 90).text("UF_CRM_FB24_RESERVATION"), deal(&world, 5).text("UF_CRM_FB24_ROOM_TYPE")), ("90".into(), "DBL".into()));
    }

    s1_live_changes_have_the_portal_before_a_reconciliation(db) {
        let world = filled(db, 2).await;
        let id = begin(&world).await;
        let engine = world.engine();
        // The windows of the hotel.
        engine.reconcile_step(world.id).await.unwrap();
        world.hotel.truth.lock().unwrap().stays.get_mut("1").unwrap().room = Known::Is("205".into());
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        world.portal.clear_requests();
        for _ in 0..5 {
            engine.reconcile_step(world.id).await.unwrap();
        }
        assert_eq!((world.requests(), view(&world, &id).await.state), (0, ImportState::Running), "a live change waits");
        let (_, drift) = finished(&world, &id).await;
        assert_eq!(told(&world, &drift), BTreeSet::new(), "what is on its way is no drift");
        assert_eq!(deal(&world, 1).text("UF_CRM_FB24_ROOM"), "205");
    }

    s1_news_and_what_was_never_imported_are_no_drift(db) {
        let world = filled(db, 2).await;
        // Touched a minute ago, by the hotel's clock: the next poll brings it.
        let news = "2026-11-21T13:59:00".parse().unwrap();
        let edit = |number: &str, room: &str, at: chrono::NaiveDateTime| {
            let mut truth = world.hotel.truth.lock().unwrap();
            let stay = truth.stays.get_mut(number).unwrap();
            (stay.room, stay.updated_at) = (Known::Is(room.into()), Known::Is(at));
        };
        edit("1", "101", news);
        edit("2", "102", news - chrono::Duration::hours(1));
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), ["stay 2 differs_in_store".to_owned()].into());
        assert_eq!(deal(&world, 1).text("UF_CRM_FB24_ROOM"), "101", "taken in all the same");
    }

    s1_without_an_import_the_past_of_a_hotel_is_left_alone(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        book(&world, 1);
        world.round(&engine).await;
        book(&world, 2);
        world.hotel.truth.lock().unwrap().stays.get_mut("1").unwrap().room = Known::Is("101".into());
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), ["stay 1 differs_in_store".to_owned()].into());
        assert_eq!(world.deals().len(), 1, "a person starts an import");
    }

    s1_a_reconciliation_begins_by_itself_once_a_night(db) {
        let world = filled(db, 1).await;
        let engine = world.engine();
        let mut loops = Loops::new(&engine);
        let night = async |loops: &mut Loops, hours: u64| {
            pass_hours(&world, loops, hours).await;
            engine.reconciliations(world.id, world.hotel_id).await.unwrap()
        };
        // 14:00 at the hotel.
        assert!(night(&mut loops, 11).await.is_empty(), "nothing before two o'clock");
        let first = night(&mut loops, 6).await;
        assert_eq!(first.len(), 1);
        assert!(first[0].night && first[0].state == ImportState::Completed, "{first:?}");
        assert_eq!(night(&mut loops, 24).await.len(), 2, "the next one the next night");
    }

    s1_one_reconciliation_of_a_hotel_at_a_time_beside_its_imports(db) {
        let world = filled(db, 1).await;
        let engine = world.engine();
        begin(&world).await;
        let twice = engine.create_reconciliation(world.id, world.hotel_id, Some(1)).await;
        assert!(matches!(twice, Err(SyncError::Conflict("reconciliation_running"))), "{twice:?}");
        engine.create_import(world.id, world.hotel_id, None, None, true, 1).await.unwrap();
        assert_eq!(engine.imports(world.id, None).await.unwrap().len(), 2, "a reconciliation is no import");
    }
}
