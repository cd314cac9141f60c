//! A thousand portals with a hotel each and twenty changes a second in all: one node, then two that share the work, one of
//! which is killed and another one comes. `FB24_BENCH_PORTALS` chooses another number.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::database;
use crate::proc::{cpu_seconds, peak_mb, resident_mb};
use crate::street::Town;
use crate::support::process::{Process, Settings, free_port};
use crate::table::{Table, median, quantile};

const PORTALS: usize = 1_000;
/// Portals that two nodes share.
const SHARED: usize = 200;
/// Files that one process may hold open allow for so many houses.
const A_STREET: usize = 400;
/// Changes of all of a thousand portals; fewer portals have fewer.
const PER_SECOND: f64 = 20.0;
const SECONDS: f64 = 60.0;

fn portals() -> usize {
    std::env::var("FB24_BENCH_PORTALS").ok().and_then(|text| text.parse().ok()).unwrap_or(PORTALS)
}

fn pace(count: usize) -> f64 {
    PER_SECOND * count as f64 / PORTALS as f64
}

fn settings(database: &str, hosts: &str) -> Settings {
    // The houses have no portal of their own to ask for its key: all have the sandbox's.
    let portal = fb24_sandbox::portal::Portal::start(fb24_sandbox::portal::PortalOptions::default());
    Settings::new(database, &portal).with("bitrix.oauth_hosts", hosts).with("pms.poll_seconds", "15")
}

/// Requests to portals so far.
async fn requests(node: &Process) -> f64 {
    let metrics = node.metrics().await;
    let lines = metrics.lines().filter(|line| line.starts_with("fb24_portal_requests_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn settle(town: &mut Town, table: &mut Table, case: &str, when: &str) {
    let left = town.sum(&json!({"do": "settle", "seconds": 180}));
    table.add(case, &format!("portals that differ from their hotels {when}"), format!("{left}"), "0");
}

async fn one(table: &mut Table, count: usize) {
    let case = format!("{count} portals, one node");
    let (mut town, hosts) = Town::open(count, count.div_ceil(A_STREET));
    let database = database::sqlite().await;
    let product = Process::start(&settings(&database.url, &hosts)).await;
    let begin = Instant::now();
    town.tell(&json!({"do": "move in", "url": product.url}));
    table.add(&case, "s until all are installed and imported", format!("{:.0}", begin.elapsed().as_secs_f64()), "");
    // The portals' own events about what was written are looked at first.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = cpu_seconds(product.pid());
    let mut resident = Vec::new();
    for _ in 0..6 {
        town.change(pace(count), SECONDS / 6.0);
        resident.push(resident_mb(product.pid()));
    }
    let cores = (cpu_seconds(product.pid()) - before) / SECONDS;
    settle(&mut town, table, &case, "after the last change");
    let mut latencies = town.latencies();
    table.add(&case, "changes looked at", latencies.len().to_string(), "");
    table.add(&case, "s from the begin of the poll, median", format!("{:.3}", median(&mut latencies)), "");
    table.add(&case, "s from the begin of the poll, p95", format!("{:.3}", quantile(&mut latencies, 0.95)), "≤ 2");
    table.add(&case, "MB resident (median)", format!("{:.1}", median(&mut resident)), "≤ 200");
    table.add(&case, "MB resident, peak", format!("{:.1}", peak_mb(product.pid())), "≤ 200");
    table.add(&case, "cores used", format!("{cores:.2}"), "");
    table.add(&case, "requests refused by a limit", format!("{}", town.sum(&json!({"do": "refused"}))), "0");
}

async fn two(table: &mut Table, count: usize) {
    let case = format!("{count} portals, two nodes");
    let Some(database) = database::postgres().await else {
        return table.add(&case, "skipped", "TEST_DATABASE_URL is not set", "");
    };
    let (mut town, hosts) = Town::open(count, count.div_ceil(A_STREET));
    let settings = settings(&database.url, &hosts);
    let first = Process::start(&settings).await;
    town.tell(&json!({"do": "move in", "url": first.url}));
    let public = first.url.clone();
    let mut second = Process::start_behind(&settings, free_port(), &public).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let before = [requests(&first).await, requests(&second).await];
    town.change(pace(count), SECONDS);
    let shares = [requests(&first).await - before[0], requests(&second).await - before[1]];
    let larger = shares[0].max(shares[1]) / (shares[0] + shares[1]);
    table.add(&case, "share of the requests that the busier node sent", format!("{larger:.2}"), "≤ 0.6");
    settle(&mut town, table, &case, "with two nodes");
    let mut latencies = town.latencies();
    table.add(&case, "s from the begin of the poll, p95", format!("{:.3}", quantile(&mut latencies, 0.95)), "≤ 2");
    town.change(pace(count), 5.0);
    second.strike();
    town.change(pace(count), 15.0);
    settle(&mut town, table, &case, "after one was killed");
    town.change(pace(count), 5.0);
    let third = Process::start_behind(&settings, free_port(), &public).await;
    town.change(pace(count), 15.0);
    settle(&mut town, table, &case, "after another one came");
    table.add(&case, "requests that the new one sent", format!("{:.0}", requests(&third).await), "> 0");
    table.add(&case, "requests refused by a limit", format!("{}", town.sum(&json!({"do": "refused"}))), "0");
}

pub async fn run(table: &mut Table) {
    let count = portals();
    one(table, count).await;
    two(table, count.min(SHARED)).await;
}
