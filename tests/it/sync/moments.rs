//! How a portal reads a moment in a filter is tried, not assumed.

use std::time::Duration;

use fb24_sandbox::portal::{Entity as Kind, PortalOptions};
use fidelio_bitrix24::bitrix::MomentForm;
use serde_json::json;

use super::world::World;
use crate::on_both_engines;
use crate::support::db::TestDb;

async fn found_by_scan(db: TestDb, by_wall: bool, learned: MomentForm) {
    let mut world = World::new(db, PortalOptions::default()).await;
    world.terms.moments = None;
    if by_wall {
        world.portal.filter_by_wall();
    }
    world.book("1", "7");
    let node = world.node();
    let engine = world.engine_of(node.clone(), None);
    world.round(&engine).await;
    let deal = world.deals()[0].id;
    for value in ["by hand", "again"] {
        world.pass(Duration::from_secs(600));
        world.portal.edit_as(3, Kind::Deal, deal, &json!({"UF_CRM_FB24_ROOM_TYPE": value})).unwrap();
        engine.scan(world.id).await.unwrap();
        engine.deliver(world.id).await.unwrap();
        assert_eq!(world.deals()[0].text("UF_CRM_FB24_ROOM_TYPE"), "DBL", "{value}");
    }
    assert_eq!(node.terms.lock().unwrap().moments, Some(learned));
    let looks = world.portal.requests_of("crm.item.list").len();
    world.pass(Duration::from_secs(600));
    engine.scan(world.id).await.unwrap();
    assert_eq!(world.portal.requests_of("crm.item.list").len() - looks, 1, "it is known");
}

on_both_engines! {
    s1_an_edit_is_found_in_a_portal_that_reads_offsets(db) {
        found_by_scan(db, false, MomentForm::Utc).await;
    }

    s1_an_edit_is_found_in_a_portal_that_goes_by_its_own_clock(db) {
        found_by_scan(db, true, MomentForm::Own { offset: 10_800 }).await;
    }
}
