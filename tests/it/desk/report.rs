//! How the desk did.

use std::time::Duration;

use fidelio_bitrix24::domain::support::Role;
use fidelio_bitrix24::domain::support::life::Action;
use fidelio_bitrix24::http::auth::Role as Given;
use fidelio_bitrix24::support::act::Deed;
use serde_json::json;

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::Api;

on_both_engines! {
    s19_the_desk_reads_how_it_did_and_takes_the_table(db) {
        let api = Api::start(db).await;
        let (portal, other) = (api.portal("m1").await, api.portal("m2").await);
        // Saturday: the first is answered in time, the second never.
        let mut row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        api.desk.register(portal, report(portal, 6)).await.unwrap();
        api.desk.register(other, report(other, 5)).await.unwrap();
        let operator = actor(&[Role::Operator], 9);
        for (action, text) in [(Action::Take, None), (Action::Answer, Some("Готово"))] {
            let deed = Deed::Step { action, text: text.map(str::to_owned) };
            row = api.desk.act(&operator, &row, &deed).await.unwrap();
        }
        api.clock.advance(Duration::from_secs(5 * 86_400));
        let reader = api.with_role(portal, Given::SupportOperator).await;
        let got = reader.get("/api/v1/support/report").await;
        assert_eq!(got.status, 200, "{}", got.body);
        let attained = |kept, broken| json!({"kept": kept, "broken": broken, "open": 0});
        let all = &got.body["all"];
        assert_eq!((&all["registered"], &all["answered"]), (&json!(2), &json!(1)), "of this desk alone");
        assert_eq!(all["first_answer"], attained(1, 1));
        assert_eq!(got.body["backlog"][2], json!({"below_days": 7, "count": 2}));
        // Answered at once, and it waits for five days to be confirmed; the other was never taken.
        let times = &got.body["times"];
        assert_eq!(times[0], json!({"state": "registered", "requests": 2, "minutes": 5 * 24 * 60 / 2}), "{times}");
        assert_eq!(times[2], json!({"state": "answered", "requests": 1, "minutes": 5 * 24 * 60}), "{times}");
        let none = reader.get("/api/v1/support/report?to=2020-01-01T00:00:00Z").await;
        assert_eq!((&none.body["all"]["registered"], &none.body["kinds"]), (&json!(0), &json!([])));

        let table = reader.request("GET", "/api/v1/support/report").header("Accept", "text/csv").send().await.unwrap();
        assert_eq!(table.headers()["content-type"], "text/csv; charset=utf-8");
        let table = table.text().await.unwrap();
        let lines: Vec<&str> = table.trim_start_matches('\u{feff}').lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("number,registered,kind") && lines[2].contains(&row.number.to_string()));
    }
}
