//! What we hold, as the API shows it: stays, imports, problems, traffic lights, the request log.

use chrono::NaiveDate;
use fidelio_bitrix24::bitrix::LogEntry;
use fidelio_bitrix24::domain::history::{Step, StepKind};
use fidelio_bitrix24::domain::{
    Currency, HotelCode, Known, Money, PortalId, Profile, ProfileKind, ProfileNumber, Stay, StayNumber, StayStatus,
};
use fidelio_bitrix24::http::auth::{Grant, Role};
use fidelio_bitrix24::store::links::{self, LinkRow, Origin};
use fidelio_bitrix24::store::problems::{self, NewProblem};
use fidelio_bitrix24::store::profiles::{self, ProfileRow};
use fidelio_bitrix24::store::stay_steps::{self, StepRow};
use fidelio_bitrix24::store::stays::{self, StayRow};
use fidelio_bitrix24::store::{hotels, request_log, source_reading, sources};
use serde_json::{Value, json};

use super::api_hotels::hotel;
use crate::on_both_engines;
use crate::support::api::Api;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// `GRAND` with stays 1…`count` that arrive one a day; guest 10 of each, deal 700 + n of each.
async fn fill(api: &Api, portal: PortalId, count: u32) {
    let admin = api.admin(portal).await;
    assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
    let grand =
        hotels::by_code(&api.db, portal, &HotelCode::parse("GRAND").expect("code")).await.unwrap().expect("there");
    let key = api.directory.key(portal).await.unwrap();
    let now = api.now.now_ms();
    let mut guest = Profile::new(ProfileNumber::parse("10").expect("number"));
    guest.kind = Known::Is(ProfileKind::Guest);
    guest.last_name = Known::Is("Пробная".into());
    guest.first_name = Known::Is("Вера".into());
    let mut rows = Vec::new();
    let mut linked = Vec::new();
    for n in 1..=count {
        let mut stay = Stay::new(StayNumber::parse(&n.to_string()).expect("number"));
        stay.status = Known::Is(if n == 1 { StayStatus::InHouse } else { StayStatus::Confirmed });
        stay.arrival = Known::Is(day("2026-11-20") + chrono::Days::new(u64::from(n)));
        stay.departure = Known::Is(day("2026-11-22") + chrono::Days::new(u64::from(n)));
        stay.room = Known::Is("101".into());
        stay.children = Known::Is([("0-6".to_owned(), 1), ("7-12".to_owned(), 2)].into());
        stay.total = Known::Is(Money {
            amount: "1234.50".parse().expect("amount"),
            currency: Currency::parse("RUB").expect("code"),
        });
        stay.main_guest = Known::Is(guest.number.clone());
        let pms_time = day("2026-11-21").and_hms_opt(13, 5, 0);
        rows.push(StayRow {
            hotel: grand.id,
            facts: stay,
            hash: "h".into(),
            source: "suite8_xml".into(),
            pms_time,
            received_at: now,
            updated_at: now,
        });
        linked.push(LinkRow {
            subject: format!("stay:{}:{n}", grand.id),
            entity: fidelio_bitrix24::domain::CrmEntity::Deal,
            crm_id: 700 + i64::from(n),
            origin: Origin::Created,
            marked: true,
        });
    }
    linked.push(LinkRow {
        subject: format!("profile:{}:10", grand.id),
        entity: fidelio_bitrix24::domain::CrmEntity::Contact,
        crm_id: 31,
        origin: Origin::Created,
        marked: true,
    });
    let person = ProfileRow {
        hotel: grand.id,
        facts: guest,
        hash: "h".into(),
        source: "suite8_xml".into(),
        pms_time: None,
        received_at: now,
        updated_at: now,
    };
    let tx = api.db.begin().await.unwrap();
    stays::save(&tx, portal, &key, &rows).await.unwrap();
    profiles::save(&tx, portal, &key, &[person]).await.unwrap();
    links::add(&tx, portal, &linked, now).await.unwrap();
    let problem = NewProblem {
        hotel: Some(grand.id),
        subject: format!("stay:{}:1", grand.id),
        cause: "crm.rejected".into(),
        kind: "rejected",
        params: json!({"code": "required_field"}),
    };
    problems::raise(&tx, portal, &key, &[problem], now).await.unwrap();
    let step = StepRow {
        hotel: grand.id,
        stay: StayNumber::parse("1").expect("number"),
        step: Step { kind: StepKind::Status, from: "confirmed".into(), to: "in_house".into() },
        pms_time: day("2026-11-21").and_hms_opt(13, 5, 0),
        received_at: now,
    };
    stay_steps::add(&tx, portal, &[step]).await.unwrap();
    tx.commit().await.unwrap();
}

on_both_engines! {
    s3_a_person_is_handed_out_and_erased_by_an_admin_or_with_the_grant(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        fill(&api, portal, 1).await;
        let (export, erase) = ("/api/v1/persons/GRAND:10/export", "/api/v1/persons/GRAND:10/erase");
        for role in [Role::Installer, Role::FrontDesk, Role::Viewer] {
            let caller = api.with_role(portal, role).await;
            let asked = [caller.post(export, &json!({})).await.status, caller.post(erase, &json!({})).await.status, caller.get(erase).await.status];
            assert_eq!(asked, [403; 3], "{role:?}");
        }
        let granted = api.session(portal, 9, false, &[Role::Viewer], &[Grant::Persons]).await;
        let granted = api.bearer(&granted);
        let out = granted.post(export, &json!({})).await;
        assert_eq!((out.status, &out.body["facts"]["last_name"]), (200, &json!("Пробная")), "{out:?}");
        assert!(out.header("content-disposition").contains("GRAND-10.json") && out.header("cache-control") == "no-store");
        assert!(out.body["request_log"].as_str().is_some_and(|text| !text.is_empty()));
        let admin = api.admin(portal).await;
        assert_eq!(admin.get(erase).await.status, 404, "nobody asked yet");
        let asked = admin.post(erase, &json!({})).await;
        assert_eq!((asked.status, &asked.body["stage"], &asked.body["person"]), (202, &json!("asked"), &json!("GRAND:10")), "{asked:?}");
        assert_eq!(granted.get(erase).await.body["stage"], "asked");
        for path in ["/api/v1/persons/GRAND:99/erase", "/api/v1/persons/OTHER:10/erase", "/api/v1/persons/GRAND/erase"] {
            assert_eq!(admin.post(path, &json!({})).await.status, 404, "{path}");
        }
        let stranger = api.portal("m2").await;
        assert_eq!(api.admin(stranger).await.post(export, &json!({})).await.status, 404);
    }

    s1_a_stay_is_shown_with_its_people_and_its_money_only_to_whom_it_may(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        fill(&api, portal, 2).await;
        let viewer = api.with_role(portal, Role::Viewer).await;
        let shown = viewer.get("/api/v1/stays/GRAND:1").await;
        assert_eq!(shown.status, 200, "{shown:?}");
        let stay = &shown.body;
        for (pointer, value) in [
            ("/hotel", json!("GRAND")), ("/number", json!("1")), ("/status", json!("in_house")),
            ("/arrival", json!("2026-11-21")), ("/departure", json!("2026-11-23")), ("/nights", json!(2)),
            ("/room", json!("101")), ("/children", json!({"0-6": 1, "7-12": 2})),
            ("/pms_time", json!("2026-11-21T13:05:00+03:00")), ("/received_at", json!("2026-11-21T10:00:00Z")),
            ("/crm/deal_id", json!(701)), ("/guests/0/name", json!("Пробная Вера")), ("/guests/0/contact_id", json!(31)),
            ("/guests/0/main", json!(true)), ("/total", Value::Null), ("/folio", json!(false)),
            ("/history", json!([{"at": "2026-11-21T10:00:00Z", "pms_time": "2026-11-21T13:05:00+03:00", "code": "status", "from": "confirmed", "to": "in_house"}])),
        ] {
            assert_eq!(stay.pointer(pointer), Some(&value), "{pointer}");
        }
        let cashier = api.bearer(&api.session(portal, 8, false, &[Role::FrontDesk], &[Grant::Folio]).await).get("/api/v1/stays/GRAND:1").await;
        assert_eq!(cashier.body["total"], json!({"amount": "1234.50", "currency": "RUB"}));
        assert_eq!(cashier.body["folio"], true);
        assert_eq!(viewer.get("/api/v1/deals/701/stay").await.body, *stay);
        let none = viewer.get("/api/v1/deals/999/stay").await;
        assert_eq!((none.status, none.body["code"].as_str()), (404, Some("no_stay")));
        for missing in ["/api/v1/stays/GRAND:77", "/api/v1/stays/PLAZA:1", "/api/v1/stays/GRAND", "/api/v1/stays/x:y:z", "/api/v1/deals/0/stay", "/api/v1/deals/x/stay"] {
            assert_eq!(viewer.get(missing).await.status, 404, "{missing}");
        }
        // Somebody without a role learns nothing, not even whether it exists; another tenant finds nothing.
        let nobody = api.nobody(portal).await;
        assert_eq!(nobody.get("/api/v1/stays/GRAND:77").await.status, 403);
        let stranger = api.portal("m2").await;
        assert_eq!(api.admin(stranger).await.get("/api/v1/stays/GRAND:1").await.status, 404);
        assert_eq!(api.admin(stranger).await.get("/api/v1/deals/701/stay").await.status, 404);
        assert_eq!(api.admin(stranger).await.get("/api/v1/stays").await.body["items"], json!([]));
    }

    s1_lists_of_stays_go_on_where_they_stopped(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        fill(&api, portal, 7).await;
        let admin = api.admin(portal).await;
        let mut path = "/api/v1/stays?hotel=GRAND&limit=3".to_owned();
        let mut seen = Vec::new();
        loop {
            let page = admin.get(&path).await;
            assert_eq!(page.status, 200, "{page:?}");
            seen.extend(page.body["items"].as_array().expect("items").iter().map(|stay| stay["number"].as_str().expect("number").to_owned()));
            let Some(next) = page.body["next"].as_str() else { break };
            let after: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            path = format!("/api/v1/stays?hotel=GRAND&limit=3&after={after}");
        }
        assert_eq!(seen, ["1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(admin.get("/api/v1/stays?status=in_house").await.body["items"].as_array().expect("items").len(), 1);
        let days = admin.get("/api/v1/stays?arrival_from=2026-11-22&arrival_to=2026-11-23").await;
        assert_eq!(days.body["items"].as_array().expect("items").len(), 2);
        assert_eq!(admin.get("/api/v1/stays?hotel=NOWHERE").await.status, 404);
    }

    s1_an_import_is_started_once_steered_and_found_by_its_tenant_only(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
        let body = json!({"from": "2026-11-01", "to": "2026-12-31", "dry_run": false});
        let started = admin.once("/api/v1/hotels/GRAND/imports", "k", &body).await;
        assert_eq!((started.status, &started.body["estimate"]), (202, &Value::Null), "{started:?}");
        assert_eq!(admin.once("/api/v1/hotels/GRAND/imports", "k", &body).await.body, started.body);
        let another = admin.post("/api/v1/hotels/GRAND/imports", &json!({})).await;
        assert_eq!((another.status, another.body["code"].as_str()), (409, Some("import_running")));
        assert_eq!(another.body["detail"], "Другой импорт этого отеля ещё не закончен. Дождитесь его или отмените.");
        let wrong = admin.post("/api/v1/hotels/GRAND/imports", &json!({"from": "2026-12-01", "to": "2026-11-01"})).await;
        assert_eq!(wrong.errors(), [("/to", "date_order")]);

        let path = started.header("location").to_owned();
        let shown = admin.get(&path).await.body;
        assert_eq!((&shown["state"], &shown["hotel"], &shown["from"]), (&json!("queued"), &json!("GRAND"), &json!("2026-11-01")));
        assert_eq!(admin.get("/api/v1/hotels/GRAND/imports").await.body["items"].as_array().expect("items").len(), 1);
        assert_eq!(admin.post(&format!("{path}/pause"), &json!({})).await.body["state"], "paused");
        assert_eq!(admin.post(&format!("{path}/resume"), &json!({})).await.body["state"], "running");
        let stranger = api.portal("m2").await;
        let stranger = api.admin(stranger).await;
        assert_eq!(stranger.get(&path).await.status, 404);
        assert_eq!(stranger.post(&format!("{path}/cancel"), &json!({})).await.status, 404);
        // A hotel that goes takes its unfinished import along.
        assert_eq!(admin.delete("/api/v1/hotels/GRAND").await.status, 204);
        assert_eq!(admin.get(&path).await.body["state"], "cancelled");
        let over = admin.post(&format!("{path}/pause"), &json!({})).await;
        assert_eq!((over.status, over.body["code"].as_str()), (409, Some("import_state")));
    }

    s49_problems_tell_what_to_do_and_are_handled(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        fill(&api, portal, 1).await;
        let desk = api.with_role(portal, Role::FrontDesk).await;
        let listed = desk.get("/api/v1/problems?hotel=GRAND").await.body["items"].as_array().expect("items").clone();
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0]["subject"], &listed[0]["title"]), (&json!("stay:GRAND:1"), &json!("Битрикс24 не принял запись")));
        assert!(!listed[0]["hint"].as_str().unwrap_or_default().is_empty());
        let id = listed[0]["id"].as_i64().expect("an id");
        let stranger = api.portal("m2").await;
        let stranger = api.admin(stranger).await;
        assert_eq!(stranger.post(&format!("/api/v1/problems/{id}/retry"), &json!({})).await.status, 404);
        assert_eq!(stranger.post(&format!("/api/v1/problems/{id}/dismiss"), &json!({})).await.status, 404);
        assert_eq!(desk.post(&format!("/api/v1/problems/{id}/dismiss"), &json!({"note": 7})).await.errors(), [("/note", "text")]);
        let note = json!({"note": "поле убрано"});
        assert_eq!(desk.once(&format!("/api/v1/problems/{id}/dismiss"), "d", &note).await.body["state"], "dismissed");
        assert_eq!(desk.get("/api/v1/problems").await.body["items"], json!([]));
        assert_eq!(desk.get("/api/v1/problems?state=dismissed").await.body["items"][0]["note"], "поле убрано");
        assert_eq!(desk.post(&format!("/api/v1/problems/{id}/retry"), &json!({})).await.status, 200);
        assert_eq!(desk.post("/api/v1/problems/999999/retry", &json!({})).await.status, 404);
    }

    s49_problems_of_a_cause_are_counted_and_handled_together(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        fill(&api, portal, 1).await;
        let desk = api.with_role(portal, Role::FrontDesk).await;
        let causes = desk.get("/api/v1/problems/causes?hotel=GRAND").await.body["items"].clone();
        assert_eq!((causes[0]["cause"].as_str(), causes[0]["kind"].as_str()), (Some("crm.rejected"), Some("rejected")));
        assert_eq!((&causes[0]["records"], &causes[0]["times"], &causes[0]["action"]), (&json!(1), &json!(1), &Value::Null));
        assert!(causes[0]["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
        assert_eq!(desk.get("/api/v1/problems?kind=failed").await.body["items"], json!([]));
        let (retry, dismiss) = ("/api/v1/problems/causes/crm.rejected/retry", "/api/v1/problems/causes/crm.rejected/dismiss");
        assert_eq!(desk.post(retry, &json!({})).await.errors(), [("/kind", "required")]);
        assert_eq!(desk.post(retry, &json!({"kind": "lost"})).await.errors(), [("/kind", "problem_kind")]);
        assert_eq!(desk.post(retry, &json!({"kind": "failed"})).await.status, 404, "none of that kind");
        let asked = desk.once(dismiss, "d", &json!({"kind": "rejected", "note": "поле убрано"})).await;
        assert_eq!((asked.status, &asked.body["records"], &asked.body["action"]), (202, &json!(1), &json!("dismiss")), "{asked:?}");
        assert_eq!(desk.get("/api/v1/problems/causes").await.body["items"][0]["action"], "dismiss");
        let stranger = api.portal("m2").await;
        assert_eq!(api.admin(stranger).await.post(retry, &json!({"kind": "rejected"})).await.status, 404);
    }

    s49_the_lights_say_what_runs(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        fill(&api, portal, 1).await;
        let status = api.with_role(portal, Role::Viewer).await.get("/api/v1/status").await;
        assert_eq!(status.status, 200, "{status:?}");
        for (pointer, value) in [
            ("/portal/state", json!("new")), ("/portal/light", json!("yellow")), ("/portal/domain", json!("portal.example")),
            ("/hotels/0/code", json!("GRAND")), ("/hotels/0/light", json!("grey")), ("/hotels/0/sources/0/health", json!("new")),
            ("/problems", json!(1)), ("/last_reconciliation", Value::Null), ("/light", json!("yellow")),
            ("/version", json!(env!("CARGO_PKG_VERSION"))),
            // What the operator set is shown, and what he did not is not made up.
            ("/support/phone", json!("+7 495 000-00-00")), ("/support/address", Value::Null),
        ] {
            assert_eq!(status.body.pointer(pointer), Some(&value), "{pointer}");
        }
    }

    s49_what_is_odd_about_a_hotels_pms_is_said_in_both_languages(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        fill(&api, portal, 1).await;
        let key = api.directory.key(portal).await.unwrap();
        let source = sources::of_portal(&api.db, portal, &key).await.unwrap().remove(0);
        let looked = source_reading::Looked {
            health: source_reading::Health { state: "ok".into(), detail: "not_licensed:Profile".into() },
            notes: [("no_delta".to_owned(), 5_000), ("pms_time_back".to_owned(), 7_000)].into(),
            at: 10_000, ok: true, records: false, active: true, next_poll_at: 20_000, failures: 0,
        };
        source_reading::looked(&api.db, portal, source.id, source.version, &looked).await.unwrap();
        let status = api.with_role(portal, Role::Viewer).await.get("/api/v1/status").await.body;
        let of = status.pointer("/hotels/0/sources/0").expect("the source").clone();
        assert_eq!((&of["light"], &of["detail_code"]), (&json!("yellow"), &json!("not_licensed:Profile")));
        let findings = of["findings"].as_array().expect("findings");
        let codes: Vec<_> = findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["not_licensed:Profile", "no_delta", "pms_time_back"]);
        assert_eq!((&findings[0]["since"], &findings[1]["since"]), (&Value::Null, &json!("1970-01-01T00:00:05Z")));
        assert_eq!(findings[0]["detail"], of["detail"]);
        assert!(findings[2]["detail"].as_str().unwrap().contains("резервная копия"), "{findings:?}");
    }

    s51_the_request_log_is_paged_filtered_and_the_tenants_own(db) {
        let api = Api::start(db).await;
        let (portal, other) = (api.portal("m1").await, api.portal("m2").await);
        for n in 0..5_u16 {
            let entry = LogEntry {
                at: api.now.now_ms() + i64::from(n), method: if n == 4 { "batch".into() } else { "crm.item.list".into() },
                status: 200 + n, outcome: "ok".into(), ms: 12, detail: json!({"n": n}),
            };
            request_log::insert(&api.db, &api.keyring, portal, &entry).await.unwrap();
        }
        let admin = api.admin(portal).await;
        let first = admin.get("/api/v1/log?limit=2").await.body;
        assert_eq!((&first["items"][0]["status"], &first["items"][0]["method"]), (&json!(204), &json!("batch")));
        let second = admin.get(&format!("/api/v1/log?limit=2&after={}", first["next"].as_str().expect("more"))).await.body;
        assert_eq!(second["items"][0]["status"], 202);
        assert_eq!(admin.get("/api/v1/log?method=batch").await.body["items"].as_array().expect("items").len(), 1);
        assert_eq!(admin.get("/api/v1/log?after=zzz").await.errors(), [("?after", "cursor")]);
        assert_eq!(api.admin(other).await.get("/api/v1/log").await.body["items"], json!([]));
        let mapping = admin.get("/api/v1/mapping").await;
        assert_eq!((mapping.status, &mapping.body["version"]), (200, &json!(0)));
        assert_eq!(admin.get("/api/v1/merge-hints").await.body, json!({"items": [], "next": null}));
    }
}
