//! Faults to come, in order: each is used once, by the first request it fits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Answers, but only after that time.
    Delay(Duration),
    /// The connection ends before anything is done.
    DropBefore,
    /// Everything is done, the answer never comes: unknown outcome.
    DropAfter,
    /// An HTML page with this HTTP status.
    Html(u16),
    /// Half of the answer, then nothing: the document ends in the middle.
    Truncated,
    /// Half of the answer, then the connection ends although more was announced.
    Broken,
    /// HTTP 200 with nothing in it.
    Empty,
    /// This body instead of the answer, as it stands.
    Garbage(String),
    /// A status of the interface with a message.
    Status(String, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Planned {
    fault: Fault,
    only: Option<String>,
    always: bool,
}

/// The queue of faults; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<VecDeque<Planned>>>);

impl Faults {
    fn add(&self, fault: Fault, only: Option<&str>, always: bool) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(Planned { fault, only: only.map(str::to_owned), always });
    }

    /// The next request fails so.
    pub fn push(&self, fault: Fault) {
        self.add(fault, None, false);
    }

    /// The next request of that type (`Reservation`, `Profile`, `SystemDate` …) or with that `Name` fails so.
    pub fn push_for(&self, what: &str, fault: Fault) {
        self.add(fault, Some(what), false);
    }

    /// Every request fails so until [`Faults::clear`].
    pub fn always(&self, fault: Fault) {
        self.add(fault, None, true);
    }

    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes the first planned fault that fits a request with these types and names.
    pub fn take(&self, of: &[String]) -> Option<Fault> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let position = queue.iter().position(|p| p.only.as_ref().is_none_or(|only| of.contains(only)))?;
        match queue.get(position) {
            Some(planned) if planned.always => Some(planned.fault.clone()),
            _ => queue.remove(position).map(|planned| planned.fault),
        }
    }
}
