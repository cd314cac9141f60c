//! One contact stood for two profiles, and a person said that they are two people (product §2.8, §2.13).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, FaultAnswer, PortalOptions, Record};
use fidelio_bitrix24::domain::{Currency, Known, Money, Profile, ProfileNumber, StayStatus};
use fidelio_bitrix24::store::erasures::Stage;
use fidelio_bitrix24::store::hotels::{self, HotelRow};
use fidelio_bitrix24::sync::{Engine, StepObserver, SyncError};
use serde_json::json;

use super::lost::{later, told};
use super::reconcile::reconcile;
use super::replay::replayed;
use super::world::{World, phone};
use crate::on_both_engines;

const SHARED: &str = "+79001112233";
const OWN: &str = "+79005550007";

fn alike(profile: &mut Profile) {
    profile.last_name = Known::Is("Иванова".into());
    profile.phones = Known::Is(vec![phone(SHARED)]);
    profile.emails = Known::Empty;
}

/// A finished stay of each: the contact was made for 7, and 8 was taken for her.
pub async fn taken_for_one(world: &World, engine: &Engine) -> i64 {
    world.edit_profile("7", |profile| {
        alike(profile);
        profile.first_name = Known::Is("Анна".into());
        profile.phones = Known::Is(vec![phone(SHARED), phone(OWN)]);
        profile.vip = Known::Is("GOLD".into());
    });
    world.edit_profile("8", |profile| {
        alike(profile);
        profile.first_name = Known::Is("Анна Мария".into());
    });
    for (number, guest, total) in [("1", "7", "30000"), ("2", "8", "500.50")] {
        world.book(number, guest);
        world.edit_stay(number, |stay| {
            stay.status = Known::Is(StayStatus::CheckedOut);
            let currency = Currency::parse("RUB").unwrap();
            stay.total = Known::Is(Money { amount: total.parse().unwrap(), currency });
        });
        for _ in 0..2 {
            world.round(engine).await;
            world.pass(Duration::from_secs(15));
        }
    }
    let contacts = world.contacts();
    assert_eq!((contacts.len(), contacts[0].text("originId")), (1, "GRAND:7".into()));
    assert_eq!(figures(&contacts[0]), (2, "30500.5|RUB".into()));
    contacts[0].id
}

fn figures(contact: &Record) -> (i64, String) {
    (contact.int("UF_CRM_FB24_STAYS"), contact.text("UF_CRM_FB24_REVENUE"))
}

async fn hotel(world: &World) -> HotelRow {
    hotels::by_id(&world.db, world.id, world.hotel_id).await.unwrap().unwrap()
}

async fn say(world: &World, engine: &Engine, profile: &str) -> Result<i64, &'static str> {
    match engine.split(world.id, &hotel(world).await, &ProfileNumber::parse(profile).unwrap(), 5).await {
        Err(SyncError::Conflict(code)) => Err(code),
        said => Ok(said.unwrap().1),
    }
}

async fn after_a_while(world: &World, engine: &Engine) {
    for _ in 0..4 {
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        world.pass(Duration::from_secs(3));
    }
}

fn contact(world: &World, id: i64) -> Record {
    world.portal.record(Kind::Contact, id).unwrap()
}

fn named(world: &World, stay: &str) -> serde_json::Value {
    let deal = world.deals().into_iter().find(|deal| deal.text("originId") == format!("GRAND:{stay}")).unwrap();
    deal.fields["contactIds"].clone()
}

/// Each profile has a contact of its own, and nothing of the other's.
fn two_people(world: &World, shared: i64, what: &str) -> i64 {
    let contacts = world.contacts();
    assert_eq!(contacts.len(), 2, "{what}");
    let own = contacts.iter().find(|record| record.id != shared).unwrap();
    let (left, own) = (contact(world, shared), own.clone());
    let whose = |record: &Record| (record.text("originId"), record.fields["UF_CRM_FB24_PROFILE"].clone());
    assert_eq!(whose(&left), ("GRAND:8".into(), json!(["GRAND:8"])), "{what}");
    assert_eq!(whose(&own), ("GRAND:7".into(), json!(["GRAND:7"])), "{what}");
    assert_eq!((named(world, "1"), named(world, "2")), (json!([own.id]), json!([shared])), "{what}");
    assert_eq!((figures(&left), figures(&own)), ((1, "500.5|RUB".into()), (1, "30000|RUB".into())), "{what}");
    own.id
}

on_both_engines! {
    s1_a_profile_that_a_person_takes_off_a_contact_has_its_own_and_nothing_brings_it_back(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        let by_hand = json!({"fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+74951112233"}]});
        world.portal.edit_as(2, Kind::Contact, shared, &by_hand).unwrap();
        assert_eq!(say(&world, &engine, "7").await, Ok(shared));
        after_a_while(&world, &engine).await;
        let own = two_people(&world, shared, "said");
        let left = contact(&world, shared);
        assert_eq!(left.multi("PHONE"), [SHARED, "+74951112233"], "hers left; what people added stays");
        assert_eq!((left.text("UF_CRM_FB24_VIP"), left.text("name")), (String::new(), "Анна Мария".into()));
        assert_eq!(contact(&world, own).text("UF_CRM_FB24_VIP"), "GOLD");
        assert_eq!(say(&world, &engine, "7").await, Err("split_alone"));
        let notes = || {
            let of = |id| world.portal.comments().into_iter().filter(|one| one.entity_id == id).map(|one| one.text).collect::<Vec<_>>();
            (of(shared), of(own))
        };
        let (there, here) = notes();
        assert_eq!((there.len(), here.len()), (1, 1), "{there:?} {here:?}");
        assert!(there[0].contains("GRAND:7 отделён от этой записи") && there[0].contains("сотрудник № 5"), "{there:?}");
        assert!(here[0].contains(&format!("отделён от записи № {shared}")), "{here:?}");

        // Whatever reads people again finds two of them.
        for profile in ["7", "8"] {
            world.edit_profile(profile, |profile| profile.language = Known::Is("DE".into()));
        }
        world.round(&engine).await;
        replayed(&world, &engine, None).await;
        reconcile(&world).await;
        engine.scan(world.id).await.unwrap();
        later(&world, &engine).await;
        assert_eq!((two_people(&world, shared, "read again"), notes()), (own, (there, here)));
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());

        // The hotel merges both: stays go to the profile that is left, and to its own contact.
        world.edit_stay("1", |stay| stay.main_guest = Known::Is(ProfileNumber::parse("8").unwrap()));
        world.round(&engine).await;
        assert_eq!((named(&world, "1"), world.contacts().len()), (json!([shared]), 2));
        world.edit_stay("1", |stay| stay.main_guest = Known::Is(ProfileNumber::parse("7").unwrap()));
        world.round(&engine).await;
        // Hers is gone: whoever stayed is not she, whatever is alike; and the other way round.
        for mark in ["GRAND:7", "GRAND:8"] {
            let of = |mark: &str| world.contacts().into_iter().find(|one| one.text("originId") == mark).unwrap().id;
            let goes = of(mark);
            let stays = world.contacts().into_iter().map(|one| one.id).find(|id| *id != goes).unwrap();
            world.portal.delete_as(3, Kind::Contact, goes).unwrap();
            told(&world, &engine, "ONCRMCONTACTDELETE", 3, goes).await;
            later(&world, &engine).await;
            let problem = world.problems(&engine).await.into_iter().find(|one| one.state == "open").expect("told");
            assert_eq!((problem.cause.as_str(), world.contacts().len()), ("crm.deleted", 1));
            assert_eq!(contact(&world, stays).fields["UF_CRM_FB24_PROFILE"].as_array().map(Vec::len), Some(1));
            engine.retry_problem(world.id, problem.id).await.unwrap();
            later(&world, &engine).await;
            assert_eq!(world.contacts().len(), 2, "made anew");
        }
    }

    s1_contacts_that_people_merge_after_they_were_parted_are_one_again(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        say(&world, &engine, "7").await.unwrap();
        after_a_while(&world, &engine).await;
        let own = two_people(&world, shared, "said");
        world.portal.merge_as(3, Kind::Contact, shared, own).unwrap();
        told(&world, &engine, "ONCRMCONTACTDELETE", 3, own).await;
        later(&world, &engine).await;
        world.edit_profile("7", |profile| profile.language = Known::Is("DE".into()));
        world.round(&engine).await;
        later(&world, &engine).await;
        let contacts = world.contacts();
        assert_eq!((contacts.len(), contacts[0].id, figures(&contacts[0])), (1, shared, (2, "30500.5|RUB".into())));
        let both = contacts[0].fields["UF_CRM_FB24_PROFILE"].to_string();
        assert!(both.contains("GRAND:7") && both.contains("GRAND:8"), "{both}");
        let (hotel, her) = (hotel(&world).await, ProfileNumber::parse("7").unwrap());
        let taken_off = async || {
            let archive = engine.export_person(world.id, &hotel, &her).await.unwrap();
            archive.expect("known")["taken_off"].clone()
        };
        assert_eq!(taken_off().await, json!([]), "the newer word counts");
        // And may be parted again.
        say(&world, &engine, "7").await.unwrap();
        after_a_while(&world, &engine).await;
        let own = two_people(&world, shared, "said once more");
        // What is held of her tells it; and nothing of her is left anywhere once she is erased.
        let told = taken_off().await;
        assert_eq!((&told[0]["id"], &told[0]["by"]), (&json!(shared), &json!(5)));
        engine.erase_person(world.id, world.hotel_id, &her, 5).await.unwrap();
        for _ in 0..4 {
            after_a_while(&world, &engine).await;
        }
        let act = engine.erasure(world.id, world.hotel_id, &her).await.unwrap().expect("asked for");
        assert_eq!(act.stage, Stage::Done, "{:?}", act.act);
        assert_eq!((contact(&world, own).text("lastName"), contact(&world, shared).text("name")), ("GRAND:7".into(), "Анна Мария".into()));
    }

    s1_whoever_is_erased_right_after_he_was_taken_off_leaves_nothing_there(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        assert_eq!(contact(&world, shared).text("UF_CRM_FB24_VIP"), "GOLD");
        say(&world, &engine, "7").await.unwrap();
        let her = ProfileNumber::parse("7").unwrap();
        engine.erase_person(world.id, world.hotel_id, &her, 5).await.unwrap().expect("known");
        for _ in 0..6 {
            after_a_while(&world, &engine).await;
        }
        let act = engine.erasure(world.id, world.hotel_id, &her).await.unwrap().expect("asked for");
        assert_eq!(act.stage, Stage::Done, "{:?}", act.act);
        let left = contact(&world, shared);
        assert_eq!((left.text("UF_CRM_FB24_VIP"), left.multi("PHONE")), (String::new(), vec![SHARED.to_owned()]));
        assert_eq!((left.text("originId"), left.text("name")), ("GRAND:8".into(), "Анна Мария".into()));
    }

    s1_a_split_is_whole_wherever_it_was_killed_and_whatever_answer_was_lost(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        // The new contact is made and nobody hears of it, while the old one still bears her mark.
        world.portal.fault(Fault::before("crm.item.update").answering(FaultAnswer::Drop));
        world.portal.fault(Fault::after_commit("crm.item.add"));
        say(&world, &engine, "7").await.unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        for stop_at in 0..60 {
            let (seen, dead) = (AtomicUsize::new(0), AtomicBool::new(false));
            let total = count.clone();
            let observer: StepObserver = Arc::new(move |_| {
                if dead.load(Ordering::SeqCst) || seen.fetch_add(1, Ordering::SeqCst) == stop_at {
                    dead.store(true, Ordering::SeqCst);
                    total.fetch_add(1, Ordering::SeqCst);
                    return false;
                }
                true
            });
            let doomed = world.engine_of(world.node(), Some(observer));
            let before = count.load(Ordering::SeqCst);
            let _ = doomed.decide(world.id).await;
            let _ = doomed.deliver(world.id).await;
            world.pass(Duration::from_secs(21));
            if count.load(Ordering::SeqCst) == before {
                break;
            }
        }
        assert!(count.load(Ordering::SeqCst) > 5, "kills");
        world.settle(&engine).await;
        after_a_while(&world, &engine).await;
        two_people(&world, shared, "killed at every step");
    }
}
