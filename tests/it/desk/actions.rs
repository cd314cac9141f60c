//! What a request's page offers is what the API then does, in every state and for everybody; and nothing else is.

use std::time::Duration;

use fidelio_bitrix24::domain::support::may::Act;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::desk::outbox::{self, Channel};
use fidelio_bitrix24::store::desk::remotes::{self, Remote};
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::api::{Api, Caller};

struct People<'a> {
    submitter: Caller<'a>,
    operator: Caller<'a>,
    admin: Caller<'a>,
}

/// Deeds that lead from the report to each state of a request.
const STATES: [(&str, &[&str]); 6] = [
    ("registered", &[]),
    ("in_progress", &["take"]),
    ("waiting_for_customer", &["take", "offer"]),
    ("answered", &["take", "answer"]),
    ("completed", &["take", "answer", "confirm"]),
    ("closed", &["take", "answer", "confirm", "close"]),
];

fn way(word: &str) -> (&str, Value) {
    let text = |intent: &str| json!({"text": "Слова", "intent": intent});
    match word {
        "answer" | "ask" | "say" => ("comments", text(word)),
        "note" => ("comments", json!({"text": "Между нами", "internal": true})),
        "dispute" | "withdraw" => (word, json!({"reason": "Причина"})),
        "choose" => ("options", json!({"offer": 1, "option": 0})),
        "offer" => ("options", json!({"options": ["Сегодня", "Завтра"]})),
        "agree" => ("deadline", json!({"deadline": "2026-12-21T10:00:00Z"})),
        "assign" => ("assign", json!({"user_id": 7})),
        "rate" => ("rate", json!({"score": 4})),
        "fix" => ("fix", json!({"release": "0.0.1"})),
        "split" => ("split", json!({"sentences": [1], "subject": "Телефон"})),
        other => (other, json!({})),
    }
}

async fn try_it(caller: &Caller<'_>, number: &str, word: &str) -> bool {
    let (route, body) = way(word);
    let got = caller.post(&format!("/api/v1/requests/{number}/{route}"), &body).await;
    assert!(matches!(got.status, 200 | 201 | 403 | 409 | 422), "{word}: {got:?}");
    got.status < 300
}

async fn request_in(people: &People<'_>, deeds: &[&str]) -> String {
    let body = json!({"subject": "Нет броней", "description": "Не приходят брони. Кроме того, нет телефона у гостя."});
    let made = people.submitter.post("/api/v1/requests", &body).await;
    let number = made.body["number"].as_str().expect("a number").to_owned();
    for deed in deeds {
        let who = match *deed {
            "confirm" => &people.submitter,
            "close" => &people.admin,
            _ => &people.operator,
        };
        assert!(try_it(who, &number, deed).await, "{deed}");
    }
    number
}

on_both_engines! {
    s43_s44_s46_s47_a_page_offers_what_is_then_done_and_nothing_else(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let people = People {
            submitter: api.nobody(portal).await,
            operator: api.with_role(portal, Given::SupportOperator).await,
            admin: api.admin(portal).await,
        };
        for (state, deeds) in STATES {
            let number = request_in(&people, deeds).await;
            for (name, caller) in [("submitter", &people.submitter), ("operator", &people.operator), ("admin", &people.admin)] {
                let page = caller.get(&format!("/api/v1/requests/{number}")).await.body;
                assert_eq!(page["state"], *state);
                let offered: Vec<(&str, Option<&str>)> = page["actions"].as_array().expect("actions").iter()
                    .map(|one| (one["action"].as_str().expect("a word"), one["needs"].as_str())).collect();
                for act in Act::ALL {
                    let there = offered.contains(&(act.word(), act.needs()));
                    if there {
                        let fresh = request_in(&people, deeds).await;
                        assert!(try_it(caller, &fresh, act.word()).await, "{state}: {name} is refused {}", act.word());
                    } else {
                        assert!(!try_it(caller, &number, act.word()).await, "{state}: {name} is not offered {}", act.word());
                    }
                }
            }
        }
    }

    s47_a_closed_request_is_rated_once_by_its_customer_and_the_desk_reads_it(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let people = People {
            submitter: api.nobody(portal).await,
            operator: api.with_role(portal, Given::SupportOperator).await,
            admin: api.admin(portal).await,
        };
        let number = request_in(&people, &["take", "answer", "confirm"]).await;
        let route = format!("/api/v1/requests/{number}/rate");
        let early = people.submitter.post(&route, &json!({"score": 5})).await;
        assert_eq!((early.status, &early.body["detail"]), (409, &json!("Обращение ещё не закрыто: его оценивают после закрытия.")));
        assert!(try_it(&people.admin, &number, "close").await);
        for score in [json!(0), json!(6), json!("5"), json!(4.5), json!(null)] {
            assert_eq!(people.submitter.post(&route, &json!({"score": score})).await.status, 422, "{score}");
        }
        assert_eq!(people.operator.post(&route, &json!({"score": 5})).await.status, 403, "the desk does not rate itself");
        let rated = people.submitter.post(&route, &json!({"score": 4, "text": "Быстро"})).await;
        assert_eq!((rated.status, &rated.body["rating"], &rated.body["state"]), (200, &json!(4), &json!("closed")));
        let said = &rated.body["history"].as_array().expect("a history").last().expect("an entry")["content"];
        assert_eq!((&said["action"], &said["score"], &said["text"]), (&json!("rate"), &json!(4), &json!("Быстро")));
        assert_eq!(people.admin.post(&route, &json!({"score": 1})).await.status, 409, "once");
        let number = number.parse().expect("a number");
        let row = api.desk.find(portal, number).await.expect("known");
        let waits = outbox::of_request(&api.db, row.desk, row.id).await.expect("rows");
        let told = |row: &&outbox::OutboxRow| (row.channel, row.kind) == (Channel::Task, outbox::Kind::Say);
        assert_eq!(waits.iter().filter(told).count(), 2, "its task: the answer and the rating");
        api.clock.advance(Duration::from_secs(60));
        let report = people.operator.get("/api/v1/support/report").await.body;
        assert_eq!((&report["all"]["rated"], &report["all"]["rating"]), (&json!(1), &json!(4.0)));
    }

    s6_whoever_reported_what_a_release_fixes_is_told_once_it_runs(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let people = People {
            submitter: api.nobody(portal).await,
            operator: api.with_role(portal, Given::SupportOperator).await,
            admin: api.admin(portal).await,
        };
        let (number, other) = (request_in(&people, &["take", "answer"]).await, request_in(&people, &["take"]).await);
        for (number, release) in [(&number, "0.3.0"), (&other, "0.10.0")] {
            let route = format!("/api/v1/requests/{number}/fix");
            let named = people.operator.post(&route, &json!({"release": release})).await;
            assert_eq!((&named.body["fixed_in"], &named.body["live_at"]), (&json!(release), &json!(null)), "{named:?}");
            assert_eq!(people.operator.post(&route, &json!({"release": "3"})).await.errors(), [("/release", "release")]);
            assert_eq!(people.submitter.post(&route, &json!({"release": release})).await.status, 403);
        }
        let found = people.operator.get("/api/v1/requests?release=0.3.0").await.body;
        assert_eq!((found["items"].as_array().map(Vec::len), &found["items"][0]["number"]), (Some(1), &json!(number)));
        let told = async || {
            let row = api.desk.find(portal, number.parse().expect("a number")).await.expect("known");
            let rows = outbox::of_request(&api.db, row.desk, row.id).await.expect("rows");
            rows.iter().filter(|row| row.channel == Channel::Notice).count()
        };
        let before = told().await;
        let runs = |text: &str| text.parse().expect("a release");
        assert_eq!(api.desk.tell_of_releases(runs("0.2.9")).await.expect("told"), 0);
        for (release, count) in [("0.3.1", 1), ("0.3.1", 0), ("0.9.0", 0), ("0.10.0", 1)] {
            assert_eq!(api.desk.tell_of_releases(runs(release)).await.expect("told"), count, "{release}");
        }
        assert_eq!(told().await, before + 1, "a notice to who reported it, once");
        let page = people.submitter.get(&format!("/api/v1/requests/{number}")).await.body;
        assert!(page["live_at"].is_string(), "{page}");
        let said = page["history"].as_array().expect("a history").last().expect("an entry")["content"].clone();
        assert_eq!((&said["action"], &said["text"]), (&json!("live"), &json!("0.3.0")));
        // The same named again is told nobody again, another one is.
        let route = format!("/api/v1/requests/{number}/fix");
        assert!(people.operator.post(&route, &json!({"release": "0.3.0"})).await.body["live_at"].is_string());
        assert_eq!(api.desk.tell_of_releases(runs("0.3.1")).await.expect("told"), 0);
        assert_eq!(people.operator.post(&route, &json!({"release": "0.11.0"})).await.body["live_at"], json!(null));
        assert_eq!(api.desk.tell_of_releases(runs("0.11.0")).await.expect("told"), 1);
    }

    s43_a_request_is_found_by_its_task_by_whoever_may_see_it(db) {
        let api = Api::start(db).await;
        let (portal, other) = (api.portal("m1").await, api.portal("m2").await);
        let (user, admin) = (api.nobody(portal).await, api.admin(portal).await);
        let made = user.post("/api/v1/requests", &json!({"subject": "Нет броней", "description": "Не приходят."})).await.body;
        let row = api.desk.find(portal, made["number"].as_str().expect("a number").parse().expect("a number")).await.expect("known");
        let task = Remote { channel: Channel::Task, kind: "task".into(), target: portal, id: "31".into() };
        let tx = api.db.begin().await.expect("a transaction");
        remotes::set(&tx, row.desk, row.id, &task, 1).await.expect("set");
        tx.commit().await.expect("committed");
        for caller in [&user, &admin] {
            let list = caller.get("/api/v1/requests?task=31").await.body;
            assert_eq!(list["items"][0]["number"], made["number"]);
            assert_eq!(caller.get("/api/v1/requests?task=32").await.body["items"], json!([]));
        }
        let stranger = api.with_role(portal, Given::Viewer).await;
        assert_eq!(stranger.get("/api/v1/requests?task=31").await.body["items"], json!([]), "not his");
        let elsewhere = api.admin(other).await;
        assert_eq!(elsewhere.get("/api/v1/requests?task=31").await.body["items"], json!([]), "another portal's task 31");
        assert_eq!(admin.get("/api/v1/requests?task=x").await.errors(), [("?task", "id")]);
    }

    s43_requests_are_found_by_their_priority(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (user, admin) = (api.nobody(portal).await, api.admin(portal).await);
        let made = user.post("/api/v1/requests", &json!({"subject": "Нет броней", "description": "Не приходят."})).await.body;
        let priority = made["priority"].as_str().expect("a word");
        let list = admin.get(&format!("/api/v1/requests?priority={priority}")).await.body;
        assert_eq!(list["items"][0]["number"], made["number"]);
        let other = if priority == "low" { "high" } else { "low" };
        assert_eq!(admin.get(&format!("/api/v1/requests?priority={other}")).await.body["items"], json!([]));
        assert_eq!(admin.get("/api/v1/requests?priority=urgent").await.errors(), [("?priority", "request_priority")]);
    }
}
