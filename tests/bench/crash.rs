//! Hundreds of kills of the real binary on each engine and on two nodes, at every named step and anywhere, under load. The
//! only case that fails: what is doubled, lost or wrong afterwards is a bug. `FB24_CRASH_KILLS` (of each of the three) and
//! `FB24_CRASH_SEED` choose others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fb24_sandbox::hotel::dice::Dice;
use fb24_sandbox::portal::Request;

use crate::database::{self, Fresh};
use crate::support::crash::{Rig, plan, seed};
use crate::support::truth::{Cause, Difference};
use crate::table::Table;

/// Three times as many in all.
const KILLS: usize = 170;
/// What a lost event told is found by the next look at what changed, five minutes later at the latest.
const FOUND: u64 = 420;

struct Outcome {
    case: &'static str,
    kills: BTreeMap<String, (u32, u32)>,
    acts: u64,
    late: u64,
    refused: u64,
    seconds: Duration,
    left: Vec<Difference>,
    echoes: usize,
}

/// Requests that write, the product's own.
fn writes(rig: &Rig, after: u64) -> Vec<Request> {
    let of = |method: &&str| rig.portal.requests_of(method);
    let all = ["crm.item.add", "crm.item.update", "crm.item.batchImport"].iter().flat_map(of);
    all.filter(|request| request.id > after).collect()
}

async fn run_one(case: &'static str, database: Fresh, nodes: usize, kills: usize, seed: u64) -> Outcome {
    let mut rig = Rig::open(&database.db, &database.url, nodes, seed, true).await;
    let begin = Instant::now();
    for step in plan(database.db.engine(), kills, &mut Dice::new(seed)) {
        let _ = rig.kill_at(step).await;
    }
    let seconds = begin.elapsed();
    let left = rig.end(FOUND).await;
    // Nothing more happens, so nothing more is written.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let before = rig.portal.requests().last().map_or(0, |last| last.id);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (limits, (_, late), echoes) = (rig.portal.limits(), rig.portal.late(), writes(&rig, before));
    for echo in &echoes {
        eprintln!("{case}: written while nothing happened: {} {:?} {}", echo.method, echo.commands, echo.params);
    }
    let codes = rig.close();
    assert!(codes.iter().all(|code| *code == Some(0)), "{case}: {codes:?}");
    Outcome {
        case,
        kills: std::mem::take(&mut rig.kills),
        acts: rig.load.acts,
        late,
        refused: limits.bucket_rejections + limits.operating_rejections,
        seconds,
        left,
        echoes: echoes.len(),
    }
}

pub async fn run(table: &mut Table) -> bool {
    let kills = std::env::var("FB24_CRASH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let seed = seed();
    println!("FB24_CRASH_SEED={seed}");
    let begin = Instant::now();
    let sqlite = async { Some(run_one("kills, SQLite", database::sqlite().await, 1, kills, seed).await) };
    let postgres =
        async { Some(run_one("kills, PostgreSQL", database::postgres().await?, 1, kills, seed.wrapping_add(1)).await) };
    let two = async {
        let database = database::postgres().await?;
        Some(run_one("kills, PostgreSQL, two nodes", database, 2, kills, seed.wrapping_add(2)).await)
    };
    let (sqlite, postgres, two) = tokio::join!(sqlite, postgres, two);
    let mut clean = true;
    for outcome in [sqlite, postgres, two].into_iter().flatten() {
        clean &= outcome.left.is_empty();
        tell(table, &outcome);
    }
    table.add("kills", "minutes in all", format!("{:.1}", begin.elapsed().as_secs_f64() / 60.0), "≤ 20");
    clean
}

fn tell(table: &mut Table, outcome: &Outcome) {
    for difference in &outcome.left {
        eprintln!("{}: {difference:?}", outcome.case);
    }
    for (step, (kills, reached)) in &outcome.kills {
        eprintln!("{}: {step}: killed {kills}, there {reached}", outcome.case);
    }
    let count = |cause| outcome.left.iter().filter(|one| one.cause == cause).count().to_string();
    let all: u32 = outcome.kills.values().map(|(kills, _)| kills).sum();
    let named = outcome.kills.iter().filter(|(step, _)| *step != "anywhere");
    let named: u32 = named.map(|(_, (_, reached))| reached).sum();
    let mut add = |measured: &str, value: String, goal: &str| table.add(outcome.case, measured, value, goal);
    add("kills, at a named step", format!("{all}, {named}"), "");
    add("things that people did meanwhile", outcome.acts.to_string(), "");
    add("requests carried out after their process died", outcome.late.to_string(), "");
    add("s to kill", format!("{:.0}", outcome.seconds.as_secs_f64()), "");
    add("records doubled", count(Cause::Doubled), "0");
    add("records missing", count(Cause::Missing), "0");
    add("records of nobody", count(Cause::Orphan), "0");
    add("wrong final values", count(Cause::Wrong), "0");
    add("requests refused by a limit", outcome.refused.to_string(), "0");
    add("writes while nothing happens", outcome.echoes.to_string(), "0");
}
