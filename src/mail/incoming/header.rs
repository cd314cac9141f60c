//! Headers as programs really write them: folded, encoded (RFC 2047, RFC 2231), or in bytes of a charset that nobody names.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};

/// Headers of one part that are read at all.
const MOST: usize = 500;
/// Of an encoded word; RFC 2047 allows 75.
const LONGEST_WORD: usize = 2_000;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Names in lower case, values unfolded, in their order.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The headers at the beginning of a part, and what follows them.
    pub fn split(raw: &[u8]) -> (Self, &[u8]) {
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        let mut rest = raw;
        while !rest.is_empty() {
            let (line, behind) = line(rest);
            let folded = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
            if line.is_empty() {
                rest = behind;
                break;
            }
            if folded && let Some((_, value)) = headers.last_mut() {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            } else if let Some((name, value)) = named(line) {
                headers.push((name, value.trim_ascii().to_vec()));
            } else if !(headers.is_empty() && line.starts_with(b"From ")) {
                // Some program forgot the empty line: its text begins here.
                break;
            }
            rest = behind;
        }
        headers.truncate(MOST);
        (Self(headers.into_iter().map(|(name, value)| (name, guessed(&value))).collect()), rest)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A line without its end, and what stands behind it.
pub(super) fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = text.splitn(2, |byte| *byte == b'\n');
    let line = halves.next().unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), halves.next().unwrap_or_default())
}

fn named(line: &[u8]) -> Option<(String, &[u8])> {
    let at = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(at)?;
    let name = name.trim_ascii_end();
    let whole = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    whole.then(|| (String::from_utf8_lossy(name).to_ascii_lowercase(), value.get(1..).unwrap_or_default()))
}

/// Text in a charset that nobody named: UTF-8 if it is, else what old programs here write.
pub(super) fn guessed(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1251.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Text in a charset that somebody named, rightly or not.
pub(super) fn decoded(charset: &str, bytes: &[u8]) -> String {
    let plain = |label: &str| label.eq_ignore_ascii_case("us-ascii") || label.eq_ignore_ascii_case("ascii");
    match Encoding::for_label(charset.trim().as_bytes()) {
        Some(encoding) if encoding != UTF_8 && !plain(charset) => {
            encoding.decode_without_bom_handling(bytes).0.into_owned()
        }
        _ => guessed(bytes),
    }
}

/// What is none of the alphabet is left out, as RFC 2045 wants it.
pub(super) fn base64(text: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> =
        text.iter().copied().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).collect();
    // A last letter alone says nothing: the text was cut there.
    if kept.len() % 4 == 1 {
        kept.pop();
    }
    LENIENT.decode(kept).unwrap_or_default()
}

/// Quoted-printable; in a header a space is an underscore.
pub(super) fn quoted(text: &[u8], header: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'=', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => rest = after,
            (b'=', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            (b'_', _) if header => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    out
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// A value with its encoded words read. Words that stand side by side are read as one: programs cut letters in two.
pub(super) fn words(value: &str) -> String {
    let mut out = String::new();
    let mut held: Option<(String, Vec<u8>)> = None;
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once("=?") {
        let Some((charset, bytes, after)) = word(behind) else {
            end(&mut out, &mut held);
            out.push_str(before);
            out.push_str("=?");
            rest = behind;
            continue;
        };
        if held.is_none() || !before.trim().is_empty() {
            end(&mut out, &mut held);
            out.push_str(before);
        }
        match &mut held {
            Some((same, kept)) if *same == charset => kept.extend(bytes),
            _ => {
                end(&mut out, &mut held);
                held = Some((charset, bytes));
            }
        }
        rest = after;
    }
    end(&mut out, &mut held);
    out.push_str(rest);
    out
}

fn end(out: &mut String, held: &mut Option<(String, Vec<u8>)>) {
    if let Some((charset, bytes)) = held.take() {
        out.push_str(&decoded(&charset, &bytes));
    }
}

/// Behind `=?`: charset, encoding, text.
fn word(text: &str) -> Option<(String, Vec<u8>, &str)> {
    let near = text.get(..text.floor_char_boundary(LONGEST_WORD)).unwrap_or(text);
    let (charset, near) = near.split_once('?')?;
    let (encoding, near) = near.split_once('?')?;
    let (content, _) = near.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => base64(content.as_bytes()),
        "Q" | "q" => quoted(content.as_bytes(), true),
        _ => return None,
    };
    let used = charset.len() + encoding.len() + content.len() + 4;
    // RFC 2231 lets a language follow.
    let charset = charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
    Some((charset, bytes, text.get(used..)?))
}

/// `text/plain; charset=…`: the value in lower case, and its parameters.
#[derive(Debug, Default)]
pub(super) struct Value {
    pub value: String,
    params: Vec<(String, String)>,
}

impl Value {
    pub fn read(text: &str) -> Self {
        let mut pieces = cut(text, ';').into_iter();
        let value = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let params = pieces.filter_map(|piece| {
            let (name, value) = piece.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), unquoted(value.trim())))
        });
        Self { value, params: params.collect() }
    }

    pub fn param(&self, name: &str) -> Option<String> {
        let of = |name: &str| self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        if let Some(value) = of(name) {
            return Some(words(value));
        }
        if let Some(value) = of(&format!("{name}*")) {
            let (charset, text) = extended(value);
            return Some(decoded(charset, &percent(text)));
        }
        // In pieces: name*0*=…; name*1*=…; name*2=…
        let (mut charset, mut bytes) = (String::new(), Vec::new());
        for nth in 0..MOST {
            if let Some(value) = of(&format!("{name}*{nth}*")) {
                let text = if nth == 0 {
                    let (named, text) = extended(value);
                    charset = named.to_owned();
                    text
                } else {
                    value
                };
                bytes.extend(percent(text));
            } else if let Some(value) = of(&format!("{name}*{nth}")) {
                bytes.extend(value.as_bytes());
            } else {
                break;
            }
        }
        (!bytes.is_empty()).then(|| decoded(&charset, &bytes))
    }
}

/// `charset'language'text`
fn extended(value: &str) -> (&str, &str) {
    let mut pieces = value.splitn(3, '\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(_), Some(text)) => (charset, text),
        _ => ("", value),
    }
}

fn percent(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            (byte, _) => out.push(*byte),
        }
    }
    out
}

/// Cuts where the sign stands outside of quotes, angle brackets and comments.
fn cut(text: &str, at: char) -> Vec<&str> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    let (mut quoted, mut escaped, mut angle, mut comments) = (false, false, false, 0_usize);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted || comments > 0 => escaped = true,
            '"' if comments == 0 => quoted = !quoted,
            _ if quoted => {}
            '(' => comments += 1,
            ')' => comments = comments.saturating_sub(1),
            '<' if comments == 0 => angle = true,
            '>' if comments == 0 => angle = false,
            c if c == at && !angle && comments == 0 => {
                pieces.extend(text.get(from..place));
                from = place + c.len_utf8();
            }
            _ => {}
        }
    }
    pieces.extend(text.get(from..));
    pieces
}

fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"') else { return text.to_owned() };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut out = String::with_capacity(inner.len());
    let mut signs = inner.chars();
    while let Some(c) = signs.next() {
        out.extend(if c == '\\' { signs.next() } else { Some(c) });
    }
    out
}

/// Name and address of every mailbox in a list, as they stand there.
pub(super) fn mailboxes(value: &str) -> Vec<(String, String)> {
    cut(value, ',').into_iter().filter(|piece| !piece.trim().is_empty()).map(mailbox).collect()
}

fn mailbox(text: &str) -> (String, String) {
    let text = text.trim();
    // The last bracket: a name may hold whatever its owner likes.
    if let Some((name, rest)) = text.rsplit_once('<') {
        let address = rest.split_once('>').map_or(rest, |(address, _)| address);
        return (words(&unquoted(name.trim())), address.trim().to_owned());
    }
    let address = text.split('(').next().unwrap_or_default();
    (String::new(), address.trim().to_owned())
}
