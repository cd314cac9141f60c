//! Where a field's value came from: the hotel's word, our call, the portal's answer, who changed it since (product §2.11).

use std::time::Duration;

use chrono::NaiveDateTime;
use fb24_sandbox::portal::{Entity as Kind, Fault, MultifieldMode, PortalOptions};
use fidelio_bitrix24::domain::{CrmEntity, CrmValue, HotelCode, Known, StayNumber};
use fidelio_bitrix24::store::provenance::Answer;
use fidelio_bitrix24::sync::Engine;
use fidelio_bitrix24::sync::provenance::{FieldOrigin, PersonOrigin};
use serde_json::json;

use super::world::{World, phone};
use crate::on_both_engines;

const ROOM: &str = "UF_CRM_FB24_ROOM_TYPE";

async fn of_deal(world: &World, engine: &Engine, field: &str) -> FieldOrigin {
    let number = StayNumber::parse("1").unwrap();
    let view = engine.stay(world.id, &HotelCode::parse("GRAND").unwrap(), &number).await.unwrap().expect("the stay");
    view.origins.into_iter().find(|origin| origin.field == field).expect("written")
}

async fn of_guest(world: &World, engine: &Engine, field: &str) -> PersonOrigin {
    let id = world.contacts()[0].id;
    let of = engine.record_origins(world.id, CrmEntity::Contact, id, None).await.unwrap().expect("a guest");
    assert!(of.looked_at.is_some());
    of.fields.into_iter().find(|one| one.origin.field == field).expect("written")
}

fn text(value: &str) -> Option<CrmValue> {
    Some(CrmValue::Text(value.to_owned()))
}

/// The hotel's stamp, its word, the method, when it was sent, the portal's answer.
type Said = (Option<NaiveDateTime>, Option<CrmValue>, String, i64, Answer);

fn said(origin: &FieldOrigin) -> Said {
    let (told, call) = (origin.told.clone().expect("told"), origin.call.clone().expect("called"));
    assert!(call.sent_at > 0 && call.sent_at <= origin.at && told.received_at > 0, "{origin:?}");
    (told.pms_time, told.value, call.method, call.sent_at, call.answer)
}

on_both_engines! {
    s1_each_field_of_a_deal_tells_the_hotels_word_and_its_time_our_call_and_the_portals_answer(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let made = of_deal(&world, &engine, ROOM).await;
        let stamp = || world.hotel.truth.lock().unwrap().stays["1"].updated_at.get().copied();
        let (time, word, method, sent, answer) = said(&made);
        assert_eq!((time, word, answer), (stamp(), Some(made.value.clone()), Answer::Confirmed));
        assert!(["crm.item.add", "crm.item.batchImport"].contains(&method.as_str()), "{method}");
        let stage = of_deal(&world, &engine, "stageId").await;
        assert_eq!((stage.fact, said(&stage).1), (Some("status"), text("confirmed")), "not what the portal calls it");
        assert_eq!(said(&of_deal(&world, &engine, "title").await).1, None, "it tells of a guest");

        world.pass(Duration::from_secs(60));
        world.edit_stay("1", |stay| stay.room_type = Known::Is("205".into()));
        world.round(&engine).await;
        let now = of_deal(&world, &engine, ROOM).await;
        let (time, word, method, later, answer) = said(&now);
        assert_eq!((time, word, method.as_str(), answer), (stamp(), text("205"), "crm.item.update", Answer::Confirmed));
        assert!(later > sent);
        let other = of_deal(&world, &engine, "UF_CRM_FB24_ADULTS").await;
        assert_eq!(said(&other).3, sent, "nobody wrote that one again");
    }

    s1_a_write_whose_answer_was_lost_says_that_it_was_found_there(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        for (method, room) in [("crm.item.add", "DBL"), ("crm.item.update", "SUITE")] {
            world.pass(Duration::from_secs(60));
            world.edit_stay("1", |stay| stay.room_type = Known::Is(room.into()));
            if method == "crm.item.add" {
                // The guest is made with it unheard of, too.
                world.portal.fault(Fault::after_commit(method));
            }
            world.portal.fault(Fault::after_commit(method));
            engine.poll_source(world.id, world.source).await.unwrap();
            engine.decide(world.id).await.unwrap();
            let _ = engine.deliver(world.id).await;
            for _ in 0..2 {
                world.settle(&engine).await;
            }
            let (_, word, by, _, answer) = said(&of_deal(&world, &engine, ROOM).await);
            assert_eq!((word, by.as_str(), answer), (text(room), method, Answer::Found));
        }
    }

    s1_each_field_of_a_contact_tells_where_it_came_from_and_who_changed_it_since(db) {
        let world = World::new(db, PortalOptions { multifields: MultifieldMode::AddOnly, ..PortalOptions::default() }).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let contact = world.contacts()[0].id;
        let name = of_guest(&world, &engine, "lastName").await;
        assert_eq!((name.hotel.as_str(), name.profile.as_str()), ("GRAND", "7"));
        assert_eq!((name.origin.fact, name.origin.changed_by), (Some("last_name"), None));
        let (_, word, _, _, answer) = said(&name.origin);
        assert_eq!((word, answer), (Some(name.origin.value.clone()), Answer::Confirmed));
        let stays = of_guest(&world, &engine, "UF_CRM_FB24_STAYS").await.origin;
        assert_eq!((stays.fact, &stays.told), (Some("stays"), &None), "no record of the hotel says it");
        assert!(stays.call.is_some());

        // A second write, of which the portal takes phones by another method.
        for number in ["+79001112233", "+79004445566"] {
            world.pass(Duration::from_secs(60));
            world.edit_profile("7", |profile| {
                profile.phones = Known::Is(vec![phone(number)]);
                profile.vip = Known::Is(number.into());
            });
            world.round(&engine).await;
            world.round(&engine).await;
        }
        let method = async |field: &str| said(&of_guest(&world, &engine, field).await.origin).2;
        assert_eq!((method("UF_CRM_FB24_VIP").await, method("PHONE").await), ("crm.item.update".into(), "crm.contact.update".into()));

        world.pass(Duration::from_secs(400));
        world.portal.edit_as(3, Kind::Contact, contact, &json!({"name": "Other"})).unwrap();
        engine.scan(world.id).await.unwrap();
        let changed = of_guest(&world, &engine, "name").await.origin;
        assert_eq!(changed.changed_by, Some(3), "{changed:?}");
        assert!(changed.stands.is_some());

        let plaza = [HotelCode::parse("PLAZA").unwrap()];
        assert_eq!(engine.record_origins(world.id, CrmEntity::Contact, contact, Some(&plaza)).await.unwrap(), None, "another hotel's");
        assert_eq!(engine.record_origins(world.id, CrmEntity::Company, contact, None).await.unwrap(), None);
    }
}
