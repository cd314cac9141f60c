//! The parts of a letter (RFC 2045, RFC 2046), however deep and however broken. Written out here because a stranger chooses the
//! nesting: the depth is ours to bound, and nothing calls itself.

use super::header::{self, Headers, Value};

/// Levels that are looked into; no person's program nests deeper.
const DEEPEST: usize = 16;
/// Parts that are looked at.
const MOST: usize = 500;

/// What holds no parts itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// `text/plain`
    pub kind: String,
    pub charset: String,
    /// Of a file.
    pub name: Option<String>,
    /// It says of itself that it is a file.
    pub attached: bool,
    /// The outermost `multipart/alternative` around it.
    pub choice: Option<usize>,
    pub bytes: Vec<u8>,
}

impl Part {
    /// Whether it is what its sender wrote.
    pub fn is_said(&self) -> bool {
        !self.attached && self.name.is_none() && matches!(self.kind.as_str(), "text/plain" | "text/html")
    }

    pub fn text(&self) -> String {
        header::decoded(&self.charset, &self.bytes)
    }
}

struct Open<'a> {
    headers: Headers,
    body: &'a [u8],
    depth: usize,
    choice: Option<usize>,
}

/// The parts in their order, and whether there were more than anybody looks at.
pub(super) fn parts(headers: Headers, body: &[u8]) -> (Vec<Part>, bool) {
    let mut parts = Vec::new();
    // The last one is the next one.
    let mut open = vec![Open { headers, body, depth: 0, choice: None }];
    let mut seen = 0;
    while let Some(Open { headers, body, depth, choice }) = open.pop() {
        seen += 1;
        if seen > MOST {
            return (parts, true);
        }
        let kind = Value::read(headers.get("content-type").unwrap_or("text/plain"));
        let boundary = kind.param("boundary").filter(|_| kind.value.starts_with("multipart/"));
        let inner = boundary.map(|boundary| pieces(body, &boundary)).unwrap_or_default();
        if inner.is_empty() || depth >= DEEPEST {
            parts.push(leaf(&headers, kind, body, choice));
            continue;
        }
        let choice = choice.or((kind.value == "multipart/alternative").then_some(seen));
        open.extend(inner.into_iter().take(MOST).rev().map(|piece| {
            let (headers, body) = Headers::split(piece);
            Open { headers, body, depth: depth + 1, choice }
        }));
    }
    (parts, false)
}

/// What stands between the lines of a boundary; the last piece may lack its end.
fn pieces<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    if boundary.is_empty() {
        return pieces;
    }
    let (mut begin, mut rest): (Option<&[u8]>, &[u8]) = (None, body);
    loop {
        let (line, behind) = header::line(rest);
        let mark = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary.as_bytes()));
        let last = mark.is_some_and(|mark| mark.starts_with(b"--"));
        // Behind a boundary there is nothing: a longer line is another one's.
        if last || mark.is_some_and(|mark| mark.trim_ascii().is_empty()) {
            if let Some(begin) = begin {
                let piece = begin.get(..begin.len().saturating_sub(rest.len())).unwrap_or_default();
                let piece = piece.strip_suffix(b"\n").unwrap_or(piece);
                pieces.push(piece.strip_suffix(b"\r").unwrap_or(piece));
            }
            begin = (!last).then_some(behind);
        }
        if behind.is_empty() || last || pieces.len() > MOST {
            break;
        }
        rest = behind;
    }
    pieces.extend(begin.filter(|cut_off| !cut_off.is_empty()));
    pieces
}

fn leaf(headers: &Headers, kind: Value, body: &[u8], choice: Option<usize>) -> Part {
    let disposition = Value::read(headers.get("content-disposition").unwrap_or_default());
    let encoding = headers.get("content-transfer-encoding").unwrap_or_default().trim().to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "base64" => header::base64(body),
        "quoted-printable" => header::quoted(body, false),
        _ => body.to_vec(),
    };
    let name = disposition.param("filename").or_else(|| kind.param("name")).filter(|name| !name.trim().is_empty());
    let charset = kind.param("charset").unwrap_or_default();
    // What is a container by its name and holds nothing is words, as far as anybody knows.
    let kind =
        if kind.value.starts_with("multipart/") || kind.value.is_empty() { "text/plain".into() } else { kind.value };
    Part { kind, charset, name, attached: disposition.value == "attachment", choice, bytes }
}
