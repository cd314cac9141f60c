//! A robot that keeps changing what is the hotel's: put back three times a day, field by field (product §2.6).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::domain::Known;
use fidelio_bitrix24::sync::Engine;
use serde_json::{Value, json};

use super::world::World;
use crate::on_both_engines;

const CONTESTED: &str = "UF_CRM_FB24_ROOM_TYPE";

async fn edit(world: &World, engine: &Engine, field: &str, value: impl Into<Value>) {
    world.pass(Duration::from_secs(400));
    let deal = world.deals()[0].id;
    world.portal.edit_as(3, Kind::Deal, deal, &json!({field: value.into()})).unwrap();
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
            edit(&world, &engine, CONTESTED, format!("robot {round}")).await;
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

    s1_a_contested_field_takes_what_the_hotel_changes_and_is_left_again_after_three_times_more(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let field = |name: &str| world.deals()[0].text(name);
        for round in 0..5 {
            edit(&world, &engine, CONTESTED, format!("robot {round}")).await;
        }
        assert_eq!(field(CONTESTED), "robot 4");
        let problem = world.problems(&engine).await.remove(0);
        engine.dismiss_problem(world.id, problem.id, "a robot").await.unwrap();

        world.edit_stay("1", |stay| stay.room_type = Known::Is("SUITE".into()));
        world.round(&engine).await;
        assert_eq!(field(CONTESTED), "SUITE", "what is new is not what was fought over");
        assert!(world.problems(&engine).await.is_empty(), "there is nothing left to look into");
        for round in 0..3 {
            edit(&world, &engine, CONTESTED, format!("again {round}")).await;
            assert_eq!(field(CONTESTED), "SUITE", "round {round}");
        }
        edit(&world, &engine, CONTESTED, "again 3").await;
        assert_eq!(field(CONTESTED), "again 3");
        let again = world.problems(&engine).await.remove(0);
        assert_eq!((again.cause.as_str(), again.state.as_str()), ("putback.stopped", "open"));

        // Nobody decides: a day after it was last put back it is written with the next news.
        world.pass(Duration::from_secs(24 * 3_600 + 1));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!(field(CONTESTED), "SUITE");
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_a_robot_that_takes_our_guest_off_the_deal_is_not_fought_for_ever(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let guests = || world.deals()[0].fields["contactIds"].as_array().map_or(0, Vec::len);
        for round in 0..3 {
            edit(&world, &engine, "contactIds", json!([])).await;
            assert_eq!(guests(), 1, "round {round}");
        }
        assert!(world.problems(&engine).await.is_empty());
        edit(&world, &engine, "contactIds", json!([])).await;
        assert_eq!(guests(), 0);
        let problem = world.problems(&engine).await.remove(0);
        assert_eq!((problem.cause.as_str(), &problem.params["fields"]), ("putback.stopped", &json!(["contactIds"])));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!((world.deals()[0].text("UF_CRM_FB24_ROOM"), guests()), ("205".into(), 0), "other news leave it alone");
        engine.retry_problem(world.id, problem.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(guests(), 1);
    }

    s1_a_quarrel_ends_when_the_record_holds_the_hotels_value_again(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        for round in 0..4 {
            edit(&world, &engine, CONTESTED, format!("robot {round}")).await;
        }
        assert_eq!(world.problems(&engine).await.len(), 1);
        edit(&world, &engine, CONTESTED, "DBL").await;
        assert!(world.problems(&engine).await.is_empty());
        world.edit_stay("1", |stay| stay.comments = Known::Is(vec!["late".into()]));
        world.round(&engine).await;
        edit(&world, &engine, CONTESTED, "robot 4").await;
        assert_eq!(world.deals()[0].text(CONTESTED), "DBL", "the next one begins from nothing");
        world.edit_stay("1", |stay| stay.room_type = Known::Is("SUITE".into()));
        world.round(&engine).await;
        assert_eq!(world.deals()[0].text(CONTESTED), "SUITE");
    }
}
