//! Each trouble of an installation has its state, its message and its way back.

use fb24_sandbox::portal::{Fault, FaultAnswer, Hold, PortalOptions};
use fidelio_bitrix24::bitrix::{Priority, setup};
use fidelio_bitrix24::portal::PortalStatus;
use fidelio_bitrix24::store::tokens;
use serde_json::json;

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

async fn who(stand: &Stand) -> Result<i64, String> {
    let portal = stand.portal().await;
    let client = stand.node.directory.client(portal.id).await.map_err(|e| e.to_string())?;
    match client.call(Priority::Live, &setup::profile()).await {
        Ok(answer) => Ok(answer.result["ID"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default()),
        Err(error) => {
            stand.node.directory.failed(portal.id, &error).await.unwrap();
            Err(error.to_string())
        }
    }
}

on_both_engines! {
    s3_an_expired_token_is_renewed_once_for_all_tasks_and_nodes(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        let second = stand.second_node();
        stand.sandbox.expire_tokens();
        stand.sandbox.clear_requests();
        let mut asked = Vec::new();
        for node in [&stand.node, &second] {
            for _ in 0..6 {
                let directory = node.directory.clone();
                asked.push(tokio::spawn(async move {
                    let client = directory.client(portal.id).await.unwrap();
                    client.call(Priority::Live, &setup::profile()).await.map(|answer| answer.result["ID"].clone())
                }));
            }
        }
        for one in asked {
            assert_eq!(one.await.unwrap().unwrap(), "1");
        }
        assert_eq!(stand.sandbox.requests_of("oauth/token").len(), 1, "one refresh");
    }

    s3_whoever_gives_up_while_a_pair_is_renewed_loses_none(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.expire_tokens();
        stand.sandbox.clear_requests();
        let hold = Hold::default();
        stand.sandbox.fault(Fault::after_commit("oauth/token").answering(FaultAnswer::Held(hold.clone())));
        let client = stand.node.directory.client(portal.id).await.unwrap();
        let asking = tokio::spawn(async move { client.call(Priority::Person, &setup::profile()).await });
        hold.reached().await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        hold.release();
        assert_eq!(who(&stand).await, Ok(1));
        assert_eq!(stand.sandbox.requests_of("oauth/token").len(), 1, "its answer was kept");
    }

    s3_a_pair_lost_between_answer_and_commit_needs_an_admin_and_any_admin_heals_it(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.expire_tokens();
        // The host has given out a new pair; nobody heard it.
        stand.sandbox.fault(Fault::after_commit("oauth/token"));
        assert!(who(&stand).await.is_err());
        assert_eq!(stand.portal().await.status, PortalStatus::Active, "a lost answer alone says nothing");
        assert!(who(&stand).await.is_err());
        let lost = stand.portal().await;
        assert_eq!((lost.status, lost.status_detail.as_str()), (PortalStatus::NeedsAuth, "pair_dead"));
        assert!(stand.node.directory.active().await.unwrap().is_empty(), "workers leave it alone");
        // An ordinary user heals nothing, another admin than the installer does.
        stand.open("/bitrix/widgets/deal-stay", &stand.frame(2)).await;
        assert_eq!(stand.portal().await.status, PortalStatus::NeedsAuth);
        stand.open("/bitrix/app", &stand.frame(4)).await;
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
        stand.settle().await;
        assert_eq!(who(&stand).await, Ok(4));
        assert_eq!(stand.node.directory.active().await.unwrap(), vec![portal.id]);
    }

    s3_a_dismissed_installer_is_said_and_another_admin_is_the_way_back(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.sandbox.change_user(1, |user| user.active = false);
        assert!(who(&stand).await.is_err());
        assert_eq!(stand.portal().await.status, PortalStatus::NeedsAuth);
        stand.open("/bitrix/app", &stand.frame(4)).await;
        stand.settle().await;
        assert_eq!(who(&stand).await, Ok(4));
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
    }

    s3_another_admin_who_looks_in_does_not_become_the_writer(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.open("/bitrix/app", &stand.frame(4)).await;
        stand.settle().await;
        assert_eq!(who(&stand).await, Ok(1));
    }

    s3_a_renamed_portal_keeps_its_tenant_and_gets_its_new_address(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        let old = portal.domain.clone();
        let new = stand.sandbox.rename();
        // Found out by a call: the old name redirects, the pinned host confirms.
        assert_eq!(who(&stand).await, Ok(1));
        assert_eq!(stand.portal().await.domain, new);
        // Found out by a frame.
        let back = stand.sandbox.rename();
        assert_eq!(back, old);
        let answer = stand.open("/bitrix/app", &stand.frame(1)).await;
        assert!(answer.csp.ends_with(&format!("frame-ancestors http://{back}")), "{}", answer.csp);
        assert_eq!((stand.portal().await.id, stand.portal().await.domain), (portal.id, back));
    }

    s2_an_unpaid_portal_waits_and_goes_on_by_the_host_s_word(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.set_paid(false, -1);
        assert!(stand.sandbox.events_settled().await);
        assert!(who(&stand).await.is_err());
        let unpaid = stand.portal().await;
        assert_eq!((unpaid.status, unpaid.status_detail.as_str()), (PortalStatus::Suspended, "payment"));
        assert!(stand.node.directory.active().await.unwrap().is_empty());
        assert!(stand.node.directory.key(portal.id).await.is_ok(), "the data is kept");
        // A payment event proves nothing.
        let forged = stand.sandbox.event_body("ONAPPPAYMENT", json!({"PAYMENT_EXPIRED": "N", "STATUS": "S"}), 2, fb24_sandbox::portal::events::Tokens::None);
        assert_eq!(stand.event(&forged).await, 200);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Suspended);
        stand.sandbox.set_paid(true, 365);
        let told = stand.sandbox.event_body("ONAPPPAYMENT", json!({"PAYMENT_EXPIRED": "N"}), 2, fb24_sandbox::portal::events::Tokens::None);
        assert_eq!(stand.event(&told).await, 200);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
        // Without any event: found out within the hour.
        stand.sandbox.set_paid(false, -1);
        assert!(who(&stand).await.is_err());
        stand.sandbox.set_paid(true, 365);
        stand.pass(3601);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
    }

    s3_a_second_server_is_refused_until_an_admin_decides(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.set_app_option("fb24_instance", json!("another-server"));
        stand.sandbox.set_app_option("fb24_url", json!("https://other.example/"));
        stand.sandbox.begin_install();
        stand.open("/bitrix/install", &stand.frame(1)).await;
        stand.settle().await;
        let foreign = stand.portal().await;
        assert_eq!(foreign.status, PortalStatus::Foreign);
        let claim = foreign.installation.steps.iter().find(|step| step.code == "claim").unwrap();
        assert_eq!(claim.detail.as_deref(), Some("https://other.example/"));
        assert!(stand.sandbox.bindings().is_empty() && stand.sandbox.requests_of("crm.category.add").is_empty(), "nothing is made");
        let user = stand.open("/bitrix/widgets/deal-stay", &stand.frame(2)).await;
        assert_eq!(Stand::boot(&user)["error"]["code"], "wrong_server");
        let admin = Stand::boot(&stand.open("/bitrix/app", &stand.frame(1)).await);
        let url = format!("{}/api/v1/installation/take-over", stand.node.url);
        let session = admin["session"].as_str().expect("an admin gets his page");
        let answer = stand.http.post(url).bearer_auth(session).json(&json!({})).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
        assert_ne!(stand.sandbox.app_options()["fb24_instance"], "another-server");

        // The other one takes it back: this server notices and stops.
        stand.sandbox.set_app_option("fb24_instance", json!("another-server"));
        stand.pass(3601);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Foreign);
    }

    s3_a_portal_that_says_the_app_is_gone_is_left_alone(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.delivering(|delivering| delivering.lost = true);
        stand.sandbox.uninstall(false);
        assert!(who(&stand).await.is_err());
        assert_eq!(stand.portal().await.status, PortalStatus::Gone);
        let calls = stand.sandbox.request_count();
        stand.pass(7200);
        stand.settle().await;
        assert_eq!(stand.sandbox.request_count(), calls, "a portal that is gone is not called");
        assert!(tokens::get(&stand.db, portal.id).await.unwrap().is_some(), "kept for the proof of a late event");
    }

    s3_a_free_plan_is_said_plainly(db) {
        let stand = Stand::start(&db.db, PortalOptions { edition: fb24_sandbox::portal::Edition::Free, ..options() });
        stand.sandbox.begin_install();
        let answer = stand.open("/bitrix/install", &stand.frame(1)).await;
        assert_eq!(Stand::boot(&answer)["error"]["code"], "rest_unavailable");
        assert!(answer.body.contains("REST"));
    }

    s48_a_refusal_of_our_own_secret_takes_no_portal_down(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        // The OAuth host says so with HTTP 200 (facts §2.4).
        stand.sandbox.fault(Fault::error("oauth/token", 200, "wrong_client").times(50));
        stand.sandbox.expire_tokens();
        assert!(who(&stand).await.is_err());
        assert_eq!(stand.portal().await.status, PortalStatus::Active, "the pair may be good: it is we who are wrong");
        let uninstall = stand.sandbox.event_body("ONAPPUNINSTALL", json!({"CLEAN": "1"}), 1, fb24_sandbox::portal::events::Tokens::None);
        assert_eq!(stand.event(&uninstall).await, 200);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Uninstalling, "it proves nothing");
        assert!(stand.node.directory.key(portal.id).await.is_ok());
        stand.sandbox.clear_faults();
        stand.pass(3_601);
        stand.settle().await;
        assert_eq!((stand.portal().await.id, stand.portal().await.status), (portal.id, PortalStatus::Active));
    }

    s48_html_in_place_of_an_answer_lets_nobody_in_and_takes_nothing_down(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        for method in ["oauth/app.info", "profile"] {
            let page = fb24_sandbox::portal::FaultAnswer::Html(502);
            stand.sandbox.fault(Fault::before(method).answering(page));
            let answer = stand.open("/bitrix/app", &stand.frame(1)).await;
            assert_eq!((answer.status, Stand::boot(&answer)["error"]["code"].as_str()), (503, Some("unverified")), "{method}");
            assert!(!answer.body.contains("nginx"), "nothing of it is shown");
            assert_eq!(stand.portal().await.status, PortalStatus::Active);
        }
        assert_eq!(Stand::boot(&stand.open("/bitrix/app", &stand.frame(1)).await)["page"], "app");
    }
}
