//! What a deal's timeline tells of what was put back there (product §2.6).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, FaultAnswer, PortalOptions};
use fidelio_bitrix24::domain::{Known, Lang, ProfileKind, ProfileNumber};
use fidelio_bitrix24::sync::Engine;
use serde_json::json;

use super::world::{World, phone};
use crate::on_both_engines;

async fn edit(world: &World, engine: &Engine, fields: serde_json::Value) {
    world.pass(Duration::from_secs(400));
    let deal = world.deals()[0].id;
    world.portal.edit_as(3, Kind::Deal, deal, &fields).unwrap();
    engine.scan(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
}

fn notes(world: &World) -> Vec<String> {
    world.portal.comments().into_iter().map(|comment| comment.text).collect()
}

async fn booked(world: &World) -> Engine {
    world.book("1", "7");
    let engine = world.engine();
    world.round(&engine).await;
    engine
}

on_both_engines! {
    s1_what_is_put_back_is_told_in_the_deals_timeline_three_times_a_day(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = booked(&world).await;
        edit(&world, &engine, json!({"UF_CRM_FB24_ROOM_TYPE": "by hand", "stageId": "EXECUTING"})).await;
        let told = notes(&world);
        assert_eq!(told.len(), 1, "one note of both: {told:?}");
        for part in ["«Тип номера»", "«Стадия»", "сотрудник № 3", "21.11.2026 13:0"] {
            assert!(told[0].contains(part), "{part}: {}", told[0]);
        }
        // The hotel's own news are no put-back.
        world.edit_stay("1", |stay| stay.room_type = Known::Is("SUITE".into()));
        world.round(&engine).await;
        assert_eq!(notes(&world).len(), 1);
        for (n, field) in ["title", "opportunity", "UF_CRM_FB24_ADULTS"].into_iter().enumerate() {
            edit(&world, &engine, json!({field: 7})).await;
            assert_eq!(notes(&world).len(), (n + 2).min(3), "{field}");
        }
        assert_eq!(world.deals()[0].int("UF_CRM_FB24_ADULTS"), 2, "put back in silence");
        world.pass(Duration::from_secs(24 * 3_600));
        edit(&world, &engine, json!({"UF_CRM_FB24_NIGHTS": 9})).await;
        assert_eq!(notes(&world).len(), 4);
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_what_is_put_back_at_a_guest_or_a_company_is_told_in_its_timeline(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.edit_profile("91", |profile| {
            profile.kind = Known::Is(ProfileKind::Company);
            profile.last_name = Known::Is("ООО Заказчик".into());
            profile.phones = Known::Is(vec![phone("+79001112233")]);
        });
        world.edit_stay("1", |stay| stay.company = Known::Is(ProfileNumber::parse("91").unwrap()));
        let engine = world.engine();
        for _ in 0..2 {
            world.round(&engine).await;
        }
        let (contact, company) = (world.contacts()[0].id, world.portal.records(Kind::Company)[0].id);
        let edit = async |entity: Kind, id: i64, fields: serde_json::Value| {
            world.pass(Duration::from_secs(400));
            world.portal.edit_as(3, entity, id, &fields).unwrap();
            engine.scan(world.id).await.unwrap();
            for _ in 0..3 {
                engine.deliver(world.id).await.unwrap();
            }
            notes(&world)
        };
        let told = edit(Kind::Contact, contact, json!({"lastName": "Other", "UF_CRM_FB24_VIP": "by hand"})).await;
        assert!(told.len() == 1 && told[0].contains("«Фамилия»") && told[0].contains("сотрудник № 3"), "{told:?}");
        assert_eq!(world.contacts()[0].text("lastName"), "Иванова7");
        let at = |n: usize| { let comment = &world.portal.comments()[n]; (comment.entity, comment.entity_id) };
        assert_eq!(at(0), (Kind::Contact, contact));
        let told = edit(Kind::Company, company, json!({"title": "by hand"})).await;
        assert!(told.len() == 2 && told[1].contains("«Название»"), "{told:?}");
        assert_eq!(at(1), (Kind::Company, company));
        assert_eq!(world.portal.record(Kind::Company, company).unwrap().text("title"), "ООО Заказчик");
        // The guest's own news, and what nobody fights over, are told nobody.
        world.edit_profile("7", |profile| profile.vip = Known::Is("GOLD".into()));
        world.round(&engine).await;
        assert_eq!(notes(&world).len(), 2);
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_a_note_whose_answer_was_lost_is_told_once(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.lang = Lang::En;
        let engine = booked(&world).await;
        for (fault, field) in [
            (Fault::after_commit("crm.timeline.comment.add"), "title"),
            (Fault::before("crm.timeline.comment.add"), "UF_CRM_FB24_ROOM_TYPE"),
        ] {
            let before = notes(&world).len();
            world.portal.fault(fault.answering(FaultAnswer::Drop));
            world.pass(Duration::from_secs(400));
            let deal = world.deals()[0].id;
            world.portal.edit_as(0, Kind::Deal, deal, &json!({field: "robot"})).unwrap();
            engine.scan(world.id).await.unwrap();
            let _ = engine.deliver(world.id).await;
            let _ = engine.deliver(world.id).await;
            assert!(world.portal.faults().is_empty(), "it was sent");
            world.settle(&engine).await;
            assert_eq!(notes(&world).len(), before + 1, "{field}");
        }
        assert!(notes(&world)[0].contains("a robot of the portal"), "{}", notes(&world)[0]);
    }

    s1_no_note_where_notes_are_off_or_the_portal_refuses_them(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.notes = false;
        let engine = booked(&world).await;
        edit(&world, &engine, json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).await;
        assert_eq!((world.deals()[0].text("UF_CRM_FB24_ROOM_TYPE"), notes(&world).len()), ("DBL".into(), 0));
        world.terms.ownership.notes = true;
        let engine = world.engine();
        world.portal.without_methods(&["crm.timeline.comment.add"]);
        edit(&world, &engine, json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).await;
        let asked = world.requests();
        world.pass(Duration::from_secs(100));
        engine.deliver(world.id).await.unwrap();
        assert_eq!((world.requests(), world.problems(&engine).await.len()), (asked, 0), "once, and nobody is troubled");
    }
}
