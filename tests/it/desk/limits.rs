//! What strangers and holders of a link are held to.

use std::time::Duration;

use fidelio_bitrix24::domain::support::Role;
use serde_json::{Value, json};

use super::public::{form, posted, solved, started};
use super::{actor, report};
use crate::on_both_engines;
use crate::support::api::send;

on_both_engines! {
    s42_who_holds_a_link_acts_so_often_an_hour_and_a_day_and_others_go_on(db) {
        let (api, desk) = started(db).await;
        let row = api.desk.register(desk, report(desk, 5)).await.unwrap().row;
        let manager = actor(&[Role::Manager], 9);
        let mut links = Vec::new();
        for _ in 0..2 {
            let link = api.desk.make_link(&manager, &row, Role::Submitter).await.unwrap();
            links.push(link.split_once('#').expect("a secret").1.to_owned());
        }
        // It is refused as nothing was answered, and counts all the same.
        let acted = async |secret: &str, address: &str| {
            let request = api.client.post(format!("{}/support/link/confirm", api.url));
            send(request.bearer_auth(secret).header("X-Forwarded-For", address).json(&json!({}))).await.status
        };
        let mut done = Vec::new();
        for _ in 0..4 {
            let mut n = 0;
            while n < 40 && acted(&links[0], &format!("198.51.100.{}", done.len())).await == 409 {
                n += 1;
            }
            done.push(n);
            api.clock.advance(Duration::from_secs(3600));
        }
        assert_eq!(done, [30, 30, 30, 10]);
        assert_eq!(acted(&links[0], "198.51.100.9").await, 429);
        assert_eq!(acted(&links[1], "198.51.100.9").await, 409, "another's link");
        let read = api.client.get(format!("{}/support/link", api.url)).bearer_auth(&links[0]);
        assert_eq!(send(read).await.status, 200, "reading costs nothing");
    }

    s23_a_line_of_many_addresses_is_one_place(db) {
        let (api, _) = started(db).await;
        for n in 0..11 {
            let mut call = form(&solved(&api).await);
            call["phone"] = json!(format!("+7 916 123-45-{n:02}"));
            let sent = send(posted(&api, &call, &format!("2001:db8:1:2::{n:x}"))).await;
            assert_eq!(sent.status, if n < 10 { 201 } else { 429 }, "{n}: {sent:?}");
            if n == 10 {
                assert_eq!(send(posted(&api, &call, "2001:db8:1:3::1")).await.status, 201, "the neighbour's");
            }
        }
    }

    s39_links_that_are_made_and_revoked_stand_in_the_history(db) {
        let (api, desk) = started(db).await;
        let row = api.desk.register(desk, report(desk, 5)).await.unwrap().row;
        let (manager, submitter) = (actor(&[Role::Manager], 9), actor(&[Role::Submitter], 5));
        api.desk.make_link(&manager, &row, Role::Representative).await.unwrap();
        api.desk.revoke_links(&manager, &row).await.unwrap();
        assert!(api.desk.make_link(&submitter, &row, Role::Submitter).await.is_err());
        let row = api.desk.find(desk, row.number).await.unwrap();
        let history = api.desk.export(&manager, &row).await.unwrap();
        assert_eq!(history["proof"]["whole"], true);
        let entries = history["entries"].as_array().unwrap();
        let told = |n: usize| -> Value {
            serde_json::from_str(entries[entries.len() - n]["content"].as_str().unwrap()).unwrap()
        };
        assert_eq!(told(2), json!({"action": "link", "user": 9, "role": "representative"}));
        assert_eq!(told(1), json!({"action": "unlink", "user": 9}));
    }
}
