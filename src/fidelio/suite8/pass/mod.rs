//! One read of a hotel: carries the questions of `super::poll` to the interface and the answers to the sink.
//!
//! An answer is read to its end before the next question is asked: the interface serves one at a time.

mod arrivals;
mod changes;
mod records;

use std::collections::{BTreeSet, HashSet};

use chrono::NaiveDateTime;

use super::client::Answer;
use super::conditions::{Chain, Cond, Op};
use super::error::WireError;
use super::fields::{Group, Kind, PROFILE, RESERVATION};
use super::hotel::{Hotel, Licensed};
use super::map::Unreadable;
use super::poll::{Refusal, State};
use super::request::Query;
use crate::fidelio::{ReadReport, RecordKind, Sink, SourceError, Unread};

/// Records handed over at once.
const LOT: usize = 200;
/// Names kept in a report.
const REPORTED: usize = 500;

/// A read that is going on.
pub struct Pass<'a> {
    hotel: &'a Hotel,
    state: State,
    /// What the taker has of `state`.
    stored: State,
    sink: &'a mut dyn Sink,
    report: ReadReport,
    /// Profiles read in this pass already.
    profiles: HashSet<String>,
    /// People named by stays that were handed over already.
    later: BTreeSet<String>,
    /// It moves the hotel's position.
    follows: bool,
    /// Seconds the PMS's clock was known to be ahead when the pass began.
    ahead_before: i64,
}

impl<'a> Pass<'a> {
    pub fn new(hotel: &'a Hotel, state: &serde_json::Value, sink: &'a mut dyn Sink) -> Self {
        let mut state = State::parse(state);
        let stored = state.clone();
        let ahead_before = state.ahead;
        state.forget_old(hotel.clock.now());
        Self {
            hotel,
            state,
            stored,
            sink,
            report: ReadReport::default(),
            profiles: HashSet::new(),
            later: BTreeSet::new(),
            follows: false,
            ahead_before,
        }
    }

    pub fn finish(mut self) -> ReadReport {
        for area in self.state.not_licensed() {
            self.area_off(&area);
        }
        if self.state.refuses(&Refusal::Changes) {
            self.note("no_delta");
        }
        let web = self.hotel.web_ahead_ms();
        // What was reset is a measurement too: it is taken back where it was told before.
        let measured = self.state.ahead > 0 || self.state.ahead != self.ahead_before;
        let stamps = measured.then(|| self.state.ahead.saturating_mul(1_000));
        self.report.clock_ahead_ms = web.or(stamps).map(|_| web.unwrap_or_default() + stamps.unwrap_or_default());
        self.report
    }

    /// Asks `conditions` of a kind with every field the hotel allows; fields it turns out to refuse are switched off.
    async fn ask(&mut self, kind: &'static Kind, conditions: &[Cond]) -> Result<Box<dyn Answer>, WireError> {
        loop {
            let fields = self.state.fields(kind);
            match ask_fields(self.hotel, kind, conditions, &fields).await {
                Err(error) if error.is_refusal() && self.learn(kind).await? => {}
                other => return other,
            }
        }
    }

    /// Finds out which optional fields a hotel refuses; `true` when some were switched off.
    async fn learn(&mut self, kind: &'static Kind) -> Result<bool, WireError> {
        let on: Vec<Group> = kind.optional.iter().filter(|group| self.state.is_on(kind, group.name)).copied().collect();
        if on.is_empty() || probe(self.hotel, kind, &on).await.is_ok() {
            return Ok(false);
        }
        // The core itself is refused: that is the answer.
        probe(self.hotel, kind, &[]).await?;
        let mut learned = false;
        for group in on {
            match probe(self.hotel, kind, &[group]).await {
                Ok(()) => {}
                Err(error @ WireError::Status { .. }) => {
                    self.state.switch_off(kind, group.name, error.is_denied(), self.hotel.clock.now());
                    learned = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(learned)
    }

    /// Hands the position over when it moved and nothing carries it.
    async fn save(&mut self) -> Result<(), SourceError> {
        if self.state != self.stored {
            self.take(Vec::new(), true).await?;
        }
        Ok(())
    }

    async fn take(&mut self, changes: Vec<crate::domain::Change>, with_state: bool) -> Result<(), SourceError> {
        let state = if with_state { Some(self.state.to_json()?) } else { None };
        let position = state.as_ref().filter(|_| self.follows).map(|state| self.hotel.digest(&state.to_string()));
        self.report.records += changes.len();
        self.sink.take(changes, state).await?;
        if with_state {
            self.stored = self.state.clone();
        }
        if let Some(position) = position {
            self.hotel.left_at(position);
        }
        Ok(())
    }

    /// From here on the pass moves the hotel's position.
    fn follow(&mut self) -> Result<(), SourceError> {
        self.follows = true;
        self.hotel.found_at(self.hotel.digest(&self.stored.to_json()?.to_string()));
        Ok(())
    }

    fn area_off(&mut self, area: &str) {
        if !self.report.not_licensed.iter().any(|own| own == area) {
            self.report.not_licensed.push(area.to_owned());
        }
    }

    fn unreadable(&mut self, kind: &Kind, record: Unreadable) {
        let stay = kind.req_type == RESERVATION.req_type;
        if stay {
            // Back to what it said before is news too.
            self.hotel.forget(&record.number);
        }
        if self.report.unreadable.len() >= REPORTED {
            self.report.unnamed += 1;
            return;
        }
        let kind = if stay { RecordKind::Stay } else { RecordKind::Profile };
        self.report.unreadable.push(Unread { kind, number: record.number, why: record.why });
    }

    fn remarks(&mut self, number: &str, remarks: Vec<String>) {
        for remark in remarks {
            if self.report.remarks.len() < REPORTED {
                self.report.remarks.push((number.to_owned(), remark));
            }
        }
    }

    fn note(&mut self, code: &str) {
        if !self.report.notes.iter().any(|own| own == code) {
            self.report.notes.push(code.to_owned());
        }
    }

    /// Reads what every other read needs first.
    pub async fn prepare(&mut self) -> Result<(), SourceError> {
        let area = "CurrencyList";
        if self.hotel.currencies().await.map_err(|error| error.at(area))? == Licensed::No {
            self.area_off(area);
        }
        Ok(())
    }

    /// Reads stays by number, a lot at a time: what is read is on disk before more is asked for.
    pub async fn stays(&mut self, numbers: &[String]) -> Result<(), SourceError> {
        for lot in numbers.chunks(LOT) {
            let rows = self.rows_by_number(&RESERVATION, lot).await?;
            let refused = |number: &String| self.report.unreadable.iter().any(|record| record.number == *number);
            let missing = records::missing(&RESERVATION, lot, &rows).into_iter().filter(|number| !refused(number));
            let missing: Vec<String> = missing.collect();
            self.report.missing.extend(missing);
            let ready = rows.iter().filter_map(|row| self.ready_stay(row)).collect();
            self.hand_over(ready, false).await?;
        }
        self.save().await
    }

    /// Reads profiles by number.
    pub async fn people(&mut self, numbers: &[String]) -> Result<(), SourceError> {
        for lot in numbers.chunks(LOT) {
            let changes = self.profiles(lot.to_vec()).await?;
            self.take(changes, false).await?;
        }
        if self.report.not_licensed.iter().any(|area| area == PROFILE.req_type) {
            return Err(SourceError::NotLicensed { area: PROFILE.req_type.to_owned() });
        }
        self.save().await
    }

    fn local_now(&self) -> NaiveDateTime {
        self.hotel.local_now()
    }
}

/// One message: a query of a kind for each condition.
async fn ask_fields(
    hotel: &Hotel,
    kind: &'static Kind,
    conditions: &[Cond],
    fields: &[&'static str],
) -> Result<Box<dyn Answer>, WireError> {
    let queries = conditions
        .iter()
        .map(|condition| {
            let chain = Chain::build(condition).map_err(|_| WireError::Request("condition"))?;
            Ok(Query::new(kind.req_type).only(chain).fields(fields.iter().copied()))
        })
        .collect::<Result<Vec<_>, WireError>>()?;
    let answer = hotel.exchange.ask(&queries).await?;
    hotel.served_at(answer.served_at());
    Ok(answer)
}

/// Asks for one record that need not exist.
async fn probe(hotel: &Hotel, kind: &'static Kind, groups: &[Group]) -> Result<(), WireError> {
    let fields: Vec<_> = kind.core.iter().chain(groups.iter().flat_map(|group| group.fields)).copied().collect();
    match ask_fields(hotel, kind, &[Cond::is(kind.key, Op::Eq, "1")], &fields).await {
        Ok(mut answer) => {
            while answer.next().await?.is_some() {}
            Ok(())
        }
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
