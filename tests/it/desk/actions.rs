//! What a request's page offers is what the API then does, in every state and for everybody; and nothing else is.

use fidelio_bitrix24::domain::support::may::Act;
use fidelio_bitrix24::http::auth::Role as Given;
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
