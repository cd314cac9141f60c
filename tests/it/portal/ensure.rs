//! Set-up: looked at first, made once, safe however often and wherever it dies.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fb24_sandbox::portal::{Edition, Entity, Fault, PortalOptions};
use fidelio_bitrix24::domain::mapping::check::check;
use fidelio_bitrix24::domain::{CrmEntity, Mapping, StayStatus};
use fidelio_bitrix24::portal::{InstallationState, PortalStatus, plan};
use fidelio_bitrix24::store::{Db, Engine, crm_schemas, event_feed};
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

async fn ask(stand: &Stand, method: &str, params: Value) -> Value {
    let answer: Value = stand
        .http
        .post(format!("{}{method}", stand.sandbox.webhook(1)))
        .json(&params)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    answer["result"].clone()
}

/// The same with a token of the app's.
async fn ask_as_app(stand: &Stand, method: &str, mut params: Value) -> Value {
    params["auth"] = json!(stand.sandbox.tokens(1).access);
    let url = format!("{}{method}", stand.sandbox.client_endpoint());
    let answer: Value = stand.http.post(url).json(&params).send().await.unwrap().json().await.unwrap();
    answer["result"].clone()
}

/// What stands on the portal, as a stranger to our code sees it.
async fn check_all(stand: &Stand) {
    let categories = ask(stand, "crm.category.list", json!({"entityTypeId": 2})).await;
    let marked: Vec<&Value> = categories["categories"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["originatorId"] == "fidelio-bitrix24" && c["originId"] == "stays")
        .collect();
    assert_eq!(marked.len(), 1, "one pipeline of ours, ever");
    let id = marked[0]["id"].as_i64().unwrap();
    let rows = ask(
        stand,
        "crm.status.list",
        json!({"order": {"SORT": "ASC"}, "filter": {"ENTITY_ID": format!("DEAL_STAGE_{id}")}}),
    )
    .await;
    let stages: Vec<(String, String, String)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            (text("STATUS_ID").replace(&format!("C{id}:"), ""), text("NAME"), text("SEMANTICS"))
        })
        .collect();
    let wanted = [
        ("FB24_OFFER", "Предложение", ""),
        ("FB24_TENTATIVE", "Предварительная бронь", ""),
        ("FB24_WAITLIST", "Лист ожидания", ""),
        ("FB24_CONFIRMED", "Бронь подтверждена", ""),
        ("FB24_IN_HOUSE", "Проживает", ""),
        ("WON", "Выехал", "S"),
        ("LOSE", "Отмена", "F"),
        ("FB24_NO_SHOW", "Незаезд", "F"),
    ]
    .map(|(id, name, semantics)| (id.to_owned(), name.to_owned(), semantics.to_owned()));
    assert_eq!(stages, wanted);

    for (word, count) in [("deal", 19), ("contact", 8), ("company", 1)] {
        let fields = ask(stand, &format!("crm.{word}.userfield.list"), json!({})).await;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for field in fields.as_array().unwrap() {
            *seen.entry(field["FIELD_NAME"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(seen.iter().filter(|(name, _)| name.starts_with("UF_CRM_FB24_")).count(), count, "{word}");
        assert!(seen.values().all(|times| *times == 1), "{word}: {seen:?}");
    }
    let (queued, told): (Vec<_>, Vec<_>) = stand.sandbox.bindings().into_iter().partition(|binding| binding.offline);
    assert_eq!(told.len(), plan::EVENTS.len() + 1, "and that the queue has something");
    assert_eq!(queued.len(), plan::queued().count());
    assert_eq!(stand.sandbox.placements().len(), plan::PLACEMENTS.len());
    let portal = stand.portal().await;
    assert_eq!(portal.status, PortalStatus::Active);
    assert_eq!(portal.settings.stages[&StayStatus::InHouse], format!("C{id}:FB24_IN_HOUSE"));
    assert_eq!(portal.settings.stages[&StayStatus::CheckedOut], format!("C{id}:WON"));
    assert_eq!(portal.settings.pipeline.as_ref().map(|p| (p.category_id, p.own)), Some((id, true)));
    assert_eq!(portal.settings.pipeline_started_at, None);
}

/// Polls a future so many times and then drops it, as a killed process does.
struct Killed<F>(Pin<Box<F>>, usize);

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        self.0.as_mut().poll(cx).map(Some)
    }
}

on_both_engines! {
    s1_a_portal_is_set_up_as_the_contract_says(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        assert_eq!(portal.installation.lacks, vec![]);
        assert!(portal.settings.can_import);
        check_all(&stand).await;
        // What was seen on the way is what the standard mapping needs.
        let (schema, _) = crm_schemas::load(&db.db, portal.id).await.unwrap().expect("kept");
        let category = portal.settings.pipeline.expect("a pipeline").category_id;
        assert_eq!(check(&Mapping::standard(), &schema, category), []);
        assert_eq!(schema.pipeline(category).map(|pipeline| pipeline.stages.len()), Some(8));
        assert!(schema.field(CrmEntity::Contact, "PHONE").is_some());
    }

    s1_a_second_look_makes_nothing_and_costs_one_request_or_two(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.clear_requests();
        stand.node.directory.retry_installation(portal.id).await.unwrap();
        stand.settle().await;
        let asked = stand.sandbox.requests();
        assert!(asked.len() <= 2, "{asked:?}");
        for method in ["crm.category.add", "crm.status.add", "crm.deal.userfield.add", "event.bind", "placement.bind"] {
            assert!(stand.sandbox.requests_of(method).is_empty(), "{method}");
        }
        check_all(&stand).await;
    }

    s1_an_answer_lost_at_any_request_of_the_set_up_doubles_nothing(db) {
        for method in [
            "app.info", "app.option.set", "crm.category.add", "crm.status.list", "crm.status.add",
            "crm.deal.userfield.add", "crm.contact.userfield.add", "placement.bind", "event.bind",
        ] {
            // Connections opened by the last node's threads die with them: each node has its own.
            let own = Db::connect(&db.url).await.unwrap();
            let stand = Stand::start(&own, options());
            stand.sandbox.begin_install();
            stand.sandbox.fault(Fault::after_commit(method));
            stand.open("/bitrix/install", &stand.frame(1)).await;
            stand.settle_over(120).await;
            stand.sandbox.install_finish(1).expect("finished");
            assert!(stand.sandbox.events_settled().await);
            stand.settle_over(60).await;
            assert_eq!(stand.sandbox.requests_of("crm.category.add").len(), 1, "{method}");
            check_all(&stand).await;
        }
    }

    s1_a_pipeline_that_is_made_after_we_gave_up_is_found_and_not_doubled(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        stand.sandbox.fault(Fault::commit_later("crm.category.add", Duration::from_secs(55)));
        stand.open("/bitrix/install", &stand.frame(1)).await;
        stand.settle().await;
        assert_eq!(stand.portal().await.installation.state, InstallationState::Working);
        stand.settle_over(60).await;
        stand.sandbox.install_finish(1).expect("finished");
        assert!(stand.sandbox.events_settled().await);
        stand.settle_over(60).await;
        check_all(&stand).await;
    }

    s3_what_a_portal_lacks_is_said_before_anything_is_made(db) {
        let stand = Stand::start(&db.db, PortalOptions { scope: "crm,user_brief".into(), edition: Edition::Box, ..options() });
        stand.sandbox.without_methods(&["crm.item.list", "crm.category.add"]);
        stand.sandbox.begin_install();
        stand.open("/bitrix/install", &stand.frame(1)).await;
        stand.settle().await;
        let portal = stand.portal().await;
        assert_eq!((portal.status, portal.installation.state), (PortalStatus::Ensuring, InstallationState::Failed));
        let lacks: Vec<(&str, &str)> = portal.installation.lacks.iter().map(|l| (l.code.as_str(), l.hint.as_str())).collect();
        assert!(lacks.contains(&("old_box", "crm.item.list")) && lacks.contains(&("scope", "placement")), "{lacks:?}");
        for method in ["app.option.set", "crm.status.add", "crm.deal.userfield.add", "event.bind"] {
            assert!(stand.sandbox.requests_of(method).is_empty(), "{method}");
        }
        // Updated, and asked for again by the admin.
        stand.sandbox.without_methods(&[]);
        stand.sandbox.configure(|options| options.scope = "crm,placement,user_brief".into());
        stand.node.directory.retry_installation(portal.id).await.unwrap();
        stand.settle().await;
    }

    s2_the_portals_queue_is_bound_where_the_plan_has_it_and_let_go_where_it_has_it_no_more(db) {
        let stand = Stand::start(&db.db, PortalOptions { offline_extended: false, ..options() });
        let portal = stand.install().await;
        let bound = || stand.sandbox.bindings().into_iter().map(|bound| (bound.event, bound.offline)).collect::<Vec<_>>();
        let feed = || async { event_feed::of_portal(&db.db, portal.id).await.unwrap().expect("kept") };
        assert_eq!((bound().len(), feed().await.queue), (plan::EVENTS.len(), false));
        assert_eq!((portal.status, portal.installation.lacks), (PortalStatus::Active, vec![]), "no reason to complain");

        let first = feed().await.bound_at;
        // Another queue of the app's, under a name of its own, is not ours.
        ask_as_app(&stand, "event.bind", json!({"event": "ONTASKADD", "event_type": "offline", "auth_connector": "x"})).await;
        stand.sandbox.configure(|options| options.offline_extended = true);
        stand.pass(3_700);
        stand.settle().await;
        assert_eq!(bound().len(), plan::EVENTS.len() + 1 + plan::queued().count() + 1);
        assert!(bound().contains(&("ONOFFLINEEVENT".to_owned(), false)) && feed().await.queue);
        assert!(bound().contains(&("ONCRMDEALMOVETOCATEGORY".to_owned(), true)), "a move is no update");

        stand.sandbox.configure(|options| options.offline_extended = false);
        stand.pass(3_700);
        stand.settle().await;
        assert_eq!(bound().len(), plan::EVENTS.len() + 1, "the other one stays");
        assert!(bound().contains(&("ONTASKADD".to_owned(), true)) && !feed().await.queue);
        assert!(feed().await.bound_at >= first);
    }

    s3_a_full_plan_and_a_missing_import_right_are_said(db) {
        let stand = Stand::start(&db.db, PortalOptions { max_categories: 1, import_right: false, ..options() });
        stand.sandbox.begin_install();
        stand.open("/bitrix/install", &stand.frame(1)).await;
        stand.settle().await;
        let portal = stand.portal().await;
        assert_eq!(portal.installation.state, InstallationState::Failed);
        let codes: Vec<&str> = portal.installation.lacks.iter().map(|lack| lack.code.as_str()).collect();
        assert!(codes.contains(&"pipeline_limit") && codes.contains(&"import_right"), "{codes:?}");
        assert!(stand.sandbox.requests_of("crm.deal.userfield.add").is_empty(), "refused before anything was made");
        stand.sandbox.configure(|options| options.max_categories = 5);
        stand.node.directory.retry_installation(portal.id).await.unwrap();
        stand.settle().await;
        let portal = stand.portal().await;
        assert_eq!((portal.status, portal.settings.can_import), (PortalStatus::Active, false));
    }

    s3_required_fields_of_the_portal_are_listed(db) {
        let stand = Stand::start(&db.db, options());
        let made = ask(&stand, "crm.deal.userfield.add", json!({"fields": {"FIELD_NAME": "CONTRACT", "USER_TYPE_ID": "string", "MANDATORY": "Y"}})).await;
        assert!(made.is_number() || made.is_string(), "{made}");
        let portal = stand.install().await;
        let lack = portal.installation.lacks.iter().find(|lack| lack.code == "required_field").expect("said");
        assert!(lack.hint.contains("UF_CRM_CONTRACT") && !lack.blocks);
        assert_eq!(portal.status, PortalStatus::Active);
    }

    s3_a_renamed_or_added_stage_stays_as_people_made_it(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        let category = portal.settings.pipeline.unwrap().category_id;
        let entity = format!("DEAL_STAGE_{category}");
        let rows = ask(&stand, "crm.status.list", json!({"filter": {"ENTITY_ID": entity}})).await;
        let won = rows.as_array().unwrap().iter().find(|row| row["STATUS_ID"].as_str().unwrap().ends_with(":WON")).unwrap();
        ask(&stand, "crm.status.update", json!({"id": won["ID"], "fields": {"NAME": "Уехал счастливым"}})).await;
        ask(&stand, "crm.status.add", json!({"fields": {"ENTITY_ID": entity, "STATUS_ID": "NEW", "NAME": "Наша", "SORT": 5}})).await;
        stand.node.directory.retry_installation(portal.id).await.unwrap();
        stand.settle().await;
        let rows = ask(&stand, "crm.status.list", json!({"filter": {"ENTITY_ID": entity}})).await;
        let names: Vec<&str> = rows.as_array().unwrap().iter().filter_map(|row| row["NAME"].as_str()).collect();
        assert!(names.contains(&"Уехал счастливым") && names.contains(&"Наша"), "{names:?}");
        assert_eq!(stand.sandbox.count(Entity::Deal), 0);
    }

    s1_a_set_up_killed_at_any_place_is_finished_by_the_next_start_without_doubles(db) {
        let mut places = 0;
        // Places are the same on both engines; PostgreSQL, where a fresh database costs a second, is killed at fewer of them.
        let (first, step) = match db.db.engine() {
            Engine::Sqlite => (1, 17),
            Engine::Postgres => (9, 85),
        };
        for polls in (first..900).step_by(step) {
            let db = db.another().await;
            let stand = Stand::start(&db.db, options());
            stand.sandbox.begin_install();
            stand.open("/bitrix/install", &stand.frame(1)).await;
            let killed = Killed(Box::pin(stand.node.life.tick()), polls).await;
            if killed.is_some() {
                break;
            }
            places += 1;
            // The lease runs out, the request cap passes; another process goes on.
            stand.pass(90);
            let next = stand.second_node();
            for _ in 0..8 {
                next.life.tick().await.unwrap();
                stand.pass(30);
            }
            stand.sandbox.install_finish(1).expect("finished");
            assert!(stand.sandbox.events_settled().await);
            stand.pass(3600);
            next.life.tick().await.unwrap();
            let categories = ask(&stand, "crm.category.list", json!({"entityTypeId": 2})).await;
            assert_eq!(categories["categories"].as_array().unwrap().len(), 2, "after {polls} polls");
            assert_eq!(
                stand.portal().await.status,
                PortalStatus::Active,
                "after {polls} polls: {:?}",
                stand.portal().await
            );
            let bound = plan::EVENTS.len() + 1 + plan::queued().count();
            assert_eq!(stand.sandbox.bindings().len(), bound, "after {polls} polls");
            assert_eq!(stand.sandbox.placements().len(), plan::PLACEMENTS.len(), "after {polls} polls");
        }
        assert!(places > if step > 17 { 2 } else { 5 }, "only {places} places were reached");
    }
}
