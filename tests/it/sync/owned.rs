//! Whose value stands where the hotel and people fill the same field (product §2.7).

use std::time::Duration;

use chrono::NaiveDateTime;
use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::bitrix::{Priority, setup};
use fidelio_bitrix24::domain::{Known, StayStatus};
use fidelio_bitrix24::sync::{CrmEvent, Engine, EventIntake};
use serde_json::json;

use super::world::{World, phone};
use crate::on_both_engines;

const MANAGERS: &str = "+79991112233";

/// The hotel's wall clock, so many minutes from now.
fn stamp(world: &World, minutes: i64) -> Known<NaiveDateTime> {
    let now = world.clock.now() + chrono::Duration::minutes(minutes);
    Known::Is(now.with_timezone(&chrono_tz::Europe::Moscow).naive_local())
}

fn phones(world: &World) -> Vec<String> {
    world.contacts()[0].multi("PHONE")
}

async fn look(world: &World, engine: &Engine) {
    engine.scan(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
}

/// A guest of the hotel, whose only phone a manager replaced a minute ago.
async fn replaced(world: &World, engine: &Engine) {
    world.book("1", "7");
    world.edit_profile("7", |profile| profile.updated_at = stamp(world, 0));
    world.round(engine).await;
    let contact = &world.contacts()[0];
    let fm = contact.fields["fm"].as_array().unwrap();
    let ours = fm.iter().find(|one| one["typeId"] == "PHONE").unwrap()["id"].to_string().replace('"', "");
    world.pass(Duration::from_secs(60));
    let edit = json!({"fm": {ours: {"typeId": "PHONE", "valueType": "WORK", "value": MANAGERS}}});
    world.portal.edit_as(3, Kind::Contact, contact.id, &edit).unwrap();
    world.pass(Duration::from_secs(60));
    look(world, engine).await;
}

async fn hotel_writes_phone(world: &World, engine: &Engine, number: &str, minutes: i64) {
    world.edit_profile("7", |profile| {
        profile.phones = Known::Is(vec![phone(number)]);
        profile.updated_at = stamp(world, minutes);
    });
    world.round(engine).await;
    look(world, engine).await;
}

on_both_engines! {
    s1_a_managers_newer_phone_stays_and_a_newer_one_of_the_hotel_is_written(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        replaced(&world, &engine).await;
        assert_eq!(phones(&world), [MANAGERS]);
        // Something else of the guest changes at the hotel.
        world.edit_profile("7", |profile| {
            profile.vip = Known::Is("GOLD".into());
            profile.updated_at = stamp(&world, 0);
        });
        world.round(&engine).await;
        assert_eq!((world.contacts()[0].text("UF_CRM_FB24_VIP"), phones(&world)), ("GOLD".into(), vec![MANAGERS.into()]));
        // The reception had typed it before the manager did; it came late, and stays late.
        world.pass(Duration::from_secs(60));
        hotel_writes_phone(&world, &engine, "+79005550000", -3).await;
        assert_eq!(phones(&world), [MANAGERS]);
        world.pass(Duration::from_secs(60));
        hotel_writes_phone(&world, &engine, "+79005550000", 0).await;
        assert_eq!(phones(&world), [MANAGERS], "the same value, whatever the stamp");
        world.pass(Duration::from_secs(60));
        hotel_writes_phone(&world, &engine, "+79006660000", 0).await;
        assert_eq!(phones(&world), [MANAGERS, "+79006660000"], "what people added stays");
        world.pass(Duration::from_secs(60));
        hotel_writes_phone(&world, &engine, "+79007770000", 0).await;
        assert_eq!(phones(&world), [MANAGERS, "+79007770000"], "ours is replaced");
        assert!(world.problems(&engine).await.is_empty());
        let requests = world.requests();
        world.pass(Duration::from_secs(60));
        world.round(&engine).await;
        assert_eq!(world.requests(), requests);
    }

    s1_the_hotels_stamp_is_corrected_by_the_measured_error_of_its_clock(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.hotel.truth.lock().unwrap().said.clock_ahead_ms = Some(600_000);
        let engine = world.engine();
        replaced(&world, &engine).await;
        // By its own clock five minutes from now; in truth five minutes ago.
        hotel_writes_phone(&world, &engine, "+79005550000", 5).await;
        assert_eq!(phones(&world), [MANAGERS]);
        world.pass(Duration::from_secs(600));
        hotel_writes_phone(&world, &engine, "+79006660000", 9).await;
        assert_eq!(phones(&world), [MANAGERS, "+79006660000"]);
    }

    s1_where_nothing_is_put_back_a_field_stays_until_the_hotels_value_changes(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.put_back = false;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        world.pass(Duration::from_secs(60));
        let edit = json!({"UF_CRM_FB24_ROOM_TYPE": "by hand", "stageId": "EXECUTING", "contactIds": [],
            "UF_CRM_FB24_RESERVATION": "9"});
        world.portal.edit_as(3, Kind::Deal, deal, &edit).unwrap();
        look(&world, &engine).await;
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        let text = |name: &str| world.deals()[0].text(name);
        assert_eq!((text("UF_CRM_FB24_ROOM"), text("UF_CRM_FB24_ROOM_TYPE")), ("205".into(), "by hand".into()));
        assert_eq!(text("stageId"), "EXECUTING", "a trigger moved it");
        assert_eq!(world.deals()[0].fields["contactIds"], json!([]));
        assert_eq!(text("UF_CRM_FB24_RESERVATION"), "1", "by which it is known");
        world.edit_stay("1", |stay| {
            stay.room_type = Known::Is("SUITE".into());
            stay.status = Known::Is(StayStatus::InHouse);
        });
        world.round(&engine).await;
        assert_eq!((text("UF_CRM_FB24_ROOM_TYPE"), text("stageId")), ("SUITE".into(), "FINAL_INVOICE".into()));
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_what_people_wrote_in_a_field_of_theirs_survives_everything(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.edit_stay("1", |stay| stay.comments = Known::Is(vec!["late arrival".into()]));
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        let comments = || world.portal.record(Kind::Deal, deal).unwrap().text("comments");
        assert!(comments().contains("late arrival"));
        world.portal.edit_as(3, Kind::Deal, deal, &json!({"comments": "by hand"})).unwrap();
        look(&world, &engine).await;
        world.edit_stay("1", |stay| {
            stay.comments = Known::Is(vec!["a cot".into()]);
            stay.room = Known::Is("205".into());
        });
        world.round(&engine).await;
        assert_eq!(comments(), "by hand", "the hotel's own news");
        world.engine().create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..6 {
            engine.import_step(world.id).await.unwrap();
            engine.decide(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
        }
        assert_eq!(comments(), "by hand", "an import");
        let world = world.reinstalled().await;
        let engine = world.engine();
        world.edit_stay("1", |stay| stay.comments = Known::Is(vec!["two cots".into()]));
        world.engine().create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..6 {
            engine.import_step(world.id).await.unwrap();
            engine.decide(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
        }
        world.round(&engine).await;
        let record = world.portal.record(Kind::Deal, deal).unwrap();
        assert_eq!((world.deals().len(), record.text("comments")), (1, "by hand".into()), "a reinstall");
    }

    s1_a_deal_that_was_moved_to_another_pipeline_lives_by_that_pipelines_stages(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let node = world.node();
        let engine = world.engine_of(node.clone(), None);
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        let made = node.client.call(Priority::Person, &setup::category_add(json!({"name": "Groups"}))).await.unwrap();
        let category = made.result["category"]["id"].as_i64().unwrap();
        world.pass(Duration::from_secs(60));
        world.portal.edit_as(3, Kind::Deal, deal, &json!({"categoryId": category})).unwrap();
        let there = world.deals()[0].text("stageId");
        assert!(there.starts_with(&format!("C{category}:")), "{there}");
        // Its only event; no scan comes to the rescue.
        let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
        let ts = world.clock.now_ms() / 1_000;
        let moved = CrmEvent { event: "ONCRMDEALMOVETOCATEGORY".into(), entity: 2, crm_id: deal, ts };
        events.accept(world.id, moved).await.unwrap();
        assert_eq!(engine.decide(world.id).await.unwrap(), 1);
        world.pass(Duration::from_secs(3));
        engine.deliver(world.id).await.unwrap();
        world.edit_stay("1", |stay| {
            stay.status = Known::Is(StayStatus::InHouse);
            stay.room = Known::Is("205".into());
        });
        world.round(&engine).await;
        let record = &world.deals()[0];
        assert_eq!((record.text("stageId"), record.int("categoryId")), (there, category));
        assert_eq!((record.text("UF_CRM_FB24_ROOM"), record.text("UF_CRM_FB24_STATUS")), ("205".into(), "in_house".into()));
        assert!(world.problems(&engine).await.is_empty());
    }
}
