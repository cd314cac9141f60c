//! Clocks are looked at before they run out (S-19): who is named for it is told, once before and once after.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::outgoing::{News, Outgoing, Tell};
use super::terms::named;
use super::{Desk, DeskError, at};
use crate::domain::support::State;
use crate::domain::support::clock::Standing;
use crate::domain::support::history::EntryKind;
use crate::domain::{Lang, PortalId};
use crate::store::desk::outbox::{self, Channel, Of};
use crate::store::desk::requests::{self, RequestRow};
use crate::store::desk::{history, limits};
use crate::telemetry::Pulse;
use crate::telemetry::metrics as names;

const LOOK_EVERY: Duration = Duration::from_secs(20);
const STANDS_STILL: Duration = Duration::from_secs(600);
/// Requests looked at in one go.
const STEP: i64 = 200;
/// A request whose clocks cannot be looked at is left alone for so long.
const AGAIN_MS: i64 = 15 * 60_000;
/// What was delivered is forgotten after this.
const DELIVERED_MS: i64 = 30 * 86_400_000;

/// The worker that looks at clocks. Every node may: a request's revision lets one of them tell.
#[derive(Clone, Debug)]
pub struct Watch {
    desk: Desk,
    pulse: Pulse,
}

impl Watch {
    pub fn new(desk: Desk) -> Self {
        let pulse = Pulse::new("support", STANDS_STILL, desk.0.clock.clone());
        Self { desk, pulse }
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
            match desk.look_at(portal, id, now).await {
                Ok(lines) => told += lines,
                // Whatever ails this one: the others' clocks go on, and it is looked at again later.
                Err(error) => {
                    tracing::error!(%portal, request = id, %error, "a request's clocks could not be looked at");
                    requests::look_again(desk.db(), portal, id, now.saturating_add(AGAIN_MS)).await?;
                }
            }
        }
        limits::purge(desk.db(), now, STEP).await?;
        outbox::purge(desk.db(), now.saturating_sub(DELIVERED_MS), STEP).await?;
        let counted = requests::by_state(desk.db()).await?;
        for state in State::ALL {
            let count = counted.iter().find(|(word, _)| word == state.word()).map_or(0, |(_, count)| *count);
            let count = f64::from(i32::try_from(count).unwrap_or(i32::MAX));
            metrics::gauge!(names::SUPPORT_REQUESTS, "state" => state.word()).set(count);
        }
        Ok(told)
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
        let readings = terms.readings(row.kind, &row.clocks, now);
        let (mut ledger, mut leaves, mut breaches) = (Ledger::new(row.head, now), Vec::new(), 0_u64);
        let mut told: Vec<String> = row.told.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        for (name, reading) in named(&readings) {
            let Some(deadline) = reading.deadline.filter(|_| reading.standing == Standing::Running) else { continue };
            let warned = reading.warn_at.is_some_and(|warn| warn <= at(now));
            let word = if reading.breached { "breached" } else { "warned" };
            let entry = format!("{name}:{word}");
            if !(warned || reading.breached) || told.contains(&entry) {
                continue;
            }
            breaches += u64::from(reading.breached);
            told.push(entry);
            if reading.breached {
                told.push(format!("{name}:warned"));
            }
            let said = json!({"clock": name, "what": word, "deadline": deadline});
            ledger.write(EntryKind::Clock, true, &said);
            let mut named: Vec<i64> = row.assigned.into_iter().chain(terms.rules.settings.manager).collect();
            named.dedup();
            for user in named {
                let news = News::Clock { clock: name.to_owned(), deadline, breached: reading.breached };
                let tell = Tell { user: Some(user), email: None, lang: Lang::Ru.word().to_owned(), news };
                leaves.push(Outgoing::Tell(tell).row(Channel::Notice, row.desk)?);
            }
        }
        row.told = told.join(",");
        terms.watch(&mut row, now);
        row.head = ledger.head();
        let lines = ledger.lines().len();
        let tx = self.db().begin().await?;
        if !requests::save(&tx, row.desk, &row, now).await? {
            tx.rollback().await?;
            return Ok(0); // Somebody acted on it: it is looked at again.
        }
        history::append(&tx, row.desk, &key, row.id, ledger.lines()).await?;
        let of = Of { request: row.id, number: row.number, key_portal: row.key_portal, key: &key };
        outbox::add(&tx, row.desk, of, &leaves, now).await?;
        tx.commit().await?;
        metrics::counter!(names::SUPPORT_SLA_BREACHES).increment(breaches);
        Ok(lines)
    }
}
