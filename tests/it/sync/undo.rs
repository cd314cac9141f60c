//! Our last write of one field taken back by a person; the field is his until he releases it (product §2.7, §2.11).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, FaultAnswer, PortalOptions};
use fidelio_bitrix24::domain::Subject;
use fidelio_bitrix24::domain::{CrmEntity, CrmValue, Currency, HotelCode, Known, Money, ProfileNumber, StayNumber};
use fidelio_bitrix24::store::{hotels, pins};
use fidelio_bitrix24::sync::attach::Binding;
use fidelio_bitrix24::sync::pins::PinWish;
use fidelio_bitrix24::sync::provenance::FieldOrigin;
use fidelio_bitrix24::sync::{Engine, SyncError};
use serde_json::json;

use super::splits::taken_for_one;
use super::world::World;
use super::{erasure, lost};
use crate::on_both_engines;

const FIELD: &str = "UF_CRM_FB24_ROOM_TYPE";

fn stay() -> StayNumber {
    StayNumber::parse("1").unwrap()
}

fn wish(field: &str, pinned: bool) -> PinWish {
    PinWish::new(field.to_owned(), pinned, 3)
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

    s1_a_contact_that_people_restore_under_another_number_keeps_what_is_theirs(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        for name in ["Петрович", "Павлович"] {
            middle_name(&world, &engine, "7", name).await;
        }
        let contact = world.contacts()[0].id;
        said_of(&world, &engine, contact, true).await.unwrap().expect("a guest");
        world.portal.delete_as(3, Kind::Contact, contact).unwrap();
        lost::told(&world, &engine, "ONCRMCONTACTDELETE", 3, contact).await;
        let new = world.portal.restore_as(3, Kind::Contact, contact, true).unwrap();
        lost::told(&world, &engine, "ONCRMCONTACTADD", 3, new).await;
        lost::later(&world, &engine).await;
        middle_name(&world, &engine, "7", "Сергеевич").await;
        lost::later(&world, &engine).await;
        let contacts = world.contacts();
        assert_eq!((contacts.len(), contacts[0].id, contacts[0].text(NAME)), (1, new, "Петрович".into()));
        let found = engine.record_origins(world.id, CrmEntity::Contact, new, None).await.unwrap().expect("a guest");
        assert_eq!(found.kept, [NAME]);
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

    s1_a_write_of_ours_that_overtook_the_undo_is_not_people_s(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        hotel_says(&world, &engine, "SUITE").await;
        world.pass(Duration::from_secs(20));
        world.edit_stay("1", |stay| stay.room_type = Known::Is("JUNIOR".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        engine.pin(world.id, world.hotel_id, &stay(), &wish(FIELD, true)).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        engine.decide(world.id).await.unwrap();
        world.settle(&engine).await;
        let told = origin(&world, &engine, FIELD).await;
        assert_eq!(world.deals()[0].text(FIELD), "JUNIOR");
        assert!(told.undoable && !told.pinned, "{told:?}");
        said(&world, &engine, FIELD, true).await.unwrap();
        assert_eq!(world.deals()[0].text(FIELD), "SUITE");
    }

    s1_an_undo_while_a_newer_write_of_ours_is_on_its_way_freezes_nothing(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        hotel_says(&world, &engine, "SUITE").await;
        world.pass(Duration::from_secs(20));
        world.edit_stay("1", |stay| stay.room_type = Known::Is("JUNIOR".into()));
        world.portal.fault(Fault::after_commit("crm.item.update"));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        let _ = engine.deliver(world.id).await;
        assert_eq!(world.deals()[0].text(FIELD), "JUNIOR", "it was written, and nobody heard");
        engine.pin(world.id, world.hotel_id, &stay(), &wish(FIELD, true)).await.unwrap();
        engine.decide(world.id).await.unwrap();
        world.settle(&engine).await;
        world.pass(Duration::from_secs(2));
        engine.decide(world.id).await.unwrap();
        world.settle(&engine).await;
        let told = origin(&world, &engine, FIELD).await;
        assert!(told.undoable && !told.pinned, "people never said it: {told:?}");
        hotel_says(&world, &engine, "SINGLE").await;
        assert_eq!(world.deals()[0].text(FIELD), "SINGLE", "the hotel's news arrives");
    }

    s1_a_former_value_that_the_portal_takes_no_more_holds_up_no_news_of_the_hotel(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        hotel_says(&world, &engine, "SUITE").await;
        let refused = FaultAnswer::Error { status: 400, code: "ERROR_CORE".into(), description: "no such value".into() };
        world.portal.fault(Fault::before("*").bearing("DBL").answering(refused).times(u32::MAX));
        said(&world, &engine, FIELD, true).await.unwrap();
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        for _ in 0..6 {
            world.round(&engine).await;
            world.pass(Duration::from_secs(20));
        }
        assert_eq!(world.deals()[0].text("UF_CRM_FB24_ROOM"), "205");
        assert!(!origin(&world, &engine, FIELD).await.pinned, "it could not be given back: it is the hotel's");
        hotel_says(&world, &engine, "JUNIOR").await;
        assert_eq!(world.deals()[0].text(FIELD), "JUNIOR");
    }

    s1_what_people_wrote_in_the_deal_of_a_guest_stays_theirs_when_he_is_erased(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.put_back = false;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        edited(&world, &engine, "by hand").await;
        engine.erase_person(world.id, world.hotel_id, &ProfileNumber::parse("7").unwrap(), 5).await.unwrap().expect("known");
        erasure::go_on(&world, &engine).await;
        assert_eq!(world.deals()[0].text(FIELD), "by hand", "it tells nothing of the guest");
    }

    s1_a_field_that_is_given_back_at_once_is_the_hotels(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        hotel_says(&world, &engine, "SUITE").await;
        for pinned in [true, false] {
            engine.pin(world.id, world.hotel_id, &stay(), &wish(FIELD, pinned)).await.unwrap();
        }
        engine.decide(world.id).await.unwrap();
        world.settle(&engine).await;
        assert!(!origin(&world, &engine, FIELD).await.pinned);
        hotel_says(&world, &engine, "JUNIOR").await;
        assert_eq!(world.deals()[0].text(FIELD), "JUNIOR");
    }

    s1_what_stood_in_another_deal_is_not_written_into_this_one(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        hotel_says(&world, &engine, "SUITE").await;
        assert!(origin(&world, &engine, FIELD).await.undoable);
        let sold = world.portal.add_as(3, Kind::Deal, &json!({"title": "Sale", FIELD: "SUITE"})).unwrap();
        let hotel = hotels::by_id(&world.db, world.id, world.hotel_id).await.unwrap().unwrap();
        for binding in [Binding::Detach, Binding::Attach { deal: sold }] {
            engine.bind(world.id, &hotel, &stay(), binding).await.unwrap();
            engine.decide(world.id).await.unwrap();
            world.settle(&engine).await;
        }
        let view = engine.stay_by_deal(world.id, sold).await.unwrap().expect("the stay of the deal");
        assert!(view.origins.iter().any(|origin| origin.field == "UF_CRM_FB24_RESERVATION"), "{:?}", view.origins);
        assert!(view.origins.iter().all(|origin| origin.field != FIELD), "{:?}", view.origins);
        let refused = said(&world, &engine, FIELD, true).await;
        assert!(matches!(refused, Err(SyncError::Conflict("undo_nothing"))), "{refused:?}");
    }

    s1_who_leaves_a_shared_contact_leaves_nothing_to_be_undone_and_its_pins_end_with_it(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        for name in ["Петрович", "Павлович"] {
            for guest in ["7", "8"] {
                middle_name(&world, &engine, guest, name).await;
            }
        }
        said_of(&world, &engine, shared, true).await.unwrap().expect("a guest");
        let holder = Subject::Crm(CrmEntity::Contact, shared).to_string();
        let held = async || {
            let found = pins::load(&world.db, world.id, &world.key, std::slice::from_ref(&holder)).await.unwrap();
            found.get(&holder).and_then(|pins| pins.get(NAME).cloned())
        };
        assert_eq!(held().await.expect("pinned").value, CrmValue::Text("Петрович".into()));
        for (guest, name) in [("7", "Петрович"), ("8", "Ольговна")] {
            middle_name(&world, &engine, guest, name).await;
        }
        let hotel = hotels::by_id(&world.db, world.id, world.hotel_id).await.unwrap().unwrap();
        engine.split(world.id, &hotel, &ProfileNumber::parse("7").unwrap(), 5).await.unwrap();
        for _ in 0..4 {
            engine.decide(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
            world.pass(Duration::from_secs(3));
        }
        assert_eq!(held().await, Some(pins::Pin::blank()), "people's, and what stood there is remembered no more");
        let left = world.portal.record(Kind::Contact, shared).unwrap();
        assert_eq!(left.text(NAME), "", "it may be the name of whoever left");
        let found = engine.record_origins(world.id, CrmEntity::Contact, shared, None).await.unwrap().expect("the other");
        assert!(found.fields.iter().all(|person| !person.origin.undoable), "{found:?}");

        // Nobody's word for the field is remembered when the one who said it last is erased: it is given back all the same.
        middle_name(&world, &engine, "8", "Сергеевна").await;
        assert_ne!(world.portal.record(Kind::Contact, shared).unwrap().text(NAME), "Сергеевна", "people's");
        engine.erase_person(world.id, world.hotel_id, &ProfileNumber::parse("8").unwrap(), 5).await.unwrap().expect("known");
        erasure::go_on(&world, &engine).await;
        assert_eq!(held().await, None, "nobody stands behind it");
    }

    s1_a_field_of_which_no_word_is_remembered_is_told_and_given_back(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        for name in ["Петрович", "Павлович"] {
            for guest in ["7", "8"] {
                middle_name(&world, &engine, guest, name).await;
            }
        }
        said_of(&world, &engine, shared, true).await.unwrap().expect("a guest");
        let kept = async || {
            let found = engine.record_origins(world.id, CrmEntity::Contact, shared, None).await.unwrap().expect("a guest");
            (found.kept, found.fields.into_iter().any(|person| person.origin.field == NAME))
        };
        assert_eq!(kept().await, (Vec::new(), true));
        engine.erase_person(world.id, world.hotel_id, &ProfileNumber::parse("7").unwrap(), 5).await.unwrap().expect("known");
        erasure::go_on(&world, &engine).await;
        assert_eq!(kept().await, (vec![NAME.to_owned()], false));
        let name = world.portal.record(Kind::Contact, shared).unwrap().text("name");
        assert_eq!(name, "Анна Мария", "nothing of the erased one's name stands there");
        said_of(&world, &engine, shared, false).await.unwrap().expect("the other guest");
        for _ in 0..4 {
            engine.decide(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
            world.pass(Duration::from_secs(3));
        }
        assert_eq!((kept().await.0, world.portal.record(Kind::Contact, shared).unwrap().text(NAME)), (vec![], "Павлович".into()));
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
