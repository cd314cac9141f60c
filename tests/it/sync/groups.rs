//! Groups and parties that have deals of their own, where the mapping wants it (decision 8).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions, Record};
use fidelio_bitrix24::domain::mapping::{GroupMapping, Template};
use fidelio_bitrix24::domain::stay::Group;
use fidelio_bitrix24::domain::{CrmEntity, Known, Mapping, StayStatus};
use fidelio_bitrix24::store::hotels;
use fidelio_bitrix24::store::{outbox, sources};
use fidelio_bitrix24::sync::preview::Outcome;
use fidelio_bitrix24::sync::{Engine, removal};
use serde_json::json;

use super::erasure::{codes, erased, go_on, number};
use super::lost::{later, told as gone};
use super::mappings::{activate, apply, preview, save, user_field};
use super::reconcile::{begin, finished};
use super::world::World;
use crate::on_both_engines;
use crate::support::db::TestDb;

const PARENT: &str = "UF_CRM_PARENT";

fn grouped() -> Mapping {
    let mut mapping = Mapping::standard();
    let title = Template::parse("{group}: {rooms}").unwrap();
    mapping.group = Some(GroupMapping { title, link: Some(PARENT.into()), ..GroupMapping::standard() });
    mapping
}

async fn switch_on(world: &World) {
    let version = save(world, &grouped()).await;
    activate(world, version).await;
}

async fn world(db: TestDb) -> World {
    let world = World::new(db, PortalOptions::default()).await;
    user_field(&world, PARENT, json!({"USER_TYPE_ID": "string"})).await;
    for stay in ["1", "2", "3"] {
        world.book(stay, &format!("7{stay}"));
    }
    for stay in ["1", "2"] {
        call(&world, stay, "Форум");
    }
    world
}

/// A stay's group is called so.
fn call(world: &World, stay: &str, name: &str) {
    world.edit_stay(stay, |stay| stay.group = Known::Is(Group { number: "5".into(), name: name.into() }));
}

async fn rounds(world: &World, engine: &Engine) {
    for _ in 0..2 {
        world.round(engine).await;
        world.pass(Duration::from_secs(15));
    }
}

fn groups(world: &World) -> Vec<Record> {
    world.deals().into_iter().filter(|deal| deal.text("originId") == "GRAND:G5").collect()
}

/// What a stay's deal says in the field that names its group's.
fn parent(world: &World, stay: &str) -> String {
    let is = |deal: &Record| deal.text("originId") == format!("GRAND:{stay}");
    world.deals().into_iter().find(is).expect("a deal").text(PARENT)
}

async fn told(world: &World, engine: &Engine) -> Vec<String> {
    world.problems(engine).await.into_iter().map(|problem| format!("{} {}", problem.subject, problem.cause)).collect()
}

on_both_engines! {
    s1_a_group_has_one_deal_that_follows_its_stays_and_is_named_by_theirs(db) {
        let world = world(db).await;
        switch_on(&world).await;
        world.edit_stay("2", |stay| stay.departure = Known::Is("2026-11-28".parse().unwrap()));
        let engine = world.engine();
        rounds(&world, &engine).await;
        assert_eq!((world.deals().len(), groups(&world).len()), (4, 1));
        let deal = groups(&world).remove(0);
        let day = |name: &str| groups(&world)[0].text(name).chars().take(10).collect::<String>();
        assert_eq!((deal.text("title"), day("begindate"), day("closedate")), ("Форум: 2".into(), "2026-11-22".into(), "2026-11-28".into()));
        assert_eq!((deal.text("opportunity"), deal.text("currencyId"), deal.int("assignedById")), ("60000".into(), "RUB".into(), 2));
        let id = deal.id.to_string();
        assert_eq!([parent(&world, "1"), parent(&world, "2"), parent(&world, "3")], [id.as_str(), id.as_str(), ""]);

        // It is called otherwise, and somebody stays longer.
        for stay in ["1", "2"] {
            call(&world, stay, "Форум 2026");
        }
        world.edit_stay("1", |stay| stay.departure = Known::Is("2026-11-30".parse().unwrap()));
        rounds(&world, &engine).await;
        assert_eq!((groups(&world)[0].text("title"), day("closedate")), ("Форум 2026: 2".into(), "2026-11-30".into()));
        // People move it where they like.
        world.portal.edit_as(2, Kind::Deal, deal.id, &json!({"stageId": "FINAL_INVOICE"})).unwrap();
        world.edit_stay("2", |stay| stay.group = Known::Empty);
        rounds(&world, &engine).await;
        assert_eq!((parent(&world, "1"), parent(&world, "2")), (id.clone(), String::new()));
        assert_eq!((groups(&world)[0].text("title"), groups(&world)[0].text("stageId")), ("Форум 2026: 1".into(), "FINAL_INVOICE".into()));

        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::Cancelled));
        rounds(&world, &engine).await;
        assert_eq!(told(&world, &engine).await, [format!("group:{}:G5 group.empty", world.hotel_id)]);
        assert_eq!(groups(&world)[0].text("title"), "Форум 2026: 1", "it keeps its deal");
        world.edit_stay("1", |stay| {
            stay.status = Known::Is(StayStatus::Confirmed);
            stay.rooms = Known::Is(2);
        });
        rounds(&world, &engine).await;
        assert_eq!((told(&world, &engine).await, groups(&world)[0].text("title")), (vec![], "Форум 2026: 2".into()));
    }

    s1_an_erased_guest_s_name_leaves_his_group_s_deal_or_the_act_names_it(db) {
        let world = world(db).await;
        switch_on(&world).await;
        for stay in ["1", "2"] {
            call(&world, stay, "Иванова71");
        }
        let engine = world.engine();
        rounds(&world, &engine).await;
        // His own stay is cancelled: the group's other one still tells of him.
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::Cancelled));
        rounds(&world, &engine).await;
        assert_eq!(groups(&world)[0].text("title"), "Иванова71: 1");
        engine.erase_person(world.id, world.hotel_id, &number("71"), 5).await.unwrap().expect("known");
        go_on(&world, &engine).await;
        assert!(!groups(&world)[0].text("title").contains("Иванова71"), "{}", groups(&world)[0].text("title"));
        assert!(!codes(&erased(&world, &engine, "71").await).contains(&"group_deals"));

        // Nobody comes any more: nothing is written into the group's deal.
        world.edit_stay("2", |stay| stay.status = Known::Is(StayStatus::Cancelled));
        rounds(&world, &engine).await;
        engine.erase_person(world.id, world.hotel_id, &number("72"), 5).await.unwrap().expect("known");
        go_on(&world, &engine).await;
        let row = erased(&world, &engine, "72").await;
        let of_groups = row.act["not_reached"].as_array().unwrap().iter().find(|one| one["code"] == "group_deals");
        assert_eq!(of_groups.map(|one| one["ids"].clone()), Some(json!([groups(&world)[0].id])), "{}", row.act);
    }

    s1_groups_get_deals_only_when_switched_on_and_those_that_are_there_by_the_application(db) {
        let world = world(db).await;
        let engine = world.engine();
        rounds(&world, &engine).await;
        assert_eq!((world.deals().len(), outbox::pending(&world.db, world.id).await.unwrap().0), (3, 0));
        let shown = preview(&world, &engine, grouped(), &["1"]).await;
        let deals = shown.records.iter().filter(|record| record.entity == CrmEntity::Deal);
        let deals: Vec<_> = deals.map(|record| (record.subject.to_string(), record.outcome)).collect();
        let group = format!("group:{}:G5", world.hotel_id);
        assert_eq!(deals, [(group, Outcome::Created), (format!("stay:{}:1", world.hotel_id), Outcome::Unchanged)]);
        switch_on(&world).await;
        apply(&world, &engine).await;
        rounds(&world, &engine).await;
        let id = groups(&world)[0].id;
        assert_eq!((world.deals().len(), parent(&world, "2")), (4, id.to_string()));
        let (view, drift) = finished(&world, &begin(&world).await).await;
        assert_eq!((view.counts.crm, drift), (3, vec![]), "it is no stay, and nothing of it is amiss");
        // Deleted by a person, it is listed and made again only when somebody says so, like a stay's.
        world.portal.delete_as(2, Kind::Deal, id).unwrap();
        gone(&world, &engine, "ONCRMDEALDELETE", 2, id).await;
        later(&world, &engine).await;
        assert_eq!((groups(&world).len(), told(&world, &engine).await), (0, vec![format!("group:{}:G5 crm.deleted", world.hotel_id)]));
        let problem = world.problems(&engine).await.remove(0);
        engine.retry_problem(world.id, problem.id).await.unwrap();
        later(&world, &engine).await;
        assert_eq!(parent(&world, "1"), groups(&world)[0].id.to_string());
        // Switched off it stays, and nothing follows the hotel.
        activate(&world, 0).await;
        call(&world, "1", "Другое имя");
        rounds(&world, &engine).await;
        assert_eq!(groups(&world)[0].text("title"), "Форум: 2");
    }

    s1_a_groups_deal_is_made_once_whatever_answer_is_lost_and_found_again_after_a_reinstall(db) {
        let world = world(db).await;
        switch_on(&world).await;
        let engine = world.engine();
        // It is made, and nobody hears of it.
        world.portal.fault(Fault::after_commit("crm.item.add").times(2));
        for _ in 0..3 {
            let _ = world.engine().poll_source(world.id, world.source).await;
            engine.decide(world.id).await.unwrap();
            let _ = engine.deliver(world.id).await;
            world.settle(&engine).await;
        }
        assert_eq!((world.deals().len(), groups(&world).len()), (4, 1));
        assert_eq!(parent(&world, "1"), groups(&world)[0].id.to_string());
        let again = world.reinstalled().await;
        switch_on(&again).await;
        call(&again, "1", "Съезд");
        call(&again, "2", "Съезд");
        let engine = again.engine();
        rounds(&again, &engine).await;
        assert_eq!((again.deals().len(), groups(&again)[0].text("title")), (4, "Съезд: 2".into()));
        // What we cannot prove to have made is no demo's to delete; what stands for a group goes like all the rest.
        let mut hotel = hotels::by_id(&again.db, again.id, again.hotel_id).await.unwrap().unwrap();
        hotel.settings.demo = true;
        let tx = again.db.begin().await.unwrap();
        hotels::set_settings(&tx, again.id, again.hotel_id, &hotel.settings).await.unwrap();
        hotels::remove(&tx, &hotel, Vec::new(), again.clock.now_ms()).await.unwrap();
        sources::delete_of_hotel(&tx, again.id, hotel.id).await.unwrap();
        removal::begin(&tx, &hotel, again.clock.now_ms()).await.unwrap();
        tx.commit().await.unwrap();
        for _ in 0..6 {
            engine.deliver(again.id).await.unwrap();
            again.pass(Duration::from_secs(3));
        }
        let kept = told(&again, &engine).await;
        assert!(kept.contains(&format!("group:{}:G5 demo.kept", again.hotel_id)), "{kept:?}");
        assert_eq!(outbox::pending(&again.db, again.id).await.unwrap().0, 0);
    }
}
