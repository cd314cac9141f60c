//! The first install of a box whose certificate a private authority signed (product §8): its admin names the authority
//! in the installer's frame; nobody else can, and nothing else is believed for it.

use fb24_sandbox::portal::{Edition, FrameAnswer, PortalOptions};
use fidelio_bitrix24::bitrix::{Call, ErrorKind, Priority};
use fidelio_bitrix24::portal::PortalStatus;
use fidelio_bitrix24::store::portals;
use serde_json::json;

use crate::bitrix::tls::ANOTHER_CA;
use crate::on_both_engines;
use crate::support::portal::{Stand, options};

fn boxed() -> PortalOptions {
    PortalOptions { tls: true, edition: Edition::Box, ..options() }
}

fn asks(answer: &FrameAnswer) -> bool {
    assert!(!answer.body.contains("fb24-boot") && !answer.body.contains("<script"), "{}", answer.body);
    answer.body.contains("name=\"CA_PEM\"")
}

fn complains(answer: &FrameAnswer) -> bool {
    asks(answer) && answer.body.contains("role=\"alert\"")
}

/// Posts the form that the page holds, as a browser does.
async fn submit(stand: &Stand, path: &str, user: i64, pem: &str) -> FrameAnswer {
    // A text area's lines end with CR LF.
    let form = stand.frame(user).with("CA_PEM", &pem.replace('\n', "\r\n"));
    stand.open(path, &form).await
}

on_both_engines! {
    s3_a_box_with_a_private_authority_is_installed_by_naming_it(db) {
        let stand = Stand::start(&db.db, boxed());
        stand.sandbox.begin_install();
        let frame = stand.frame(1);
        let page = stand.open("/bitrix/install", &frame).await;
        assert!(page.status == 200 && asks(&page), "{}", page.body);
        assert!(page.csp.ends_with(&format!("frame-ancestors {}", stand.sandbox.url())), "{}", page.csp);
        assert!(page.csp.contains("form-action 'self'") && !page.csp.contains("script-src"), "{}", page.csp);
        for field in ["AUTH_ID", "REFRESH_ID", "member_id"] {
            let again = format!("name=\"{field}\" value=\"{}\"", frame.field(field).unwrap());
            assert!(page.body.contains(&again), "{field} is posted again");
        }
        assert!(stand.found().await.is_none(), "nothing is known of an unverified portal");

        let answer = submit(&stand, "/bitrix/install", 1, stand.sandbox.ca_pem()).await;
        assert_eq!(Stand::boot(&answer)["page"], "install", "the installation goes on where it stopped");
        stand.settle().await;
        stand.sandbox.install_finish(1).unwrap();
        stand.open("/bitrix/app", &stand.frame(1)).await;
        stand.settle().await;
        assert!(stand.sandbox.events_settled().await);
        let portal = stand.portal().await;
        assert_eq!((portal.status, portal.installed, portal.boxed), (PortalStatus::Active, true, true), "{:?}", portal.installation);
        assert_eq!(portal.settings.ca_pem.as_deref().map(|pem| pem.replace('\r', "")).as_deref(), Some(stand.sandbox.ca_pem().trim()));
        // From now on nobody is asked, and ordinary people get in as well.
        assert_eq!(Stand::boot(&stand.open("/bitrix/app", &stand.frame(1)).await)["page"], "app");
        assert_eq!(Stand::boot(&stand.open("/bitrix/widgets/deal-stay", &stand.frame(2)).await)["page"], "deal-stay");
    }

    s3_an_authority_that_is_wrong_or_offered_by_the_wrong_person_is_not_kept(db) {
        let stand = Stand::start(&db.db, boxed());
        stand.sandbox.begin_install();
        assert!(complains(&submit(&stand, "/bitrix/install", 1, ANOTHER_CA).await), "another authority");
        assert!(complains(&submit(&stand, "/bitrix/install", 1, "-----BEGIN CERTIFICATE-----\nnonsense").await));
        assert!(complains(&submit(&stand, "/bitrix/install", 1, &"x".repeat(40_000)).await));
        let forged = stand.frame(1).with("AUTH_ID", "0123456789abcdef0123456789abcdef").with("CA_PEM", stand.sandbox.ca_pem());
        let refused = stand.open("/bitrix/install", &forged).await;
        assert_eq!((refused.status, Stand::boot(&refused)["error"]["code"].as_str()), (403, Some("unverified")));
        let lying = stand.frame(1).with("DOMAIN", "evil.example").with("CA_PEM", stand.sandbox.ca_pem());
        assert_eq!(stand.open("/bitrix/install", &lying).await.status, 403);
        assert!(stand.sandbox.requests_of("profile").is_empty(), "nobody but a verified token makes us call the box");
        let ordinary = submit(&stand, "/bitrix/install", 2, stand.sandbox.ca_pem()).await;
        assert_eq!(Stand::boot(&ordinary)["error"]["code"], "not_installed");
        stand.settle().await;
        assert!(stand.found().await.is_none(), "nothing was saved");
        // Tabs of cards never ask.
        assert!(!asks(&stand.open("/bitrix/widgets/deal-stay", &stand.frame(1)).await));
    }

    s3_a_known_portal_s_new_authority_is_taken_from_its_installer_only(db) {
        let stand = Stand::start(&db.db, boxed());
        stand.sandbox.begin_install();
        submit(&stand, "/bitrix/install", 1, stand.sandbox.ca_pem()).await;
        stand.settle().await;
        let portal = stand.portal().await;
        let before = portals::get(&stand.db, portal.id).await.unwrap().unwrap();
        // The portal works: what is offered beside is not even looked at.
        submit(&stand, "/bitrix/app", 1, ANOTHER_CA).await;
        assert_eq!(stand.portal().await.settings.ca_pem, portal.settings.ca_pem);
        assert_eq!(before.installer_user_id, 1);

        // The box got a certificate of another authority.
        let stale = |settings: &mut fidelio_bitrix24::portal::PortalSettings| settings.ca_pem = Some(ANOTHER_CA.to_owned());
        stand.node.directory.update_settings(portal.id, stale).await.unwrap();
        let other_admin = submit(&stand, "/bitrix/app", 4, stand.sandbox.ca_pem()).await;
        assert!(!asks(&other_admin) && other_admin.body.contains("установил приложение"), "{}", other_admin.body);
        assert_eq!(stand.portal().await.settings.ca_pem.as_deref(), Some(ANOTHER_CA));
        assert!(asks(&stand.open("/bitrix/app", &stand.frame(1)).await));
        let healed = submit(&stand, "/bitrix/app", 1, stand.sandbox.ca_pem()).await;
        assert_eq!(Stand::boot(&healed)["page"], "app");
        assert_ne!(stand.portal().await.settings.ca_pem.as_deref(), Some(ANOTHER_CA));
    }

    s48_a_renewed_authority_is_named_by_the_operator_when_nobody_who_may_is_left(db) {
        let mut stand = Stand::start(&db.db, boxed());
        stand.sandbox.begin_install();
        submit(&stand, "/bitrix/install", 1, stand.sandbox.ca_pem()).await;
        stand.settle().await;
        let portal = stand.portal().await;
        let named = portal.settings.ca_pem.clone();
        stand.sandbox.renew_authority().await;
        let other_admin = submit(&stand, "/bitrix/app", 4, stand.sandbox.ca_pem()).await;
        assert!(!asks(&other_admin) && other_admin.body.contains("bitrix.portal_ca"), "{}", other_admin.body);
        let profile = Call::new("profile", json!({}));
        let alone = stand.node.directory.client(portal.id).await.unwrap().call(Priority::Live, &profile).await;
        assert_eq!(alone.expect_err("no handshake").kind, ErrorKind::Tls("certificate_issuer"));

        // The operator puts the new one into a file, names it and starts again.
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), stand.sandbox.ca_pem()).unwrap();
        let entry = format!("{}={}", stand.sandbox.member_id(), file.path().display());
        stand.config.bitrix.portal_ca = vec![entry];
        // Connections to the database end with the threads that opened them: whoever goes is kept to the end.
        let next = stand.second_node();
        let _first = std::mem::replace(&mut stand.node, next);
        assert_eq!(Stand::boot(&stand.open("/bitrix/app", &stand.frame(4)).await)["page"], "app");
        let client = stand.node.directory.client(portal.id).await.unwrap();
        assert_eq!(client.call(Priority::Live, &profile).await.expect("an answer").result["ID"], "1");
        assert_eq!(stand.portal().await.settings.ca_pem, named, "what was named in the app is kept, and not used");

        // A wrong one is not worked around from inside the app.
        std::fs::write(file.path(), ANOTHER_CA).unwrap();
        let next = stand.second_node();
        let _second = std::mem::replace(&mut stand.node, next);
        assert!(!asks(&submit(&stand, "/bitrix/app", 1, stand.sandbox.ca_pem()).await));
    }

    s3_a_certificate_that_no_authority_can_mend_is_explained_without_asking(db) {
        // Its certificate names 127.0.0.1.
        let stand = Stand::start(&db.db, PortalOptions { host: "127.0.0.3".into(), ..boxed() });
        stand.sandbox.begin_install();
        let page = submit(&stand, "/bitrix/install", 1, stand.sandbox.ca_pem()).await;
        assert!(!asks(&page) && page.body.contains("выдан на другое имя"), "{}", page.body);
        assert!(stand.found().await.is_none());
    }
}
