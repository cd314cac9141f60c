//! What is sent again after its answer was lost is not done again: its name is committed with it.

use fidelio_bitrix24::domain::support::history::EntryKind;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::desk::history::{self, Line};
use fidelio_bitrix24::store::desk::search::{Filter, Whose};
use fidelio_bitrix24::store::{idempotency, keys};
use serde_json::{Value, json};

use super::public::{form, posted, solved, started};
use crate::on_both_engines;
use crate::support::api::{Api, send};

/// As after a crash between what was done and its stored answer, once it is taken for dead.
async fn forget_answers(api: &Api) {
    idempotency::purge(&api.db, i64::MAX, 100).await.unwrap();
}

fn times(page: &Value, text: &str) -> usize {
    page["history"].to_string().matches(text).count()
}

on_both_engines! {
    s37_s42_a_report_a_word_and_a_part_whose_answers_were_lost_are_done_once(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (user, operator) = (api.nobody(portal).await, api.with_role(portal, Given::SupportOperator).await);
        let body = json!({"subject": "Нет броней", "description": "Не приходят брони. Кроме того, нет телефона у гостя."});
        let mut numbers = Vec::new();
        for _ in 0..2 {
            let made = user.once("/api/v1/requests", "k", &body).await;
            assert_eq!(made.status, 201, "{made:?}");
            numbers.push(made.body["number"].clone());
            forget_answers(&api).await;
        }
        assert_eq!(numbers[0], numbers[1]);
        let at = format!("/api/v1/requests/{}", numbers[0].as_str().unwrap());
        let word = json!({"text": "слово"});
        for _ in 0..2 {
            let said = user.once(&format!("{at}/comments"), "k", &word).await;
            assert_eq!((said.status, times(&said.body, "слово")), (200, 1), "{said:?}");
            forget_answers(&api).await;
        }
        let said = user.once(&format!("{at}/comments"), "k2", &word).await;
        assert_eq!(times(&said.body, "слово"), 2, "another key is another word");
        let part = json!({"sentences": [1], "subject": "Нет телефона"});
        for _ in 0..2 {
            let child = operator.once(&format!("{at}/split"), "k", &part).await;
            assert_eq!(child.status, 201, "{child:?}");
            forget_answers(&api).await;
        }
        let listed = api.desk.list(Whose::Desk(portal), &Filter::default(), 10).await.unwrap();
        assert_eq!(listed.len(), 2, "one and its part");
    }

    s23_s42_a_form_and_a_word_by_a_link_whose_answers_were_lost_are_done_once(db) {
        let (api, desk) = started(db).await;
        let (key, call) = (uuid::Uuid::new_v4().to_string(), form(&solved(&api).await));
        let mut made = Vec::new();
        for _ in 0..2 {
            let sent = send(posted(&api, &call, "198.51.100.1").header("Idempotency-Key", &key)).await;
            assert_eq!(sent.status, 201, "its captcha is spent, and it is the same sending: {sent:?}");
            made.push(sent.body);
            forget_answers(&api).await;
        }
        assert_eq!(made[0]["number"], made[1]["number"]);
        assert_eq!(api.desk.list(Whose::Desk(desk), &Filter::default(), 10).await.unwrap().len(), 1);
        for answer in &made {
            let secret = answer["link"].as_str().unwrap().split_once('#').expect("a secret").1;
            let said = api.client.post(format!("{}/support/link/comments", api.url)).bearer_auth(secret);
            let said = send(said.header("Idempotency-Key", &key).json(&json!({"text": "слово"}))).await;
            assert_eq!((said.status, times(&said.body, "слово")), (200, 1), "by either link: {said:?}");
            forget_answers(&api).await;
        }
    }

    s31_a_part_that_cannot_be_told_of_is_not_made(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (user, operator) = (api.nobody(portal).await, api.with_role(portal, Given::SupportOperator).await);
        let body = json!({"subject": "Нет броней", "description": "Не приходят брони. Кроме того, нет телефона у гостя."});
        let number = user.post("/api/v1/requests", &body).await.body["number"].as_str().unwrap().to_owned();
        let row = api.desk.find(portal, number.parse().unwrap()).await.unwrap();
        // The place of the parent's next entry is taken: nothing can be written there.
        let key = keys::obtain_for(&api.db, &api.keyring, portal, keys::REQUESTS, 0).await.unwrap();
        let entry = row.head.append(0, EntryKind::Message, [0; 32]);
        let tx = api.db.begin().await.unwrap();
        history::append(&tx, portal, &key, row.id, &[Line { entry, internal: true, content: None }]).await.unwrap();
        tx.commit().await.unwrap();
        let part = json!({"sentences": [1], "subject": "Нет телефона"});
        let split = format!("/api/v1/requests/{number}/split");
        let refused = operator.once(&split, "k", &part).await;
        assert!(refused.status >= 500, "{refused:?}");
        let listed = api.desk.list(Whose::Desk(portal), &Filter::default(), 10).await.unwrap();
        assert_eq!(listed.len(), 1, "both or neither");
    }
}
