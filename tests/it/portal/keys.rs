//! An integrator's key is never worth more than its maker is now (product §7).

use fb24_sandbox::portal::Fault;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

async fn ask(stand: &Stand, bearer: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/api/v1{path}", stand.node.url);
    let request = stand.http.request(method.parse().expect("a method"), url).bearer_auth(bearer).json(body);
    let answer = request.header("Accept-Language", "en").send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

async fn session(stand: &Stand, user: i64) -> String {
    let boot = Stand::boot(&stand.open("/bitrix/widgets/deal-stay", &stand.frame(user)).await);
    boot["session"].as_str().expect("a session").to_owned()
}

/// What the list of keys says of each: the maker, and what counts.
async fn listed(stand: &Stand) -> Vec<(String, Value)> {
    let (_, keys) = ask(stand, &session(stand, 1).await, "GET", "/keys", &json!({})).await;
    let mut said: Vec<_> = keys["items"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| {
            (format!("{} {}", key["label"].as_str().unwrap(), key["maker"].as_str().unwrap()), key["in_force"].clone())
        })
        .collect();
    said.sort_by(|a, b| a.0.cmp(&b.0));
    said
}

on_both_engines! {
    s3_a_key_is_never_worth_more_than_its_maker_is_now(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let maker = session(&stand, 4).await;
        let mut keys = vec![];
        for (label, grants) in [("installer", json!(["folio", "installer"])), ("viewer", json!(["viewer"]))] {
            let (status, made) = ask(&stand, &maker, "POST", "/keys", &json!({"label": label, "grants": grants})).await;
            assert_eq!((status, &made["in_force"]), (201, &grants), "{made}");
            keys.push(made["key"].as_str().expect("a key").to_owned());
        }
        let works = async || {
            let mut statuses = vec![];
            for key in &keys {
                statuses.push(ask(&stand, key, "GET", "/hotels", &json!({})).await.0);
            }
            statuses
        };
        assert_eq!(works().await, [200, 200]);

        // Demoted, he has what his roles give.
        stand.sandbox.change_user(4, |user| user.admin = false);
        session(&stand, 4).await;
        assert_eq!(works().await, [403, 403]);
        let (_, refused) = ask(&stand, &keys[0], "GET", "/hotels", &json!({})).await;
        assert_eq!(refused["code"], "key_maker");
        assert!(refused["detail"].as_str().unwrap().contains("make a new one"), "{refused}");
        let roles = json!({"items": [{"user_id": 4, "role": "front_desk", "grants": ["folio"]}]});
        assert_eq!(ask(&stand, &session(&stand, 1).await, "PUT", "/roles", &roles).await.0, 200);
        assert_eq!(works().await, [403, 200], "the front desk may look, and install nothing");
        let of_member = [("installer member".into(), json!(["folio"])), ("viewer member".into(), json!(["viewer"]))];
        assert_eq!(listed(&stand).await, of_member);

        // Gone, he has nothing; where the portal cannot be asked, nothing changes.
        stand.sandbox.change_user(4, |user| user.active = false);
        stand.pass(3_700);
        stand.sandbox.fault(Fault::error("user.get", 403, "insufficient_scope"));
        stand.settle().await;
        assert_eq!(works().await, [403, 200]);
        stand.pass(3_700);
        stand.settle().await;
        assert_eq!(works().await, [403, 403]);
        assert_eq!(listed(&stand).await, [("installer gone".into(), json!([])), ("viewer gone".into(), json!([]))]);

        // Back, he is what his roles say until he shows that he is more.
        stand.sandbox.change_user(4, |user| (user.active, user.admin) = (true, true));
        stand.pass(3_700);
        stand.settle().await;
        assert_eq!(listed(&stand).await, of_member);
        session(&stand, 4).await;
        assert_eq!(works().await, [200, 200]);
    }
}
