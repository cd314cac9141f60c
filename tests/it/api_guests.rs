//! The contact tab over the API: who sees the guest behind a contact, and what of him (product §7).

use fb24_sandbox::hotel::HotelOptions;
use fb24_sandbox::portal::{Entity, PortalOptions};
use serde_json::json;

use crate::on_both_engines;
use crate::support::town::{House, Town};
use crate::support::world::Admin;

on_both_engines! {
    s3_a_guest_is_shown_to_whom_the_portal_lets_read_his_contact_and_stays_to_whom_their_deals(db) {
        let options = HotelOptions { reservations: 12, rooms: 20, seed: 5, ..HotelOptions::default() };
        let town = Town::open(&db.db, vec![House::build(PortalOptions::default(), options)]);
        let house = &town.houses[0];
        let mut crew = town.crew(None);
        town.move_in(house, "GRAND", &mut crew).await;
        let admin = Admin::open(&house.portal, &town.node.url).await;
        let deal = house.portal.records(Entity::Deal).into_iter()
            .find(|deal| deal.fields["contactIds"].as_array().is_some_and(|ids| !ids.is_empty())).expect("a deal with a guest");
        let contact = deal.fields["contactIds"][0].as_i64().expect("a contact");
        let path = format!("/api/v1/contacts/{contact}/guest");
        let (status, all) = admin.get(&path).await;
        assert_eq!((status, &all["folio"], &all["stays_hidden"]), (200, &json!(true), &json!(0)), "{all}");
        let shown = all["stays"].as_array().expect("stays");
        assert_eq!(json!(shown.len()), all["stays_total"]);
        assert!(shown.iter().any(|stay| stay["crm"]["deal_id"] == json!(deal.id) && stay["total"]["currency"] == "RUB"), "{all}");
        assert!(all["revenue"].is_array() && all["profiles"][0]["preferences"].is_array(), "{all}");

        // An employee reads every contact, and of the deals only those he answers for.
        let manager = Admin::open_tab_as(&house.portal, &town.node.url, 2).await;
        let (status, his) = manager.get(&path).await;
        assert_eq!((status, &his["folio"], &his["revenue"]), (200, &json!(false), &json!(null)), "{his}");
        assert_eq!((&his["stays"], &his["stays_hidden"]), (&json!([]), &all["stays_total"]), "no deal of it is his");
        assert_eq!((&his["figures"], &his["merge_hints"]), (&all["figures"], &json!([])));
        house.portal.edit_as(1, Entity::Deal, deal.id, &json!({"assignedById": 2})).unwrap();
        let manager = Admin::open_tab_as(&house.portal, &town.node.url, 2).await;
        let (_, his) = manager.get(&path).await;
        assert_eq!(his["stays"].as_array().map(Vec::len), Some(1), "{his}");
        assert_eq!((&his["stays"][0]["crm"]["deal_id"], &his["stays"][0]["total"]), (&json!(deal.id), &json!(null)));

        let extranet = Admin::open_tab_as(&house.portal, &town.node.url, 3).await;
        let (status, refused) = extranet.get(&path).await;
        assert_eq!((status, refused["profiles"].is_null()), (403, true), "{refused}");
        let stranger = house.portal.add_as(1, Entity::Contact, &json!({"name": "No", "lastName": "Guest"})).unwrap();
        let (status, none) = manager.get(&format!("/api/v1/contacts/{stranger}/guest")).await;
        assert_eq!((status, none["code"].as_str()), (404, Some("no_guest")), "{none}");
        let (status, _) = manager.get("/api/v1/contacts/none/guest").await;
        assert_eq!(status, 404);
    }

    s3_where_a_contacts_values_come_from_is_told_to_whom_the_portal_lets_read_it(db) {
        let options = HotelOptions { reservations: 6, rooms: 10, seed: 5, ..HotelOptions::default() };
        let town = Town::open(&db.db, vec![House::build(PortalOptions::default(), options)]);
        let house = &town.houses[0];
        let mut crew = town.crew(None);
        town.move_in(house, "GRAND", &mut crew).await;
        let deal = house.portal.records(Entity::Deal).into_iter()
            .find(|deal| deal.fields["contactIds"].as_array().is_some_and(|ids| !ids.is_empty())).expect("a deal with a guest");
        let contact = deal.fields["contactIds"][0].as_i64().expect("a contact");
        let path = format!("/api/v1/contacts/{contact}/provenance");
        let manager = Admin::open_tab_as(&house.portal, &town.node.url, 2).await;
        let (status, told) = manager.get(&path).await;
        assert_eq!(status, 200, "{told}");
        let fields = told["fields"].as_array().expect("fields");
        let name = fields.iter().find(|one| one["field"] == "lastName").expect("a name");
        assert!(name["of"].as_str().is_some_and(|of| of.starts_with("GRAND:")), "{name}");
        assert_eq!((&name["fact"], &name["pms"]["value"]), (&json!("last_name"), &name["value"]), "{name}");
        assert_eq!((&name["call"]["answer"], &name["undoable"]), (&json!("confirmed"), &json!(false)));
        assert!(name["call"]["sent_at"].is_string() && name["written_at"].is_string(), "{name}");
        assert!(fields.iter().all(|one| one["value"].get("currency").is_none()), "no money without the grant: {told}");
        let extranet = Admin::open_tab_as(&house.portal, &town.node.url, 3).await;
        assert_eq!(extranet.get(&path).await.0, 403);
        let (status, none) = manager.get("/api/v1/contacts/999999/provenance").await;
        assert!(status == 403 || (status == 404 && none["code"] == "no_guest"), "{status}: {none}");
    }
}
