//! What a reconciliation calls drift and what it does not, which days it compares, and how it meets a portal in trouble.

use std::collections::BTreeSet;
use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault};
use fidelio_bitrix24::domain::{CrmEntity, Known, ProfileNumber};
use fidelio_bitrix24::store::links::{self, LinkRow, Origin};
use fidelio_bitrix24::sync::imports::ImportState;
use fidelio_bitrix24::sync::reconcile::asks_person;
use fidelio_bitrix24::sync::{CrmEvent, EventIntake};
use serde_json::json;

use super::imports::another_hotel;
use super::reconcile::{begin, deal, filled, finished, reconcile, told, view};
use super::world::{World, new_profile};
use crate::on_both_engines;

fn nothing() -> BTreeSet<String> {
    BTreeSet::new()
}

fn updates(world: &World) -> usize {
    world.portal.requests_of("crm.item.update").len()
}

on_both_engines! {
    s1_people_who_never_booked_are_no_drift_and_get_no_contact(db) {
        let world = filled(db, 2).await;
        {
            let mut truth = world.hotel.truth.lock().unwrap();
            truth.profiles.insert("77".into(), new_profile("77"));
            truth.unbooked.insert(ProfileNumber::parse("77").unwrap());
        }
        world.round(&world.engine()).await;
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), nothing());
        assert_eq!(world.contacts().len(), 2);
    }

    s1_what_the_portal_refused_is_told_as_such_and_not_sent_again(db) {
        let world = filled(db, 2).await;
        world.edit_stay("1", |stay| stay.room_type = Known::Is("BAD".into()));
        world.portal.fault(Fault::error("crm.item.update", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID"));
        world.round(&world.engine()).await;
        let written = updates(&world);
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), ["stay 1 rejected".to_owned()].into());
        assert!(asks_person("rejected"));
        assert_eq!(updates(&world), written, "whatever made it refused still stands");
    }

    s1_a_read_that_the_portal_refuses_for_good_ends_a_reconciliation_with_its_reason(db) {
        let world = filled(db, 2).await;
        let (id, engine) = (begin(&world).await, world.engine());
        world.portal.fault(Fault::error("crm.item.list", 400, "ERROR_CORE").times(1_000));
        for _ in 0..60 {
            let _ = engine.reconcile_step(world.id).await;
        }
        let report = view(&world, &id).await;
        assert_eq!((report.state, report.failure.as_str()), (ImportState::Failed, "portal_refused"));
        world.portal.clear_faults();
        assert_eq!(told(&world, &reconcile(&world).await.1), nothing());
    }

    s1_a_portal_in_trouble_is_asked_again_and_another_hotel_is_reconciled_meanwhile(db) {
        let world = filled(db, 2).await;
        let (id, engine) = (begin(&world).await, world.engine());
        let sea = another_hotel(&world).await;
        world.pass(Duration::from_secs(1));
        let other = engine.create_reconciliation(world.id, sea, Some(1)).await.unwrap();
        let trouble = || world.portal.fault(Fault::error("*", 500, "INTERNAL_SERVER_ERROR").bearing("GRAND").times(1_000));
        trouble();
        for _ in 0..80 {
            engine.reconcile_step(world.id).await.unwrap();
        }
        assert_eq!((view(&world, &id).await.state, view(&world, &other).await.state), (ImportState::Running, ImportState::Completed));
        world.portal.clear_faults();
        engine.reconcile_step(world.id).await.unwrap();
        assert_eq!(view(&world, &id).await.state, ImportState::Running, "not before its time");
        world.pass(Duration::from_secs(60));
        assert_eq!(told(&world, &finished(&world, &id).await.1), nothing());
        // A portal that never answers this is given up for the day.
        let id = begin(&world).await;
        trouble();
        let begun = world.clock.now_ms();
        while view(&world, &id).await.state != ImportState::Failed {
            engine.reconcile_step(world.id).await.unwrap();
            world.pass(Duration::from_secs(300));
            assert!(world.clock.now_ms() - begun < 24 * 3_600_000);
        }
        assert_eq!(view(&world, &id).await.failure, "portal_unreachable");
        assert!(world.clock.now_ms() - begun > 3 * 3_600_000, "hours, not minutes");
    }

    s1_a_mass_deletion_is_found_whole(db) {
        let world = filled(db, 2).await;
        // More than one look takes, with nothing listed between them.
        let many = 2_600;
        let links: Vec<LinkRow> = (0..many)
            .map(|n| LinkRow {
                subject: format!("stay:{}:9{n}", world.hotel_id),
                entity: CrmEntity::Deal,
                crm_id: 1_000_000 + n,
                origin: Origin::Created,
                marked: true,
            })
            .collect();
        let tx = world.db.begin().await.unwrap();
        links::add(&tx, world.id, &links, 0).await.unwrap();
        tx.commit().await.unwrap();
        let (report, _) = reconcile(&world).await;
        assert_eq!(report.causes, [("deleted_in_crm".to_owned(), many)]);
    }

    s1_what_people_did_a_moment_ago_is_looked_at_and_is_no_drift(db) {
        let world = filled(db, 4).await;
        let (engine, edited) = (world.engine(), deal(&world, 1).int("id"));
        let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
        let event = |event: &str, crm_id| CrmEvent { event: event.into(), entity: 2, crm_id, ts: world.clock.now_ms() / 1_000 };
        // Told and not yet looked at: an edit and a deletion.
        world.portal.edit_as(2, Kind::Deal, edited, &json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).unwrap();
        events.accept(world.id, event("ONCRMDEALUPDATE", edited)).await.unwrap();
        let deleted = deal(&world, 2).int("id");
        world.portal.delete_as(2, Kind::Deal, deleted).unwrap();
        events.accept(world.id, event("ONCRMDEALDELETE", deleted)).await.unwrap();
        // A person's own affair, told or not: a closed deal, one more contact.
        world.portal.edit_as(2, Kind::Deal, deal(&world, 3).int("id"), &json!({"stageId": "WON"})).unwrap();
        let friend = world.portal.add_as(2, Kind::Contact, &json!({"name": "A friend"})).unwrap();
        let four = deal(&world, 4);
        let guests: Vec<i64> = four.fields["contactIds"].as_array().unwrap().iter().filter_map(serde_json::Value::as_i64).chain([friend]).collect();
        world.portal.edit_as(2, Kind::Deal, four.int("id"), &json!({"contactIds": guests})).unwrap();
        let (_, drift) = reconcile(&world).await;
        assert_eq!(told(&world, &drift), nothing());
        world.pass(Duration::from_secs(60));
        engine.deliver(world.id).await.unwrap();
        assert_eq!(deal(&world, 1).text("UF_CRM_FB24_ROOM_TYPE"), "DBL");
    }
}
