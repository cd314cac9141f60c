//! Fast listing against a server that follows references as the portal does.

use std::sync::atomic::Ordering;

use fidelio_bitrix24::bitrix::crm::{Entity, items};
use fidelio_bitrix24::bitrix::{Form, Priority};
use serde_json::{Map, Value, json};

use super::scripted::{Bench, Reply, Server, ok, refuse};

/// Ids 3, 6, 9 …: `rows` of them behind `after`, fifty a page.
fn page(after: i64, rows: i64) -> Value {
    let items: Vec<_> =
        (1..=rows).map(|n| n * 3).filter(|id| *id > after).take(50).map(|id| json!({"id": id})).collect();
    json!({ "items": items })
}

/// A chain of pages; a reference that leads nowhere lists from the beginning, as a filter does that means nothing.
fn chain(commands: &Map<String, Value>, rows: i64) -> Value {
    let mut results: Map<String, Value> = Map::new();
    for (key, command) in commands {
        let (method, query) = command.as_str().and_then(|text| text.split_once('?')).expect("a command");
        assert_eq!(method, "crm.item.list");
        let form = Form::decode(query.as_bytes()).expect("a query");
        assert_eq!(
            (form.at(&["start"]), form.at(&["order", "id"]), form.at(&["filter", ">=updatedTime"])),
            (Some("-1"), Some("ASC"), Some("x"))
        );
        let bound = form.at(&["filter", ">id"]).expect("a bound");
        let after = bound.parse().unwrap_or_else(|_| {
            let from = bound
                .strip_prefix("$result[")
                .and_then(|rest| rest.strip_suffix("][items][49][id]"))
                .expect("a reference");
            results[from]["items"][49]["id"].as_i64().unwrap_or_default()
        });
        results.insert(key.clone(), page(after, rows));
    }
    json!({"result": results, "result_error": [], "result_total": [], "result_next": [], "result_time": []})
}

async fn portal(rows: i64) -> Server {
    Server::start(move |seen| {
        let body = seen.json();
        match body["cmd"].as_object() {
            Some(commands) => ok(chain(commands, rows)),
            None => ok(page(body["filter"][">id"].as_i64().expect("a bound"), rows)),
        }
    })
    .await
}

fn listing() -> fidelio_bitrix24::bitrix::Listing {
    items(Entity::Contact, &["id"], json!({">=updatedTime": "x"}).as_object().cloned().unwrap_or_default())
}

#[tokio::test]
async fn s48_a_long_list_is_read_whole_and_once_in_few_requests() {
    for (rows, requests) in [(0, 1), (1, 1), (49, 1), (50, 2), (51, 2), (550, 3), (551, 3), (3_050, 4), (10_000, 6)] {
        let server = portal(rows).await;
        let bench = Bench::to(&server);
        let mut pager = bench.client.list_all(Priority::Import, listing());
        let mut ids = vec![];
        while let Some(page) = pager.next().await.expect("a page") {
            assert!(page.len() <= 2_500, "memory holds one request's rows");
            ids.extend(page.iter().map(|row| row["id"].as_i64().expect("an id")));
        }
        assert_eq!(ids, (1..=rows).map(|n| n * 3).collect::<Vec<_>>(), "{rows} rows");
        assert_eq!(server.seen().len(), requests, "{rows} rows");
        assert_eq!(bench.allowance.taken.load(Ordering::SeqCst), i64::try_from(requests).expect("few"));
        assert!(bench.log().iter().all(|row| row.outcome == "ok"));
    }
}

#[tokio::test]
async fn s48_a_list_goes_on_behind_the_last_row_after_a_restart() {
    let server = portal(120).await;
    let bench = Bench::to(&server);
    let mut pager = bench.client.list_all(Priority::Reconciliation, listing());
    assert_eq!(pager.next().await.expect("a page").map(|rows| rows.len()), Some(50));
    let mut again = bench.client.list_all(Priority::Reconciliation, listing()).after(pager.position());
    let rows = again.next().await.expect("a page").expect("rows");
    assert_eq!(rows.first().and_then(|row| row["id"].as_i64()), Some(153));
}

#[tokio::test]
async fn s48_a_list_that_fails_keeps_its_place_and_one_that_makes_no_sense_is_refused() {
    let server = Server::script(vec![refuse(500, "INTERNAL_SERVER_ERROR"), ok(page(0, 10))]).await;
    let bench = Bench::to(&server);
    let mut pager = bench.client.list_all(Priority::Live, listing());
    assert!(pager.next().await.is_err());
    assert_eq!(pager.next().await.expect("a page").map(|rows| rows.len()), Some(10));
    assert_eq!(pager.next().await.expect("the end"), None);
    for nonsense in
        [json!({"items": [{"id": 5}, {"id": 4}]}), json!({"items": [{"title": "x"}]}), json!({"rows": []}), json!(true)]
    {
        let server = Server::script(vec![ok(nonsense.clone())]).await;
        let error = Bench::to(&server).client.list_all(Priority::Live, listing()).next().await.expect_err("nonsense");
        assert!(error.retry_after().is_some(), "{nonsense}");
    }
    let stuck = Server::script(vec![Reply::Json(200, json!({"result": page(0, 50)}))]).await;
    let bench = Bench::to(&stuck);
    let mut pager = bench.client.list_all(Priority::Live, listing()).after(1_000);
    assert!(pager.next().await.is_err(), "a portal that ignores the bound does not loop us for ever");
}
