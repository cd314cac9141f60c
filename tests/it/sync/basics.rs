//! A stay's way to its deal, changes, people's edits, poison.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions};
use fidelio_bitrix24::domain::{Known, OwnerRule, StayStatus};
use fidelio_bitrix24::sync::views::ProblemFilter;
use fidelio_bitrix24::sync::{CrmEvent, EventIntake, StepObserver};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::world::{World, terms};
use crate::on_both_engines;

on_both_engines! {
    s1_a_stay_becomes_a_deal_with_its_guest_and_an_unchanged_poll_costs_nothing(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("50117", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let (deals, contacts) = (world.deals(), world.contacts());
        assert_eq!((deals.len(), contacts.len()), (1, 1));
        let (deal, contact) = (&deals[0], &contacts[0]);
        assert_eq!(deal.text("originatorId"), "fidelio-bitrix24");
        assert_eq!(deal.text("originId"), "GRAND:50117");
        assert_eq!(deal.text("stageId"), "PREPAYMENT_INVOICE");
        assert_eq!(deal.text("UF_CRM_FB24_STATUS"), "confirmed");
        assert!(deal.text("UF_CRM_FB24_ARRIVAL").starts_with("2026-11-22"), "{:?}", deal.fields);
        assert!(deal.text("UF_CRM_FB24_SYNCED_AT").starts_with("2026-11-21"));
        assert_eq!(deal.int("UF_CRM_FB24_NIGHTS"), 3);
        assert_eq!(deal.int("opportunity"), 30_000);
        assert_eq!(deal.int("assignedById"), 2, "by the rule, not the installing admin");
        assert_eq!(deal.fields["contactIds"], json!([contact.id]));
        assert_eq!(contact.text("originId"), "GRAND:7");
        assert_eq!(contact.multi("PHONE"), ["+79000000007"]);
        // Index, contact, deal.
        assert_eq!(world.requests(), 3);

        for _ in 0..3 {
            world.pass(Duration::from_secs(15));
            world.round(&engine).await;
        }
        assert_eq!(world.requests(), 3, "what has not changed costs nothing");

        world.edit_stay("50117", |stay| {
            stay.status = Known::Is(StayStatus::InHouse);
            stay.room = Known::Is("101".into());
        });
        world.round(&engine).await;
        let deal = &world.deals()[0];
        assert_eq!(deal.text("stageId"), "FINAL_INVOICE");
        assert_eq!(deal.text("UF_CRM_FB24_ROOM"), "101");
        // The stage is read again before it is moved.
        assert_eq!(world.requests(), 5);
        let view = engine.stay_by_deal(world.id, deal.id).await.unwrap().expect("the stay of the deal");
        assert_eq!(view.guests[0].crm_id, Some(contact.id));
        assert!(!view.pending);
    }

    s1_a_deal_that_a_person_closed_stays_closed(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        world.pass(Duration::from_secs(60));
        world.portal.edit_as(2, Kind::Deal, deal, &json!({"stageId": "LOSE"})).unwrap();
        world.edit_stay("1", |stay| {
            stay.status = Known::Is(StayStatus::InHouse);
            stay.room = Known::Is("7".into());
        });
        world.round(&engine).await;
        let record = world.portal.record(Kind::Deal, deal).unwrap();
        assert_eq!(record.text("stageId"), "LOSE");
        assert_eq!(record.text("UF_CRM_FB24_ROOM"), "7", "the rest goes on");
        assert_eq!(record.text("UF_CRM_FB24_STATUS"), "in_house");
    }

    s48_a_stream_of_events_is_decided_in_portions_and_ends_none(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
        let hint = |crm_id| CrmEvent { event: "ONCRMDEALUPDATE".into(), entity: 2, crm_id, ts: 0 };
        events.accept(world.id, hint(1)).await.unwrap();
        let (stream, portal, next) = (events.clone(), world.id, AtomicI64::new(2));
        let observer: StepObserver = Arc::new(move |step| {
            let crm_id = next.fetch_add(i64::from(step == "decide.committed"), Ordering::SeqCst);
            if step == "decide.committed" && crm_id < 10 {
                block_in_place(|| Handle::current().block_on(stream.accept(portal, hint(crm_id)))).unwrap();
            }
            true
        });
        let engine = world.engine_of(world.node(), Some(observer));
        assert_eq!(engine.decide(world.id).await.unwrap(), 1);
        assert_eq!(engine.decide(world.id).await.unwrap(), 1, "what came meanwhile is in the next");
    }

    s1_a_persons_edit_is_found_by_event_and_by_scan_and_put_back_but_not_for_ever(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
        for round in 0..6 {
            world.pass(Duration::from_secs(400));
            world.portal.edit_as(2, Kind::Deal, deal, &json!({"UF_CRM_FB24_ROOM_TYPE": format!("robot {round}")})).unwrap();
            if round % 2 == 0 {
                let ts = world.clock.now_ms() / 1_000;
                let hint = CrmEvent { event: "ONCRMDEALUPDATE".into(), entity: 2, crm_id: deal, ts };
                for _ in 0..3 {
                    events.accept(world.id, hint.clone()).await.unwrap();
                }
                assert_eq!(engine.decide(world.id).await.unwrap(), 1, "three hints are one");
                world.pass(Duration::from_secs(3));
            } else {
                engine.scan(world.id).await.unwrap();
            }
            engine.deliver(world.id).await.unwrap();
            let now = world.portal.record(Kind::Deal, deal).unwrap().text("UF_CRM_FB24_ROOM_TYPE");
            if round < 3 {
                assert_eq!(now, "DBL", "round {round}");
            } else {
                assert_eq!(now, format!("robot {round}"), "no war with a robot");
            }
        }
        let problems = engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items;
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].cause, "putback.stopped");
        // Our own writes come back and cause nothing.
        world.pass(Duration::from_secs(3_600));
        engine.scan(world.id).await.unwrap();
        let before = world.portal.requests_of("crm.item.update").len();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(world.portal.requests_of("crm.item.update").len(), before);
    }

    s1_a_poisoned_record_lands_in_the_error_inbox_and_its_neighbours_do_not_notice(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        world.book("3", "9");
        let engine = world.engine();
        // The contacts are the first three adds.
        world.portal.fault(Fault::error("crm.item.add", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID").after(4));
        world.round(&engine).await;
        assert_eq!(world.deals().len(), 2);
        let problems = engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items;
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].cause.as_str(), problems[0].kind.as_str()), ("crm.rejected", "rejected"));
        assert_eq!(problems[0].params["code"], "crm_field_error_value_not_valid");
        engine.retry_problem(world.id, problems[0].id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(world.deals().len(), 3);
        let open = engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items;
        assert!(open.is_empty(), "{open:?}");
    }

    s1_a_poisoned_record_that_travels_alone_lands_in_the_error_inbox_too(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        world.portal.fault(Fault::error("crm.item.update", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID"));
        world.round(&engine).await;
        let problems = engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items;
        assert_eq!((problems.len(), problems[0].cause.as_str()), (1, "crm.rejected"));
        let requests = world.requests();
        world.pass(Duration::from_secs(200));
        engine.deliver(world.id).await.unwrap();
        assert_eq!(world.requests(), requests, "it is not tried again by itself");
    }

    s1_a_refusal_is_over_when_the_hotel_itself_says_again_what_stands(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        world.edit_stay("1", |stay| stay.room_type = Known::Is("BAD".into()));
        world.portal.fault(Fault::error("crm.item.update", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID"));
        world.round(&engine).await;
        assert_eq!(world.problems(&engine).await.len(), 1);
        world.edit_stay("1", |stay| stay.room_type = Known::Is("DBL".into()));
        world.round(&engine).await;
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_a_refusal_is_over_when_a_create_whose_answer_was_lost_is_found(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.portal.fault(Fault::error("crm.item.add", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID"));
        world.round(&engine).await;
        assert_eq!((world.contacts().len(), world.problems(&engine).await.len()), (0, 1));
        world.portal.fault(Fault::after_commit("crm.item.add"));
        world.edit_profile("7", |guest| guest.vip = Known::Is("1".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        assert!(engine.deliver(world.id).await.is_err(), "nobody knows yet");
        assert_eq!(world.problems(&engine).await.len(), 1);
        world.settle(&engine).await;
        assert_eq!(world.contacts().len(), 1);
        assert!(world.problems(&engine).await.is_empty());
    }

    s1_a_failure_that_may_pass_is_tried_again_by_the_schedule(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.portal.fault(Fault::error("crm.item.add", 503, "QUERY_LIMIT_EXCEEDED").times(2));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        for _ in 0..5 {
            // A request refused as a whole ends the delivery: the loops come back when the portal said.
            let _ = engine.deliver(world.id).await;
            world.pass(Duration::from_secs(15));
        }
        assert_eq!((world.deals().len(), world.contacts().len()), (1, 1));
        assert!(engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items.is_empty());
    }

    s1_nobody_answers_for_new_records_by_silence(db) {
        let mut world = World::new(db, PortalOptions::default()).await;
        world.terms.owner_rule = OwnerRule::Unset;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!((world.deals().len(), world.contacts().len()), (0, 0));
        let problems = engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items;
        assert_eq!(problems[0].cause, "owner.unset");
        world.terms = terms();
        world.pass(Duration::from_secs(31));
        let engine = world.engine();
        engine.deliver(world.id).await.unwrap();
        assert_eq!((world.deals().len(), world.contacts().len()), (1, 1));
        assert!(engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items.is_empty());
    }

    s1_a_step_that_no_hotel_day_knows_is_refused_and_recorded(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::CheckedOut));
        let engine = world.engine();
        world.round(&engine).await;
        world.pass(Duration::from_secs(20));
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::Cancelled));
        world.round(&engine).await;
        assert_eq!(world.deals()[0].text("stageId"), "WON");
        let problems = engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items;
        assert_eq!(problems[0].cause, "status.refused");
        assert_eq!(problems[0].params, json!({"from": "checked_out", "to": "cancelled"}));
        // A person looked and says that it is so.
        engine.retry_problem(world.id, problems[0].id).await.unwrap();
        world.round(&engine).await;
        assert!(world.deals()[0].text("stageId").ends_with("LOSE"), "{}", world.deals()[0].text("stageId"));
        assert!(engine.problems(world.id, &ProblemFilter::default(), None, 10).await.unwrap().items.is_empty());
    }
}
