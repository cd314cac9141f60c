//! The public doors: the call-back form and links.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::portals;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::report;
use crate::on_both_engines;
use crate::support::api::{Api, Got, send};
use crate::support::db::TestDb;

pub async fn started(db: TestDb) -> (Api, fidelio_bitrix24::domain::PortalId) {
    let api = Api::with(db, |config| {
        config.support.portal = "vendor".into();
        config.support.allowed_sites = vec!["https://vendor.example".into()];
        config.http.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let desk = api.portal("vendor").await;
    (api, desk)
}

async fn get(api: &Api, path: &str) -> Got {
    send(api.client.get(format!("{}{path}", api.url))).await
}

/// As a browser does.
pub async fn solved(api: &Api) -> String {
    let puzzle = get(api, "/support/captcha").await.body;
    let (salt, challenge) = (puzzle["salt"].as_str().unwrap(), puzzle["challenge"].as_str().unwrap());
    let wanted: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&challenge[2 * at..2 * at + 2], 16).expect("a hash in hex")).collect();
    let salted = Sha256::new_with_prefix(salt);
    let hash = |number: u64| salted.clone().chain_update(number.to_string()).finalize();
    let number = (0..=puzzle["maxnumber"].as_u64().unwrap()).find(|n| hash(*n)[..] == wanted).expect("a solution");
    let solution = json!({"algorithm": "SHA-256", "challenge": challenge, "number": number, "salt": salt, "signature": puzzle["signature"]});
    STANDARD.encode(solution.to_string())
}

pub fn form(captcha: &str) -> Value {
    json!({"name": "Анна", "phone": "+7 916 123-45-67", "question": "Как подключить?", "consent": {"document_version": "1"}, "captcha": captcha})
}

pub fn posted(api: &Api, body: &Value, address: &str) -> reqwest::RequestBuilder {
    api.client.post(format!("{}/support/callbacks", api.url)).header("X-Forwarded-For", address).json(body)
}

on_both_engines! {
    s21_s28_without_a_support_portal_the_public_channels_are_closed_and_say_so(db) {
        let api = Api::start(db).await;
        api.portal("m1").await;
        for path in ["/support/captcha", "/support/form"] {
            let closed = get(&api, path).await;
            assert_eq!((closed.status, &closed.body["code"]), (503, &json!("support_closed")), "{path}");
        }
        let closed = send(posted(&api, &form("x"), "198.51.100.1")).await;
        assert_eq!((closed.status, &closed.body["code"]), (503, &json!("support_closed")));
    }

    s22_s23_s24_s25_s26_a_call_back_becomes_a_request_with_its_consent_and_a_link(db) {
        let (api, desk) = started(db).await;
        let captcha = solved(&api).await;
        let shown = get(&api, "/support/form").await.body;
        assert_eq!((&shown["phone"], &shown["consent"]["document_version"]), (&json!("+7 495 000-00-00"), &json!("1")));
        let body = form(&captcha);
        let key = uuid::Uuid::new_v4().to_string();
        let made = send(posted(&api, &body, "198.51.100.1").header("Idempotency-Key", &key)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let again = send(posted(&api, &body, "198.51.100.1").header("Idempotency-Key", &key)).await;
        assert_eq!((again.status, &again.body), (201, &made.body), "a double submit is answered again");
        let spent = send(posted(&api, &body, "198.51.100.1")).await;
        assert_eq!(spent.errors(), [("/captcha", "captcha_spent")]);
        let other = send(posted(&api, &json!({"phone": "+7 916 123-45-67", "consent": {"document_version": "1"}}), "198.51.100.1")
            .header("Idempotency-Key", &key)).await;
        assert_eq!(other.problem(), "idempotency-key-reused");

        let operator = api.with_role(desk, Given::SupportOperator).await;
        let listed = operator.get("/api/v1/requests").await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!((&listed["items"][0]["channel"], &listed["items"][0]["kind"]), (&json!("form"), &json!("service")));
        let (_, secret) = made.body["link"].as_str().unwrap().split_once('#').expect("a secret in the fragment");
        let read = async || send(api.client.get(format!("{}/support/link", api.url)).bearer_auth(secret)).await;
        let page = read().await;
        assert_eq!((page.status, &page.body["roles"]), (200, &json!(["submitter"])), "{page:?}");
        assert_eq!(get(&api, "/support/link").await.status, 401);
        let forged = secret.replace(|c: char| c.is_ascii_digit(), "a");
        assert_eq!(send(api.client.get(format!("{}/support/link", api.url)).bearer_auth(forged)).await.status, 401);
        // The submitter's rights, and no more.
        let act = async |deed: &str, body: Value| {
            send(api.client.post(format!("{}/support/link/{deed}", api.url)).bearer_auth(secret).json(&body)).await
        };
        assert_eq!(act("comments", json!({"text": "ещё"})).await.status, 200);
        assert_eq!(act("comments", json!({"text": "x", "intent": "answer"})).await.status, 403);
        assert_eq!(act("close", json!({})).await.status, 403);
        assert_eq!(act("take", json!({})).await.status, 404);
        assert_eq!(act("confirm", json!({})).await.body["code"], "request_not_answered");
        assert_eq!(act("rate", json!({"score": 5})).await.body["code"], "not_closed");
        let number = made.body["number"].as_str().unwrap();
        let ended = operator.delete(&format!("/api/v1/requests/{number}/links")).await;
        assert_eq!(ended.status, 204);
        assert_eq!(read().await.status, 401, "revoked");
        let made = operator.post(&format!("/api/v1/requests/{number}/links"), &json!({"role": "representative"})).await;
        let (_, secret) = made.body["link"].as_str().unwrap().split_once('#').expect("a secret");
        let read = async || send(api.client.get(format!("{}/support/link", api.url)).bearer_auth(secret)).await;
        assert_eq!(read().await.body["roles"], json!(["representative"]));
        api.clock.advance(Duration::from_secs(90 * 86_400));
        assert_eq!(read().await.status, 401, "90 days");
    }

    s23_s37_while_the_support_portal_is_away_requests_wait_for_it_and_links_open_nothing(db) {
        let (api, desk) = started(db).await;
        let customer = api.portal("m2").await;
        let made = send(posted(&api, &form(&solved(&api).await), "198.51.100.1")).await;
        let (_, secret) = made.body["link"].as_str().unwrap().split_once('#').expect("a secret in the fragment");
        let read = async || send(api.client.get(format!("{}/support/link", api.url)).bearer_auth(secret)).await.status;
        assert_eq!(read().await, 200);
        let tx = api.db.begin().await.unwrap();
        portals::set_status(&tx, desk, "uninstalling", "", None, 0).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(read().await, 401);
        let row = api.desk.register(api.desk.desk_of(customer).await.unwrap(), report(customer, 5)).await.unwrap().row;
        assert_eq!(row.desk, desk, "never the customer's own: nobody there would look");
    }

    s23_s25_s27_robots_and_forms_without_consent_create_nothing(db) {
        let (api, desk) = started(db).await;
        let good = form(&solved(&api).await);
        for (member, value, pointer, code) in [
            ("captcha", json!("bm9uc2Vuc2U="), "/captcha", "captcha"),
            ("captcha", Value::Null, "/captcha", "required"),
            ("phone", json!("hello"), "/phone", "phone"),
            ("phone", Value::Null, "/phone", "required"),
            ("consent", Value::Null, "/consent", "required"),
            ("consent", json!({"document_version": "0"}), "/consent/document_version", "consent_version"),
            ("website", json!("http://spam.example"), "/website", "unknown"),
        ] {
            let mut body = good.clone();
            body[member] = value;
            let refused = send(posted(&api, &body, "198.51.100.1")).await;
            assert_eq!((refused.status, refused.errors()), (422, vec![(pointer, code)]), "{member}");
        }
        let key = send(posted(&api, &good, "198.51.100.1").header("Idempotency-Key", "1")).await;
        assert_eq!(key.errors(), [("#Idempotency-Key", "uuid")]);
        api.clock.advance(Duration::from_secs(600));
        assert_eq!(send(posted(&api, &good, "198.51.100.1")).await.errors(), [("/captcha", "captcha")], "ten minutes");
        let operator = api.with_role(desk, Given::SupportOperator).await;
        assert_eq!(operator.get("/api/v1/requests").await.body["items"], json!([]));

        let mut abuse = form(&solved(&api).await);
        abuse["abuse"] = json!(true);
        assert_eq!(send(posted(&api, &abuse, "198.51.100.1")).await.status, 201);
        let listed = operator.get("/api/v1/requests").await.body;
        let clock = &listed["items"][0]["clocks"][1];
        assert_eq!((&listed["items"][0]["kind"], &clock["clock"]), (&json!("abuse"), &json!("solution")));
        assert_eq!(clock["deadline"], "2026-11-23T15:00:00Z", "one working day");
        // Five a day from one number, whatever the address; others go on.
        for n in 2..=6 {
            let sent = send(posted(&api, &form(&solved(&api).await), &format!("198.51.100.{n}"))).await;
            assert_eq!(sent.status, if n <= 5 { 201 } else { 429 }, "{n}: {sent:?}");
        }
        let mut another = form(&solved(&api).await);
        assert_eq!(send(posted(&api, &another, "198.51.100.9")).await.status, 429);
        another["phone"] = json!("+7 916 123-45-68");
        let sent = send(posted(&api, &another, "198.51.100.9")).await;
        assert_eq!(sent.status, 201, "what came to nothing spent no captcha: {sent:?}");
    }

    s28_only_named_sites_may_embed_the_form(db) {
        let (api, _) = started(db).await;
        let asked = async |origin: &str| {
            let request = api.client.get(format!("{}/support/captcha", api.url)).header("Origin", origin);
            send(request).await.header("access-control-allow-origin").to_owned()
        };
        assert_eq!(asked("https://vendor.example").await, "https://vendor.example");
        assert_eq!(asked("https://evil.example").await, "");
        for (origin, allowed) in [("https://vendor.example", "https://vendor.example"), ("https://evil.example", "")] {
            let wrong = send(posted(&api, &json!({}), "198.51.100.1").header("Origin", origin)).await;
            assert_eq!((wrong.status, wrong.header("access-control-allow-origin")), (422, allowed), "a refusal can be read");
            let method = api.client.delete(format!("{}/support/form", api.url)).header("Origin", origin);
            let refused = send(method).await;
            assert_eq!((refused.status, refused.header("access-control-allow-origin")), (405, allowed));
        }
    }
}
