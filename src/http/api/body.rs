//! A request's body as JSON: bounded, of the right type, in UTF-8, not too deep.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, Payload};
use serde_json::Value;

use super::input::Object;
use super::refuse::malformed;
use crate::http::problem::{Kind, Problem};

/// The largest body of any route of the API but mappings; the longest honest one is a settings document with a
/// certificate.
const MOST: usize = 64 * 1024;

/// Deeper than any document of ours, far from any stack's end.
const DEPTH: usize = 16;

/// A body as it came and as it was read.
#[derive(Debug)]
pub struct Body {
    pub raw: Bytes,
    pub value: Value,
}

impl Body {
    /// Reads the body of a route that needs one. To be called after the caller's rights were checked: who may not act
    /// learns nothing about what he sent.
    pub async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, Problem> {
        Self::read_up_to(MOST, request, payload).await
    }

    /// The same for a route whose honest bodies are longer.
    pub async fn read_up_to(most: usize, request: &HttpRequest, payload: Payload) -> Result<Self, Problem> {
        let raw = bytes(most, request, payload).await?;
        if !is_json(request) {
            return Err(Kind::UnsupportedMediaType.into());
        }
        let value = parse(&raw)?;
        Ok(Self { raw, value })
    }

    /// Reads the body of a route that may have one: nothing is an empty object.
    pub async fn optional(request: &HttpRequest, payload: Payload) -> Result<Self, Problem> {
        let raw = bytes(MOST, request, payload).await?;
        if raw.is_empty() {
            return Ok(Self { raw, value: Value::Object(serde_json::Map::new()) });
        }
        if !is_json(request) {
            return Err(Kind::UnsupportedMediaType.into());
        }
        let value = parse(&raw)?;
        Ok(Self { raw, value })
    }

    /// Reads the body of a route that needs none: nothing, or an empty object.
    pub async fn none(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
        let raw = bytes(MOST, request, payload).await?;
        if !raw.is_empty() {
            if !is_json(request) {
                return Err(Kind::UnsupportedMediaType.into());
            }
            Object::read(parse(&raw)?, |_| Some(())).map_err(Problem::from)?;
        }
        Ok(raw)
    }

    /// Everything wrong with the body is told at once.
    pub fn parse<T>(&self, parse: impl FnOnce(&mut Object) -> Option<T>) -> Result<T, Problem> {
        Object::read(self.value.clone(), parse).map_err(Problem::from)
    }
}

async fn bytes(most: usize, request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > u64::try_from(most).unwrap_or(u64::MAX)) {
        return Err(Kind::TooLarge.into());
    }
    match payload.to_bytes_limited(most).await {
        Ok(Ok(raw)) => Ok(raw),
        Ok(Err(_)) => Err(malformed("body", "Тело запроса пришло не целиком.", "The body did not arrive whole.")),
        Err(_) => Err(Kind::TooLarge.into()),
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let Some(kind) = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    let mut parts = kind.split(';');
    let essence = parts.next().unwrap_or_default().trim();
    let charset =
        parts.filter_map(|part| part.trim().split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let utf8 = charset.is_none_or(|(_, charset)| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    essence.eq_ignore_ascii_case("application/json") && utf8
}

fn parse(raw: &[u8]) -> Result<Value, Problem> {
    let text = std::str::from_utf8(raw)
        .map_err(|_| malformed("utf8", "Тело запроса не в кодировке UTF-8.", "The body is not UTF-8."))?;
    if too_deep(text) {
        return Err(malformed("depth", "Вложенность JSON слишком велика.", "The JSON is nested too deeply."));
    }
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::from(Kind::Malformed).with_code("json").with_detail(
            format!("Ошибка JSON в строке {line}, позиция {column}."),
            format!("The JSON breaks off at line {line}, column {column}."),
        )
    })
}

/// Counts brackets outside strings, before anything recurses.
fn too_deep(text: &str) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match (quoted, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, _, b'"') => quoted = !quoted,
            (false, _, b'{' | b'[') => depth += 1,
            (false, _, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s51_depth_is_counted_outside_strings() {
        assert!(!too_deep(&"[".repeat(DEPTH)));
        assert!(too_deep(&"[".repeat(DEPTH + 1)));
        assert!(too_deep(&format!("{}1", "{\"a\":".repeat(20))));
        assert!(!too_deep(&format!("\"{}\\\"{}\"", "[".repeat(100), "{".repeat(100))));
        assert!(too_deep(&format!("\"\\\\\"{}", "[".repeat(100))));
    }
}
