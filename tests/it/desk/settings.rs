//! Settings of the desk.

use fidelio_bitrix24::http::auth::Role as Given;
use serde_json::json;

use super::report;
use crate::on_both_engines;
use crate::support::api::Api;

on_both_engines! {
    s19_s38_settings_are_checked_whole_versioned_and_edited_where_the_desk_is(db) {
        let api = Api::with(db, |config| config.support.portal = "vendor".into()).await;
        let (desk, customer) = (api.portal("vendor").await, api.portal("m1").await);
        let manager = api.with_role(desk, Given::SupportManager).await;
        let shown = manager.get("/api/v1/support/settings").await;
        assert_eq!((shown.status, &shown.body["version"]), (200, &json!(0)), "{shown:?}");
        let mut body = shown.body.clone();
        body["settings"]["queues"] = json!([{"name": "one", "members": [{"user": 7, "cap": 1}, {"user": 8}]}]);
        body["settings"]["manager"] = json!(9);
        let put = manager.put("/api/v1/support/settings", &body).await;
        assert_eq!((put.status, &put.body["version"]), (200, &json!(1)), "{put:?}");
        let late = manager.put("/api/v1/support/settings", &body).await;
        assert_eq!((late.status, &late.body["code"]), (409, &json!("settings_changed")));

        let mut wrong = put.body.clone();
        wrong["settings"]["zone"] = json!("Moon/Base");
        wrong["settings"]["matrix"]["problem"]["hotel"] = json!("low");
        wrong["settings"]["promises"].as_object_mut().unwrap().remove("abuse");
        wrong["settings"]["queues"][0]["members"][0]["user"] = json!(0);
        let refused = manager.put("/api/v1/support/settings", &wrong).await;
        assert_eq!(refused.errors(), [
            ("/settings/zone", "timezone"),
            ("/settings/promises/abuse", "required"),
            ("/settings/matrix/problem/hotel", "wider_is_lower"),
            ("/settings/matrix/problem/hotel", "severer_is_lower"),
            ("/settings/queues/0/members/0/user", "user"),
        ]);
        let mut unknown = put.body.clone();
        unknown["settings"]["calender"] = json!(1);
        assert_eq!(manager.put("/api/v1/support/settings", &unknown).await.errors(), [("/settings", "desk_settings")]);

        let operator = api.with_role(desk, Given::SupportOperator).await;
        assert_eq!(operator.get("/api/v1/support/settings").await.status, 200);
        assert_eq!(operator.put("/api/v1/support/settings", &put.body).await.status, 403);
        let elsewhere = api.admin(customer).await.put("/api/v1/support/settings", &put.body).await;
        assert_eq!((elsewhere.status, &elsewhere.body["code"]), (409, &json!("desk_elsewhere")));

        // In turn, as far as each has room.
        let mut assigned = Vec::new();
        for _ in 0..4 {
            assigned.push(api.desk.register(desk, report(customer, 5)).await.unwrap().row.assigned);
        }
        assert_eq!(assigned, [Some(7), Some(8), Some(8), Some(8)]);
    }

    s39_a_support_portal_works_what_customers_report_and_they_see_their_own(db) {
        let api = Api::with(db, |config| config.support.portal = "vendor".into()).await;
        let (desk, customer, other) = (api.portal("vendor").await, api.portal("m1").await, api.portal("m2").await);
        let made = api.nobody(customer).await.post("/api/v1/requests", &json!({"subject": "a", "description": "b"})).await;
        let n = made.body["number"].as_str().unwrap().to_owned();
        let at = format!("/api/v1/requests/{n}");
        let operator = api.with_role(desk, Given::SupportOperator).await;
        assert_eq!(operator.get(&at).await.body["roles"], json!(["operator"]));
        assert_eq!(operator.get("/api/v1/requests?customer=m1").await.body["items"].as_array().unwrap().len(), 1);
        assert_eq!(operator.get("/api/v1/requests?customer=m2").await.body["items"], json!([]));
        // A role of the desk is worth nothing in a customer's portal, an admin there represents the customer.
        let local = api.with_role(customer, Given::SupportManager).await;
        assert_eq!(local.get(&at).await.status, 404);
        let admin = api.admin(customer).await;
        assert_eq!(admin.get(&at).await.body["roles"], json!(["representative"]));
        assert_eq!(admin.post(&format!("{at}/take"), &json!({})).await.status, 403);
        assert_eq!(api.admin(other).await.get(&at).await.status, 404);
        let call = json!({"channel": "phone", "phone": "+7 916 123-45-67", "name": "Анна"});
        assert_eq!(admin.post("/api/v1/requests", &call).await.status, 403);
        let taken = operator.post("/api/v1/requests", &call).await;
        assert_eq!(taken.status, 201, "{taken:?}");
        assert!(taken.body["link"].as_str().unwrap().contains("/support/request#"));
        assert_eq!(taken.body["missing"], json!(["description", "picture", "conditions", "login", "portal"]));
    }
}
