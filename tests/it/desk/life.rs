//! A request from its number to its end, by the API.

use fidelio_bitrix24::domain::support::Role;
use fidelio_bitrix24::domain::support::life::{Action, Refusal};
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::desk::search::{Filter, Whose};
use fidelio_bitrix24::support::DeskError;
use fidelio_bitrix24::support::act::Deed;
use serde_json::{Value, json};

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::{Api, Caller, Got};

fn body() -> Value {
    json!({"subject": "Нет броней", "description": "Не приходят брони. Кроме того, нет телефона у гостя.",
        "conditions": "GET /x?auth_id=abc guest anna@example.com", "login": "anna", "email": "anna@example.com"})
}

async fn post(caller: &Caller<'_>, number: &str, deed: &str, body: Value) -> Got {
    caller.post(&format!("/api/v1/requests/{number}/{deed}"), &body).await
}

fn said(got: &Got) -> (u16, &str) {
    (got.status, got.body["code"].as_str().or(got.body["state"].as_str()).unwrap_or_default())
}

on_both_engines! {
    s20_s30_s34_s36_s37_a_report_gets_its_number_at_once_and_once(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let user = api.nobody(portal).await;
        let made = user.once("/api/v1/requests", "k", &body()).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.body["number"], "FB-2026-000001");
        assert_eq!((&made.body["state"], &made.body["second_problem"]), (&json!("registered"), &json!(true)));
        assert_eq!(made.body["missing"], json!(["picture"]));
        let again = user.once("/api/v1/requests", "k", &body()).await;
        assert_eq!((again.status, &again.body["number"]), (201, &made.body["number"]), "a double submit is one");
        let page = user.get("/api/v1/requests/FB-2026-000001").await.body;
        assert_eq!(page["content"]["portal"], "https://portal.example/");
        assert_eq!(page["content"]["conditions"], "GET /x?auth_id=*** guest ***", "secrets and guests are masked");
        assert_eq!(page["roles"], json!(["submitter"]));
        let history = user.get("/api/v1/requests/FB-2026-000001/history").await.body;
        assert_eq!(history["proof"], json!({"whole": true, "entries": 3, "erased": 0, "broken": null}));
        assert_eq!(history["entries"][2]["content"], Value::Null, "what is internal keeps its place only");
        let empty = user.post("/api/v1/requests", &json!({})).await;
        assert_eq!(empty.errors(), [("/subject", "required"), ("/description", "required")]);

        let mut once = report(portal, 6);
        once.once = Some("mail-1".into());
        let first = api.desk.register(portal, once.clone()).await.unwrap().row;
        assert_eq!(api.desk.register(portal, once).await.unwrap().row.number, first.number);
    }

    s43_s44_s45_s46_e23_a_request_is_answered_disputed_confirmed_and_closed_by_who_may(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let user = api.nobody(portal).await;
        let operator = api.with_role(portal, Given::SupportOperator).await;
        let admin = api.admin(portal).await;
        let number = user.post("/api/v1/requests", &body()).await.body["number"].as_str().unwrap().to_owned();
        let n = number.as_str();
        let say = |text: &str, intent: &str| json!({"text": text, "intent": intent});

        assert_eq!(said(&post(&user, n, "take", json!({})).await), (403, ""));
        assert_eq!(said(&post(&operator, n, "comments", say("?", "ask")).await), (409, "request_not_taken"));
        assert_eq!(said(&post(&operator, n, "take", json!({})).await), (200, "in_progress"));
        assert_eq!(said(&post(&operator, n, "take", json!({})).await), (409, "request_taken"));
        assert_eq!(said(&post(&user, n, "confirm", json!({})).await), (409, "request_not_answered"));
        assert_eq!(said(&post(&operator, n, "comments", say("Какой отель?", "ask")).await), (200, "waiting_for_customer"));
        let note = post(&operator, n, "comments", json!({"text": "между нами", "internal": true})).await;
        assert_eq!(said(&note), (200, "waiting_for_customer"));
        let page = post(&user, n, "comments", json!({"text": "GRAND"})).await;
        assert_eq!(said(&page), (200, "in_progress"), "what was asked for came");
        assert!(!page.body.to_string().contains("между нами"), "the desk's own words are not the customer's");
        assert!(operator.get(&format!("/api/v1/requests/{n}")).await.body.to_string().contains("между нами"));
        assert_eq!(said(&post(&user, n, "comments", json!({"text": "x", "internal": true})).await), (403, ""));
        assert_eq!(said(&post(&operator, n, "comments", say("Готово", "answer")).await), (200, "answered"));
        assert_eq!(post(&user, n, "dispute", json!({})).await.errors(), [("/reason", "required")]);
        assert_eq!(post(&user, n, "dispute", json!({"reason": "…"})).await.errors(), [("/reason", "request_reason")]);
        assert_eq!(said(&post(&user, n, "dispute", json!({"reason": "всё ещё пусто"})).await), (200, "in_progress"));
        post(&operator, n, "comments", say("Теперь готово", "answer")).await;
        assert_eq!(said(&post(&user, n, "close", json!({})).await), (403, ""), "he represents nobody");
        assert_eq!(said(&post(&admin, n, "close", json!({})).await), (409, "request_not_confirmed"));
        assert_eq!(said(&post(&user, n, "confirm", json!({})).await), (200, "completed"));
        let closed = post(&admin, n, "close", json!({})).await;
        assert_eq!((said(&closed), &closed.body["resolution"]), ((200, "closed"), &json!("confirmed")));
        assert_eq!(said(&post(&user, n, "comments", json!({"text": "спасибо"})).await), (409, "request_closed"));
        let history = admin.get(&format!("/api/v1/requests/{n}/history")).await.body;
        assert_eq!(history["proof"]["whole"], true, "{history}");

        // Nobody else learns that it is there.
        let stranger = api.portal("m2").await;
        assert_eq!(api.admin(stranger).await.get(&format!("/api/v1/requests/{n}")).await.status, 404);
        let colleague = api.with_role(portal, Given::Viewer).await;
        assert_eq!(colleague.get(&format!("/api/v1/requests/{n}")).await.status, 404);
        assert_eq!(colleague.get("/api/v1/requests").await.body["items"], json!([]));
    }

    s47_e22_a_customer_withdraws_with_a_reason_and_both_roles_close_by_one_click(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        let n = admin.post("/api/v1/requests", &body()).await.body["number"].as_str().unwrap().to_owned();
        let gone = post(&admin, &n, "withdraw", json!({"reason": "само прошло"})).await;
        assert_eq!((said(&gone), &gone.body["resolution"]), ((200, "closed"), &json!("withdrawn")));

        let n = admin.post("/api/v1/requests", &body()).await.body["number"].as_str().unwrap().to_owned();
        post(&admin, &n, "take", json!({})).await;
        post(&admin, &n, "comments", json!({"text": "ок", "intent": "answer"})).await;
        let closed = post(&admin, &n, "confirm", json!({})).await;
        assert_eq!(said(&closed), (200, "closed"));
        let steps: Vec<(Value, Value)> = closed.body["history"].as_array().unwrap().iter()
            .filter(|entry| entry["kind"] == "state")
            .map(|entry| (entry["content"]["to"].clone(), entry["content"]["role"].clone())).collect();
        assert_eq!(steps[steps.len() - 2..], [(json!("completed"), json!("submitter")), (json!("closed"), json!("representative"))]);
    }

    s40_options_are_offered_and_one_choice_is_recorded(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (user, operator) = (api.nobody(portal).await, api.with_role(portal, Given::SupportOperator).await);
        let n = user.post("/api/v1/requests", &body()).await.body["number"].as_str().unwrap().to_owned();
        post(&operator, &n, "take", json!({})).await;
        let offered = post(&operator, &n, "options", json!({"options": ["Сегодня", "Завтра"], "text": "Когда?"})).await;
        assert_eq!(said(&offered), (200, "waiting_for_customer"), "{offered:?}");
        assert_eq!(post(&user, &n, "options", json!({"offer": 1, "option": 2})).await.errors(), [("/option", "no_such_option")]);
        assert_eq!(said(&post(&operator, &n, "options", json!({"offer": 1, "option": 1})).await), (403, ""));
        let chosen = post(&user, &n, "options", json!({"offer": 1, "option": 1})).await;
        assert_eq!((said(&chosen), &chosen.body["offers"][0]["chosen"]), ((200, "in_progress"), &json!(1)));
        assert_eq!(chosen.body["offers"][0]["chosen_at"], "2026-11-21T10:00:00Z");
        assert_eq!(said(&post(&user, &n, "options", json!({"offer": 1, "option": 0})).await), (409, "option_chosen"));
    }

    s40_s43_who_works_requests_and_represents_the_customer_offers_as_the_desk(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        // No support portal and nobody named: the admin is the desk and the customer's representative.
        let (user, admin) = (api.nobody(portal).await, api.admin(portal).await);
        let n = user.post("/api/v1/requests", &body()).await.body["number"].as_str().unwrap().to_owned();
        post(&admin, &n, "take", json!({})).await;
        for text in ["Когда?", "А если так?"] {
            let offered = post(&admin, &n, "options", json!({"options": ["Сегодня", "Завтра"], "text": text})).await;
            assert_eq!(said(&offered), (200, "waiting_for_customer"), "still the customer's turn: {offered:?}");
        }
    }

    s19_s41_a_day_that_is_agreed_on_lies_within_two_years(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        let manager = actor(&[Role::Manager], 9);
        let agree = async |day: &str| api.desk.act(&manager, &row, &Deed::Agree(day.parse().unwrap())).await;
        let far = agree("9999-12-31T00:00:00Z").await;
        assert!(matches!(far, Err(DeskError::Invalid(_, "too_far"))), "{far:?}");
        agree("2028-11-20T10:00:00Z").await.expect("two years");
    }

    s30_s31_e17_an_operator_makes_a_second_problem_a_request_of_its_own(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (user, operator) = (api.nobody(portal).await, api.with_role(portal, Given::SupportOperator).await);
        let n = user.post("/api/v1/requests", &body()).await.body["number"].as_str().unwrap().to_owned();
        let part = json!({"sentences": [1], "subject": "Нет телефона"});
        assert_eq!(post(&user, &n, "split", part.clone()).await.status, 403);
        let wrong = post(&operator, &n, "split", json!({"sentences": [0, 1], "subject": "x"})).await;
        assert_eq!(wrong.errors(), [("/sentences", "nothing_left")]);
        let child = operator.once(&format!("/api/v1/requests/{n}/split"), "k", &part).await;
        assert_eq!(child.status, 201, "{child:?}");
        operator.once(&format!("/api/v1/requests/{n}/split"), "k", &part).await;
        let child = user.get(&format!("/api/v1/requests/{}", child.body["number"].as_str().unwrap())).await.body;
        assert_eq!((&child["parent"], &child["content"]["description"]), (&json!(n), &json!("Кроме того, нет телефона у гостя.")));
        let parent = user.get(&format!("/api/v1/requests/{n}")).await.body;
        assert!(parent["history"].to_string().contains(child["number"].as_str().unwrap()), "both name each other");
        assert_eq!(user.get("/api/v1/requests").await.body["items"].as_array().unwrap().len(), 2);
    }

    s37_people_find_requests_by_number_state_phone_mail_and_login(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        for user in [5, 6, 6] {
            api.desk.register(portal, report(portal, user)).await.unwrap();
        }
        let operator = api.with_role(portal, Given::SupportOperator).await;
        let count = async |query: &str| {
            let got = operator.get(&format!("/api/v1/requests?{query}")).await;
            got.body["items"].as_array().unwrap_or_else(|| panic!("{query}: {got:?}")).len()
        };
        assert_eq!(count("").await, 3);
        assert_eq!(count("phone=%2B79161234567").await, 3);
        assert_eq!(count("phone=%2B79161234568").await, 0);
        assert_eq!(count("email=ANNA%40example.com&state=registered&kind=incident").await, 3);
        assert_eq!(count("login=anna&from=2026-11-21T10:00:01Z").await, 0);
        assert_eq!(count("number=FB-2026-000002").await, 1);
        assert_eq!(count("customer=nobody").await, 0);
        let page = operator.get("/api/v1/requests?limit=2").await.body;
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
        assert_eq!(count(&format!("limit=2&after={}", page["next"].as_str().unwrap())).await, 1);
        let own = api.desk.list(Whose::Submitter(portal, 6), &Filter::default(), 10).await.unwrap();
        assert_eq!(own.len(), 2);
    }

    s48_of_two_nodes_that_act_at_once_one_decides_on_what_the_other_did(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        let take = Deed::Step { action: Action::Take, text: None };
        let operator = actor(&[Role::Operator], 9);
        // Both have read the same revision.
        let (one, two) = tokio::join!(api.desk.act(&operator, &row, &take), api.desk.act(&operator, &row, &take));
        let refused = [one, two].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        assert!(matches!(refused[..], [DeskError::Refused(Refusal::AlreadyTaken)]), "{refused:?}");
        let words = (0..6).map(|n| {
            let (desk, row) = (api.desk.clone(), row.clone());
            async move {
                let said = Deed::Step { action: Action::Say, text: Some(format!("слово {n}")) };
                desk.act(&actor(&[Role::Submitter], 5), &row, &said).await.unwrap()
            }
        });
        futures_util::future::join_all(words).await;
        let row = api.desk.find(portal, row.number).await.unwrap();
        let history = api.desk.export(&operator, &row).await.unwrap();
        assert_eq!(history["proof"]["whole"], true, "{history}");
        for n in 0..6 {
            assert_eq!(history["entries"].to_string().matches(&format!("слово {n}")).count(), 1, "every word once");
        }
    }
}
