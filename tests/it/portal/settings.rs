//! What is chosen must be there on the portal: owners who work there, a currency it knows, limits it has.

use fb24_sandbox::portal::{Edition, Fault, FaultAnswer, Hold, PortalOptions};
use fidelio_bitrix24::portal::{OwnerRule, Pipeline, PortalSettings};
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

struct Admin<'a> {
    stand: &'a Stand,
    session: String,
}

impl<'a> Admin<'a> {
    async fn of(stand: &'a Stand) -> Self {
        // Not the one who installed the app: whose token asks can be told from the system pair's.
        let boot = Stand::boot(&stand.open("/bitrix/app", &stand.frame(4)).await);
        Self { stand, session: boot["session"].as_str().expect("a session").to_owned() }
    }

    async fn ask(&self, method: &str, path: &str, lang: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.stand.node.url);
        let request = self.stand.http.request(method.parse().expect("a method"), url).bearer_auth(&self.session);
        let request = request.header("Accept-Language", lang);
        let request = if method == "GET" { request } else { request.json(body) };
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("PUT", path, "ru", body).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, "ru", body).await
    }
}

fn hotel(code: &str, currency: &str) -> Value {
    json!({"code": code, "name": "Гранд", "timezone": "Europe/Moscow", "currency": currency, "sources": []})
}

fn errors(body: &Value) -> Vec<(String, String)> {
    let text = |error: &Value, key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let list = body["errors"].as_array().cloned().unwrap_or_default();
    list.iter().map(|error| (text(error, "pointer"), text(error, "code"))).collect()
}

fn lacks(installation: &Value) -> Vec<String> {
    let list = installation["lacks"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|lack| {
            format!("{} {}", lack["code"].as_str().unwrap_or_default(), lack["detail"].as_str().unwrap_or_default())
        })
        .collect()
}

on_both_engines! {
    s3_a_hotel_s_currency_must_be_one_the_portal_has(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let admin = Admin::of(&stand).await;
        stand.sandbox.clear_requests();
        assert_eq!(admin.post("/hotels", &hotel("GRAND", "EUR")).await.0, 201);
        assert!(stand.sandbox.requests().is_empty(), "the set-up's look knows what the portal has");

        let (status, body) = admin.post("/hotels", &hotel("PARK", "KZT")).await;
        assert_eq!((status, errors(&body)), (422, vec![("/currency".into(), "currency_missing".into())]));
        let says = body["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(says.contains("RUB, USD, EUR") && says.contains("нет этой валюты"), "{says}");
        let mut changed = hotel("GRAND", "KZT");
        assert_eq!(errors(&admin.put("/hotels/GRAND", &changed).await.1), [("/currency".into(), "currency_missing".into())]);
        assert_eq!(admin.ask("GET", "/hotels/GRAND", "ru", &json!({})).await.1["currency"], "EUR", "nothing was saved");
        let mut demo = hotel("DEMO", "KZT");
        demo["sources"] = json!([{"kind": "demo", "via": "direct"}]);
        let (status, made) = admin.post("/hotels", &demo).await;
        assert_eq!((status, &made["currency"]), (201, &json!("RUB")), "one click does in any portal: {made}");

        // Added at the portal a moment ago: its own answer counts, not what we remember.
        stand.sandbox.configure(|options| options.currencies.push("KZT".into()));
        assert_eq!(admin.put("/hotels/GRAND", &changed).await.0, 200);
        changed["name"] = json!("Гранд 2");
        stand.sandbox.clear_requests();
        assert_eq!(admin.put("/hotels/GRAND", &changed).await.0, 200);
        assert!(stand.sandbox.requests().is_empty(), "known from then on");
    }

    s3_a_currency_that_cannot_be_checked_now_is_taken_and_shown_as_a_lack(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let admin = Admin::of(&stand).await;
        stand.sandbox.fault(Fault::before("crm.currency.list"));
        assert_eq!(admin.post("/hotels", &hotel("GRAND", "KZT")).await.0, 201);
        stand.settle_over(60).await;
        let (_, shown) = admin.ask("GET", "/installation", "ru", &json!({})).await;
        assert_eq!(lacks(&shown), ["currency GRAND: KZT"], "{shown}");
        assert!(shown["lacks"][0]["blocks"] == false && shown["state"] == "ready", "{shown}");
        stand.sandbox.configure(|options| options.currencies.push("KZT".into()));
        assert_eq!(admin.post("/installation/retry", &json!({})).await.0, 202);
        stand.settle().await;
        assert!(lacks(&admin.ask("GET", "/installation", "ru", &json!({})).await.1).is_empty());
    }

    s3_a_rule_names_people_who_work_at_the_portal(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.sandbox.change_user(5, |user| user.active = false);
        let admin = Admin::of(&stand).await;
        assert_eq!(admin.post("/hotels", &hotel("GRAND", "RUB")).await.0, 201);
        let rule = |rule: Value| json!({"owner_rule": rule});
        for (wrong, pointers) in [
            (json!({"kind": "person", "user_id": 99}), vec!["/owner_rule/user_id"]),
            // An extranet guest, somebody dismissed, somebody who never was.
            (json!({"kind": "round_robin", "user_ids": [1, 3, 2, 5, 77]}), vec!["/owner_rule/user_ids/1", "/owner_rule/user_ids/3", "/owner_rule/user_ids/4"]),
            (json!({"kind": "per_hotel", "hotels": {"GRAND": 5}}), vec!["/owner_rule/hotels/GRAND"]),
        ] {
            let (status, body) = admin.put("/settings", &rule(wrong)).await;
            let expected: Vec<_> = pointers.iter().map(|pointer| ((*pointer).to_owned(), "user_unknown".to_owned())).collect();
            assert_eq!((status, errors(&body)), (422, expected), "{body}");
        }
        assert_eq!(admin.ask("GET", "/settings", "ru", &json!({})).await.1["owner_rule"], json!({"kind": "unset"}));
        let good = rule(json!({"kind": "round_robin", "user_ids": [4, 2]}));
        assert_eq!(admin.put("/settings", &good).await.0, 200);
        let asked: Vec<_> = stand.sandbox.requests_of("user.get").iter().map(|request| request.user).collect();
        assert_eq!(asked, [4, 4, 4, 4], "each under the caller's own token");
        // Sent back unchanged, it asks nobody; and where the portal does not answer, nothing changes.
        stand.sandbox.clear_requests();
        assert_eq!(admin.put("/settings", &good).await.0, 200);
        assert!(stand.sandbox.requests().is_empty());
        stand.sandbox.fault(Fault::before("user.get").times(5));
        let (status, body) = admin.put("/settings", &rule(json!({"kind": "person", "user_id": 2}))).await;
        assert_eq!((status, body["type"].as_str()), (502, Some("/problems/portal-unavailable")));
        assert_eq!(admin.ask("GET", "/settings", "ru", &json!({})).await.1["owner_rule"]["kind"], "round_robin");
    }

    s51_a_setting_that_what_changed_meanwhile_makes_impossible_is_refused(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        let admin = Admin::of(&stand).await;
        let mut body = json!({"owner_rule": {"kind": "person", "user_id": 4}});
        body["stages"] = admin.ask("GET", "/settings", "ru", &json!({})).await.1["stages"].clone();
        let hold = Hold::default();
        stand.sandbox.fault(Fault::after_commit("user.get").answering(FaultAnswer::Held(hold.clone())));
        let meanwhile = async {
            hold.reached().await;
            let elsewhere = |settings: &mut PortalSettings| {
                settings.pipeline = Some(Pipeline { category_id: 77, own: false });
                settings.stages.clear();
            };
            stand.node.directory.update_settings(portal.id, elsewhere).await.unwrap();
            hold.release();
        };
        let ((status, said), ()) = tokio::join!(admin.put("/settings", &body), meanwhile);
        assert_eq!((status, errors(&said)[0].1.as_str()), (422, "stage"), "{said}");
        let stays = stand.portal().await.settings;
        assert_eq!((stays.owner_rule, stays.stages.len()), (OwnerRule::default(), 0), "nothing of it was saved");
    }

    s3_employees_are_asked_for_once_while_somebody_types_a_name(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.sandbox.change_user(5, |user| user.active = false);
        let admin = Admin::of(&stand).await;
        let find = async |who: &Admin<'_>, query: &str| {
            let (status, body) = who.ask("GET", &format!("/users?query={query}"), "ru", &json!({})).await;
            assert_eq!(status, 200, "{body}");
            body["items"].as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        stand.sandbox.clear_requests();
        assert_eq!(find(&admin, "").await, [1, 4, 2], "by surname, without guests and the dismissed");
        assert_eq!(find(&admin, "%D0%B2%D1%82").await, [4]);
        assert_eq!(find(&admin, "nobody").await, Vec::<i64>::new());
        assert_eq!(stand.sandbox.requests_of("user.get").len(), 1);
        let another = Admin::of(&stand).await;
        assert_eq!(find(&another, "").await.len(), 3);
        assert_eq!(stand.sandbox.requests_of("user.get").len(), 2, "another session asks for itself");
        stand.pass(61);
        find(&admin, "").await;
        assert_eq!(stand.sandbox.requests_of("user.get").len(), 3, "not for long");
    }

    s48_the_operating_limit_is_known_beforehand_by_edition_or_by_the_admin_s_word(db) {
        for (edition, seconds) in [(Edition::Cloud, 480), (Edition::Enterprise, 480), (Edition::Box, 420)] {
            let other = db.another().await;
            let stand = Stand::start(&other.db, PortalOptions { edition, ..options() });
            let portal = stand.install().await;
            let limit = async || stand.node.directory.client(portal.id).await.unwrap().address().operating_seconds;
            assert_eq!(limit().await, seconds, "{edition:?}");
            let admin = Admin::of(&stand).await;
            assert_eq!(admin.put("/settings", &json!({"operating_seconds": 5})).await.0, 422);
            assert_eq!(admin.put("/settings", &json!({"operating_seconds": 100})).await.1["operating_seconds"], 100);
            assert_eq!(limit().await, 100);
            assert_eq!(admin.put("/settings", &json!({"operating_seconds": 0})).await.1["operating_seconds"], Value::Null);
            assert_eq!(limit().await, seconds);
        }
    }
}
