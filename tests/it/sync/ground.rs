//! What people change while a delivery runs.

use std::time::Duration;

use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{Currency, HotelCode};
use fidelio_bitrix24::store::hotels::{self, HotelFacts};
use fidelio_bitrix24::store::sources::{self, SourceConfig};

use super::world::World;
use crate::on_both_engines;

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
    };
    let source = sources::add(&tx, world.id, &world.key, hotel, "suite8_xml", "direct", Some(&config)).await.unwrap();
    tx.commit().await.unwrap();
    source
}

on_both_engines! {
    s1_a_hotel_added_while_a_delivery_runs_loses_no_booking(db) {
        let mut options = PortalOptions::default();
        options.cost.latency_per_request = Duration::from_millis(700);
        let world = World::new(db, options).await;
        for number in 1..=3 {
            world.book(&number.to_string(), &(100 + number).to_string());
        }
        let engine = world.engine();
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        world.portal.clear_requests();
        let ticking = world.ticking();
        let (delivering, portal) = (engine.clone(), world.id);
        let delivery = tokio::spawn(async move { delivering.deliver(portal).await });
        while world.requests() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let source = second_hotel(&world).await;
        engine.poll_source(world.id, source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        delivery.await.unwrap().unwrap();
        engine.deliver(world.id).await.unwrap();
        drop(ticking);
        let mut marks: Vec<String> = world.deals().iter().map(|deal| deal.text("originId")).collect();
        marks.sort();
        assert_eq!(marks, ["GRAND:1", "GRAND:2", "GRAND:3", "PARK:1", "PARK:2", "PARK:3"]);
    }
}
