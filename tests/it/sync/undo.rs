//! Our last write of one field taken back by a person; the field is his until he releases it (product §2.7, §2.11).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions};
use fidelio_bitrix24::domain::{CrmEntity, CrmValue, Currency, HotelCode, Known, Money, ProfileNumber, StayNumber};
use fidelio_bitrix24::sync::pins::PinWish;
use fidelio_bitrix24::sync::provenance::FieldOrigin;
use fidelio_bitrix24::sync::{Engine, SyncError};
use serde_json::json;

use super::erasure;
use super::splits::taken_for_one;
use super::world::World;
use crate::on_both_engines;

const FIELD: &str = "UF_CRM_FB24_ROOM_TYPE";

fn stay() -> StayNumber {
    StayNumber::parse("1").unwrap()
}

fn wish(field: &str, pinned: bool) -> PinWish {
    PinWish { field: field.to_owned(), pinned, by: 3, of: 0 }
}

async fn said(world: &World, engine: &Engine, field: &str, pinned: bool) -> Result<(), SyncError> {
    let wish = wish(field, pinned);
    engine.pin(world.id, world.hotel_id, &stay(), &wish).await?;
    engine.decide(world.id).await?;
    engine.deliver(world.id).await?;
    // Written is not yet planned to its end.
    engine.deliver(world.id).await.map(|_| ())
}

async fn origin(world: &World, engine: &Engine, field: &str) -> FieldOrigin {
    let view = engine.stay(world.id, &HotelCode::parse("GRAND").unwrap(), &stay()).await.unwrap().expect("the stay");
    view.origins.into_iter().find(|origin| origin.field == field).expect("written")
}

async fn hotel_says(world: &World, engine: &Engine, room_type: &str) {
    world.pass(Duration::from_secs(20));
    world.edit_stay("1", |stay| stay.room_type = Known::Is(room_type.into()));
    world.round(engine).await;
}

async fn edited(world: &World, engine: &Engine, value: &str) {
    world.pass(Duration::from_secs(400));
    let deal = world.deals()[0].id;
    world.portal.edit_as(3, Kind::Deal, deal, &json!({FIELD: value})).unwrap();
    engine.scan(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
}

const NAME: &str = "secondName";

async fn said_of(world: &World, engine: &Engine, contact: i64, pinned: bool) -> Result<Option<()>, SyncError> {
    let done = engine.pin_of_record(world.id, (CrmEntity::Contact, contact), None, &wish(NAME, pinned)).await?;
    engine.decide(world.id).await?;
    engine.deliver(world.id).await?;
    engine.deliver(world.id).await.map(|_| done)
}

async fn middle_name(world: &World, engine: &Engine, guest: &str, name: &str) {
    world.pass(Duration::from_secs(20));
    world.edit_profile(guest, |profile| profile.middle_name = Known::Is(name.into()));
    // So that his stay is told of again, and he with it.
    world.edit_stay("1", |stay| stay.room = Known::Is((world.clock.now_ms() / 1000).to_string()));
    world.round(engine).await;
}

async fn name_of(world: &World, engine: &Engine, contact: i64) -> FieldOrigin {
    let found = engine.record_origins(world.id, CrmEntity::Contact, contact, None).await.unwrap().expect("a guest");
    found.fields.into_iter().find(|person| person.origin.field == NAME).expect("written").origin
}

on_both_engines! {
    s1_what_stood_before_our_last_write_comes_back_and_stays_until_it_is_released(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let field = || world.deals()[0].text(FIELD);
        let nothing = said(&world, &engine, FIELD, true).await;
        assert!(matches!(nothing, Err(SyncError::Conflict("undo_nothing"))), "nothing stood there: {nothing:?}");
        hotel_says(&world, &engine, "SUITE").await;
        let told = origin(&world, &engine, FIELD).await;
        assert!(told.undoable && !told.pinned, "{told:?}");
        for list in ["contactIds", "UF_CRM_FB24_RESERVATION", "no_such"] {
            assert!(said(&world, &engine, list, true).await.is_err(), "{list}");
        }

        said(&world, &engine, FIELD, true).await.unwrap();
        assert_eq!(field(), "DBL");
        let told = origin(&world, &engine, FIELD).await;
        assert!(told.pinned && !told.undoable, "{told:?}");
        assert_eq!(told.value, CrmValue::Text("DBL".into()));
        // The hotel's news go on without it, and so does its own news of this field.
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        hotel_says(&world, &engine, "JUNIOR").await;
        assert_eq!((field(), world.deals()[0].text("UF_CRM_FB24_ROOM")), ("DBL".into(), "205".into()));
        // It is people's: nothing is put back, however often they change it, and nobody is told of a quarrel.
        for round in 0..5 {
            edited(&world, &engine, &format!("by hand {round}")).await;
        }
        assert_eq!(field(), "by hand 4");
        assert!(world.problems(&engine).await.is_empty());

        said(&world, &engine, FIELD, false).await.unwrap();
        assert_eq!(field(), "JUNIOR", "the hotel's again");
        assert!(!origin(&world, &engine, FIELD).await.pinned);
        edited(&world, &engine, "by hand").await;
        assert_eq!(field(), "JUNIOR", "and put back again");
    }

    s1_what_somebody_wrote_since_is_not_ours_to_take_back(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.put_back = false;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        hotel_says(&world, &engine, "SUITE").await;
        edited(&world, &engine, "by hand").await;
        assert!(!origin(&world, &engine, FIELD).await.undoable);
        let refused = said(&world, &engine, FIELD, true).await;
        assert!(matches!(refused, Err(SyncError::Conflict("undo_nothing"))), "{refused:?}");
        assert_eq!(world.deals()[0].text(FIELD), "by hand");
    }

    s1_what_somebody_writes_before_the_undo_arrives_stands(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.put_back = false;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        for (decided, seen) in [(false, true), (true, true), (true, false)] {
            let case = format!("decided {decided}, seen {seen}");
            hotel_says(&world, &engine, &format!("SUITE {case}")).await;
            engine.pin(world.id, world.hotel_id, &stay(), &wish(FIELD, true)).await.expect(&case);
            if decided {
                engine.decide(world.id).await.unwrap();
            }
            let by_hand = format!("by hand, {case}");
            world.portal.edit_as(3, Kind::Deal, world.deals()[0].id, &json!({FIELD: &by_hand})).unwrap();
            world.pass(Duration::from_secs(400));
            if seen {
                engine.scan(world.id).await.unwrap();
            }
            for _ in 0..2 {
                engine.decide(world.id).await.unwrap();
                engine.deliver(world.id).await.unwrap();
            }
            assert_eq!(world.deals()[0].text(FIELD), by_hand, "{case}");
            hotel_says(&world, &engine, "JUNIOR").await;
            assert_eq!(world.deals()[0].text(FIELD), by_hand, "theirs from now on: {case}");
            said(&world, &engine, FIELD, false).await.unwrap();
        }
    }

    s1_a_sum_its_currency_and_the_company_are_not_taken_back_alone(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        world.pass(Duration::from_secs(20));
        let total = Money { amount: "41000".parse().unwrap(), currency: Currency::parse("EUR").unwrap() };
        world.edit_stay("1", |stay| stay.total = Known::Is(total));
        world.round(&engine).await;
        for field in ["opportunity", "currencyId"] {
            assert!(!origin(&world, &engine, field).await.undoable, "{field}");
        }
        for field in ["opportunity", "currencyId", "isManualOpportunity", "companyId"] {
            let refused = said(&world, &engine, field, true).await;
            assert!(matches!(refused, Err(SyncError::Conflict("undo_together"))), "{field}: {refused:?}");
        }
    }

    s1_an_update_whose_answer_was_lost_is_told_and_can_be_taken_back(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let before = origin(&world, &engine, FIELD).await;
        world.pass(Duration::from_secs(20));
        world.edit_stay("1", |stay| stay.room_type = Known::Is("SUITE".into()));
        world.portal.fault(Fault::after_commit("crm.item.update"));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        let _ = engine.deliver(world.id).await;
        assert_eq!(world.deals()[0].text(FIELD), "SUITE", "it was written, and nobody heard");
        assert_eq!(origin(&world, &engine, FIELD).await.value, before.value);
        world.settle(&engine).await;
        let told = origin(&world, &engine, FIELD).await;
        assert_eq!(told.value, CrmValue::Text("SUITE".into()));
        assert!(told.at > before.at && told.undoable, "{told:?}");
        said(&world, &engine, FIELD, true).await.unwrap();
        assert_eq!(world.deals()[0].text(FIELD), "DBL");
    }

    s1_a_write_to_a_contact_is_taken_back_and_stays_so_until_it_is_released(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        middle_name(&world, &engine, "7", "Петрович").await;
        let contact = world.contacts()[0].id;
        let stands = || world.contacts()[0].text(NAME);
        let nothing = said_of(&world, &engine, contact, true).await;
        assert!(matches!(nothing, Err(SyncError::Conflict("undo_nothing"))), "nothing stood there: {nothing:?}");
        assert!(said_of(&world, &engine, 999, true).await.unwrap().is_none(), "nobody of ours");
        middle_name(&world, &engine, "7", "Павлович").await;
        let told = name_of(&world, &engine, contact).await;
        assert!(told.undoable && !told.pinned, "{told:?}");

        said_of(&world, &engine, contact, true).await.unwrap().expect("a guest");
        assert_eq!(stands(), "Петрович");
        let told = name_of(&world, &engine, contact).await;
        assert!(told.pinned && !told.undoable, "{told:?}");
        middle_name(&world, &engine, "7", "Сергеевич").await;
        assert_eq!(stands(), "Петрович", "people's");
        world.pass(Duration::from_secs(400));
        world.portal.edit_as(3, Kind::Contact, contact, &json!({NAME: "by hand"})).unwrap();
        engine.scan(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(stands(), "by hand");

        said_of(&world, &engine, contact, false).await.unwrap().expect("a guest");
        assert_eq!(stands(), "Сергеевич", "the hotel's again");
        assert!(!name_of(&world, &engine, contact).await.pinned);
    }

    s1_of_a_contact_that_profiles_share_the_field_is_people_s_whoever_of_them_is_written(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        for name in ["Петрович", "Павлович"] {
            for guest in ["7", "8"] {
                middle_name(&world, &engine, guest, name).await;
            }
        }
        said_of(&world, &engine, shared, true).await.unwrap().expect("a guest");
        assert_eq!(world.contacts()[0].text(NAME), "Петрович");
        for guest in ["7", "8"] {
            middle_name(&world, &engine, guest, "Сергеевич").await;
            assert_eq!(world.contacts()[0].text(NAME), "Петрович", "written by {guest}");
        }
    }

    s1_an_erased_guest_leaves_no_field_that_people_took_to_themselves(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        for name in ["Петрович", "Павлович"] {
            middle_name(&world, &engine, "7", name).await;
        }
        said_of(&world, &engine, world.contacts()[0].id, true).await.unwrap().expect("a guest");
        assert_eq!(world.contacts()[0].text(NAME), "Петрович");
        engine.erase_person(world.id, world.hotel_id, &ProfileNumber::parse("7").unwrap(), 5).await.unwrap().expect("known");
        erasure::go_on(&world, &engine).await;
        assert_eq!(world.contacts()[0].text(NAME), "");
        assert_eq!(erasure::holding(&world, &["Петрович".into(), "Павлович".into()]).await, Vec::<String>::new());
    }
}
