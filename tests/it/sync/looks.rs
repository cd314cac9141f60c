//! Looks at the portal that are older than a write of ours, and what people did to deals before we came back.

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, FaultAnswer, PortalOptions};
use fidelio_bitrix24::domain::{Known, StayStatus};
use fidelio_bitrix24::sync::{CrmEvent, Engine, EventIntake};
use serde_json::json;

use super::world::World;
use crate::on_both_engines;

/// The next look is asked at once and answered after everything else.
fn slow_look(world: &World) {
    let answer = FaultAnswer::Slow(Duration::from_millis(600));
    world.portal.fault(Fault::after_commit("crm.item.list").answering(answer));
}

async fn told(world: &World, deal: i64) {
    let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
    let ts = world.clock.now_ms() / 1_000;
    events.accept(world.id, CrmEvent { event: "ONCRMDEALUPDATE".into(), entity: 2, crm_id: deal, ts }).await.unwrap();
}

async fn deliver_while_time_passes(world: &World, engine: &Engine) {
    let _ticking = world.ticking();
    engine.deliver(world.id).await.unwrap();
}

fn updates(world: &World) -> usize {
    world.portal.requests_of("crm.item.update").len()
}

on_both_engines! {
    s1_a_deletion_is_not_lost_behind_a_hint_of_a_change(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        // The echo of our own write is still undecided.
        told(&world, deal).await;
        world.portal.delete_as(2, Kind::Deal, deal).unwrap();
        let events = EventIntake::new(world.db.clone(), world.clock.clone(), world.node());
        let gone = CrmEvent { event: "ONCRMDEALDELETE".into(), entity: 2, crm_id: deal, ts: 0 };
        events.accept(world.id, gone).await.unwrap();
        assert_eq!(engine.decide(world.id).await.unwrap(), 2);
        world.pass(Duration::from_secs(3));
        engine.deliver(world.id).await.unwrap();
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(updates(&world), 0, "nothing is written to what is known to be deleted");
    }

    s1_an_old_look_after_an_event_does_not_undo_a_newer_write(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        world.pass(Duration::from_secs(60));
        // What a person did is in the same old look.
        world.portal.edit_as(2, Kind::Deal, deal, &json!({"UF_CRM_FB24_ROOM_TYPE": "by hand"})).unwrap();
        told(&world, deal).await;
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        world.pass(Duration::from_secs(3));
        slow_look(&world);
        deliver_while_time_passes(&world, &engine).await;
        assert!(world.portal.faults().is_empty(), "the look was asked");
        world.pass(Duration::from_secs(5));
        deliver_while_time_passes(&world, &engine).await;
        let record = world.portal.record(Kind::Deal, deal).unwrap();
        assert_eq!(record.text("UF_CRM_FB24_ROOM"), "205");
        assert_eq!(record.text("UF_CRM_FB24_ROOM_TYPE"), "DBL", "what a person did was looked at again");
        assert_eq!(updates(&world), 2, "the hotel's change and the put-back");
        let put_back = &world.portal.requests_of("crm.item.update")[1].params["fields"];
        assert!(put_back["UF_CRM_FB24_ROOM_TYPE"].is_string(), "{put_back}");
        assert!(put_back.get("UF_CRM_FB24_ROOM").is_none(), "nothing was put back that was ours: {put_back}");
    }

    s1_an_old_page_of_a_scan_does_not_undo_a_newer_write(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        let engine = world.engine();
        world.round(&engine).await;
        let deal = world.deals()[0].id;
        world.pass(Duration::from_secs(200));
        world.portal.edit_as(2, Kind::Deal, deal, &json!({"comments": "hello"})).unwrap();
        world.pass(Duration::from_secs(200));
        world.edit_stay("1", |stay| stay.room = Known::Is("205".into()));
        engine.poll_source(world.id, world.source).await.unwrap();
        engine.decide(world.id).await.unwrap();
        slow_look(&world);
        deliver_while_time_passes(&world, &engine).await;
        assert!(world.portal.faults().is_empty(), "the scan ran beside the delivery");
        world.pass(Duration::from_secs(5));
        deliver_while_time_passes(&world, &engine).await;
        assert_eq!(world.portal.record(Kind::Deal, deal).unwrap().text("UF_CRM_FB24_ROOM"), "205");
        assert_eq!(updates(&world), 1, "nothing of ours was put back");
    }

    s1_a_deal_that_a_person_closed_stays_closed_after_a_reinstall(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.round(&world.engine()).await;
        let deal = world.deals()[0].id;
        world.portal.edit_as(2, Kind::Deal, deal, &json!({"stageId": "LOSE"})).unwrap();
        let world = world.reinstalled().await;
        world.edit_stay("1", |stay| {
            stay.status = Known::Is(StayStatus::InHouse);
            stay.room = Known::Is("7".into());
        });
        let engine = world.engine();
        world.round(&engine).await;
        let record = world.portal.record(Kind::Deal, deal).unwrap();
        assert_eq!((world.deals().len(), record.text("UF_CRM_FB24_ROOM")), (1, "7".into()), "adopted by its mark");
        assert_eq!(record.text("stageId"), "LOSE");
    }

    s1_a_deal_that_we_closed_is_opened_again_after_a_reinstall(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::CheckedOut));
        world.round(&world.engine()).await;
        assert_eq!(world.deals()[0].text("stageId"), "WON");
        let world = world.reinstalled().await;
        world.edit_stay("1", |stay| stay.status = Known::Is(StayStatus::InHouse));
        world.round(&world.engine()).await;
        assert_eq!(world.deals()[0].text("stageId"), "FINAL_INVOICE");
    }
}
