//! Records that people delete, restore, copy and merge (product §2.13).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::domain::Known;
use fidelio_bitrix24::sync::views::ProblemView;
use fidelio_bitrix24::sync::{CrmEvent, Engine, EventIntake};
use serde_json::json;

use super::world::World;
use crate::on_both_engines;

/// The portal tells of a change of a record; then the deliveries have the time that looks take.
pub async fn told(world: &World, engine: &Engine, event: &str, entity: i32, crm_id: i64) {
    let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
    world.pass(Duration::from_secs(60));
    let ts = world.clock.now_ms() / 1_000;
    events.accept(world.id, CrmEvent { event: event.into(), entity, crm_id, ts }).await.unwrap();
    engine.decide(world.id).await.unwrap();
    for _ in 0..4 {
        world.pass(Duration::from_secs(3));
        engine.deliver(world.id).await.unwrap();
    }
}

pub async fn later(world: &World, engine: &Engine) {
    world.pass(Duration::from_secs(400));
    for _ in 0..4 {
        engine.deliver(world.id).await.unwrap();
        world.pass(Duration::from_secs(3));
    }
}

/// A booking with its deal, which a person deletes.
async fn deleted(world: &World, engine: &Engine) -> i64 {
    world.book("1", "7");
    world.round(engine).await;
    let deal = world.deals()[0].id;
    world.portal.delete_as(3, Kind::Deal, deal).unwrap();
    told(world, engine, "ONCRMDEALDELETE", 2, deal).await;
    deal
}

async fn open(world: &World, engine: &Engine) -> Vec<ProblemView> {
    world.problems(engine).await.into_iter().filter(|problem| problem.state == "open").collect()
}

async fn causes(world: &World, engine: &Engine) -> Vec<String> {
    open(world, engine).await.into_iter().map(|problem| problem.cause).collect()
}

on_both_engines! {
    s1_a_deleted_deal_is_listed_and_made_again_only_when_a_person_says_so(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let deal = deleted(&world, &engine).await;
        let problem = world.problems(&engine).await.remove(0);
        assert_eq!((problem.cause.as_str(), &problem.params), ("crm.deleted", &json!({"entity": "deal", "id": deal})));
        assert_eq!(problem.hotel, Some(world.hotel_id));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!((world.deals().len(), causes(&world, &engine).await.len()), (0, 1), "the hotel's news bring nothing back");
        engine.dismiss_problem(world.id, problem.id, "a mistake").await.unwrap();
        world.edit_stay("1", |stay| stay.room = Known::Is("206".into()));
        world.round(&engine).await;
        assert!(world.deals().is_empty() && causes(&world, &engine).await.is_empty(), "whoever left it is not asked again");

        engine.retry_problem(world.id, problem.id).await.unwrap();
        later(&world, &engine).await;
        let deals = world.deals();
        assert_eq!((deals.len(), deals[0].text("originId"), deals[0].text("UF_CRM_FB24_ROOM")), (1, "GRAND:1".into(), "206".into()));
        assert!(open(&world, &engine).await.is_empty());
        // Once more is another decision.
        world.portal.delete_as(3, Kind::Deal, deals[0].id).unwrap();
        told(&world, &engine, "ONCRMDEALDELETE", 2, deals[0].id).await;
        assert_eq!((world.deals().len(), causes(&world, &engine).await), (0, vec!["crm.deleted".to_owned()]));
    }

    s1_a_deleted_deal_is_made_again_where_the_setting_says_so(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.recreate_deals = true;
        let engine = world.engine();
        let deal = deleted(&world, &engine).await;
        let deals = world.deals();
        assert_eq!(deals.len(), 1);
        assert!(deals[0].id != deal && deals[0].text("originId") == "GRAND:1");
        assert!(open(&world, &engine).await.is_empty());
    }

    s1_a_robot_that_deletes_deals_is_not_fought_for_ever(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.ownership.recreate_deals = true;
        let engine = world.engine();
        deleted(&world, &engine).await;
        for _ in 0..3 {
            assert_eq!((world.deals().len(), open(&world, &engine).await.len()), (1, 0));
            let deal = world.deals()[0].id;
            world.portal.delete_as(3, Kind::Deal, deal).unwrap();
            told(&world, &engine, "ONCRMDEALDELETE", 2, deal).await;
        }
        assert_eq!((world.deals().len(), causes(&world, &engine).await), (0, vec!["crm.deleted".to_owned()]));
    }

    s1_a_deleted_contact_is_listed_and_its_deals_go_on(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let contact = world.contacts()[0].id;
        world.portal.delete_as(3, Kind::Contact, contact).unwrap();
        told(&world, &engine, "ONCRMCONTACTDELETE", 3, contact).await;
        assert_eq!((world.contacts().len(), causes(&world, &engine).await), (0, vec!["crm.deleted".to_owned()]));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        assert_eq!(world.deals()[0].text("UF_CRM_FB24_ROOM"), "205");
        let problem = world.problems(&engine).await.remove(0);
        engine.retry_problem(world.id, problem.id).await.unwrap();
        later(&world, &engine).await;
        assert_eq!(world.contacts().len(), 1);
        assert_eq!(world.deals()[0].fields["contactIds"], json!([world.contacts()[0].id]));
        assert!(open(&world, &engine).await.is_empty());
    }

    s1_a_restored_deal_is_the_stays_again_under_whatever_id(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let deal = deleted(&world, &engine).await;
        world.portal.restore_as(3, Kind::Deal, deal, false).unwrap();
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        told(&world, &engine, "ONCRMDEALADD", 2, deal).await;
        assert_eq!((world.deals().len(), world.deals()[0].text("UF_CRM_FB24_ROOM")), (1, "205".into()));
        assert!(open(&world, &engine).await.is_empty());

        world.portal.delete_as(3, Kind::Deal, deal).unwrap();
        told(&world, &engine, "ONCRMDEALDELETE", 2, deal).await;
        assert_eq!(causes(&world, &engine).await, ["crm.deleted"]);
        let new = world.portal.restore_as(3, Kind::Deal, deal, true).unwrap();
        // Its event says nothing of whose it is; the scan finds it.
        told(&world, &engine, "ONCRMDEALADD", 2, new).await;
        later(&world, &engine).await;
        assert!(open(&world, &engine).await.is_empty());
        world.edit_stay("1", |stay| stay.room = Known::Is("206".into()));
        world.round(&engine).await;
        let deals = world.deals();
        assert_eq!((deals.len(), deals[0].id, deals[0].text("UF_CRM_FB24_ROOM")), (1, new, "206".into()));
    }

    s1_a_copied_deal_is_shown_and_never_written(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        let copy = world.portal.copy_as(3, Kind::Deal, deal).unwrap();
        told(&world, &engine, "ONCRMDEALADD", 2, copy).await;
        later(&world, &engine).await;
        let problem = world.problems(&engine).await.remove(0);
        assert_eq!((problem.cause.as_str(), &problem.params["ids"]), ("crm.duplicate_mark", &json!([deal, copy])));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.round(&engine).await;
        let room = |id| world.portal.record(Kind::Deal, id).unwrap().text("UF_CRM_FB24_ROOM");
        assert_eq!((room(deal), room(copy)), ("205".into(), String::new()));
        engine.dismiss_problem(world.id, problem.id, "wanted").await.unwrap();
        world.portal.edit_as(3, Kind::Deal, copy, &json!({"comments": "x"})).unwrap();
        later(&world, &engine).await;
        assert!(open(&world, &engine).await.is_empty(), "told once");
        // The one that was ours goes: the copy is all there is.
        world.portal.delete_as(3, Kind::Deal, deal).unwrap();
        told(&world, &engine, "ONCRMDEALDELETE", 2, deal).await;
        assert_eq!((world.deals().len(), room(copy)), (1, "205".into()));
    }

    s1_a_contact_that_was_merged_into_another_lives_on_in_it(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let ours = world.contacts()[0].id;
        // Another name, another number: nothing but the deal tells that they are one.
        let other = json!({"name": "Анна", "lastName": "Петрова",
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+74951112233"}]});
        let other = world.portal.add_as(3, Kind::Contact, &other).unwrap();
        world.portal.edit_as(3, Kind::Contact, ours, &json!({"UF_CRM_FB24_PROFILE": []})).unwrap();
        world.portal.merge_as(3, Kind::Contact, other, ours).unwrap();
        world.portal.edit_as(3, Kind::Contact, other, &json!({"originatorId": "", "originId": ""})).unwrap();
        told(&world, &engine, "ONCRMCONTACTDELETE", 3, ours).await;
        later(&world, &engine).await;
        assert_eq!(causes(&world, &engine).await, Vec::<String>::new());
        world.edit_profile("7", |profile| profile.vip = Known::Is("GOLD".into()));
        world.round(&engine).await;
        let contacts = world.contacts();
        assert_eq!((contacts.len(), contacts[0].id), (1, other));
        assert_eq!((contacts[0].text("UF_CRM_FB24_VIP"), contacts[0].text("lastName")), ("GOLD".into(), "Петрова".into()));
        assert_eq!(world.deals()[0].fields["contactIds"], json!([other]));
    }
}
