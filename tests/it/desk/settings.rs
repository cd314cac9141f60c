//! Settings of the desk.

use fidelio_bitrix24::domain::support::Kind;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::desk::outbox;
use fidelio_bitrix24::support::Submission;
use serde_json::json;

use super::report;
use crate::on_both_engines;
use crate::support::api::{Api, Caller};

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
        let mut wrong = put.body.clone();
        wrong["settings"]["days"] = json!([{"day": "2027-03-05"}, {"day": "2027-03-05", "like": "Mon"}]);
        wrong["settings"]["templates"] = json!({"a/b": {"ru": "Готово", "en": " "}});
        let refused = manager.put("/api/v1/support/settings", &wrong).await;
        assert_eq!(refused.errors(), [
            ("/settings/days/1/day", "day_twice"),
            ("/settings/templates/a~1b/en", "required"),
        ]);
        // Somebody may have agreed to it.
        let mut wrong = put.body.clone();
        wrong["settings"]["consents"][0]["en"] = json!("Something else");
        let refused = manager.put("/api/v1/support/settings", &wrong).await;
        assert_eq!(refused.errors(), [("/settings/consents/0", "consent_kept")]);
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

    s55_a_desk_s_own_days_move_its_deadlines(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let manager = api.with_role(portal, Given::SupportManager).await;
        let mut body = manager.get("/api/v1/support/settings").await.body;
        let first = &body["public_holidays"]["days"][0];
        assert_eq!((&first["day"], &first["like"]), (&json!("2025-01-01"), &json!(null)));
        let deadline = async || {
            let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
            let shown = manager.get(&format!("/api/v1/requests/{}", row.number)).await.body;
            shown["clocks"][0]["deadline"].as_str().unwrap().to_owned()
        };
        let before = deadline().await;
        let day: String = before.chars().take(10).collect();
        body["settings"]["days"] = json!([{"day": day}]);
        let put = manager.put("/api/v1/support/settings", &body).await;
        assert_eq!((put.status, &put.body["settings"]["days"][0]["day"]), (200, &json!(day)), "{put:?}");
        assert!(deadline().await > before, "{before} is a day off");
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

    s46_who_represents_a_customer_lists_what_he_may_open_and_nobody_else_does(db) {
        let api = Api::with(db, |config| config.support.portal = "vendor".into()).await;
        let (desk, customer) = (api.portal("vendor").await, api.portal("m1").await);
        let row = api.desk.register(desk, report(customer, 5)).await.unwrap().row;
        let at = format!("/api/v1/requests/{}", row.number);
        let (admin, named) = (api.admin(customer).await, api.nobody(customer).await);
        let sees = async |who: &Caller<'_>| {
            let listed = who.get("/api/v1/requests").await.body["items"].as_array().unwrap().len();
            (listed, who.get(&at).await.status)
        };
        assert_eq!((sees(&admin).await, sees(&named).await), ((1, 200), (0, 404)));
        let (mut settings, _) = api.desk.settings(desk).await.unwrap();
        settings.customers.entry("m1".into()).or_default().representatives = vec![6];
        assert_eq!(api.desk.save_settings(desk, 0, settings, 1).await.unwrap(), Ok(1));
        assert_eq!((sees(&admin).await, sees(&named).await), ((0, 404), (1, 200)));
    }

    s38_no_queue_is_the_manager_s_and_a_full_one_is_told_so(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (mut settings, _) = api.desk.settings(portal).await.unwrap();
        settings.manager = Some(9);
        let queue = json!({"name": "one", "kinds": ["incident"], "members": [{"user": 7, "cap": 1}]});
        settings.queues = vec![serde_json::from_value(queue).unwrap()];
        assert_eq!(api.desk.save_settings(portal, 0, settings, 1).await.unwrap(), Ok(1));
        let mut made = Vec::new();
        for kind in [Kind::Service, Kind::Incident, Kind::Incident] {
            let row = api.desk.register(portal, Submission { kind, ..report(portal, 5) }).await.unwrap().row;
            let told = outbox::of_request(&api.db, portal, row.id).await.unwrap().len();
            made.push((row.assigned, told));
        }
        // The task, and of the full queue a word in it.
        assert_eq!(made, [(Some(9), 1), (Some(7), 1), (Some(9), 2)]);
    }
}
