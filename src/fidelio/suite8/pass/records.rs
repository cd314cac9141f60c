//! Records by number, and how they are handed over: people before the stays that name them.

use std::collections::{BTreeSet, HashSet};

use super::{LOT, Pass};
use crate::domain::change::{Change, Entity, Observed};
use crate::domain::{Currency, Known, ProfileNumber, Stay};
use crate::fidelio::SourceError;
use crate::fidelio::suite8::conditions::Cond;
use crate::fidelio::suite8::dates::Stamp;
use crate::fidelio::suite8::error::WireError;
use crate::fidelio::suite8::fields::{Kind, PROFILE, RESERVATION};
use crate::fidelio::suite8::map::{self, ReadStay, Unreadable};
use crate::fidelio::suite8::poll::{Extra, GONE, Refusal, Shape, batches, hidden};
use crate::fidelio::suite8::values;
use crate::fidelio::suite8::xml::Row;

/// Name under which the source stands in observed changes (contract).
pub const SOURCE: &str = "suite8_xml";

/// A record that is ready to be handed over, with the digest of its row.
pub struct Ready {
    pub change: Change,
    pub number: String,
    pub digest: u64,
}

impl Pass<'_> {
    /// Reads rows by number. What a plain query does not return is asked for by its state, because a hotel may hide
    /// cancelled reservations (facts §6).
    pub(super) async fn rows_by_number(
        &mut self,
        kind: &'static Kind,
        numbers: &[String],
    ) -> Result<Vec<Row>, SourceError> {
        let mut rows = self.rows_once(kind, numbers, None).await?;
        if kind.req_type != RESERVATION.req_type {
            return Ok(rows);
        }
        for state in self.state.states_to_ask() {
            let missing = missing(kind, numbers, &rows);
            if missing.is_empty() {
                break;
            }
            let found = match self.rows_once(kind, &missing, Some(state)).await {
                Ok(found) => found,
                Err(SourceError::Refused { .. }) if self.state.state_refused(state, self.hotel.clock.now()) => continue,
                Err(error) => return Err(error),
            };
            if !found.is_empty() {
                self.state.extra.insert(state, Extra::Needed);
            }
            rows.extend(found);
        }
        Ok(rows)
    }

    async fn rows_once(
        &mut self,
        kind: &'static Kind,
        numbers: &[String],
        state: Option<u8>,
    ) -> Result<Vec<Row>, SourceError> {
        let mut rows = Vec::new();
        let mut open = numbers.to_vec();
        let mut most = LOT;
        while !open.is_empty() {
            let shape = if self.state.refuses(&Refusal::Lots) { Shape::SINGLE } else { Shape::WIDE };
            let todo = batches(kind.key, &open, shape, most);
            open = Vec::new();
            for batch in todo {
                if !open.is_empty() {
                    // A batch before this one asked for another shape: the rest is cut anew.
                    open.extend(batch.numbers);
                    continue;
                }
                let conditions: Vec<Cond> = match state {
                    None => batch.conditions,
                    Some(state) => batch.conditions.into_iter().map(|ids| hidden(state).and(ids)).collect(),
                };
                match self.rows_of_batch(kind, &conditions, &batch.numbers).await {
                    Ok(found) => rows.extend(found),
                    Err(error) if error.is_not_found() => {}
                    Err(error) if error.is_too_much() && batch.numbers.len() > 1 => {
                        most = (batch.numbers.len() / 4).max(1);
                        open = batch.numbers;
                    }
                    Err(error)
                        if error.is_refusal()
                            && !self.state.refuses(&Refusal::Lots)
                            && state.is_none()
                            && !error.is_denied() =>
                    {
                        self.state.refused(Refusal::Lots, self.hotel.clock.now());
                        open = batch.numbers;
                    }
                    // One number alone is refused: it is named, its neighbours go on.
                    Err(WireError::Status { status, .. })
                        if self.state.refuses(&Refusal::Lots)
                            && state.is_none()
                            && !["AD", "IC"].contains(&status.word()) =>
                    {
                        for number in batch.numbers {
                            let why = format!("refused with {}", status.word());
                            self.unreadable(kind, Unreadable { number, why });
                        }
                    }
                    Err(error) => return Err(error.at(kind.req_type)),
                }
            }
        }
        Ok(rows)
    }

    async fn rows_of_batch(
        &mut self,
        kind: &'static Kind,
        conditions: &[Cond],
        numbers: &[String],
    ) -> Result<Vec<Row>, WireError> {
        let wanted: HashSet<&str> = numbers.iter().map(String::as_str).collect();
        let mut answer = self.ask(kind, conditions).await?;
        let mut rows = Vec::new();
        while let Some(lot) = answer.next().await? {
            // Ranges bring strangers along.
            let own = |row: &Row| number(kind, row).is_some_and(|number| wanted.contains(number.as_str()));
            rows.extend(lot.into_iter().map(|(_, row)| map::clean(row)).filter(own));
        }
        Ok(rows)
    }

    /// Maps a reservation's row; `None` where there is nothing to hand over.
    pub(super) fn ready_stay(&mut self, row: &Row) -> Option<Ready> {
        let context_state = &self.state;
        let iso = self.currencies();
        let context = map::Context {
            currencies: &|code| iso.get(code).cloned(),
            currency: &self.hotel.settings.currency,
            country: self.hotel.settings.phone_country(),
            groups: &|group| context_state.is_on(&RESERVATION, group),
        };
        match map::stay(row, &context) {
            Ok(ReadStay::FinancialAccount) => None,
            Ok(ReadStay::Stay { stay, remarks }) => {
                let number = stay.number.to_string();
                self.remarks(&number, remarks);
                let digest = self.hotel.digest(row);
                Some(Ready { change: self.change(stay.updated_at.get().copied(), Entity::Stay(stay)), number, digest })
            }
            Err(unreadable) => {
                self.unreadable(&RESERVATION, unreadable);
                None
            }
        }
    }

    fn currencies(&self) -> std::sync::Arc<std::collections::HashMap<String, Currency>> {
        self.hotel.known_currencies()
    }

    fn change(&self, pms_time: Option<chrono::NaiveDateTime>, entity: Entity) -> Change {
        let observed = Observed { source: SOURCE.to_owned(), pms_time, received_at: self.hotel.clock.now() };
        Change { entity, observed }
    }

    /// Reads profiles that this pass has not read yet.
    pub(super) async fn profiles(&mut self, numbers: Vec<String>) -> Result<Vec<Change>, SourceError> {
        let numbers: Vec<String> = numbers.into_iter().filter(|number| !self.profiles.contains(number)).collect();
        if numbers.is_empty() || self.report.not_licensed.iter().any(|area| area == PROFILE.req_type) {
            return Ok(Vec::new());
        }
        let rows = match self.rows_by_number(&PROFILE, &numbers).await {
            Err(SourceError::NotLicensed { area }) => {
                self.area_off(&area);
                return Ok(Vec::new());
            }
            other => other?,
        };
        if self.profiles.len() > 100_000 {
            self.profiles = HashSet::new();
        }
        self.profiles.extend(numbers);
        let mut changes = Vec::new();
        for row in rows {
            let iso = self.currencies();
            let context_state = &self.state;
            let context = map::Context {
                currencies: &|code| iso.get(code).cloned(),
                currency: &self.hotel.settings.currency,
                country: self.hotel.settings.phone_country(),
                groups: &|group| context_state.is_on(&PROFILE, group),
            };
            match map::profile(&row, &context) {
                Ok((profile, remarks)) => {
                    self.remarks(profile.number.as_str(), remarks);
                    let stamp = profile.updated_at.get().copied();
                    changes.push(self.change(stamp, Entity::Profile(Box::new(profile))));
                }
                Err(unreadable) => self.unreadable(&PROFILE, unreadable),
            }
        }
        Ok(changes)
    }

    /// Hands stays over after the people they name. The position goes with the last lot if `with_state`.
    pub(super) async fn hand_over(&mut self, stays: Vec<Ready>, with_state: bool) -> Result<(), SourceError> {
        let mut stays = stays.into_iter().peekable();
        while stays.peek().is_some() {
            let lot: Vec<Ready> = stays.by_ref().take(LOT).collect();
            let mut people = BTreeSet::new();
            let mut erased = Vec::new();
            for ready in &lot {
                if let Entity::Stay(stay) = &ready.change.entity {
                    people.extend(named(stay));
                    erased.extend(self.erased_guest(stay));
                }
            }
            let mut changes = self.profiles(people.into_iter().collect()).await?;
            changes.extend(erased);
            let known: Vec<_> = lot.iter().map(|ready| (ready.number.clone(), ready.digest)).collect();
            changes.extend(lot.into_iter().map(|ready| ready.change));
            let last = stays.peek().is_none();
            self.take(changes, last && with_state).await?;
            self.now_known(known);
        }
        Ok(())
    }

    /// Hands stays over before the people they name, who follow with [`Self::late_people`].
    pub(super) async fn hand_over_early(&mut self, stays: Vec<Ready>) -> Result<(), SourceError> {
        let mut changes = Vec::new();
        let mut known = Vec::new();
        for ready in stays {
            if let Entity::Stay(stay) = &ready.change.entity {
                self.later.extend(named(stay));
                changes.extend(self.erased_guest(stay));
            }
            known.push((ready.number, ready.digest));
            changes.push(ready.change);
        }
        self.take(changes, false).await?;
        self.now_known(known);
        Ok(())
    }

    fn now_known(&self, rows: Vec<(String, u64)>) {
        if self.sink.keeps() {
            self.hotel.now_known(rows);
        }
    }

    pub(super) async fn late_people(&mut self) -> Result<(), SourceError> {
        let people: Vec<String> = std::mem::take(&mut self.later).into_iter().collect();
        for lot in people.chunks(LOT) {
            let changes = self.profiles(lot.to_vec()).await?;
            if !changes.is_empty() {
                self.take(changes, false).await?;
            }
        }
        Ok(())
    }

    /// A plain query returned this row: what it is needs no question of its own.
    pub(super) fn plain_row(&mut self, row: &Row) {
        let text = |name: &str| row.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.text.as_str());
        let state = text("ReservationState").and_then(|text| values::count(text).ok().flatten());
        if let Some(state) = state.and_then(|state| u8::try_from(state).ok()) {
            self.state.plain_has(state);
        }
        let left = text("CheckoutDateTime").and_then(|text| Stamp::parse(text).ok().flatten());
        // Two days: the business date may still be yesterday's.
        if left.is_some_and(|left| (self.local_now().date() - left.date).num_days() > 2) {
            self.state.plain_has(GONE);
        }
    }

    /// The reservation of an erased guest says that his profile is erased too: profiles show it only when asked in a way
    /// no document explains (facts §6).
    fn erased_guest(&self, stay: &Stay) -> Option<Change> {
        if stay.privacy_removed != Known::Is(true) {
            return None;
        }
        let mut profile = crate::domain::Profile::new(stay.main_guest.get()?.clone());
        profile.privacy_removed = Known::Is(true);
        Some(self.change(stay.updated_at.get().copied(), Entity::Profile(Box::new(profile))))
    }
}

/// Every profile a stay names, in whatever role.
pub fn named(stay: &Stay) -> Vec<String> {
    let roles = [&stay.company, &stay.travel_agent, &stay.source_profile, &stay.booker];
    let roles = roles.into_iter().filter_map(|role| role.get());
    stay.guests().into_iter().chain(roles).map(ProfileNumber::to_string).collect()
}

/// The key of a row.
pub fn number(kind: &Kind, row: &Row) -> Option<String> {
    let field = row.fields.iter().find(|field| field.name.eq_ignore_ascii_case(kind.key))?;
    values::id(&field.text).ok().flatten()
}

pub fn missing(kind: &Kind, numbers: &[String], rows: &[Row]) -> Vec<String> {
    let found: HashSet<String> = rows.iter().filter_map(|row| number(kind, row)).collect();
    numbers.iter().filter(|number| !found.contains(*number)).cloned().collect()
}
