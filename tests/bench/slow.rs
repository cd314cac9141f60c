//! One portal that answers each request only after seconds, beside fifty healthy ones: what the fifty notice of it.

use std::time::Duration;

use crate::database;
use crate::street::{Street, at_rest};
use crate::support::process::{Process, Settings};
use crate::table::{Table, median, quantile};

const HEALTHY: usize = 50;
const ROUNDS: usize = 5;
const PER_SECOND: f64 = 20.0;
const TURN: Duration = Duration::from_secs(12);
/// Answers of the slow one come so late.
const LATE: Duration = Duration::from_secs(8);

/// The healthy ones' p95 in seconds.
async fn turn(street: &mut Street, slow: bool) -> f64 {
    street.houses[0].portal.set_latency(if slow { LATE } else { Duration::ZERO });
    for house in &street.houses {
        house.portal.clear_requests();
    }
    let changed = street.change(PER_SECOND, TURN).await;
    // What was changed last is polled and written.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let healthy: Vec<_> = changed.into_iter().filter(|change| change.house != 0).collect();
    let mut latencies = street.latencies(&healthy);
    street.houses[0].portal.set_latency(Duration::ZERO);
    at_rest(street).await;
    quantile(&mut latencies, 0.95)
}

pub async fn run(table: &mut Table) {
    let mut street = Street::build(HEALTHY + 1);
    let database = database::sqlite().await;
    let settings = Settings::new(&database.url, &street.houses[0].portal)
        .with("bitrix.oauth_hosts", &street.oauth_hosts().join(","))
        .with("pms.poll_seconds", "2");
    let product = Process::start(&settings).await;
    street.move_in(&product.url).await;
    at_rest(&street).await;
    let (mut with, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let slow_first = round % 2 == 1;
        let (first, second) = (turn(&mut street, slow_first).await, turn(&mut street, !slow_first).await);
        let (beside, alone) = if slow_first { (first, second) } else { (second, first) };
        with.push(beside);
        without.push(alone);
        ratios.push(beside / alone);
    }
    let case = "one slow portal beside 50";
    table.add(
        case,
        "s from the begin of the poll, p95 of the healthy, without it",
        format!("{:.3}", median(&mut without)),
        "",
    );
    table.add(
        case,
        "s from the begin of the poll, p95 of the healthy, beside it",
        format!("{:.3}", median(&mut with)),
        "",
    );
    table.add(case, "× (median of rounds)", format!("{:.2}", median(&mut ratios)), "≤ 1.25");
}
