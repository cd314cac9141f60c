//! The end of an installation, proven before anything is erased; the way back.

use fb24_sandbox::portal::events::Tokens;
use fb24_sandbox::portal::{Fault, Portal as Sandbox};
use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::portal::PortalStatus;
use fidelio_bitrix24::store::{Db, StoreError, leases, portals, purge, testing, tokens};
use serde_json::json;

use crate::on_both_engines;
use crate::support::portal::{Stand, options};

/// A row in every tenant's table, as if the hotel had been at work.
async fn fill(db: &Db, portal: PortalId) {
    testing::fill_tenant(db, portal).await.unwrap();
    let _ = leases::acquire(db, &format!("portal:{portal}"), "x", 0, i64::MAX).await.unwrap();
}

async fn left(db: &Db, portal: PortalId) -> Vec<String> {
    testing::tenant_rows(db, portal).await.unwrap().into_iter().filter(|(_, rows)| *rows > 0).map(|(t, _)| t).collect()
}

on_both_engines! {
    s3_uninstall_with_clean_is_proven_and_then_everything_goes(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        let key = stand.node.directory.key(portal.id).await.unwrap();
        fill(&stand.db, portal.id).await;
        let other = portals_of_another(&stand).await;
        fill(&stand.db, other).await;
        let before = testing::tenant_rows(&stand.db, other).await.unwrap();

        stand.sandbox.uninstall(true);
        assert!(stand.sandbox.events_settled().await);
        let waiting = stand.portal().await;
        assert_eq!(waiting.status, PortalStatus::Uninstalling, "work stops at once");
        assert!(stand.node.directory.active().await.unwrap().is_empty());
        assert!(stand.node.directory.client(portal.id).await.is_err());

        assert_eq!(stand.node.life.tick().await.unwrap(), 1);
        assert!(matches!(stand.node.directory.key(portal.id).await, Err(StoreError::KeyDestroyed)));
        let gone = left(&stand.db, portal.id).await;
        for table in ["inbox", "outbox", "portal_token", "portal_role", "api_key"] {
            assert!(!gone.contains(&table.to_owned()), "{table} goes in the same step as the key");
        }
        assert!(stand.found().await.is_none(), "the member is free");
        stand.settle().await;
        assert_eq!(left(&stand.db, portal.id).await, vec!["destroyed_key".to_owned(), "request_log".to_owned()]);
        assert!(portals::get(&stand.db, portal.id).await.unwrap().is_none());
        assert_eq!(testing::tenant_rows(&stand.db, other).await.unwrap(), before, "nobody else lost anything");

        // Reinstalled: a new tenant with a new key, not the old one's.
        let again = stand.install().await;
        assert_ne!(again.id, portal.id);
        assert_eq!(again.status, PortalStatus::Active);
        let new = stand.node.directory.key(again.id).await.unwrap();
        assert_ne!(new.hash("probe", b"x"), key.hash("probe", b"x"));
    }

    s3_uninstall_without_clean_keeps_the_data_sealed_for_its_term(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        let key = stand.node.directory.key(portal.id).await.unwrap();
        stand.sandbox.uninstall(false);
        assert!(stand.sandbox.events_settled().await);
        stand.settle().await;
        let kept = stand.portal().await;
        assert_eq!((kept.id, kept.status), (portal.id, PortalStatus::Uninstalled));
        assert!(kept.generation > portal.generation, "sessions are void");
        assert!(tokens::get(&stand.db, portal.id).await.unwrap().is_none(), "tokens go in both");
        assert!(portals::application_token(&stand.db, portal.id).await.unwrap().is_none());

        // Back within the term: the same tenant, the same key.
        let again = stand.install().await;
        assert_eq!((again.id, again.status), (portal.id, PortalStatus::Active));
        assert_eq!(stand.node.directory.key(again.id).await.unwrap().hash("p", b"x"), key.hash("p", b"x"));

        stand.sandbox.uninstall(false);
        assert!(stand.sandbox.events_settled().await);
        stand.settle().await;
        stand.pass(29 * 86_400);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Uninstalled);
        stand.pass(2 * 86_400);
        stand.settle().await;
        assert!(stand.found().await.is_none(), "the term is over");
        assert!(matches!(stand.node.directory.key(portal.id).await, Err(StoreError::KeyDestroyed)));
    }

    s3_an_inconclusive_answer_is_asked_again_for_a_day_and_payment_proves_nothing(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.fault(Fault::error("oauth/token", 401, "PAYMENT_REQUIRED").times(1000));
        let body = stand.sandbox.event_body("ONAPPUNINSTALL", json!({"CLEAN": "1"}), 1, Tokens::None);
        assert_eq!(stand.event(&body).await, 200);
        for _ in 0..23 {
            stand.settle().await;
            assert_eq!(stand.portal().await.status, PortalStatus::Uninstalling);
            stand.pass(3600);
        }
        assert!(stand.node.directory.key(portal.id).await.is_ok(), "nothing is erased before the day is over");
        stand.pass(7200);
        stand.settle().await;
        assert!(stand.found().await.is_none());
    }

    s3_an_oauth_host_that_is_away_decides_nothing(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.fault(Fault::before("oauth/token").times(3));
        let body = stand.sandbox.event_body("ONAPPUNINSTALL", json!({"CLEAN": "1"}), 1, Tokens::None);
        assert_eq!(stand.event(&body).await, 200);
        stand.settle().await;
        assert_eq!(stand.portal().await.status, PortalStatus::Uninstalling);
        for _ in 0..6 {
            stand.pass(3600);
            stand.settle().await;
        }
        assert_eq!((stand.portal().await.id, stand.portal().await.status), (portal.id, PortalStatus::Active), "it was forged");
    }

    s3_reinstalled_before_the_proof_the_old_pair_still_decides(db) {
        let stand = Stand::start(&db.db, options());
        let portal = stand.install().await;
        stand.sandbox.uninstall(true);
        assert!(stand.sandbox.events_settled().await);
        // The admin takes it again at once; the worker has not looked yet.
        let again = stand.install().await;
        assert_ne!(again.id, portal.id, "the old data is erased, as asked");
        assert!(matches!(stand.node.directory.key(portal.id).await, Err(StoreError::KeyDestroyed)));
        assert_eq!(again.status, PortalStatus::Active);
    }

    s3_every_tenant_s_table_is_purged_or_said_to_be_kept(db) {
        let known: Vec<&str> = purge::PURGED.iter().chain(purge::KEPT).copied().collect();
        for table in purge::tenant_tables(&db.db).await.unwrap() {
            assert!(known.contains(&table.as_str()), "{table} is forgotten");
        }
    }
}

async fn portals_of_another(stand: &Stand) -> PortalId {
    let other = Sandbox::start(options());
    let seen = portals::Identity {
        member_id: &other.member_id(),
        domain: "other.example",
        client_endpoint: "https://other.example/rest/",
        oauth_host: "https://oauth.bitrix.info",
        scope: "crm",
        installed: true,
    };
    let tx = stand.db.begin().await.unwrap();
    let id = portals::upsert(&tx, &seen, "ru", 0).await.unwrap();
    tx.commit().await.unwrap();
    id
}
