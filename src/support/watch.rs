//! Clocks are looked at before they run out (S-19): who is named for it is told, once before and once after.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::outgoing::News;
use super::silence::policy;
use super::step::Step;
use super::terms::{Terms, named};
use super::{Desk, DeskError, at};
use crate::domain::PortalId;
use crate::domain::support::State;
use crate::domain::support::clock::{Reading, Standing};
use crate::domain::support::history::EntryKind;
use crate::portal::VERSION;
use crate::store::desk::outbox;
use crate::store::desk::requests::{self, RequestRow};
use crate::store::desk::{letters, limits};
use crate::telemetry::Pulse;
use crate::telemetry::metrics as names;

const LOOK_EVERY: Duration = Duration::from_secs(20);
const STANDS_STILL: Duration = Duration::from_secs(600);
/// Requests looked at in one go.
const STEP: i64 = 200;
/// A request whose clocks cannot be looked at is left alone for so long.
const AGAIN_MS: i64 = 15 * 60_000;
const SWEEP_EVERY_MS: i64 = 15 * 60_000;
/// What was delivered is forgotten after this.
const DELIVERED_MS: i64 = 30 * 86_400_000;

/// The worker that looks at clocks. Every node may: a request's revision lets one of them tell.
#[derive(Clone, Debug)]
pub struct Watch {
    desk: Desk,
    pulse: Pulse,
    /// When releases and terms of keeping are looked at again.
    sweep_at: Arc<AtomicI64>,
}

impl Watch {
    pub fn new(desk: Desk) -> Self {
        let pulse = Pulse::new("support", STANDS_STILL, desk.0.clock.clone());
        Self { desk, pulse, sweep_at: Arc::default() }
    }

    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    pub async fn run(&self, stop: CancellationToken) {
        loop {
            self.pulse.beat();
            if let Some(Err(error)) = stop.run_until_cancelled(self.tick()).await {
                tracing::error!(%error, "clocks of requests could not be looked at");
            }
            if stop.run_until_cancelled(self.desk.0.clock.sleep(LOOK_EVERY)).await.is_none() {
                return;
            }
        }
    }

    /// One look; answers how many clocks were told of.
    pub async fn tick(&self) -> Result<usize, DeskError> {
        let (desk, now) = (&self.desk, self.desk.now());
        let mut told = 0;
        for (portal, id) in requests::to_look(desk.db(), now, STEP).await? {
            match Box::pin(desk.look_at(portal, id, now)).await {
                Ok(lines) => told += lines,
                // Whatever ails this one: the others' clocks go on, and it is looked at again later.
                Err(error) => {
                    tracing::error!(%portal, request = id, %error, "a request's clocks could not be looked at");
                    requests::look_again(desk.db(), portal, id, now.saturating_add(AGAIN_MS)).await?;
                }
            }
        }
        limits::purge(desk.db(), now, STEP).await?;
        if let Err(error) = desk.sweep_files().await {
            tracing::warn!(%error, "files that were given up could not be removed");
        }
        self.sweep(now).await;
        outbox::purge(desk.db(), now.saturating_sub(DELIVERED_MS), STEP).await?;
        letters::purge(desk.db(), now.saturating_sub(super::letters::KNOWN_MS), STEP).await?;
        let counted = requests::by_state(desk.db()).await?;
        for state in State::ALL {
            let count = counted.iter().find(|(word, _)| word == state.word()).map_or(0, |(_, count)| *count);
            let count = f64::from(i32::try_from(count).unwrap_or(i32::MAX));
            metrics::gauge!(names::SUPPORT_REQUESTS, "state" => state.word()).set(count);
        }
        Ok(told)
    }

    async fn sweep(&self, now: i64) {
        if now < self.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        self.sweep_at.store(now.saturating_add(SWEEP_EVERY_MS), Ordering::Relaxed);
        match VERSION.parse() {
            Ok(runs) => {
                if let Err(error) = Box::pin(self.desk.tell_of_releases(runs)).await {
                    tracing::error!(%error, "releases could not be told of");
                }
            }
            Err(error) => tracing::error!(%error, "the version of this build"),
        }
        if let Err(error) = Box::pin(self.desk.sweep_terms()).await {
            tracing::error!(%error, "what was kept for its whole term could not be erased");
        }
    }
}

impl Desk {
    async fn look_at(&self, portal: PortalId, id: i64, now: i64) -> Result<usize, DeskError> {
        match requests::by_id(self.db(), portal, id).await? {
            Some(row) => self.look(row, now).await,
            None => Ok(0),
        }
    }

    async fn look(&self, mut row: RequestRow, now: i64) -> Result<usize, DeskError> {
        // A destroyed key leaves nobody to tell of anything.
        let Some(key) = self.key_if_any(row.key_portal).await? else {
            row.look_at = None;
            let tx = self.db().begin().await?;
            requests::save(&tx, row.desk, &row, now).await?;
            tx.commit().await?;
            return Ok(0);
        };
        let terms = self.terms(row.desk, row.customer).await?;
        let now = now.max(row.updated_at);
        let mut step = Step::new(&row, now);
        step.tell_of_clocks(&terms, now, |_| true);
        self.mind_silence(&mut step, &terms, &key, now).await?;
        step.end(&row, &terms, now);
        let (lines, late) = (step.ledger.lines().len(), step.late);
        let tx = self.db().begin().await?;
        if self.write_in(&tx, &policy(), &key, step, now).await?.is_none() {
            tx.rollback().await?;
            return Ok(0); // Somebody acted on it: it is looked at again.
        }
        tx.commit().await?;
        metrics::counter!(names::SUPPORT_SLA_BREACHES).increment(late);
        Ok(lines)
    }
}

/// What clocks came to that nobody was told of yet, as far as it is wanted: it is written down, and to be told.
pub(super) fn judge(
    row: &mut RequestRow,
    terms: &Terms,
    now: i64,
    ledger: &mut Ledger,
    wanted: impl Fn(&Reading) -> bool,
) -> Vec<News> {
    let readings = terms.readings(row.kind, &row.clocks, now);
    let mut told: Vec<String> = row.told.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let mut news = Vec::new();
    for (name, reading) in named(&readings) {
        let running = reading.standing == Standing::Running && wanted(&reading);
        let Some(deadline) = reading.deadline.filter(|_| running) else { continue };
        let warned = reading.warn_at.is_some_and(|warn| warn <= at(now));
        let word = if reading.breached { "breached" } else { "warned" };
        let entry = format!("{name}:{word}");
        if !(warned || reading.breached) || told.contains(&entry) {
            continue;
        }
        told.push(entry);
        if reading.breached {
            told.push(format!("{name}:warned"));
        }
        ledger.write(EntryKind::Clock, true, &json!({"clock": name, "what": word, "deadline": deadline}));
        news.push(News::Clock { clock: name.to_owned(), deadline, breached: reading.breached });
    }
    row.told = told.join(",");
    news
}
