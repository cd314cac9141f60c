//! What people change while a delivery runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fb24_sandbox::portal::{PortalOptions, Record};
use fidelio_bitrix24::domain::{Currency, HotelCode, OwnerRule};
use fidelio_bitrix24::store::hotels::{self, HotelFacts};
use fidelio_bitrix24::store::sources::{self, Dialect, SourceConfig};
use fidelio_bitrix24::sync::StepObserver;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::world::{World, followed};
use crate::on_both_engines;
use crate::support::db::TestDb;

async fn second_hotel(world: &World) -> i64 {
    let tx = world.db.begin().await.unwrap();
    let facts =
        HotelFacts { name: "Park".into(), timezone: "Europe/Moscow".into(), currency: Currency::parse("RUB").unwrap() };
    let code = HotelCode::parse("PARK").unwrap();
    let hotel = hotels::create(&tx, world.id, &code, &facts, 0).await.unwrap().unwrap();
    let config = SourceConfig {
        url: "http://127.0.0.1:2/".parse().unwrap(),
        username: "u".into(),
        password: "p".to_owned().into(),
        vendor: None,
        dialect: Dialect::default(),
    };
    let source = sources::add(&tx, world.id, &world.key, hotel, "suite8_xml", "direct", Some(&config)).await.unwrap();
    tx.commit().await.unwrap();
    followed(&world.db, world.id, source).await;
    source
}

/// Three guests with their bookings, ready to be delivered.
pub async fn decided(db: TestDb) -> Arc<World> {
    let world = World::new(db, PortalOptions::default()).await;
    for number in 1..=3 {
        world.book(&number.to_string(), &(100 + number).to_string());
    }
    let engine = world.engine();
    engine.poll_source(world.id, world.source).await.unwrap();
    engine.decide(world.id).await.unwrap();
    Arc::new(world)
}

/// Does this once, as soon as the delivery's first request is answered and before anything more is sent.
pub fn meanwhile(work: impl Future<Output = ()> + Send + 'static) -> StepObserver {
    let work = Mutex::new(Some(work));
    Arc::new(move |step| {
        if step == "deliver.answered"
            && let Some(work) = work.lock().unwrap().take()
        {
            block_in_place(|| Handle::current().block_on(work));
        }
        true
    })
}

on_both_engines! {
    s1_a_hotel_added_while_a_delivery_runs_loses_no_booking(db) {
        let world = decided(db).await;
        let adding = world.clone();
        let observer = meanwhile(async move {
            let (source, engine) = (second_hotel(&adding).await, adding.engine());
            engine.poll_source(adding.id, source).await.unwrap();
            engine.decide(adding.id).await.unwrap();
        });
        world.engine_of(world.node(), Some(observer)).deliver(world.id).await.unwrap();
        world.engine().deliver(world.id).await.unwrap();
        let mut marks: Vec<String> = world.deals().iter().map(|deal| deal.text("originId")).collect();
        marks.sort();
        assert_eq!(marks, ["GRAND:1", "GRAND:2", "GRAND:3", "PARK:1", "PARK:2", "PARK:3"]);
    }

    s1_a_rule_changed_while_a_delivery_runs_holds_for_what_was_not_sent(db) {
        let world = decided(db).await;
        let node = world.node();
        let (changing, time) = (node.clone(), world.time.clone());
        let observer = meanwhile(async move {
            changing.terms.lock().unwrap().owner_rule = OwnerRule::Person { user_id: 3 };
            time.advance(Duration::from_secs(3));
        });
        let engine = world.engine_of(node, Some(observer));
        engine.deliver(world.id).await.unwrap();
        assert_eq!((world.contacts().len(), world.deals().len()), (3, 0), "guests go first; then the delivery ended");
        engine.deliver(world.id).await.unwrap();
        let owners = |records: Vec<Record>| records.iter().map(|one| one.int("assignedById")).collect::<Vec<_>>();
        assert_eq!((owners(world.contacts()), owners(world.deals())), (vec![2; 3], vec![3; 3]));
    }
}
