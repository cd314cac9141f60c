//! Guests and contacts: found, adopted, made; phones in both modes of the portal (product §2.8, facts §7.3).

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, MultifieldMode, PortalOptions};
use fidelio_bitrix24::domain::Known;
use serde_json::json;

use super::world::{World, phone};
use crate::on_both_engines;

async fn phones_follow(db: crate::support::db::TestDb, mode: MultifieldMode) {
    let world = World::new(db, PortalOptions { multifields: mode, ..PortalOptions::default() }).await;
    world.book("1", "7");
    let engine = world.engine();
    world.round(&engine).await;
    let contact = world.contacts()[0].id;
    for number in ["+79001112233", "+79004445566"] {
        world.pass(Duration::from_secs(60));
        world.edit_profile("7", |profile| profile.phones = Known::Is(vec![phone(number)]));
        world.round(&engine).await;
        assert_eq!(world.portal.record(Kind::Contact, contact).unwrap().multi("PHONE"), [number], "{mode:?}");
    }
    world.pass(Duration::from_secs(60));
    let before = world.requests();
    world.round(&engine).await;
    assert_eq!(world.requests(), before);
}

on_both_engines! {
    s1_a_changed_phone_replaces_the_old_one_where_updates_change(db) {
        phones_follow(db, MultifieldMode::Keyed).await;
    }

    s1_a_changed_phone_replaces_the_old_one_where_updates_only_add(db) {
        phones_follow(db, MultifieldMode::AddOnly).await;
    }

    s1_a_contact_that_is_certainly_the_guest_is_adopted_and_others_are_hinted(db) {
        let world = World::new(db, PortalOptions::default()).await;
        let add = |fields: serde_json::Value| world.portal.add_as(2, Kind::Contact, &fields).unwrap();
        let anna = add(json!({"name": "Anna", "lastName": "Ivanova7", "originatorId": "crm-x", "originId": "5",
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "8 (900) 000-00-07"}]}));
        let husband = add(json!({"name": "Пётр", "lastName": "Иванов",
            "fm": [{"typeId": "EMAIL", "valueType": "WORK", "value": "anna8@example.ru"}]}));
        world.book("1", "7");
        world.book("2", "8");
        let engine = world.engine();
        world.round(&engine).await;
        assert_eq!(world.contacts().len(), 3, "one adopted, one made");
        let adopted = world.portal.record(Kind::Contact, anna).unwrap();
        assert_eq!(adopted.text("lastName"), "Ivanova7", "what stood there stays");
        assert_eq!(adopted.text("originId"), "5", "another system's mark is never overwritten");
        assert_eq!(adopted.fields["UF_CRM_FB24_PROFILE"], json!(["GRAND:7"]));
        assert_eq!(adopted.multi("PHONE"), ["8 (900) 000-00-07"], "the same number is not added twice");
        let hints = engine.merge_hints(world.id, None, 10).await.unwrap().items;
        assert_eq!(hints.len(), 1);
        assert_eq!(hints[0].alike.iter().map(|one| one.crm_id).collect::<Vec<_>>(), [husband]);
        let deals = world.deals();
        assert_eq!(deals.iter().filter(|deal| deal.fields["contactIds"] == json!([anna])).count(), 1);
    }

    s1_one_person_under_two_profiles_is_one_contact(db) {
        let world = World::new(db, PortalOptions::default()).await;
        world.book("1", "7");
        world.book("2", "8");
        let twin = |profile: &mut fidelio_bitrix24::domain::Profile| {
            profile.last_name = Known::Is("Иванова".into());
            profile.phones = Known::Is(vec![phone("+79001112233")]);
            profile.emails = Known::Empty;
        };
        world.edit_profile("7", twin);
        world.edit_profile("8", twin);
        let engine = world.engine();
        world.round(&engine).await;
        let contacts = world.contacts();
        assert_eq!(contacts.len(), 1);
        assert_eq!(contacts[0].fields["UF_CRM_FB24_PROFILE"], json!(["GRAND:7", "GRAND:8"]));
        assert!(world.deals().iter().all(|deal| deal.fields["contactIds"] == json!([contacts[0].id])));
    }
}
