//! What people decide about problems: one by one, and of a cause all at once.

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions};
use fidelio_bitrix24::domain::{CrmEntity, CrmValue, Known, Profile};
use fidelio_bitrix24::store::problems::{self, NewProblem};
use fidelio_bitrix24::store::remedies::Action;
use fidelio_bitrix24::store::{crm_records, outbox};
use fidelio_bitrix24::sync::views::{ProblemFilter, ProblemView};
use fidelio_bitrix24::sync::{CrmEvent, Engine, EventIntake, Loops, SyncError};
use serde_json::json;

use super::world::{World, phone};
use crate::on_both_engines;

async fn told(world: &World, problems: &[NewProblem]) {
    let tx = world.db.begin().await.unwrap();
    problems::raise(&tx, world.id, &world.key, problems, world.clock.now_ms()).await.unwrap();
    tx.commit().await.unwrap();
}

fn problem(world: &World, subject: String, cause: &str, kind: &'static str) -> NewProblem {
    NewProblem { hotel: Some(world.hotel_id), subject, cause: cause.into(), kind, params: json!({}) }
}

async fn of_state(world: &World, engine: &Engine, state: &str) -> Vec<ProblemView> {
    let filter = ProblemFilter { state: Some(state.into()), ..ProblemFilter::default() };
    engine.problems(world.id, &filter, None, 500).await.unwrap().items
}

fn twin(profile: &mut Profile) {
    profile.last_name = Known::Is("Иванова".into());
    profile.phones = Known::Is(vec![phone("+79001112233")]);
    profile.emails = Known::Empty;
}

async fn deleted(world: &World, engine: &Engine, contact: i64) {
    world.portal.delete_as(3, Kind::Contact, contact).unwrap();
    let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
    world.pass(Duration::from_secs(60));
    let ts = world.clock.now_ms() / 1_000;
    let event = CrmEvent { event: "ONCRMCONTACTDELETE".into(), entity: 3, crm_id: contact, ts };
    events.accept(world.id, event).await.unwrap();
    engine.decide(world.id).await.unwrap();
    later(world, engine).await;
}

async fn later(world: &World, engine: &Engine) {
    world.pass(Duration::from_secs(400));
    for _ in 0..4 {
        engine.deliver(world.id).await.unwrap();
        world.pass(Duration::from_secs(3));
    }
}

on_both_engines! {
    s1_input_that_could_not_be_worked_in_is_no_matter_of_the_portals(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let stay = format!("stay:{}:1", world.hotel_id);
        told(&world, &[problem(&world, stay.clone(), "inbox.failed", "failed"), problem(&world, stay, "crm.failed", "failed")]).await;
        // The portal confirms a write of the stay's deal.
        world.pass(Duration::from_secs(400));
        let deal = world.deals()[0].id;
        world.portal.edit_as(3, Kind::Deal, deal, &json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).unwrap();
        engine.scan(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        let left: Vec<String> = world.problems(&engine).await.into_iter().map(|problem| problem.cause).collect();
        assert_eq!(left, ["inbox.failed"], "the hotel's word was not worked in by that");
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        assert!(world.problems(&engine).await.is_empty(), "its next word was");
    }

    s1_one_of_several_people_behind_a_deleted_contact_is_retried_alone(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let anna = json!({"name": "Анна", "lastName": "Иванова",
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+79001112233"}]});
        let anna = world.portal.add_as(2, Kind::Contact, &anna).unwrap();
        world.book("1", "7");
        world.book("2", "8");
        world.edit_profile("7", twin);
        world.edit_profile("8", twin);
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!(world.contacts().len(), 1, "both adopted her");
        deleted(&world, &engine, anna).await;
        let open = of_state(&world, &engine, "open").await;
        assert_eq!(open.iter().map(|problem| problem.cause.as_str()).collect::<Vec<_>>(), ["crm.deleted"; 2]);
        let of_seven = open.iter().find(|problem| problem.subject.ends_with(":7")).expect("told");
        engine.retry_problem(world.id, of_seven.id).await.unwrap();
        later(&world, &engine).await;
        let marks = |world: &World| world.contacts().iter().map(|contact| contact.text("originId")).collect::<Vec<_>>();
        assert_eq!(marks(&world), ["GRAND:7"]);
        // Nobody said anything of the other one: his next news bring nothing back.
        world.edit_profile("8", |profile| {
            profile.last_name = Known::Is("Смирнова".into());
            profile.phones = Known::Is(vec![phone("+79005556677")]);
        });
        world.round(&engine).await;
        assert_eq!(marks(&world), ["GRAND:7"]);
        let left = of_state(&world, &engine, "open").await;
        assert!(left.len() == 1 && left[0].subject.ends_with(":8"), "{left:?}");
    }

    s1_what_a_person_and_a_look_say_of_a_record_at_once_are_both_kept(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        for round in 0..4 {
            world.pass(Duration::from_secs(400));
            world.portal.edit_as(3, Kind::Deal, deal, &json!({"UF_CRM_FB24_ROOM_TYPE": format!("robot {round}")})).unwrap();
            engine.scan(world.id).await.unwrap();
            engine.deliver(world.id).await.unwrap();
        }
        let quarrel = world.problems(&engine).await.remove(0);
        assert_eq!(quarrel.cause, "putback.stopped");
        // A delivery of another node has read the record and is about to write back what a look saw.
        let tx = world.db.begin().await.unwrap();
        crm_records::hold(&tx, world.id).await.unwrap();
        let held = crm_records::load(&tx, world.id, &world.key, CrmEntity::Deal, &[deal]).await;
        let mut row = held.unwrap().remove(&deal).expect("known");
        let (person, portal) = (engine.clone(), world.id);
        let mut retry = tokio::spawn(async move { person.retry_problem(portal, quarrel.id).await });
        assert!(tokio::time::timeout(Duration::from_millis(300), &mut retry).await.is_err(), "the person's word waits");
        row.fields.insert("UF_CRM_FB24_ROOM".into(), CrmValue::Text("seen".into()));
        crm_records::save(&tx, world.id, &world.key, &[row]).await.unwrap();
        tx.commit().await.unwrap();
        retry.await.unwrap().unwrap();
        let held = crm_records::load(&world.db, world.id, &world.key, CrmEntity::Deal, &[deal]).await.unwrap();
        let held = &held[&deal];
        assert_eq!(held.fields["UF_CRM_FB24_ROOM"], CrmValue::Text("seen".into()));
        assert!(!held.putbacks.quarrels(), "the quarrel is forgiven");
    }

    s1_thousands_of_problems_of_a_cause_are_retried_in_steps_and_new_ones_wait_for_none(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let engine = world.engine();
        let subject = |n: usize| format!("stay:{}:{}", world.hotel_id, 10_000 + n);
        let many: Vec<NewProblem> = (0..1_030).map(|n| problem(&world, subject(n), "crm.failed", "failed")).collect();
        told(&world, &many).await;
        told(&world, &[problem(&world, subject(0), "crm.rejected", "rejected")]).await;
        let tx = world.db.begin().await.unwrap();
        let parked = |n: usize| outbox::NewIntent {
            subject: subject(n), intent: outbox::Intent::Sync, priority: 2, rank: 3, not_before: i64::MAX, seen_at: 0,
        };
        outbox::add(&tx, world.id, vec![parked(5)]).await.unwrap();
        tx.commit().await.unwrap();
        let causes = engine.problem_causes(world.id, "open", None).await.unwrap();
        let counts: Vec<_> = causes.iter().map(|view| (view.of.kind.as_str(), view.of.records, view.action)).collect();
        assert_eq!(counts, [("failed", 1_030, None), ("rejected", 1, None)], "what was refused is apart");

        let failed = ("failed", "crm.failed");
        assert_eq!(engine.remedy(world.id, None, failed, (Action::Retry, ""), 1).await.unwrap(), 1_030);
        assert_eq!(engine.problem_causes(world.id, "open", None).await.unwrap()[0].action, Some(Action::Retry));
        // What is told after the question is another matter.
        world.pass(Duration::from_secs(1));
        let tx = world.db.begin().await.unwrap();
        problems::raise(&tx, world.id, &world.key, &[many[7].clone()], world.clock.now_ms()).await.unwrap();
        tx.commit().await.unwrap();
        let mut steps = Vec::new();
        let mut before = 1_030;
        while engine.remedy_step(world.id).await.unwrap() {
            let open = engine.problem_causes(world.id, "open", None).await.unwrap();
            let left = open.iter().find(|view| view.of.kind == "failed").map_or(0, |view| view.of.records);
            steps.push(before - left);
            before = left;
        }
        assert!(steps.iter().all(|step| *step <= 100) && steps.len() >= 11, "{steps:?}");
        assert_eq!(before, 1, "the one that was told since");
        let (on_their_way, _) = outbox::pending(&world.db, world.id).await.unwrap();
        assert_eq!(on_their_way, 1_029);
        let due = outbox::due(&world.db, world.id, (0, 3), &[], world.clock.now_ms(), 2_000).await.unwrap();
        let lane = |n: usize| due.iter().find(|row| row.subject == subject(n)).map(|row| row.priority);
        assert_eq!((lane(5), lane(6)), (Some(2), Some(2)), "none before what is new");
        // What must be looked into is tried record by record.
        for cause in ["status.refused", "pms.reinstalled", "crm.deleted"] {
            told(&world, &[problem(&world, subject(1), cause, "refused")]).await;
            let all = engine.remedy(world.id, None, ("refused", cause), (Action::Retry, ""), 1).await;
            assert!(matches!(all, Err(SyncError::Conflict("cause_one_by_one"))), "{cause}: {all:?}");
        }
    }

    s1_all_problems_of_a_cause_are_put_away_with_one_note_by_the_loops(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let engine = world.engine();
        world.portal.fault(Fault::error("crm.item.add", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID").after(2).times(2));
        world.round(&engine).await;
        let rejected = ("rejected", "crm.rejected");
        assert!(engine.remedy(world.id, None, ("failed", "crm.rejected"), (Action::Dismiss, ""), 1).await.is_err(), "none of that kind");
        assert_eq!(engine.remedy(world.id, None, rejected, (Action::Dismiss, "the field is gone"), 1).await.unwrap(), 2);
        let mut loops = Loops::new(&engine);
        for _ in 0..3 {
            loops.round().await.unwrap();
        }
        assert!(of_state(&world, &engine, "open").await.is_empty());
        let away = of_state(&world, &engine, "dismissed").await;
        assert!(away.len() == 2 && away.iter().all(|problem| problem.note == "the field is gone"), "{away:?}");
    }
}
