//! What the deal tab tells of a stay's past.

use std::time::Duration;

use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::domain::{HotelCode, Known, StayNumber, StayStatus};
use fidelio_bitrix24::sync::Engine;

use super::world::World;
use crate::on_both_engines;

async fn told(world: &World, engine: &Engine) -> Vec<(String, String, String)> {
    let (hotel, number) = (HotelCode::parse("GRAND").unwrap(), StayNumber::parse("1").unwrap());
    let view = engine.stay(world.id, &hotel, &number).await.unwrap().expect("the stay");
    view.history
        .iter()
        .map(|row| (row.step.kind.word().to_owned(), row.step.from.clone(), row.step.to.clone()))
        .collect()
}

fn line(kind: &str, from: &str, to: &str) -> (String, String, String) {
    (kind.to_owned(), from.to_owned(), to.to_owned())
}

on_both_engines! {
    s1_a_stay_remembers_its_steps_once_and_the_latest_first(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!(told(&world, &engine).await, [], "being seen for the first time is no step");

        world.pass(Duration::from_secs(15));
        world.edit_stay("1", |stay| stay.departure = Known::Is("2026-11-26".parse().unwrap()));
        world.round(&engine).await;
        world.pass(Duration::from_secs(15));
        world.edit_stay("1", |stay| {
            stay.status = Known::Is(StayStatus::InHouse);
            stay.room = Known::Is("101".into());
        });
        // The second and third rounds read the same again.
        for _ in 0..3 {
            world.round(&engine).await;
            world.pass(Duration::from_secs(15));
        }
        // A step no hotel's day knows is refused: it did not happen.
        for status in [StayStatus::CheckedOut, StayStatus::Confirmed] {
            world.edit_stay("1", |stay| stay.status = Known::Is(status));
            world.round(&engine).await;
            world.pass(Duration::from_secs(15));
        }
        assert_eq!(
            told(&world, &engine).await,
            [
                line("status", "in_house", "checked_out"),
                line("status", "confirmed", "in_house"),
                line("dates", "2026-11-22/2026-11-25", "2026-11-22/2026-11-26"),
            ]
        );
        let hotel = HotelCode::parse("GRAND").unwrap();
        let view = engine.stay(world.id, &hotel, &StayNumber::parse("1").unwrap()).await.unwrap().unwrap();
        let (step, first) = (&view.history[1], &view.history[2]);
        assert!(step.received_at > first.received_at);
        assert_eq!(step.pms_time.unwrap().to_string(), "2026-11-21 13:00:03", "the hotel's own clock");
    }
}
