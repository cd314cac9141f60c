//! The end of requests' words: after their term, or because the person wants it.

use std::time::Duration;

use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::domain::support::life::{Action, Reason};
use fidelio_bitrix24::domain::support::silence::AutoClose;
use fidelio_bitrix24::domain::support::{Role, State};
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::store::desk::outbox;
use fidelio_bitrix24::store::desk::requests::RequestRow;
use fidelio_bitrix24::support::Watch;
use fidelio_bitrix24::support::act::Deed;
use serde_json::json;

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::Api;

const DAY: Duration = Duration::from_secs(86_400);

fn step(action: Action, text: Option<&str>) -> Deed {
    Deed::Step { action, text: text.map(str::to_owned) }
}

async fn withdrawn(api: &Api, portal: PortalId) -> RequestRow {
    let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
    let why = Action::Withdraw(Reason::parse("Само прошло").unwrap());
    api.desk.act(&actor(&[Role::Submitter], 5), &row, &step(why, None)).await.unwrap()
}

async fn found(api: &Api, portal: PortalId, row: &RequestRow) -> RequestRow {
    api.desk.find(portal, row.number).await.unwrap()
}

on_both_engines! {
    s25_a_closed_request_loses_its_words_after_its_term_and_keeps_its_proof(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (mut settings, _) = api.desk.settings(portal).await.unwrap();
        settings.retention.requests_days = 30;
        api.desk.save_settings(portal, 0, settings, 1).await.unwrap().unwrap();
        let ended = withdrawn(&api, portal).await;
        let open = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        let watch = Watch::new(api.desk.clone());
        api.clock.advance(30 * DAY);
        watch.tick().await.unwrap();
        assert_eq!(found(&api, portal, &ended).await.erased_at, None, "its term is not over");
        api.clock.advance(DAY);
        watch.tick().await.unwrap();

        let manager = actor(&[Role::Manager], 1);
        let row = found(&api, portal, &ended).await;
        let whole = api.desk.whole(&manager, &row).await.unwrap();
        assert!(row.erased_at.is_some() && row.content.is_empty() && whole.content.is_none());
        assert_eq!(whole.history.iter().filter(|told| told.content.is_some()).count(), 1, "that it was erased");
        let left = outbox::of_request(&api.db, portal, row.id).await.unwrap();
        assert!(left.iter().all(|row| row.kind == outbox::Kind::State), "its task is told where it stands, and no words");
        assert_eq!(left.len(), 1);
        let told = left[0].open(&api.directory.request_key(portal).await.unwrap()).unwrap();
        assert!(!String::from_utf8_lossy(&told).contains("Само прошло"), "the reason is the person's words");
        let proof = &api.desk.export(&manager, &row).await.unwrap()["proof"];
        assert_eq!((&proof["whole"], &proof["broken"]), (&json!(true), &json!(null)));
        assert!(api.desk.act(&manager, &row, &Deed::Note("и ещё".into())).await.is_err(), "nothing is written any more");
        assert_eq!(found(&api, portal, &open).await.erased_at, None, "what is open keeps its words");
        watch.tick().await.unwrap();
        assert_eq!(found(&api, portal, &ended).await.head, row.head, "once");
    }

    s25_a_person_gets_what_the_desk_holds_of_him_and_its_end_with_an_act(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let ended = withdrawn(&api, portal).await;
        let open = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        let mut other = report(portal, 6);
        (other.content.phone, other.content.login) = ("+7 916 000-00-00".into(), "boris".into());
        other.content.email = "boris@example.com".into();
        let other = api.desk.register(portal, other).await.unwrap().row;
        let manager = api.with_role(portal, Given::SupportManager).await;
        let of = |word: &str| format!("/api/v1/support/persons/{word}");

        let unnamed = manager.post(&of("export"), &json!({})).await;
        assert_eq!((unnamed.status, unnamed.body["errors"][0]["code"].as_str()), (422, Some("person_unnamed")));
        let held = manager.post(&of("export"), &json!({"phone": "89161234567"})).await;
        let numbers: Vec<_> = held.body["requests"].as_array().unwrap().iter().map(|one| one["number"].clone()).collect();
        assert_eq!(numbers, [json!(ended.number), json!(open.number)]);
        assert_eq!(held.body["requests"][0]["content"]["email"], "Anna@Example.com");

        let act = manager.post(&of("erase"), &json!({"email": "anna@example.COM "})).await;
        assert_eq!(act.status, 200, "{}", act.body);
        let told: Vec<_> = act.body["requests"].as_array().unwrap().iter().map(|one| one["withdrawn"].clone()).collect();
        assert_eq!(told, [json!(false), json!(true)]);
        assert!(!act.body.to_string().contains("nna"), "the act names nobody");
        let (ended, open) = (found(&api, portal, &ended).await, found(&api, portal, &open).await);
        assert!(ended.erased_at.is_some() && open.erased_at.is_some());
        assert_eq!(open.state, State::Closed);
        assert_eq!(found(&api, portal, &other).await.erased_at, None);
        let again = manager.post(&of("export"), &json!({"phone": "89161234567", "login": "anna"})).await;
        assert_eq!(again.body, json!({"requests": []}));
    }

    s25_a_request_that_moves_while_it_is_erased_is_erased_and_takes_no_words_after(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (operator, manager) = (actor(&[Role::Operator], 9), api.with_role(portal, Given::SupportManager).await);
        for _ in 0..5 {
            let read = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
            let notes = async {
                for number in 0..10 {
                    // Refused from the moment of the erasure on; busy when too many speak at once.
                    drop(api.desk.act(&operator, &read, &Deed::Note(format!("запись {number}"))).await);
                }
            };
            let body = json!({"phone": "89161234567"});
            let (act, ()) = tokio::join!(manager.post("/api/v1/support/persons/erase", &body), notes);
            assert_eq!((act.status, &act.body["more"]), (200, &json!(false)), "{}", act.body);
            let row = found(&api, portal, &read).await;
            assert!(row.erased_at.is_some(), "one that moved is not left behind");
            assert!(api.desk.act(&operator, &read, &Deed::Note("после".into())).await.is_err(), "whoever read it before");
            let whole = api.desk.whole(&operator, &row).await.unwrap();
            assert_eq!(whole.history.iter().filter(|told| told.content.is_some()).count(), 1, "that it was erased");
        }
    }

    s45_whom_no_reminder_reaches_nobody_closes(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let mut mute = report(portal, 5);
        mute.content.email = String::new();
        mute.submitter = None;
        let row = api.desk.register(portal, mute).await.unwrap().row;
        let operator = actor(&[Role::Operator], 9);
        let row = api.desk.act(&operator, &row, &step(Action::Take, None)).await.unwrap();
        let row = api.desk.act(&operator, &row, &step(Action::Ask, Some("?"))).await.unwrap();
        assert!(row.silence.is_some());
        let (mut settings, _) = api.desk.settings(portal).await.unwrap();
        settings.auto_close = Some(AutoClose { remind_after_days: vec![3], close_after_days: 7 });
        api.desk.save_settings(portal, 0, settings, 1).await.unwrap().unwrap();
        let watch = Watch::new(api.desk.clone());
        for _ in 0..20 {
            api.clock.advance(DAY);
            watch.tick().await.unwrap();
        }
        let row = found(&api, portal, &row).await;
        assert_eq!((row.state, row.silence), (State::WaitingForCustomer, None));
    }
}
