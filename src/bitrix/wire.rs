//! One HTTP answer: read within a bound, then told apart into result, refusal and nonsense (facts §3.2).

use serde_json::Value;

use super::call::{Answer, Timing};
use super::codes::At;
use super::de;
use super::error::Error;

/// An answer whose body was read whole.
#[derive(Debug)]
pub(super) struct Raw {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// Reads a body up to `limit` bytes; a longer one is nonsense, and is not kept.
pub(super) async fn read(mut response: reqwest::Response, limit: usize) -> Result<Raw, Error> {
    let status = response.status().as_u16();
    let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| lost(&e))? {
        if body.len() + chunk.len() > limit {
            return Err(Error::unreadable(status, format!("longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Raw { status, location, body })
}

impl Raw {
    pub(super) fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// The body as JSON, with the status. HTML, an empty 200 and a broken text are nonsense of unknown outcome.
    pub(super) fn json(&self) -> Result<(u16, Value), Error> {
        let trimmed = self.body.trim_ascii();
        if trimmed.is_empty() {
            return Err(Error::unreadable(self.status, "empty body"));
        }
        match serde_json::from_slice(trimmed) {
            Ok(json) => Ok((self.status, json)),
            Err(_) if trimmed.starts_with(b"<") => Err(Error::unreadable(self.status, "HTML instead of JSON")),
            // The text of serde's error may quote the body.
            Err(error) => Err(Error::unreadable(self.status, format!("no JSON (at byte {})", error.column()))),
        }
    }
}

/// Whether the request can have left: not if no connection was made.
pub(super) fn transport(error: &reqwest::Error) -> Error {
    if let Some(refused) = crate::net::refusal(error) {
        return match refused {
            crate::net::Refused::NoAddress { .. } => Error::unsent(refused.to_string()),
            _ => Error::address(refused.to_string()),
        };
    }
    if error.is_builder() {
        return Error::internal("the request cannot be built");
    }
    if error.is_connect() {
        if let Some(fault) = crate::net::tls_fault(error) {
            return Error::tls(fault);
        }
        return Error::unsent(format!("no connection: {}", root_cause(error)));
    }
    lost(error)
}

fn lost(error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::unanswered("no answer in time");
    }
    Error::unanswered(root_cause(error))
}

/// The innermost cause: it names neither URL nor body.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().chars().take(200).collect()
}

/// The refusal in an answer, if it is one. The status alone decides only where there is no code.
pub(super) fn refusal(at: At, status: u16, json: &Value) -> Option<Error> {
    let code = json.get("error").filter(|error| !error.is_null() && **error != Value::Bool(false));
    let Some(code) = code else {
        return (status >= 300).then(|| Error::unreadable(status, "neither a result nor an error code"));
    };
    if code.as_str() == Some("") && json.get("result").is_some() && status < 300 {
        return None;
    }
    let describe = |value: Option<&Value>| value.and_then(de::text).unwrap_or_default();
    if code.is_object() {
        // REST 3.0 (facts §3.5): the fields at fault are named, their values are not.
        let inner = describe(code.get("code"));
        let fields: Vec<_> = code
            .get("validation")
            .map(de::elements)
            .unwrap_or_default()
            .iter()
            .filter_map(|one| de::text(one.get("field")?))
            .collect();
        let mut text = describe(code.get("message"));
        if !fields.is_empty() {
            text = format!("{text} ({})", fields.join(", "));
        }
        return Some(Error::refused(at, &inner, &text, status));
    }
    let text = describe(json.get("error_description"));
    Some(Error::refused(at, &de::text(code).unwrap_or_default(), &text, status))
}

pub(super) fn timing(time: Option<&Value>) -> Timing {
    let get = |key: &str| time.and_then(|time| time.get(key));
    Timing {
        operating: get("operating").and_then(de::float),
        operating_reset_at: get("operating_reset_at").and_then(de::int),
        duration: get("duration").and_then(de::float),
        started_at: get("start").and_then(de::float).and_then(|seconds| {
            let since = std::time::Duration::try_from_secs_f64(seconds).ok()?;
            i64::try_from(since.as_millis()).ok()
        }),
    }
}

/// A single command's answer.
pub(super) fn answer(mut json: Value) -> Answer {
    let get = |key: &str| json.get(key).and_then(de::int);
    let (total, next) = (get("total"), get("next"));
    let timing = timing(json.get("time"));
    let result = json.get_mut("result").map(Value::take).unwrap_or_default();
    Answer { result, total, next, timing }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bitrix::{Class, ErrorKind};

    fn raw(status: u16, body: &str) -> Raw {
        Raw { status, location: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn s48_html_empty_and_broken_bodies_are_of_unknown_outcome() {
        for (status, body) in
            [(200, ""), (200, "  \n"), (502, "<html>Bad gateway</html>"), (403, "<html>"), (200, "{\"result\":")]
        {
            let error = raw(status, body).json().expect_err("nonsense");
            assert!(error.outcome_unknown && matches!(error.kind, ErrorKind::Unreadable { .. }), "{status} {body}");
            assert!(matches!(error.class, Class::Retry { .. }));
        }
    }

    #[test]
    fn s48_errors_are_seen_in_all_their_forms() {
        let code = |status, json: Value| refusal(At::Portal, status, &json).map(|e| e.code().to_owned());
        assert_eq!(code(200, json!({"result": true})), None);
        assert_eq!(code(200, json!({"result": [], "error": ""})), None);
        assert_eq!(code(400, json!({"error": "", "error_description": "x"})), Some(String::new()));
        assert_eq!(code(400, json!({"error": 100})), Some("100".into()));
        assert_eq!(code(200, json!({"error": "ERROR_PLACEMENT_MAX_COUNT"})), Some("error_placement_max_count".into()));
        let v3 = json!({"error": {"code": "BITRIX_REST_V3_EXCEPTION_VALIDATION_REQUESTVALIDATIONEXCEPTION", "message": "bad",
            "validation": [{"field": "title", "message": "required"}]}});
        let error = refusal(At::Portal, 400, &v3).expect("refused");
        assert_eq!((error.description(), error.class), ("bad (title)", Class::Permanent));
        let bare = refusal(At::Portal, 500, &json!({"x": 1})).expect("refused");
        assert!(bare.outcome_unknown);
    }

    #[test]
    fn s48_timing_and_paging_are_read_tolerantly() {
        let answer = answer(json!({"result": {"items": []}, "total": "7", "next": 50,
            "time": {"operating": "1.5", "operating_reset_at": 1_763_730_600, "duration": 0.2,
            "start": "1763730000.25"}}));
        assert_eq!((answer.total, answer.next), (Some(7), Some(50)));
        assert_eq!(
            answer.timing,
            Timing {
                operating: Some(1.5),
                operating_reset_at: Some(1_763_730_600),
                duration: Some(0.2),
                started_at: Some(1_763_730_000_250)
            }
        );
        assert_eq!(timing(Some(&json!([]))), Timing::default());
    }
}
