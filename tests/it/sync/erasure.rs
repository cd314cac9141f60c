//! A person is handed out and erased (product §9): what is left here, what is told the portal, what comes back (nothing).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions, Record};
use fidelio_bitrix24::crypto::TenantKey;
use fidelio_bitrix24::domain::stay::{Companion, Note};
use fidelio_bitrix24::domain::support::history::Head;
use fidelio_bitrix24::domain::support::{Clocks, Kind as RequestKind, Priority, RequestNumber, Scope, State};
use fidelio_bitrix24::domain::{CrmValue, HotelCode, Known, ProfileNumber, StayNumber, Subject};
use fidelio_bitrix24::store::desk::requests::{self, Hashes, RequestRow};
use fidelio_bitrix24::store::desk::search::{email_hash, phone_hash};
use fidelio_bitrix24::store::erasures::{ErasureRow, Stage};
use fidelio_bitrix24::store::pins::{self, Pin};
use fidelio_bitrix24::store::provenance::{self, Written};
use fidelio_bitrix24::store::{hotels, testing};
use fidelio_bitrix24::sync::pins::PinWish;
use fidelio_bitrix24::sync::{Engine, StepObserver};
use serde_json::{Value, json};

use super::world::{World, phone};
use crate::on_both_engines;

/// What values are sealed for.
const SEALS: [&str; 12] = [
    "inbox.payload",
    "stay.facts",
    "profile.facts",
    "crm_record.fields",
    "crm_record.putbacks",
    "crm_record.edits",
    "provenance.fields",
    "stay.total",
    "pin.value",
    "outbox.write",
    "problem.detail",
    "source.config",
];

pub fn number(text: &str) -> ProfileNumber {
    ProfileNumber::parse(text).unwrap()
}

/// Where anything of a guest of [`World::book`] is still found, whatever is sealed being opened.
async fn found(world: &World, guest: &str) -> Vec<String> {
    holding(
        world,
        &[format!("Иванова{guest}"), format!("{guest:0>7}"), format!("anna{guest}@"), format!("secret{guest}")],
    )
    .await
}

pub async fn holding(world: &World, words: &[String]) -> Vec<String> {
    let mut places = Vec::new();
    for (place, held) in testing::held(&world.db, world.id).await.unwrap() {
        let plain = if place.ends_with("_sealed") {
            let opened = SEALS.iter().find_map(|seal| world.key.open(seal, &held).ok());
            opened.unwrap_or_else(|| panic!("{place} is sealed for something unknown"))
        } else {
            held
        };
        let text = String::from_utf8_lossy(&plain);
        if words.iter().any(|word| text.contains(word.as_str())) {
            places.push(place);
        }
    }
    places.sort();
    places.dedup();
    places
}

/// A guest's stay with everything that may tell of him, and his part in somebody else's.
fn book(world: &World, guest: &str) {
    world.book(&format!("1{guest}"), guest);
    world.edit_profile(guest, |profile| profile.vip = Known::Is("1".into()));
    let words = format!("secret{guest}");
    world.edit_stay(&format!("1{guest}"), |stay| {
        stay.comments = Known::Is(vec![words.clone()]);
        let note = Note { number: None, category: String::new(), text: words.clone(), guest_may_see: false };
        stay.notes = Known::Is(vec![note]);
        stay.custom = Known::Is([("UDF1".to_owned(), words.clone())].into());
    });
    world.book(&format!("2{guest}"), &format!("5{guest}"));
    world.edit_stay(&format!("2{guest}"), |stay| {
        let companion = Companion { profile: number(guest), name: format!("Иванова{guest}"), stay: None };
        stay.companions = Known::Is(vec![companion]);
    });
}

fn contact(world: &World, guest: &str) -> Record {
    let mark = format!("GRAND:{guest}");
    world.contacts().into_iter().find(|contact| contact.text("originId") == mark).expect("the guest's contact")
}

pub async fn go_on(world: &World, engine: &Engine) {
    for _ in 0..3 {
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        world.pass(Duration::from_secs(11));
    }
}

pub async fn erased(world: &World, engine: &Engine, guest: &str) -> ErasureRow {
    engine.erasure(world.id, world.hotel_id, &number(guest)).await.unwrap().expect("an erasure")
}

pub fn codes(row: &ErasureRow) -> Vec<&str> {
    row.act["not_reached"].as_array().into_iter().flatten().filter_map(|one| one["code"].as_str()).collect()
}

/// A request of the portal's own desk.
async fn request(world: &World, serial: u32, phone: &str, email: &str) {
    let number = RequestNumber::new(2026, serial).unwrap();
    let row = RequestRow {
        id: 0,
        desk: world.id,
        customer: Some(world.id),
        key_portal: world.id,
        number,
        kind: RequestKind::Incident,
        scope: Scope::User,
        priority: Priority::High,
        state: State::Registered,
        resolution: None,
        channel: "form".into(),
        app_version: String::new(),
        language: "ru".into(),
        submitter: None,
        assigned: None,
        parent: None,
        content: vec![],
        clocks: Clocks::start(world.clock.now()),
        told: String::new(),
        look_at: None,
        silence: None,
        erased_at: None,
        rating: None,
        fixed_in: None,
        live_at: None,
        times: Default::default(),
        revision: 1,
        head: Head::of(number),
        created_at: 1,
        updated_at: 1,
    };
    let some =
        |hash: fn(&TenantKey, &str) -> String, text: &str| (!text.is_empty()).then(|| hash(&world.request_key, text));
    let hashes = Hashes { phone: some(phone_hash, phone), email: some(email_hash, email), login: None };
    let tx = world.db.begin().await.unwrap();
    requests::insert(&tx, world.id, &row, &hashes, None).await.unwrap().expect("new");
    tx.commit().await.unwrap();
}

async fn archive(world: &World, engine: &Engine, guest: &str) -> Option<Value> {
    let code = HotelCode::parse("GRAND").unwrap();
    let hotel = hotels::by_code(&world.db, world.id, &code).await.unwrap().unwrap();
    engine.export_person(world.id, &hotel, &number(guest)).await.unwrap()
}

on_both_engines! {
    s1_all_that_is_held_of_a_person_is_handed_out_and_nothing_of_anybody_else(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        book(&world, "7");
        world.book("3", "8");
        world.round(&engine).await;
        let archive = archive(&world, &engine, "7").await.expect("known");
        assert_eq!((&archive["person"], &archive["facts"]["last_name"]), (&json!("GRAND:7"), &json!("Иванова7")));
        let roles: Vec<_> = archive["stays"].as_array().unwrap().iter().map(|stay| (&stay["number"], &stay["role"])).collect();
        assert_eq!(roles, [(&json!("17"), &json!("guest")), (&json!("27"), &json!("companion"))]);
        let records: Vec<_> = archive["records"].as_array().unwrap().iter().map(|one| one["entity"].as_str().unwrap()).collect();
        assert_eq!(records, ["contact", "deal", "deal"]);
        assert!(archive["records"].to_string().contains("+79000000007"), "{}", archive["records"]);
        assert_eq!(archive["inputs"].as_array().unwrap().len(), 3, "two stays and himself");
        assert!(archive["stays"].to_string().contains("secret7"));
        assert!(!archive.to_string().contains("Иванова8"));
        assert!(self::archive(&world, &engine, "99").await.is_none());
    }

    s1_an_erased_guest_leaves_nothing_here_and_an_empty_record_there(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        book(&world, "7");
        world.round(&engine).await;
        assert!(found(&world, "7").await.len() >= 4, "{:?}", found(&world, "7").await);
        assert_eq!(contact(&world, "7").text("lastName"), "Иванова7");
        let guests = |stay: &str| {
            let deal = world.deals().into_iter().find(|deal| deal.text("originId") == format!("GRAND:{stay}")).unwrap();
            (deal.text("title").contains("Иванова7"), deal.fields["contactIds"].as_array().map_or(0, Vec::len))
        };
        assert_eq!((guests("17"), guests("27")), ((true, 1), (false, 2)));

        let asked = engine.erase_person(world.id, world.hotel_id, &number("7"), 5).await.unwrap().expect("known");
        assert_eq!((asked.stage, asked.asked_by), (Stage::Asked, 5));
        go_on(&world, &engine).await;
        let row = erased(&world, &engine, "7").await;
        assert_eq!(row.stage, Stage::Done, "{:?}", row.act);
        assert_eq!(found(&world, "7").await, Vec::<String>::new());
        let left = contact(&world, "7");
        let texts = ["name", "secondName", "birthdate", "UF_CRM_FB24_VIP"].map(|name| left.text(name));
        assert_eq!((left.text("lastName"), texts), ("GRAND:7".into(), Default::default()));
        assert!(!left.fields["fm"].to_string().contains("0000007"), "{}", left.fields["fm"]);
        assert_eq!((guests("17"), guests("27")), ((false, 0), (false, 1)), "no deal names him");
        let deal = world.deals().into_iter().find(|deal| deal.text("originId") == "GRAND:17").unwrap();
        assert_eq!((deal.text("UF_CRM_FB24_ROOM_TYPE"), deal.text("UF_CRM_FB24_ARRIVAL").is_empty()), ("DBL".into(), false));
        assert_eq!(row.act["destroyed"]["stays"], 2);
        assert_eq!(row.act["destroyed"]["inputs"], 3);
        assert_eq!(row.act["emptied"][0]["id"], left.id);
        assert_eq!(codes(&row), ["pms", "tasks_and_chats", "backups", "other_fields", "deal_texts"]);
        // Once more is the same act.
        let again = engine.erase_person(world.id, world.hotel_id, &number("7"), 6).await.unwrap();
        assert_eq!(again, Some(row));
        let archive = archive(&world, &engine, "7").await.expect("his number is known");
        assert_eq!((&archive["facts"]["last_name"], &archive["erasure"]["stage"]), (&Value::Null, &json!("done")));
        assert!(engine.erase_person(world.id, world.hotel_id, &number("99"), 5).await.unwrap().is_none());
    }

    s1_an_erased_guest_does_not_come_back_by_polls_or_imports(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        book(&world, "7");
        world.round(&engine).await;
        engine.erase_person(world.id, world.hotel_id, &number("7"), 5).await.unwrap();
        // What came in before and is decided after is no way back.
        world.edit_profile("7", |profile| profile.phones = Known::Is(vec![phone("+79110000007")]));
        world.edit_stay("17", |stay| stay.room = Known::Is("205".into()));
        go_on(&world, &engine).await;
        let made = world.contacts().len();
        for room in ["206", "207"] {
            world.edit_profile("7", |profile| profile.title = Known::Is(format!("secret7 {room}")));
            world.edit_stay("17", |stay| stay.room = Known::Is(room.into()));
            world.book(&format!("9{room}"), "7");
            world.pass(Duration::from_secs(30));
            world.round(&engine).await;
            assert_eq!(found(&world, "7").await, Vec::<String>::new(), "{room}");
        }
        let deal = world.deals().into_iter().find(|deal| deal.text("originId") == "GRAND:17").unwrap();
        assert_eq!(deal.text("UF_CRM_FB24_ROOM"), "207", "the hotel's figures go on");
        engine.create_import(world.id, world.hotel_id, None, None, false, 1).await.unwrap();
        for _ in 0..30 {
            engine.import_step(world.id).await.unwrap();
            engine.decide(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
            world.pass(Duration::from_secs(5));
        }
        assert_eq!((found(&world, "7").await, world.contacts().len()), (Vec::new(), made));
        assert_eq!(contact(&world, "7").text("lastName"), "GRAND:7");
        assert_eq!(engine.poll_source(world.id, world.source).await.unwrap(), 0, "nothing of it is news");
        assert!(world.problems(&engine).await.is_empty(), "{:?}", world.problems(&engine).await);
    }

    s1_the_act_names_the_requests_to_support_that_bear_his_phone_or_mail(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        for guest in ["7", "8"] {
            book(&world, guest);
        }
        world.round(&engine).await;
        for (serial, phone, email) in [(1, "8 (900) 000-00-07", ""), (2, "", "ANNA7@example.ru"), (3, "+79000000008", "")] {
            request(&world, serial, phone, email).await;
        }
        engine.erase_person(world.id, world.hotel_id, &number("7"), 5).await.unwrap();
        go_on(&world, &engine).await;
        let row = erased(&world, &engine, "7").await;
        assert_eq!(codes(&row), ["pms", "tasks_and_chats", "backups", "support_requests", "other_fields", "deal_texts"]);
        let requests = row.act["not_reached"].as_array().unwrap().iter().find(|one| one["code"] == "support_requests").unwrap();
        assert_eq!(requests["numbers"], json!(["FB-2026-000001", "FB-2026-000002"]));
        assert_eq!(row.act["kept"], json!(["stay_figures", "numbers", "request_log"]));
    }

    s1_a_guest_whom_the_pms_erased_is_erased_with_an_act(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        book(&world, "7");
        world.round(&engine).await;
        world.edit_profile("7", |profile| profile.privacy_removed = Known::Is(true));
        engine.poll_source(world.id, world.source).await.unwrap();
        go_on(&world, &engine).await;
        let row = erased(&world, &engine, "7").await;
        assert_eq!((row.stage, row.by_pms, row.asked_by), (Stage::Done, true, 0));
        assert_eq!(found(&world, "7").await, Vec::<String>::new());
        assert_eq!(contact(&world, "7").text("lastName"), "GRAND:7");
    }

    s1_what_people_of_the_portal_wrote_is_theirs_and_the_act_says_so(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let anna = world.portal.add_as(2, Kind::Contact, &json!({"name": "Анна", "lastName": "Иванова7", "fm": [
            {"typeId": "PHONE", "valueType": "WORK", "value": "+79000000007"},
            {"typeId": "PHONE", "valueType": "HOME", "value": "+74950000000"}]})).unwrap();
        book(&world, "7");
        world.round(&engine).await;
        engine.erase_person(world.id, world.hotel_id, &number("7"), 5).await.unwrap();
        go_on(&world, &engine).await;
        let row = erased(&world, &engine, "7").await;
        assert_eq!(row.stage, Stage::Done, "{:?}", row.act);
        let stood = world.portal.record(Kind::Contact, anna).unwrap();
        assert_eq!((stood.text("lastName"), stood.text("UF_CRM_FB24_VIP")), ("Иванова7".into(), String::new()));
        assert!(stood.fields["fm"].to_string().contains("74950000000"), "{}", stood.fields["fm"]);
        assert!(!stood.fields["fm"].to_string().contains("anna7@"), "{}", stood.fields["fm"]);
        let by_people = row.act["not_reached"].as_array().unwrap().iter().find(|one| one["code"] == "fields_of_people").unwrap();
        assert_eq!((&by_people["id"], &by_people["fields"]), (&json!(anna), &json!(["PHONE", "lastName", "name"])));
        // A scan sees his name, and keeps nothing of it.
        world.pass(Duration::from_secs(600));
        world.portal.edit_as(3, Kind::Contact, anna, &json!({"secondName": "Петровна"})).unwrap();
        engine.scan(world.id).await.unwrap();
        assert_eq!(found(&world, "7").await, Vec::<String>::new());
    }

    s1_fields_that_people_took_to_themselves_stay_theirs_and_no_former_value_is_kept_of_an_erased_guest(db) {
        const FIELD: &str = "UF_CRM_FB24_ROOM_TYPE";
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("17", "7");
        world.round(&engine).await;
        let hotel_says = |room_type: &str| world.edit_stay("17", |stay| {
            stay.room_type = Known::Is(room_type.into());
            stay.room = Known::Is(format!("of {room_type}"));
        });
        world.pass(Duration::from_secs(20));
        hotel_says("SUITE");
        world.round(&engine).await;
        let stay = StayNumber::parse("17").unwrap();
        let wish = PinWish::new(FIELD.into(), true, 3);
        engine.pin(world.id, world.hotel_id, &stay, &wish).await.unwrap();
        go_on(&world, &engine).await;
        let told = archive(&world, &engine, "7").await.expect("known")["taken_back"].clone();
        let deal = world.deals()[0].id;
        let pin = json!([{"entity": "deal", "id": deal, "field": FIELD, "value": "DBL", "undone": "SUITE", "written": true}]);
        assert_eq!(told, pin);
        world.portal.edit_as(3, Kind::Deal, deal, &json!({FIELD: "by hand"})).unwrap();

        engine.erase_person(world.id, world.hotel_id, &number("7"), 5).await.unwrap();
        engine.decide(world.id).await.unwrap();
        let subject = Subject::Stay(world.hotel_id, stay).to_string();
        let subjects = [subject.clone()];
        let before = async || {
            let trace = provenance::load(&world.db, world.id, &world.key, &subjects).await.unwrap().remove(&subject);
            trace.expect("a trace").into_values().filter_map(|written| written.before).collect::<Vec<CrmValue>>()
        };
        assert_eq!(before().await, Vec::<CrmValue>::new());
        // What was on its way meanwhile is confirmed.
        let words = || CrmValue::Text("Иванова7".into());
        let before_it = Some(words());
        let late =
            Written { value: CrmValue::Empty, record: 1, version: 0, at: 1, before: before_it, told: None, call: None };
        let pin = Pin { value: words(), undone: words(), written: true };
        let tx = world.db.begin().await.unwrap();
        let trace = [("UF_CRM_FB24_ROOM".to_owned(), late)].into();
        provenance::note(&tx, world.id, &world.key, vec![(subject.clone(), trace)], 1).await.unwrap();
        pins::set(&tx, world.id, &world.key, (&subject, "UF_CRM_FB24_ROOM"), &pin, (3, 1)).await.unwrap();
        tx.commit().await.unwrap();
        go_on(&world, &engine).await;
        assert_eq!(erased(&world, &engine, "7").await.stage, Stage::Done);
        assert_eq!(before().await, Vec::<CrmValue>::new());
        assert_eq!(found(&world, "7").await, Vec::<String>::new());
        let pins = pins::load(&world.db, world.id, &world.key, &subjects).await.unwrap().remove(&subject);
        let pins: Vec<_> = pins.into_iter().flatten().collect();
        let blank = |field: &str| (field.to_owned(), Pin::blank());
        assert_eq!(pins, [blank("UF_CRM_FB24_ROOM"), blank(FIELD)]);
        hotel_says("JUNIOR");
        world.round(&engine).await;
        assert_eq!(world.deals()[0].text(FIELD), "by hand", "theirs as before");
    }

    s1_an_erasure_that_is_killed_at_any_step_is_finished_by_another_process(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let heir = world.engine();
        let steps: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let (mut stop_at, mut kills) = (0, 0);
        loop {
            let guest = format!("{}", 71 + stop_at);
            book(&world, &guest);
            world.round(&heir).await;
            heir.erase_person(world.id, world.hotel_id, &number(&guest), 5).await.unwrap();
            let (count, dead) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
            let (log, died) = (steps.clone(), dead.clone());
            let observer: StepObserver = Arc::new(move |step| {
                // Decisions are killed elsewhere.
                if !step.starts_with("erase.") && !step.starts_with("deliver.") {
                    return !died.load(Ordering::SeqCst);
                }
                log.lock().unwrap().push(step);
                let dies = died.load(Ordering::SeqCst) || count.fetch_add(1, Ordering::SeqCst) == stop_at;
                died.fetch_or(dies, Ordering::SeqCst);
                !dies
            });
            let doomed = world.engine_of(world.node(), Some(observer));
            for _ in 0..3 {
                let _ = doomed.decide(world.id).await;
                let _ = doomed.deliver(world.id).await;
                world.pass(Duration::from_secs(11));
            }
            drop(doomed);
            world.pass(Duration::from_secs(90));
            go_on(&world, &heir).await;
            world.settle(&heir).await;
            go_on(&world, &heir).await;
            let row = erased(&world, &heir, &guest).await;
            assert_eq!(row.stage, Stage::Done, "killed at {stop_at}: {:?}", row.act);
            assert_eq!(found(&world, &guest).await, Vec::<String>::new(), "killed at {stop_at}");
            assert_eq!(contact(&world, &guest).text("lastName"), format!("GRAND:{guest}"));
            if !dead.load(Ordering::SeqCst) {
                break;
            }
            kills += 1;
            stop_at += 1;
            assert!(kills < 60, "it has no end: {:?}", steps.lock().unwrap().iter().rev().take(60).collect::<Vec<_>>());
        }
        let steps = steps.lock().unwrap();
        for step in ["erase.read", "erase.forgotten", "erase.committed", "erase.concluded", "deliver.marked"] {
            assert!(steps.contains(&step), "{step}: {steps:?}");
        }
        assert!(kills >= 6, "{steps:?}");
    }
}
