//! One clock of a request (decision 5): when it ran, and what that is against what was promised.
//!
//! It holds moments only. What was promised and by which calendar is asked anew with every reading, so that a changed SLA
//! applies to all of a request's time and forgets none of its pauses.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Pause {
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
}

/// Moments never go back: one that is told late counts as the last one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    started: DateTime<Utc>,
    pauses: Vec<Pause>,
    stopped: Option<DateTime<Utc>>,
}

/// A day that people agreed on, and when they did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub on: DateTime<Utc>,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Minutes of working time.
    Within(u32),
    /// A moment; pauses since it was agreed on put it off by the working time in them.
    Agreed(Agreement),
    /// By agreement, and there is none yet: no deadline.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Running,
    Paused,
    Stopped,
}

/// A clock at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub standing: Standing,
    /// Working time, without pauses.
    pub spent: TimeDelta,
    /// When it must stop, or should have; none where it was stopped in time, is paused before, or nothing was promised.
    pub deadline: Option<DateTime<Utc>>,
    /// When people must be warned, or should have been.
    pub warn_at: Option<DateTime<Utc>>,
    pub breached: bool,
}

impl Clock {
    pub fn start(at: DateTime<Utc>) -> Self {
        Self { started: at, pauses: Vec::new(), stopped: None }
    }

    pub fn standing(&self) -> Standing {
        match (self.stopped, self.pauses.last()) {
            (Some(_), _) => Standing::Stopped,
            (None, Some(Pause { to: None, .. })) => Standing::Paused,
            (None, _) => Standing::Running,
        }
    }

    pub fn pause(&mut self, at: DateTime<Utc>) {
        if self.standing() == Standing::Running {
            let from = self.not_before(at);
            self.pauses.push(Pause { from, to: None });
        }
    }

    pub fn resume(&mut self, at: DateTime<Utc>) {
        if self.standing() == Standing::Paused {
            self.end_pause(self.not_before(at));
        }
    }

    pub fn stop(&mut self, at: DateTime<Utc>) {
        if self.standing() != Standing::Stopped {
            let at = self.not_before(at);
            self.end_pause(at);
            self.stopped = Some(at);
        }
    }

    fn end_pause(&mut self, at: DateTime<Utc>) {
        if let Some(Pause { to: to @ None, .. }) = self.pauses.last_mut() {
            *to = Some(at);
        }
    }

    fn not_before(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let last = self.pauses.last().map_or(self.started, |pause| pause.to.unwrap_or(pause.from));
        at.max(last)
    }

    /// The stretches in which it ran; only the last one may have no end.
    fn runs(&self) -> impl Iterator<Item = (DateTime<Utc>, Option<DateTime<Utc>>)> {
        let begins = std::iter::once(Some(self.started)).chain(self.pauses.iter().map(|pause| pause.to));
        let ends = self.pauses.iter().map(|pause| Some(pause.from)).chain(std::iter::once(self.stopped));
        begins.zip(ends).filter_map(|(begin, end)| Some((begin?, end)))
    }

    /// The working time it ran for until `now`.
    pub fn spent(&self, calendar: &Calendar, now: DateTime<Utc>) -> TimeDelta {
        self.runs().map(|(from, to)| calendar.working_between(from, to.unwrap_or(now).min(now))).sum()
    }

    pub fn read(&self, calendar: &Calendar, target: Target, warn_percent: u8, now: DateTime<Utc>) -> Reading {
        let part = |whole: TimeDelta| TimeDelta::seconds(whole.num_seconds() * i64::from(warn_percent) / 100);
        let (deadline, warn_at) = match target {
            Target::Within(minutes) => {
                let whole = TimeDelta::minutes(i64::from(minutes));
                (self.due(calendar, self.started, whole), self.due(calendar, self.started, part(whole)))
            }
            Target::Agreed(agreed) => {
                let whole = calendar.working_between(agreed.at, agreed.on);
                (self.agreed(calendar, agreed), self.due(calendar, agreed.at, part(whole)))
            }
            Target::Open => (None, None),
        };
        let end = self.stopped.unwrap_or(now);
        Reading {
            standing: self.standing(),
            spent: self.spent(calendar, now),
            deadline,
            warn_at,
            breached: deadline.is_some_and(|deadline| deadline < end),
        }
    }

    /// When so much working time has gone by while it ran, counted from `since`. What ends exactly then is in time, so a stretch
    /// that ends then leaves the rest, which is nothing, to the next one.
    fn due(&self, calendar: &Calendar, since: DateTime<Utc>, amount: TimeDelta) -> Option<DateTime<Utc>> {
        let mut left = amount;
        for (from, to) in self.runs() {
            let from = from.max(since);
            let due = calendar.add_working(from, left);
            let Some(to) = to else { return due };
            if due.is_some_and(|due| due < to) {
                return due;
            }
            left -= calendar.working_between(from, to);
        }
        None
    }

    fn agreed(&self, calendar: &Calendar, agreed: Agreement) -> Option<DateTime<Utc>> {
        let mut deadline = agreed.on;
        for pause in &self.pauses {
            if pause.from > deadline {
                break;
            }
            let lost = calendar.working_between(pause.from.max(agreed.at), pause.to?);
            if lost > TimeDelta::zero() {
                deadline = calendar.add_working(deadline, lost)?;
            }
        }
        Some(deadline).filter(|deadline| self.stopped.is_none_or(|stopped| *deadline < stopped))
    }
}
