//! REST problems as the portal words them (facts/bitrix24.md §3.3).

use serde_json::{Map, Value};

/// A refused call.
#[derive(Clone, Debug)]
pub struct RestError {
    /// HTTP status when the call stands alone; inside a batch only code and text are seen.
    pub status: u16,
    /// Machine code, as sent in `error`.
    pub code: String,
    /// Text, as sent in `error_description`.
    pub description: String,
    /// Extra members such as `argument`.
    pub extra: Box<Map<String, Value>>,
}

/// Result of one method.
pub type RestResult<T> = Result<T, RestError>;

impl RestError {
    /// An error with any status.
    pub fn new(status: u16, code: &str, description: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), description: description.into(), extra: Box::default() }
    }

    /// Validation: 400.
    pub fn bad(code: &str, description: impl Into<String>) -> Self {
        Self::new(400, code, description)
    }

    /// `crm.item.*` answers missing rights with 400.
    pub fn denied() -> Self {
        Self::bad("ACCESS_DENIED", "Access denied.")
    }

    /// System methods answer missing rights with 403.
    pub fn forbidden(description: &str) -> Self {
        Self::new(403, "ACCESS_DENIED", description)
    }

    /// Unknown record or type.
    pub fn not_found() -> Self {
        Self::bad("NOT_FOUND", "Element not found")
    }

    /// A missing or bad argument.
    pub fn argument(name: &str, description: impl Into<String>) -> Self {
        let mut error = Self::bad("ERROR_ARGUMENT", description);
        error.extra.insert("argument".into(), Value::String(name.to_owned()));
        error
    }

    /// Legacy methods' catch-all.
    pub fn core(description: impl Into<String>) -> Self {
        Self::bad("ERROR_CORE", description)
    }

    /// The error as a JSON object.
    pub fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("error".into(), Value::String(self.code.clone()));
        body.insert("error_description".into(), Value::String(self.description.clone()));
        body.extend((*self.extra).clone());
        body
    }
}
