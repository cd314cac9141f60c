//! One command and its answer.

use serde_json::Value;

/// Which REST a method belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    V2,
    /// `/rest/api/`, JSON only, `Idempotency-Key` honoured.
    V3,
}

/// Who waits for the call: the order in which the portal's allowance is given out (product §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    Person,
    Live,
    Import,
    Reconciliation,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub method: String,
    /// A JSON object.
    pub params: Value,
    /// Records it writes or reads.
    pub rows: usize,
}

impl Call {
    pub fn new(method: impl Into<String>, params: Value) -> Self {
        Self { method: method.into(), params, rows: 1 }
    }

    /// What it takes of which method's limit, in rows.
    pub fn load(&self) -> (&str, usize) {
        (&self.method, self.rows)
    }
}

/// The `time` block of an answer, as far as it matters to the allowance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timing {
    pub operating: Option<f64>,
    /// Unix seconds.
    pub operating_reset_at: Option<i64>,
    pub duration: Option<f64>,
    /// When the portal began, by its own clock (ms).
    pub started_at: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub result: Value,
    pub total: Option<i64>,
    pub next: Option<i64>,
    pub timing: Timing,
}
