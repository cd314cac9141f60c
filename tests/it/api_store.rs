//! Hotels, sources, keys and kept answers, on both engines.

use fidelio_bitrix24::crypto::TenantKey;
use fidelio_bitrix24::domain::{Currency, HotelCode, PortalId};
use fidelio_bitrix24::store::idempotency::{self, Begun, Scope};
use fidelio_bitrix24::store::portals::{self, Identity};
use fidelio_bitrix24::store::source_reading::{Health, Looked};
use fidelio_bitrix24::store::sources::{Dialect, SourceConfig};
use fidelio_bitrix24::store::{Db, api_keys, gates, hotels, source_reading, sources};
use secrecy::{ExposeSecret, SecretString};

use crate::on_both_engines;

const ONE: PortalId = PortalId(1);
const OTHER: PortalId = PortalId(2);

fn facts(name: &str) -> hotels::HotelFacts {
    hotels::HotelFacts {
        name: name.into(),
        timezone: "Europe/Moscow".into(),
        currency: Currency::parse("RUB").expect("ISO"),
    }
}

fn config(password: &str) -> SourceConfig {
    SourceConfig {
        url: "https://pms.example:8443/fidelio/DataHandler".parse().expect("url"),
        username: "FB24".into(),
        password: SecretString::from(password.to_owned()),
        vendor: Some("V1".into()),
        dialect: Dialect { packed: true, country: Some("RU".into()), ..Dialect::default() },
    }
}

async fn hotel(db: &Db, portal: PortalId, code: &str) -> hotels::HotelRow {
    let code = HotelCode::parse(code).expect("code");
    let tx = db.begin().await.expect("tx");
    hotels::create(&tx, portal, &code, &facts("Grand"), 5).await.expect("create").expect("free");
    tx.commit().await.expect("commit");
    hotels::by_code(db, portal, &code).await.expect("read").expect("there")
}

on_both_engines! {
    s1_a_removed_hotel_keeps_its_code_and_its_key(db) {
        let db = db.db;
        let grand = hotel(&db, ONE, "GRAND").await;
        hotel(&db, OTHER, "GRAND").await; // another tenant's codes are its own
        let tx = db.begin().await.unwrap();
        assert_eq!(hotels::create(&tx, ONE, &grand.code, &facts("Else"), 6).await.unwrap(), None);
        assert!(hotels::remove(&tx, &grand, vec!["pms:443/x".into()], 9).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(hotels::by_code(&db, ONE, &grand.code).await.unwrap(), None);
        assert!(hotels::list(&db, ONE).await.unwrap().is_empty());
        assert_eq!(hotels::list(&db, OTHER).await.unwrap().len(), 1);

        let tx = db.begin().await.unwrap();
        let tombstone = hotels::holder(&tx, ONE, &grand.code).await.unwrap().expect("a tombstone");
        assert_eq!((tombstone.removed_at, tombstone.id), (Some(9), grand.id));
        assert_eq!(tombstone.settings.former_sources, ["pms:443/x"]);
        assert!(!hotels::update(&tx, OTHER, grand.id, &facts("Stolen")).await.unwrap(), "another tenant's hotel");
        assert!(hotels::update(&tx, ONE, grand.id, &facts("Grand again")).await.unwrap());
        tx.commit().await.unwrap();
        let back = hotels::by_code(&db, ONE, &grand.code).await.unwrap().expect("back");
        assert_eq!((back.id, back.name.as_str()), (grand.id, "Grand again"));
    }

    s1_a_source_is_sealed_and_a_stale_reader_moves_nothing(db) {
        let db = db.db;
        let key = TenantKey::generate();
        let tx = db.begin().await.unwrap();
        let seen = Identity {
            member_id: "0123456789abcdef0123456789abcdef",
            domain: "hotel.bitrix24.ru",
            client_endpoint: "https://hotel.bitrix24.ru/rest/",
            oauth_host: "https://oauth.bitrix24.tech",
            scope: "crm",
            installed: true,
        };
        assert_eq!(portals::upsert(&tx, &seen, "ru", 1).await.unwrap(), ONE);
        tx.commit().await.unwrap();
        let grand = hotel(&db, ONE, "GRAND").await;
        let tx = db.begin().await.unwrap();
        let id = sources::add(&tx, ONE, &key, grand.id, "suite8_xml", "direct", Some(&config("one"))).await.unwrap();
        tx.commit().await.unwrap();
        let row = sources::by_id(&db, ONE, &key, id).await.unwrap().expect("there");
        assert_eq!(row.config.as_ref().unwrap().password.expose_secret(), "one");
        assert_eq!(row.config.as_ref().unwrap().address(), "pms.example:8443/fidelio/DataHandler");
        assert_eq!(row.site.member_id, seen.member_id);
        assert!(row.state.is_null());
        assert!(sources::by_id(&db, OTHER, &key, id).await.unwrap().is_none());
        assert!(sources::by_id(&db, ONE, &TenantKey::generate(), id).await.is_err(), "another tenant's key");

        let tx = db.begin().await.unwrap();
        let position = serde_json::json!({"at": "2026-11-21T10:00:00"});
        assert!(source_reading::advance(&tx, ONE, id, row.version, &position).await.unwrap());
        assert!(sources::reconfigure(&tx, ONE, &key, id, Some(&config("two"))).await.unwrap());
        assert!(!source_reading::advance(&tx, ONE, id, row.version, &serde_json::Value::Null).await.unwrap());
        tx.commit().await.unwrap();
        let now = sources::of_hotel(&db, ONE, &key, grand.id).await.unwrap().remove(0);
        assert_eq!((now.config.as_ref().unwrap().password.expose_secret(), &now.state), ("two", &position));

        let stopped = Looked {
            health: Health { state: "stopped".into(), detail: "credentials".into() },
            notes: [("no_delta".to_owned(), 60)].into(),
            at: 70,
            ok: false,
            records: false,
            active: false,
            next_poll_at: 80,
            failures: 1,
        };
        source_reading::looked(&db, ONE, id, row.version, &stopped).await.unwrap();
        assert_eq!(source_reading::due(&db, 100, 10).await.unwrap().len(), 1, "judged under the old configuration");
        source_reading::looked(&db, ONE, id, now.version, &stopped).await.unwrap();
        assert!(source_reading::due(&db, 100, 10).await.unwrap().is_empty(), "waits for a person");
        let row = sources::by_id(&db, ONE, &key, id).await.unwrap().expect("there");
        assert_eq!((row.notes.get("no_delta"), row.active_at, row.last_record_at), (Some(&60), 0, None));
        let tx = db.begin().await.unwrap();
        sources::delete_of_hotel(&tx, ONE, grand.id).await.unwrap();
        tx.commit().await.unwrap();
        assert!(sources::of_portal(&db, ONE, &key).await.unwrap().is_empty());
    }

    s1_a_key_belongs_to_one_portal(db) {
        let db = db.db;
        let row = api_keys::ApiKeyRow {
            id: "k1".into(), portal: ONE, hash: "h".into(), label: "CRM robot".into(),
            grants: vec!["viewer".into()], hotels: Some(vec![HotelCode::parse("GRAND").expect("code")]),
            made_by: 1, maker: "admin".into(), created_at: 1, expires_at: 2,
        };
        api_keys::create(&db, &row).await.unwrap();
        assert_eq!(api_keys::find(&db, "k1").await.unwrap().as_ref(), Some(&row));
        assert_eq!(api_keys::list(&db, ONE).await.unwrap(), [row]);
        assert!(api_keys::list(&db, OTHER).await.unwrap().is_empty());
        assert!(!api_keys::delete(&db, OTHER, "k1").await.unwrap());
        assert!(api_keys::delete(&db, ONE, "k1").await.unwrap());
    }

    e4_a_key_acts_once_and_its_answer_is_repeated(db) {
        let db = db.db;
        let key = TenantKey::generate();
        let scope = Scope { portal: ONE, principal: "user:1".into(), route: "POST /x".into(), key: "k".into() };
        let now = 1_000_000_000;
        let begin = |body: &'static str, now| idempotency::begin(&db, &key, &scope, body, now);
        assert_eq!(begin("b", now).await.unwrap(), Begun::Act { stamp: now });
        assert_eq!(begin("b", now + 1).await.unwrap(), Begun::Busy);
        assert_eq!(begin("c", now + 1).await.unwrap(), Begun::OtherBody);
        idempotency::finish(&db, &key, &scope, now, 201, b"{}").await.unwrap();
        assert_eq!(begin("b", now + 2).await.unwrap(), Begun::Repeat { status: 201, body: b"{}".to_vec() });
        assert_eq!(begin("c", now + idempotency::ABANDONED_MS + 1).await.unwrap(), Begun::OtherBody);
        let elsewhere = Scope { principal: "user:2".into(), ..scope.clone() };
        assert_eq!(idempotency::begin(&db, &key, &elsewhere, "b", now).await.unwrap(), Begun::Act { stamp: now });
        idempotency::abandon(&db, &elsewhere, now).await.unwrap();
        assert_eq!(idempotency::begin(&db, &key, &elsewhere, "c", now + 5).await.unwrap(), Begun::Act { stamp: now + 5 });

        // The first try died without an answer: the next one acts, and a late answer of the dead changes nothing.
        let later = now + 5 + idempotency::ABANDONED_MS;
        assert_eq!(idempotency::begin(&db, &key, &elsewhere, "c", later).await.unwrap(), Begun::Act { stamp: later });
        idempotency::finish(&db, &key, &elsewhere, now + 5, 201, b"late").await.unwrap();
        assert_eq!(idempotency::begin(&db, &key, &elsewhere, "c", later + 1).await.unwrap(), Begun::Busy);

        assert_eq!(begin("new", now + idempotency::KEPT_MS).await.unwrap(), Begun::Act { stamp: now + idempotency::KEPT_MS });
        assert_eq!(idempotency::purge(&db, later + idempotency::KEPT_MS, 10).await.unwrap(), 1);
    }

    s1_a_gate_lets_a_burst_through_and_then_one_an_interval(db) {
        let db = db.db;
        for _ in 0..3 {
            assert_eq!(gates::pass(&db, "g", 1_000, 100, 3).await.unwrap(), Ok(()));
        }
        assert_eq!(gates::pass(&db, "g", 1_000, 100, 3).await.unwrap(), Err(1_100));
        assert_eq!(gates::pass(&db, "other", 1_000, 100, 3).await.unwrap(), Ok(()));
        assert_eq!(gates::pass(&db, "g", 1_099, 100, 3).await.unwrap(), Err(1_100));
        assert_eq!(gates::pass(&db, "g", 1_100, 100, 3).await.unwrap(), Ok(()));
        assert_eq!(gates::pass(&db, "g", 1_100, 100, 3).await.unwrap(), Err(1_200));
        assert_eq!(gates::purge(&db, 1_150).await.unwrap(), 1);
    }

    e4_of_many_at_once_one_acts(db) {
        let db = db.db;
        let key = TenantKey::generate();
        let tries = (0..8).map(|_| {
            let (db, key) = (db.clone(), key.clone());
            tokio::spawn(async move {
                let scope = Scope { portal: ONE, principal: "u".into(), route: "r".into(), key: "k".into() };
                idempotency::begin(&db, &key, &scope, "b", 1_000_000_000).await.expect("begin")
            })
        });
        let mut acted = 0;
        for one in tries.collect::<Vec<_>>() {
            acted += usize::from(matches!(one.await.unwrap(), Begun::Act { .. }));
        }
        assert_eq!(acted, 1);
    }
}
