//! A demo hotel comes, lives, and goes with what nobody touched (product §4).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions, Record};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::domain::{Change, CrmEntity, Currency, Entity, HotelCode, HotelId, Known, Profile, ProfileKind};
use fidelio_bitrix24::fidelio::demo::{self, Demo};
use fidelio_bitrix24::fidelio::{Read, Sink, Source, SourceError};
use fidelio_bitrix24::store::hotels::{self, HotelFacts, HotelRow, HotelSettings};
use fidelio_bitrix24::store::links::{self, LinkRow, Origin};
use fidelio_bitrix24::store::sources;
use fidelio_bitrix24::sync::{Engine, StepObserver, SyncError, removal};
use serde_json::{Value, json};

use super::world::{World, start_time};
use crate::on_both_engines;

pub fn source(clock: &Clock) -> Demo {
    Demo::new("world", chrono_tz::Europe::Moscow, Currency::parse("RUB").unwrap(), clock.clone())
}

struct Connected {
    hotel: HotelRow,
    source: i64,
}

async fn connect(world: &World) -> Connected {
    let code = HotelCode::parse("DEMO").unwrap();
    let facts =
        HotelFacts { name: "Demo".into(), timezone: "Europe/Moscow".into(), currency: Currency::parse("RUB").unwrap() };
    let tx = world.db.begin().await.unwrap();
    let hotel = match hotels::create(&tx, world.id, &code, &facts, 0).await.unwrap() {
        Some(hotel) => {
            let settings = HotelSettings { demo: true, ..HotelSettings::default() };
            hotels::set_settings(&tx, world.id, hotel, &settings).await.unwrap();
            hotel
        }
        None => {
            let tombstone = hotels::holder(&tx, world.id, &code).await.unwrap().unwrap();
            hotels::update(&tx, world.id, tombstone.id, &facts).await.unwrap();
            removal::undo(&tx, &tombstone).await.unwrap();
            tombstone.id
        }
    };
    let source = sources::add(&tx, world.id, &world.key, hotel, demo::KIND, "direct", None).await.unwrap();
    tx.commit().await.unwrap();
    let hotel = hotels::by_id(&world.db, world.id, hotel).await.unwrap().unwrap();
    Connected { hotel, source }
}

/// Who arrives today and tomorrow: enough of a hotel for a test.
async fn import(world: &World, engine: &Engine, hotel: HotelId) {
    let today = start_time().date_naive();
    engine.create_import(world.id, hotel, Some(today), today.succ_opt(), false, 1).await.unwrap();
    for _ in 0..6 {
        engine.import_step(world.id).await.unwrap();
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        world.pass(Duration::from_secs(5));
    }
}

async fn remove(world: &World, hotel: &HotelRow) {
    let tx = world.db.begin().await.unwrap();
    hotels::remove(&tx, hotel, Vec::new(), world.clock.now_ms()).await.unwrap();
    sources::delete_of_hotel(&tx, world.id, hotel.id).await.unwrap();
    removal::begin(&tx, hotel, world.clock.now_ms()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Deliveries until nothing is on its way.
async fn deliver_all(world: &World, engine: &Engine) {
    for _ in 0..60 {
        let _ = engine.deliver(world.id).await;
        if engine.queues(world.id).await.unwrap().outbox.waiting == 0 {
            return;
        }
        world.pass(Duration::from_secs(3));
    }
    panic!("something stays on its way: {:?}", engine.queues(world.id).await.unwrap().outbox);
}

fn of_demo(world: &World, kind: Kind) -> Vec<Record> {
    world.portal.records(kind).into_iter().filter(|record| record.text("originId").starts_with("DEMO:")).collect()
}

fn left(world: &World) -> [usize; 3] {
    [Kind::Deal, Kind::Contact, Kind::Company].map(|kind| of_demo(world, kind).len())
}

#[derive(Default)]
struct Guests(Vec<Profile>);

#[async_trait]
impl Sink for Guests {
    async fn take(&mut self, changes: Vec<Change>, _: Option<Value>) -> Result<(), SourceError> {
        self.0.extend(changes.into_iter().filter_map(|change| match change.entity {
            Entity::Profile(profile) if profile.kind == Known::Is(ProfileKind::Guest) => Some(*profile),
            _ => None,
        }));
        Ok(())
    }
}

on_both_engines! {
    s1_a_demo_hotel_lives_and_goes_with_what_nobody_touched(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        world.round(&engine).await;
        let demo = connect(&world).await;
        engine.poll_source(world.id, demo.source).await.unwrap();
        import(&world, &engine, demo.hotel.id).await;
        let stages = || of_demo(&world, Kind::Deal).into_iter()
            .map(|deal| (deal.id, deal.text("stageId")))
            .collect::<BTreeMap<_, _>>();
        let before = stages();
        assert!(before.len() >= 5 && of_demo(&world, Kind::Contact).len() >= 5, "{:?}", left(&world));

        for _ in 0..8 {
            world.pass(Duration::from_secs(3 * 3_600));
            engine.poll_source(world.id, demo.source).await.unwrap();
            engine.decide(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
        }
        let after = stages();
        assert!(before.iter().filter(|(id, stage)| after.get(id) != Some(stage)).count() >= 2, "{before:?} {after:?}");
        assert!(after.len() > before.len(), "new bookings came in");
        assert_eq!(world.problems(&engine).await.len(), 0, "{:?}", world.problems(&engine).await);

        // What we wrote last has been looked at.
        world.pass(Duration::from_secs(600));
        engine.deliver(world.id).await.unwrap();
        world.pass(Duration::from_secs(60));
        // A colleague writes into one deal, the installing admin into others, once where nothing is ours; a contact is a
        // real hotel's guest as well.
        let deals: Vec<i64> = after.keys().copied().take(3).collect();
        for (user, deal, field) in [(7, deals[0], "title"), (1, deals[1], "title"), (1, deals[2], "comments")] {
            world.portal.edit_as(user, Kind::Deal, deal, &json!({field: "Call before arrival"})).unwrap();
        }
        let shared = of_demo(&world, Kind::Contact)[0].id;
        let tx = world.db.begin().await.unwrap();
        let real = LinkRow {
            subject: format!("profile:{}:99", world.hotel_id),
            entity: CrmEntity::Contact,
            crm_id: shared,
            origin: Origin::Adopted,
            marked: false,
        };
        links::add(&tx, world.id, &[real], 0).await.unwrap();
        tx.commit().await.unwrap();

        remove(&world, &demo.hotel).await;
        deliver_all(&world, &engine).await;
        let ids = |kind| of_demo(&world, kind).iter().map(|record| record.id).collect::<Vec<_>>();
        assert_eq!((ids(Kind::Deal), ids(Kind::Contact), ids(Kind::Company)), (deals.clone(), vec![shared], vec![]));
        assert_eq!(world.portal.record(Kind::Deal, deals[0]).unwrap().text("title"), "Call before arrival");
        assert_eq!((world.deals().len(), world.contacts().len()), (4, 2), "the real hotel's stay");
        let mut kept: Vec<(i64, String)> = world.problems(&engine).await.into_iter()
            .map(|problem| {
                assert_eq!((problem.cause.as_str(), problem.hotel), ("demo.kept", Some(demo.hotel.id)));
                (problem.params["id"].as_i64().unwrap(), problem.params["why"].as_str().unwrap().to_owned())
            })
            .collect();
        kept.sort();
        let mut expected: Vec<_> = deals.iter().map(|deal| (*deal, "edited".to_owned())).collect();
        expected.push((shared, "shared".to_owned()));
        expected.sort();
        assert_eq!(kept, expected);

        // Once more is once too often, and harms nobody.
        let before = left(&world);
        remove(&world, &demo.hotel).await;
        deliver_all(&world, &engine).await;
        assert_eq!(left(&world), before);
        assert_eq!((world.deals().len(), world.contacts().len()), (4, 2));
        world.edit_stay("1", |stay| stay.room = Known::Is("501".into()));
        world.round(&engine).await;
        assert!(world.deals().iter().any(|deal| deal.text("UF_CRM_FB24_ROOM") == "501"), "the real one goes on");
    }

    s1_a_demo_hotel_adopts_nobody_and_nobody_is_taken_for_its_guests(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let today = start_time().date_naive();
        let mut guests = Guests::default();
        let all = Read::Arrivals { from: today, to: today };
        source(&world.clock).read(&all, &Value::Null, &mut guests).await.unwrap();
        let (alike, another) = (guests.0[0].clone(), guests.0[2].clone());
        let text = |fact: &Known<String>| fact.get().cloned().unwrap_or_default();
        let phone = alike.phones.get().unwrap()[0].phone.raw.clone();
        let real = world.portal.add_as(2, Kind::Contact, &json!({
            "name": text(&alike.first_name), "lastName": text(&alike.last_name),
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": phone}],
        })).unwrap();

        let demo = connect(&world).await;
        import(&world, &engine, demo.hotel.id).await;
        let made = of_demo(&world, Kind::Contact).len();
        assert_eq!(world.contacts().len(), made + 1);
        let stood = world.portal.record(Kind::Contact, real).unwrap();
        assert_eq!((stood.text("originId"), stood.fields["UF_CRM_FB24_PROFILE"].clone()), (String::new(), json!([])));
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());

        world.book("1", "7");
        world.edit_profile("7", |profile| {
            (profile.first_name, profile.last_name) = (another.first_name.clone(), another.last_name.clone());
            (profile.phones, profile.emails) = (another.phones.clone(), another.emails.clone());
        });
        world.round(&engine).await;
        assert_eq!(world.contacts().len(), made + 2, "a contact of his own");
        assert_eq!(of_demo(&world, Kind::Contact).len(), made);
        assert!(engine.merge_hints(world.id, None, 10).await.unwrap().items.is_empty());
    }

    s1_a_removal_that_is_killed_at_any_step_goes_on_where_it_was(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let heir = world.engine();
        let steps: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let (mut stop_at, mut kills) = (0, 0);
        loop {
            let demo = connect(&world).await;
            import(&world, &heir, demo.hotel.id).await;
            assert!(left(&world).iter().all(|count| *count > 0), "connected again: {:?}", left(&world));
            remove(&world, &demo.hotel).await;

            let (count, dead) = (AtomicUsize::new(0), AtomicBool::new(false));
            let log = steps.clone();
            let observer: StepObserver = Arc::new(move |step| {
                log.lock().unwrap().push(step);
                let dies = dead.load(Ordering::SeqCst) || count.fetch_add(1, Ordering::SeqCst) == stop_at;
                dead.fetch_or(dies, Ordering::SeqCst);
                !dies
            });
            let doomed = world.engine_of(world.node(), Some(observer));
            let mut stopped = false;
            for _ in 0..4 {
                stopped |= matches!(doomed.deliver(world.id).await, Err(SyncError::Stopped(_)));
                world.pass(Duration::from_secs(if stopped { 90 } else { 3 }));
            }
            drop(doomed);
            deliver_all(&world, &heir).await;
            assert_eq!(left(&world), [0, 0, 0], "killed at {stop_at}: {:?}", steps.lock().unwrap().last());
            assert!(world.problems(&heir).await.is_empty(), "{:?}", world.problems(&heir).await);
            if !stopped {
                break;
            }
            kills += 1;
            stop_at += 1;
        }
        assert!(kills >= 4, "{:?}", steps.lock().unwrap());
    }

    s1_a_removal_whose_answers_are_lost_deletes_the_rest_and_nothing_else(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        world.book("1", "7");
        world.round(&engine).await;
        let demo = connect(&world).await;
        import(&world, &engine, demo.hotel.id).await;
        world.portal.fault(Fault::after_commit("crm.item.delete").times(2));
        remove(&world, &demo.hotel).await;
        deliver_all(&world, &engine).await;
        assert_eq!(left(&world), [0, 0, 0]);
        assert_eq!((world.deals().len(), world.contacts().len()), (1, 1));
        assert!(world.problems(&engine).await.is_empty(), "{:?}", world.problems(&engine).await);
    }
}
