//! A clerk merges profiles in Fidelio: nothing says so, and stays and links follow (product §2.8, §2.13).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions, Record};
use fidelio_bitrix24::domain::{CrmEntity, CrmValue, Currency, Known, Money, ProfileNumber, StayStatus, Subject};
use fidelio_bitrix24::fidelio::Read;
use fidelio_bitrix24::store::erasures::Stage;
use fidelio_bitrix24::store::hotels::{self, HotelRow};
use fidelio_bitrix24::store::{inbox, pins};
use fidelio_bitrix24::sync::{Engine, StepObserver};
use serde_json::json;

use super::lost::{later, told};
use super::reconcile::reconcile;
use super::replay::replayed;
use super::splits::taken_for_one;
use super::world::World;
use crate::on_both_engines;

fn number(text: &str) -> ProfileNumber {
    ProfileNumber::parse(text).unwrap()
}

async fn hotel(world: &World) -> HotelRow {
    hotels::by_id(&world.db, world.id, world.hotel_id).await.unwrap().unwrap()
}

fn finished(world: &World, stay: &str, total: &str) {
    let total = Money { amount: total.parse().unwrap(), currency: Currency::parse("RUB").unwrap() };
    world.edit_stay(stay, |stay| {
        stay.status = Known::Is(StayStatus::CheckedOut);
        stay.total = Known::Is(total);
    });
}

/// A finished stay of each of two guests, each with a contact.
async fn two_guests(world: &World, engine: &Engine) -> (i64, i64) {
    for (stay, guest, total) in [("1", "7", "30000"), ("2", "8", "500.50")] {
        world.book(stay, guest);
        finished(world, stay, total);
    }
    world.round(engine).await;
    let of = |mark: &str| world.contacts().into_iter().find(|one| one.text("originId") == mark).unwrap().id;
    (of("GRAND:7"), of("GRAND:8"))
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Gone,
    Inactive,
}

fn merge(world: &World, from: &str, into: &str, how: How) {
    let stays: Vec<String> = {
        let truth = world.hotel.truth.lock().unwrap();
        let named = truth.stays.values().filter(|stay| stay.main_guest == Known::Is(number(from)));
        named.map(|stay| stay.number.to_string()).collect()
    };
    for stay in stays {
        world.edit_stay(&stay, |stay| stay.main_guest = Known::Is(number(into)));
    }
    match how {
        How::Gone => drop(world.hotel.truth.lock().unwrap().profiles.remove(from)),
        How::Inactive => world.edit_profile(from, |profile| profile.active = Known::Is(false)),
    }
}

/// Time for both looks and for what comes of them.
async fn followed(world: &World, engine: &Engine) {
    for _ in 0..5 {
        world.round(engine).await;
        world.pass(Duration::from_secs(31));
    }
}

fn contact(world: &World, id: i64) -> Record {
    world.portal.record(Kind::Contact, id).unwrap()
}

fn named(world: &World, stay: &str) -> serde_json::Value {
    let deal = world.deals().into_iter().find(|deal| deal.text("originId") == format!("GRAND:{stay}")).unwrap();
    deal.fields["contactIds"].clone()
}

fn figures(contact: &Record) -> (i64, String) {
    (contact.int("UF_CRM_FB24_STAYS"), contact.text("UF_CRM_FB24_REVENUE"))
}

fn marks(contact: &Record) -> (String, Vec<String>) {
    let all = contact.fields.get("UF_CRM_FB24_PROFILE").and_then(|all| all.as_array()).cloned().unwrap_or_default();
    let mut all: Vec<String> = all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
    all.sort();
    (contact.text("originId"), all)
}

fn notes(world: &World, id: i64) -> Vec<String> {
    world.portal.comments().into_iter().filter(|one| one.entity_id == id).map(|one| one.text).collect()
}

fn writes(world: &World) -> usize {
    [
        "crm.item.update",
        "crm.item.add",
        "crm.item.batchimport",
        "crm.item.delete",
        "crm.contact.update",
        "crm.timeline.comment.add",
    ]
    .into_iter()
    .map(|method| world.portal.requests_of(method).len())
    .sum()
}

/// 7 was merged into 8, and all of it is seen.
fn merged(world: &World, (from, into): (i64, i64), what: &str) {
    assert_eq!(world.contacts().len(), 2, "{what}");
    let (left, heir) = (contact(world, from), contact(world, into));
    assert_eq!(marks(&left), (String::new(), vec![]), "{what}");
    assert_eq!(marks(&heir), ("GRAND:8".into(), vec!["GRAND:7".into(), "GRAND:8".into()]), "{what}");
    assert_eq!((left.text("lastName"), heir.text("lastName")), ("Иванова7".into(), "Иванова8".into()), "{what}");
    assert_eq!((named(world, "1"), named(world, "2")), (json!([into]), json!([into])), "{what}");
    assert_eq!(figures(&heir), (2, "30500.5|RUB".into()), "{what}");
    assert_eq!(figures(&left), (0, String::new()), "{what}: its figures are the other's");
    assert_eq!(left.multi("PHONE"), ["+79000000007"], "{what}: what it says of him stays");
}

/// Every reader of the same again, and nothing is written.
async fn read_again(world: &World, engine: &Engine) {
    later(world, engine).await;
    let (before, contacts) = (writes(world), world.contacts().len());
    replayed(world, engine, None).await;
    reconcile(world).await;
    engine.scan(world.id).await.unwrap();
    followed(world, engine).await;
    later(world, engine).await;
    assert_eq!((writes(world), world.contacts().len()), (before, contacts), "{:#?}", world.problems(engine).await);
    let open: Vec<_> = world.problems(engine).await.into_iter().filter(|one| one.state == "open").collect();
    assert!(open.is_empty(), "{open:#?}");
}

async fn follows(db: crate::support::db::TestDb, how: How) {
    let world = World::new(db, PortalOptions::default()).await;
    let engine = world.engine();
    let (from, into) = two_guests(&world, &engine).await;
    merge(&world, "7", "8", how);
    followed(&world, &engine).await;
    merged(&world, (from, into), "merged");
    let (there, here) = (notes(&world, from), notes(&world, into));
    assert_eq!((there.len(), here.len()), (1, 1), "{there:?} {here:?}");
    assert!(
        there[0].contains("GRAND:7 объединён в Fidelio с профилем GRAND:8") && there[0].contains(&format!("№ {into}")),
        "{there:?}"
    );
    assert!(here[0].contains(&format!("Прежняя запись — № {from}")), "{here:?}");
    let hints = engine.merge_hints(world.id, None, 10).await.unwrap().items;
    assert_eq!((hints.len(), hints[0].reason.as_str(), hints[0].crm_id), (1, "pms_merged", Some(into)));
    assert_eq!(hints[0].alike.iter().map(|one| one.crm_id).collect::<Vec<_>>(), [from]);
    read_again(&world, &engine).await;
    merged(&world, (from, into), "read again");
    // People make one of both.
    world.portal.merge_as(3, Kind::Contact, into, from).unwrap();
    told(&world, &engine, "ONCRMCONTACTDELETE", 3, from).await;
    later(&world, &engine).await;
    let contacts = world.contacts();
    assert_eq!((contacts.len(), contacts[0].id, figures(&contacts[0])), (1, into, (2, "30500.5|RUB".into())));
    assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());
    read_again(&world, &engine).await;
}

on_both_engines! {
    s3_a_profile_that_the_pms_merged_leaves_its_stays_and_figures_to_the_other(db) {
        follows(db, How::Gone).await;
    }

    s3_a_merged_profile_may_go_inactive_instead(db) {
        follows(db, How::Inactive).await;
    }

    s3_people_who_keep_the_contact_of_the_merged_profile_have_the_last_word(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let (from, into) = two_guests(&world, &engine).await;
        merge(&world, "7", "8", How::Gone);
        followed(&world, &engine).await;
        world.portal.merge_as(3, Kind::Contact, from, into).unwrap();
        told(&world, &engine, "ONCRMCONTACTDELETE", 3, into).await;
        later(&world, &engine).await;
        later(&world, &engine).await;
        let contacts = world.contacts();
        assert_eq!((contacts.len(), contacts[0].id, figures(&contacts[0])), (1, from, (2, "30500.5|RUB".into())));
        assert_eq!(marks(&contacts[0]).1, ["GRAND:7", "GRAND:8"]);
        assert_eq!((named(&world, "1"), named(&world, "2")), (json!([from]), json!([from])));
        read_again(&world, &engine).await;
    }

    s3_a_merge_into_a_profile_without_a_contact_makes_no_second_one(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        world.round(&engine).await;
        let contact_of_7 = world.contacts()[0].id;
        // The portal is away: the successor's contact is not made before the merge is known.
        world.edit_profile("8", |_| {});
        merge(&world, "7", "8", How::Gone);
        for _ in 0..4 {
            engine.poll_source(world.id, world.source).await.unwrap();
            engine.decide(world.id).await.unwrap();
            world.pass(Duration::from_secs(31));
        }
        followed(&world, &engine).await;
        let contacts = world.contacts();
        assert_eq!((contacts.len(), contacts[0].id), (1, contact_of_7));
        assert_eq!(marks(&contacts[0]), ("GRAND:8".into(), vec!["GRAND:7".into(), "GRAND:8".into()]));
        assert_eq!((contacts[0].text("lastName"), named(&world, "1")), ("Иванова8".into(), json!([contact_of_7])));
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());
        read_again(&world, &engine).await;
    }

    s3_a_stay_that_goes_to_another_guest_is_no_merge(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let (from, into) = two_guests(&world, &engine).await;
        world.edit_stay("1", |stay| stay.main_guest = Known::Is(number("8")));
        followed(&world, &engine).await;
        assert_eq!((named(&world, "1"), marks(&contact(&world, from)).0), (json!([into]), "GRAND:7".into()));
        let asked = || {
            let truth = world.hotel.truth.lock().unwrap();
            truth.asked.iter().filter(|read| matches!(read, Read::Profiles { .. })).count()
        };
        assert_eq!(asked(), 1, "who is there is asked for once");
        // Nor is it one when his other stays remain, or go elsewhere.
        for (stay, guest) in [("3", "9"), ("4", "9"), ("5", "10"), ("6", "10")] {
            world.book(stay, guest);
        }
        world.round(&engine).await;
        world.edit_stay("3", |stay| stay.main_guest = Known::Is(number("8")));
        world.edit_profile("9", |profile| profile.active = Known::Is(false));
        world.edit_stay("5", |stay| stay.main_guest = Known::Is(number("7")));
        world.edit_stay("6", |stay| stay.main_guest = Known::Is(number("8")));
        world.hotel.truth.lock().unwrap().profiles.remove("10");
        followed(&world, &engine).await;
        let of = |mark: &str| world.contacts().into_iter().find(|one| one.text("originId") == mark);
        assert_eq!((of("GRAND:9").is_some(), of("GRAND:10").is_some()), (true, true));
        let hints = engine.merge_hints(world.id, None, 10).await.unwrap().items;
        assert_eq!(hints.iter().map(|hint| (hint.profile.as_str(), hint.reason.as_str())).collect::<Vec<_>>(), [("10", "pms_vanished")]);
        assert_eq!(hints[0].alike.iter().map(|one| one.crm_id).collect::<BTreeSet<_>>(), [from, into].into());
    }

    s3_who_was_told_apart_by_a_person_is_not_joined_by_the_pms(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let shared = taken_for_one(&world, &engine).await;
        engine.split(world.id, &hotel(&world).await, &number("7"), 5).await.unwrap();
        followed(&world, &engine).await;
        let of = |mark: &str| world.contacts().into_iter().find(|one| one.text("originId") == mark).unwrap().id;
        let own = of("GRAND:7");
        merge(&world, "7", "8", How::Gone);
        followed(&world, &engine).await;
        assert_eq!((world.contacts().len(), of("GRAND:7"), of("GRAND:8")), (2, own, shared));
        assert_eq!(marks(&contact(&world, shared)).1, ["GRAND:8"]);
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());
    }

    s3_many_guests_gone_at_once_are_only_told(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "8");
        for guest in 100..109 {
            world.book(&guest.to_string(), &guest.to_string());
        }
        world.round(&engine).await;
        for guest in 100..109 {
            merge(&world, &guest.to_string(), "8", How::Gone);
        }
        followed(&world, &engine).await;
        let bearing = || world.contacts().iter().filter(|one| one.text("originId").starts_with("GRAND:10")).count();
        assert_eq!((world.contacts().len(), bearing()), (10, 9));
        let told: Vec<_> = world.problems(&engine).await;
        assert_eq!(told.iter().map(|one| (one.cause.as_str(), &one.params["count"])).collect::<Vec<_>>(), [("pms.merged_many", &json!(9))]);
        // Until a person says that it is in order, nor is a single one followed.
        world.book("200", "200");
        world.round(&engine).await;
        merge(&world, "200", "8", How::Gone);
        followed(&world, &engine).await;
        assert_eq!(world.contacts().iter().filter(|one| one.text("originId") == "GRAND:200").count(), 1);
        engine.dismiss_problem(world.id, told[0].id, "").await.unwrap();
        world.book("201", "201");
        world.round(&engine).await;
        merge(&world, "201", "8", How::Gone);
        followed(&world, &engine).await;
        assert_eq!(world.contacts().iter().filter(|one| one.text("originId") == "GRAND:201").count(), 0);
    }

    s3_a_merge_is_whole_wherever_it_was_killed(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let records = two_guests(&world, &engine).await;
        merge(&world, "7", "8", How::Gone);
        let count = Arc::new(AtomicUsize::new(0));
        for stop_at in 0..40 {
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
            let _ = doomed.poll_source(world.id, world.source).await;
            let _ = doomed.decide(world.id).await;
            let _ = doomed.deliver(world.id).await;
            world.pass(Duration::from_secs(31));
            if count.load(Ordering::SeqCst) == before && stop_at > 8 {
                break;
            }
        }
        assert!(count.load(Ordering::SeqCst) > 5, "kills");
        world.settle(&engine).await;
        followed(&world, &engine).await;
        merged(&world, records, "killed at every step");
    }

    s3_who_is_there_again_is_himself_again_and_an_older_word_of_him_is_none(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let (from, into) = two_guests(&world, &engine).await;
        // A word of his from before the merge waits behind it.
        world.edit_profile("7", |profile| profile.language = Known::Is("DE".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        let waiting = inbox::of_hotel(&world.db, world.id, world.hotel_id, 0, 100).await.unwrap();
        let late = waiting.iter().find(|row| !row.decided).expect("it came in").id;
        inbox::postpone(&world.db, world.id, late, i64::MAX).await.unwrap();
        merge(&world, "7", "8", How::Gone);
        followed(&world, &engine).await;
        merged(&world, (from, into), "merged");
        inbox::postpone(&world.db, world.id, late, 0).await.unwrap();
        followed(&world, &engine).await;
        merged(&world, (from, into), "an older word came late");

        // The merge was a mistake: Fidelio has both again.
        world.edit_profile("7", |profile| profile.last_name = Known::Is("Иванова7".into()));
        world.edit_stay("1", |stay| stay.main_guest = Known::Is(number("7")));
        followed(&world, &engine).await;
        later(&world, &engine).await;
        assert_eq!(world.contacts().len(), 2);
        let (left, heir) = (contact(&world, from), contact(&world, into));
        assert_eq!((marks(&left), marks(&heir)), (("GRAND:7".into(), vec!["GRAND:7".into()]), ("GRAND:8".into(), vec!["GRAND:8".into()])));
        assert_eq!((figures(&left), figures(&heir)), ((1, "30000|RUB".into()), (1, "500.5|RUB".into())));
        assert_eq!((named(&world, "1"), named(&world, "2")), (json!([from]), json!([into])));
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());
        read_again(&world, &engine).await;
    }

    s3_who_is_erased_is_erased_with_all_that_was_merged_into_him(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let (from, into) = two_guests(&world, &engine).await;
        // A field of his contact that a person took to himself: nobody stands behind it once the link has moved.
        let holder = Subject::Crm(CrmEntity::Contact, from).to_string();
        let words = || CrmValue::Text("Иванова7".into());
        let tx = world.db.begin().await.unwrap();
        let pin = pins::Pin { value: words(), undone: words(), written: true };
        pins::set(&tx, world.id, &world.key, (&holder, "secondName"), &pin, (3, 1)).await.unwrap();
        tx.commit().await.unwrap();
        merge(&world, "7", "8", How::Gone);
        followed(&world, &engine).await;
        let hotel = hotel(&world).await;
        let archive = engine.export_person(world.id, &hotel, &number("8")).await.unwrap().expect("known");
        assert_eq!((&archive["merged"][0]["person"], &archive["merged"][0]["record"]["id"]), (&json!("GRAND:7"), &json!(from)));
        assert_eq!(archive["merged"][0]["facts"]["last_name"]["is"].as_str().or(archive["merged"][0]["facts"]["last_name"].as_str()), Some("Иванова7"));
        assert_eq!(archive["stays"].as_array().map(Vec::len), Some(2));
        assert!(archive["inputs"].to_string().contains("Иванова7"));
        // By whichever number.
        engine.erase_person(world.id, world.hotel_id, &number("7"), 5).await.unwrap().expect("known");
        for _ in 0..6 {
            followed(&world, &engine).await;
        }
        let act = engine.erasure(world.id, world.hotel_id, &number("8")).await.unwrap().expect("asked for");
        assert_eq!(act.stage, Stage::Done, "{:?}", act.act);
        let left = act.act["not_reached"].as_array().unwrap().iter().find(|one| one["code"] == "merged_record");
        assert_eq!(left.map(|one| one["id"].clone()), Some(json!(from)));
        assert_eq!((contact(&world, into).text("lastName"), world.contacts().len()), ("GRAND:8".into(), 2));
        let archive = engine.export_person(world.id, &hotel, &number("8")).await.unwrap().expect("known");
        assert!(!archive.to_string().contains("Иванова"), "{archive}");
        let held = pins::load(&world.db, world.id, &world.key, &[holder]).await.unwrap();
        assert!(held.is_empty(), "{held:?}");
    }
}
