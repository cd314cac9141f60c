//! The clocks against the documents, against a slow reference, and against what peers' users complain of (their trackers'
//! numbers stand with the tests).

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::calendar::Calendar;
use super::calendar_tests::{at, calendars, every_day, moscow};
use super::clock::*;
use super::clocks::Clocks;
use super::holidays::Holidays;
use super::life::{Action, Fact, Reason, Role, State, decide};
use super::sla::Promise;

/// On Monday, 23 November 2026, by Moscow's clock.
fn monday(time: &str) -> DateTime<Utc> {
    at(&format!("2026-11-23T{time}:00+03:00"))
}

fn tuesday(time: &str) -> DateTime<Utc> {
    monday(time) + TimeDelta::days(1)
}

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

fn read(clock: &Clock, within: u32, now: DateTime<Utc>) -> Reading {
    clock.read(&moscow(), Target::Within(within), 80, now)
}

fn paused(from: DateTime<Utc>, to: DateTime<Utc>) -> Clock {
    let mut clock = Clock::start(monday("09:00"));
    clock.pause(from);
    clock.resume(to);
    clock
}

/// A request walked through its life, as the desk would.
struct Desk {
    state: State,
    clocks: Clocks,
}

impl Desk {
    fn new(at: DateTime<Utc>) -> Self {
        Self { state: State::Registered, clocks: Clocks::start(at) }
    }

    fn act(&mut self, action: Action, role: Role, at: DateTime<Utc>) -> &mut Self {
        let transition = decide(self.state, &action, role).expect("a step");
        self.clocks.note(&action, &Fact { transition, role, at });
        self.state = transition.to;
        self
    }

    fn read(&self, now: DateTime<Utc>) -> super::clocks::Readings {
        let promise = Promise { first_answer: Some(60), next_update: Some(120), solution: Some(480) };
        self.clocks.read(&moscow(), promise, 80, now)
    }
}

fn reason() -> Reason {
    Reason::parse("no").expect("a reason")
}

#[test]
fn s19_s55_a_clock_ends_by_working_time_and_the_last_moment_is_in_time() {
    let clock = Clock::start(monday("17:30"));
    let deadline = tuesday("09:30");
    let reading = read(&clock, 60, deadline);
    assert_eq!((reading.standing, reading.spent, reading.deadline), (Standing::Running, minutes(60), Some(deadline)));
    assert_eq!(reading.warn_at, Some(tuesday("09:18")), "before the breach, by working time");
    assert!(!reading.breached && read(&clock, 60, deadline + TimeDelta::seconds(1)).breached);
    let mut stopped = clock.clone();
    stopped.stop(deadline);
    let reading = read(&stopped, 60, tuesday("17:00"));
    assert_eq!((reading.standing, reading.deadline, reading.breached), (Standing::Stopped, None, false));
    let mut late = clock;
    late.stop(tuesday("09:31"));
    let reading = read(&late, 60, tuesday("17:00"));
    assert_eq!((reading.deadline, reading.breached), (Some(deadline), true), "once broken, for good");
}

/// osTicket 3034: the clock never paused. Frappe Helpdesk 1554: it said "paused" and ticked on.
#[test]
fn s41_a_paused_clock_does_not_tick() {
    let mut clock = Clock::start(monday("09:00"));
    clock.pause(monday("10:00"));
    let (then, later) = (read(&clock, 480, monday("10:00")), read(&clock, 480, monday("10:00") + TimeDelta::days(60)));
    assert_eq!((later.standing, later.spent, later.deadline), (Standing::Paused, minutes(60), None));
    assert_eq!(then, later);
    clock.resume(tuesday("10:00"));
    assert_eq!(read(&clock, 480, tuesday("10:00")).deadline, Some(tuesday("17:00")));
}

/// GLPI 24481: a request was violated while it was pending.
#[test]
fn s41_nothing_is_broken_while_the_customer_is_waited_for() {
    let mut clock = Clock::start(monday("09:00"));
    clock.pause(monday("10:00"));
    assert!(!read(&clock, 60, tuesday("17:00")).breached, "paused at the last moment");
    let mut broken = Clock::start(monday("09:00"));
    broken.pause(monday("10:01"));
    let reading = read(&broken, 60, tuesday("17:00"));
    assert_eq!((reading.breached, reading.deadline), (true, Some(monday("10:00"))), "a pause heals nothing");
}

/// GLPI 15605: another SLA forgot the pauses there had been.
#[test]
fn s19_s41_another_promise_or_calendar_keeps_past_pauses() {
    let clock = paused(monday("10:00"), monday("14:00"));
    let now = monday("14:00");
    assert_eq!(read(&clock, 120, now).deadline, Some(monday("15:00")));
    assert_eq!(read(&clock, 240, now).deadline, Some(monday("17:00")));
    let round = Calendar::new(chrono_tz::Tz::UTC, every_day("00:00-24:00"), Holidays::default()).expect("a calendar");
    let reading = clock.read(&round, Target::Within(12 * 60), 80, now);
    assert_eq!((reading.spent, reading.deadline), (minutes(60), Some(tuesday("01:00"))));
}

/// GLPI 21229: a solution could not be refused until the SLA's calendar was changed.
#[test]
fn s44_a_dispute_renews_the_solution_s_clock_at_any_hour_and_by_any_calendar() {
    let mut desk = Desk::new(monday("09:00"));
    desk.act(Action::Take, Role::Operator, monday("09:05")).act(Action::Answer, Role::Operator, monday("16:00"));
    assert_eq!(desk.read(tuesday("12:00")).solution.standing, Standing::Stopped);
    let sunday = monday("12:00") + TimeDelta::days(6);
    desk.act(Action::Dispute(reason()), Role::Submitter, sunday);
    let solution = desk.read(sunday).solution;
    assert_eq!((solution.standing, solution.spent), (Standing::Running, minutes(0)));
    assert_eq!(solution.deadline, Some(monday("17:00") + TimeDelta::days(7)), "eight hours of the next working day");
    assert_eq!(desk.clocks.disputes(), 1);
    let promise = Promise { first_answer: None, next_update: None, solution: Some(60) };
    let disputed = desk.clocks.read_disputed(&moscow(), promise, sunday);
    assert!(disputed.iter().all(|reading| reading.breached && reading.spent == minutes(7 * 60)), "what was, was");
}

/// Zammad 3140: the update clock broke although the agent had spoken last.
#[test]
fn s42_whoever_spoke_last_owes_nothing() {
    let mut desk = Desk::new(monday("09:00"));
    desk.act(Action::Take, Role::Operator, monday("09:05")).act(Action::Say, Role::Operator, monday("09:10"));
    assert_eq!(desk.read(tuesday("12:00")).next_update, None, "the customer said nothing since");
    desk.act(Action::Say, Role::Submitter, monday("10:00")).act(Action::Say, Role::Submitter, monday("11:30"));
    let update = desk.read(monday("11:30")).next_update.expect("a clock");
    assert_eq!(update.deadline, Some(monday("12:00")), "from his first word that was not answered");
    desk.act(Action::Say, Role::Manager, monday("11:45"));
    let update = desk.read(tuesday("12:00")).next_update.expect("a clock");
    assert_eq!((update.standing, update.breached), (Standing::Stopped, false));
    desk.act(Action::Answer, Role::Operator, monday("12:00")).act(Action::Say, Role::Submitter, monday("12:05"));
    let update = desk.read(tuesday("12:00")).next_update.expect("a clock");
    assert_eq!((update.standing, update.breached), (Standing::Stopped, false), "a thank you asks for nothing");
}

/// Zammad 5177: the update clock overruled the first answer's.
#[test]
fn s42_before_the_first_answer_there_is_no_next_one() {
    let mut desk = Desk::new(monday("09:00"));
    desk.act(Action::Say, Role::Submitter, monday("09:30"));
    let readings = desk.read(monday("09:30"));
    assert_eq!((readings.next_update, readings.first_answer.deadline), (None, Some(monday("10:00"))));
    desk.act(Action::Take, Role::Operator, monday("09:40"));
    assert_eq!(
        desk.read(monday("09:45")).first_answer.standing,
        Standing::Running,
        "taking it up tells nobody anything"
    );
}

#[test]
fn s41_the_solution_waits_while_the_customer_is_asked() {
    let mut desk = Desk::new(monday("09:00"));
    desk.act(Action::Take, Role::Operator, monday("09:00")).act(Action::Ask, Role::Operator, monday("09:30"));
    let readings = desk.read(tuesday("12:00"));
    assert_eq!(readings.solution.standing, Standing::Paused);
    assert_eq!((readings.first_answer.standing, readings.first_answer.breached), (Standing::Stopped, false));
    desk.act(Action::Say, Role::Representative, tuesday("09:00"));
    let readings = desk.read(tuesday("09:00"));
    assert_eq!(readings.solution.deadline, Some(tuesday("16:30")));
    assert_eq!(readings.next_update.expect("a clock").deadline, Some(tuesday("11:00")));
    desk.act(Action::Withdraw(reason()), Role::Submitter, tuesday("09:10"));
    let readings = desk.read(tuesday("18:00") + TimeDelta::days(90));
    for reading in [readings.first_answer, readings.next_update.expect("a clock"), readings.solution] {
        assert_eq!((reading.standing, reading.breached), (Standing::Stopped, false));
    }
}

#[test]
fn s16_s19_by_agreement_there_is_no_deadline_until_there_is_a_day() {
    let mut desk = Desk::new(monday("09:00"));
    let promise = Promise { first_answer: Some(1080), next_update: None, solution: None };
    let read = |desk: &Desk, now| desk.clocks.read(&moscow(), promise, 50, now).solution;
    let reading = read(&desk, monday("12:00") + TimeDelta::days(400));
    assert_eq!((reading.deadline, reading.warn_at, reading.breached), (None, None, false));
    // A Saturday: what people agreed on is the day, whoever works then.
    let saturday = monday("20:00") + TimeDelta::days(5);
    desk.clocks.agree(saturday, monday("09:00"));
    assert_eq!(read(&desk, monday("10:00")).deadline, Some(saturday));
    desk.act(Action::Take, Role::Operator, monday("10:00")).act(Action::Ask, Role::Operator, tuesday("10:00"));
    assert_eq!(read(&desk, saturday + TimeDelta::days(9)).deadline, None, "it waits for the customer");
    desk.act(Action::Resume, Role::Operator, tuesday("13:00"));
    let reading = read(&desk, tuesday("13:00"));
    assert_eq!(reading.deadline, Some(monday("12:00") + TimeDelta::days(7)), "three working hours later");
    assert_eq!(reading.warn_at, Some(monday("16:30") + TimeDelta::days(2)), "half of 45 hours, and the pause");
    desk.act(Action::Answer, Role::Operator, tuesday("14:00")).act(
        Action::Dispute(reason()),
        Role::Submitter,
        tuesday("15:00"),
    );
    assert_eq!(read(&desk, tuesday("15:00")).deadline, None, "another solution, another day");
}

#[test]
fn s41_moments_that_are_told_late_do_not_turn_a_clock_back() {
    let mut clock = Clock::start(monday("12:00"));
    clock.pause(monday("11:00"));
    clock.pause(monday("13:00"));
    clock.resume(monday("10:00"));
    clock.resume(monday("14:00"));
    assert_eq!(clock.spent(&moscow(), monday("15:00")), minutes(180));
    clock.stop(monday("09:00"));
    clock.stop(monday("15:00"));
    assert_eq!(clock.spent(&moscow(), monday("17:00")), minutes(0));
    let kept: Clock = serde_json::from_value(serde_json::to_value(&clock).expect("json")).expect("a clock");
    assert_eq!(kept, clock);
}

/// What happens to a clock after so many minutes.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Pause,
    Resume,
    Stop,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn s19_s41_s55_a_clock_is_what_a_count_of_minutes_says(
        (reference, start) in calendars(),
        happens in prop::collection::vec(
            (0_usize..700, prop::sample::select(vec![Happens::Pause, Happens::Resume, Happens::Pause, Happens::Resume, Happens::Stop])),
            0..8,
        ),
        within in 1_u32..1500,
        other in 1_u32..1500,
        look in 0_usize..4 * 1440,
    ) {
        let calendar = reference.calendar();
        let mut clock = Clock::start(start);
        let mut runs = vec![true; 4 * 1440];
        let (mut after, mut stopped, mut now_runs) = (0, None, true);
        for (later, what) in happens {
            let begin = after;
            after += later;
            runs[begin.min(4 * 1440)..after.min(4 * 1440)].fill(now_runs && stopped.is_none());
            let moment = start + minutes(i64::try_from(after).expect("minutes"));
            match what {
                Happens::Pause => { clock.pause(moment); now_runs = false; }
                Happens::Resume => { clock.resume(moment); now_runs = true; }
                Happens::Stop => { clock.stop(moment); stopped = stopped.or(Some(after)); }
            }
        }
        let now = start + minutes(i64::try_from(look).expect("minutes"));
        if after.max(stopped.unwrap_or(0)) <= look {
            runs[after.min(4 * 1440)..].fill(now_runs && stopped.is_none());
            // A promise that is changed afterwards finds the same time spent.
            for within in [within, other] {
                let reading = clock.read(&calendar, Target::Within(within), 80, now);
                let mut spent = 0_u32;
                let mut used_up = None;
                for (minute, runs) in runs.iter().enumerate().take(look) {
                    let moment = start + minutes(i64::try_from(minute).expect("minutes"));
                    // Used up, and running on: by the first minute that is too much, whether it is worked or not.
                    if spent == within && *runs && used_up.is_none() {
                        used_up = Some(minute);
                    }
                    spent += u32::from(*runs && reference.works(moment));
                }
                prop_assert_eq!(reading.spent, minutes(i64::from(spent)));
                prop_assert_eq!(reading.breached, used_up.is_some(), "{:?}", reading);
                if let Some(minute) = used_up {
                    let moment = start + minutes(i64::try_from(minute).expect("minutes"));
                    prop_assert_eq!(reading.deadline, Some(moment));
                }
                prop_assert!(reading.deadline.is_none() || reading.warn_at <= reading.deadline);
            }
        }
    }
}
