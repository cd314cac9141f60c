//! What is known of each method at one portal: how long its rows take, and how much of its operating limit (seconds it may
//! work within ten minutes, facts §5) is used. A method near its end is paused before the portal bans it; a banned one is
//! paused until its reset.

use std::collections::HashMap;

use super::call::Timing;
use super::forecast::Forecast;
use super::ports::MethodState;
use super::window::Window;

/// The cloud's limit, in seconds.
pub const OPERATING_SECONDS: u32 = 480;

/// A box has none until its admin turns one on; then it is this, unless he chose another (facts §5).
pub const BOX_OPERATING_SECONDS: u32 = 420;

/// Of the limit, how much is used before a method is paused.
const USABLE: f64 = 0.95;

/// A ban without a known reset, and the least wait after any ban (facts §3.3).
const LEAST_BAN_MS: i64 = 10_000;
const BLIND_BAN_MS: i64 = 60_000;

/// An answer that is older by this much than one before it was given after the portal's clock was set back.
const SET_BACK_MS: i64 = 60_000;
/// Nothing is counted for longer, whatever the portal's clock says.
const FORGOTTEN_MS: i64 = 600_000;

/// How far `operating` moves before it is written down, and by what share the time of a row.
const SAVE_STEP: f64 = 10.0;
const SAVE_SHARE: f64 = 0.25;

/// So many rows count as much as all that was learnt before them.
const MEMORY_ROWS: f64 = 40.0;

#[derive(Debug, Clone, PartialEq, Default)]
struct Method {
    window: Window,
    /// By the portal's clock: an answer that is older than the last one tells nothing of the counter.
    told_at: i64,
    /// As the portal told them last.
    operating: f64,
    /// Milliseconds; 0: unknown.
    reset_at: i64,
    blocked_until: i64,
    /// Seconds that requests under way will take, and how many those are.
    reserved: f64,
    under_way: u32,
    /// Requests begun: whether one had the counter to itself.
    begun: u64,
    /// Seconds a row takes; 0: unknown.
    row: f64,
    /// Seconds a row adds to the counter; as long as the counter did not show it, how long it took.
    cost: f64,
    measured: bool,
    saved: (f64, f64),
    /// The portal banned it and has answered no call since.
    banned: bool,
}

/// What a method takes, and what it may still take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pace {
    /// Seconds a row takes; `None` while nothing is known.
    pub row: Option<f64>,
    /// Seconds a row adds to the counter.
    pub cost: f64,
    /// Seconds left under the limit; none while the method is paused.
    pub left: f64,
    /// The portal banned it, and nobody knows whether that is over: one row shows it as well as fifty.
    pub on_trial: bool,
    /// What twenty rows need, or half of the limit; and when there will be room for it (ms).
    pub portion: f64,
    pub ready_at: i64,
    /// Requests under way.
    pub under_way: u32,
}

/// What one request has taken of a method, until it is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Share {
    method: String,
    seconds: f64,
    /// No other one was under way when it began, and which one it was.
    alone: bool,
    begun: u64,
}

impl Share {
    pub fn is_of(&self, method: &str) -> bool {
        self.method == method
    }
}

#[derive(Debug)]
pub(super) struct Methods {
    limit: f64,
    known: HashMap<String, Method>,
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn smooth(held: f64, new: f64, rows: usize) -> f64 {
    let share = number(rows) / (number(rows) + MEMORY_ROWS);
    if held > 0.0 { held + share * (new - held) } else { new }
}

impl Methods {
    pub(super) fn new(limit: f64) -> Self {
        Self { limit, known: HashMap::new() }
    }

    /// The portal's plan or its admin's word changed it.
    pub(super) fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
    }

    pub(super) fn load(&mut self, rows: Vec<MethodState>, now: i64) {
        for row in rows {
            let entry = self.known.entry(row.method).or_default();
            let window = if row.reset_at > 0 && row.operating > 0.0 {
                Window::of(row.operating, row.reset_at, row.reset_at.min(now))
            } else {
                Window::default()
            };
            let MethodState { operating, reset_at, blocked_until, banned, row: seconds, cost, .. } = row;
            *entry = Method {
                window,
                operating,
                reset_at,
                blocked_until,
                row: seconds,
                cost,
                measured: cost > 0.0,
                banned,
                saved: (operating, seconds),
                ..Method::default()
            };
        }
    }

    /// Until when the method may not be called; `None`: it may.
    pub(super) fn blocked_until(&self, method: &str, now: i64) -> Option<i64> {
        self.known.get(method).map(|known| known.blocked_until).filter(|until| *until > now)
    }

    /// Whether `already` further rows of this method and `rows` more fit under the limit, by what one took so far.
    /// Otherwise: when to ask again.
    pub(super) fn admit(&self, method: &str, already: usize, rows: usize, now: i64) -> Result<(), i64> {
        let Some(known) = self.known.get(method) else { return Ok(()) };
        if known.blocked_until > now {
            return Err(known.blocked_until);
        }
        let usable = self.limit * USABLE;
        let planned = known.window.used(now) + known.reserved + known.cost * number(already + rows);
        // Whether a ban is over one call shows as well as fifty.
        if already > 0 && known.banned {
            return Err(now + LEAST_BAN_MS);
        }
        // The first one always goes: whatever it costs, only the portal's answer can show what is counted.
        if already > 0 && planned > usable {
            let need = known.cost * number(already + rows) + known.reserved;
            return Err(known.window.free_at(now, need, usable).max(now + LEAST_BAN_MS));
        }
        Ok(())
    }

    /// What is known of a method; `share`: of the usable limit, how much whoever asks may use up.
    pub(super) fn pace(&self, method: &str, share: f64, now: i64) -> Pace {
        let Some(known) = self.known.get(method) else {
            return Pace { left: f64::INFINITY, ready_at: now, ..Pace::default() };
        };
        let usable = self.limit * USABLE * share;
        let portion = (20.0 * known.cost).min(usable / 2.0);
        let blocked = known.blocked_until > now || (known.banned && known.under_way > 0);
        Pace {
            row: (known.row > 0.0).then_some(known.row),
            cost: known.cost,
            left: if blocked { 0.0 } else { (usable - known.window.used(now) - known.reserved).max(0.0) },
            on_trial: known.banned,
            portion,
            ready_at: known.blocked_until.max(known.window.free_at(now, portion + known.reserved, usable)),
            under_way: known.under_way,
        }
    }

    /// A request with so many rows of the method begins.
    pub(super) fn reserve(&mut self, method: &str, rows: usize) -> Share {
        let known = self.known.entry(method.to_owned()).or_default();
        let share = Share {
            method: method.to_owned(),
            seconds: known.cost * number(rows),
            alone: known.under_way == 0,
            begun: known.begun,
        };
        known.reserved += share.seconds;
        known.under_way += 1;
        known.begun += 1;
        share
    }

    /// It has ended, however.
    pub(super) fn release(&mut self, share: &Share) {
        if let Some(known) = self.known.get_mut(&share.method) {
            known.under_way = known.under_way.saturating_sub(1);
            known.reserved = if known.under_way == 0 { 0.0 } else { (known.reserved - share.seconds).max(0.0) };
        }
    }

    /// Whether the request that took this share had the method's counter to itself.
    pub(super) fn alone(&self, share: &Share) -> bool {
        share.alone && self.known.get(&share.method).is_some_and(|known| known.begun == share.begun + 1)
    }

    /// A request with so many rows was not answered within this time: the next one must be smaller.
    pub(super) fn silent(&mut self, method: &str, rows: usize, seconds: f64) {
        let known = self.known.entry(method.to_owned()).or_default();
        known.row = known.row.max(seconds / number(rows.max(1)));
    }

    /// Learns from one request's answers for a method, in order: rows and time of each. Something to save comes back when
    /// it matters to others.
    pub(super) fn answered(
        &mut self,
        method: &str,
        answers: &[(usize, Timing)],
        alone: bool,
        now: i64,
    ) -> Option<MethodState> {
        let usable = self.limit * USABLE;
        let known = self.known.entry(method.to_owned()).or_default();
        let before = (!known.window.is_empty() || known.told_at > 0).then(|| known.window.used(now));
        known.learn(answers, before, alone);
        let freed = !answers.is_empty() && known.tried(now);
        for (_, timing) in answers {
            let Some(operating) = timing.operating else { continue };
            let at = timing.started_at.unwrap_or(now);
            if at < known.told_at && known.told_at - at < SET_BACK_MS {
                continue;
            }
            known.told_at = at;
            known.operating = operating;
            if known.blocked_until <= now {
                known.blocked_until = 0;
            }
            let reset_at =
                timing.operating_reset_at.map(|seconds| seconds.saturating_mul(1000).clamp(0, now + FORGOTTEN_MS));
            known.reset_at = reset_at.unwrap_or(known.reset_at);
            known.window.told(now, operating, reset_at);
        }
        let near_the_end = answers.iter().any(|(_, timing)| timing.operating.is_some()) && known.operating >= usable;
        if near_the_end {
            known.blocked_until = if known.reset_at > now { known.reset_at } else { now + BLIND_BAN_MS };
        }
        let (operating, row) = known.saved;
        let moved = (known.operating - operating).abs() >= SAVE_STEP || (known.row - row).abs() > SAVE_SHARE * row;
        (near_the_end || moved || freed).then(|| known.state(method))
    }

    /// The portal refused a call of the method for what was asked: whatever it was banned for is over.
    pub(super) fn refused(&mut self, method: &str, now: i64) -> Option<MethodState> {
        let known = self.known.get_mut(method)?;
        known.tried(now).then(|| known.state(method))
    }

    /// The portal banned the method: its answer carries no moment, the last good one may have (facts §5).
    pub(super) fn banned(&mut self, method: &str, now: i64) -> MethodState {
        let known = self.known.entry(method.to_owned()).or_default();
        let until = if known.reset_at > now { known.reset_at } else { now + BLIND_BAN_MS };
        known.blocked_until = until.max(now + LEAST_BAN_MS);
        known.banned = true;
        known.state(method)
    }

    /// When so many rows more will have been written by the method (ms).
    pub(super) fn done_at(&self, method: &str, rows: f64, terms: &Forecast, now: i64) -> i64 {
        let known = self.known.get(method).cloned().unwrap_or_default();
        let (row, cost) = if known.row > 0.0 { (known.row, known.cost) } else { (terms.unknown, terms.unknown) };
        terms.done_at(rows, row, cost, &known.window, self.limit * USABLE, known.blocked_until.max(now))
    }
}

impl Method {
    /// A call was carried out, or judged by what it asked: answers whether that ended a trial. One that began before the
    /// ban proves nothing of it; a box's answer tells no figures and proves as much.
    fn tried(&mut self, now: i64) -> bool {
        self.blocked_until <= now && std::mem::take(&mut self.banned)
    }

    fn learn(&mut self, answers: &[(usize, Timing)], before: Option<f64>, alone: bool) {
        let timed = answers.iter().filter_map(|(rows, timing)| Some((*rows, timing.duration?)));
        let (rows, seconds) = timed.fold((0, 0.0), |(rows, sum), (more, took)| (rows + more, sum + took));
        let row = self.row;
        if rows > 0 && seconds > 0.0 {
            self.row = smooth(row, seconds / number(rows), rows);
        }
        // The counter's growth over this request; its first answer counts where the value before it is known.
        let counted: Vec<(usize, f64)> =
            answers.iter().filter_map(|(rows, timing)| Some((*rows, timing.operating?))).collect();
        let (Some((first, start)), Some((_, end))) = (counted.first(), counted.last()) else { return };
        let all: usize = counted.iter().map(|(rows, _)| rows).sum();
        let (grown, rows_grown) = match before {
            Some(before) if end - before > 0.0 => (end - before, all),
            _ => (end - start, all - first),
        };
        if alone && grown > 0.0 && rows_grown > 0 {
            let held = if self.measured { self.cost } else { 0.0 };
            self.cost = smooth(held, grown / number(rows_grown), rows_grown);
            self.measured = true;
        } else if !self.measured {
            self.cost = self.row;
        } else if row > 0.0 && (0.5..2.0).contains(&(self.cost / row)) {
            // Requests side by side grow one counter: then what a row took is the better witness.
            self.cost *= self.row / row;
        }
    }

    fn state(&mut self, method: &str) -> MethodState {
        self.saved = (self.operating, self.row);
        MethodState {
            method: method.to_owned(),
            operating: self.operating,
            reset_at: self.reset_at,
            blocked_until: self.blocked_until,
            banned: self.banned,
            row: self.row,
            cost: self.cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(operating: f64, reset_at: i64, duration: f64) -> Timing {
        Timing {
            operating: Some(operating),
            operating_reset_at: Some(reset_at),
            duration: Some(duration),
            ..Timing::default()
        }
    }

    fn told(methods: &mut Methods, method: &str, timing: Timing, now: i64) -> Option<MethodState> {
        methods.answered(method, &[(1, timing)], true, now)
    }

    #[test]
    fn s48_a_method_pauses_before_the_ban_and_only_that_method() {
        let mut methods = Methods::new(480.0);
        told(&mut methods, "a", timing(1.0, 600, 0.1), 1_000);
        assert_eq!(told(&mut methods, "a", timing(5.0, 600, 0.1), 1_000), None, "small moves are not written down");
        let saved = told(&mut methods, "a", timing(456.0, 600, 0.1), 1_000).expect("saved");
        assert_eq!((saved.blocked_until, saved.reset_at), (600_000, 600_000));
        assert_eq!(methods.blocked_until("a", 599_999), Some(600_000));
        assert_eq!(methods.blocked_until("a", 600_000), None);
        assert_eq!(methods.blocked_until("b", 1_000), None);
        assert_eq!(methods.admit("a", 0, 1, 599_999), Err(600_000));
        assert_eq!(methods.admit("a", 0, 1, 600_000), Ok(()));
        assert_eq!(methods.admit("b", 49, 1, 1_000), Ok(()));
        assert!(methods.pace("a", 1.0, 1_000).left < 1e-9 && methods.pace("b", 1.0, 1_000).left > 1e9);
    }

    #[test]
    fn s48_a_portals_clock_that_is_ahead_or_set_back_holds_no_method_for_longer_than_the_limit_counts() {
        let mut methods = Methods::new(480.0);
        let at = |operating, started_at| Timing { started_at: Some(started_at), ..timing(operating, 7_800, 0.1) };
        let saved = told(&mut methods, "a", at(456.0, 7_200_000), 1_000).expect("saved");
        assert_eq!((saved.blocked_until, saved.reset_at), (601_000, 601_000));
        told(&mut methods, "a", at(9.0, 7_199_000), 2_000);
        assert!(methods.pace("a", 1.0, 601_000).left < 1.0, "an older answer tells nothing");
        told(&mut methods, "a", at(9.0, 3_000), 3_000);
        assert!(methods.pace("a", 1.0, 601_000).left > 440.0, "its clock was set right");
    }

    #[test]
    fn s48_a_batch_takes_no_more_commands_than_fit_under_the_limit() {
        let mut methods = Methods::new(480.0);
        told(&mut methods, "import", timing(444.0, 600, 0.1), 0);
        told(&mut methods, "import", timing(446.0, 600, 0.1), 0);
        assert_eq!((0..50).take_while(|n| methods.admit("import", *n, 1, 0).is_ok()).count(), 5, "446 + 5 × 2 ≤ 456");
        assert_eq!(methods.admit("import", 6, 1, 0), Err(600_000));
        assert!(
            (0..50).take_while(|n| methods.admit("import", *n, 1, 600_000).is_ok()).count() >= 27,
            "it is forgotten"
        );
    }

    #[test]
    fn s1_requests_side_by_side_share_what_is_left() {
        let mut methods = Methods::new(480.0);
        methods.answered("import", &[(20, timing(6.0, 600, 6.0)), (20, timing(12.0, 600, 6.0))], true, 0);
        let before = methods.pace("import", 1.0, 0);
        assert!((before.left - 444.0).abs() < 1e-6 && (before.cost - 0.3).abs() < 1e-6, "{before:?}");
        let (one, other) = (methods.reserve("import", 100), methods.reserve("import", 1_000));
        assert!((methods.pace("import", 1.0, 0).left - 114.0).abs() < 1e-6);
        assert!((methods.pace("import", 0.5, 0).left).abs() < 1e-6, "who may use half finds nothing");
        assert_eq!(methods.admit("import", 400, 1, 0), Err(600_000));
        assert!(!methods.alone(&other) && !methods.alone(&one), "each saw the other");
        methods.release(&other);
        methods.release(&one);
        assert!((methods.pace("import", 1.0, 0).left - 444.0).abs() < 1e-6);
        let next = methods.reserve("import", 1);
        assert!(methods.alone(&next));
    }

    #[test]
    fn s1_what_a_row_takes_is_learnt_anew_when_it_changes_and_side_by_side_too() {
        let mut methods = Methods::new(480.0);
        methods.answered("import", &[(20, timing(2.0, 600, 2.0)), (20, timing(4.0, 600, 2.0))], true, 0);
        // Another request's twenty rows are counted in between.
        for n in 1..=4 {
            let at = 4.0 + 40.0 * f64::from(n);
            let answers = [(20, timing(at - 20.0, 600, 10.0)), (20, timing(at, 600, 10.0))];
            methods.answered("import", &answers, false, 0);
        }
        let pace = methods.pace("import", 1.0, 0);
        assert!(pace.row.is_some_and(|row| (0.45..=0.5).contains(&row)), "{pace:?}");
        assert!((0.45..=0.5).contains(&pace.cost), "not twice as much: {pace:?}");
        methods.silent("import", 100, 60.0);
        assert_eq!(methods.pace("import", 1.0, 0).row, Some(0.6), "100 rows were too many for a minute");
        methods.silent("import", 1_000, 1.0);
        assert_eq!(methods.pace("import", 1.0, 0).row, Some(0.6), "a connection that broke at once says nothing");
    }

    #[test]
    fn s48_a_ban_lasts_until_the_reset_known_from_the_last_answer() {
        let mut methods = Methods::new(480.0);
        assert_eq!(methods.banned("x", 1_000).blocked_until, 61_000, "no reset known");
        told(&mut methods, "a", timing(300.0, 100, 0.5), 1_000);
        assert_eq!(methods.banned("a", 1_000).blocked_until, 100_000);
        assert_eq!(methods.banned("a", 99_000).blocked_until, 109_000, "never less than ten seconds");
        assert_eq!(methods.admit("a", 0, 1, 109_000), Ok(()), "then one call shows whether it is over …");
        assert_eq!(methods.admit("a", 1, 1, 109_000), Err(119_000));
        assert!(methods.pace("a", 1.0, 109_000).on_trial && methods.pace("a", 1.0, 109_000).left > 0.0);
        let trial = methods.reserve("a", 1);
        assert!(methods.pace("a", 1.0, 109_000).left <= 0.0, "… no second one beside it");
        methods.release(&trial);
        let freed = told(&mut methods, "a", timing(1.0, 800, 0.5), 110_000);
        assert_eq!(methods.admit("a", 1, 1, 110_000), Ok(()), "… and it is");
        assert!(freed.is_some_and(|state| !state.banned) && !methods.pace("a", 1.0, 110_000).on_trial, "all are told");
        methods.banned("a", 111_000);
        told(&mut methods, "a", timing(1.0, 800, 0.5), 112_000);
        assert!(methods.pace("a", 1.0, 800_000).on_trial, "what began before the ban ends no trial");
        assert!(methods.refused("a", 112_500).is_none() && methods.refused("b", 1).is_none());
        assert!(methods.refused("a", 800_000).is_some_and(|state| !state.banned), "it runs, whatever it says");
        methods.banned("box", 1_000);
        methods.answered("box", &[(1, Timing::default())], true, 61_000);
        assert!(!methods.pace("box", 1.0, 61_000).on_trial, "a box tells no figures");
        let mut other = Methods::new(480.0);
        let state = MethodState {
            method: "a".into(),
            operating: 300.0,
            reset_at: 100_000,
            blocked_until: 109_000,
            banned: true,
            row: 0.2,
            cost: 0.3,
        };
        other.load(vec![state], 50_000);
        assert_eq!(other.blocked_until("a", 100_000), Some(109_000), "another node knows");
        assert_eq!(other.admit("a", 1, 1, 109_000), Err(119_000), "and tries it with one call, too");
        let pace = other.pace("a", 1.0, 109_000);
        assert_eq!((pace.row, pace.cost), (Some(0.2), 0.3), "and how long a row takes");
    }
}
