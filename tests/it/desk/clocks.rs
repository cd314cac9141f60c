//! Clocks that are watched.

use std::time::Duration;

use fidelio_bitrix24::domain::support::Role;
use fidelio_bitrix24::domain::support::life::Action;
use fidelio_bitrix24::store::desk::outbox::{self, Channel};
use fidelio_bitrix24::store::keys;
use fidelio_bitrix24::support::Watch;
use fidelio_bitrix24::support::act::Deed;
use fidelio_bitrix24::support::outgoing::{News, Outgoing};

use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::Api;

/// Clocks told of by notices to the desk: `(clock, breached, user)`.
async fn told(api: &Api, portal: fidelio_bitrix24::domain::PortalId, request: i64) -> Vec<(String, bool, i64)> {
    let key = keys::obtain_for(&api.db, &api.keyring, portal, keys::REQUESTS, 0).await.unwrap();
    let rows = outbox::of_request(&api.db, portal, request).await.unwrap();
    let notices = rows.iter().filter(|row| row.channel == Channel::Notice).map(|row| row.open(&key).unwrap());
    notices
        .filter_map(|payload| match Outgoing::read(&payload).unwrap() {
            Outgoing::Tell(tell) => match tell.news {
                News::Clock { clock, breached, .. } => Some((clock, breached, tell.user.unwrap_or_default())),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

on_both_engines! {
    s19_s55_who_is_named_is_told_before_a_clock_runs_out_and_when_it_has(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let (mut settings, _) = api.desk.settings(portal).await.unwrap();
        settings.manager = Some(42);
        assert_eq!(api.desk.save_settings(portal, 0, settings, 1).await.unwrap(), Ok(1));
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
        assert_eq!(told(&api, portal, row.id).await, [("first_answer".to_owned(), false, 42)]);
        api.clock.advance(hour);
        assert_eq!(watch.tick().await.unwrap(), 1);
        assert_eq!(watch.tick().await.unwrap(), 0);
        assert_eq!(told(&api, portal, row.id).await[1..], [("first_answer".to_owned(), true, 42)]);
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
}
