//! Installation events that come while nobody can verify them: kept sealed, tried again, believed only then.

use fb24_sandbox::portal::events::Tokens;
use fb24_sandbox::portal::{Fault, FaultAnswer, Hold};
use fidelio_bitrix24::portal::PortalStatus;
use fidelio_bitrix24::store::{late_installs, portals, tokens};
use serde_json::json;

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

fn outage(stand: &Stand) {
    stand.sandbox.fault(Fault::before("oauth/app.info").times(100_000));
}

async fn waiting(stand: &Stand) -> i64 {
    late_installs::count(&stand.db).await.unwrap()
}

on_both_engines! {
    s3_a_script_only_install_during_an_outage_of_the_oauth_host_is_finished_when_it_is_back(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        stand.sandbox.set_installed();
        outage(&stand);
        let body = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1", "LANGUAGE_ID": "en"}), 1, Tokens::Pair);
        assert_eq!(stand.event(&body).await, 200, "it is on disk");
        assert!(stand.found().await.is_none() && stand.sandbox.requests_of("profile").is_empty(), "nothing is believed yet");
        let kept = late_installs::due(&stand.db, i64::MAX, 10).await.unwrap();
        let secrets = body.iter().filter(|(key, _)| key.ends_with("_token]")).map(|(_, value)| value.as_bytes());
        for secret in secrets {
            assert!(kept.iter().all(|late| !late.event_sealed.windows(secret.len()).any(|part| part == secret)), "no token in clear");
        }
        for _ in 0..3 {
            stand.pass(25);
            stand.settle().await;
            assert_eq!((stand.found().await.is_none(), waiting(&stand).await), (true, 1));
        }
        stand.sandbox.clear_faults();
        stand.pass(25);
        stand.settle().await;
        let portal = stand.portal().await;
        assert_eq!((portal.status, portal.language.as_str()), (PortalStatus::Active, "en"), "{:?}", portal.installation);
        assert_eq!(stand.node.directory.active().await.unwrap(), vec![portal.id]);
        assert_eq!(waiting(&stand).await, 0, "its tokens are gone");
        // It brought the application token: events are let in, those of people too whose own token proves nothing.
        let change = stand.sandbox.event_body("ONCRMDEALUPDATE", json!({"FIELDS": {"ID": "7"}}), 2, Tokens::Access);
        assert_eq!(stand.event(&change).await, 200);
        assert_eq!(stand.hints().await.len(), 1);
    }

    s3_an_installation_event_that_waited_is_believed_no_more_than_any_other(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.set_installed();
        outage(&stand);
        let ordinary = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 2, Tokens::Pair);
        assert_eq!(stand.event(&ordinary).await, 200);
        let mut forged = ordinary.clone();
        for (key, value) in &mut forged {
            if key == "auth[access_token]" {
                *value = "0123456789abcdef0123456789abcdef".into();
            }
        }
        assert_eq!(stand.event(&forged).await, 200);
        let bare = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::None);
        assert_eq!(stand.event(&bare).await, 403, "nothing could ever verify it");
        assert_eq!(waiting(&stand).await, 2);
        stand.sandbox.clear_faults();
        stand.pass(25);
        stand.settle().await;
        assert_eq!(waiting(&stand).await, 0);
        assert!(stand.found().await.is_none());
    }

    s3_after_an_hour_nothing_is_left_to_verify(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.set_installed();
        outage(&stand);
        let body = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair);
        assert_eq!(stand.event(&body).await, 200);
        stand.pass(3_500);
        stand.settle().await;
        assert_eq!(waiting(&stand).await, 1);
        stand.pass(101);
        stand.settle().await;
        assert_eq!(waiting(&stand).await, 0);
    }

    s3_strangers_can_fill_the_waiting_room_but_not_the_disk_and_a_frame_installs_all_the_same(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.set_installed();
        outage(&stand);
        let body = |member: &str| {
            let mut body = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair);
            for (key, value) in &mut body {
                if key == "auth[member_id]" {
                    member.clone_into(value);
                }
            }
            body
        };
        let own = stand.sandbox.member_id();
        for status in [200, 200, 200, 200, 503] {
            assert_eq!(stand.event(&body(&own)).await, status, "a few of one portal");
        }
        let mut full = 0;
        for n in 0..260 {
            full += usize::from(stand.event(&body(&format!("made-up-{n}"))).await == 503);
        }
        assert_eq!((waiting(&stand).await, full), (256, 8));
        stand.sandbox.clear_faults();
        let answer = stand.open("/bitrix/install", &stand.frame(1)).await;
        assert_eq!(Stand::boot(&answer)["page"], "install");
        assert_eq!(waiting(&stand).await, 252, "what the frame made needless is gone");
    }

    s3_an_installation_event_from_an_address_that_was_refused_too_often_is_kept(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        stand.sandbox.set_installed();
        let honest = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair);
        let mut forged = honest.clone();
        for (key, value) in &mut forged {
            match key.as_str() {
                "auth[access_token]" => *value = "0123456789abcdef0123456789abcdef".into(),
                "auth[member_id]" => *value = "made-up".into(),
                _ => {}
            }
        }
        for _ in 0..31 {
            assert_eq!(stand.event_from("198.51.100.7", &forged).await, 403);
        }
        assert_eq!(waiting(&stand).await, 0);
        assert_eq!(stand.event_from("198.51.100.7", &honest).await, 200, "one address may be many hotels'");
        assert!(stand.found().await.is_none());
        // What is kept for such an address leaves room for an outage.
        for n in 0..140 {
            for (key, value) in &mut forged {
                if key == "auth[member_id]" {
                    *value = format!("made-up-{n}");
                }
            }
            stand.event_from("198.51.100.7", &forged).await;
        }
        assert_eq!(waiting(&stand).await, 128);
        stand.pass(25);
        for _ in 0..10 {
            stand.settle().await;
        }
        assert_eq!((stand.portal().await.status, waiting(&stand).await), (PortalStatus::Active, 0));
    }

    s3_an_installation_event_that_waited_never_overwrites_what_came_meanwhile(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        stand.sandbox.set_installed();
        outage(&stand);
        let body = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair);
        assert_eq!(stand.event(&body).await, 200);
        stand.sandbox.clear_faults();
        stand.pass(25);
        // While the host thinks about the event, another admin installs.
        let hold = Hold::default();
        stand.sandbox.fault(Fault::after_commit("oauth/app.info").answering(FaultAnswer::Held(hold.clone())));
        let frame = async {
            hold.reached().await;
            let answer = stand.open("/bitrix/install", &stand.frame(4)).await;
            hold.release();
            answer
        };
        let (answer, ()) = tokio::join!(frame, stand.settle());
        assert_eq!(Stand::boot(&answer)["page"], "install");
        let portal = stand.portal().await;
        let row = portals::get(&stand.db, portal.id).await.unwrap().unwrap();
        assert_eq!(row.installer_user_id, 4);
        assert_eq!(waiting(&stand).await, 0);
    }

    s3_an_installation_event_that_is_verified_slowly_never_overwrites_a_newer_installation(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        stand.sandbox.set_installed();
        let hold = Hold::default();
        stand.sandbox.fault(Fault::after_commit("oauth/app.info").answering(FaultAnswer::Held(hold.clone())));
        let mut older = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 1, Tokens::Pair);
        for (key, value) in &mut older {
            if key == "auth[application_token]" {
                *value = "of-an-installation-that-is-no-more".into();
            }
        }
        let stored = async || {
            let portal = stand.portal().await.id;
            let pair = tokens::get(&stand.db, portal).await.unwrap();
            (portals::get(&stand.db, portal).await.unwrap(), portals::application_token(&stand.db, portal).await.unwrap(), pair)
        };
        let frame = async {
            hold.reached().await;
            stand.pass(1);
            stand.open("/bitrix/install", &stand.frame(4)).await;
            stand.settle().await;
            let newer = stored().await;
            hold.release();
            newer
        };
        let (newer, status) = tokio::join!(frame, stand.event(&older));
        assert_eq!(status, 200, "there is nothing to send again");
        assert_eq!(stored().await, newer);
        assert_eq!((newer.0.unwrap().installer_user_id, stand.portal().await.status), (4, PortalStatus::Active));
    }

    s3_of_two_installation_events_that_waited_the_newer_one_stays(db) {
        let stand = Stand::start(&db.db, options());
        stand.sandbox.begin_install();
        stand.sandbox.set_installed();
        outage(&stand);
        for user in [1, 4] {
            stand.pass(1);
            let body = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), user, Tokens::Pair);
            assert_eq!(stand.event(&body).await, 200);
        }
        stand.sandbox.clear_faults();
        stand.pass(25);
        stand.settle().await;
        let portal = stand.portal().await;
        assert_eq!(portals::get(&stand.db, portal.id).await.unwrap().unwrap().installer_user_id, 4);
        assert_eq!(waiting(&stand).await, 0);
    }

    s3_an_installation_event_that_hung_across_an_uninstall_changes_nothing(db) {
        for clean in [false, true] {
            // Its clock begins anew, and so must what is kept of the portal's allowance.
            let db = db.another().await;
            let stand = Stand::start(&db.db, options());
            let before = stand.install().await;
            let hold = Hold::default();
            stand.sandbox.fault(Fault::after_commit("profile").answering(FaultAnswer::Held(hold.clone())));
            let hung = stand.sandbox.event_body("ONAPPINSTALL", json!({"VERSION": "1"}), 4, Tokens::Pair);
            let end = async {
                hold.reached().await;
                stand.pass(1);
                stand.sandbox.uninstall(clean);
                assert!(stand.sandbox.events_settled().await);
                stand.settle().await;
                hold.release();
            };
            tokio::join!(stand.event(&hung), end);
            stand.settle().await;
            let Some(after) = stand.found().await.filter(|_| !clean) else {
                assert!(clean && stand.found().await.is_none(), "{clean}");
                continue;
            };
            assert_eq!((after.id, after.status), (before.id, PortalStatus::Uninstalled));
            assert!(tokens::get(&stand.db, after.id).await.unwrap().is_none(), "the pair that ended is not back");
        }
    }
}
