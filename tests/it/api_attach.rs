//! Attaching and detaching over the API, by people of every kind (product §2.14, §7).

use std::time::Duration;

use fb24_sandbox::hotel::HotelOptions;
use fb24_sandbox::portal::{Entity, PortalOptions};
use serde_json::json;

use crate::on_both_engines;
use crate::support::town::{Crew, House, Town};
use crate::support::world::{Admin, deals_by_mark};

/// What was asked for may wait a moment for what is under way.
async fn some_seconds(town: &Town, crew: &mut Crew) {
    for _ in 0..4 {
        town.work(crew).await;
        town.pass(Duration::from_secs(2));
    }
}

on_both_engines! {
    s1_s3_a_deal_is_attached_by_whom_the_portal_lets_read_it_and_who_may(db) {
        let options = HotelOptions { reservations: 3, rooms: 20, seed: 5, ..HotelOptions::default() };
        let town = Town::open(&db.db, vec![House::build(PortalOptions::default(), options)]);
        let house = &town.houses[0];
        let mut crew = town.crew(None);
        town.move_in(house, "GRAND", &mut crew).await;
        let admin = Admin::open(&house.portal, &town.node.url).await;
        let roles = json!({"items": [{"user_id": 2, "role": "front_desk", "grants": []}, {"user_id": 3, "role": "viewer", "grants": []}]});
        let (status, body) = admin.put("/api/v1/roles", roles).await;
        assert_eq!(status, 200, "{body}");
        // New roles end every session.
        let admin = Admin::open(&house.portal, &town.node.url).await;
        let desk = Admin::open_as(&house.portal, &town.node.url, 2).await;
        let viewer = Admin::open_as(&house.portal, &town.node.url, 3).await;

        let (mark, ours) = deals_by_mark(&house.portal).into_iter().next().map(|(mark, deals)| (mark, deals[0].id)).unwrap();
        let (attach, detach) = (format!("/api/v1/stays/{mark}/attach"), format!("/api/v1/stays/{mark}/detach"));
        let sale = |owner: i64| {
            let fields = json!({"title": "Sale", "assignedById": owner});
            house.portal.add_as(1, Entity::Deal, &fields).unwrap()
        };
        let (his, anothers) = (sale(2), sale(3));
        // The stay's own deal is the admin's: whoever may not read it takes nothing off it.
        assert_eq!(desk.post(&detach, json!({})).await.0, 403);
        assert_eq!(viewer.post(&detach, json!({})).await.0, 403);
        let (status, body) = admin.post(&attach, json!({"deal_id": his})).await;
        assert_eq!((status, body["code"].as_str()), (409, Some("stay_has_deal")), "{body}");
        assert!(body["detail"].as_str().is_some_and(|text| text.contains("ткреп")), "the way out: {body}");
        assert_eq!(admin.post(&detach, json!({})).await.0, 202);
        some_seconds(&town, &mut crew).await;
        assert_eq!(house.portal.record(Entity::Deal, ours).unwrap().text("originId"), "");

        assert_eq!(desk.post(&attach, json!({"deal_id": anothers})).await.0, 403, "not his to read");
        assert_eq!(viewer.post(&attach, json!({"deal_id": anothers})).await.0, 403, "his to read, and to look at only");
        assert_eq!(desk.post("/api/v1/stays/GRAND:0/attach", json!({"deal_id": his})).await.0, 404);
        assert_eq!(desk.post(&attach, json!({"deal_id": his, "new": true})).await.0, 422);
        let (status, body) = desk.post(&attach, json!({"deal_id": his})).await;
        assert_eq!((status, body), (202, json!({"stay": mark, "deal_id": his})));
        some_seconds(&town, &mut crew).await;
        assert_eq!(house.portal.record(Entity::Deal, his).unwrap().text("originId"), mark);
        let (status, body) = desk.get(&format!("/api/v1/deals/{his}/stay")).await;
        assert_eq!((status, &body["crm"]["deal_id"]), (200, &json!(his)), "{body}");
    }
}
