//! What is remembered of a hotel between reads, as the taker stores it.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::mark::Mark;
use crate::fidelio::SourceError;
use crate::fidelio::suite8::conditions::{Cond, Op};
use crate::fidelio::suite8::dates::StampForm;
use crate::fidelio::suite8::fields::Kind;

/// How long what was refused stays off before it is tried again: licences are bought, rights are granted, servers mended.
const RETRY_AFTER_HOURS: i64 = 24;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct State {
    /// How this hotel's server reads a stamp in a condition; unknown until one was seen to work.
    pub form: Option<StampForm>,
    /// The suffix it prints (`UTC-180`), echoed in conditions.
    pub suffix: Option<String>,
    /// What this hotel refuses.
    pub off: Vec<Off>,
    /// Whether rows of a reservation state must be asked for on their own.
    pub extra: BTreeMap<u8, Extra>,
    /// Seconds of changes one window may hold: set after a time-out, gone when it is no longer needed.
    pub span: Option<i64>,
    /// Seconds the PMS's clock is known to be ahead of its web server's.
    pub ahead: i64,
    pub reservations: Option<Mark>,
    pub profiles: Option<Mark>,
    /// When arrivals near today were read last; at first, when the source was first polled.
    pub near_at: Option<DateTime<Utc>>,
    pub import: Option<Import>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    pub what: Refusal,
    pub since: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Optional fields of a kind.
    Fields { area: String, licence: bool },
    /// The question for rows of a reservation state.
    State(u8),
    /// Stamps as conditions. Without them, only arrivals near today are read again and again.
    Changes,
    /// Many numbers in one message.
    Lots,
}

/// What is known of the rows of one state (facts §6: whether a plain query returns cancelled ones is stated nowhere).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extra {
    /// A plain query returned such a row: asking for the state adds nothing.
    Included,
    /// Asking for the state returned a row which the plain query had not.
    Needed,
}

/// What a plain query may hide, as questions of their own: the states checked out (of today), cancelled, no-show, offer,
/// and [`GONE`].
pub const HIDDEN: [u8; 5] = [2, 3, 4, 5, GONE];

/// Who checked out before today: no state finds them, so every definite reservation is asked for.
pub const GONE: u8 = 101;

/// The condition that asks for hidden rows.
pub fn hidden(which: u8) -> Cond {
    match which {
        GONE => Cond::is("ReservationStatus", Op::Eq, "1"),
        state => Cond::is("ReservationState", Op::Eq, state.to_string()),
    }
}

/// A range of arrivals that is being read, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub left: Vec<(NaiveDate, NaiveDate)>,
}

impl Import {
    /// Arrivals of today and tomorrow first, then what is to come, then the past (product §2.9).
    pub fn new(from: NaiveDate, to: NaiveDate, today: NaiveDate) -> Self {
        let day = |days: i64| today.checked_add_signed(Duration::days(days)).unwrap_or(today);
        let parts = [(today, day(1)), (day(2), NaiveDate::MAX), (NaiveDate::MIN, day(-1))];
        let left = parts.into_iter().map(|(a, b)| (a.max(from), b.min(to))).filter(|(a, b)| a <= b).collect();
        Self { from, to, left }
    }

    /// Takes `until` and everything before it off the range that is being read.
    pub fn done(&mut self, until: NaiveDate) {
        let Some(first) = self.left.first_mut() else { return };
        match until.succ_opt().filter(|next| *next <= first.1) {
            Some(next) => first.0 = next,
            None => {
                self.left.remove(0);
            }
        }
    }
}

impl State {
    /// What was stored, or a fresh start where that cannot be read.
    pub fn parse(value: &serde_json::Value) -> Self {
        serde_json::from_value(value.clone()).unwrap_or_default()
    }

    pub fn to_json(&self) -> Result<serde_json::Value, SourceError> {
        serde_json::to_value(self).map_err(|error| SourceError::Sink(error.to_string()))
    }

    pub fn is_on(&self, kind: &Kind, group: &str) -> bool {
        let name = area(kind, group);
        !self.off.iter().any(|off| matches!(&off.what, Refusal::Fields { area, .. } if *area == name))
    }

    /// `licence`: they are refused because the licence or the user's rights do not cover them.
    pub fn switch_off(&mut self, kind: &Kind, group: &str, licence: bool, now: DateTime<Utc>) {
        self.refused(Refusal::Fields { area: area(kind, group), licence }, now);
    }

    pub fn refuses(&self, what: &Refusal) -> bool {
        self.off.iter().any(|off| off.what == *what)
    }

    pub fn refused(&mut self, what: Refusal, now: DateTime<Utc>) {
        self.off.retain(|off| off.what != what);
        self.off.push(Off { what, since: now });
    }

    /// The question for a state was refused; `false` where its rows are known to come in no other way.
    pub fn state_refused(&mut self, state: u8, now: DateTime<Utc>) -> bool {
        let needed = self.extra.get(&state) == Some(&Extra::Needed);
        if !needed {
            self.refused(Refusal::State(state), now);
        }
        !needed
    }

    /// What was refused is tried again after a day.
    pub fn forget_old(&mut self, now: DateTime<Utc>) {
        self.off.retain(|off| now.signed_duration_since(off.since) < Duration::hours(RETRY_AFTER_HOURS));
    }

    /// Areas the licence or the user's rights do not cover.
    pub fn not_licensed(&self) -> Vec<String> {
        let denied = |off: &Off| match &off.what {
            Refusal::Fields { area, licence: true } => Some(area.clone()),
            _ => None,
        };
        self.off.iter().filter_map(denied).collect()
    }

    /// Fields to ask of a kind: the core and every group that is not off.
    pub fn fields(&self, kind: &Kind) -> Vec<&'static str> {
        let groups = kind.optional.iter().filter(|group| self.is_on(kind, group.name)).flat_map(|group| group.fields);
        kind.core.iter().chain(groups).copied().collect()
    }

    /// States that must be asked for besides a plain query.
    pub fn states_to_ask(&self) -> Vec<u8> {
        HIDDEN
            .into_iter()
            .filter(|state| self.extra.get(state) != Some(&Extra::Included) && !self.refuses(&Refusal::State(*state)))
            .collect()
    }

    /// A plain query returned such a row.
    pub fn plain_has(&mut self, state: u8) {
        if HIDDEN.contains(&state) && self.extra.get(&state) != Some(&Extra::Needed) {
            self.extra.insert(state, Extra::Included);
        }
    }
}

fn area(kind: &Kind, group: &str) -> String {
    format!("{}.{group}", kind.req_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fidelio::suite8::fields::RESERVATION;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("date")
    }

    #[test]
    fn s1_today_comes_first_and_every_day_once() {
        let mut import = Import::new(day("2026-02-01"), day("2026-05-01"), day("2026-03-05"));
        assert_eq!(import.left[0], (day("2026-03-05"), day("2026-03-06")));
        let mut days = Vec::new();
        while let Some((from, to)) = import.left.first().copied() {
            days.push(from);
            assert!(from <= to);
            import.done(from);
        }
        assert_eq!(days.len(), 90);
        days.sort_unstable();
        days.dedup();
        assert_eq!(days.len(), 90);
        assert!(Import::new(day("2026-01-01"), day("2026-01-31"), day("2026-03-05")).left.len() == 1);
    }

    #[test]
    fn s1_a_refused_group_is_off_for_a_day() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("time");
        let mut state = State::default();
        state.switch_off(&RESERVATION, "Notes", true, now);
        state.switch_off(&RESERVATION, "Share", false, now);
        assert!(!state.fields(&RESERVATION).contains(&"NotesList"));
        assert_eq!(state.not_licensed(), ["Reservation.Notes"]);
        state.forget_old(now + Duration::hours(23));
        assert!(!state.is_on(&RESERVATION, "Notes"));
        state.forget_old(now + Duration::hours(25));
        assert!(state.fields(&RESERVATION).contains(&"NotesList"));
    }

    #[test]
    fn s1_a_refused_question_is_asked_again_after_a_day_and_a_needed_one_at_once() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("time");
        let mut state = State::default();
        state.extra.insert(3, Extra::Needed);
        assert!(!state.state_refused(3, now), "its rows come in no other way");
        assert!(state.state_refused(4, now));
        state.refused(Refusal::Changes, now);
        assert_eq!(state.states_to_ask(), [2, 3, 5, GONE]);
        assert!(state.refuses(&Refusal::Changes) && state.not_licensed().is_empty());
        state.forget_old(now + Duration::hours(25));
        assert!(!state.refuses(&Refusal::Changes) && state.states_to_ask().contains(&4));
    }

    #[test]
    fn s1_a_state_survives_storage_and_garbage_is_a_fresh_start() {
        let mut state = State { suffix: Some("UTC-180".into()), ..State::default() };
        state.plain_has(3);
        let stored = serde_json::to_value(&state).expect("json");
        assert_eq!(State::parse(&stored), state);
        assert_eq!(State::parse(&serde_json::Value::Null), State::default());
        assert_eq!(State::parse(&serde_json::json!({"form": 7})), State::default());
        assert_eq!(state.states_to_ask(), [2, 4, 5, GONE]);
    }
}
