//! Forged frames and events change nothing (product §7).

use fb24_sandbox::portal::events::Tokens;
use fb24_sandbox::portal::{Portal as Sandbox, PortalOptions};
use fidelio_bitrix24::portal::PortalStatus;
use fidelio_bitrix24::store::{portals, tokens};
use serde_json::json;

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

/// Everything a forger would want to change.
async fn all_of(stand: &Stand) -> String {
    let row = portals::by_member(&stand.db, &stand.sandbox.member_id()).await.unwrap().expect("known");
    let pair = tokens::get(&stand.db, row.id).await.unwrap();
    let token = portals::application_token(&stand.db, row.id).await.unwrap();
    let key = stand.node.directory.key(row.id).await.unwrap().hash("probe", b"x");
    format!(
        "{} {} {} {:?} {} {} {:?} {:?} {:?} {key}",
        row.domain,
        row.client_endpoint,
        row.status,
        row.generation,
        row.installer_user_id,
        row.settings,
        row.uninstall_clean,
        pair,
        token
    )
}

on_both_engines! {
    s3_forged_frames_are_shown_a_page_without_data_and_change_nothing(db) {
        let stand = Stand::start(&db.db, options());
        let stranger = Sandbox::start(options());
        stranger.set_installed();
        stand.install().await;
        let before = all_of(&stand).await;
        let own = stand.frame(1);
        let foreign = stranger.frame_form(1, "DEFAULT", &json!([]));
        let forged = [
            own.clone().with("AUTH_ID", "0123456789abcdef0123456789abcdef"),
            own.clone().with("AUTH_ID", "x"),
            own.clone().with("member_id", &stranger.member_id()),
            own.clone().with("member_id", "' OR 1=1 --"),
            own.clone().with("DOMAIN", "evil.example"),
            // Another portal's good token under this portal's name.
            own.clone().with("AUTH_ID", foreign.field("AUTH_ID").unwrap()),
            foreign.clone().with("member_id", &stand.sandbox.member_id()),
        ];
        for form in forged {
            for path in ["/bitrix/install", "/bitrix/app", "/bitrix/widgets/deal-stay"] {
                let answer = stand.open(path, &form).await;
                assert_eq!(answer.status, 403, "{form:?}");
                let boot = Stand::boot(&answer);
                assert_eq!(boot["error"]["code"], "unverified");
                assert!(boot.get("session").is_none() && boot.get("user").is_none());
                assert!(!answer.csp.contains("evil.example") && !answer.body.contains("evil.example"));
            }
        }
        stand.settle().await;
        assert_eq!(all_of(&stand).await, before);
    }

    s3_a_foreign_oauth_host_named_by_a_frame_is_never_asked(db) {
        let stand = Stand::start(&db.db, options());
        let evil = Sandbox::start(PortalOptions { member_id: Some(stand.sandbox.member_id()), ..options() });
        evil.set_installed();
        stand.install().await;
        let before = all_of(&stand).await;
        let form = evil.frame_form(1, "DEFAULT", &json!([]));
        let answer = stand.open("/bitrix/install", &form).await;
        assert_eq!(answer.status, 403);
        assert_eq!(evil.request_count(), 0, "neither the named host nor the named portal is called");
        assert_eq!(all_of(&stand).await, before);
    }

    s3_an_ordinary_user_s_frame_moves_neither_the_pair_nor_the_application_token(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let before = all_of(&stand).await;
        let form = stand.frame(2).with("APPLICATION_TOKEN", "00000000000000000000000000000000");
        for path in ["/bitrix/install", "/bitrix/app", "/bitrix/widgets/deal-stay"] {
            stand.open(path, &form).await;
        }
        stand.settle().await;
        assert_eq!(all_of(&stand).await, before);
    }

    s3_an_ordinary_user_who_replays_his_application_token_in_onappuninstall_changes_nothing(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let portal = stand.portal().await;
        let sealed = stand.node.directory.key(portal.id).await.unwrap().seal("t.c", b"guest").unwrap();
        let session = Stand::boot(&stand.open("/bitrix/app", &stand.frame(1)).await)["session"].as_str().unwrap().to_owned();
        for clean in ["1", "0"] {
            // His own frame told him the token.
            let told = stand.frame(2).field("APPLICATION_TOKEN").unwrap().to_owned();
            let body = [
                ("event", "ONAPPUNINSTALL"), ("data[LANGUAGE_ID]", "ru"), ("data[CLEAN]", clean), ("ts", "1"),
                ("auth[member_id]", &stand.sandbox.member_id()), ("auth[domain]", &stand.sandbox.domain()),
                ("auth[application_token]", &told),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
            assert_eq!(stand.event(&body).await, 200, "the gate is passed");
            stand.settle().await;
            let after = stand.portal().await;
            assert_eq!((after.id, after.status, after.generation), (portal.id, PortalStatus::Active, portal.generation));
            assert_eq!(stand.node.directory.active().await.unwrap(), vec![portal.id]);
            let shown = fidelio_bitrix24::store::testing::tenant_rows(&stand.db, portal.id).await.unwrap();
            assert!(shown.contains(&("problem".to_owned(), 1)), "the admin is told: {shown:?}");
            let key = stand.node.directory.key(portal.id).await.unwrap();
            assert_eq!(key.open("t.c", &sealed).unwrap(), b"guest");
            let call = stand.node.directory.client(portal.id).await.unwrap();
            let who = call.call(fidelio_bitrix24::bitrix::Priority::Live, &fidelio_bitrix24::bitrix::setup::profile()).await;
            assert_eq!(who.unwrap().result["ID"], "1", "the pair works");
            let api = stand.http.get(format!("{}/api/v1/installation", stand.node.url)).bearer_auth(&session);
            assert_eq!(api.send().await.unwrap().status(), 200, "sessions live on");
        }
        // Repeated, it cannot keep the portal from working either: now it is proven before anything stops.
        let told = stand.frame(2).field("APPLICATION_TOKEN").unwrap().to_owned();
        let body = stand.sandbox.event_body("ONAPPUNINSTALL", json!({"CLEAN": "1"}), 2, Tokens::None);
        assert!(body.iter().any(|(_, value)| *value == told));
        assert_eq!(stand.event(&body).await, 200);
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
        stand.pass(601);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
    }

    s3_an_ordinary_user_who_replays_his_application_token_in_onappinstall_changes_nothing(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let before = all_of(&stand).await;
        let body = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "9", "LANGUAGE_ID": "en"}), 2, Tokens::Pair);
        assert_eq!(stand.event(&body).await, 403);
        let bare = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "9"}), 2, Tokens::None);
        assert_eq!(stand.event(&bare).await, 403);
        stand.settle().await;
        assert_eq!(all_of(&stand).await, before);
    }

    s3_an_ordinary_user_who_replays_his_application_token_in_onappupdate_changes_nothing(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let before = all_of(&stand).await;
        let mut body = stand.sandbox.event_body("ONAPPUPDATE", json!({"VERSION": "9"}), 2, Tokens::Pair);
        assert_eq!(stand.event(&body).await, 403);
        for (key, value) in &mut body {
            if key == "auth[application_token]" {
                *value = "ffffffffffffffffffffffffffffffff".into();
            }
        }
        assert_eq!(stand.event(&body).await, 403);
        stand.settle().await;
        assert_eq!(all_of(&stand).await, before);
    }

    s3_an_unknown_portal_cannot_be_made_known_by_an_event(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.set_installed();
        for (event, tokens) in [
            ("ONAPPINSTALL", Tokens::None), ("ONAPPINSTALL", Tokens::Pair), ("ONAPPUNINSTALL", Tokens::None),
            ("ONAPPPAYMENT", Tokens::None), ("ONCRMDEALADD", Tokens::Access), ("ONAPPTEST", Tokens::Pair),
        ] {
            let user = 2;
            let body = stand.sandbox.event_body(event, json!({"FIELDS": {"ID": "1"}}), user, tokens);
            assert_eq!(stand.event(&body).await, 403, "{event}");
        }
        assert!(stand.found().await.is_none());
        assert!(stand.hints().await.is_empty());
    }

    s3_a_flood_of_forged_frames_starves_neither_honest_people_nor_the_oauth_host(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.sandbox.clear_requests();
        let flood = async |n: usize, path: &str| {
            let form = stand.frame(1).with("AUTH_ID", &format!("{n:032x}"));
            let url = format!("{}{path}?{}", stand.node.url, form.query_string());
            let request = stand.http.post(url).header("X-Forwarded-For", "203.0.113.66, 198.51.100.7");
            let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form.body_string());
            request.send().await.unwrap().status().as_u16()
        };
        let mut seen = std::collections::BTreeMap::<u16, usize>::new();
        for n in 0..60 {
            *seen.entry(flood(n, ["/bitrix/app", "/bitrix/install"][n % 2]).await).or_default() += 1;
        }
        assert_eq!(seen, [(403, 31), (429, 29)].into(), "refused, then not even asked about");
        assert_eq!(stand.sandbox.requests_of("oauth/app.info").len(), 31);
        // Renewing a session is the same door.
        let renew = stand.http.post(format!("{}/api/v1/session", stand.node.url)).header("X-Forwarded-For", "198.51.100.7");
        let renew = renew.json(&json!({"auth_id": "0123456789abcdef", "domain": stand.sandbox.domain()})).send().await.unwrap();
        assert_eq!(renew.status(), 429);
        assert_eq!(Stand::boot(&stand.open("/bitrix/app", &stand.frame(1)).await)["page"], "app", "others are served");
        stand.pass(10);
        assert_eq!(flood(99, "/bitrix/app").await, 403, "the caller may try again after a while");
    }

    s3_a_token_that_has_merely_ended_is_held_against_nobody(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let stale = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair);
        stand.sandbox.expire_tokens();
        for _ in 0..40 {
            assert_eq!(stand.event_from("198.51.100.7", &stale).await, 403, "a page left open over night asks again");
        }
    }

    s3_an_event_s_member_that_cannot_be_one_asks_nobody(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.sandbox.clear_requests();
        for member in ["\0", "a\0b", "' OR 1=1 --", "м", &"a".repeat(200)] {
            for event in ["ONAPPTEST", "ONAPPINSTALL", "ONAPPPAYMENT", "ONAPPUNINSTALL", "ONCRMDEALADD"] {
                let body = [
                    ("event", event), ("auth[member_id]", member), ("auth[access_token]", "0123456789abcdef"),
                    ("auth[domain]", &stand.sandbox.domain()),
                ];
                assert_eq!(stand.event(&body.map(|(k, v)| (k.to_owned(), v.to_owned()))).await, 403, "{event} {member:?}");
            }
        }
        assert!(stand.sandbox.requests().is_empty());
    }

    s3_what_was_overheard_is_worth_nothing_once_its_token_has_ended(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let (frame, event) = (stand.frame(1), stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair));
        let sessions = Stand::boot(&stand.open("/bitrix/app", &stand.frame(1)).await)["session"].as_str().unwrap().to_owned();
        let before = all_of(&stand).await;
        stand.sandbox.expire_tokens();
        stand.pass(3_601);
        for path in ["/bitrix/install", "/bitrix/app"] {
            assert_eq!(stand.open(path, &frame).await.status, 403, "{path}");
        }
        assert_eq!(stand.event(&event).await, 403);
        let ask = |token: String| stand.http.get(format!("{}/api/v1/installation", stand.node.url)).bearer_auth(token).send();
        assert_eq!(ask(sessions).await.unwrap().status(), 401);
        assert_eq!(all_of(&stand).await, before);
    }

    s3_a_role_that_is_taken_away_is_gone_with_the_session_that_had_it(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        let give = async |items: serde_json::Value| {
            let items: Vec<fidelio_bitrix24::portal::Assignment> = serde_json::from_value(items).unwrap();
            stand.node.directory.set_roles(portal.id, &items).await.unwrap();
        };
        let open = async || Stand::boot(&stand.open("/bitrix/app", &stand.frame(2)).await);
        let ask = async |session: &str| {
            let request = stand.http.get(format!("{}/api/v1/settings", stand.node.url)).bearer_auth(session);
            request.send().await.unwrap().status().as_u16()
        };
        give(json!([{"user_id": 2, "role": "installer"}])).await;
        let session = open().await["session"].as_str().unwrap().to_owned();
        assert_eq!(ask(&session).await, 200);
        give(json!([{"user_id": 5, "role": "installer"}])).await;
        assert_eq!(ask(&session).await, 401);
        assert_eq!(open().await["error"]["code"], "no_access");
        // Another node, which never saw the change, knows it as well.
        let second = stand.second_node();
        let there = stand.http.get(format!("{}/api/v1/settings", second.url)).bearer_auth(&session).send().await.unwrap();
        assert_eq!(there.status(), 401);
    }
}
