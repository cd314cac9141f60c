//! Install with a wizard and by script, update, reinstall, pages for everybody.

use fb24_sandbox::portal::events::Tokens;
use fb24_sandbox::portal::{Edition, PortalOptions};
use fidelio_bitrix24::portal::{InstallationState, PortalStatus, plan};
use serde_json::json;

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

/// Events that come to us, those that the portal keeps in its queue, and its word that something waits there.
fn bound() -> usize {
    plan::EVENTS.len() + plan::queued().count() + 1
}

on_both_engines! {
    s3_a_wizard_installs_and_the_server_finishes_by_itself(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        let answer = stand.open("/bitrix/install", &stand.frame(1)).await;
        assert_eq!(answer.status, 200);
        let boot = Stand::boot(&answer);
        assert_eq!((&boot["page"], &boot["user"]["admin"], &boot["lang"]), (&json!("install"), &json!(true), &json!("ru")));
        assert!(boot["session"].as_str().is_some_and(|session| session.len() > 40));
        assert!(boot["expires_in"].as_i64().is_some_and(|seconds| (1..=900).contains(&seconds)));
        assert_eq!(boot["portal"]["member_id"], stand.sandbox.member_id());
        assert!(answer.csp.ends_with(&format!("frame-ancestors {}", stand.sandbox.url())), "{}", answer.csp);
        assert_eq!(stand.portal().await.status, PortalStatus::Ensuring);

        stand.settle().await;
        let portal = stand.portal().await;
        assert_eq!((portal.status, portal.installed), (PortalStatus::Active, false));
        assert_eq!(portal.installation.state, InstallationState::Ready, "{:?}", portal.installation);
        assert_eq!(stand.node.directory.active().await.unwrap(), vec![], "nothing works before installFinish");

        stand.sandbox.install_finish(1).expect("finished");
        assert!(stand.sandbox.events_settled().await);
        assert_eq!(stand.node.directory.active().await.unwrap(), vec![portal.id]);
        let answer = stand.open("/bitrix/app", &stand.frame(1)).await;
        assert_eq!(Stand::boot(&answer)["page"], "app");
        assert_eq!(stand.sandbox.bindings().len(), bound());
        assert_eq!(stand.sandbox.placements().len(), plan::PLACEMENTS.len());
    }

    s3_a_script_only_install_is_finished_from_its_event(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.install_script(1, &format!("{}/bitrix/events", stand.node.url));
        assert!(stand.sandbox.events_settled().await);
        stand.settle().await;
        let portal = stand.portal().await;
        assert_eq!((portal.status, portal.installed), (PortalStatus::Active, true), "{:?}", portal.installation);
        assert_eq!(stand.node.directory.active().await.unwrap(), vec![portal.id]);
        // The event brought the application token: events are let in now.
        stand.sandbox.send_event("ONCRMDEALUPDATE", json!({"FIELDS": {"ID": "7"}}));
        assert!(stand.sandbox.events_settled().await);
        assert_eq!(stand.hints().await.len(), 1);
    }

    s3_a_box_without_an_application_token_in_its_frames_is_installed(db) {
        let box_options = PortalOptions { edition: Edition::Box, ..options() };
        let stand = Stand::start(&db.db, box_options);
        let portal = stand.install().await;
        assert!(portal.boxed && portal.installed, "{portal:?}");
        assert_eq!(portal.status, PortalStatus::Active);
        // The wizard was faster than the bindings: the portal's self-test event brought the token.
        stand.sandbox.send_event("ONCRMCONTACTADD", json!({"FIELDS": {"ID": "3"}}));
        assert!(stand.sandbox.events_settled().await);
        assert_eq!(stand.hints().await.len(), 1);
    }

    s5_an_update_binds_again_what_the_portal_dropped(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.sandbox.update_app(1, false);
        assert!(stand.sandbox.bindings().is_empty(), "an update drops them");
        assert!(stand.sandbox.events_settled().await);
        stand.settle().await;
        assert_eq!(stand.sandbox.bindings().len(), bound());
        assert_eq!(stand.sandbox.placements().len(), plan::PLACEMENTS.len());
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
    }

    s3_pages_explain_themselves_to_those_who_may_not(db) {
        let stand = Stand::start(&db.db, options());
        // Before an admin installed it.
        stand.sandbox.set_installed();
        let early = stand.open("/bitrix/app", &stand.frame(2)).await;
        assert_eq!(Stand::boot(&early)["error"]["code"], "not_installed");
        assert!(stand.found().await.is_none(), "an ordinary user makes no portal known");

        stand.install().await;
        let manager = stand.open("/bitrix/app", &stand.frame(2)).await;
        assert_eq!(Stand::boot(&manager)["error"]["code"], "no_access");
        assert!(manager.body.contains("администратору портала"));
        let tab = stand.open("/bitrix/widgets/deal-stay", &stand.sandbox.frame_form(2, "CRM_DEAL_DETAIL_TAB", &json!({"ID": "8061"}))).await;
        let boot = Stand::boot(&tab);
        assert_eq!((&boot["page"], &boot["user"]["admin"]), (&json!("deal-stay"), &json!(false)));
        assert_eq!((&boot["placement"]["code"], &boot["placement"]["options"]["ID"]), (&json!("CRM_DEAL_DETAIL_TAB"), &json!("8061")));

        let empty = stand.open("/bitrix/app", &stand.frame(2).with("AUTH_ID", "").with("REFRESH_ID", "")).await;
        assert_eq!((empty.status, Stand::boot(&empty)["error"]["code"].as_str()), (200, Some("no_auth")));
        let outside = stand.http.get(format!("{}/bitrix/app", stand.node.url)).send().await.unwrap();
        assert_eq!(outside.status(), 200);
        assert!(outside.text().await.unwrap().contains("outside_frame"));
        for path in ["install", "app", "events", "widgets/deal-stay", "widgets/contact-guest", "widgets/room-board"] {
            let head = stand.http.head(format!("{}/bitrix/{path}", stand.node.url)).send().await.unwrap();
            assert_eq!(head.status(), 200, "{path}");
        }
    }

    s3_the_fields_of_a_frame_may_all_stand_in_the_query(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        let mut form = stand.frame(1);
        form.query.append(&mut form.body);
        let answer = stand.open("/bitrix/install", &form).await;
        assert_eq!(Stand::boot(&answer)["page"], "install");
    }

    s3_a_session_goes_on_under_a_fresh_token_of_its_user(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let url = format!("{}/api/v1/session", stand.node.url);
        let ask = async |auth: &str, domain: &str| {
            let answer = stand.http.post(&url).json(&json!({"auth_id": auth, "domain": domain})).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
        };
        let token = stand.sandbox.tokens(2).access;
        let (status, body) = ask(&token, &stand.sandbox.domain()).await;
        assert_eq!((status, &body["user"]["id"], &body["user"]["admin"]), (200, &json!(2), &json!(false)));
        let session = body["session"].as_str().unwrap().to_owned();
        assert_eq!(ask(&token, "evil.example").await.0, 401);
        assert_eq!(ask("no-such-token-at-all", &stand.sandbox.domain()).await.0, 401);
        assert_eq!(ask("", "").await.0, 422);

        let status = async |session: &str| {
            let request = stand.http.get(format!("{}/api/v1/installation", stand.node.url)).bearer_auth(session);
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!(status(&session).await, 403, "known, but without a role");
        stand.pass(901);
        assert_eq!(status(&session).await, 401, "run out");
        let admin = ask(&stand.sandbox.tokens(1).access, &stand.sandbox.domain()).await.1;
        let admin = admin["session"].as_str().unwrap().to_owned();
        assert_eq!(status(&admin).await, 200);
        stand.node.directory.set_roles(stand.portal().await.id, &[]).await.unwrap();
        assert_eq!(status(&admin).await, 401, "a change of roles ends every session");
    }

    s3_replays_of_an_admins_own_event_change_nothing_new(db) {
        let stand = Stand::start(&db.db, options());
        let before = stand.install().await;
        let body = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair);
        for _ in 0..3 {
            assert_eq!(stand.event(&body).await, 200);
        }
        stand.settle().await;
        let after = stand.portal().await;
        assert_eq!((after.id, after.status), (before.id, PortalStatus::Active));
        assert_eq!(stand.sandbox.bindings().len(), bound());
    }
}
