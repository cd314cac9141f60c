//! What the portal saw: one entry per HTTP request.

use serde::Serialize;

/// One HTTP request.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Counts up from 1.
    pub id: u64,
    /// Portal clock, unix milliseconds.
    pub at_ms: i64,
    /// `portal` or `oauth`.
    pub host: &'static str,
    /// `GET`, `POST`.
    pub verb: String,
    /// Method in lower case; `oauth/token`, `oauth/app.info` at the OAuth host; v3 methods begin with `api/`.
    pub method: String,
    /// Methods inside a batch.
    pub commands: Vec<String>,
    /// HTTP status; 0 when the connection was broken.
    pub status: u16,
    /// `ok`, an error code, or `fault`.
    pub outcome: String,
    /// Errors of commands inside a batch.
    pub errors: Vec<String>,
    /// User of the token; 0 when none.
    pub user: i64,
    /// Wall time spent.
    pub ms: u64,
    /// Size of the body received.
    pub bytes: usize,
    /// `User-Agent`.
    pub agent: String,
    /// Parameters, tokens taken out; kept for the newest few hundred requests up to 64 KiB.
    pub params: serde_json::Value,
}

/// Keeps the last hundred thousand.
#[derive(Debug, Default)]
pub struct RequestLog {
    entries: std::collections::VecDeque<Request>,
    next: u64,
}

const KEPT: usize = 100_000;
const WITH_PARAMS: usize = 500;

impl RequestLog {
    /// Adds an entry and numbers it.
    pub fn push(&mut self, mut request: Request) {
        self.next += 1;
        request.id = self.next;
        self.entries.push_back(request);
        if self.entries.len() > KEPT {
            self.entries.pop_front();
        }
        if let Some(at) = self.entries.len().checked_sub(WITH_PARAMS + 1)
            && let Some(old) = self.entries.get_mut(at)
        {
            old.params = serde_json::Value::Null;
        }
    }

    /// All kept entries, oldest first.
    pub fn all(&self) -> Vec<Request> {
        self.entries.iter().cloned().collect()
    }

    /// The newest entries, newest first.
    pub fn newest(&self, count: usize) -> Vec<Request> {
        self.entries.iter().rev().take(count).cloned().collect()
    }

    /// Entries ever seen.
    pub fn count(&self) -> u64 {
        self.next
    }

    /// Starts anew; numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
