use std::time::Duration;

use super::*;

#[tokio::test]
async fn answers_with_an_envelope_and_time() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let (status, body) = client.raw("Profile.json", json!({})).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(body["result"]["ADMIN"], true);
    assert!(body["time"]["operating_reset_at"].is_number() && body["time"]["operating"].is_number());
    let (status, body) = client.raw("/server.time", json!({})).await.unwrap();
    assert_eq!(status, 200, "a double slash is fine: {body}");
    assert_eq!(client.refused("no.such.method", json!({})).await, (404, "ERROR_METHOD_NOT_FOUND".into()));
    let form = reqwest::Client::new()
        .post(format!("{}crm.item.add", portal.client_endpoint()))
        .bearer_auth(portal.tokens(1).access)
        .form(&[("entityTypeId", "2"), ("fields[title]", "Ночь")])
        .send()
        .await
        .unwrap();
    assert_eq!(form.json::<Value>().await.unwrap()["result"]["item"]["title"], "Ночь");
}

#[tokio::test]
async fn tokens_expire_rotate_and_die_with_the_app() {
    let portal = started(PortalOptions::default());
    let pair = portal.tokens(1);
    let http = reqwest::Client::new();
    let refresh = |secret: String, id: String, token: String| {
        let (http, url) = (http.clone(), portal.oauth_url());
        async move {
            let form = [
                ("grant_type", "refresh_token".to_owned()),
                ("client_id", id),
                ("client_secret", secret),
                ("refresh_token", token),
            ];
            let answer = http.post(format!("{url}/oauth/token/")).form(&form).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        }
    };
    let (status, body) = refresh(portal.client_secret(), portal.client_id(), pair.refresh.clone()).await;
    assert_eq!((status, body["member_id"].as_str()), (200, Some(portal.member_id().as_str())));
    let again = refresh(portal.client_secret(), portal.client_id(), pair.refresh).await;
    assert_eq!((again.0, again.1["error"].as_str()), (400, Some("invalid_grant")), "a refresh token works once");
    let wrong = refresh(portal.client_secret(), "app.other".into(), "x".into()).await;
    assert_eq!((wrong.0, wrong.1["error"].as_str()), (200, Some("wrong_client")));

    let client = Client::new(&portal, 1);
    portal.advance(Duration::from_secs(3601));
    assert_eq!(client.refused("profile", json!({})).await, (401, "expired_token".into()));
    let info = |token: String| {
        let (http, url) = (http.clone(), portal.oauth_url());
        async move {
            http.get(format!("{url}/rest/app.info/?auth={token}")).send().await.unwrap().json::<Value>().await.unwrap()
        }
    };
    let fresh = portal.tokens(2);
    let shown = info(fresh.access.clone()).await;
    assert_eq!(shown["result"]["install"]["client_endpoint"], json!(portal.client_endpoint()));
    assert_eq!(shown["result"]["user_id"], 2);
    let kept = Client::new(&portal, 1);
    portal.uninstall(true);
    assert_eq!(kept.refused("profile", json!({})).await, (401, "ERROR_OAUTH".into()));
    let dead = refresh(portal.client_secret(), portal.client_id(), fresh.refresh).await;
    assert_eq!((dead.0, dead.1["error"].as_str()), (401, Some("NOT_INSTALLED")));
}

#[tokio::test]
async fn batch_runs_in_order_with_references_caps_and_errors() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let result = client
        .call(
            "batch",
            json!({"halt": 0, "cmd": {
                "a": "crm.item.add?entityTypeId=3&fields%5Bname%5D=Ivan",
                "b": "crm.item.add?entityTypeId=2&fields[title]=Stay&fields[contactId]=$result[a][item][id]",
                "c": "crm.item.get?entityTypeId=2&id=99999",
                "d": "batch?cmd[0]=profile",
            }}),
        )
        .await;
    assert_eq!(result["result"]["b"]["item"]["contactIds"], json!([result["result"]["a"]["item"]["id"]]));
    assert_eq!(result["result_error"]["c"]["error"], "NOT_FOUND");
    assert_eq!(result["result_error"]["d"]["error"], "ERROR_BATCH_METHOD_NOT_ALLOWED");
    assert_eq!(result["result_next"], json!([]));
    let many: Vec<&str> = vec!["server.time"; 51];
    let result = client.call("batch", json!({ "cmd": many })).await;
    assert_eq!(result["result"].as_array().map(Vec::len), Some(50));
    assert_eq!(result["result_error"]["50"]["error"], "ERROR_BATCH_LENGTH_EXCEEDED");
    let halted = client.call("batch", json!({"halt": 1, "cmd": ["server.time", "no.such", "profile"]})).await;
    assert_eq!(halted["result"].as_array().map(Vec::len), Some(1));
    assert_eq!(halted["result_error"]["1"]["error"], "ERROR_METHOD_NOT_FOUND");
    assert!(halted["result"].get("2").is_none());
}

#[tokio::test]
async fn limits_refuse_and_count() {
    let portal = started(PortalOptions { clock: PortalClock::Fixed { at_ms: 1_000_000 }, ..PortalOptions::default() });
    let client = Client::new(&portal, 1);
    for _ in 0..50 {
        client.call("server.time", json!({})).await;
    }
    assert_eq!(client.refused("server.time", json!({})).await, (503, "QUERY_LIMIT_EXCEEDED".into()));
    assert_eq!(portal.limits().bucket_rejections, 1);
    portal.advance(Duration::from_secs(1));
    client.call("server.time", json!({})).await;
    portal.advance(Duration::from_secs(60));
    portal.set_cost(Cost { operating_per_call: Duration::from_secs(300), ..Cost::default() });
    client.call("profile", json!({})).await;
    client.call("profile", json!({})).await;
    let batch = client.call("batch", json!({"cmd": {"p": "profile", "t": "user.admin"}})).await;
    assert_eq!(batch["result_error"]["p"]["error"], "OPERATION_TIME_LIMIT");
    assert_eq!(batch["result"]["t"], true);
    assert_eq!(client.refused("profile", json!({})).await, (429, "OPERATION_TIME_LIMIT".into()));
    portal.advance(Duration::from_secs(600));
    client.call("profile", json!({})).await;
}

#[tokio::test]
async fn faults_strike_before_after_and_much_later() {
    let portal = started(PortalOptions { clock: PortalClock::Fixed { at_ms: 1_000_000 }, ..PortalOptions::default() });
    let client = Client::new(&portal, 1);
    let add = || client.raw("crm.item.add", json!({"entityTypeId": 2, "fields": {"title": "x"}}));
    portal.fault(Fault::before("crm.item.add"));
    assert!(add().await.is_err());
    assert_eq!(portal.count(Entity::Deal), 0);
    portal.fault(Fault::after_commit("crm.item.add"));
    assert!(add().await.is_err());
    assert_eq!(portal.count(Entity::Deal), 1);
    portal.fault(Fault::commit_later("crm.item.add", Duration::from_secs(40)));
    assert!(add().await.is_err());
    assert_eq!((portal.count(Entity::Deal), portal.late()), (1, (1, 0)));
    portal.advance(Duration::from_secs(41));
    assert_eq!((portal.count(Entity::Deal), portal.late()), (2, (0, 1)));
    portal.fault(Fault::before("crm.item.add").answering(FaultAnswer::Html(500)));
    assert_eq!(add().await.unwrap(), (500, Value::Null));
    portal.fault(Fault::error("crm.item.get", 500, "INTERNAL_SERVER_ERROR"));
    let batch = client
        .call("batch", json!({"cmd": ["crm.item.get?entityTypeId=2&id=1", "crm.item.get?entityTypeId=2&id=1"]}))
        .await;
    assert_eq!(batch["result_error"][0]["error"], "INTERNAL_SERVER_ERROR");
    assert_eq!(batch["result"]["1"]["item"]["id"], 1);
    portal.fault(Fault::after_commit("crm.item.add"));
    assert!(client.raw("batch", json!({"cmd": ["crm.item.add?entityTypeId=2&fields[title]=y"]})).await.is_err());
    assert_eq!(portal.count(Entity::Deal), 3);
    let seen = portal.requests();
    assert_eq!(seen.iter().filter(|r| r.outcome == "fault").count(), 5);
    assert_eq!(seen.last().map(|r| r.commands.clone()), Some(vec!["crm.item.add".into()]));
}

#[tokio::test]
async fn a_renamed_portal_answers_302_at_its_old_name() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let new = portal.rename();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = http.post(format!("{}profile", client.base)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 302);
    assert_eq!(answer.headers()["location"], format!("http://{new}/rest/profile"));
    let moved = Client::new(&portal, 1);
    moved.call("profile", json!({})).await;
}

#[tokio::test]
async fn v3_keeps_answers_by_idempotency_key() {
    let portal = started(PortalOptions::default());
    let token = portal.tokens(1).access;
    let http = reqwest::Client::new();
    let send = |title: &str, key: &str| {
        let body = json!({"auth": token, "fields": {"title": title, "creatorId": 1, "responsibleId": 2}});
        http.post(format!("{}api/tasks.task.add", portal.client_endpoint()))
            .header("Idempotency-Key", key)
            .json(&body)
            .send()
    };
    let first = send("a", "k1").await.unwrap();
    assert!(first.headers().get("idempotent-replayed").is_none());
    let first: Value = first.json().await.unwrap();
    let second = send("a", "k1").await.unwrap();
    assert_eq!(second.headers()["idempotent-replayed"], "true");
    assert_eq!(second.json::<Value>().await.unwrap()["result"], first["result"]);
    assert_eq!(send("b", "k1").await.unwrap().status().as_u16(), 422);
    assert_eq!(portal.tasks().len(), 1);
    let bad = http
        .post(format!("{}api/tasks.task.add", portal.client_endpoint()))
        .json(&json!({"auth": token, "fields": {}}))
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status().as_u16(), 400);
    assert_eq!(bad.json::<Value>().await.unwrap()["error"]["validation"][0]["field"], "title");
}

#[tokio::test]
async fn a_box_may_have_a_certificate_of_its_own_authority() {
    let portal = started(PortalOptions { tls: true, edition: Edition::Box, ..PortalOptions::default() });
    assert!(portal.url().starts_with("https://"));
    let (url, token) = (format!("{}profile", portal.client_endpoint()), portal.tokens(1).access);
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(stranger.post(&url).send().await.is_err(), "nobody knows the authority");
    let ca = reqwest::Certificate::from_pem(portal.ca_pem().as_bytes()).unwrap();
    let friend = reqwest::Client::builder().no_proxy().tls_certs_merge([ca]).build().unwrap();
    let answer: Value = friend.post(&url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["result"]["ID"], "1");
    assert_eq!(portal.frame_form(1, "DEFAULT", &json!([])).field("PROTOCOL"), Some("1"));
}

#[tokio::test]
async fn rows_take_time_by_the_portals_own_clock_until_the_cap() {
    let portal = started(PortalOptions { clock: PortalClock::Fixed { at_ms: 600_000 }, ..PortalOptions::default() });
    portal.set_row_cost("crm.item.batchImport", Duration::from_millis(300));
    let client = Client::new(&portal, 1);
    let passing = async |step: Duration| {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if let (true, Some(_)) = portal.at_rest() {
                portal.advance(step);
            }
        }
    };
    let row = json!({"title": "x"});
    let import = client.raw("crm.item.batchImport", json!({"entityTypeId": 2, "data": vec![row; 20]}));
    let (status, answer) = tokio::select! {
        answer = import => answer.unwrap(),
        () = passing(Duration::from_secs(1)) => unreachable!(),
    };
    assert_eq!((status, portal.now(), portal.count(Entity::Deal)), (200, 606, 20));
    assert_eq!(answer["time"]["operating"], 6.0);
    assert!(answer["time"]["duration"].as_f64().unwrap() >= 6.0);
    let command = format!("crm.item.batchImport?entityTypeId=2{}", "&data[][title]=x".repeat(20));
    let batch = client.raw("batch", json!({"cmd": vec![command; 11]}));
    let (status, _) = tokio::select! {
        answer = batch => answer.unwrap(),
        () = passing(Duration::from_secs(6)) => unreachable!(),
    };
    assert_eq!((status, portal.now(), portal.count(Entity::Deal)), (504, 666, 220), "what ran before the cap stays");
    let (_, answer) = client.raw("crm.item.add", json!({"entityTypeId": 2, "fields": {"title": "y"}})).await.unwrap();
    assert!(answer["time"]["operating"].as_f64().unwrap() < 1.0, "each method has its own");
}
