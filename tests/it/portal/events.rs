//! The door for events: who is let in, and what bad input does (nothing).

use fb24_sandbox::portal::events::Tokens;
use fidelio_bitrix24::portal::PortalStatus;
use serde_json::json;

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

on_both_engines! {
    s1_a_verified_event_is_a_hint_and_a_stranger_s_is_refused(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        let good = stand.sandbox.event_body("ONCRMDEALUPDATE", json!({"FIELDS": {"ID": "77"}}), 2, Tokens::Access);
        assert_eq!(stand.event(&good).await, 200);
        assert_eq!(stand.hints().await, ["crm:2:77"]);

        let token = stand.sandbox.application_token();
        let change = |key: &str, value: &str| {
            let mut body = good.clone();
            for (own, text) in &mut body {
                if own == key {
                    value.clone_into(text);
                }
            }
            body
        };
        let longer = format!("{token}0");
        for bad in [
            change("auth[application_token]", "0000"),
            change("auth[application_token]", &longer),
            change("auth[application_token]", ""),
            change("auth[member_id]", "ffffffffffffffffffffffffffffffff"),
            change("auth[member_id]", "%00"),
        ] {
            assert_eq!(stand.event(&bad).await, 403);
        }
        assert_eq!(stand.event(&change("auth[member_id]", "")).await, 400);
        assert_eq!(stand.event(&change("data[FIELDS][ID]", "-5")).await, 200, "no record, no hint");
        assert_eq!(stand.event(&change("event", "ONTASKADD")).await, 200, "not ours to follow");
        assert_eq!(stand.hints().await.len(), 1);
    }

    s1_what_is_no_event_is_answered_with_the_right_status(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        assert_eq!(stand.post("/bitrix/events", vec![]).await, 400);
        assert_eq!(stand.post("/bitrix/events", b"event=%FF%FE&auth[member_id]=m".to_vec()).await, 400);
        assert_eq!(stand.post("/bitrix/events", b"\xff\xfe\x00".to_vec()).await, 400);
        assert_eq!(stand.post("/bitrix/events", vec![b'a'; 300 * 1024]).await, 413);
        assert_eq!(stand.post("/bitrix/events", "a[b]".repeat(3).into_bytes()).await, 400);
        assert_eq!(stand.post("/bitrix/app", b"AUTH_ID=%FF".to_vec()).await, 400);
        assert_eq!(stand.post("/bitrix/app", vec![b'a'; 300 * 1024]).await, 413);
        assert_eq!(stand.post("/bitrix/robots/anything", vec![]).await, 404);
        assert!(stand.hints().await.is_empty());
        assert_eq!(stand.portal().await.status, PortalStatus::Active);
    }

    s3_the_self_test_of_delivery_is_noted(db) {
        let stand = Stand::start(&db.db, options());
        stand.install().await;
        stand.pass(60);
        let body = stand.sandbox.event_body("ONAPPTEST", json!({"QUERY": {"a": "b"}}), 1, Tokens::Pair);
        assert_eq!(stand.event(&body).await, 200);
        assert_eq!(stand.portal().await.installation.inbound_at, Some(stand.now.now_ms()));
    }
}
