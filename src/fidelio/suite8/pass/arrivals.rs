//! Stays by their dates: first reads of a range, and the ones near today again and again.

use std::collections::HashSet;

use chrono::{Duration, NaiveDate};

use super::Pass;
use super::records::Ready;
use crate::fidelio::SourceError;
use crate::fidelio::suite8::conditions::{Cond, Op};
use crate::fidelio::suite8::dates::write_day;
use crate::fidelio::suite8::error::Stop;
use crate::fidelio::suite8::fields::RESERVATION;
use crate::fidelio::suite8::map;
use crate::fidelio::suite8::poll::{Extra, GONE, Import, Slice, Slicer, hidden};

/// Stays held while an answer is read; beyond it they leave before the people they name.
const HELD: usize = 1000;

/// What is done with rows whose content was handed over before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeats {
    Keep,
    Skip,
}

impl Pass<'_> {
    /// Reads stays that arrive within the range, slice by slice; the position says which days are left.
    pub async fn arrivals(&mut self, from: NaiveDate, to: NaiveDate) -> Result<(), SourceError> {
        let today = self.today().await?;
        let mut import = match self.state.import.take() {
            Some(import) if import.from == from && import.to == to && !import.left.is_empty() => import,
            _ => Import::new(from, to, today),
        };
        while let Some((first, last)) = import.left.first().copied() {
            let mut slicer = Slicer::new(first, last);
            while let Some(slice) = slicer.slice() {
                let stays = match self.slice(slice, Repeats::Keep).await {
                    Err(error) if error.is_too_much() && slicer.too_much() => continue,
                    other => other.map_err(|error| error.at(RESERVATION.req_type))?,
                };
                if let Some(day) = slicer.done(stays.0) {
                    import.done(day);
                }
                self.state.import = (!import.left.is_empty()).then(|| import.clone());
                self.leave(stays.1, true).await?;
            }
        }
        self.save().await
    }

    /// Reads whoever came within the range and has not left before `on`.
    pub async fn in_house(&mut self, from: NaiveDate, to: NaiveDate, on: NaiveDate) -> Result<(), SourceError> {
        let day = |field, op, day| Cond::is(field, op, write_day(day));
        let came = day("GuestArrival", Op::Ge, from).and(day("GuestArrival", Op::Le, to));
        let there = came.and(day("GuestDeparture", Op::Ge, on));
        match self.rows_of(&there, None, Repeats::Keep, &mut HashSet::new()).await {
            Ok(stays) => self.leave(stays.1, false).await?,
            // Too many for one answer: they come with their arrivals.
            Err(error) if error.is_too_much() => {}
            Err(error) => return Err(error.at(RESERVATION.req_type)),
        }
        self.save().await
    }

    /// Arrivals of the next days and everybody in house, every half hour: notes, companions and shares need not touch a
    /// reservation's stamp (facts §6).
    pub(super) async fn near(&mut self) -> Result<(), SourceError> {
        let settings = &self.hotel.settings;
        let now = self.hotel.clock.now();
        let every = Duration::from_std(settings.near_every).unwrap_or_default();
        // A new source waits its first half hour too: what was there before is the import's, and a person starts that.
        let read_at = *self.state.near_at.get_or_insert(now);
        if now.signed_duration_since(read_at) < every {
            return Ok(());
        }
        let ahead = Duration::days(i64::from(settings.near_days));
        let today = self.today().await?;
        let last = today.checked_add_signed(ahead).unwrap_or(today);
        // Who is in house came before today and leaves today or later; a long stay may have begun years ago.
        let in_house = Cond::is("GuestArrival", Op::Lt, write_day(today)).and(Cond::is(
            "GuestDeparture",
            Op::Ge,
            write_day(today),
        ));
        match self.rows_of(&in_house, None, Repeats::Skip, &mut HashSet::new()).await {
            Ok(stays) => self.leave(stays.1, false).await?,
            // Too many for one answer: their arrivals of the last two months, cut as needed.
            Err(error) if error.is_too_much() => {
                let since = today.checked_sub_signed(Duration::days(60)).unwrap_or(today);
                self.near_range(since, today.pred_opt().unwrap_or(today)).await?;
            }
            Err(error) => return Err(error.at(RESERVATION.req_type)),
        }
        self.near_range(today, last).await?;
        self.state.near_at = Some(now);
        Ok(())
    }

    async fn near_range(&mut self, from: NaiveDate, to: NaiveDate) -> Result<(), SourceError> {
        let mut slicer = Slicer::new(from, to);
        while let Some(slice) = slicer.slice() {
            let stays = match self.slice(slice, Repeats::Skip).await {
                Err(error) if error.is_too_much() && slicer.too_much() => continue,
                other => other.map_err(|error| error.at(RESERVATION.req_type))?,
            };
            slicer.done(stays.0);
            self.leave(stays.1, false).await?;
        }
        Ok(())
    }

    /// Hands over what a slice brought.
    async fn leave(&mut self, stays: Vec<Ready>, with_state: bool) -> Result<(), SourceError> {
        self.late_people().await?;
        // A slice without stays needs no row on disk: the position goes with the next one.
        self.hand_over(stays, with_state).await
    }

    /// One slice: the plain question, and one for each state a plain one may hide. Answers the count of rows and what is
    /// to be handed over.
    async fn slice(&mut self, slice: Slice, repeats: Repeats) -> Result<(usize, Vec<Ready>), Stop> {
        let arrival = |op, day| Cond::is("GuestArrival", op, write_day(day));
        let condition = match slice {
            Slice::Days { from, to } if from == to => arrival(Op::Eq, from),
            Slice::Days { from, to } => arrival(Op::Ge, from).and(arrival(Op::Le, to)),
            Slice::Numbers { day, from, to } => {
                let number = |op, value: u64| Cond::is("GuestNum", op, value.to_string());
                let low = arrival(Op::Eq, day).and(number(Op::Ge, from));
                match to {
                    Some(to) => low.and(number(Op::Lt, to)),
                    None => low,
                }
            }
        };
        let mut seen = HashSet::new();
        let (mut rows, mut stays) = self.rows_of(&condition, None, repeats, &mut seen).await?;
        if repeats == Repeats::Skip {
            // A cancellation shows in the windows of changes; looking again is for what does not.
            return Ok((rows, stays));
        }
        // Nobody has left who has not come; a day of doubt for the business date.
        let future = match slice {
            Slice::Days { from, .. } | Slice::Numbers { day: from, .. } => {
                (from - self.local_now().date()).num_days() > 1
            }
        };
        for state in self.state.states_to_ask() {
            if future && [2, GONE].contains(&state) {
                continue;
            }
            let before = seen.len();
            match self.rows_of(&condition.clone().and(hidden(state)), Some(state), repeats, &mut seen).await {
                Ok((more, found)) => {
                    if seen.len() > before {
                        self.state.extra.insert(state, Extra::Needed);
                    }
                    rows += more;
                    stays.extend(found);
                }
                Err(Stop::Wire(error))
                    if error.is_refusal() && self.state.state_refused(state, self.hotel.clock.now()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((rows, stays))
    }

    /// Reads one answer row by row. When more comes than may be held, stays leave at once, their people later.
    async fn rows_of(
        &mut self,
        condition: &Cond,
        state: Option<u8>,
        repeats: Repeats,
        seen: &mut HashSet<String>,
    ) -> Result<(usize, Vec<Ready>), Stop> {
        let mut answer = match self.ask(&RESERVATION, std::slice::from_ref(condition)).await {
            Err(error) if error.is_not_found() => return Ok((0, Vec::new())),
            other => other?,
        };
        let (mut count, mut stays) = (0, Vec::new());
        while let Some(lot) = answer.next().await? {
            for (_, row) in lot {
                let row = map::clean(row);
                count += 1;
                let Some(number) = super::records::number(&RESERVATION, &row) else {
                    self.ready_stay(&row);
                    continue;
                };
                if state.is_none() {
                    self.plain_row(&row);
                }
                if !seen.insert(number.clone()) {
                    continue;
                }
                if repeats == Repeats::Skip && self.hotel.is_known(&number, self.hotel.digest(&row)) {
                    continue;
                }
                stays.extend(self.ready_stay(&row));
            }
            if stays.len() > HELD {
                // The next question must wait for the end of this answer, so their people come later.
                self.hand_over_early(std::mem::take(&mut stays)).await?;
            }
        }
        Ok((count, stays))
    }
}
