//! Hotels through the API: what is taken, what is refused, what is never shown.

use fidelio_bitrix24::fidelio::Layer;
use fidelio_bitrix24::http::auth::Role;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::api::Api;

pub fn hotel(code: &str) -> Value {
    json!({"code": code, "name": "Гранд Отель", "timezone": "Europe/Moscow", "currency": "RUB", "sources": [{
        "kind": "suite8_xml", "via": "direct", "url": "https://pms.example:8443/DataHandler",
        "username": "FB24", "password": "s3cret", "vendor": "V"
    }]})
}

on_both_engines! {
    s1_a_hotel_is_made_shown_changed_and_removed_and_its_password_never_shown(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let made = admin.post("/api/v1/hotels", &hotel("GRAND")).await;
        assert_eq!((made.status, made.header("location")), (201, "/api/v1/hotels/GRAND"), "{made:?}");
        let shown = json!({
            "code": "GRAND", "name": "Гранд Отель", "timezone": "Europe/Moscow", "currency": "RUB", "sources": [{
                "kind": "suite8_xml", "via": "direct", "url": "https://pms.example:8443/DataHandler",
                "username": "FB24", "vendor": "V", "password_set": true, "packed": false,
                "password_encrypted": false, "country": null, "ca_pem_set": false
            }]
        });
        assert_eq!(made.body, shown);
        assert_eq!(admin.get("/api/v1/hotels/GRAND").await.body, shown);
        assert_eq!(admin.get("/api/v1/hotels").await.body, json!({"items": [shown], "next": null}));

        // What was shown can be sent back: the password stays.
        let mut changed = shown.clone();
        changed["name"] = json!("Grand");
        assert_eq!(admin.put("/api/v1/hotels/GRAND", &changed).await.body["name"], "Grand");
        // But never goes to another address or user without being typed again.
        for (member, value) in [("url", "https://evil.example/DataHandler"), ("username", "ADMIN")] {
            let mut moved = changed.clone();
            moved["sources"][0][member] = json!(value);
            let refused = admin.put("/api/v1/hotels/GRAND", &moved).await;
            assert_eq!((refused.status, refused.errors()), (422, vec![("/sources/0/password", "password_again")]));
        }
        let mut downgraded = changed.clone();
        downgraded["sources"][0]["url"] = json!("http://pms.example:8443/DataHandler");
        assert_eq!(admin.put("/api/v1/hotels/GRAND", &downgraded).await.status, 422);
        changed["code"] = json!("OTHER");
        assert_eq!(admin.put("/api/v1/hotels/GRAND", &changed).await.errors(), [("/code", "immutable")]);

        assert_eq!(admin.delete("/api/v1/hotels/GRAND").await.status, 204);
        assert_eq!(admin.get("/api/v1/hotels/GRAND").await.status, 404);
        assert_eq!(admin.delete("/api/v1/hotels/GRAND").await.status, 404);
        assert_eq!(admin.get("/api/v1/hotels").await.body["items"], json!([]));
    }

    s1_what_few_interfaces_need_is_saved_kept_and_forgotten(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let ca = fb24_sandbox::portal::tls::ca(false);
        let mut body = hotel("GRAND");
        let said = json!({"packed": true, "password_encrypted": true, "country": "by", "ca_pem": ca});
        body["sources"][0].as_object_mut().expect("a source").extend(said.as_object().cloned().expect("members"));
        assert_eq!(admin.post("/api/v1/hotels", &body).await.status, 201);
        let told = |source: &Value| {
            let member = |name: &str| source[name].clone();
            [member("packed"), member("password_encrypted"), member("country"), member("ca_pem_set")]
        };
        let shown = admin.get("/api/v1/hotels/GRAND").await.body;
        assert_eq!(told(&shown["sources"][0]), [json!(true), json!(true), json!("BY"), json!(true)]);
        assert!(!shown.to_string().contains("BEGIN CERTIFICATE"));

        // What is left out stays, and so does what is shown and sent back.
        let plain = json!({"name": "Grand", "timezone": "Europe/Moscow", "currency": "RUB",
            "sources": [hotel("GRAND")["sources"][0].clone()]});
        for kept in [&plain, &shown] {
            let kept = admin.put("/api/v1/hotels/GRAND", kept).await;
            assert_eq!(told(&kept.body["sources"][0]), told(&shown["sources"][0]), "{kept:?}");
        }

        // Whom another authority vouches for may be another server: the password is typed again.
        let mut other = shown.clone();
        other["sources"][0]["ca_pem"] = json!(fb24_sandbox::portal::tls::ca(true));
        let refused = admin.put("/api/v1/hotels/GRAND", &other).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/sources/0/password", "password_again")]));

        let mut plain = shown.clone();
        let said = json!({"packed": false, "password_encrypted": false, "country": null, "ca_pem": null});
        plain["sources"][0].as_object_mut().expect("a source").extend(said.as_object().cloned().expect("members"));
        let forgotten = admin.put("/api/v1/hotels/GRAND", &plain).await;
        assert_eq!(told(&forgotten.body["sources"][0]), [json!(false), json!(false), json!(null), json!(false)]);
    }

    s1_a_removed_hotels_code_goes_to_the_same_hotel_only(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
        let twice = admin.post("/api/v1/hotels", &hotel("GRAND")).await;
        assert_eq!((twice.status, twice.body["code"].as_str()), (409, Some("hotel_code_taken")));
        assert_eq!(admin.delete("/api/v1/hotels/GRAND").await.status, 204);

        let mut other = hotel("GRAND");
        other["name"] = json!("Plaza");
        other["sources"][0]["url"] = json!("https://plaza.example/DataHandler");
        let refused = admin.post("/api/v1/hotels", &other).await;
        assert_eq!((refused.status, refused.body["code"].as_str()), (409, Some("hotel_code_taken")));
        // The same interface under a new name is the same hotel; so is the same name at a new address.
        other["sources"] = hotel("GRAND")["sources"].clone();
        assert_eq!(admin.post("/api/v1/hotels", &other).await.status, 201);
        assert_eq!(admin.delete("/api/v1/hotels/GRAND").await.status, 204);
        let mut moved = other.clone();
        moved["sources"][0]["url"] = json!("https://new.example/DataHandler");
        assert_eq!(admin.post("/api/v1/hotels", &moved).await.status, 201);
    }

    s1_another_tenants_hotel_does_not_exist(db) {
        let api = Api::start(db).await;
        let (one, other) = (api.portal("m1").await, api.portal("m2").await);
        let (admin, stranger) = (api.admin(one).await, api.admin(other).await);
        assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
        assert_eq!(stranger.get("/api/v1/hotels/GRAND").await.status, 404);
        assert_eq!(stranger.put("/api/v1/hotels/GRAND", &hotel("GRAND")).await.status, 404);
        assert_eq!(stranger.delete("/api/v1/hotels/GRAND").await.status, 404);
        assert_eq!(stranger.post("/api/v1/hotels/GRAND/check", &json!({})).await.status, 404);
        assert_eq!(stranger.post("/api/v1/hotels/GRAND/imports", &json!({})).await.status, 404);
        assert_eq!(stranger.get("/api/v1/hotels").await.body["items"], json!([]));
        // Its code is free there.
        assert_eq!(stranger.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
        assert_eq!(stranger.delete("/api/v1/hotels/GRAND").await.status, 204);
        assert_eq!(admin.get("/api/v1/hotels/GRAND").await.status, 200);
    }

    s1_the_check_answers_layer_by_layer_and_not_too_often(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
        let layer = |name: &str, ok, code: &str| Layer {
            name: name.into(), ok, code: code.into(), params: serde_json::Map::new(), ms: 3,
        };
        *api.checks.layers.lock().unwrap() = vec![layer("dns", true, "no_such_code"), layer("tcp", false, "other_code")];
        let checked = admin.request("POST", "/api/v1/hotels/GRAND/check");
        let checked = crate::support::api::send(checked).await;
        assert_eq!(checked.status, 200, "{checked:?}");
        let layers = checked.body["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 2);
        assert_eq!(layers[1], json!({"source": "suite8_xml", "name": "tcp", "ok": false, "code": "other_code",
            "detail": "Проверка закончилась кодом «other_code».", "ms": 3}));
        assert_eq!(api.checks.addresses.lock().unwrap().as_slice(), ["https://pms.example:8443/DataHandler"]);

        let mut last = 200;
        for _ in 0..12 {
            last = admin.post("/api/v1/hotels/GRAND/check", &json!({})).await.status;
        }
        assert_eq!(last, 429);
        let refused = admin.post("/api/v1/hotels/GRAND/check", &json!({})).await;
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        api.clock.advance(std::time::Duration::from_secs(wait));
        assert_eq!(admin.post("/api/v1/hotels/GRAND/check", &json!({})).await.status, 200);
        let viewer = api.with_role(portal, Role::Viewer).await;
        assert_eq!(viewer.post("/api/v1/hotels/GRAND/check", &json!({})).await.status, 403);
    }

    s1_private_addresses_are_refused_at_once(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        for url in ["http://pms.example/x", "https://10.0.0.5/x", "https://[::1]/x", "https://169.254.169.254/latest"] {
            let mut private = hotel("GRAND");
            private["sources"][0]["url"] = json!(url);
            let refused = admin.post("/api/v1/hotels", &private).await;
            assert_eq!((refused.status, refused.errors()), (422, vec![("/sources/0/url", "address_refused")]), "{url}");
        }
        let mut early = hotel("GRAND");
        early["sources"][0]["kind"] = json!("fias");
        let refused = admin.post("/api/v1/hotels", &early).await;
        assert_eq!((refused.status, refused.problem()), (422, "unsupported"));
        assert_eq!(refused.errors(), [("/sources/0/kind", "source_not_yet")]);
    }

    s1_one_demo_hotel_is_connected_without_an_address_checked_and_removed(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let demo = |code: &str| json!({"code": code, "name": "Demo", "timezone": "Europe/Moscow", "currency": "RUB",
            "sources": [{"kind": "demo", "via": "direct"}]});
        assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
        let made = admin.post("/api/v1/hotels", &demo("DEMO")).await;
        assert_eq!((made.status, &made.body), (201, &demo("DEMO")));
        let second = admin.post("/api/v1/hotels", &demo("DEMO-2")).await;
        assert_eq!((second.status, second.body["code"].as_str()), (409, Some("demo_taken")));

        let checked = admin.post("/api/v1/hotels/DEMO/check", &json!({})).await;
        let layers = checked.body["layers"].as_array().expect("layers");
        assert!(!layers.is_empty() && layers.iter().all(|layer| layer["ok"] == true), "{checked:?}");

        // Neither becomes the other; a name may change.
        for (code, body) in [("DEMO", hotel("DEMO")), ("GRAND", demo("GRAND"))] {
            let refused = admin.put(&format!("/api/v1/hotels/{code}"), &body).await;
            assert_eq!((refused.status, refused.errors()), (422, vec![("/sources", "demo_apart")]));
        }
        let mut renamed = demo("DEMO");
        renamed["name"] = json!("Try me");
        assert_eq!(admin.put("/api/v1/hotels/DEMO", &renamed).await.body["name"], "Try me");

        assert_eq!(admin.delete("/api/v1/hotels/DEMO").await.status, 204);
        assert_eq!(admin.delete("/api/v1/hotels/DEMO").await.status, 404);
        let taken = admin.post("/api/v1/hotels", &hotel("DEMO")).await;
        assert_eq!((taken.status, taken.body["code"].as_str()), (409, Some("hotel_code_taken")));
        assert_eq!(admin.post("/api/v1/hotels", &demo("DEMO")).await.status, 201);
    }

    s1_two_clicks_at_once_connect_one_demo_hotel(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let demo = |code: &str| json!({"code": code, "name": "Demo", "timezone": "Europe/Moscow", "currency": "RUB",
            "sources": [{"kind": "demo", "via": "direct"}]});
        for codes in [["DEMO", "DEMO"], ["DEMO", "TRIAL"]] {
            let [one, other] = codes.map(demo);
            let (one, other) = tokio::join!(admin.post("/api/v1/hotels", &one), admin.post("/api/v1/hotels", &other));
            let (made, refused) = if one.status == 201 { (one, other) } else { (other, one) };
            assert_eq!((made.status, refused.status), (201, 409), "{made:?} {refused:?}");
            assert_eq!(refused.body["code"], "demo_taken");
            let code = made.body["code"].as_str().expect("a code").to_owned();
            assert_eq!(admin.delete(&format!("/api/v1/hotels/{code}")).await.status, 204);
        }
    }

    s1_a_demo_hotel_takes_the_next_free_code_where_a_real_one_holds_its_own(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let demo = json!({"code": "DEMO", "name": "Demo", "timezone": "Europe/Moscow", "currency": "RUB",
            "sources": [{"kind": "demo", "via": "direct"}]});
        for code in ["DEMO", "DEMO-2"] {
            let mut real = hotel(code);
            real["sources"][0]["url"] = json!(format!("https://{code}.example/DataHandler"));
            assert_eq!(admin.post("/api/v1/hotels", &real).await.status, 201);
        }
        // A removed one keeps its code too.
        assert_eq!(admin.delete("/api/v1/hotels/DEMO-2").await.status, 204);
        for _ in 0..2 {
            let made = admin.post("/api/v1/hotels", &demo).await;
            assert_eq!((made.status, made.header("location")), (201, "/api/v1/hotels/DEMO-3"), "{made:?}");
            assert_eq!(made.body["code"], "DEMO-3");
            // Connected again, it takes the code it had.
            assert_eq!(admin.delete("/api/v1/hotels/DEMO-3").await.status, 204);
        }
    }
}
