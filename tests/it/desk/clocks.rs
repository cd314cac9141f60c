//! Clocks that are watched.

use std::time::Duration;

use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::domain::support::Role;
use fidelio_bitrix24::domain::support::life::Action;
use fidelio_bitrix24::store::desk::outbox;
use fidelio_bitrix24::store::keys;
use fidelio_bitrix24::support::Watch;
use fidelio_bitrix24::support::act::Deed;
use fidelio_bitrix24::support::outgoing::{News, Outgoing};

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::Api;

/// Clocks that the request's task is told of: `(clock, breached)`.
async fn told(api: &Api, portal: PortalId, request: i64) -> Vec<(String, bool)> {
    let key = keys::obtain_for(&api.db, &api.keyring, portal, keys::REQUESTS, 0).await.unwrap();
    let rows = outbox::of_request(&api.db, portal, request).await.unwrap();
    let payloads = rows.iter().map(|row| Outgoing::read(&row.open(&key).unwrap()).unwrap());
    payloads
        .filter_map(|what| match what {
            Outgoing::Note { about: News::Clock { clock, breached, .. }, .. } => Some((clock, breached)),
            _ => None,
        })
        .collect()
}

on_both_engines! {
    s19_s55_who_works_it_is_told_before_a_clock_runs_out_and_when_it_has(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let watch = Watch::new(api.desk.clone());
        // Saturday: nothing runs before Monday 09:00 in Moscow. An incident is answered within four hours.
        let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        assert_eq!(watch.tick().await.unwrap(), 0);
        let hour = Duration::from_secs(3600);
        api.clock.advance(44 * hour); // Monday, 09:00
        assert_eq!(watch.tick().await.unwrap(), 0);
        api.clock.advance(3 * hour + hour / 4); // over 80 %
        assert_eq!(watch.tick().await.unwrap(), 1);
        assert_eq!(watch.tick().await.unwrap(), 0, "once");
        assert_eq!(told(&api, portal, row.id).await, [("first_answer".to_owned(), false)]);
        api.clock.advance(hour);
        assert_eq!(watch.tick().await.unwrap(), 1);
        assert_eq!(watch.tick().await.unwrap(), 0);
        assert_eq!(told(&api, portal, row.id).await[1..], [("first_answer".to_owned(), true)]);
        let row = api.desk.find(portal, row.number).await.unwrap();
        let history = api.desk.export(&actor(&[Role::Manager], 1), &row).await.unwrap();
        assert_eq!(history["proof"]["whole"], true);
    }

    s41_a_clock_that_waits_for_the_customer_tells_nobody(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        let operator = actor(&[Role::Operator], 9);
        let row = api.desk.act(&operator, &row, &Deed::Step { action: Action::Take, text: None }).await.unwrap();
        let ask = Deed::Step { action: Action::Ask, text: Some("?".into()) };
        let row = api.desk.act(&operator, &row, &ask).await.unwrap();
        assert_eq!(row.look_at, None);
        api.clock.advance(Duration::from_secs(60 * 86_400));
        assert_eq!(Watch::new(api.desk.clone()).tick().await.unwrap(), 0);
        let word = Deed::Step { action: Action::Say, text: Some("GRAND".into()) };
        let row = api.desk.act(&actor(&[Role::Submitter], 5), &row, &word).await.unwrap();
        assert!(row.look_at.is_some(), "it runs again");
    }

    s19_a_promise_that_is_broken_and_kept_late_before_anybody_looks_is_counted(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let row = api.desk.register(portal, report(portal, 5)).await.unwrap().row;
        let operator = actor(&[Role::Operator], 9);
        // An incident is answered within four working hours: it is Monday, 17:00 in Moscow.
        api.clock.advance(Duration::from_secs(52 * 3600));
        let row = api.desk.act(&operator, &row, &Deed::Step { action: Action::Take, text: None }).await.unwrap();
        assert_eq!(row.told, "first_answer:breached,first_answer:warned");
        let say = Deed::Step { action: Action::Say, text: Some("Смотрим".into()) };
        let row = api.desk.act(&operator, &row, &say).await.unwrap();
        assert_eq!(told(&api, portal, row.id).await, [("first_answer".to_owned(), true)], "once");
        assert_eq!(Watch::new(api.desk.clone()).tick().await.unwrap(), 0, "nothing is left to be told");
        let history = api.desk.export(&operator, &row).await.unwrap();
        assert_eq!(history["entries"].to_string().matches(r#"what\":\"breached"#).count(), 1, "{history}");
    }
}
