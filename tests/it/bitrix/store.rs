//! The shared allowance and the request log, on both engines.

use fidelio_bitrix24::bitrix::{LogEntry, MethodState};
use fidelio_bitrix24::crypto::Keyring;
use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::store::limits::{self, Taken};
use fidelio_bitrix24::store::{Db, request_log};
use rand::RngExt;
use serde_json::json;

use crate::on_both_engines;

const P: PortalId = PortalId(1);

fn ring() -> Keyring {
    Keyring::parse("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &[]).expect("a key")
}

fn entry(at: i64, method: &str) -> LogEntry {
    LogEntry {
        at,
        method: method.into(),
        status: 200,
        outcome: "ok".into(),
        ms: 12,
        detail: json!([{"method": method}]),
    }
}

on_both_engines! {
    s48_the_bucket_gives_a_burst_then_the_rate_and_says_when(db) {
        let db = db.db;
        let now = 1_000_000;
        for left in (0..50).rev() {
            assert_eq!(limits::take(&db, P, now, 50, 2).await.unwrap(), Taken::Granted { left });
        }
        assert_eq!(limits::take(&db, P, now, 50, 2).await.unwrap(), Taken::NotBefore(now + 500));
        assert_eq!(limits::take(&db, P, now + 499, 50, 2).await.unwrap(), Taken::NotBefore(now + 500));
        assert_eq!(limits::take(&db, P, now + 500, 50, 2).await.unwrap(), Taken::Granted { left: 0 });
        assert_eq!(limits::take(&db, PortalId(2), now, 250, 5).await.unwrap(), Taken::Granted { left: 249 }, "portals are apart");
        limits::drain(&db, PortalId(2), now, 250, 5).await.unwrap();
        assert_eq!(limits::take(&db, PortalId(2), now, 250, 5).await.unwrap(), Taken::NotBefore(now + 200));
        assert_eq!(limits::take(&db, PortalId(2), now + 200, 250, 5).await.unwrap(), Taken::Granted { left: 0 });
        assert!(matches!(limits::take(&db, PortalId(2), now + 50_200, 250, 5).await.unwrap(), Taken::Granted { left: 249 }));
    }

    s48_a_clock_that_was_wrong_does_not_stop_a_portal(db) {
        let db = db.db;
        limits::drain(&db, P, 10_000_000, 50, 2).await.unwrap();
        assert_eq!(limits::take(&db, P, 1_000_000, 50, 2).await.unwrap(), Taken::NotBefore(1_000_500));
        assert_eq!(limits::take(&db, P, 1_000_500, 50, 2).await.unwrap(), Taken::Granted { left: 0 });
    }

    s48_no_interleaving_of_takers_exceeds_burst_and_rate(db) {
        let other = Db::connect(&db.url).await.unwrap();
        let nodes = [db.db, other];
        let mut random = rand::rng();
        for round in 0..8_i64 {
            let portal = PortalId(100 + round);
            let (burst, rate) = (random.random_range(1..12_u32), random.random_range(1..6_u32));
            let step = i64::from(1000_u32.div_ceil(rate));
            let mut now = 5_000_000;
            let mut granted = vec![];
            for _ in 0..60 {
                now += random.random_range(0..=step);
                // Clocks of nodes differ a little; each asks by its own.
                let node = &nodes[random.random_range(0..nodes.len())];
                if matches!(limits::take(node, portal, now, burst, rate).await.unwrap(), Taken::Granted { .. }) {
                    granted.push(now);
                }
            }
            for (i, from) in granted.iter().enumerate() {
                for (n, to) in granted.iter().enumerate().skip(i) {
                    let allowed = i64::from(burst) + (to - from) / step;
                    let taken = i64::try_from(n - i + 1).unwrap();
                    assert!(taken <= allowed, "{taken} requests in {} ms with burst {burst}, rate {rate}", to - from);
                }
            }
        }
    }

    s48_two_nodes_racing_for_one_bucket_take_exactly_the_burst(db) {
        let other = Db::connect(&db.url).await.unwrap();
        let mut takers = vec![];
        for i in 0..16 {
            let node = if i % 2 == 0 { db.db.clone() } else { other.clone() };
            takers.push(tokio::spawn(async move {
                let mut granted = 0;
                for _ in 0..5 {
                    if matches!(limits::take(&node, P, 1_000_000, 30, 2).await.unwrap(), Taken::Granted { .. }) {
                        granted += 1;
                    }
                }
                granted
            }));
        }
        let mut granted = 0;
        for taker in takers {
            granted += taker.await.unwrap();
        }
        assert_eq!(granted, 30);
    }

    s48_what_one_node_knows_of_a_method_another_knows_too(db) {
        let db = db.db;
        let row = |operating, blocked_until| MethodState { method: "crm.item.add".into(), operating, reset_at: 7, blocked_until, banned: false, row: 0.2, cost: 0.3 };
        limits::save_method(&db, P, &row(470.5, 900)).await.unwrap();
        limits::save_method(&db, P, &row(12.0, 0)).await.unwrap();
        assert_eq!(limits::methods(&db, P).await.unwrap(), [row(12.0, 900)], "a ban is not forgotten by a node that missed it");
        assert_eq!(limits::methods(&db, PortalId(2)).await.unwrap(), []);
    }

    s48_the_request_log_is_sealed_read_by_cursor_and_purged_in_small_steps(db) {
        let (db, ring) = (db.db, ring());
        for i in 0..5 {
            request_log::insert(&db, &ring, P, &entry(1_000 + i, &format!("m{i}"))).await.unwrap();
        }
        request_log::insert(&db, &ring, PortalId(2), &entry(1_000, "other")).await.unwrap();
        let first = request_log::list(&db, &ring, P, None, 3).await.unwrap();
        assert_eq!(first.iter().map(|row| row.entry.method.as_str()).collect::<Vec<_>>(), ["m4", "m3", "m2"]);
        assert_eq!(first[0].entry, entry(1_004, "m4"));
        let second = request_log::list(&db, &ring, P, first.last().map(|row| row.id), 3).await.unwrap();
        assert_eq!(second.iter().map(|row| row.entry.method.as_str()).collect::<Vec<_>>(), ["m1", "m0"], "no row of another portal");
        let stranger = Keyring::parse("k2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", &[]).unwrap();
        assert!(request_log::list(&db, &stranger, P, None, 3).await.is_err(), "sealed");
        let end = 1_002 + request_log::KEPT_MS;
        assert_eq!(request_log::purge(&db, end, 3).await.unwrap(), 3);
        assert_eq!(request_log::purge(&db, end, 3).await.unwrap(), 1);
        assert_eq!(request_log::purge(&db, end, 3).await.unwrap(), 0);
        assert_eq!(request_log::list(&db, &ring, P, None, 9).await.unwrap().len(), 2);
    }
}
