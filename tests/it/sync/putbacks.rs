//! A robot that keeps changing what is the hotel's: put back three times a day, field by field (product §2.6).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::domain::Known;
use fidelio_bitrix24::sync::Engine;
use serde_json::json;

use super::world::World;
use crate::on_both_engines;

const CONTESTED: &str = "UF_CRM_FB24_ROOM_TYPE";

async fn edit(world: &World, engine: &Engine, field: &str, value: &str) {
    world.pass(Duration::from_secs(400));
    let deal = world.deals()[0].id;
    world.portal.edit_as(3, Kind::Deal, deal, &json!({field: value})).unwrap();
    engine.scan(world.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
}

on_both_engines! {
    s1_a_contested_field_is_left_alone_and_every_other_one_goes_on(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let field = |name: &str| world.deals()[0].text(name);
        for round in 0..3 {
            edit(&world, &engine, CONTESTED, &format!("robot {round}")).await;
            assert_eq!(field(CONTESTED), "DBL", "round {round}");
        }
        edit(&world, &engine, CONTESTED, "robot 3").await;
        assert_eq!(field(CONTESTED), "robot 3");
        let problem = world.problems(&engine).await.remove(0);
        assert_eq!(problem.cause, "putback.stopped");
        assert_eq!(problem.params["fields"], json!([CONTESTED]));
        assert_eq!(problem.params["editor"], 3, "who changed it last");
        assert_eq!(problem.hotel, Some(world.hotel_id));

        // The hotel's other news do not bring the quarrel back.
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!((field("UF_CRM_FB24_ROOM"), field(CONTESTED)), ("205".into(), "robot 3".into()));
        // Another field is another matter.
        edit(&world, &engine, "UF_CRM_FB24_ROOM", "by hand").await;
        assert_eq!((field("UF_CRM_FB24_ROOM"), field(CONTESTED)), ("205".into(), "robot 3".into()));
        edit(&world, &engine, CONTESTED, "robot 4").await;
        assert_eq!(world.problems(&engine).await.len(), 1);

        // A person found the robot, and wants the hotel's value back.
        engine.retry_problem(world.id, problem.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(field(CONTESTED), "DBL");
    }

    s1_a_quarrel_ends_when_the_record_holds_the_hotels_value_again(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        for round in 0..4 {
            edit(&world, &engine, CONTESTED, &format!("robot {round}")).await;
        }
        edit(&world, &engine, CONTESTED, "DBL").await;
        world.edit_stay("1", |stay| stay.comments = Known::Is(vec!["late".into()]));
        world.round(&engine).await;
        world.edit_stay("1", |stay| stay.room_type = Known::Is("SUITE".into()));
        world.round(&engine).await;
        assert_eq!(world.deals()[0].text(CONTESTED), "SUITE");
    }
}
