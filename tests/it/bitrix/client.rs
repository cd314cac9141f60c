//! One portal's client against a server that misbehaves on purpose.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::DateTime;
use fidelio_bitrix24::bitrix::{Call, Class, Error, ErrorKind, Priority};
use fidelio_bitrix24::clock::Clock;
use serde_json::{Value, json};

use super::scripted::{Bench, Reply, Server, bench, ok, refuse};

const LIVE: Priority = Priority::Live;

fn call(method: &str, params: Value) -> Call {
    Call::new(method, params)
}

fn add(title: &str) -> Call {
    call("crm.item.add", json!({"entityTypeId": 2, "fields": {"title": title}}))
}

fn batch_answer(commands: usize) -> Value {
    let map =
        |f: &dyn Fn(usize) -> Value| (0..commands).map(|i| (format!("c{i}"), f(i))).collect::<serde_json::Map<_, _>>();
    json!({"result": map(&|i| json!({"item": {"id": i + 1}})), "result_error": [], "result_total": [], "result_next": [], "result_time": []})
}

#[tokio::test]
async fn s48_a_call_is_json_with_its_token_in_the_body_and_nowhere_else() {
    let server = Server::script(vec![ok(json!({"ID": "1"}))]).await;
    let bench = Bench::to(&server);
    let answer = bench.client.call(LIVE, &call("profile", json!({"b": 1, "a": [true]}))).await.expect("an answer");
    assert_eq!(answer.result["ID"], "1");
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].line.as_str()), (1, "POST /rest/profile"));
    assert_eq!(seen[0].body, r#"{"b":1,"a":[true],"auth":"token-0"}"#, "order kept, the token last");
    assert!(!seen[0].headers.contains("token-0") && !seen[0].line.contains("token"));
    assert!(seen[0].header("user-agent").is_some_and(|agent| agent.starts_with("fidelio-bitrix24/")));
    assert_eq!(seen[0].header("accept").as_deref(), Some("application/json"));
}

#[tokio::test]
async fn s48_a_batch_is_one_request_and_dangerous_text_arrives_verbatim() {
    let server = Server::start(|seen| match seen.json()["cmd"].as_object() {
        Some(commands) => ok(batch_answer(commands.len())),
        None => ok(json!({"item": {"id": 99}})),
    })
    .await;
    let bench = Bench::to(&server);
    let mut calls: Vec<_> = (0..60).map(|i| add(&format!("Гость & сын {i}"))).collect();
    calls[30] = add("платит $result[c0] по факту");
    let results = bench.client.batch(LIVE, &calls).await.expect("results");
    let ids: Vec<_> =
        results.iter().map(|r| r.as_ref().expect("ok").result["item"]["id"].as_i64().expect("id")).collect();
    assert_eq!((ids.len(), ids[29], ids[30], ids[31]), (60, 30, 99, 1));
    let seen = server.seen();
    assert_eq!(
        seen.iter().map(|s| s.line.as_str()).collect::<Vec<_>>(),
        ["POST /rest/batch", "POST /rest/crm.item.add", "POST /rest/batch"]
    );
    assert_eq!(seen[1].json()["fields"]["title"], "платит $result[c0] по факту");
    let first = seen[0].json()["cmd"]["c0"].as_str().expect("a command").to_owned();
    assert_eq!(
        first,
        "crm.item.add?entityTypeId=2&fields%5Btitle%5D=%D0%93%D0%BE%D1%81%D1%82%D1%8C%20%26%20%D1%81%D1%8B%D0%BD%200"
    );
    assert_eq!(bench.allowance.taken.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn s48_an_expired_token_is_renewed_once_and_the_call_repeated() {
    let server = Server::start(|seen| match seen.json()["auth"].as_str() {
        Some("token-1") => ok(json!(true)),
        _ => refuse(401, "expired_token"),
    })
    .await;
    let bench = Bench::to(&server);
    assert_eq!(bench.client.call(LIVE, &call("profile", json!({}))).await.expect("an answer").result, json!(true));
    assert_eq!((bench.tokens.renewals(), server.seen().len(), bench.allowance.taken.load(Ordering::SeqCst)), (1, 2, 2));
    let outcomes: Vec<_> = bench.log().into_iter().map(|row| (row.status, row.outcome)).collect();
    assert_eq!(outcomes, [(401, "stale_token".to_owned()), (200, "ok".to_owned())]);

    let dead = Server::script(vec![refuse(401, "invalid_token")]).await;
    let bench = Bench::to(&dead);
    let error = bench.client.call(LIVE, &call("profile", json!({}))).await.expect_err("refused");
    assert_eq!(
        (error.class, bench.tokens.renewals(), dead.seen().len()),
        (Class::Reauthorise, 1, 2),
        "renewed once, not for ever"
    );
}

#[tokio::test]
async fn s48_under_a_permit_exactly_one_request_leaves() {
    let server = Server::start(|seen| match seen.json()["auth"].as_str() {
        Some("token-1") => ok(batch_answer(2)),
        _ => refuse(401, "expired_token"),
    })
    .await;
    let bench = Bench::to(&server);
    let calls = [add("a"), add("b")];
    let permit = bench.client.permit(LIVE).await.expect("a permit");
    let error = bench
        .client
        .batch_with(permit, &bench.client.reserve(calls.iter().map(Call::load)), &calls)
        .await
        .expect_err("to be sent again");
    assert_eq!((error.retry_after(), error.outcome_unknown, server.seen().len()), (Some(Duration::ZERO), false, 1));
    let permit = bench.client.permit(LIVE).await.expect("a permit");
    assert!(
        bench
            .client
            .batch_with(permit, &bench.client.reserve(calls.iter().map(Call::load)), &calls)
            .await
            .expect("results")
            .iter()
            .all(Result::is_ok)
    );

    let permit = bench.client.permit(LIVE).await.expect("a permit");
    let mixed = [add("a"), add("$total[x]"), add("b")];
    let before = server.seen().len();
    let results = bench
        .client
        .batch_with(permit, &bench.client.reserve(mixed.iter().map(Call::load)), &mixed)
        .await
        .expect("results");
    assert_eq!(server.seen().len(), before + 1);
    assert!(results[0].is_ok());
    for result in &results[1..] {
        assert!(result.as_ref().is_err_and(|e| e.kind == ErrorKind::NotRun && !e.outcome_unknown));
    }
}

#[tokio::test]
async fn s48_what_may_have_been_carried_out_is_told_from_what_was_not() {
    async fn outcome(reply: Reply) -> Error {
        let server = Server::script(vec![reply]).await;
        Bench::to(&server).client.call(LIVE, &add("x")).await.expect_err("no answer")
    }
    for reply in [
        Reply::Vanish,
        Reply::Hang,
        Reply::Html(502, "<html>Bad gateway</html>"),
        Reply::Html(200, ""),
        Reply::Html(200, "<html>"),
        refuse(500, "INTERNAL_SERVER_ERROR"),
        Reply::Json(200, json!({"time": {}})),
    ] {
        let error = outcome(reply.clone()).await;
        assert!(error.outcome_unknown && matches!(error.class, Class::Retry { .. }), "{reply:?}: {error:?}");
    }
    for reply in [
        refuse(400, "ERROR_CORE"),
        refuse(403, "ACCESS_DENIED"),
        refuse(429, "OPERATION_TIME_LIMIT"),
        refuse(401, "PAYMENT_REQUIRED"),
    ] {
        assert!(!outcome(reply.clone()).await.outcome_unknown, "{reply:?}");
    }
    let nobody = bench("http://127.0.0.1:9", "http://127.0.0.1:9", Clock::system());
    let error = nobody.client.call(LIVE, &add("x")).await.expect_err("nobody listens");
    assert!(!error.outcome_unknown && matches!(error.kind, ErrorKind::Transport(_)), "{error:?}");
    assert_eq!(nobody.log()[0].outcome, "no_answer");
    let elsewhere = bench("http://10.0.0.1", "http://127.0.0.1:9", Clock::system());
    let error = elsewhere.client.call(LIVE, &add("x")).await.expect_err("refused by the guard");
    assert!(matches!(error.kind, ErrorKind::Address(_)) && !error.outcome_unknown);
}

#[tokio::test]
async fn s48_a_lost_batch_leaves_later_commands_unsent() {
    let server = Server::script(vec![ok(batch_answer(50)), Reply::Vanish]).await;
    let bench = Bench::to(&server);
    let calls: Vec<_> = (0..150).map(|i| add(&i.to_string())).collect();
    let results = bench.client.batch(LIVE, &calls).await.expect("the first request went well");
    assert!(results[..50].iter().all(Result::is_ok));
    assert!(results[50..100].iter().all(|r| r.as_ref().is_err_and(|e| e.outcome_unknown)));
    assert!(
        results[100..].iter().all(|r| r.as_ref().is_err_and(|e| e.kind == ErrorKind::NotRun && !e.outcome_unknown))
    );
    let lost = Server::script(vec![Reply::Vanish]).await;
    assert!(Bench::to(&lost).client.batch(LIVE, &calls[..5]).await.expect_err("all of it").outcome_unknown);
}

#[tokio::test]
async fn s48_a_rejection_by_the_bucket_drains_it_and_is_tried_again() {
    let server =
        Server::script(vec![refuse(503, "QUERY_LIMIT_EXCEEDED"), refuse(503, "query_limit_exceeded"), ok(json!(1))])
            .await;
    let bench = Bench::to(&server);
    assert!(bench.client.call(LIVE, &call("profile", json!({}))).await.is_ok());
    assert_eq!((bench.allowance.drained.load(Ordering::SeqCst), server.seen().len()), (2, 3));
    let stubborn = Server::script(vec![refuse(503, "QUERY_LIMIT_EXCEEDED")]).await;
    let error = Bench::to(&stubborn).client.call(LIVE, &call("profile", json!({}))).await.expect_err("limited");
    assert_eq!((stubborn.seen().len(), error.retry_after()), (4, Some(Duration::from_secs(1))));
}

#[tokio::test]
async fn s48_a_banned_method_pauses_alone_until_its_reset() {
    let server = Server::start(|seen| {
        let banned = json!({"c1": {"error": "OPERATION_TIME_LIMIT", "error_description": "x"}});
        match seen.json()["cmd"].as_object().map(serde_json::Map::len) {
            Some(3) => Reply::Json(200, json!({"result": {"result": {"c0": 1, "c2": 1}, "result_error": banned,
                "result_time": {"c0": {"operating": 300.0, "operating_reset_at": 1_120, "duration": 0.1}}, "result_total": [], "result_next": []}})),
            _ => ok(json!(1)),
        }
    })
    .await;
    let (clock, hand) = Clock::manual(DateTime::from_timestamp(1_000, 0).expect("a moment"));
    let bench = bench(&server.url, "http://127.0.0.1:9", clock);
    let calls = [add("a"), add("b"), call("crm.item.get", json!({"id": 1}))];
    let results = bench.client.batch(LIVE, &calls).await.expect("results");
    let error = results[1].as_ref().expect_err("banned");
    assert_eq!(
        (error.retry_after(), error.outcome_unknown),
        (Some(Duration::from_secs(120)), false),
        "until the reset of the last answer"
    );
    assert_eq!(bench.client.method_blocked_until("crm.item.add"), Some(1_120_000));
    let before = server.seen().len();
    let error = bench.client.call(LIVE, &add("c")).await.expect_err("not sent");
    assert_eq!(
        (error.kind, server.seen().len()),
        (ErrorKind::Allowance, before),
        "a rejection we can foresee is not asked for"
    );
    let results = bench.client.batch(LIVE, &[add("d"), call("crm.item.get", json!({"id": 2}))]).await.expect("results");
    assert!(results[0].is_err() && results[1].is_ok(), "the other method goes on");
    hand.advance(Duration::from_secs(120));
    assert!(bench.client.call(LIVE, &add("e")).await.is_ok());
    assert_eq!(
        bench.allowance.methods.lock().expect("saved").last().map(|m| m.blocked_until),
        Some(1_120_000),
        "other nodes learn of it"
    );
}

#[tokio::test]
async fn s48_a_dead_portal_is_left_alone_and_comes_back_by_itself() {
    let server = Server::script(vec![Reply::Vanish, Reply::Html(502, "<html>"), ok(json!(1))]).await;
    let (clock, hand) = Clock::manual(DateTime::from_timestamp(1_000, 0).expect("a moment"));
    let bench = bench(&server.url, "http://127.0.0.1:9", clock);
    for _ in 0..2 {
        assert!(bench.client.call(LIVE, &add("x")).await.is_err());
    }
    let error = bench.client.call(Priority::Person, &add("x")).await.expect_err("paused");
    assert_eq!(
        (server.seen().len(), error.outcome_unknown, error.retry_after()),
        (2, false, Some(Duration::from_secs(2)))
    );
    hand.advance(Duration::from_secs(2));
    assert!(bench.client.call(LIVE, &add("x")).await.is_ok());
    assert!(bench.client.call(LIVE, &add("x")).await.is_ok());
}

#[tokio::test]
async fn s48_rest_three_is_called_on_its_own_path_with_its_key() {
    let server = Server::script(vec![
        ok(json!({"item": {"id": 5}})),
        Reply::Json(
            400,
            json!({"error": {"code": "BITRIX_REST_V3_EXCEPTION_VALIDATION_REQUESTVALIDATIONEXCEPTION", "message": "m",
            "validation": [{"field": "title", "message": "required"}]}}),
        ),
    ])
    .await;
    let bench = Bench::to(&server);
    let add = call("tasks.task.add", json!({"fields": {"title": "x"}}));
    assert_eq!(bench.client.call_v3(LIVE, &add, Some("key-1")).await.expect("an answer").result["item"]["id"], 5);
    let error = bench.client.call_v3(LIVE, &add, Some("key-1")).await.expect_err("refused");
    assert_eq!((error.class, error.description()), (Class::Permanent, "m (title)"));
    assert!(bench.client.call_v3(LIVE, &add, Some("ключ")).await.is_err(), "not printable ASCII");
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].line.as_str()), (2, "POST /rest/api/tasks.task.add"));
    assert_eq!(
        (seen[0].header("idempotency-key").as_deref(), seen[0].json()["auth"].as_str()),
        (Some("key-1"), Some("token-0"))
    );
    assert_eq!(bench.log()[0].method, "v3:tasks.task.add");
}

#[tokio::test]
async fn s48_the_log_has_a_row_a_request_without_tokens_and_guests() {
    let server = Server::start(|seen| match seen.json()["cmd"].as_object() {
        Some(_) => ok(batch_answer(2)),
        None => Reply::Json(
            400,
            json!({"error": "CRM_FIELD_ERROR_VALUE_NOT_VALID", "error_description": "Петрова is no phone"}),
        ),
    })
    .await;
    let bench = Bench::to(&server);
    bench.client.batch(LIVE, &[add("Анна Петрова"), add("+79001234567")]).await.expect("results");
    let error = bench.client.call(LIVE, &add("Анна Петрова")).await.expect_err("refused");
    assert!(!error.to_string().contains("Петрова"), "an error that is logged holds no value");
    let rows = bench.log();
    assert_eq!(
        rows.iter().map(|row| (row.method.as_str(), row.status, row.outcome.as_str())).collect::<Vec<_>>(),
        [("batch", 200, "ok"), ("crm.item.add", 400, "refused")]
    );
    assert_eq!(
        rows[0].detail,
        json!([{"method": "crm.item.add", "commands": 2, "ok": 2, "entity": 2, "answered_ids": [1, 2], "rows": 2, "fields": ["title"]}])
    );
    let text = format!("{rows:?}");
    for secret in ["token-", "Петрова", "7900"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
