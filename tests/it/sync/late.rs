//! What is heard late: guests and deals whose creation was not answered, refused at first, or found again elsewhere.

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, Fault, PortalOptions};
use fidelio_bitrix24::domain::{Known, Profile};
use serde_json::json;

use super::world::{World, phone};
use crate::on_both_engines;
use crate::support::db::TestDb;

fn twin(profile: &mut Profile) {
    profile.last_name = Known::Is("Иванова".into());
    profile.phones = Known::Is(vec![phone("+79001112233")]);
    profile.emails = Known::Empty;
}

/// Two profiles of one person; the answer to the creation of the first one's contact is lost.
async fn twins_stay_one(db: TestDb, lost: Fault) {
    let world = World::new(db, PortalOptions::default()).await;
    world.book("1", "7");
    world.book("2", "8");
    world.edit_profile("7", twin);
    world.edit_profile("8", twin);
    world.portal.fault(lost);
    let first = world.engine();
    first.poll_source(world.id, world.source).await.unwrap();
    first.decide(world.id).await.unwrap();
    for look in 0..30 {
        // Every other look is by a process that knows only what is on disk.
        let heir = world.engine();
        let _ = if look % 2 == 0 { &first } else { &heir }.deliver(world.id).await;
        assert!(world.contacts().len() <= 1, "a second contact at look {look}");
        world.pass(Duration::from_secs(7));
    }
    let contacts = world.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].fields["UF_CRM_FB24_PROFILE"], json!(["GRAND:7", "GRAND:8"]));
    let deals = world.deals();
    assert_eq!(deals.len(), 2);
    assert!(deals.iter().all(|deal| deal.fields["contactIds"] == json!([contacts[0].id])), "{deals:?}");
}

/// A guest refused at first, his deal's creation not answered; the guest is retried before or after that is settled.
async fn a_late_guest_reaches_his_deal(db: TestDb, retried_before_settled: bool) {
    let world = World::new(db, PortalOptions::default()).await;
    world.book("1", "7");
    world.portal.fault(Fault::error("crm.item.add", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID"));
    world.portal.fault(Fault::after_commit("crm.item.add"));
    let engine = world.engine();
    engine.poll_source(world.id, world.source).await.unwrap();
    engine.decide(world.id).await.unwrap();
    let _ = engine.deliver(world.id).await;
    let _ = engine.deliver(world.id).await;
    assert_eq!((world.deals().len(), world.contacts().len()), (1, 0), "the deal does not wait for a refused guest");
    if !retried_before_settled {
        world.settle(&engine).await;
    }
    let problem = world.problems(&engine).await.remove(0);
    assert_eq!(problem.cause, "crm.rejected");
    engine.retry_problem(world.id, problem.id).await.unwrap();
    engine.deliver(world.id).await.unwrap();
    assert_eq!(world.contacts().len(), 1);
    if retried_before_settled {
        assert_eq!(world.deals()[0].fields["contactIds"], json!([]), "its outcome is not known: it is held");
        world.settle(&engine).await;
    }
    assert_eq!(world.deals().len(), 1);
    assert_eq!(world.deals()[0].fields["contactIds"], json!([world.contacts()[0].id]));
}

on_both_engines! {
    s1_twins_stay_one_contact_when_the_answer_to_a_create_is_lost(db) {
        twins_stay_one(db, Fault::after_commit("crm.item.add")).await;
    }

    s1_twins_stay_one_contact_when_a_create_commits_after_we_gave_up(db) {
        twins_stay_one(db, Fault::commit_later("crm.item.add", Duration::from_secs(50))).await;
    }

    s1_a_deal_that_was_settled_before_its_guest_was_made_is_linked_afterwards(db) {
        a_late_guest_reaches_his_deal(db, false).await;
    }

    s1_a_deal_that_is_settled_after_its_guest_was_made_is_linked_then(db) {
        a_late_guest_reaches_his_deal(db, true).await;
    }

    s1_a_guest_who_is_adopted_late_is_linked_to_the_deal_that_stands(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.portal.fault(Fault::error("crm.item.add", 400, "CRM_FIELD_ERROR_VALUE_NOT_VALID"));
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!((world.deals().len(), world.contacts().len()), (1, 0));
        // A person helps himself.
        world.pass(Duration::from_secs(60));
        let anna = world.portal.add_as(2, Kind::Contact, &json!({"name": "Анна", "lastName": "Иванова7",
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+79000000007"}]})).unwrap();
        engine.scan(world.id).await.unwrap();
        let problem = world.problems(&engine).await.remove(0);
        engine.retry_problem(world.id, problem.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(world.contacts().len(), 1, "adopted, not made");
        assert_eq!(world.deals()[0].fields["contactIds"], json!([anna]));
    }

    s1_a_contact_that_was_deleted_before_it_could_be_adopted_is_nobody(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let anna = world.portal.add_as(2, Kind::Contact, &json!({"name": "Анна", "lastName": "Иванова7",
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+79000000007"}]})).unwrap();
        world.book("2", "8");
        let engine = world.engine();
        world.round(&engine).await;
        // The index still knows her.
        world.portal.delete_as(2, Kind::Contact, anna).unwrap();
        world.pass(Duration::from_secs(20));
        world.book("1", "7");
        world.round(&engine).await;
        let made: Vec<_> = world.contacts().into_iter().filter(|one| one.text("originId") == "GRAND:7").collect();
        assert_eq!(made.len(), 1, "{:?}", world.contacts());
        let deals = world.deals();
        let deal = deals.iter().find(|deal| deal.text("originId") == "GRAND:1").expect("a deal");
        assert_eq!(deal.fields["contactIds"], json!([made[0].id]));
        let view = engine.stay_by_deal(world.id, deal.id).await.unwrap().expect("the stay");
        assert_eq!(view.guests[0].crm_id, Some(made[0].id), "not the one that is gone");
    }
}
