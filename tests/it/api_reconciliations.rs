//! Reports of reconciliations through the API: who sees them, what they say, as JSON and as a table.

use fidelio_bitrix24::http::auth::Role;
use fidelio_bitrix24::store::problems::{self, NewProblem};
use fidelio_bitrix24::store::reconciled_days::{self, Counts};
use fidelio_bitrix24::store::reconciliations::{self, DriftRow};
use fidelio_bitrix24::store::{hotels, jobs};
use serde_json::{Value, json};

use crate::api_hotels::hotel;
use crate::on_both_engines;
use crate::support::api::{Api, send};

on_both_engines! {
    s1_a_reconciliation_is_started_reported_and_downloaded(db) {
        let api = Api::start(db).await;
        let (portal, other) = (api.portal("m1").await, api.portal("m2").await);
        let admin = api.admin(portal).await;
        assert_eq!(admin.post("/api/v1/hotels", &hotel("GRAND")).await.status, 201);
        let list = "/api/v1/hotels/GRAND/reconciliations";
        let started = admin.once(list, "k1", &json!({})).await;
        assert_eq!(started.status, 202, "{started:?}");
        let id = started.body["id"].as_str().expect("an id").to_owned();
        let report = format!("{list}/{id}");
        assert_eq!(started.header("location"), report);
        assert_eq!(admin.once(list, "k1", &json!({})).await.body, started.body, "the same wish");
        let twice = admin.post(list, &json!({})).await;
        assert_eq!((twice.status, twice.body["code"].as_str()), (409, Some("reconciliation_running")));
        let queued = admin.get(&report).await.body;
        assert_eq!((&queued["state"], &queued["ended_at"], &queued["drift"]), (&json!("queued"), &Value::Null, &json!([])));
        assert_eq!(admin.get("/api/v1/status").await.body["last_reconciliation"], Value::Null);

        let hotel = hotels::list(&api.db, portal).await.unwrap().remove(0).id;
        let tx = api.db.begin().await.unwrap();
        let row = |subject: String, cause: &str, detail: Value| DriftRow {
            subject, cause: cause.into(), arrival: "2026-11-22".parse().ok(), detail,
        };
        let found = [
            row(format!("stay:{hotel}:7"), "duplicate_mark", json!({"entity": "deal", "ids": [5, 9]})),
            row(format!("group:{hotel}:9"), "missing_in_crm", json!({})),
            row(format!("profile:{hotel}:8"), "differs_in_crm", json!({"entity": "contact", "id": 3})),
        ];
        reconciliations::note(&tx, portal, &id, &found, 0).await.unwrap();
        let days = [("2026-11-22", 3, 2, 2), ("2026-11-23", 1, 1, 1)]
            .map(|(day, pms, store, crm)| (day.parse().unwrap(), Counts { pms, store, crm }));
        reconciled_days::add(&tx, portal, &id, &days.into()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(jobs::step(&api.db, portal, &id, &["queued"], "completed", api.now.now_ms()).await.unwrap());

        let viewer = api.with_role(portal, Role::Viewer).await;
        let done = viewer.get(&report).await.body;
        assert_eq!((&done["state"], &done["ended_at"]), (&json!("completed"), &json!("2026-11-21T10:00:00Z")));
        let stay = &done["drift"].as_array().expect("a list").iter().find(|row| row["cause"] == "duplicate_mark").expect("told").clone();
        assert_eq!((&stay["stay"], &stay["asks_person"], &stay["arrival"]), (&json!("GRAND:7"), &json!(true), &json!("2026-11-22")));
        let causes = done["causes"].as_array().expect("causes");
        assert_eq!(causes.iter().map(|cause| cause["count"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 1, 1]);
        let group = done["drift"].as_array().expect("a list").iter().find(|row| row["cause"] == "missing_in_crm").expect("told");
        assert_eq!((&group["group"], &group["stay"]), (&json!("GRAND:9"), &Value::Null), "a group's row names it");
        assert_eq!(done["days"], json!([{"arrival": "2026-11-22", "pms": 3, "store": 2, "crm": 2}]), "what agrees is not told");
        assert_eq!(done["compared"], json!({"all": true, "leaving_since": null, "history_day": null}));
        assert!(causes.iter().all(|cause| !cause["title"].as_str().unwrap().is_empty() && !cause["hint"].as_str().unwrap().is_empty()));
        assert_eq!(viewer.get(list).await.body["items"][0]["drift"], json!([]), "a list is short");
        let status = viewer.get("/api/v1/status").await.body;
        assert_eq!(status["last_reconciliation"], "2026-11-21T10:00:00Z");
        assert_eq!(status["hotels"][0]["last_reconciliation"]["drift"], 3);
        let light = |light: &str, never: Value, failed: Value, open: i64| {
            json!({"light": light, "at": "2026-11-21T10:00:00Z", "never": never, "failed": failed, "open": open})
        };
        assert_eq!(status["reconciliation"], light("green", json!([]), json!([]), 0), "all of it is mended");
        // Another hotel was never reconciled; then something of it is open; then a later one fails.
        assert_eq!(admin.post("/api/v1/hotels", &crate::api_hotels::hotel("SEA")).await.status, 201);
        let status = async || admin.get("/api/v1/status").await.body["reconciliation"].clone();
        assert_eq!(status().await, light("grey", json!(["SEA"]), json!([]), 0));
        let key = api.directory.key(portal).await.unwrap();
        let tx = api.db.begin().await.unwrap();
        let problem = NewProblem {
            hotel: Some(hotel), subject: format!("stay:{hotel}:7"), cause: "crm.duplicate_mark".into(), kind: "rejected", params: json!({}),
        };
        problems::raise(&tx, portal, &key, &[problem], api.now.now_ms()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(status().await, light("yellow", json!(["SEA"]), json!([]), 1));
        let held = jobs::get(&api.db, portal, &id).await.unwrap().expect("kept");
        let later = jobs::JobRow { id: "later".into(), state: "queued".into(), created_at: held.created_at + 1, ..held };
        let tx = api.db.begin().await.unwrap();
        assert!(jobs::create(&tx, portal, &later, 1).await.unwrap());
        tx.commit().await.unwrap();
        assert!(jobs::step(&api.db, portal, "later", &["queued"], "failed", api.now.now_ms()).await.unwrap());
        assert_eq!(status().await, light("red", json!(["SEA"]), json!(["GRAND"]), 1));
        assert_eq!(admin.get("/api/v1/status").await.body["light"], "red");

        for request in [
            viewer.request("GET", &format!("{report}.csv")),
            viewer.request("GET", &report).header("accept", "text/csv"),
        ] {
            let table = request.send().await.expect("an answer");
            assert_eq!(table.headers()["content-type"], "text/csv; charset=utf-8");
            assert_eq!(table.headers()["content-disposition"], "attachment; filename=\"reconciliation-GRAND-20261121.csv\"");
            let text = table.text().await.expect("text");
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 4, "{text}");
            assert!(lines[1].starts_with(",,GRAND:9,2026-11-22,missing_in_crm,"), "{text}");
            assert!(lines[2].starts_with(",GRAND:8,,2026-11-22,differs_in_crm,") && lines[3].ends_with(",yes,deal,5 9"), "{text}");
        }

        assert_eq!(viewer.post(list, &json!({})).await.status, 403);
        for path in [list, report.as_str()] {
            assert_eq!(api.admin(other).await.get(path).await.status, 404);
        }
        assert_eq!(admin.get(&format!("{list}/no-such")).await.status, 404);
        assert_eq!(send(admin.request("GET", &format!("/api/v1/imports/{id}"))).await.status, 404, "no import");
    }
}
