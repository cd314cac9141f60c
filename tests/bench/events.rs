//! The events route: on disk before the answer, beside the same route writing one row a transaction and without a database.

use std::sync::Arc;
use std::time::Duration;

use fb24_sandbox::portal::events::Tokens;
use fb24_sandbox::portal::{Portal, PortalOptions, php};
use serde_json::json;

use crate::comparator::Comparator;
use crate::database::{self, Fresh};
use crate::load::{PLACE, Target, flat_out, paced};
use crate::proc::cpu_seconds;
use crate::support::process::{Process, Settings};
use crate::support::world::Admin;
use crate::table::{Table, median, quantile};

/// Rounds; in each, every server has its turn, so that what else the machine does meets all of them.
const ROUNDS: usize = 5;
const TURN: Duration = Duration::from_secs(2);
const PACED: usize = 10_000;

/// An installed portal and its database.
struct Ground {
    settings: Settings,
    body: String,
    portal: Portal,
    _database: Fresh,
}

impl Ground {
    async fn new(database: Fresh) -> (Self, Process) {
        let portal = Portal::start(PortalOptions::default());
        let settings = Settings::new(&database.url, &portal);
        let product = Process::start(&settings).await;
        Admin::install(&portal, &product.url).await;
        portal.events_settled().await;
        let fields = json!({"FIELDS": {"ID": PLACE}});
        let body = php::encode_form(&portal.event_body("ONCRMDEALUPDATE", fields, 2, Tokens::Access));
        (Self { settings, body, portal, _database: database }, product)
    }

    async fn comparator(database: Fresh, kind: &str) -> (Self, Comparator) {
        let (ground, product) = Self::new(database).await;
        product.terminate();
        let comparator = Comparator::start(kind, &ground.settings).await;
        (ground, comparator)
    }
}

pub async fn run(table: &mut Table) {
    let sqlite = [database::sqlite().await, database::sqlite().await, database::sqlite().await];
    engine(table, "events, SQLite", "≥ 3", sqlite).await;
    match (database::postgres().await, database::postgres().await, database::postgres().await) {
        (Some(a), Some(b), Some(c)) => engine(table, "events, PostgreSQL", "≥ 1", [a, b, c]).await,
        _ => table.add("events, PostgreSQL", "skipped", "TEST_DATABASE_URL is not set", ""),
    }
}

async fn engine(table: &mut Table, case: &str, goal: &str, [ours, rows, none]: [Fresh; 3]) {
    let (ground, product) = Ground::new(ours).await;
    let (row_ground, row) = Ground::comparator(rows, "row").await;
    let (none_ground, none) = Ground::comparator(none, "none").await;
    let target = Target::new(product.port(), &ground.body);
    let targets: [Arc<Target>; 3] =
        [target.clone(), Target::new(row.port, &row_ground.body), Target::new(none.port, &none_ground.body)];
    for target in &targets {
        flat_out(target, Duration::from_millis(300)).await;
    }
    let mut rates = [const { Vec::new() }; 3];
    let (mut processor, mut taken) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        for (index, target) in targets.iter().enumerate() {
            let before = cpu_seconds(product.pid());
            let rate = flat_out(target, TURN).await;
            rates[index].push(rate);
            if index == 0 {
                // What it still does with them after the answers counts too.
                tokio::time::sleep(Duration::from_millis(500)).await;
                processor += cpu_seconds(product.pid()) - before;
                taken += rate * TURN.as_secs_f64();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let mut ratios: Vec<f64> = rates[0].iter().zip(&rates[1]).map(|(ours, row)| ours / row).collect();
    let [mut own, mut single, mut bare] = rates;
    let (own, single, bare) = (median(&mut own), median(&mut single), median(&mut bare));
    table.add(case, "events/s, durable before the answer, 16 connections", format!("{own:.0}"), "");
    table.add(case, "events/s, one row a transaction", format!("{single:.0}"), "");
    table.add(case, "events/s, without a database", format!("{bare:.0}"), "");
    table.add(case, "× one row a transaction (median of rounds)", format!("{:.2}", median(&mut ratios)), goal);
    table.add(case, "× without a database", format!("{:.2}", own / bare), "shown");
    table.add(case, "CPU s per 10,000 events, flat out", format!("{:.2}", processor / taken * 1e4), "≤ 2");
    drop((row, none, row_ground, none_ground));
    tokio::time::sleep(Duration::from_secs(2)).await;

    let before = cpu_seconds(product.pid());
    let mut times = paced(&target, 500, PACED).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = cpu_seconds(product.pid()) - before;
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    table.add(case, "ms from due to answered at 500/s, p50", format!("{p50:.1}"), "");
    table.add(case, "ms from due to answered at 500/s, p99", format!("{p99:.1}"), "≤ 25");
    let per = used / PACED as f64 * 1e4;
    table.add(case, "CPU s per 10,000 events at 500/s", format!("{per:.2}"), "≤ 2");
    let limits = ground.portal.limits();
    assert_eq!(limits.bucket_rejections, 0, "{limits:?}");
}
